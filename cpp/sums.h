// Sums over time and the batch: gradients of parameters. Included by level.cpp only, inside the level's namespace.
#pragma once

// to[r][v] += sum over lines of a[line][r] * x[line][v]. The lines at hand are summed for themselves: the rounding errors
// of one long chain of additions would grow with T and B.
template <typename S, int MR, int NV>
struct SumTile {
    static __attribute__((noinline)) void run(const S *a, const S *x, int64_t lines, S *to, int64_t to_row) {
        constexpr int L = Vec<S>::lanes;
        typename Vec<S>::type acc[MR][NV];
#pragma GCC unroll 6
        for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) acc[r][v] = typename Vec<S>::type{};
        for (int64_t k = 0; k < lines; k++, a += MR, x += NV * L) {
            typename Vec<S>::type u[NV];
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) u[v] = load(x + v * L);
#pragma GCC unroll 6
            for (int r = 0; r < MR; r++) {
                typename Vec<S>::type y = splat(a[r]);
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++) acc[r][v] += y * u[v];
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) {
                S *sum = to + r * to_row + v * L;
                store(sum, load(sum) + acc[r][v]);
            }
    }
};

template <typename S>
using SumFunction = void (*)(const S *, const S *, int64_t, S *, int64_t);

template <typename S, int NV>
SumFunction<S> sum_of(int rows) {
    static const SumFunction<S> table[] = {nullptr, SumTile<S, 1, NV>::run, SumTile<S, 2, NV>::run, SumTile<S, 3, NV>::run,
#if GW_BYTES == 64
                                           SumTile<S, 4, NV>::run, SumTile<S, 5, NV>::run, SumTile<S, 6, NV>::run
#endif
    };
    return table[rows];
}
template <typename S>
SumFunction<S> sum_of(int rows, int vectors) {
    switch (vectors) {
        case 1: return sum_of<S, 1>(rows);
        case 2: return sum_of<S, 2>(rows);
        case 3: return sum_of<S, 3>(rows);
        default: return sum_of<S, 4>(rows);
    }
}

// Each thread sums for its own rows of every parameter, so that no order of additions depends on the threads.
template <typename S>
class Sums {
    static constexpr int L = Vec<S>::lanes;
    const Frame<S> &frame;
    const Plan &plan;
    S *columns;         // a factor's units, [line][vectors]
    const S **sources;  // where an adjoint's lines stand

    // Rows [from, to) of a parameter that thread `id` of `n` sums.
    static void part(int64_t height, int64_t id, int64_t n, int64_t &from, int64_t &to) {
        int64_t tiles = (height + TILE_ROWS - 1) / TILE_ROWS;
        from = Frame<S>::least(height, tiles * id / n * TILE_ROWS);
        to = Frame<S>::least(height, tiles * (id + 1) / n * TILE_ROWS);
    }
    S *target(const Sum &sum, int64_t t) const {
        return static_cast<S *>(frame.job.gradients[sum.port[t]].data) + sum.offset[t];
    }

   public:
    Sums(const Frame<S> &frame, Arena &arena)
        : frame(frame), plan(frame.plan), columns(arena.take<S>(plan.n_sums ? SUM_LINES * 4 * L : 0)),
          sources(arena.take<const S *>(plan.n_sums ? SUM_LINES : 0)) {}

    void clear(int64_t id, int64_t n) const {
        double *totals = frame.totals;
        for (int64_t s = 0; s < plan.n_sums; s++) {
            const Sum &sum = plan.sums[s];
            int64_t from, to;
            part(sum.height, id, n, from, to);
            if (sum.width) fill(target(sum, 0) + from * sum.width, (to - from) * sum.width, S(0));
            else {
                fill(totals + from, to - from, 0.0);
                totals += sum.height;
            }
        }
    }

    // Add what `count` lines give, at most SUM_LINES of them.
    void add(const ChunkLines<S> &lines, int64_t count, int64_t id, int64_t n) {
        double *totals = frame.totals;
        for (int64_t s = 0; s < plan.n_sums; s++) {
            const Sum &sum = plan.sums[s];
            int64_t from, to;
            part(sum.height, id, n, from, to);
            for (int64_t t = 0; t < sum.n_terms; t++) {
                const Term &term = sum.terms[t];
                if (!term.packs && sum.width) continue;
                find(term.adjoint, lines, count);
                if (term.packs) pack(lines.unit(term.adjoint), count, from, to, frame.strips + term.strip * SUM_LINES);
                else add_vector(totals, lines.unit(term.adjoint), count, from, to);
            }
            if (!sum.width) totals += sum.height;
        }
        for (int64_t s = 0; s < plan.n_sums; s++)
            for (int64_t t = 0; t < plan.sums[s].n_terms; t++)
                if (plan.sums[s].terms[t].leads)
                    multiply(plan.sums[s].terms[t].factor, plan.sums[s].width, lines, count, id, n);
    }

    // Sums of vectors are kept in double precision until here. A parameter that is given as a sum of two has one gradient
    // for both.
    void finish(int64_t id, int64_t n) const {
        const double *totals = frame.totals;
        for (int64_t s = 0; s < plan.n_sums; s++) {
            const Sum &sum = plan.sums[s];
            int64_t from, to, width = sum.width ? sum.width : 1;
            part(sum.height, id, n, from, to);
            if (!sum.width) {
                for (int64_t u = from; u < to; u++) target(sum, 0)[u] = S(totals[u]);
                totals += sum.height;
            }
            for (int64_t t = 1; t < sum.n_targets; t++)
                __builtin_memcpy(target(sum, t) + from * width, target(sum, 0) + from * width,
                                 size_t((to - from) * width) * sizeof(S));
        }
    }

   private:
    // The values of an adjoint, line by line.
    void find(int64_t adjoint, const ChunkLines<S> &lines, int64_t count) {
        auto at = lines.at(adjoint);
        for (int64_t line = 0; line < count; line++) sources[line] = at(line);
    }

    void pack(int64_t unit, int64_t count, int64_t from, int64_t to, S *strip) const {
        for (int64_t row = from; row < to; row += TILE_ROWS) {
            const int64_t tile = Frame<S>::least(TILE_ROWS, to - row);
            S *out = strip + row * SUM_LINES;
            if (tile == TILE_ROWS && unit)
                for (int64_t line = 0; line < count; line++, out += TILE_ROWS)
                    __builtin_memcpy(out, sources[line] + row, TILE_ROWS * sizeof(S));
            else
                for (int64_t line = 0; line < count; line++)
                    for (int64_t r = 0; r < tile; r++) *out++ = sources[line][unit ? row + r : 0];
        }
    }

    void add_vector(double *totals, int64_t unit, int64_t count, int64_t from, int64_t to) const {
        int64_t u = from;
        for (; unit && u + L <= to; u += L)
            for (int64_t line = 0; line < count; line += 16) {
                // Few enough for the errors of their sum not to count.
                const int64_t end = Frame<S>::least(line + 16, count);
                typename Vec<S>::type few{};
                for (int64_t k = line; k < end; k++) few += load(sources[k] + u);
                for (int lane = 0; lane < L; lane++) totals[u + lane] += double(few[lane]);
            }
        for (; u < to; u++)  // the same way, since where vectors begin depends on the threads
            for (int64_t line = 0; line < count; line += 16) {
                S few = 0;
                for (int64_t k = line; k < Frame<S>::least(line + 16, count); k++) few += sources[k][unit ? u : 0];
                totals[u] += double(few);
            }
    }

    void multiply(int64_t factor, int64_t width, const ChunkLines<S> &lines, int64_t count, int64_t id, int64_t n) const {
        const int most = side_by_side(1, width, L);
        for (int64_t unit = 0; unit < width; unit += most * L) {
            const int vectors = int(Frame<S>::least(most, (width - unit + L - 1) / L));
            const int64_t valid = Frame<S>::least(width - unit, int64_t(vectors) * L);
            get(lines.at(factor), lines.unit(factor), columns, 0, count, unit, vectors, width);
            for (int64_t s = 0; s < plan.n_sums; s++) {
                const Sum &sum = plan.sums[s];
                int64_t from, to;
                part(sum.height, id, n, from, to);
                for (int64_t t = 0; t < sum.n_terms; t++) {
                    if (!sum.width || sum.terms[t].factor != factor) continue;
                    const S *strip = frame.strips + sum.terms[t].strip * SUM_LINES;
                    for (int64_t row = from; row < to; row += TILE_ROWS) {
                        int tile = int(Frame<S>::least(TILE_ROWS, to - row));
                        S *out = target(sum, 0) + row * sum.width + unit;
                        const S *a = strip + row * SUM_LINES;
                        // The sums of all parameters may be larger than the second cache.
                        for (int64_t r = tile; r < 2 * tile; r++)
                            for (int v = 0; v < vectors; v++)
                                if (row + r < to) __builtin_prefetch(out + r * sum.width + v * L, 1, 2);
                        if (valid == int64_t(vectors) * L) sum_of<S>(tile, vectors)(a, columns, count, out, sum.width);
                        else partly(tile, vectors, valid, a, count, out, sum.width);
                    }
                }
            }
        }
    }

    // A tile that reaches beyond the last unit.
    void partly(int tile, int vectors, int64_t valid, const S *a, int64_t count, S *out, int64_t out_row) const {
        alignas(64) S whole[TILE_ROWS * 4 * L];
        const int64_t row = int64_t(vectors) * L;
        for (int r = 0; r < tile; r++)
            for (int64_t u = 0; u < row; u++) whole[r * row + u] = u < valid ? out[r * out_row + u] : S(0);
        sum_of<S>(tile, vectors)(a, columns, count, whole, row);
        for (int r = 0; r < tile; r++)
            for (int64_t u = 0; u < valid; u++) out[r * out_row + u] = whole[r * row + u];
    }
};
