// The Python module: the levels that this processor can run, and plans.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

#if defined(GW_CHECKED) && defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "reader.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace gatewise {

void bind_masks(nb::module_ &m);                           // masks_binding.cpp
void bind_ctc(nb::module_ &m, const char *(*chosen)());  // ctc_binding.cpp
void bind_grid(nb::module_ &m, const char *(*chosen)());  // grid_binding.cpp

#define GW_DECLARE(name)      \
    namespace name {          \
    extern const Level level; \
    }
GW_DECLARE(baseline)
#ifdef GW_X86
GW_DECLARE(x86_64_v3)
GW_DECLARE(x86_64_v4)
#endif

// Best level first.
std::vector<const Level *> supported() {
    std::vector<const Level *> found;
#ifdef GW_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
        found.push_back(&x86_64_v4::level);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        found.push_back(&x86_64_v3::level);
#endif
    found.push_back(&baseline::level);
    return found;
}

const Level &chosen() {
    static const Level *level = [] {
        std::vector<const Level *> levels = supported();
        const char *wanted = std::getenv("GATEWISE_CPU_LEVEL");
        if (wanted == nullptr || *wanted == 0) return levels.front();
        std::string names;
        for (const Level *candidate : levels) {
            if (wanted == std::string(candidate->name)) return candidate;
            names += (names.empty() ? "" : ", ") + std::string(candidate->name);
        }
        throw std::invalid_argument("GATEWISE_CPU_LEVEL=" + std::string(wanted) +
                                    " is no level of this processor and build; there is: " + names);
    }();
    return *level;
}

// Memory that calls leave behind for those that come after them: new memory costs more than a short call.
class Pool {
    struct Piece {
        void *data;
        size_t size;
    };
    std::mutex mutex;
    std::vector<Piece> pieces;
    size_t bytes = 0;  // of all pieces
    static constexpr size_t MOST_PIECES = 8, MOST_BYTES = size_t(1) << 29;

   public:
    class Lease {
        Pool &pool;
        Piece piece;

       public:
        Lease(Pool &pool, size_t size) : pool(pool), piece(pool.take(size)) { spoil(piece); }
        ~Lease() { pool.give(piece); }
        Lease(const Lease &) = delete;
        Lease &operator=(const Lease &) = delete;
        void *data() const { return piece.data; }
    };

    Pool() { pieces.reserve(MOST_PIECES + 1); }  // giving back must not fail
    ~Pool() {
        for (Piece &piece : pieces) std::free(piece.data);
    }
    // Held while the process is forked: no thread is in the middle of it then.
    std::mutex &guard() { return mutex; }

   private:
    // In a build for tests: what is read before it is written is not a number, and a place that is not there.
    static void spoil([[maybe_unused]] const Piece &piece) {
#ifdef GW_CHECKED
#ifdef __SANITIZE_ADDRESS__
        __asan_unpoison_memory_region(piece.data, piece.size);
#endif
        std::memset(piece.data, 0xff, piece.size);
#endif
    }

    // Not so large a piece that what is little would hold what is much.
    static bool fits(size_t there, size_t wanted) { return there >= wanted && (there / 4 <= wanted || there < (1 << 20)); }

    Piece take(size_t size) {
        {
            std::lock_guard<std::mutex> guard(mutex);
            size_t best = pieces.size();
            for (size_t k = 0; k < pieces.size(); k++)
                if (fits(pieces[k].size, size) && (best == pieces.size() || pieces[k].size < pieces[best].size)) best = k;
            if (best < pieces.size()) {
                Piece piece = pieces[best];
                remove(best);
                return piece;
            }
        }
        size = (size + 4095) / 4096 * 4096;
        void *data = std::aligned_alloc(64, size);
        if (data == nullptr) throw std::bad_alloc();
        return {data, size};
    }

    void remove(size_t k) {
        bytes -= pieces[k].size;
        pieces.erase(pieces.begin() + std::ptrdiff_t(k));
    }

    // Keeps the piece; where that makes too many or too much, the smallest go.
    void give(Piece piece) {
        if (piece.size > MOST_BYTES) return std::free(piece.data);
        std::lock_guard<std::mutex> guard(mutex);
        pieces.push_back(piece);
        bytes += piece.size;
        while (pieces.size() > MOST_PIECES || bytes > MOST_BYTES) {
            size_t smallest = 0;
            for (size_t k = 1; k < pieces.size(); k++)
                if (pieces[k].size < pieces[smallest].size) smallest = k;
            std::free(pieces[smallest].data);
            remove(smallest);
        }
    }
};

// For calls, and for tensors. Threads may still use them when the module goes, so they never go.
Pool &pool() {
    static Pool *everlasting = new Pool;
    return *everlasting;
}
Pool &lent() {
    static Pool *everlasting = new Pool;
    return *everlasting;
}

// Memory for a tensor, which comes back when the tensor goes: what the system hands out and takes back with every call
// costs a fault for each of its pages.
template <typename S>
nb::object lend(size_t size) {
    auto lease = std::make_unique<Pool::Lease>(lent(), size * sizeof(S));
    void *data = lease->data();
    nb::capsule owner(lease.get(), [](void *p) noexcept { delete static_cast<Pool::Lease *>(p); });
    lease.release();
    return nb::cast(nb::ndarray<nb::pytorch, S, nb::ndim<1>>(data, {size}, owner));
}

// OpenMP's threads do not go along into a process that is forked, and it waits for them: there, one thread has to do.
bool forked = false;

void mind_forks() {
#if defined(__unix__) || defined(__APPLE__)
    static const auto lock = [] { pool().guard().lock(), lent().guard().lock(); };
    static const auto unlock = [] { lent().guard().unlock(), pool().guard().unlock(); };
    pthread_atfork([] { lock(); }, [] { unlock(); },
                   [] {
                       unlock();
                       forked = true;
                   });
#endif
}

typedef nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> Ints;
typedef nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu> Doubles;

struct Owner {
    PlanReader reader;
    bool is_double;
    Owner(Ints ints, Doubles doubles, bool is_double, bool interprets)
        : reader({ints.data(), ints.data() + ints.size()}, {doubles.data(), doubles.data() + doubles.size()}, interprets),
          is_double(is_double) {}
    size_t n_ports() const {
        const Plan &plan = reader.get();
        return size_t(3 * reader.n_streams + 2 * plan.n_states + reader.n_parameters + 3 * plan.n_results +
                      2 * plan.n_states + reader.n_gradients);
    }
};

// The addresses and strides of a call, in the order of `Job`.
class Ports {
    std::vector<Port> all;

    static void expect(bool holds, const char *otherwise) {
        if (!holds) throw std::invalid_argument(otherwise);
    }

    // Every element can be addressed, and no two that are written are one.
    static void check(const Port &port, int64_t element, int64_t steps, int64_t rows, int64_t width, bool written) {
        expect(port.data != nullptr, "the plan was given a tensor without memory");
        expect(reinterpret_cast<uintptr_t>(port.data) % uintptr_t(element) == 0,
               "the plan was given a tensor whose address is no multiple of its elements' size");
        int64_t over_time, over_rows, last;
        expect(port.time >= 0 && port.row >= 0 && !__builtin_mul_overflow(steps - 1, port.time, &over_time) &&
                   !__builtin_mul_overflow(rows - 1, port.row, &over_rows) &&
                   !__builtin_add_overflow(over_time, over_rows, &last) && last <= (int64_t(1) << 58) - width,
               "the plan was given a tensor with a stride out of range");
        expect(!written || ((steps == 1 || port.time >= width) && (rows == 1 || port.row >= width)),
               "the plan was given a tensor to write to whose elements overlap");
    }

   public:
    Ports(const Owner &owner, const std::vector<int64_t> &given, Job &job) {
        expect(given.size() == owner.n_ports(), "the plan was given other tensors than it needs");
        const Plan &plan = owner.reader.get();
        const Needs &needs = owner.reader.needs();
        const int64_t element = owner.is_double ? 8 : 4;
        const std::vector<int64_t> *widths[] = {&needs.streams, &needs.states, &needs.parameters,
                                                &needs.results, &needs.states, &needs.gradients};
        const int64_t counts[] = {owner.reader.n_streams, plan.n_states, owner.reader.n_parameters,
                                  plan.n_results, plan.n_states, owner.reader.n_gradients};
        const int64_t fields[] = {3, 2, 1, 3, 2, 1};
        size_t at = 0;
        for (int kind = 0; kind < 6; kind++)
            for (int64_t k = 0; k < counts[kind]; k++) {
                Port port{reinterpret_cast<void *>(given[at]), 0, 0};
                if (fields[kind] == 3) port.time = given[at + 1];
                if (fields[kind] >= 2) port.row = given[at + size_t(fields[kind]) - 1];
                check(port, element, fields[kind] == 3 ? job.steps : 1, fields[kind] >= 2 ? job.rows : 1,
                      (*widths[kind])[size_t(k)], kind >= 3);
                all.push_back(port);
                at += size_t(fields[kind]);
            }
        const Port **places[] = {&job.streams, &job.states, &job.parameters, &job.results, &job.finals, &job.gradients};
        const Port *next = all.data();
        for (int kind = 0; kind < 6; kind++) {
            *places[kind] = next;
            next += counts[kind];
        }
    }
};

}  // namespace gatewise
#include "stream.h"
namespace gatewise {

// Run one plan, or two at the same time.
void run(const std::vector<const Owner *> &plans, const std::vector<std::vector<int64_t>> &ports,
         const std::vector<bool> &backwards, int64_t steps, int64_t rows, const std::vector<int64_t> &lengths,
         int64_t threads, bool by_units, const std::vector<const Packed *> &packed) {
    const size_t n = plans.size();
    if (n < 1 || n > 2 || ports.size() != n || backwards.size() != n || plans[0] == nullptr || plans[n - 1] == nullptr ||
        plans[0]->is_double != plans[n - 1]->is_double)
        throw std::invalid_argument("expected one or two plans of one type, and the ports and the direction of each");
    constexpr int64_t MOST = std::numeric_limits<int32_t>::max();  // places in time and in the batch are 32 bits wide
    if (steps < 1 || steps > MOST || rows < 1 || rows > MOST || threads < 1 || threads > MOST)
        throw std::invalid_argument("expected at least one time step, sequence and thread, and fewer than 2^31 of each");
    if (!lengths.empty() && lengths.size() != size_t(rows))
        throw std::invalid_argument("expected a length for each sequence");
    if (!packed.empty() && packed.size() != n) throw std::invalid_argument("expected the matrices of each plan");
    for (int64_t length : lengths)
        if (length < 0 || length > steps) throw std::invalid_argument("a length is not within the time steps");
    if (forked) threads = 1;
    const bool is_double = plans[0]->is_double, apart = n == 2 && threads > 1;
    const Level &level = chosen();
    Job jobs[2]{};
    std::vector<Ports> holders;
    for (size_t k = 0; k < n; k++) {
        Job &job = jobs[k];
        job.plan = &plans[k]->reader.get();
        job.steps = steps;
        job.rows = rows;
        job.backwards = backwards[k];
        job.lengths = lengths.empty() ? nullptr : lengths.data();
        job.threads = apart ? (k ? threads / 2 : threads - threads / 2) : threads;
        job.by_units = by_units && job.threads > 1;
        if (!packed.empty()) {
            if (&packed[k]->owner() != plans[k]) throw std::invalid_argument("the matrices were packed for another plan");
            job.weights = packed[k]->weights;
            job.packed = packed[k]->get();
        }
        holders.emplace_back(*plans[k], ports[k], job);
        // Else what is kept for a turn could not be counted.
        if (plans[k]->reader.kept() > (int64_t(1) << 50) / rows) throw std::bad_alloc();
    }
    int failure = 0;
    {
        nb::gil_scoped_release release;
        auto memory = [&](const Job &job) {
            const int64_t bytes = level.memory(job, is_double);
            if (bytes >= MOST_MEMORY) throw std::bad_alloc();
            return size_t(bytes);
        };
        auto together = [&](const Job *some, size_t count) {
            Pool::Lease first(pool(), memory(some[0])), second(pool(), count == 2 ? memory(some[1]) : 64);
            void *const pieces[] = {first.data(), second.data()};
            return level.run(some, pieces, int64_t(count), is_double);
        };
        failure = apart ? together(jobs, 2) : 0;
        for (size_t k = 0; k < n && !apart && failure >= 0; k++) failure |= together(jobs + k, 1);
        // As many threads as asked for were not to be had: one will do.
        for (size_t k = 0; k < n && failure < 0; k++) {
            jobs[k].threads = 1;
            jobs[k].by_units = false;
            if (together(jobs + k, 1) > 0) failure = 1;
        }
    }
    if (failure > 0) throw std::runtime_error("the plan has an operation that this build does not know");
}

}  // namespace gatewise

NB_MODULE(_core, m) {
    using namespace gatewise;
    m.doc() = "Schedules on the CPU, compiled.";
    nb::set_leak_warnings(false);  // plans are remembered until the interpreter ends
    m.def("levels", [] {
        std::vector<std::string> names;
        for (const Level *level : supported()) names.push_back(level->name);
        return names;
    });
    m.def("level", [] { return std::string(chosen().name); });
    nb::class_<Owner>(m, "Plan")
        .def(nb::init<Ints, Doubles, bool, bool>(), "numbers"_a, "constants"_a, "is_double"_a, "interprets"_a = false,
             "Read and check a plan; `interprets`: without functions that were written for programs.")
        .def_prop_ro(
            "needs",
            [](const Owner &owner) {
                const Needs &needs = owner.reader.needs();
                return std::make_tuple(needs.streams, needs.states, needs.parameters, needs.results, needs.gradients);
            },
            "Units of each stream, state and result, and elements of each parameter and gradient, that are touched.")
        .def_prop_ro(
            "natives", [](const Owner &owner) { return std::make_pair(owner.reader.natives(), owner.reader.programs()); },
            "How many pointwise programs have a function of their own, and how many there are.");
    m.def("run", &run, "plans"_a, "ports"_a, "backwards"_a, "steps"_a, "rows"_a, "lengths"_a, "threads"_a, "by_units"_a,
          "packed"_a = std::vector<const Packed *>());
    m.def(
        "lend", [](size_t size, bool is_double) { return is_double ? lend<double>(size) : lend<float>(size); }, "size"_a,
        "is_double"_a, "A tensor of so many numbers, whose memory is used again when it goes.");
    bind_masks(m);
    bind_ctc(m, [] { return chosen().name; });
    bind_grid(m, [] { return chosen().name; });
    bind_stream(m);
    mind_forks();
}
