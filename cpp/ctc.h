// What the instruction-set levels share for connectionist temporal classification: a batch, as plain data.
//
// T time steps, B sequences of the batch, V labels with the blank among them, S labels of a target.
#pragma once
#include <cstdint>

namespace gatewise {

// Pairs of logits and target. What the numbers say has been checked: lengths are up to T, targets name labels other
// than the blank.
struct CtcBatch {
    const void *logits;             // of step t, sequence b, label k: at t * step + b * sequence + k
    int64_t step, sequence;         // strides in elements
    int64_t steps, batch, labels;   // T, B, V
    const int64_t *input_lengths;   // [B]
    const int64_t *targets;         // all targets, one after the other
    const int64_t *target_offsets;  // [B + 1]: where each begins
    int64_t blank;
    double smoothing;  // share of the uniform distribution
    double penalty;    // what a blank costs, in nats
    void *losses;      // [B]; infinite where the target has probability 0
    void *gradient;    // [T, B, V], contiguous; null where it is not wanted
    int64_t threads;
};

struct CtcLevel {
    const char *name;
    // 0, or 1 where memory ran out.
    int (*losses)(const CtcBatch &batch, bool is_double);
    // The logarithm of the softmax of `labels` numbers; false where one is NaN or +inf, or all are -inf.
    bool (*log_softmax)(const void *row, int64_t labels, bool is_double, double *result);
};

}  // namespace gatewise
