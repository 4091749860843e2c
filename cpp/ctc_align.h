// Forced alignment: the best alignment of a target, by Viterbi's recursion.
#pragma once
#include <cstdint>

namespace gatewise {

// The logarithm of its probability, NOTHING if there is none. log_probs: [T, V], the blank's with its penalty. Label s is
// seen in the steps [starts[s], ends[s]), with scores[s] the sum of its logarithms there.
double align(const double *log_probs, int64_t steps, int64_t labels, int64_t blank, const int64_t *target,
             int64_t length, int64_t *starts, int64_t *ends, double *scores);

}  // namespace gatewise
