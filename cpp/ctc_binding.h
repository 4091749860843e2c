// What the bindings of connectionist temporal classification share.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>
#include <vector>

#include "ctc.h"

namespace gatewise {

typedef nanobind::ndarray<const int64_t, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu> Ints;
typedef nanobind::ndarray<const int32_t, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu> Shorts;
typedef nanobind::ndarray<const float, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu> Floats;
// [T, B, V]; steps and sequences may stand anywhere, labels side by side.
typedef nanobind::ndarray<nanobind::ro, nanobind::ndim<3>, nanobind::device::cpu> Logits;

[[noreturn]] inline void refuse(const char *what) { throw std::invalid_argument(what); }

template <typename Array>
bool is_double(const Array &array) {
    if (array.dtype() == nanobind::dtype<double>()) return true;
    if (array.dtype() == nanobind::dtype<float>()) return false;
    refuse("expected float32 or float64");
}

// The level that this processor runs.
const CtcLevel &ctc_level();

void check_logits(const Logits &logits);

// Lengths, targets and their offsets belong together, and to logits of these sizes.
void check_pairs(const Logits &logits, const Ints &input_lengths, const Ints &targets, const Ints &offsets,
                 int64_t blank);

void bind_ctc_search(nanobind::module_ &m);

}  // namespace gatewise
