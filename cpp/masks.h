// What the levels share of dropout masks. The counters' meaning is defined in src/gatewise/nn/masks.py.
//
// T steps (or 1), N numbered vectors, w units of a vector.
#pragma once
#include <cstdint>

namespace gatewise {

constexpr int64_t UNITS = 8;  // that one counter serves, 16 bits each

// A counter is four words: which eight units, a step's number, a vector's number, the stream.
struct Mask {
    void *data;             // [T][N][w]
    int64_t bytes;          // of an element: 2, 4 or 8
    const int64_t *first;   // [T] numbers of steps
    int64_t n_first;        // T
    const int64_t *second;  // [N] numbers of vectors
    int64_t n_second;       // N
    int64_t width;          // w
    int64_t stream;
    int64_t seed;           // the key
    int64_t bound;          // what draws less than this is kept: from 0 to 2^16
    uint64_t kept;          // the bits of an element that is kept; the others are 0
    int64_t threads;
    uint64_t *scratch;      // 3 * ceil(w / 8) words, which the level fills
};

}  // namespace gatewise
