// What the instruction-set levels share: the loop of a schedule over time, as plain data.
//
// T time steps, B rows (sequences of the batch), w units of a vector.
#pragma once
#include <cstdint>

namespace gatewise {

// Where the values of one expression stand. All strides count elements; the unit stride is 1, or 0 where one number
// stands for all units.
struct Buffer {
    void *data;            // values at time 0 (of a carried state: before the first turn)
    int64_t time, row, unit;  // strides; time is 0 where there is no time
    int64_t turn;          // distance of the two halves of a buffer that is written in turns; 0 where there is one
    int64_t update;        // of a carried state: the buffer of its value after a turn; otherwise -1
    int64_t width;         // w
};

// One factor of a sum of products: an operand and how many of its units the sum runs over.
struct Factor {
    int64_t buffer, width;
};

// The products of one operand (or of one sum's operands) with packed matrices.
struct Pack {
    const Factor *factors;
    int64_t n_factors;
    const int64_t *outputs;  // buffers; -1 where only the program that follows reads the values
    int64_t n_outputs;
    int64_t width;           // w of every output
    int64_t depth;           // sum of the factors' widths
    const void *matrix;      // packed by `pack_matrix`
};

struct Instruction {
    int64_t opcode, target, a, b, c;
};

// A pointwise program for vectors of one width. Arrays below n_products are results of the products before it.
struct Program {
    const Instruction *instructions;
    int64_t n_instructions;
    int64_t registers;
    const int64_t *arrays;  // a buffer for each array
    int64_t n_arrays;
    int64_t n_products;     // how many of the first arrays are the outputs of a pack
    const double *numbers;
    int64_t width;
};

// An operation that mixes the units of a vector.
struct Row {
    int64_t opcode;
    const int64_t *arguments;
    int64_t n_arguments;
    const int64_t *outputs;
    const int64_t *indices;  // of each output: which part of a joint normalisation
    int64_t n_outputs;
};

enum class Kind : int64_t { pack = 0, program = 1, fused = 2, row = 3 };

struct Stage {
    Kind kind;
    Pack pack;        // kinds pack and fused
    Program program;  // kinds program and fused
    Row row;          // kind row
};

struct Loop {
    int64_t steps, rows;
    bool backwards;
    const Buffer *buffers;
    int64_t n_buffers;
    const Stage *stages;
    int64_t n_stages;
    int64_t threads;
};

// One instruction-set level: the same source, compiled for it.
struct Level {
    const char *name;
    int64_t (*vector_bytes)();
    int64_t (*packed_size)(int64_t n_outputs, int64_t width, int64_t depth, bool is_double);
    void (*pack_matrix)(const void *const *matrices, const int64_t *strides, const int64_t *transposed,
                        const int64_t *depths, int64_t n_outputs, int64_t n_factors, int64_t width, void *packed,
                        bool is_double);
    int (*run)(const Loop &loop, bool is_double);
};

}  // namespace gatewise
