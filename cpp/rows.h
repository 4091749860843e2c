// Operations that mix the units of a vector. Included by level.cpp only, inside the level's namespace.
#pragma once

enum RowOp : int64_t { MEAN, TOTAL, SPREAD, NORMALISE, RSTD, REPEAT, FOLD };

// The sum of (x - centre)^power over a vector, in as many partial sums as there are lanes.
template <typename S>
S total_of(const S *x, int64_t n, S centre, bool squares) {
    typedef typename Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    V total = V{}, middle = splat(centre);
    int64_t u = 0;
    for (; u + L <= n; u += L) {
        V away = load(x + u) - middle;
        total += squares ? away * away : away;
    }
    S rest = 0;
    for (; u < n; u++) {
        S away = x[u] - centre;
        rest += squares ? away * away : away;
    }
    for (int lane = 0; lane < L; lane++) rest += total[lane];
    return rest;
}

template <typename S>
void fill(S *target, int64_t n, S value) {
    for (int64_t u = 0; u < n; u++) target[u] = value;
}

// Operands are vectors whose units stand side by side, but for `spread`, whose operand is one number.
template <typename S, typename Lines>
bool mix(const Row &op, const Plan &plan, const Lines &lines, int64_t from, int64_t to) {
    const int64_t in = plan.buffers[op.arguments[0]].width;
    for (int64_t line = from; line < to; line++) {
        S centre = 0, scale = 0;
        if (op.opcode == NORMALISE || op.opcode == RSTD) {
            S total = 0, squares = 0, n = S(op.n_arguments * in);
            for (int64_t k = 0; k < op.n_arguments; k++) total += total_of<S>(lines.at(op.arguments[k])(line), in, 0, false);
            centre = total / n;
            for (int64_t k = 0; k < op.n_arguments; k++)
                squares += total_of<S>(lines.at(op.arguments[k])(line), in, centre, true);
            scale = S(1) / std::sqrt(squares / n + S(1e-5));
        }
        for (int64_t o = 0; o < op.n_outputs; o++) {
            S *__restrict target = lines.at(op.outputs[o])(line);
            const S *__restrict source = lines.at(op.arguments[op.opcode == NORMALISE ? op.indices[o] : 0])(line);
            const int64_t out = plan.buffers[op.outputs[o]].width;
            switch (op.opcode) {
                case MEAN: fill(target, out, total_of<S>(source, in, 0, false) / S(in)); break;
                case TOTAL: target[0] = total_of<S>(source, in, 0, false); break;
                case SPREAD: fill(target, out, source[0]); break;
                case NORMALISE:
                    for (int64_t u = 0; u < out; u++) target[u] = (source[u] - centre) * scale;
                    break;
                case RSTD: fill(target, out, scale); break;
                case REPEAT:
                    for (int64_t k = 0; k < in; k++) fill(target + k * (out / in), out / in, source[k]);
                    break;
                case FOLD:
                    for (int64_t u = 0; u < out; u++)
                        target[u] = total_of<S>(source + u * (in / out), in / out, 0, false);
                    break;
                default: return false;
            }
        }
    }
    return true;
}
