// The loop over time, compiled once for each instruction-set level (GW_LEVEL names it, GW_BYTES is its vector's size).
//
// Everything is written in the compiler's vector extensions. A tile of a product stays in registers; its results go to
// a small buffer that stays in the nearest cache, where the pointwise program that follows works on it.
#include "loop.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

#ifdef _OPENMP
#include <omp.h>
#endif

#ifndef GW_LEVEL
#define GW_LEVEL baseline
#define GW_BYTES 16
#endif

namespace gatewise {
namespace GW_LEVEL {

// Inlined by force: vectors by value have no calling convention that all compilers and levels agree on.
#define GW_INLINE inline __attribute__((always_inline))

template <typename S>
struct Vector {
    static constexpr int lanes = GW_BYTES / sizeof(S);
    typedef S type __attribute__((vector_size(GW_BYTES)));
    typedef S loose __attribute__((vector_size(GW_BYTES), aligned(sizeof(S)), may_alias));
};

template <typename S>
GW_INLINE typename Vector<S>::type load(const S *p) {
    return *reinterpret_cast<const typename Vector<S>::loose *>(p);
}
template <typename S>
GW_INLINE void store(S *p, typename Vector<S>::type v) {
    *reinterpret_cast<typename Vector<S>::loose *>(p) = v;
}
template <typename S>
GW_INLINE typename Vector<S>::type splat(S x) {
    return x - typename Vector<S>::type{};
}

// ---------------------------------------------------------------------------------------------- functions of one unit

typedef Vector<float>::type vf;
typedef int32_t vi __attribute__((vector_size(GW_BYTES)));

GW_INLINE vf choose(vi condition, vf a, vf b) {
    return (vf)((condition & (vi)a) | (~condition & (vi)b));
}
GW_INLINE vf smallest(vf a, vf b) { return choose(a < b, a, b); }
GW_INLINE vf largest(vf a, vf b) { return choose(a > b, a, b); }
GW_INLINE vf round_nearest(vf x) {
    // Adding and taking away 1.5 * 2^23 leaves the nearest whole number, for |x| < 2^22.
    const vf magic = splat(12582912.0f);
    return (x + magic) - magic;
}

// 2^x for x in [-126, 128): a polynomial of degree 6 on [-1/2, 1/2] (Cephes' exp2f), relative error below 2e-7.
GW_INLINE vf exp2_inside(vf x) {
    vf n = round_nearest(x), r = x - n;
    vf p = splat(1.535336188319500e-4f);
    p = p * r + 1.339887440266574e-3f;
    p = p * r + 9.618437357674640e-3f;
    p = p * r + 5.550332471162809e-2f;
    p = p * r + 2.402264791363012e-1f;
    p = p * r + 6.931472028550421e-1f;
    p = p * r + 1.0f;
    vi e = __builtin_convertvector(n, vi);
    return p * (vf)((e + 127) << 23);
}
GW_INLINE vf exp_(vf x) {
    // In two factors, so that results down to the smallest normal number and up to infinity come out.
    vf y = largest(smallest(x, splat(89.0f)), splat(-104.0f));
    // x * log2(e) in two parts: the product's rounding would cost the last digits of large results.
    vf n = round_nearest(y * 1.44269504088896341f);
    vf r = y - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    vf p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    vi e = __builtin_convertvector(n, vi);
    vi half = e >> 1;
    vf result = p * (vf)((half + 127) << 23) * (vf)((e - half + 127) << 23);
    return choose(x != x, x, result);
}
GW_INLINE vf sigmoid_(vf x) {
    vf y = largest(smallest(x, splat(87.0f)), splat(-87.0f));
    vf result = 1.0f / (1.0f + exp2_inside(y * -1.44269504088896341f));
    return choose(x != x, x, result);
}
GW_INLINE vf tanh_(vf x) {
    // Near 0, where (e - 1) / (e + 1) cancels, the odd polynomial of Cephes' tanhf.
    vf z = x * x;
    vf p = splat(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    vf near = p * z * x + x;
    vf y = largest(smallest(x, splat(9.0f)), splat(-9.0f));
    vf e = exp2_inside(y * 2.88539008177792681f);
    vf far = 1.0f - 2.0f / (e + 1.0f);
    vf magnitude = choose(x < 0.0f, -x, x);
    vf result = choose(magnitude < 0.625f, near, far);
    return choose(x != x, x, result);
}

// Functions that are rare in cells, and all of double precision, go lane by lane through the C library.
template <typename S, typename F>
GW_INLINE typename Vector<S>::type each(typename Vector<S>::type x, F function) {
    typename Vector<S>::type result;
    for (int lane = 0; lane < Vector<S>::lanes; lane++) result[lane] = function(x[lane]);
    return result;
}

template <typename S>
GW_INLINE S softplus_of(S x) {
    return (x > 0 ? x : S(0)) + std::log1p(std::exp(x > 0 ? -x : x));
}

template <typename S>
struct Functions;
template <>
struct Functions<float> {
    static GW_INLINE vf exp(vf x) { return exp_(x); }
    static GW_INLINE vf sigmoid(vf x) { return sigmoid_(x); }
    static GW_INLINE vf tanh(vf x) { return tanh_(x); }
};
typedef Vector<double>::type vd;
template <>
struct Functions<double> {
    static GW_INLINE vd exp(vd x) {
        return each<double>(x, [](double a) { return std::exp(a); });
    }
    static GW_INLINE vd sigmoid(vd x) {
        return each<double>(x, [](double a) { return a >= 0 ? 1 / (1 + std::exp(-a)) : std::exp(a) / (1 + std::exp(a)); });
    }
    static GW_INLINE vd tanh(vd x) {
        return each<double>(x, [](double a) { return std::tanh(a); });
    }
};

// ------------------------------------------------------------------------------------------------------------ products

// How many vectors of one output stand side by side in a panel, so that a tile of MR rows fills the registers.
GW_INLINE int side_by_side(int64_t n_outputs, int64_t width, int lanes) {
    if (n_outputs == 1) return width > 3 * lanes ? 4 : width > lanes ? 2 : 1;
    if (n_outputs == 2) return width > lanes ? 2 : 1;
    return 1;
}

// Outputs are packed in groups of at most four; a panel holds `side` vectors of each output of a group.
constexpr int GROUP = 4;

template <typename S>
struct Panels {
    int lanes, side;
    int64_t units, count;  // units of one output in a panel, and how many panels an output has
    Panels(int64_t n_outputs, int64_t width)
        : lanes(Vector<S>::lanes),
          side(side_by_side(n_outputs, width, Vector<S>::lanes)),
          units(int64_t(side) * Vector<S>::lanes),
          count((width + units - 1) / units) {}
};

template <typename S>
int64_t packed_size(int64_t n_outputs, int64_t width, int64_t depth) {
    Panels<S> panels(n_outputs, width);
    return panels.count * depth * n_outputs * panels.units;
}

// Panel after panel, group after group, [depth][output of the group][units]; 0 beyond the width.
template <typename S>
void pack_matrix(const S *const *matrices, const int64_t *strides, const int64_t *transposed, const int64_t *depths,
                 int64_t n_outputs, int64_t n_factors, int64_t width, S *packed) {
    Panels<S> panels(n_outputs, width);
    for (int64_t j = 0; j < panels.count; j++)
        for (int64_t g0 = 0; g0 < n_outputs; g0 += GROUP) {
            int64_t group = n_outputs - g0 < GROUP ? n_outputs - g0 : GROUP;
            for (int64_t f = 0; f < n_factors; f++)
                for (int64_t k = 0; k < depths[f]; k++)
                    for (int64_t g = 0; g < group; g++) {
                        int64_t which = (g0 + g) * n_factors + f;
                        const S *m = matrices[which];
                        for (int64_t u = 0; u < panels.units; u++) {
                            int64_t unit = j * panels.units + u;
                            S value = 0;
                            if (unit < width)
                                value = transposed[which] ? m[k * strides[which] + unit] : m[unit * strides[which] + k];
                            *packed++ = value;
                        }
                    }
        }
}

// acc[r][v] = sum over k of a[r][k] * panel[k][v], one factor after the other.
template <typename S, int MR, int NV>
struct Tile {
    static __attribute__((noinline)) void run(const S *const *rows, const int64_t *row_strides, const int64_t *depths,
                                              int64_t n_factors, const S *panel, S *out, int64_t out_vector,
                                              int64_t out_row) {
        constexpr int L = Vector<S>::lanes;
        typename Vector<S>::type acc[MR][NV];
#pragma GCC unroll 16
        for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) acc[r][v] = typename Vector<S>::type{};
        for (int64_t f = 0; f < n_factors; f++) {
            const S *a = rows[f];
            const int64_t stride = row_strides[f];
            for (int64_t k = 0; k < depths[f]; k++, panel += NV * L) {
                typename Vector<S>::type u[NV];
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++) u[v] = load(panel + v * L);
#pragma GCC unroll 16
                for (int r = 0; r < MR; r++) {
                    typename Vector<S>::type x = splat(a[r * stride + k]);
#pragma GCC unroll 4
                    for (int v = 0; v < NV; v++) acc[r][v] += x * u[v];
                }
            }
        }
#pragma GCC unroll 16
        for (int r = 0; r < MR; r++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) store(out + r * out_row + v * out_vector, acc[r][v]);
    }
};

template <typename S>
using TileFunction = void (*)(const S *const *, const int64_t *, const int64_t *, int64_t, const S *, S *, int64_t, int64_t);

template <typename S, int NV>
TileFunction<S> tile_of(int rows) {
    static const TileFunction<S> table[] = {nullptr, Tile<S, 1, NV>::run, Tile<S, 2, NV>::run, Tile<S, 3, NV>::run,
                                            Tile<S, 4, NV>::run, Tile<S, 5, NV>::run, Tile<S, 6, NV>::run};
    return table[rows];
}
template <typename S>
TileFunction<S> tile_of(int rows, int vectors) {
    switch (vectors) {
        case 1: return tile_of<S, 1>(rows);
        case 2: return tile_of<S, 2>(rows);
        case 3: return tile_of<S, 3>(rows);
        default: return tile_of<S, 4>(rows);
    }
}
constexpr int TILE_ROWS = GW_BYTES == 64 ? 6 : 3;  // what 32, and what 16 vector registers hold

// ------------------------------------------------------------------------------------------------- pointwise programs

// One register holds a block of BLOCK vectors: rows times vectors of units.
constexpr int BLOCK = 24;

enum Op : int64_t {
    LOAD, CONSTANT, STORE, ADD, SUB, MUL, DIV, NEG, ABS, SIGN, SQUARE, SQRT, EXP, EXPM1, LOG, LOG1P, SIGMOID, TANH,
    LOGSIGMOID, SOFTPLUS, RELU, MAXIMUM, MINIMUM, WHERE, GE, GT, LE, LT, FLOOR, DETACH, CLIP_GRAD, OPERATIONS
};
enum RowOp : int64_t { MEAN, TOTAL, SPREAD, NORMALISE, RSTD, REPEAT, FOLD };

template <typename S>
struct Span {
    S *data;
    int64_t row, unit;
};

// Memory of one thread. Own, and not of the standard library: the linker merges templates of all levels into one, which
// might be that of a level this processor does not have.
template <typename E>
class Block {
    void *memory;

   public:
    explicit Block(int64_t count) : memory(std::calloc(size_t(count) * sizeof(E) + GW_BYTES, 1)) {}
    ~Block() { std::free(memory); }
    Block(const Block &) = delete;
    Block &operator=(const Block &) = delete;
    bool ok() const { return memory != nullptr; }
    E *aligned() const {
        return reinterpret_cast<E *>((reinterpret_cast<uintptr_t>(memory) + GW_BYTES - 1) / GW_BYTES * GW_BYTES);
    }
};

template <typename S>
int64_t most_registers(const Loop &loop) {
    int64_t most = 1;
    for (int64_t s = 0; s < loop.n_stages; s++) {
        const Stage &stage = loop.stages[s];
        bool runs = stage.kind == Kind::program || stage.kind == Kind::fused;
        if (runs && stage.program.registers > most) most = stage.program.registers;
    }
    return most;
}
template <typename S>
int64_t most_products(const Loop &loop) {
    int64_t most = 1;
    for (int64_t s = 0; s < loop.n_stages; s++) {
        const Stage &stage = loop.stages[s];
        bool multiplies = stage.kind == Kind::pack || stage.kind == Kind::fused;
        if (multiplies && stage.pack.n_outputs > most) most = stage.pack.n_outputs;
    }
    return most;
}

constexpr int FACTORS = 64;  // most factors of a sum of products; a plan is checked for it

template <typename S>
class Runner {
    static constexpr int L = Vector<S>::lanes;
    typedef typename Vector<S>::type V;
    const Loop &loop;
    int64_t first, last;  // rows of this thread
    Block<S> values;      // registers, then a block of products
    Block<S *> places;
    Block<int64_t> layouts;
    S *registers, *products;
    S **here, **before;               // address of each buffer in this turn, and in the one before
    int64_t *layout, *layout_before;  // and the buffer whose strides it has
    const S *operand_rows[FACTORS];
    int64_t operand_strides[FACTORS], operand_depths[FACTORS];
    bool failed = false;

   public:
    Runner(const Loop &loop, int64_t first, int64_t last)
        : loop(loop),
          first(first),
          last(last),
          values((most_registers<S>(loop) + most_products<S>(loop)) * BLOCK * L),
          places(2 * loop.n_buffers),
          layouts(2 * loop.n_buffers),
          registers(values.aligned()),
          products(registers + most_registers<S>(loop) * BLOCK * L),
          here(places.aligned()),
          before(here + loop.n_buffers),
          layout(layouts.aligned()),
          layout_before(layout + loop.n_buffers) {
        failed = !values.ok() || !places.ok() || !layouts.ok();
    }

    void run() {
        for (int64_t turn = 0; turn < loop.steps && !failed; turn++) {
            place(turn);
            for (int64_t s = 0; s < loop.n_stages; s++) {
                const Stage &stage = loop.stages[s];
                switch (stage.kind) {
                    case Kind::pack: multiply(stage.pack, nullptr); break;
                    case Kind::fused: multiply(stage.pack, &stage.program); break;
                    case Kind::program: alone(stage.program); break;
                    case Kind::row: mix(stage.row); break;
                }
            }
        }
    }

   private:
    int64_t time_of(int64_t turn) const { return loop.backwards ? loop.steps - 1 - turn : turn; }

    // A carried state stands where its update stood a turn ago (which may be another state), and is laid out like it.
    void place(int64_t turn) {
        std::memcpy(before, here, size_t(loop.n_buffers) * sizeof *here);
        std::memcpy(layout_before, layout, size_t(loop.n_buffers) * sizeof *layout);
        for (int64_t b = 0; b < loop.n_buffers; b++) {
            const Buffer &buffer = loop.buffers[b];
            if (buffer.update >= 0 && turn > 0) {
                here[b] = before[buffer.update];
                layout[b] = layout_before[buffer.update];
            } else {
                bool state = buffer.update >= 0;
                here[b] = static_cast<S *>(buffer.data) +
                          (state ? 0 : time_of(turn) * buffer.time + (turn & 1) * buffer.turn);
                layout[b] = b;
            }
        }
    }

    Span<S> span(int64_t b) const {
        const Buffer &buffer = loop.buffers[layout[b]];
        return {here[b], buffer.row, buffer.unit};
    }

    void multiply(const Pack &pack, const Program *program) {
        Panels<S> panels(pack.n_outputs, pack.width);
        const S *matrix = static_cast<const S *>(pack.matrix);
        for (int64_t f = 0; f < pack.n_factors; f++) {
            Span<S> operand = span(pack.factors[f].buffer);
            operand_rows[f] = operand.data;
            operand_strides[f] = operand.row;
            operand_depths[f] = pack.factors[f].width;
        }
        const int64_t block_rows = BLOCK / panels.side;
        const int64_t panel_size = pack.depth * pack.n_outputs * panels.units;
        const S *tile_rows[FACTORS];
        for (int64_t j = 0; j < panels.count; j++) {
            int64_t unit = j * panels.units;
            for (int64_t row = first; row < last; row += block_rows) {
                int64_t count = last - row < block_rows ? last - row : block_rows;
                const S *panel = matrix + j * panel_size;
                for (int64_t g0 = 0; g0 < pack.n_outputs; g0 += GROUP) {
                    int64_t group = pack.n_outputs - g0 < GROUP ? pack.n_outputs - g0 : GROUP;
                    int vectors = int(group) * panels.side;
                    for (int64_t r = 0; r < count; r += TILE_ROWS) {
                        int tile = int(count - r < TILE_ROWS ? count - r : TILE_ROWS);
                        for (int64_t f = 0; f < pack.n_factors; f++)
                            tile_rows[f] = operand_rows[f] + (row + r) * operand_strides[f];
                        // A panel's vectors: output by output, `side` of each. A product's block is [row][side].
                        S *out = products + g0 * BLOCK * L + r * panels.side * L;
                        if (panels.side == 1)
                            tile_of<S>(tile, vectors)(tile_rows, operand_strides, operand_depths,
                                                      pack.n_factors, panel, out, BLOCK * L, L);
                        else if (group == 1)
                            tile_of<S>(tile, vectors)(tile_rows, operand_strides, operand_depths,
                                                      pack.n_factors, panel, out, L, panels.side * L);
                        else
                            two_by_two(tile, tile_rows, pack, panel, out, panels.side);
                    }
                    panel += pack.depth * group * panels.units;
                }
                for (int64_t o = 0; o < pack.n_outputs; o++)
                    if (pack.outputs[o] >= 0) put(span(pack.outputs[o]), products + o * BLOCK * L, row, count, unit,
                                                  panels.side, pack.width);
                if (program) execute(*program, row, count, unit, panels.side);
            }
        }
    }

    // Two outputs of two vectors each: the tile's four vectors go to two blocks.
    void two_by_two(int tile, const S *const *tile_rows, const Pack &pack, const S *panel, S *out, int side) {
        S scratch[TILE_ROWS * 4 * L];
        tile_of<S>(tile, 4)(tile_rows, operand_strides, operand_depths, pack.n_factors, panel, scratch, L,
                            4 * L);
        for (int r = 0; r < tile; r++)
            for (int o = 0; o < 2; o++)
                std::memcpy(out + o * BLOCK * L + r * side * L, scratch + r * 4 * L + o * side * L,
                            size_t(side) * L * sizeof(S));
    }

    void alone(const Program &program) {
        int64_t vectors = (program.width + L - 1) / L;
        int side = int(vectors < 4 ? vectors : 4);
        int64_t rows = BLOCK / side;
        for (int64_t row = first; row < last; row += rows)
            for (int64_t unit = 0; unit < program.width; unit += side * L)
                execute(program, row, last - row < rows ? last - row : rows, unit, side);
    }

    void get(Span<S> from, S *block, int64_t row, int64_t count, int64_t unit, int side, int64_t width) const {
        for (int64_t r = 0; r < count; r++) {
            const S *source = from.data + (row + r) * from.row;
            for (int s = 0; s < side; s++, block += L) {
                int64_t at = unit + int64_t(s) * L;
                if (from.unit == 0) store(block, splat(source[0]));
                else if (at + L <= width) store(block, load(source + at));
                else
                    for (int lane = 0; lane < L; lane++) block[lane] = at + lane < width ? source[at + lane] : S(0);
            }
        }
    }

    void put(Span<S> to, const S *block, int64_t row, int64_t count, int64_t unit, int side, int64_t width) const {
        for (int64_t r = 0; r < count; r++) {
            S *target = to.data + (row + r) * to.row;
            for (int s = 0; s < side; s++, block += L) {
                int64_t at = unit + int64_t(s) * L;
                if (at + L <= width) store(target + at, load(block));
                else
                    for (int lane = 0; lane < L && at + lane < width; lane++) target[at + lane] = block[lane];
            }
        }
    }

#define GW_EACH(expression)                                  \
    for (int64_t i = 0; i < size; i += L) {                  \
        V x = load(a + i), y = load(b + i), z = load(c + i); \
        (void)y;                                             \
        (void)z;                                             \
        store(d + i, (expression));                          \
    }                                                        \
    break
#define GW_LANES(function) \
    GW_EACH(each<S>(x, [](S v) { return S(function); }))

    void execute(const Program &program, int64_t row, int64_t count, int64_t unit, int side) {
        const int64_t size = count * side * L, block = BLOCK * L;
        for (int64_t n = 0; n < program.n_instructions; n++) {
            const Instruction &instruction = program.instructions[n];
            S *d = registers + instruction.target * block;
            const S *a = registers + instruction.a * block, *b = registers + instruction.b * block,
                    *c = registers + instruction.c * block;
            typedef decltype(V{} < V{}) M;
            const V zero = V{}, one = splat(S(1));
            auto pick = [](M condition, V yes, V no) { return (V)((condition & (M)yes) | (~condition & (M)no)); };
            switch (instruction.opcode) {
                case LOAD:
                    if (instruction.a < program.n_products)
                        std::memcpy(d, products + instruction.a * block, size_t(size) * sizeof(S));
                    else
                        get(span(program.arrays[instruction.a]), d, row, count, unit, side, program.width);
                    break;
                case STORE: put(span(program.arrays[instruction.target]), a, row, count, unit, side, program.width); break;
                case CONSTANT: {
                    V value = splat(S(program.numbers[instruction.a]));
                    for (int64_t i = 0; i < size; i += L) store(d + i, value);
                    break;
                }
                case ADD: GW_EACH(x + y);
                case SUB: GW_EACH(x - y);
                case MUL: GW_EACH(x * y);
                case DIV: GW_EACH(x / y);
                case NEG: GW_EACH(-x);
                case ABS: GW_LANES(std::fabs(v));
                case SIGN: GW_EACH(pick(x > zero, one, zero) - pick(x < zero, one, zero));
                case SQUARE: GW_EACH(x * x);
                case SQRT: GW_LANES(std::sqrt(v));
                case EXP: GW_EACH(Functions<S>::exp(x));
                case EXPM1: GW_LANES(std::expm1(v));
                case LOG: GW_LANES(std::log(v));
                case LOG1P: GW_LANES(std::log1p(v));
                case SIGMOID: GW_EACH(Functions<S>::sigmoid(x));
                case TANH: GW_EACH(Functions<S>::tanh(x));
                case LOGSIGMOID: GW_LANES(-softplus_of<S>(-v));
                case SOFTPLUS: GW_LANES(softplus_of<S>(v));
                case RELU: GW_EACH(pick(x > zero, x, pick(x != x, x, zero)));
                // As torch: a NaN on either side stays.
                case MAXIMUM: GW_EACH(pick((x > y) | (x != x), x, y));
                case MINIMUM: GW_EACH(pick((x < y) | (x != x), x, y));
                case WHERE: GW_EACH(pick(x != zero, y, z));
                case GE: GW_EACH(pick(x >= y, one, zero));
                case GT: GW_EACH(pick(x > y, one, zero));
                case LE: GW_EACH(pick(x <= y, one, zero));
                case LT: GW_EACH(pick(x < y, one, zero));
                case FLOOR: GW_LANES(std::floor(v));
                case DETACH:
                case CLIP_GRAD: GW_EACH(x);
                default: failed = true; return;
            }
        }
    }
#undef GW_EACH
#undef GW_LANES

    // The sum of (x - centre)^power over a vector, in as many partial sums as there are lanes.
    static S sum(const S *x, int64_t n, S centre, bool squares) {
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

    static void fill(S *target, int64_t n, S value) {
        for (int64_t u = 0; u < n; u++) target[u] = value;
    }

    // Operands are vectors whose units stand side by side, but for `spread`, whose operand is one number.
    void mix(const Row &op) {
        const int64_t in = loop.buffers[op.arguments[0]].width;
        for (int64_t row = first; row < last; row++) {
            auto at = [&](int64_t buffer) {
                Span<S> where = span(buffer);
                return where.data + row * where.row;
            };
            S centre = 0, scale = 0;
            if (op.opcode == NORMALISE || op.opcode == RSTD) {
                S total = 0, squares = 0, n = S(op.n_arguments * in);
                for (int64_t k = 0; k < op.n_arguments; k++) total += sum(at(op.arguments[k]), in, 0, false);
                centre = total / n;
                for (int64_t k = 0; k < op.n_arguments; k++) squares += sum(at(op.arguments[k]), in, centre, true);
                scale = S(1) / std::sqrt(squares / n + S(1e-5));
            }
            for (int64_t o = 0; o < op.n_outputs; o++) {
                S *__restrict target = at(op.outputs[o]);
                const S *__restrict from = at(op.arguments[op.opcode == NORMALISE ? op.indices[o] : 0]);
                const int64_t out = loop.buffers[op.outputs[o]].width;
                switch (op.opcode) {
                    case MEAN: fill(target, out, sum(from, in, 0, false) / S(in)); break;
                    case TOTAL: target[0] = sum(from, in, 0, false); break;
                    case SPREAD: fill(target, out, from[0]); break;
                    case NORMALISE:
                        for (int64_t u = 0; u < out; u++) target[u] = (from[u] - centre) * scale;
                        break;
                    case RSTD: fill(target, out, scale); break;
                    case REPEAT:
                        for (int64_t k = 0; k < in; k++) fill(target + k * (out / in), out / in, from[k]);
                        break;
                    case FOLD:
                        for (int64_t u = 0; u < out; u++) target[u] = sum(from + u * (in / out), in / out, 0, false);
                        break;
                    default: failed = true; return;
                }
            }
        }
    }

   public:
    bool ok() const { return !failed; }
};

template <typename S>
int run_loop(const Loop &loop) {
    int64_t threads = loop.threads < loop.rows ? loop.threads : loop.rows;
    if (threads <= 1) {
        Runner<S> runner(loop, 0, loop.rows);
        runner.run();
        return runner.ok() ? 0 : 1;
    }
    int failures = 0;
#ifdef _OPENMP
#pragma omp parallel for num_threads(int(threads)) schedule(static, 1) reduction(+ : failures)
#endif
    for (int64_t k = 0; k < threads; k++) {
        Runner<S> runner(loop, loop.rows * k / threads, loop.rows * (k + 1) / threads);
        runner.run();
        failures += !runner.ok();
    }
    return failures ? 1 : 0;
}

int64_t vector_bytes() { return GW_BYTES; }
int64_t size_of(int64_t n_outputs, int64_t width, int64_t depth, bool is_double) {
    return is_double ? packed_size<double>(n_outputs, width, depth) : packed_size<float>(n_outputs, width, depth);
}
void pack(const void *const *matrices, const int64_t *strides, const int64_t *transposed, const int64_t *depths,
          int64_t n_outputs, int64_t n_factors, int64_t width, void *packed, bool is_double) {
    if (is_double)
        pack_matrix<double>(reinterpret_cast<const double *const *>(matrices), strides, transposed, depths, n_outputs,
                            n_factors, width, static_cast<double *>(packed));
    else
        pack_matrix<float>(reinterpret_cast<const float *const *>(matrices), strides, transposed, depths, n_outputs,
                           n_factors, width, static_cast<float *>(packed));
}
int run(const Loop &loop, bool is_double) { return is_double ? run_loop<double>(loop) : run_loop<float>(loop); }

#define GW_TEXT_(x) #x
#define GW_TEXT(x) GW_TEXT_(x)
extern const Level level = {GW_TEXT(GW_LEVEL), vector_bytes, size_of, pack, run};

}  // namespace GW_LEVEL
}  // namespace gatewise
