// The walk over images, compiled once for each instruction-set level.
//
// All positions of an anti-diagonal are independent of one another, and so are images and directions. A thread takes one
// direction of a few images and goes from diagonal to diagonal: products of packed matrices for a tile of positions, whose
// results stay in the nearest cache, where the pointwise program turns them into states. Back, the same in the opposite
// order; the sums that are the parameters' gradients are taken diagonal by diagonal, while everything is at hand, and at
// the end those of all images are added in their order. So no number depends on how many threads there are.
#include "grid.h"

#include <sched.h>

#include <cmath>
#include <cstdlib>
#include <new>

#include "operations.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(GW_CHECKED) && defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#elif defined(GW_CHECKED) && defined(__SANITIZE_THREAD__)
#include <pthread.h>
#endif

namespace gatewise {
namespace GW_LEVEL {

#include "vectors.h"
#include "products.h"
#include "narrow.h"
#include "frame.h"
#include "pointwise.h"
#include "team.h"

namespace {

// Lines of a diagonal: where each array's values stand at each of them.
template <typename S>
struct GridLines {
    S *const *table;  // [array][line]
    int64_t most;     // lines of a row of the table
    int64_t unit(int64_t) const { return 1; }
    struct Cursor {
        S *const *row;
        S *operator()(int64_t line) const { return row[line]; }
    };
    Cursor at(int64_t array) const { return {table + array * most}; }
};

#include "grid_native.h"

GW_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
GW_INLINE int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// A matrix of `width` outputs in each of `outputs` groups, packed for tiles of one vector of each output.
template <typename S>
struct GridPack {
    static constexpr int64_t L = Vec<S>::lanes;
    int64_t outputs, width, depth, blocks;
    S *data;  // [block of units][group of outputs][depth][output of the group][L]

    GridPack(Arena &arena, int64_t outputs, int64_t width, int64_t depth)
        : outputs(outputs), width(width), depth(depth), blocks((width + L - 1) / L),
          data(arena.take<S>(blocks * outputs * depth * L)) {}

    // at(output, unit, k): the weight.
    template <typename At>
    void fill(At at) {
        S *to = data;
        for (int64_t block = 0; block < blocks; block++)
            for (int64_t g0 = 0; g0 < outputs; g0 += GROUP)
                for (int64_t k = 0; k < depth; k++)
                    for (int64_t g = g0; g < least(outputs, g0 + GROUP); g++)
                        for (int64_t lane = 0; lane < L; lane++, to++)
                            *to = block * L + lane < width ? at(g, block * L + lane, k) : S(0);
    }

    // The products of a tile: output g's vector of row r goes to out + (g * BLOCK + r) * L.
    void multiply(Multiplied<S> &m, int rows, int64_t block, const S *starts, S *out) const {
        const S *panel = data + block * outputs * depth * L;
        for (int64_t g0 = 0; g0 < outputs; g0 += GROUP) {
            const int64_t group = least(GROUP, outputs - g0);
            for (int r = 0; r < rows; r++) {
                m.outs[r] = out + r * L;
                m.starts[r] = starts;
            }
            for (int64_t v = 0; v < group; v++) {
                m.places[v] = (g0 + v) * BLOCK * L;
                m.start_places[v] = (g0 + v) * blocks * L + block * L;
            }
            m.panel_out = 0;
            m.coming = reinterpret_cast<const char *>(panel);
            tile_of<S, Full<S>>(rows, int(group), false)(m, m.coming, 0);
            panel += group * depth * L;
        }
    }
};

// to[k][v] += sum over lines of in[line][k] * gradient[line][v], for MR of k and NV vectors.
template <typename S, int MR, int NV>
GW_INLINE void add_outer(const S *const *in, int64_t k, const S *const *gradients, int64_t column, int64_t lines, S *to,
                         int64_t to_row) {
    constexpr int L = Vec<S>::lanes;
    typename Vec<S>::type acc[MR][NV];
#pragma GCC unroll 6
    for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) acc[r][v] = typename Vec<S>::type{};
    for (int64_t line = 0; line < lines; line++) {
        const S *a = in[line] + k, *g = gradients[line] + column;
        typename Vec<S>::type u[NV];
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) u[v] = load(g + v * L);
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
            S *sum = to + (k + r) * to_row + column + v * L;
            store(sum, load(sum) + acc[r][v]);
        }
}
template <typename S, int NV>
__attribute__((noinline)) void add_columns(const S *const *in, int64_t depth, const S *const *gradients, int64_t column,
                                           int64_t lines, S *to, int64_t to_row) {
    int64_t k = 0;
    for (; k + TILE_ROWS <= depth; k += TILE_ROWS) add_outer<S, TILE_ROWS, NV>(in, k, gradients, column, lines, to, to_row);
    for (; k < depth; k++) add_outer<S, 1, NV>(in, k, gradients, column, lines, to, to_row);
}
template <typename S>
void add_products(const S *const *in, int64_t depth, const S *const *gradients, int64_t lines, S *to, int64_t to_row) {
    constexpr int L = Vec<S>::lanes;
    int64_t column = 0;
    for (; column + 4 * L <= to_row; column += 4 * L) add_columns<S, 4>(in, depth, gradients, column, lines, to, to_row);
    for (; column < to_row; column += L) add_columns<S, 1>(in, depth, gradients, column, lines, to, to_row);
}

// What all threads share.
template <typename S>
struct Shared {
    static constexpr int64_t L = Vec<S>::lanes;
    static constexpr int64_t ENOUGH = 48;  // lines of a diagonal that fill tiles well
    const GridJob &job;
    const GridSizes &sizes;
    const bool backward;
    const int64_t together;  // images that a thread takes at once
    const int64_t groups, units;
    const int64_t columns;  // of the gradients at a position, rounded up to whole vectors
    S *sums;                // [unit][X + 2 H + 1][columns]: what each unit adds to the parameters' gradients

    Shared(const GridJob &job, bool backward)
        : job(job), sizes(job.sizes), backward(backward), together(group_of(job.sizes)),
          groups((sizes.images + together - 1) / together), units(groups * sizes.directions),
          columns(rounded_up((sizes.nets + sizes.vectors) * sizes.hidden, L)), sums(nullptr) {}

    static int64_t group_of(const GridSizes &sizes) {
        const int64_t longest = least(sizes.rows, sizes.columns), wanted = (ENOUGH + longest - 1) / longest;
        return least(sizes.images, wanted);
    }
    int64_t sums_of_unit() const { return (sizes.operands() + 1) * columns; }
};

// One thread's memory, and its walk.
template <typename S>
class Walker {
    static constexpr int64_t L = Vec<S>::lanes;
    const Shared<S> &shared;
    const GridJob &job;
    const GridSizes &n;
    const Program &program;
    const int64_t n_arrays, slots, most;
    GridPack<S> forward, back, back_to_x;
    S *biases;                 // [G][H rounded up]
    S *registers, *products;
    S *zeros, *one;
    S *states;                 // inference: [2][slot][N][H]
    S *gradients;              // [2][slot][columns]
    S *handed;                 // [2][slot][N][2][H]
    S **table;                 // [array][line]
    const S **ins[3];          // of each line x, the output above and to the left
    const S **nexts[2];        // of each line the net inputs' gradients below and to the right
    const S **currents;        // of each line its own
    S **outs;                  // of each line the gradient of x
    const S **ones;
    int direction;
    int64_t first_image, last_image;
    bool fine = true;

    struct Position {
        int64_t image, slot, place;    // place: in [B, R, C]
        int64_t up, left;              // distances to the neighbours in places
        bool has_up, has_left, has_below, has_right;
    };

   public:
    Walker(const Shared<S> &shared, Arena &arena)
        : shared(shared), job(shared.job), n(job.sizes), program(*job.program),
          n_arrays(program.n_arrays - program.n_products), slots(shared.together * n.rows),
          most(shared.together * least(n.rows, n.columns)),
          forward(arena, shared.backward ? 0 : n.nets, n.hidden, n.operands()),
          back(arena, shared.backward ? 1 : 0, n.hidden, 2 * n.nets * n.hidden),
          back_to_x(arena, shared.backward && job.of_x ? 1 : 0, n.inputs, n.nets * n.hidden) {
        const int64_t both = shared.backward ? 2 : 0;
        biases = arena.take<S>(shared.backward ? 0 : n.nets * forward.blocks * L);
        registers = arena.take<S>(program.registers * BLOCK * L);
        products = arena.take<S>((n.nets > 1 ? n.nets : 1) * BLOCK * L);
        zeros = arena.take<S>(rounded_up(n.hidden, L) + shared.columns);
        one = arena.take<S>(L);
        states = arena.take<S>(job.kept ? 0 : 2 * slots * n.states * n.hidden);
        gradients = arena.take<S>(both * slots * shared.columns);
        handed = arena.take<S>(both * slots * n.states * 2 * n.hidden);
        table = arena.take<S *>(n_arrays * most);
        for (const S **&in : ins) in = arena.take<const S *>(most);
        for (const S **&next : nexts) next = arena.take<const S *>(both * most);
        currents = arena.take<const S *>(both * most);
        outs = arena.take<S *>(both * most);
        ones = arena.take<const S *>(both * most);
        if (arena.counts()) return;
        for (int64_t u = 0; u < rounded_up(n.hidden, L) + shared.columns; u++) zeros[u] = S(0);
        for (int64_t u = 0; u < L; u++) one[u] = S(1);
        for (int64_t u = 0; u < both * slots * shared.columns; u++) gradients[u] = S(0);
        for (int64_t line = 0; line < both * most; line++) ones[line] = one;
    }

    bool ok() const { return fine; }

    void run(int64_t unit) {
        direction = int(unit / shared.groups);
        first_image = unit % shared.groups * shared.together;
        last_image = least(n.images, first_image + shared.together);
        pack();
        int64_t diagonals = 0;
        for (int64_t b = first_image; b < last_image; b++)
            if (rows(b) && columns(b)) diagonals = diagonals < rows(b) + columns(b) - 1 ? rows(b) + columns(b) - 1 : diagonals;
        if (!shared.backward)
            for (int64_t d = 0; d < diagonals; d++) step(d);
        else {
            S *sums = shared.sums + unit * shared.sums_of_unit();
            for (int64_t i = 0; i < shared.sums_of_unit(); i++) sums[i] = S(0);
            for (int64_t d = diagonals - 1; d >= 0; d--) step_back(d, sums);
        }
    }

   private:
    int64_t rows(int64_t b) const { return job.extents[2 * b]; }
    int64_t columns(int64_t b) const { return job.extents[2 * b + 1]; }
    const S *weights() const { return static_cast<const S *>(job.weights) + direction * n.nets * n.hidden * n.operands(); }
    const S *vectors() const { return static_cast<const S *>(job.vectors) + direction * (n.nets + n.vectors) * n.hidden; }
    const S *x_at(int64_t place) const { return static_cast<const S *>(job.x) + place * n.inputs; }
    S *output_at(int64_t place) const {
        return static_cast<S *>(job.output) + (place * n.directions + direction) * n.hidden;
    }
    const S *upstream_at(int64_t place) const {
        return static_cast<const S *>(job.upstream) + (place * n.directions + direction) * n.hidden;
    }
    S *kept_at(int64_t place) const {
        return static_cast<S *>(job.kept) + (direction * n.positions() + place) * n.kept();
    }
    S *gradients_at(int64_t diagonal, int64_t slot) const {
        return gradients + ((diagonal & 1) * slots + slot) * shared.columns;
    }
    S *handed_at(int64_t diagonal, int64_t slot, int64_t index, int64_t side) const {
        return handed + ((((diagonal & 1) * slots + slot) * n.states + index) * 2 + side) * n.hidden;
    }

    void pack() {
        const S *w = weights(), *v = vectors();
        const int64_t row = n.operands(), hidden = n.hidden;
        if (!shared.backward) {
            forward.fill([=](int64_t g, int64_t unit, int64_t k) { return w[(g * hidden + unit) * row + k]; });
            for (int64_t g = 0; g < n.nets; g++)
                for (int64_t u = 0; u < forward.blocks * L; u++)
                    biases[g * forward.blocks * L + u] = u < hidden ? v[g * hidden + u] : S(0);
            return;
        }
        const int64_t all = n.nets * hidden, inputs = n.inputs;
        back.fill([=](int64_t, int64_t unit, int64_t k) {
            return k < all ? w[k * row + inputs + unit] : w[(k - all) * row + inputs + hidden + unit];
        });
        if (job.of_x) back_to_x.fill([=](int64_t, int64_t unit, int64_t k) { return w[k * row + unit]; });
    }

    // The positions of a diagonal, image after image; returns how many there are.
    template <typename Each>
    GW_INLINE int64_t each_line(int64_t diagonal, Each each) const {
        const bool upwards = job.directions[direction] & 1, leftwards = job.directions[direction] & 2;
        int64_t line = 0;
        for (int64_t b = first_image; b < last_image; b++) {
            const int64_t height = rows(b), width = columns(b);
            if (!height || !width) continue;
            const int64_t from = diagonal - (width - 1) > 0 ? diagonal - (width - 1) : 0, to = least(height - 1, diagonal);
            for (int64_t u = from; u <= to; u++, line++) {
                const int64_t v = diagonal - u, r = upwards ? height - 1 - u : u, c = leftwards ? width - 1 - v : v;
                each(line, Position{b, (b - first_image) * n.rows + u, (b * n.rows + r) * n.columns + c,
                                    upwards ? n.columns : -n.columns, leftwards ? int64_t(1) : int64_t(-1), u > 0, v > 0,
                                    u + 1 < height, v + 1 < width});
            }
        }
        return line;
    }

    // Where a state of the N stands at a position.
    S *state_at(const Position &p, int64_t diagonal, int64_t index) const {
        if (job.kept) return kept_at(p.place) + index * n.hidden;
        return states + (((diagonal & 1) * slots + p.slot) * n.states + index) * n.hidden;
    }
    S *state_up(const Position &p, int64_t diagonal, int64_t index) const {
        if (!p.has_up) return zeros;
        if (job.kept) return kept_at(p.place + p.up) + index * n.hidden;
        return states + ((((diagonal + 1) & 1) * slots + p.slot - 1) * n.states + index) * n.hidden;
    }
    S *state_left(const Position &p, int64_t diagonal, int64_t index) const {
        if (!p.has_left) return zeros;
        if (job.kept) return kept_at(p.place + p.left) + index * n.hidden;
        return states + ((((diagonal + 1) & 1) * slots + p.slot) * n.states + index) * n.hidden;
    }

    S *where(const GridArray &array, const Position &p, int64_t diagonal) const {
        const int64_t k = array.index;
        switch (array.source) {
            case GridSource::vector: return const_cast<S *>(vectors()) + (n.nets + k) * n.hidden;
            case GridSource::state: return state_at(p, diagonal, k);
            case GridSource::up: return state_up(p, diagonal, k);
            case GridSource::left: return state_left(p, diagonal, k);
            case GridSource::output: return output_at(p.place);
            case GridSource::saved: return kept_at(p.place) + (n.states + k) * n.hidden;
            case GridSource::upstream: return const_cast<S *>(upstream_at(p.place));
            case GridSource::below: return p.has_below ? handed_at(diagonal + 1, p.slot + 1, k, 0) : zeros;
            case GridSource::right: return p.has_right ? handed_at(diagonal + 1, p.slot, k, 1) : zeros;
            case GridSource::to_up: return handed_at(diagonal, p.slot, k, 0);
            case GridSource::to_left: return handed_at(diagonal, p.slot, k, 1);
            default: return gradients_at(diagonal, p.slot) + k * n.hidden;
        }
    }

    GW_INLINE int64_t find(int64_t diagonal) {
        return each_line(diagonal, [&](int64_t line, const Position &p) GW_LAMBDA {
            for (int64_t a = 0; a < n_arrays; a++) table[a * most + line] = where(job.arrays[a], p, diagonal);
            ins[0][line] = x_at(p.place);
            ins[1][line] = p.has_up ? output_at(p.place + p.up) : zeros;
            ins[2][line] = p.has_left ? output_at(p.place + p.left) : zeros;
            if (shared.backward) {
                nexts[0][line] = p.has_below ? gradients_at(diagonal + 1, p.slot + 1) : zeros;
                nexts[1][line] = p.has_right ? gradients_at(diagonal + 1, p.slot) : zeros;
                currents[line] = gradients_at(diagonal, p.slot);
                if (job.of_x)
                    outs[line] = static_cast<S *>(job.of_x) + (direction * n.positions() + p.place) * n.inputs;
            }
        });
    }

    // The pointwise program for `count` lines, whose products stand in their block.
    void compute(int64_t line, int count, int64_t block) {
        GridLines<S> lines{table, most};
        // Arrays are counted from the first that is no product.
        if (native<S>(program, lines, line, count, block * L, 1, products)) return;
        if (!execute(program, lines, line, count, block * L, 1, registers, products)) fine = false;
    }

    void step(int64_t diagonal) {
        const int64_t lines = find(diagonal);
        Multiplied<S> m;
        m.n_factors = 3;
        m.depths[0] = n.inputs;
        m.depths[1] = m.depths[2] = n.hidden;
        for (int64_t line = 0; line < lines; line += TILE_ROWS) {
            const int count = int(least(TILE_ROWS, lines - line));
            for (int f = 0; f < 3; f++)
                for (int r = 0; r < count; r++) m.rows[f][r] = ins[f][line + r];
            for (int64_t block = 0; block < forward.blocks; block++) {
                forward.multiply(m, count, block, biases, products);
                compute(line, count, block);
            }
        }
    }

    void step_back(int64_t diagonal, S *sums) {
        const int64_t lines = find(diagonal), all = n.nets * n.hidden;
        Multiplied<S> m;
        for (int64_t line = 0; line < lines; line += TILE_ROWS) {
            const int count = int(least(TILE_ROWS, lines - line));
            m.n_factors = 2;
            m.depths[0] = m.depths[1] = all;
            for (int f = 0; f < 2; f++)
                for (int r = 0; r < count; r++) m.rows[f][r] = nexts[f][line + r];
            for (int64_t block = 0; block < back.blocks; block++) {
                back.multiply(m, count, block, nullptr, products);
                compute(line, count, block);
            }
            if (!job.of_x) continue;
            m.n_factors = 1;
            for (int r = 0; r < count; r++) m.rows[0][r] = currents[line + r];
            for (int64_t block = 0; block < back_to_x.blocks; block++) {
                back_to_x.multiply(m, count, block, nullptr, products);
                for (int r = 0; r < count; r++)
                    for (int64_t u = block * L; u < least(n.inputs, (block + 1) * L); u++)
                        outs[line + r][u] = products[r * L + u - block * L];
            }
        }
        const int64_t row = shared.columns;
        add_products(ins[0], n.inputs, currents, lines, sums, row);
        add_products(ins[1], n.hidden, currents, lines, sums + n.inputs * row, row);
        add_products(ins[2], n.hidden, currents, lines, sums + (n.inputs + n.hidden) * row, row);
        add_products(ones, 1, currents, lines, sums + n.operands() * row, row);
    }
};

// The sums of all groups of images, in their order, as the parameters are stored.
template <typename S>
void gather(const Shared<S> &shared) {
    const GridSizes &n = shared.sizes;
    const int64_t operands = n.operands(), all = n.nets * n.hidden;
    for (int64_t d = 0; d < n.directions; d++) {
        S *total = shared.sums + d * shared.groups * shared.sums_of_unit();
        for (int64_t g = 1; g < shared.groups; g++)
            for (int64_t i = 0; i < shared.sums_of_unit(); i++) total[i] += total[g * shared.sums_of_unit() + i];
        S *weights = static_cast<S *>(shared.job.of_weights) + d * all * operands;
        for (int64_t row = 0; row < all; row++)
            for (int64_t k = 0; k < operands; k++) weights[row * operands + k] = total[k * shared.columns + row];
        const int64_t width = (n.nets + n.vectors) * n.hidden;
        S *vectors = static_cast<S *>(shared.job.of_vectors) + d * width;
        for (int64_t u = 0; u < width; u++) vectors[u] = total[operands * shared.columns + u];
    }
}

template <typename S>
int run_of(const GridJob &job, bool backward) {
    Shared<S> shared(job, backward);
    Arena counting(nullptr);
    Walker<S> counted(shared, counting);
    const int64_t each = counting.size(), sums = backward ? shared.units * shared.sums_of_unit() * int64_t(sizeof(S)) : 0;
    const int64_t threads = shared.units < job.threads ? (shared.units > 1 ? shared.units : 1) : job.threads;
    if (each >= MOST_MEMORY || times(threads, each) >= MOST_MEMORY) return 1;
    const int64_t bytes = rounded_up(sums, 64) + threads * each + 64;
    char *memory = static_cast<char *>(std::malloc(size_t(bytes)));
    if (!memory) return 1;
#ifdef GW_CHECKED
    // In a build for tests: what is read before it is written is not a number.
    __builtin_memset(memory, 0xff, size_t(bytes));
#endif
    char *aligned = memory + (64 - reinterpret_cast<uintptr_t>(memory) % 64) % 64;
    shared.sums = reinterpret_cast<S *>(aligned);
    int failed = 0;
    int64_t next = 0;
    auto body = [&](int64_t id) {
        Arena arena(aligned + rounded_up(sums, 64) + id * each);
        Walker<S> walker(shared, arena);
        // Whoever is free takes the next: what comes out of a unit does not depend on who walks it.
        for (int64_t unit; (unit = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < shared.units;) walker.run(unit);
        if (!walker.ok()) __atomic_store_n(&failed, 2, __ATOMIC_RELAXED);
    };
    if (!team(threads, body)) body(0);
    if (backward) gather(shared);
    std::free(memory);
    return failed;
}

int run(const GridJob &job, bool backward, bool is_double) {
    return is_double ? run_of<double>(job, backward) : run_of<float>(job, backward);
}

}  // namespace

#define GW_TEXT_(x) #x
#define GW_TEXT(x) GW_TEXT_(x)
extern const GridLevel grid = {GW_TEXT(GW_LEVEL), run};

}  // namespace GW_LEVEL
}  // namespace gatewise
