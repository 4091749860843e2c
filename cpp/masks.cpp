// Masks from Philox4x32-7 (Salmon, Moraes, Dror & Shaw 2011), compiled once for each instruction-set level.
//
// Each lane of 64 bits holds one word of a counter in its lower half. Only the lower half of a factor enters a product,
// so what exclusive or leaves in the upper half does no harm.
#include "masks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifndef GW_LEVEL
#define GW_LEVEL baseline
#define GW_BYTES 16
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the numbers of a word would be read in the wrong order"
#endif

namespace gatewise {
namespace GW_LEVEL {
namespace {

#define GW_INLINE inline __attribute__((always_inline))

typedef uint64_t Words __attribute__((vector_size(GW_BYTES), may_alias));
typedef uint16_t Half __attribute__((may_alias));

constexpr int ROUNDS = 7;
constexpr uint32_t M0 = 0xD2511F53, M1 = 0xCD9E8D57, WEYL0 = 0x9E3779B9, WEYL1 = 0xBB67AE85;
constexpr uint64_t LOW = 0xFFFFFFFF;
constexpr int LANES = GW_BYTES / sizeof(uint64_t);
constexpr int64_t BLOCK = 128;  // counters that are worked on together, in the nearest cache

// 32 by 32 bits. In vector extensions this would be a product of 64 by 64 bits, which is three.
GW_INLINE Words product(Words a, uint32_t b) {
#if defined(__x86_64__) && GW_BYTES == 64
    // With a mask of all lanes: of the one without, GCC 12 says that it reads what was not set.
    return (Words)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, _mm512_set1_epi64(b));
#elif defined(__x86_64__) && GW_BYTES == 32
    return (Words)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__x86_64__)
    return (Words)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#elif defined(__ARM_NEON)
    return (Words)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(b));
#else
    return (a & LOW) * b;
#endif
}

struct Keys {
    uint32_t k0[ROUNDS], k1[ROUNDS];
    explicit Keys(uint64_t seed) {
        for (uint32_t r = 0; r < ROUNDS; r++) {
            k0[r] = uint32_t(seed) + r * WEYL0;
            k1[r] = uint32_t(seed >> 32) + r * WEYL1;
        }
    }
};

// A product of the first two rounds knows the units alone or the vector alone, so only the rounds after them are run
// for each counter. Numbers beyond 32 bits, and negative ones, enter these two whole, modulo 2^64.
//
// Of the units: three tables.
void begin_units(const Mask &mask, const Keys &keys, int64_t octets, uint64_t *high, uint64_t *low, uint64_t *other) {
    for (int64_t o = 0; o < octets; o++) {
        uint64_t p0 = uint64_t(o) * M0;
        uint64_t p1 = ((p0 >> 32) ^ uint64_t(mask.stream) ^ keys.k1[0]) * M1;
        high[o] = (p1 >> 32) ^ keys.k0[1];
        low[o] = p1 & LOW;
        other[o] = (p0 & LOW) ^ keys.k1[1];
    }
}

// Of a vector: three numbers.
struct Begun {
    uint64_t high, low, other;
    Begun(const Mask &mask, const Keys &keys, int64_t row) {
        uint64_t p1 = uint64_t(mask.second[row % mask.n_second]) * M1;
        uint64_t p0 = ((p1 >> 32) ^ uint64_t(mask.first[row / mask.n_second]) ^ keys.k0[0]) * M0;
        high = p0 >> 32;
        low = p0 & LOW;
        other = p1 & LOW;
    }
};

GW_INLINE void finish(const Keys &keys, Words &c0, Words &c1, Words &c2, Words &c3) {
#pragma GCC unroll 8
    for (int r = 2; r < ROUNDS; r++) {
        Words p0 = product(c0, M0), p1 = product(c2, M1);
        c0 = (p1 >> 32) ^ c1 ^ keys.k0[r];
        c2 = (p0 >> 32) ^ c3 ^ keys.k1[r];
        c1 = p1;
        c3 = p0;
    }
}

// Element by element, one number of 16 bits each. A bound of 0 keeps nothing.
template <typename S>
GW_INLINE void compare(const Half *__restrict halves, S *__restrict target, int64_t count, uint16_t last, S kept) {
    for (int64_t i = 0; i < count; i++) target[i] = halves[i] <= last ? kept : S(0);
}

// The counters from `from` up to `to`: all of the first vector's, then the next one's.
template <typename S>
void draw(const Mask &mask, const Keys &keys, int64_t octets, int64_t from, int64_t to) {
    alignas(64) uint64_t words[4][BLOCK] = {}, pairs[2 * BLOCK];
    const uint64_t *high = mask.scratch, *low = high + octets, *other = low + octets;
    const uint16_t last = uint16_t(mask.bound > 0 ? mask.bound - 1 : 0);
    const S kept = mask.bound > 0 ? S(mask.kept) : S(0);
    for (int64_t start = from; start < to; start += BLOCK) {
        const int64_t count = to - start < BLOCK ? to - start : BLOCK;
        int64_t row = start / octets, octet = start % octets;
        for (int64_t i = 0; i < count; row++, octet = 0) {
            const Begun begun(mask, keys, row);
            const int64_t end = count - i < octets - octet ? count : i + octets - octet;
            for (; i < end; i++, octet++) {
                words[0][i] = high[octet] ^ begun.other;
                words[1][i] = low[octet];
                words[2][i] = other[octet] ^ begun.high;
                words[3][i] = begun.low;
            }
        }
        for (int64_t i = 0; i < count; i += LANES) {
            Words *c[4];
            for (int k = 0; k < 4; k++) c[k] = reinterpret_cast<Words *>(words[k] + i);
            Words c0 = *c[0], c1 = *c[1], c2 = *c[2], c3 = *c[3];
            finish(keys, c0, c1, c2, c3);
            *c[0] = (c0 & LOW) | (c1 << 32);
            *c[2] = (c2 & LOW) | (c3 << 32);
        }
        for (int64_t i = 0; i < BLOCK; i++) pairs[2 * i] = words[0][i], pairs[2 * i + 1] = words[2][i];
        // Little-endian: the lower half of a word is the earlier unit's.
        const Half *halves = reinterpret_cast<const Half *>(pairs);
        S *data = static_cast<S *>(mask.data);
        if (mask.width == octets * UNITS) {
            compare(halves, data + start * UNITS, count * UNITS, last, kept);
            continue;
        }
        // Of a vector's last counter, units beyond its width are left out.
        row = start / octets, octet = start % octets;
        for (int64_t i = 0; i < count; row++, octet = 0) {
            const int64_t n = count - i < octets - octet ? count - i : octets - octet;
            const int64_t unit = octet * UNITS, rest = mask.width - unit, units = rest < n * UNITS ? rest : n * UNITS;
            compare(halves + i * UNITS, data + row * mask.width + unit, units, last, kept);
            i += n;
        }
    }
}

template <typename S>
void draw(const Mask &mask) {
    const int64_t octets = (mask.width + UNITS - 1) / UNITS, counters = mask.n_first * mask.n_second * octets;
    const Keys keys{uint64_t(mask.seed)};
    begin_units(mask, keys, octets, mask.scratch, mask.scratch + octets, mask.scratch + 2 * octets);
    const int64_t threads = mask.threads < counters ? mask.threads : counters;
    if (threads <= 1) {
        draw<S>(mask, keys, octets, 0, counters);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel for num_threads(int(threads)) schedule(static, 1)
#endif
    for (int64_t k = 0; k < threads; k++)
        draw<S>(mask, keys, octets, counters * k / threads, counters * (k + 1) / threads);
}

}  // namespace

void draw_mask(const Mask &mask) {
    if (mask.bytes == 2) draw<uint16_t>(mask);
    else if (mask.bytes == 4) draw<uint32_t>(mask);
    else draw<uint64_t>(mask);
}

}  // namespace GW_LEVEL
}  // namespace gatewise
