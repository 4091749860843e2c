// Dropout masks from counters. What a counter means stands in src/gatewise/nn/masks.py, the definition of these bits.
//
// T steps (or 1), N numbered vectors, w units of a vector.
#pragma once
#include <cstdint>

namespace gatewise {

struct Mask {
    void *data;            // [T][N][w] elements
    int64_t bytes;         // of an element: 2, 4 or 8
    const int64_t *first;  // the second word of the counter, for each step
    int64_t n_first;       // T
    const int64_t *second;  // the third word, for each vector
    int64_t n_second;       // N
    int64_t width;          // w
    int64_t stream;         // the fourth word; the first one counts eight units
    int64_t seed;           // the key
    int64_t bound;          // kept is what draws a number below, of 16 bits; at most 2^16
    uint64_t kept;          // the bits of an element that is kept; dropped is 0
    int64_t threads;
    uint64_t *scratch;  // 3 * ceil(w / 8) words
};

constexpr int64_t UNITS = 8;  // that one counter serves

}  // namespace gatewise
