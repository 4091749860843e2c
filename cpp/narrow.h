// Weights stored in fewer bits than they are computed with: as bfloat16, or as whole numbers of 8 bits with a scale for
// each row of a matrix. Included by level.cpp only, inside the level's namespace.
//
// They are rounded as `gatewise.nn.narrow` rounds them, and numbers that are rounded already stay what they are. A tile
// widens them in registers and computes in float.
#pragma once

// A word holds the weights of two steps of the depth, the first in its lower half: a float's upper half.
struct Bf16 {
    typedef vi Words;
    static constexpr int together = 2;
    static constexpr bool scaled = false;
    static GW_INLINE vf widened(vi words, int j) { return (vf)(j == 0 ? words << 16 : words & (vi)(vi{} - 65536)); }
};

// A word holds the weights of four steps, the first in its lowest byte. Behind a factor's weights stand its scales.
struct Int8 {
    typedef vi Words;
    static constexpr int together = 4;
    static constexpr bool scaled = true;
    static GW_INLINE vf widened(vi words, int j) { return __builtin_convertvector((words << (24 - 8 * j)) >> 24, vf); }
};

GW_INLINE uint32_t bits_of(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

// To the nearest bfloat16, ties to even.
GW_INLINE uint32_t bf16_of(float x) {
    const uint32_t bits = bits_of(x);
    return x != x ? 0x7FC0u : (bits + 0x7FFFu + ((bits >> 16) & 1)) >> 16;
}

// The scale of a row of which `most` is the largest absolute value: `most` / 127, rounded up to 17 digits, with which the
// products with whole numbers up to 127 are exact. 0 for rows of next to nothing, NaN for rows that are not finite.
GW_INLINE float scale_of(float most) {
    if (!(most - most == 0)) return __builtin_nanf("");
    if (most < 0x1p-100f) return 0;
    const uint32_t bits = (bits_of(most / 127) + 0x7F) & ~0x7Fu;
    float scale;
    __builtin_memcpy(&scale, &bits, sizeof scale);
    return scale;
}

// Units `unit`.. of a matrix, as many as there are lanes, 0 beyond the width; `row` vectors from word to word.
inline void pack_vector(Bf16, const float *m, const Matrix &matrix, int64_t depth, int64_t width, int64_t unit, char *to,
                        int64_t row) {
    for (int lane = 0; lane < Vec<float>::lanes; lane++) {
        const float *from = m + (unit + lane) * matrix.stride;
        uint32_t *word = reinterpret_cast<uint32_t *>(to) + lane;
        for (int64_t k = 0; k < depth; k += 2, word += row * Vec<float>::lanes) {
            *word = unit + lane < width ? bf16_of(from[k]) : 0;
            if (unit + lane < width && k + 1 < depth) *word |= bf16_of(from[k + 1]) << 16;
        }
    }
}

inline void pack_vector(Int8, const float *m, const Matrix &matrix, int64_t depth, int64_t width, int64_t unit, char *to,
                        int64_t row) {
    for (int lane = 0; lane < Vec<float>::lanes; lane++) {
        const float *from = m + (unit + lane) * matrix.stride;
        char *word = to + lane * 4;
        float most = 0, scale = 0;
        if (unit + lane < width) {
            for (int64_t k = 0; k < depth; k++)
                if (std::fabs(from[k]) > most || from[k] != from[k]) most = std::fabs(from[k]);
            scale = scale_of(most);
        }
        // Byte by byte: as words that are put together, GCC 12 vectorises the loop to wrong results for AVX-512.
        for (int64_t k = 0; k < depth; k += 4, word += row * GW_BYTES)
            for (int64_t j = 0; j < 4; j++)
                word[j] = scale > 0 && k + j < depth ? char(int8_t(std::rint(from[k + j] / scale))) : 0;
        __builtin_memcpy(word, &scale, sizeof scale);
    }
}

// What depends on how weights are stored: only float has others than its own.
template <typename S>
int64_t packed_bytes(const Pack &pack, Weights weights) {
    const int64_t count = Panels<S>(pack.n_outputs, pack.width).count;
    if constexpr (sizeof(S) == sizeof(float)) {
        if (weights == Weights::bf16) return count * panel_bytes<S, Bf16>(pack);
        if (weights == Weights::int8) return count * panel_bytes<S, Int8>(pack);
    }
    return count * panel_bytes<S, Full<S>>(pack);
}

template <typename S>
void pack_panels(const Pack &pack, Weights weights, const Port *parameters, char *packed, int64_t from, int64_t to) {
    if constexpr (sizeof(S) == sizeof(float)) {
        if (weights == Weights::bf16) return pack_panels<S, Bf16>(pack, parameters, packed, from, to);
        if (weights == Weights::int8) return pack_panels<S, Int8>(pack, parameters, packed, from, to);
    }
    pack_panels<S, Full<S>>(pack, parameters, packed, from, to);
}

template <typename S>
int64_t group_bytes(const Pack &pack, Weights weights, int64_t vectors) {
    int64_t bytes = 0;
    for (int64_t f = 0; f < pack.n_factors; f++) {
        const int64_t depth = pack.factors[f].width;
        bytes += weights == Weights::bf16   ? factor_bytes<Bf16>(depth, vectors)
                 : weights == Weights::int8 ? factor_bytes<Int8>(depth, vectors)
                                            : factor_bytes<Full<S>>(depth, vectors);
    }
    return bytes;
}

template <typename S>
TileFunction<S> tile_of(int rows, int vectors, bool pair, Weights weights) {
    if constexpr (sizeof(S) == sizeof(float)) {
        if (weights == Weights::bf16) return tile_of<S, Bf16>(rows, vectors, pair);
        if (weights == Weights::int8) return tile_of<S, Int8>(rows, vectors, pair);
    }
    return tile_of<S, Full<S>>(rows, vectors, pair);
}
