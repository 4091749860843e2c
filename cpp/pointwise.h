// The interpreter of pointwise programs. Included by level.cpp only, inside the level's namespace.
#pragma once

// Lines of a chunk: each a sequence at a turn of its own. An address is found line by line.
template <typename S>
struct ChunkLines {
    const Frame<S> &frame;
    const int32_t *turns, *rows;
    int64_t unit(int64_t b) const { return frame.plan.buffers[b].unit; }
    struct Cursor {
        const ChunkLines &lines;
        int64_t b;
        S *operator()(int64_t line) const { return lines.frame.at(b, lines.turns[line], lines.rows[line]); }
    };
    Cursor at(int64_t b) const { return {*this, b}; }
};

template <typename S>
struct Span {
    S *data;
    int64_t row, unit;
};

// Sequences at one turn, whose buffers stand where a table says.
template <typename S>
struct TurnLines {
    const Span<S> *table;
    const int32_t *rows;
    int64_t unit(int64_t b) const { return table[b].unit; }
    struct Cursor {
        S *data;
        int64_t row;
        const int32_t *rows;
        S *operator()(int64_t line) const { return data + rows[line] * row; }
    };
    Cursor at(int64_t b) const { return {table[b].data, table[b].row, rows}; }
};

// Values of `side` vectors of units of each line, between memory and a block of registers [line][side].
template <typename S, typename At>
GW_INLINE void get(At at, int64_t stride, S *block, int64_t line, int64_t count, int64_t unit, int side, int64_t width) {
    constexpr int L = Vec<S>::lanes;
    for (int64_t r = 0; r < count; r++) {
        const S *source = at(line + r);
        for (int s = 0; s < side; s++, block += L) {
            int64_t from = unit + int64_t(s) * L;
            if (stride == 0) store(block, splat(source[0]));
            else if (from + L <= width) store(block, load(source + from));
            else
                for (int lane = 0; lane < L; lane++) block[lane] = from + lane < width ? source[from + lane] : S(0);
        }
    }
}

template <typename S, typename At>
GW_INLINE void put(At at, const S *block, int64_t line, int64_t count, int64_t unit, int side, int64_t width) {
    constexpr int L = Vec<S>::lanes;
    for (int64_t r = 0; r < count; r++) {
        S *target = at(line + r);
        for (int s = 0; s < side; s++, block += L) {
            int64_t from = unit + int64_t(s) * L;
            if (from + L <= width) store(target + from, load(block));
            else
                for (int lane = 0; lane < L && from + lane < width; lane++) target[from + lane] = block[lane];
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

// A program for units [unit, unit + side vectors) of `count` lines. False: an operation is not known.
template <typename S, typename Lines>
bool execute(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit, int side,
             S *registers, const S *products) {
    typedef typename Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const int64_t size = count * side * L, block = BLOCK * L;
    for (int64_t n = 0; n < program.n_instructions; n++) {
        const Instruction &instruction = program.instructions[n];
        S *d = registers + instruction.target * block;
        const S *a = registers + instruction.a * block, *b = registers + instruction.b * block,
                *c = registers + instruction.c * block;
        typedef Choices<S> C;
        switch (instruction.opcode) {
            case LOAD:
                if (instruction.a < program.n_products)
                    __builtin_memcpy(d, products + instruction.a * block, size_t(size) * sizeof(S));
                else {
                    int64_t array = program.arrays[instruction.a];
                    get(lines.at(array), lines.unit(array), d, line, count, unit, side, program.width);
                }
                break;
            case STORE:
                put(lines.at(program.arrays[instruction.target]), a, line, count, unit, side, program.width);
                break;
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
            case SIGN: GW_EACH(C::sign(x));
            case SQUARE: GW_EACH(x * x);
            case SQRT: GW_LANES(std::sqrt(v));
            case EXP: GW_EACH(Functions<S>::exp(x));
            case EXPM1: GW_EACH(Functions<S>::expm1(x));
            case LOG: GW_LANES(std::log(v));
            case LOG1P: GW_LANES(std::log1p(v));
            case SIGMOID: GW_EACH(Functions<S>::sigmoid(x));
            case TANH: GW_EACH(Functions<S>::tanh(x));
            case LOGSIGMOID: GW_EACH(-Functions<S>::softplus(-x));
            case SOFTPLUS: GW_EACH(Functions<S>::softplus(x));
            case RELU: GW_EACH(C::relu(x));
            case MAXIMUM: GW_EACH(C::maximum(x, y));
            case MINIMUM: GW_EACH(C::minimum(x, y));
            case WHERE: GW_EACH(C::where(x, y, z));
            case GE: GW_EACH(C::truth(x >= y));
            case GT: GW_EACH(C::truth(x > y));
            case LE: GW_EACH(C::truth(x <= y));
            case LT: GW_EACH(C::truth(x < y));
            case FLOOR: GW_LANES(std::floor(v));
            case DETACH:
            case CLIP_GRAD: GW_EACH(x);
            default: return false;
        }
    }
    return true;
}
#undef GW_EACH
#undef GW_LANES

// What `body` does with `side` vectors of units, from `unit` on: for whole vectors, and for one that ends before it is
// full. It is given functions that read and write a vector, and the place of its first unit.
template <typename S, typename Body>
GW_INLINE void each_vector(int64_t unit, int side, int64_t width, Body body) {
    typedef typename Vec<S>::type V;
    constexpr int L = Vec<S>::lanes;
    const int64_t there = width - unit, whole = there >= int64_t(side) * L ? side : there / L;
    int64_t s = 0;
    for (; s < whole * L; s += L)
        body([](const S *p) GW_LAMBDA { return load(p); }, [](S *p, V v) GW_LAMBDA { store(p, v); }, s);
    if (whole == side || s >= there) return;
    const int rest = int(there - s);
#if GW_BYTES == 64
    // The lanes that there are at once; float is what functions are written for.
    if constexpr (sizeof(S) == sizeof(float)) {
        const unsigned short lanes = (unsigned short)((1u << rest) - 1);
        body([lanes](const S *p) GW_LAMBDA { return (V)__builtin_ia32_loadups512_mask((const float *)p, vf{}, lanes); },
             [lanes](S *p, V v) GW_LAMBDA { __builtin_ia32_storeups512_mask((float *)p, (vf)v, lanes); }, s);
        return;
    }
#endif
    auto read = [rest](const S *p) {
        V v{};
        for (int lane = 0; lane < L; lane++)
            if (lane < rest) v[lane] = p[lane];
        return v;
    };
    auto write = [rest](S *p, V v) {
        for (int lane = 0; lane < L; lane++)
            if (lane < rest) p[lane] = v[lane];
    };
    body(read, write, s);
}
