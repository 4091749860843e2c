// Connectionist temporal classification in the Python module: the loss. Whatever arrives is checked here: dtypes, shapes,
// and that every number which becomes an index is within what it points into.
#include "ctc_binding.h"

#include <nanobind/stl/optional.h>

#include <new>
#include <optional>
#include <string>

namespace nb = nanobind;
using namespace nb::literals;

namespace gatewise {

#define GW_DECLARE(name)           \
    namespace name {               \
    extern const CtcLevel ctc;     \
    }
GW_DECLARE(baseline)
#ifdef GW_X86
GW_DECLARE(x86_64_v3)
GW_DECLARE(x86_64_v4)
#endif

static const char *(*name_of_level)();

const CtcLevel &ctc_level() {
    static const CtcLevel *found = [] {
        const CtcLevel *levels[] = {
#ifdef GW_X86
            &x86_64_v4::ctc, &x86_64_v3::ctc,
#endif
            &baseline::ctc};
        const std::string wanted = name_of_level();
        for (const CtcLevel *candidate : levels)
            if (wanted == candidate->name) return candidate;
        throw std::logic_error("no level of this name: " + wanted);
    }();
    return *found;
}

void check_logits(const Logits &logits) {
    is_double(logits);
    if (logits.shape(2) > 1 && logits.size() > 0 && logits.stride(2) != 1) refuse("labels do not stand side by side");
}

void check_pairs(const Logits &logits, const Ints &input_lengths, const Ints &targets, const Ints &offsets,
                 int64_t blank) {
    check_logits(logits);
    const int64_t steps = int64_t(logits.shape(0)), sequences = int64_t(logits.shape(1)),
                  labels = int64_t(logits.shape(2));
    if (int64_t(input_lengths.size()) != sequences || int64_t(offsets.size()) != sequences + 1)
        refuse("expected an input length for each sequence, and an offset more");
    if (blank < 0 || blank >= labels) refuse("the blank is no label");
    if (offsets.data()[0] != 0 || offsets.data()[sequences] != int64_t(targets.size()))
        refuse("offsets do not span the targets");
    for (int64_t b = 0; b < sequences; b++) {
        if (offsets.data()[b] > offsets.data()[b + 1]) refuse("offsets go back");
        if (input_lengths.data()[b] < 0 || input_lengths.data()[b] > steps) refuse("an input length is out of range");
    }
    for (size_t s = 0; s < targets.size(); s++)
        if (targets.data()[s] < 0 || targets.data()[s] >= labels || targets.data()[s] == blank)
            refuse("a target is no label, or the blank");
}

typedef nb::ndarray<nb::ndim<1>, nb::c_contig, nb::device::cpu> Losses;
typedef nb::ndarray<nb::ndim<3>, nb::c_contig, nb::device::cpu> Gradient;

static void losses(Logits logits, Ints input_lengths, Ints targets, Ints offsets, int64_t blank, double smoothing,
                   double penalty, Losses result, std::optional<Gradient> gradient, int64_t threads) {
    check_pairs(logits, input_lengths, targets, offsets, blank);
    const int64_t steps = int64_t(logits.shape(0)), sequences = int64_t(logits.shape(1)),
                  labels = int64_t(logits.shape(2));
    const bool twice = is_double(logits);
    if (is_double(result) != twice || int64_t(result.size()) != sequences) refuse("losses do not fit");
    if (gradient && (is_double(*gradient) != twice || int64_t(gradient->shape(0)) != steps ||
                     int64_t(gradient->shape(1)) != sequences || int64_t(gradient->shape(2)) != labels))
        refuse("the gradient does not fit");
    CtcBatch batch{logits.data(),
                   logits.stride(0),
                   logits.stride(1),
                   steps,
                   sequences,
                   labels,
                   input_lengths.data(),
                   targets.data(),
                   offsets.data(),
                   blank,
                   smoothing,
                   penalty,
                   result.data(),
                   gradient ? gradient->data() : nullptr,
                   threads};
    int failure;
    {
        nb::gil_scoped_release release;
        failure = ctc_level().losses(batch, twice);
    }
    if (failure) throw std::bad_alloc();
}

void bind_ctc(nb::module_ &m, const char *(*chosen)()) {
    name_of_level = chosen;
    // Nothing is converted: a result written into a copy would be lost. Losses [B] of logits [T, B, V]; the gradient
    // [T, B, V] of their sum where there is room for it.
    m.def("ctc_losses", losses, "logits"_a.noconvert(), "input_lengths"_a.noconvert(), "targets"_a.noconvert(),
          "offsets"_a.noconvert(), "blank"_a, "smoothing"_a, "penalty"_a, "result"_a.noconvert(),
          "gradient"_a.noconvert().none(), "threads"_a);
    bind_ctc_search(m);
}

}  // namespace gatewise
