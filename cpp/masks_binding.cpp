// Dropout masks for Python. All is checked here before a level sees it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "masks.h"
#include "plan.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace gatewise {

const Level &chosen();  // binding.cpp

#define GW_DECLARE(name)              \
    namespace name {                  \
    void draw_mask(const Mask &mask); \
    }
GW_DECLARE(baseline)
#ifdef GW_X86
GW_DECLARE(x86_64_v3)
GW_DECLARE(x86_64_v4)
#endif

namespace {

typedef void (*Drawing)(const Mask &);

// Of the level that everything else runs in.
Drawing drawing() {
    static const Drawing found = [] {
        const std::string level = chosen().name;
#ifdef GW_X86
        if (level == "x86_64_v4") return Drawing(x86_64_v4::draw_mask);
        if (level == "x86_64_v3") return Drawing(x86_64_v3::draw_mask);
#endif
        if (level == "baseline") return Drawing(baseline::draw_mask);
        throw std::logic_error("no masks for the level " + level);
    }();
    return found;
}

typedef nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> Numbers;
typedef nb::ndarray<nb::ndim<3>, nb::c_contig, nb::device::cpu> Elements;

void draw_mask(Elements mask, Numbers first, Numbers second, int64_t seed, int64_t stream, int64_t bound, uint64_t kept,
               int64_t threads) {
    const int64_t bits = mask.dtype().bits;
    if (mask.dtype().lanes != 1 || (bits != 16 && bits != 32 && bits != 64))
        throw std::invalid_argument("a mask's elements must have 16, 32 or 64 bits");
    if (mask.shape(0) != first.size() || mask.shape(1) != second.size())
        throw std::invalid_argument("a mask needs a number for each of its steps and one for each of its vectors");
    if (bound < 0 || bound > 1 << 16) throw std::invalid_argument("a mask's bound must be from 0 to 2^16");
    if (bits < 64 && kept >> bits) throw std::invalid_argument("what is kept must fit an element of the mask");
    if (threads < 1) throw std::invalid_argument("a mask needs a thread");
    if (mask.size() == 0) return;
    std::vector<uint64_t> scratch(3 * ((mask.shape(2) + UNITS - 1) / UNITS));
    Mask call{};
    call.data = mask.data();
    call.bytes = bits / 8;
    call.first = first.data();
    call.n_first = int64_t(first.size());
    call.second = second.data();
    call.n_second = int64_t(second.size());
    call.width = int64_t(mask.shape(2));
    call.stream = stream;
    call.seed = seed;
    call.bound = bound;
    call.kept = kept;
    call.threads = threads;
    call.scratch = scratch.data();
    const Drawing draw = drawing();
    nb::gil_scoped_release release;
    draw(call);
}

}  // namespace

void bind_masks(nb::module_ &m) {
    // Without conversion: a copy would be filled in the mask's place.
    m.def("draw_mask", draw_mask, nb::arg("mask").noconvert(), "first"_a, "second"_a, "seed"_a, "stream"_a, "bound"_a,
          "kept"_a, "threads"_a);
}

}  // namespace gatewise
