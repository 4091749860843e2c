// A stack of layers that runs step by step: its plans stay ready, with packed matrices and states. Included by
// binding.cpp only.
//
// T time steps, B sequences, w units of a vector.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "plan.h"
#include "tensors.h"

namespace gatewise {

// Memory for vectors. Large pieces stand in large pages: small ones are scattered, and may compete for the same places of
// a cache.
class Aligned {
    static constexpr size_t PAGE = 4096, LARGE = size_t(1) << 21;
    char *start;

   public:
    explicit Aligned(size_t size) {
        const size_t page = size >= LARGE / 2 ? LARGE : PAGE;
        size = (size + page - 1) / page * page;
        start = static_cast<char *>(std::aligned_alloc(page, size > 0 ? size : page));
        if (start == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
        if (page == LARGE) madvise(start, size, MADV_HUGEPAGE);
#endif
#ifdef GW_CHECKED
        std::memset(start, 0xff, size > 0 ? size : page);  // what is read before it is written is not a number
#endif
    }
    ~Aligned() { std::free(start); }
    Aligned(const Aligned &) = delete;
    Aligned &operator=(const Aligned &) = delete;
    char *get() const { return start; }
};

// A plan's matrices, packed once for many runs.
class Packed {
    nb::object plan;
    Aligned memory;
    int64_t n_bytes;

   public:
    const Weights weights;

    static Weights checked(int64_t weights, const Owner &owner) {
        if (weights < 0 || weights > 2 || (weights && owner.is_double))
            throw std::invalid_argument("weights are stored in fewer bits for float only");
        const Plan &plan = owner.reader.get();
        for (int64_t p = 0; p < plan.n_packs; p++)
            for (int64_t m = 0; weights && m < plan.packs[p]->n_outputs * plan.packs[p]->n_factors; m++)
                if (plan.packs[p]->matrices[m].transposed)
                    throw std::invalid_argument("weights are stored in fewer bits for the forward only");
        return Weights(weights);
    }
    static int64_t size_of(const Owner &owner, Weights weights) {
        return chosen().packed_bytes(owner.reader.get(), weights, owner.is_double);
    }

    Packed(nb::object given, const std::vector<int64_t> &addresses, int64_t weights)
        : plan(given),
          memory(size_t(size_of(owner(), checked(weights, owner())))),
          n_bytes(size_of(owner(), Weights(weights))),
          weights(Weights(weights)) {
        if (addresses.size() != size_t(owner().reader.n_parameters))
            throw std::invalid_argument("the plan was given other parameters than it needs");
        std::vector<Port> ports;
        for (int64_t address : addresses) ports.push_back({reinterpret_cast<void *>(address), 0, 0});
        chosen().pack(owner().reader.get(), this->weights, ports.data(), memory.get(), owner().is_double);
    }
    const Owner &owner() const { return nb::cast<const Owner &>(plan); }
    char *get() const { return memory.get(); }
    int64_t bytes() const { return n_bytes; }
};

class Stream {
    struct Layer {
        nb::object packed;  // keeps the plan and its matrices
        std::vector<int64_t> sources;  // of each stream of the plan: 0 for what comes from below, k for further input k
        Job job{};
        std::vector<Port> streams, states[2], parameters;
        Port result{};
        std::unique_ptr<Aligned> memory, between;
        int64_t width = 0;  // of the result
        void *kept = nullptr;
    };
    // The same layers in plans for single steps, and (as soon as there are any) in plans for more of them.
    struct Stack {
        std::vector<std::unique_ptr<Layer>> layers;
        int64_t most_steps = 1;
    } stacks[2];
    const Level &level = chosen();
    const int64_t batch;
    const std::vector<int64_t> widths;  // of x, and of the further inputs
    std::vector<nb::object> names;      // of those
    const int64_t width, n_inputs;
    std::vector<Port> given;  // of a step: x, and the further inputs
    const bool is_double;
    int64_t work = 0;
    int side = 0;  // where the states stand
    int64_t taken = 0;  // steps
    std::atomic_flag busy = ATOMIC_FLAG_INIT;
    Watch watch;
    nb::object outputs[2];  // [B, w], and [w] of a single sequence
    Port output{};
    Aligned aside;

    // Multiplications from which on other threads of Python may run meanwhile.
    static constexpr int64_t LONG = 100000;

    int64_t item() const { return is_double ? 8 : 4; }

   public:
    // What a call may come to, besides its result.
    enum Outcome : int64_t { DONE = 0, BUSY = 1, CHANGED = 2, UNREADABLE = 3, UNKNOWN = 4, NO_THREADS = 5 };

    // One call at a time.
    class Turn {
        std::atomic_flag &busy;

       public:
        const bool mine;
        explicit Turn(std::atomic_flag &busy) : busy(busy), mine(!busy.test_and_set(std::memory_order_acquire)) {}
        ~Turn() {
            if (mine) busy.clear(std::memory_order_release);
        }
        Turn(const Turn &) = delete;
        Turn &operator=(const Turn &) = delete;
    };

    // `widths` are those of x and of the further inputs, which are called by `names`.
    Stream(int64_t batch, const std::vector<int64_t> &widths, nb::list names, bool is_double)
        : batch(batch),
          widths(widths),
          width(widths.empty() ? 0 : widths[0]),
          n_inputs(int64_t(names.size())),
          given(widths.size()),
          is_double(is_double),
          aside(size_t(batch * width * (is_double ? 8 : 4))) {
        if (batch < 1 || widths.size() != names.size() + 1) throw std::invalid_argument("expected a sequence and an input");
        for (int64_t each : widths)
            if (each < 1) throw std::invalid_argument("expected inputs of at least one unit");
        for (nb::handle name : names) this->names.push_back(nb::borrow(name));
    }
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;

    // A layer on top, for runs of one step or of up to `most_steps`: states are addresses of [B, w], each twice; the
    // result's width is w.
    void add(int64_t most_steps, nb::object packed, const std::vector<int64_t> &sources, const std::vector<int64_t> &parameters,
             const std::vector<int64_t> &states, const std::vector<int64_t> &widths, int64_t result, int64_t threads,
             bool by_units, int64_t multiplications) {
        const Packed &matrices = nb::cast<const Packed &>(packed);
        const Owner &owner = matrices.owner();
        const Plan &plan = owner.reader.get();
        const size_t n = size_t(plan.n_states);
        if (owner.is_double != is_double || plan.n_results != 1 || plan.n_sums != 0 || states.size() != 2 * n ||
            widths.size() != n || sources.size() != size_t(owner.reader.n_streams) || threads < 1 || result < 1 ||
            most_steps < 1 || parameters.size() != size_t(owner.reader.n_parameters) || plan.buffers[plan.results[0]].width != result)
            throw std::invalid_argument("the plan was given other tensors than it needs");
        auto made = std::make_unique<Layer>();
        Layer &layer = *made;
        layer.packed = packed;
        layer.sources = sources;
        layer.streams.resize(sources.size());
        for (int64_t source : sources)
            if (source < 0 || source > n_inputs) throw std::invalid_argument("the plan reads an input that is not there");
        for (size_t k = 0; k < n; k++) {
            if (plan.buffers[plan.states[k]].width != widths[k]) throw std::invalid_argument("a state has another width");
            for (int at = 0; at < 2; at++)
                layer.states[at].push_back({reinterpret_cast<void *>(states[2 * k + size_t(at)]), 0, widths[k]});
        }
        for (int64_t address : parameters) layer.parameters.push_back({reinterpret_cast<void *>(address), 0, 0});
        layer.width = result;
        layer.between = std::make_unique<Aligned>(size_t(most_steps * batch * result * item()));
        layer.result = {layer.between->get(), batch * result, result};
        Job &job = layer.job;
        job.plan = &plan;
        job.streams = layer.streams.data();
        job.states = layer.states[0].data();
        job.finals = layer.states[1].data();
        job.parameters = layer.parameters.data();
        job.results = &layer.result;
        job.steps = most_steps;
        job.rows = batch;
        job.threads = threads;
        job.by_units = by_units;
        job.weights = matrices.weights;
        job.packed = matrices.get();
        keep(layer);
        layer.parameters.clear();  // they have been read
        Stack &stack = stacks[most_steps > 1];
        if (most_steps == 1) work += multiplications;
        stack.most_steps = most_steps;
        stack.layers.push_back(std::move(made));
    }

    void give(nb::object whole, nb::object flat, int64_t address, int64_t row) {
        outputs[0] = whole;
        outputs[1] = flat;
        output = {reinterpret_cast<void *>(address), 0, row};
    }

    void follow(nb::object table, nb::object name, nb::object value) { watch.add(table, name, value); }
    bool changed() const { return watch.changed(); }
    int64_t at() const { return side; }
    int64_t steps() const { return taken; }

    // One step: of x, [B, w] or of a single sequence [w], and a dictionary of further inputs like it, into the output's
    // tensor, or `out`. That tensor, or what came in between.
    nb::object step(nb::handle x, nb::handle inputs, nb::handle out) {
        Turn turn(busy);
        if (!turn.mine) return nb::int_(int64_t(BUSY));
        if (watch.changed()) return nb::int_(int64_t(CHANGED));
        if (stacks[0].layers.empty()) return nb::int_(int64_t(UNREADABLE));
        int dimensions = 0;
        if (!read(x.ptr(), width, dimensions, given[0])) return nb::int_(int64_t(UNREADABLE));
        if (n_inputs > 0 || !inputs.is_none()) {
            if (!PyDict_Check(inputs.ptr()) || PyDict_Size(inputs.ptr()) != n_inputs) return nb::int_(int64_t(UNREADABLE));
            for (size_t k = 0; k < names.size(); k++) {
                PyObject *input = PyDict_GetItem(inputs.ptr(), names[k].ptr());
                if (input == nullptr || !read(input, widths[k + 1], dimensions, given[k + 1]))
                    return nb::int_(int64_t(UNREADABLE));
            }
        }
        Port target = output;
        const int64_t w = stacks[0].layers.back()->width;
        if (!out.is_none() && (readable().differentiated(out.ptr()) || !read(out.ptr(), w, dimensions, target)))
            return nb::int_(int64_t(UNREADABLE));
        if (batch > 1 && target.row < w) return nb::int_(int64_t(UNREADABLE));  // sequences would share their outputs
        // Outputs are written while inputs are still read.
        if (overlap(given[0], width, target, w)) set_aside(given[0]);
        for (size_t k = 1; k < given.size(); k++)
            if (overlap(given[k], widths[k], target, w)) return nb::int_(int64_t(UNREADABLE));
        const Outcome outcome = advance(stacks[0], 1, given.data(), target);
        if (outcome != DONE) return nb::int_(int64_t(outcome));
        return out.is_none() ? outputs[dimensions == 2 ? 0 : 1] : nb::borrow(out);
    }

    // Any number of steps. `ports` are address and strides of time and sequences: of x, the further inputs, the output.
    int64_t run(int64_t steps, const std::vector<int64_t> &ports) {
        Turn turn(busy);
        if (!turn.mine) return BUSY;
        Stack &stack = stacks[steps > 1 && !stacks[1].layers.empty()];
        if (ports.size() != size_t(3 * (n_inputs + 2)) || steps < 1 || stack.layers.empty())
            throw std::invalid_argument("the stream was given other tensors than it needs");
        std::vector<Port> all;
        for (size_t k = 0; k < ports.size(); k += 3)
            all.push_back({reinterpret_cast<void *>(ports[k]), ports[k + 1], ports[k + 2]});
        return advance(stack, steps, all.data(), all.back());
    }

    // For whoever reads or writes states: false while a call is under way.
    bool enter() { return !busy.test_and_set(std::memory_order_acquire); }
    void leave() { busy.clear(std::memory_order_release); }

   private:
    void keep(Layer &layer) {
        if (forked) layer.job.threads = 1;
        layer.job.by_units = layer.job.by_units && layer.job.threads > 1;
        auto make = [&] {
            const int64_t bytes = level.kept_bytes(layer.job, is_double);
            if (bytes >= MOST_MEMORY) throw std::bad_alloc();
            layer.memory = std::make_unique<Aligned>(size_t(bytes));
            layer.kept = level.keep(layer.job, layer.memory->get(), is_double);
        };
        make();
        if (layer.kept != nullptr) return;
        // As many threads as asked for were not to be had: one will do.
        layer.job.threads = 1;
        layer.job.by_units = false;
        make();
    }

    // A tensor [B, w], or of a single sequence [w]; all of a step have as many dimensions as the first, which finds 0.
    bool read(PyObject *tensor, int64_t w, int &dimensions, Port &to) const {
        dlpack::Tensor view;
        if (!readable().view(tensor, view) || view.device != dlpack::CPU || view.kind != dlpack::FLOATING ||
            view.bits != 8 * item() || (dimensions && view.n_dimensions != dimensions))
            return false;
        const int n = dimensions = view.n_dimensions;
        if ((n == 2 ? view.shape[0] != batch : n != 1 || batch != 1) || view.shape[n - 1] != w ||
            (w > 1 && view.strides[n - 1] != 1))
            return false;
        if ((reinterpret_cast<uintptr_t>(view.data) + view.offset) % uintptr_t(item()) != 0) return false;
        // DLPack says nothing of tensors that stand for the negative of what their memory holds.
        if (readable().negated(tensor)) return false;
        to = {static_cast<char *>(view.data) + view.offset, 0, n == 2 ? view.strides[0] : 0};
        return true;
    }

    bool overlap(const Port &x, int64_t x_width, const Port &out, int64_t w) const {
        const char *first = static_cast<const char *>(x.data), *second = static_cast<const char *>(out.data);
        return first < second + ((batch - 1) * out.row + w) * item() &&
               second < first + ((batch - 1) * x.row + x_width) * item();
    }

    void set_aside(Port &x) {
        for (int64_t b = 0; b < batch; b++)
            std::memcpy(aside.get() + b * width * item(), static_cast<char *>(x.data) + b * x.row * item(),
                        size_t(width * item()));
        x = {aside.get(), 0, width};
    }

    Outcome advance(Stack &stack, int64_t steps, const Port *inputs, const Port &out) {
        if (work * batch * steps < LONG) return advance_all(stack, steps, inputs, out);
        nb::gil_scoped_release release;
        return advance_all(stack, steps, inputs, out);
    }

    Outcome advance_all(Stack &stack, int64_t steps, const Port *inputs, const Port &out) {
        auto later = [&](const Port &port, int64_t from) {
            return Port{static_cast<char *>(port.data) + from * port.time * item(), port.time, port.row};
        };
        for (int64_t from = 0; from < steps; from += stack.most_steps) {
            const Port *below = nullptr;
            for (auto &each : stack.layers) {
                Layer &layer = *each;
                for (size_t k = 0; k < layer.sources.size(); k++) {
                    const int64_t source = layer.sources[k];
                    layer.streams[k] = source == 0 && below != nullptr ? *below : later(inputs[source], from);
                }
                layer.result = each == stack.layers.back()
                                   ? later(out, from)
                                   : Port{layer.between->get(), batch * layer.width, layer.width};
                layer.job.steps = steps - from < stack.most_steps ? steps - from : stack.most_steps;
                layer.job.states = layer.states[side].data();
                layer.job.finals = layer.states[1 - side].data();
                if (forked && layer.job.threads > 1) return NO_THREADS;
                const int outcome = level.run_kept(layer.kept, is_double);
                if (outcome != 0) return outcome > 0 ? UNKNOWN : NO_THREADS;
                below = &layer.result;
            }
            side = 1 - side;
            taken += stack.layers.back()->job.steps;
        }
        return DONE;
    }
};

inline void bind_stream(nb::module_ &m) {
    m.def("know", [](nb::handle tensor, nb::handle parameter) { return readable().know(tensor, parameter); });
    nb::class_<Packed>(m, "Packed")
        .def(nb::init<nb::object, const std::vector<int64_t> &, int64_t>(), "plan"_a, "parameters"_a, "weights"_a)
        .def_prop_ro("bytes", &Packed::bytes);
    nb::class_<Stream>(m, "Stream")
        .def(nb::init<int64_t, const std::vector<int64_t> &, nb::list, bool>(), "batch"_a, "widths"_a, "names"_a,
             "is_double"_a)
        .def("add", &Stream::add, "most_steps"_a, "packed"_a, "sources"_a, "parameters"_a, "states"_a, "widths"_a, "result"_a,
             "threads"_a, "by_units"_a, "multiplications"_a)
        .def("give", &Stream::give, "whole"_a, "flat"_a, "address"_a, "row"_a)
        .def("follow", &Stream::follow, "table"_a, "name"_a, "value"_a)
        .def("changed", &Stream::changed)
        .def("at", &Stream::at)
        .def("steps", &Stream::steps)
        .def("step", &Stream::step, nb::arg("x").none(), nb::arg("inputs").none() = nb::none(), nb::arg("out").none() = nb::none())
        .def("run", &Stream::run, "steps"_a, "ports"_a)
        .def("enter", &Stream::enter)
        .def("leave", &Stream::leave);
}

}  // namespace gatewise
