// Operations that mix the units of a vector. Included by level.cpp only, inside the level's namespace.
#pragma once

// A sum over the units of vectors, in several partial sums for each lane: of x, or of (x - centre)^2.
template <typename S>
class Total {
    typedef typename Vec<S>::type V;
    static constexpr int L = Vec<S>::lanes;
    V parts[4] = {};
    S rest = 0;

   public:
    template <bool SQUARES>
    GW_INLINE void add(const S *x, int64_t n, S centre) {
        const V middle = splat(centre);
        auto value = [&](const S *p) GW_LAMBDA {
            const V away = SQUARES ? load(p) - middle : load(p);
            return SQUARES ? away * away : away;
        };
        int64_t u = 0;
        for (; u + 4 * L <= n; u += 4 * L)
            for (int k = 0; k < 4; k++) parts[k] += value(x + u + k * L);
        for (; u + L <= n; u += L) parts[0] += value(x + u);
        for (; u < n; u++) {
            const S away = SQUARES ? x[u] - centre : x[u];
            rest += SQUARES ? away * away : away;
        }
    }
    GW_INLINE S get() const {
        alignas(64) S lanes[L];
        store(lanes, (parts[0] + parts[1]) + (parts[2] + parts[3]));
        for (int half = L / 2; half > 0; half /= 2)
            for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
        return lanes[0] + rest;
    }
};

template <typename S>
GW_INLINE S total_of(const S *x, int64_t n) {
    Total<S> total;
    total.template add<false>(x, n, 0);
    return total.get();
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
            Total<S> total, squares;
            const S n = S(op.n_arguments * in);
            for (int64_t k = 0; k < op.n_arguments; k++) total.template add<false>(lines.at(op.arguments[k])(line), in, 0);
            centre = total.get() / n;
            for (int64_t k = 0; k < op.n_arguments; k++)
                squares.template add<true>(lines.at(op.arguments[k])(line), in, centre);
            scale = S(1) / std::sqrt(squares.get() / n + S(1e-5));
        }
        for (int64_t o = 0; o < op.n_outputs; o++) {
            S *__restrict target = lines.at(op.outputs[o])(line);
            const int64_t out = plan.buffers[op.outputs[o]].width, index = op.opcode == NORMALISE ? op.indices[o] : 0;
            if (index == op.n_arguments) {
                fill(target, out, scale);
                continue;
            }
            const S *__restrict source = lines.at(op.arguments[index])(line);
            switch (op.opcode) {
                case MEAN: fill(target, out, total_of<S>(source, in) / S(in)); break;
                case TOTAL: target[0] = total_of<S>(source, in); break;
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
                        target[u] = total_of<S>(source + u * (in / out), in / out);
                    break;
                default: return false;
            }
        }
    }
    return true;
}
