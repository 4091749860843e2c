// Weights stored in fewer bits than they are computed with: as bfloat16, or as whole numbers of 8 bits with a scale for
// each row of a matrix. Included by level.cpp only, inside the level's namespace.
//
// They are rounded as `gatewise.nn.narrow` rounds them, and numbers that are rounded already stay what they are. A tile
// widens them in registers and computes in float.
#pragma once

// A vector holds words with the weights of two steps of the depth, the first in its lower half: a float's upper half.
struct Bf16 {
    static constexpr int together = 2;
    static constexpr bool scaled = false;
    static GW_INLINE vf widened(const char *vector, int j) {
        vi words;
        __builtin_memcpy(&words, vector, sizeof words);
        return (vf)(j == 0 ? words << 16 : words & (vi{} - 65536));
    }
};

// As many bytes as a vector has lanes, as numbers with a sign.
GW_INLINE vi widened_bytes(const char *p) {
#if defined(__x86_64__) && !defined(__clang__)
    // GCC 12 converts vectors of bytes one by one.
    typedef char Bytes __attribute__((vector_size(16)));
    Bytes bytes{};
    __builtin_memcpy(&bytes, p, GW_BYTES / 4);
#if GW_BYTES == 64
    return __builtin_ia32_pmovsxbd512_mask(bytes, vi{}, (unsigned short)-1);
#elif GW_BYTES == 32
    return __builtin_ia32_pmovsxbd256(bytes);
#else
    return __builtin_ia32_pmovsxbd128(bytes);
#endif
#else
    typedef int8_t Bytes __attribute__((vector_size(GW_BYTES / 4)));
    Bytes bytes;
    __builtin_memcpy(&bytes, p, sizeof bytes);
    return __builtin_convertvector(bytes, vi);
#endif
}

// A vector holds the weights of four steps, one after the other. Behind a factor's weights stand its scales.
struct Int8 {
    static constexpr int together = 4;
    static constexpr bool scaled = true;
    static GW_INLINE vf widened(const char *vector, int j) {
        return __builtin_convertvector(widened_bytes(vector + j * GW_BYTES / 4), vf);
    }
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
        char *vector = to;
        float most = 0, scale = 0;
        if (unit + lane < width) {
            for (int64_t k = 0; k < depth; k++)
                if (std::fabs(from[k]) > most || from[k] != from[k]) most = std::fabs(from[k]);
            scale = scale_of(most);
        }
        for (int64_t k = 0; k < depth; k += 4, vector += row * GW_BYTES)
            for (int64_t j = 0; j < 4; j++)
                vector[j * GW_BYTES / 4 + lane] =
                    scale > 0 && k + j < depth ? char(int8_t(std::rint(from[k + j] / scale))) : 0;
        __builtin_memcpy(vector + lane * sizeof scale, &scale, sizeof scale);
    }
}

// What depends on how weights are stored. Of double they are always full.
template <typename S, typename Body>
GW_INLINE auto stored_as(Weights weights, Body body) {
    if constexpr (sizeof(S) == sizeof(float)) {
        if (weights == Weights::bf16) return body(Bf16{});
        if (weights == Weights::int8) return body(Int8{});
    }
    return body(Full<S>{});
}

template <typename S>
int64_t packed_bytes(const Pack &pack, Weights weights) {
    const int64_t count = Panels<S>(pack.n_outputs, pack.width).count;
    return stored_as<S>(weights, [&](auto stored) { return count * panel_bytes<S, decltype(stored)>(pack); });
}

template <typename S>
void pack_panels(const Pack &pack, Weights weights, const Port *parameters, char *packed, int64_t from, int64_t to) {
    stored_as<S>(weights, [&](auto stored) { pack_panels<S, decltype(stored)>(pack, parameters, packed, from, to); });
}

// Bytes of a part of a panel, `vectors` side by side, for all factors.
template <typename S>
int64_t group_bytes(const Pack &pack, Weights weights, int64_t vectors) {
    return stored_as<S>(weights, [&](auto stored) {
        int64_t bytes = 0;
        for (int64_t f = 0; f < pack.n_factors; f++) bytes += factor_bytes<decltype(stored)>(pack.factors[f].width, vectors);
        return bytes;
    });
}

template <typename S>
TileFunction<S> tile_of(int rows, int vectors, bool pair, Weights weights) {
    return stored_as<S>(weights, [&](auto stored) { return tile_of<S, decltype(stored)>(rows, vectors, pair); });
}
