// Packed matrices and the tiles of their products. Included by level.cpp only, inside the level's namespace.
#pragma once

// How many vectors of one output stand side by side in a panel, so that a tile of MR rows fills the registers.
GW_INLINE int side_by_side(int64_t n_outputs, int64_t width, int lanes) {
    if (n_outputs == 1) return width > 3 * lanes ? 4 : width > 2 * lanes ? 3 : width > lanes ? 2 : 1;
    if (n_outputs == 2) return width > lanes ? 2 : 1;
    return 1;
}

constexpr int GROUP = 4;     // outputs are packed in groups of at most four; a panel holds `side` vectors of each
constexpr int FACTORS = 64;  // most factors of a sum of products; a plan is checked for it
constexpr int TILE_ROWS = GW_BYTES == 64 ? 6 : 3;  // what 32, and what 16 vector registers hold

template <typename S>
struct Panels {
    int lanes, side;
    int64_t units, count;  // units of one output in a panel, and how many panels an output has
    Panels(int64_t n_outputs, int64_t width)
        : lanes(Vec<S>::lanes),
          side(side_by_side(n_outputs, width, Vec<S>::lanes)),
          units(int64_t(side) * Vec<S>::lanes),
          count((width + units - 1) / units) {}
};

// Weights as they are computed with. How others are stored, and widened in a tile, says narrow.h.
template <typename S>
struct Full {
    static constexpr int together = 1;     // steps of the depth whose weights one vector of a panel holds
    static constexpr bool scaled = false;  // whether each unit's sum is multiplied with a number of its own
    static GW_INLINE typename Vec<S>::type widened(const char *vector, int) { return load(reinterpret_cast<const S *>(vector)); }
};

// Bytes of a panel's weights for one factor, `vectors` side by side, and for all factors and outputs.
template <typename Stored>
int64_t factor_bytes(int64_t depth, int64_t vectors) {
    return ((depth + Stored::together - 1) / Stored::together + Stored::scaled) * vectors * GW_BYTES;
}
template <typename S, typename Stored>
int64_t panel_bytes(const Pack &pack) {
    int64_t bytes = 0, vectors = pack.n_outputs * Panels<S>(pack.n_outputs, pack.width).side;
    for (int64_t f = 0; f < pack.n_factors; f++) bytes += factor_bytes<Stored>(pack.factors[f].width, vectors);
    return bytes;
}

template <typename S>
struct Lanes;  // of the integers that name a vector's lanes
template <>
struct Lanes<float> {
    typedef int32_t type __attribute__((vector_size(GW_BYTES)));
};
template <>
struct Lanes<double> {
    typedef int64_t type __attribute__((vector_size(GW_BYTES)));
};

template <typename S, int D>
GW_INLINE void exchange(typename Vec<S>::type *v) {
    constexpr int L = Vec<S>::lanes;
    typename Lanes<S>::type low, high;
#pragma GCC unroll 16
    for (int l = 0; l < L; l++) {
        low[l] = l & D ? L + l - D : l;
        high[l] = l & D ? L + l : l + D;
    }
#pragma GCC unroll 16
    for (int i = 0; i < L; i++)
        if (!(i & D)) {
            typename Vec<S>::type a = v[i], b = v[i + D];
            v[i] = __builtin_shuffle(a, b, low);
            v[i + D] = __builtin_shuffle(a, b, high);
        }
}

// to[k][l] = from[l][k] for a square of lanes.
template <typename S>
GW_INLINE void transpose(const S *from, int64_t from_row, S *to, int64_t to_row) {
    constexpr int L = Vec<S>::lanes;
    typename Vec<S>::type v[L];
#pragma GCC unroll 16
    for (int i = 0; i < L; i++) v[i] = load(from + i * from_row);
    exchange<S, 1>(v);
    if constexpr (L > 2) exchange<S, 2>(v);
    if constexpr (L > 4) exchange<S, 4>(v);
    if constexpr (L > 8) exchange<S, 8>(v);
#pragma GCC unroll 16
    for (int i = 0; i < L; i++) store(to + i * to_row, v[i]);
}

// Units `unit`.. of a matrix, as many as there are lanes: to[k][lane], 0 beyond the width.
template <typename S>
void pack_vector(const S *m, const Matrix &matrix, int64_t depth, int64_t width, int64_t unit, S *to, int64_t to_row) {
    constexpr int L = Vec<S>::lanes;
    int64_t valid = width - unit < L ? width - unit : L;
    if (valid < 0) valid = 0;
    if (matrix.transposed) {
        for (int64_t k = 0; k < depth; k++, to += to_row) {
            const S *from = m + k * matrix.stride + unit;
            if (valid == L) store(to, load(from));
            else
                for (int lane = 0; lane < L; lane++) to[lane] = lane < valid ? from[lane] : S(0);
        }
        return;
    }
    int64_t k = 0;
    if (valid == L)
        for (; k + L <= depth; k += L) transpose<S>(m + unit * matrix.stride + k, matrix.stride, to + k * to_row, to_row);
    for (; k < depth; k++)
        for (int lane = 0; lane < L; lane++) to[k * to_row + lane] = lane < valid ? m[(unit + lane) * matrix.stride + k] : S(0);
}

template <typename S>
void pack_vector(Full<S>, const S *m, const Matrix &matrix, int64_t depth, int64_t width, int64_t unit, char *to, int64_t row) {
    pack_vector(m, matrix, depth, width, unit, reinterpret_cast<S *>(to), row * Vec<S>::lanes);
}

// Panels [from, to) of a pack, group after group, factor after factor, [depth][output of the group][units].
template <typename S, typename Stored>
void pack_panels(const Pack &pack, const Port *parameters, char *packed, int64_t from, int64_t to) {
    Panels<S> panels(pack.n_outputs, pack.width);
    packed += from * panel_bytes<S, Stored>(pack);
    for (int64_t j = from; j < to; j++)
        for (int64_t g0 = 0; g0 < pack.n_outputs; g0 += GROUP) {
            const int64_t group = pack.n_outputs - g0 < GROUP ? pack.n_outputs - g0 : GROUP, row = group * panels.side;
            for (int64_t f = 0; f < pack.n_factors; f++) {
                const int64_t depth = pack.factors[f].width;
                for (int64_t g = 0; g < group; g++) {
                    const Matrix &matrix = pack.matrices[(g0 + g) * pack.n_factors + f];
                    const S *m = static_cast<const S *>(parameters[matrix.port].data) + matrix.offset;
                    for (int s = 0; s < panels.side; s++)
                        pack_vector(Stored{}, m, matrix, depth, pack.width, j * panels.units + s * panels.lanes,
                                    packed + (g * panels.side + s) * GW_BYTES, row);
                }
                packed += factor_bytes<Stored>(depth, row);
            }
        }
}

// What a tile reads and where it writes. A factor's operands are given row by row.
template <typename S>
struct Multiplied {
    const S *rows[FACTORS][TILE_ROWS];
    int64_t depths[FACTORS];
    int64_t n_factors;
    const S *starts[TILE_ROWS];   // of each row what products are added to; null for 0
    int64_t start_places[GROUP];  // of each vector of a panel, from there; -1 where there is none
    S *outs[TILE_ROWS];           // of each row where results go
    int64_t places[GROUP];        // of each vector of a panel, from there
    int64_t panel_out;            // distance of two panels, in both
    const char *coming;           // a part of the panel that comes next
};

// out[p][r][v] = start[p][r][v] + sum over k of a[r][k] * panel[p][k][v], one factor after the other. The order of a sum
// does not depend on the shape of the tile: results are the same bits however rows and panels are put together. Each factor
// has a sum of its own, which is added to what came before (scaled, where weights are): the errors of rounding of one long
// chain of additions would grow with all their depths.
template <typename S, typename Stored, int MR, int NV, int NP>
struct Tile {
    typedef typename Vec<S>::type V;
    typedef V Acc[NP][MR][NV];
    static constexpr int L = Vec<S>::lanes, T = Stored::together;

    static GW_INLINE void clear(Acc &acc) {
#pragma GCC unroll 2
        for (int p = 0; p < NP; p++)
#pragma GCC unroll 6
            for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++) acc[p][r][v] = V{};
    }

    // What sums are added to before there are any.
    static GW_INLINE void begin(const Multiplied<S> &m, Acc &acc) {
        clear(acc);
        if (!m.starts[0]) return;
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++)
            if (m.start_places[v] >= 0)
#pragma GCC unroll 2
                for (int p = 0; p < NP; p++)
#pragma GCC unroll 6
                    for (int r = 0; r < MR; r++) acc[p][r][v] = load(m.starts[r] + p * m.panel_out + m.start_places[v]);
    }

    // Weights that one vector holds for `count` steps of the depth, of which `a` is the first.
    static GW_INLINE void add(Acc &acc, const S *const (&a)[MR], int64_t k, int count, const char *panel, int64_t panel_size) {
#pragma GCC unroll 2
        for (int p = 0; p < NP; p++) {
#pragma GCC unroll 4
            for (int j = 0; j < T; j++) {
                if (j == count) break;
                V u[NV];
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++) u[v] = Stored::widened(panel + p * panel_size + v * GW_BYTES, j);
#pragma GCC unroll 6
                for (int r = 0; r < MR; r++) {
                    V x = splat(a[r][k + j]);
#pragma GCC unroll 4
                    for (int v = 0; v < NV; v++) acc[p][r][v] += x * u[v];
                }
            }
        }
    }

    // Stores the sums, added to what came before: of the first factor what `starts` has.
    static GW_INLINE void settle(const Multiplied<S> &m, Acc &acc, bool first) {
        const S *const *before = first ? m.starts : m.outs;
        const int64_t *places = first ? m.start_places : m.places;
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) {
            const bool adds = before[0] && places[v] >= 0;
#pragma GCC unroll 2
            for (int p = 0; p < NP; p++)
#pragma GCC unroll 6
                for (int r = 0; r < MR; r++) {
                    V sum = acc[p][r][v];
                    if (adds) sum = load(before[r] + p * m.panel_out + places[v]) + sum;
                    store(m.outs[r] + p * m.panel_out + m.places[v], sum);
                }
        }
    }

    // Stores what came before, and the sums times the numbers of their units.
    static GW_INLINE void scale(const Multiplied<S> &m, Acc &acc, bool first, const char *numbers, int64_t panel_size) {
        Acc before;
        if (first) begin(m, before);
#pragma GCC unroll 2
        for (int p = 0; p < NP; p++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) {
                const V number = load(reinterpret_cast<const S *>(numbers + p * panel_size) + v * L);
#pragma GCC unroll 6
                for (int r = 0; r < MR; r++) {
                    S *out = m.outs[r] + p * m.panel_out + m.places[v];
                    store(out, (first ? before[p][r][v] : load(out)) + acc[p][r][v] * number);
                    acc[p][r][v] = V{};
                }
            }
    }

    static __attribute__((noinline)) void run(const Multiplied<S> &m, const char *panel, int64_t panel_size) {
        Acc acc;
        if constexpr (Stored::scaled) clear(acc);
        const char *coming = m.coming;
        for (int64_t f = 0; f < m.n_factors; f++) {
            if constexpr (!Stored::scaled) clear(acc);
            const S *a[MR];
#pragma GCC unroll 6
            for (int r = 0; r < MR; r++) a[r] = m.rows[f][r];
            const int64_t depth = m.depths[f];
            int64_t k = 0;
            for (; k + T <= depth; k += T, panel += NV * GW_BYTES, coming += 64) {
                // Matrices may be larger than the second cache: what comes next is fetched while this is multiplied.
                __builtin_prefetch(coming, 0, 2);
                add(acc, a, k, T, panel, panel_size);
            }
            if (T > 1 && k < depth) {
                add(acc, a, k, int(depth - k), panel, panel_size);
                panel += NV * GW_BYTES;
            }
            if constexpr (Stored::scaled) {
                scale(m, acc, f == 0, panel, panel_size);
                panel += NV * GW_BYTES;
            } else settle(m, acc, f == 0);
        }
    }
};

template <typename S>
using TileFunction = void (*)(const Multiplied<S> &, const char *, int64_t);

// Two panels at once where one would leave registers, and the units that multiply, idle.
constexpr int PAIR_ROWS = TILE_ROWS / 2;

template <typename S, typename Stored, int NV>
TileFunction<S> tile_of(int rows, bool pair) {
    static const TileFunction<S> one[] = {nullptr, Tile<S, Stored, 1, NV, 1>::run, Tile<S, Stored, 2, NV, 1>::run,
                                          Tile<S, Stored, 3, NV, 1>::run,
#if GW_BYTES == 64
                                          Tile<S, Stored, 4, NV, 1>::run, Tile<S, Stored, 5, NV, 1>::run,
                                          Tile<S, Stored, 6, NV, 1>::run
#endif
    };
    static const TileFunction<S> two[] = {nullptr, Tile<S, Stored, 1, NV, 2>::run,
#if GW_BYTES == 64
                                          Tile<S, Stored, 2, NV, 2>::run, Tile<S, Stored, 3, NV, 2>::run
#endif
    };
    return pair ? two[rows] : one[rows];
}
template <typename S, typename Stored>
TileFunction<S> tile_of(int rows, int vectors, bool pair) {
    switch (vectors) {
        case 1: return tile_of<S, Stored, 1>(rows, pair);
        case 2: return tile_of<S, Stored, 2>(rows, pair);
        case 3: return tile_of<S, Stored, 3>(rows, pair);
        default: return tile_of<S, Stored, 4>(rows, pair);
    }
}
