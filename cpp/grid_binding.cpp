// The walk over images in the Python module. Whatever arrives is checked here: dtypes, shapes, and that every number which
// becomes an index is within what it points into.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "grid.h"
#include "grid_native_keys.h"
#include "operations.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace gatewise {

#define GW_DECLARE(name)        \
    namespace name {            \
    extern const GridLevel grid; \
    }
GW_DECLARE(baseline)
#ifdef GW_X86
GW_DECLARE(x86_64_v3)
GW_DECLARE(x86_64_v4)
#endif

namespace {

const char *(*name_of_level)();

const GridLevel &grid_level() {
    static const GridLevel *found = [] {
        const GridLevel *levels[] = {
#ifdef GW_X86
            &x86_64_v4::grid, &x86_64_v3::grid,
#endif
            &baseline::grid};
        const std::string wanted = name_of_level();
        for (const GridLevel *candidate : levels)
            if (wanted == candidate->name) return candidate;
        throw std::logic_error("no level of this name: " + wanted);
    }();
    return *found;
}

[[noreturn]] void refuse(const char *what) { throw std::invalid_argument(what); }
void expect(bool holds, const char *otherwise) {
    if (!holds) refuse(otherwise);
}

// A pointwise program and where its arrays stand, checked against what a walk has.
class GridPlan {
    const bool backward;
    std::vector<int64_t> listing, places;
    std::vector<double> numbers;
    std::vector<GridArray> arrays;
    int64_t registers;
    Program made{};

    static bool reads(GridSource source, bool backward) {
        switch (source) {
            case GridSource::vector:
            case GridSource::up:
            case GridSource::left: return true;
            case GridSource::state:
            case GridSource::output:
            case GridSource::saved:
            case GridSource::upstream:
            case GridSource::below:
            case GridSource::right: return backward;
            default: return false;
        }
    }
    static bool writes(GridSource source, bool backward) {
        switch (source) {
            case GridSource::state:
            case GridSource::output:
            case GridSource::saved: return !backward;
            case GridSource::to_up:
            case GridSource::to_left:
            case GridSource::gradient: return backward;
            default: return false;
        }
    }
    // How many there are of a kind.
    int64_t many(GridSource source) const {
        switch (source) {
            case GridSource::output:
            case GridSource::upstream: return 1;
            case GridSource::vector: return vectors;
            case GridSource::saved: return saved;
            case GridSource::gradient: return nets + vectors;
            default: return states;
        }
    }

   public:
    const int64_t nets, vectors, states, saved;

    GridPlan(bool backward, int64_t nets, int64_t vectors, int64_t states, int64_t saved, int64_t registers,
             std::vector<int64_t> given, std::vector<double> constants, std::vector<std::pair<int64_t, int64_t>> sources,
             bool interpreted)
        : backward(backward), listing(std::move(given)), numbers(std::move(constants)), registers(registers), nets(nets),
          vectors(vectors), states(states), saved(saved) {
        const int64_t most = 1 << 12;
        for (int64_t count : {nets, vectors, states, saved, registers})
            expect(count >= 0 && count <= most, "the grid's plan has a number out of range");
        expect(nets >= 1 && registers >= 1 && listing.size() % 5 == 0, "the grid's plan is not complete");
        expect(sources.size() <= size_t(most) && listing.size() <= (size_t(1) << 20), "the grid's plan is too large");
        const int64_t n_products = backward ? 1 : nets;
        for (int64_t p = 0; p < n_products; p++) places.push_back(-1);
        for (const auto &[source, index] : sources) {
            expect(source >= 0 && source <= int64_t(GridSource::gradient), "the grid's plan names a place that is not there");
            expect(index >= 0 && index < many(GridSource(source)), "the grid's plan names a place that is not there");
            places.push_back(int64_t(arrays.size()));
            arrays.push_back({GridSource(source), index});
        }
        made.instructions = reinterpret_cast<const Instruction *>(listing.data());
        made.n_instructions = int64_t(listing.size() / 5);
        made.registers = registers;
        made.arrays = places.data();
        made.n_arrays = int64_t(places.size());
        made.n_products = n_products;
        made.numbers = numbers.data();
        made.n_numbers = int64_t(numbers.size());
        check();
        made.native = interpreted ? -1 : native();
    }
    GridPlan(const GridPlan &) = delete;
    GridPlan &operator=(const GridPlan &) = delete;

    Program program(int64_t width) const {
        Program found = made;
        found.width = width;
        return found;
    }
    const GridArray *array_data() const { return arrays.data(); }
    bool is_backward() const { return backward; }
    bool has_native() const { return made.native >= 0; }

   private:
    void check() const {
        std::vector<char> held(size_t(registers), 0), stored(arrays.size(), 0);
        for (int64_t n = 0; n < made.n_instructions; n++) {
            const Instruction &i = made.instructions[n];
            auto within = [](int64_t value, int64_t size, int64_t smallest = 0) {
                expect(value >= smallest && value < size, "the grid's plan has an instruction that names what is not there");
            };
            within(i.opcode, OPERATIONS);
            const int64_t operands[] = {i.a, i.b, i.c};
            if (i.opcode == LOAD) {
                within(i.a, made.n_arrays);
                expect(i.a < made.n_products || reads(arrays[size_t(i.a - made.n_products)].source, backward),
                       "the grid's plan reads what cannot be read");
            } else if (i.opcode == CONSTANT) within(i.a, made.n_numbers);
            else
                for (int k = 0; k < 3; k++) {
                    within(operands[k], registers);
                    expect(k >= arity(i.opcode) || held[size_t(operands[k])], "the grid's plan reads an empty register");
                }
            if (i.opcode == STORE) {
                within(i.target, made.n_arrays, made.n_products);
                const size_t array = size_t(i.target - made.n_products);
                expect(writes(arrays[array].source, backward), "the grid's plan writes what cannot be written");
                expect(!stored[array], "the grid's plan writes a place twice");
                stored[array] = 1;
            } else {
                within(i.target, registers);
                held[size_t(i.target)] = 1;
            }
        }
        // Everything that others read is written, once.
        auto all = [&](GridSource source) {
            for (int64_t index = 0; index < many(source); index++) {
                int64_t times = 0;
                for (size_t a = 0; a < arrays.size(); a++)
                    times += stored[a] && arrays[a].source == source && arrays[a].index == index;
                expect(times == 1, "the grid's plan leaves a place unwritten, or writes it twice");
            }
        };
        if (backward)
            for (GridSource source : {GridSource::gradient, GridSource::to_up, GridSource::to_left}) all(source);
        else
            for (GridSource source : {GridSource::output, GridSource::state, GridSource::saved}) all(source);
    }

    // The function that was written for the program, if there is one.
    int64_t native() const {
        for (int64_t k = 0; k < N_GRID_NATIVE; k++) {
            const GridNativeKey &key = GRID_NATIVE_KEYS[k];
            if (key.n_products == made.n_products && key.n_arrays == made.n_arrays &&
                key.n_instructions == made.n_instructions && key.n_numbers == made.n_numbers &&
                std::equal(key.numbers, key.numbers + key.n_numbers, made.numbers) &&
                std::equal(key.instructions, key.instructions + 5 * key.n_instructions, listing.data()))
                return k;
        }
        return -1;
    }
};

typedef nb::ndarray<nb::c_contig, nb::device::cpu> Array;
typedef nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu> Given;
typedef nb::ndarray<const int64_t, nb::c_contig, nb::device::cpu> Whole;

template <typename A>
void fits(const A &array, bool twice, std::initializer_list<int64_t> shape, const char *otherwise) {
    expect(array.dtype() == (twice ? nb::dtype<double>() : nb::dtype<float>()), "the grid's tensors have different dtypes");
    expect(array.ndim() == shape.size(), otherwise);
    size_t dim = 0;
    for (int64_t size : shape) expect(int64_t(array.shape(dim++)) == size, otherwise);
}

bool is_double(const Given &array) {
    if (array.dtype() == nb::dtype<double>()) return true;
    expect(array.dtype() == nb::dtype<float>(), "expected float32 or float64");
    return false;
}

// What both ways need, checked.
GridJob begin(const GridPlan &plan, const Program &program, const Given &x, const Whole &extents, const Whole &directions,
              const Given &weights, const Given &vectors, int64_t threads) {
    const bool twice = is_double(x);
    expect(x.ndim() == 4, "images must be [B, rows, columns, X]");
    expect(weights.ndim() == 3 && vectors.ndim() == 3 && directions.ndim() == 1, "the grid's parameters do not fit");
    GridSizes n{};
    n.images = int64_t(x.shape(0));
    n.rows = int64_t(x.shape(1));
    n.columns = int64_t(x.shape(2));
    n.inputs = int64_t(x.shape(3));
    n.directions = int64_t(directions.shape(0));
    n.nets = plan.nets;
    n.vectors = plan.vectors;
    n.states = plan.states;
    n.saved = plan.saved;
    n.hidden = int64_t(vectors.shape(2));
    for (int64_t size : {n.images, n.rows, n.columns, n.inputs, n.hidden, n.directions})
        expect(size >= 1 && size < int64_t(1) << 31, "the grid's sizes are out of range");
    expect(threads >= 1 && threads <= 4096, "the number of threads is out of range");
    fits(weights, twice, {n.directions, n.nets * n.hidden, n.operands()}, "the grid's weights do not fit");
    fits(vectors, twice, {n.directions, n.nets + n.vectors, n.hidden}, "the grid's vectors do not fit");
    expect(extents.ndim() == 2 && int64_t(extents.shape(0)) == n.images && extents.shape(1) == 2, "extents do not fit");
    for (int64_t b = 0; b < n.images; b++) {
        expect(extents.data()[2 * b] >= 0 && extents.data()[2 * b] <= n.rows, "an image is higher than its batch");
        expect(extents.data()[2 * b + 1] >= 0 && extents.data()[2 * b + 1] <= n.columns, "an image is wider than its batch");
    }
    for (int64_t d = 0; d < n.directions; d++)
        expect(directions.data()[d] >= 0 && directions.data()[d] < 4, "a direction is none of the four");
    GridJob job{};
    job.sizes = n;
    job.program = &program;
    job.arrays = plan.array_data();
    job.extents = extents.data();
    job.directions = directions.data();
    job.x = x.data();
    job.weights = weights.data();
    job.vectors = vectors.data();
    job.threads = threads;
    return job;
}

void finish(const GridJob &job, bool backward, bool twice) {
    int failure;
    {
        nb::gil_scoped_release release;
        failure = grid_level().run(job, backward, twice);
    }
    if (failure == 1) throw std::bad_alloc();
    if (failure) refuse("the grid's plan has an operation that is not known");
}

void forward(const GridPlan &plan, Given x, Whole extents, Whole directions, Given weights, Given vectors, Array output,
             std::optional<Array> kept, int64_t threads) {
    expect(!plan.is_backward(), "the grid's plan is one of a backward");
    const Program program = plan.program(int64_t(vectors.ndim() == 3 ? vectors.shape(2) : 0));
    GridJob job = begin(plan, program, x, extents, directions, weights, vectors, threads);
    const GridSizes &n = job.sizes;
    const bool twice = is_double(x);
    fits(output, twice, {n.images, n.rows, n.columns, n.directions, n.hidden}, "the grid's output does not fit");
    expect(kept || plan.saved == 0, "the grid's plan saves, but there is no room for it");
    if (kept)
        fits(*kept, twice, {n.directions, n.images, n.rows, n.columns, n.states + n.saved, n.hidden},
             "what the grid saves does not fit");
    job.output = output.data();
    job.kept = kept ? kept->data() : nullptr;
    finish(job, false, twice);
}

void backward(const GridPlan &plan, Given x, Whole extents, Whole directions, Given weights, Given vectors, Given output,
              Given kept, Given upstream, std::optional<Array> of_x, Array of_weights, Array of_vectors, int64_t threads) {
    expect(plan.is_backward(), "the grid's plan is one of a forward");
    const Program program = plan.program(int64_t(vectors.ndim() == 3 ? vectors.shape(2) : 0));
    GridJob job = begin(plan, program, x, extents, directions, weights, vectors, threads);
    const GridSizes &n = job.sizes;
    const bool twice = is_double(x);
    fits(output, twice, {n.images, n.rows, n.columns, n.directions, n.hidden}, "the grid's output does not fit");
    fits(upstream, twice, {n.images, n.rows, n.columns, n.directions, n.hidden}, "the output's gradient does not fit");
    fits(kept, twice, {n.directions, n.images, n.rows, n.columns, n.states + n.saved, n.hidden},
         "what the grid saved does not fit");
    fits(of_weights, twice, {n.directions, n.nets * n.hidden, n.operands()}, "the weights' gradient does not fit");
    fits(of_vectors, twice, {n.directions, n.nets + n.vectors, n.hidden}, "the vectors' gradient does not fit");
    if (of_x)
        fits(*of_x, twice, {n.directions, n.images, n.rows, n.columns, n.inputs}, "the images' gradient does not fit");
    // Read only: the walk back writes neither.
    job.output = const_cast<void *>(output.data());
    job.kept = const_cast<void *>(kept.data());
    job.upstream = upstream.data();
    job.of_x = of_x ? of_x->data() : nullptr;
    job.of_weights = of_weights.data();
    job.of_vectors = of_vectors.data();
    finish(job, true, twice);
}

}  // namespace

void bind_grid(nb::module_ &m, const char *(*chosen)()) {
    name_of_level = chosen;
    nb::class_<GridPlan>(m, "GridPlan")
        .def(nb::init<bool, int64_t, int64_t, int64_t, int64_t, int64_t, std::vector<int64_t>, std::vector<double>,
                      std::vector<std::pair<int64_t, int64_t>>, bool>(),
             "backward"_a, "nets"_a, "vectors"_a, "states"_a, "saved"_a, "registers"_a, "instructions"_a, "numbers"_a,
             "places"_a, "interpreted"_a = false)
        .def_prop_ro("native", &GridPlan::has_native);
    // Nothing is converted: a result written into a copy would be lost.
    m.def("grid_forward", forward, "plan"_a, "x"_a.noconvert(), "extents"_a.noconvert(), "directions"_a.noconvert(),
          "weights"_a.noconvert(), "vectors"_a.noconvert(), "output"_a.noconvert(), "kept"_a.noconvert().none(),
          "threads"_a);
    m.def("grid_backward", backward, "plan"_a, "x"_a.noconvert(), "extents"_a.noconvert(), "directions"_a.noconvert(),
          "weights"_a.noconvert(), "vectors"_a.noconvert(), "output"_a.noconvert(), "kept"_a.noconvert(),
          "upstream"_a.noconvert(), "of_x"_a.noconvert().none(), "of_weights"_a.noconvert(), "of_vectors"_a.noconvert(),
          "threads"_a);
}

}  // namespace gatewise
