// A plan's execution, compiled once for each instruction-set level (GW_LEVEL names it, GW_BYTES is its vector's size).
//
// Everything is written in the compiler's vector extensions. A tile of a product stays in registers; its results go to
// a small block that stays in the nearest cache, where the pointwise program that follows works on it. Nothing of the
// standard library's templates is used: the linker would merge those of all levels into one, which might be that of a
// level this processor does not have.
#include "operations.h"
#include "plan.h"

#include <cmath>
#include <sched.h>

#include <new>

#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(GW_CHECKED) && defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#elif defined(GW_CHECKED) && defined(__SANITIZE_THREAD__)
#include <pthread.h>
#endif

#ifndef GW_LEVEL
#define GW_LEVEL baseline
#define GW_BYTES 16
#endif

namespace gatewise {
namespace GW_LEVEL {

#include "vectors.h"
#include "products.h"
#include "narrow.h"
#include "frame.h"
#include "pointwise.h"
#include "native.h"
#include "rows.h"
#include "sums.h"
#include "runner.h"
#include "team.h"
#include "kept.h"

// A thread's memory stands at the same place whoever counts: each takes its pieces from an arena of its own.
template <typename S>
int64_t thread_bytes(const Frame<S> &frame) {
    Arena arena(nullptr);
    Runner<S> runner(frame, 0, arena);
    return arena.size();
}

template <typename S>
int64_t memory_of(const Job &job) {
    Arena arena(nullptr);
    Frame<S> frame(job, arena);
    frame.take_buffers(arena);
    const int64_t all = arena.size() + times(frame.threads, thread_bytes(frame));
    return all < MOST_MEMORY ? all : MOST_MEMORY;
}

template <typename S>
int run_jobs(const Job *jobs, void *const *memory, int64_t n_jobs) {
    int failures = 0;
    auto work = [&](const Frame<S> &frame, char *own, int64_t bytes, int64_t id) {
        Arena arena(own + id * bytes);
        Runner<S> runner(frame, id, arena);
        runner.run();
        if (!runner.ok()) __atomic_store_n(&failures, 1, __ATOMIC_RELAXED);
    };
    // Two jobs at most: the two directions of a layer.
    alignas(64) char frames[2][sizeof(Frame<S>)];
    char *own[2];
    int64_t bytes[2], threads = 0;
    for (int64_t j = 0; j < n_jobs; j++) {
        Arena arena(memory[j]);
        Frame<S> *frame = new (frames[j]) Frame<S>(jobs[j], arena);
        frame->take_buffers(arena);
        frame->prepare();
        own[j] = static_cast<char *>(memory[j]) + arena.size();
        bytes[j] = thread_bytes(*frame);
        threads += frame->threads;
    }
    auto frame_of = [&](int64_t j) -> const Frame<S> & { return *reinterpret_cast<const Frame<S> *>(frames[j]); };
    auto share = [&](int64_t thread) {
        int64_t first = frame_of(0).threads, j = thread < first ? 0 : 1;
        work(frame_of(j), own[j], bytes[j], j ? thread - first : thread);
    };
    return team(threads, share) ? failures : -1;
}

int64_t vector_bytes() { return GW_BYTES; }
int64_t memory(const Job &job, bool is_double) { return is_double ? memory_of<double>(job) : memory_of<float>(job); }
int run(const Job *jobs, void *const *memory, int64_t n_jobs, bool is_double) {
    return is_double ? run_jobs<double>(jobs, memory, n_jobs) : run_jobs<float>(jobs, memory, n_jobs);
}

int64_t packed_bytes(const Plan &plan, Weights weights, bool is_double) {
    return is_double ? pack_all<double>(plan, weights, nullptr, nullptr) : pack_all<float>(plan, weights, nullptr, nullptr);
}
void pack(const Plan &plan, Weights weights, const Port *parameters, char *packed, bool is_double) {
    if (is_double) pack_all<double>(plan, weights, parameters, packed);
    else pack_all<float>(plan, weights, parameters, packed);
}
int64_t kept_bytes(const Job &job, bool is_double) {
    return is_double ? kept_bytes_of<double>(job) : kept_bytes_of<float>(job);
}
void *keep(const Job &job, void *memory, bool is_double) {
    return is_double ? keep_job<double>(job, memory) : keep_job<float>(job, memory);
}
int run_kept(void *kept, bool is_double) {
    return is_double ? static_cast<Kept<double> *>(kept)->run() : static_cast<Kept<float> *>(kept)->run();
}

#define GW_TEXT_(x) #x
#define GW_TEXT(x) GW_TEXT_(x)
extern const Level level = {GW_TEXT(GW_LEVEL), vector_bytes, memory, run, packed_bytes, pack, kept_bytes, keep, run_kept};

}  // namespace GW_LEVEL
}  // namespace gatewise
