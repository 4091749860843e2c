// A walk over images in two dimensions, as plain data that all instruction-set levels share.
//
// B images of R rows and C columns at most, X inputs, H units, D directions, G net inputs, M further trained vectors, N
// states besides the output, Q values that are saved for the backward besides those.
#pragma once
#include <cstdint>

#include "plan.h"

namespace gatewise {

// Where the values of a program's array stand, unit by unit; `index` says which of them.
enum class GridSource : int64_t {
    vector,   // a trained vector: of the M
    state,    // of the N, at this position
    up,       // a state of the N at the neighbour above, in the direction of the walk
    left,     // ... and to the left
    output,   // h at this position
    saved,    // of the Q
    upstream, // the gradient from outside for h
    below,    // the gradient for a state of the N that the neighbour below handed back
    right,    // ... and to the right
    to_up,    // the gradient for a state of the N at the neighbour above
    to_left,  // ... and to the left
    gradient  // of the G net inputs, then what is summed for the M vectors
};

struct GridArray {
    GridSource source;
    int64_t index;
};

struct GridSizes {
    int64_t images, rows, columns, inputs, hidden, directions, nets, vectors, states, saved;
    int64_t operands() const { return inputs + 2 * hidden; }                      // columns of the weights
    int64_t kept() const { return (states + saved) * hidden; }                    // of a position
    int64_t positions() const { return images * rows * columns; }
};

// Everything is contiguous. What lies beyond an image's own size is neither read nor written.
struct GridJob {
    GridSizes sizes;
    const Program *program;      // the first arrays are products, and `arrays` holds nothing
    const GridArray *arrays;     // of the program, from the first that is no product on
    const int64_t *extents;      // [B, 2]: rows and columns of each image
    const int64_t *directions;   // [D]: bit 0: from the bottom upwards; bit 1: from the right
    const void *x;               // [B, R, C, X]
    const void *weights;         // [D, G * H, X + 2 H]: of x, the output above, the output to the left
    const void *vectors;         // [D, G + M, H]: biases of the net inputs, then the trained vectors
    void *output;                // [B, R, C, D, H]
    void *kept;                  // [D, B, R, C, N + Q, H]; null in inference
    // The backward.
    const void *upstream;        // [B, R, C, D, H]
    void *of_x;                  // [D, B, R, C, X]; null where it is not wanted
    void *of_weights;            // as the weights
    void *of_vectors;            // as the vectors
    int64_t threads;
};

struct GridLevel {
    const char *name;
    // 0; 1 where memory ran out; 2 where a program has an operation that is not known.
    int (*run)(const GridJob &job, bool backward, bool is_double);
};

}  // namespace gatewise
