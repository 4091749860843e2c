// A schedule as plain data, shared by all instruction-set levels: phases around a loop over time, and sums.
//
// T time steps, B sequences, w units of a vector. A turn is one time step in the order in which the loop takes them.
#pragma once
#include <cstdint>

namespace gatewise {

// Where a buffer's values stand.
enum class Source : int64_t {
    stream,    // given over time: port `index` of the streams
    state,     // a carried state: given before the first turn, then what its `update` was a turn ago
    vector,    // a parameter: vector `index`
    constant,  // the number `index`
    result,    // written over time: port `index` of the results
    chunk,     // own memory for a chunk of turns: of group `index`, from its unit `update` on
    turns,     // own memory for the last few turns
    once,      // own memory for one vector
    earlier    // against the forward's order: values of stream `index` one step earlier, at its start those of stream `update`
};

struct Buffer {
    Source source;
    int64_t index, width, update;
    int64_t unit;  // stride of the units: 1, or 0 where one number stands for all
};

// One factor of a sum of products: an operand and how many of its units the sum runs over.
struct Factor {
    int64_t buffer, width;
};

// Rows of a given parameter.
struct Matrix {
    int64_t port, offset, stride, transposed;
};

// The products of one operand (or of one sum's operands) with packed matrices.
struct Pack {
    const Factor *factors;
    int64_t n_factors;
    const Matrix *matrices;  // output by output, factor by factor
    const int64_t *outputs;  // buffers; -1 where only the program that follows reads the values
    const int64_t *starts;   // buffers of values to which the products are added; -1 for 0
    int64_t n_outputs;
    int64_t width;           // w of every output
    int64_t depth;           // sum of the factors' widths
    int64_t number;          // of the packed matrices
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
    int64_t n_numbers;
    int64_t width;
    int64_t native;  // the number of its own function (native.h); -1: it is interpreted
};

// An operation that mixes the units of a vector.
struct Row {
    int64_t opcode;
    const int64_t *arguments;
    int64_t n_arguments;
    const int64_t *outputs;
    const int64_t *indices;  // of each output: which part of a joint normalisation; after the last, what it divides by
    int64_t n_outputs;
};

enum class Kind : int64_t { pack = 0, program = 1, fused = 2, row = 3 };

struct Stage {
    Kind kind;
    Pack pack;        // kinds pack and fused
    Program program;  // kinds program and fused
    Row row;          // kind row
};

// A parameter that is a vector: the sum of one or two given ones.
struct Vector {
    int64_t width, n_parts;
    int64_t port[2], offset[2];
};

// One term of a sum: of outer products of an adjoint with a factor, or (factor -1) of the adjoint alone.
struct Term {
    int64_t adjoint, factor;
    int64_t strip;  // where the adjoint's rows stand among the rows of all adjoints of outer products, or -1
    bool packs;     // the first term with this adjoint
    bool leads;     // the first term with this factor
};

// What is summed over time and the batch for one parameter, and where it goes: to one or two gradients.
struct Sum {
    const Term *terms;
    int64_t n_terms;
    int64_t height, width;  // of the parameter; width 0 for a vector
    int64_t n_targets;
    int64_t port[2], offset[2];
};

struct Phase {
    const Stage *stages;
    int64_t n_stages;
};

struct Plan {
    const Buffer *buffers;
    int64_t n_buffers;
    const int64_t *groups;  // widths of the vectors whose parts are buffers
    int64_t n_groups;
    const double *numbers;
    const Vector *vectors;
    int64_t n_vectors;
    Phase once, before, loop, after;
    const Sum *sums;
    int64_t n_sums;
    int64_t strips;  // rows of all adjoints of outer products, each rounded up to 8
    const Pack *const *packs;  // by number
    int64_t n_packs;
    const int64_t *states;   // the buffer of each carried state
    int64_t n_states;
    const int64_t *earlier;  // the buffers of that source
    int64_t n_earlier;
    const int64_t *results;  // the buffer of each result
    int64_t n_results;
};

constexpr int64_t MOST_MEMORY = int64_t(1) << 62;  // bytes; more than there can be

struct Port {
    void *data;
    int64_t time, row;  // strides in elements
};

// How the weights of packed matrices are stored: as the numbers that are computed with, or (of float) in fewer bits.
enum class Weights : int64_t { full = 0, bf16 = 1, int8 = 2 };

// A call of a plan. Time and row strides are those of the ports; units stand side by side.
struct Job {
    const Plan *plan;
    const Port *streams, *states, *parameters, *results, *finals, *gradients;
    int64_t steps, rows;
    bool backwards;
    const int64_t *lengths;  // of each sequence; null where all have T steps
    int64_t threads;
    bool by_units;  // threads share the units of all sequences, and not the sequences
    Weights weights;
    char *packed;   // packed matrices (aligned to 64 bytes); null where the call has to pack them
};

// One instruction-set level: the same source, compiled for it.
struct Level {
    const char *name;
    int64_t (*vector_bytes)();
    int64_t (*memory)(const Job &job, bool is_double);  // bytes that `run` needs
    // Jobs run at the same time, each with its own threads and memory (aligned to 64 bytes).
    int (*run)(const Job *jobs, void *const *memory, int64_t n_jobs, bool is_double);
    int64_t (*packed_bytes)(const Plan &plan, Weights weights, bool is_double);
    void (*pack)(const Plan &plan, Weights weights, const Port *parameters, char *packed, bool is_double);
    // A job that stays, to run again and again with other ports and steps, at most as many as it was made with.
    int64_t (*kept_bytes)(const Job &job, bool is_double);
    void *(*keep)(const Job &job, void *memory, bool is_double);  // null: no threads
    int (*run_kept)(void *kept, bool is_double);
};

}  // namespace gatewise
