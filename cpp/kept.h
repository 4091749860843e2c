// A job that stays: its memory, packed matrices, and what its threads know, from one run to the next. Included by
// level.cpp only, inside the level's namespace.
#pragma once

template <typename S>
class Kept {
    const Job &job;  // whose ports and steps may change between runs
    Frame<S> frame;
    Runner<S> **runners;

    // All threads do something; false where there were not as many as needed, and nothing was done.
    template <typename Body>
    bool together(const Body &body) {
        return team(frame.threads, [&](int64_t thread) { body(*runners[thread]); });
    }

   public:
    // Without memory the arena only counts.
    Kept(const Job &job, Arena &arena) : job(job), frame(job, arena) {
        frame.take_buffers(arena);
        runners = arena.take<Runner<S> *>(frame.threads);
        for (int64_t id = 0; id < frame.threads; id++) {
            Runner<S> *place = arena.take<Runner<S>>(1);
            if (arena.counts()) {
                Runner<S> counted(frame, id, arena);
                continue;
            }
            runners[id] = new (place) Runner<S>(frame, id, arena);
        }
    }

    bool begin() {
        frame.prepare();
        return together([](Runner<S> &runner) { runner.begin(); });
    }

    // 0, or 1: an operation is not known, or -1: threads are missing.
    int run() {
        frame.place_ports();
        if (!together([](Runner<S> &runner) { runner.go(); })) return -1;
        for (int64_t id = 0; id < frame.threads; id++)
            if (!runners[id]->ok()) return 1;
        return 0;
    }
};

template <typename S>
int64_t kept_bytes_of(const Job &job) {
    Arena arena(nullptr);
    arena.take<Kept<S>>(1);
    Kept<S> counted(job, arena);
    return arena.size();
}

template <typename S>
void *keep_job(const Job &job, void *memory) {
    Arena arena(memory);
    Kept<S> *kept = new (arena.take<Kept<S>>(1)) Kept<S>(job, arena);
    return kept->begin() ? kept : nullptr;
}

// The packed matrices of a plan, in the order in which a frame takes them.
template <typename S>
int64_t pack_all(const Plan &plan, Weights weights, const Port *parameters, char *memory) {
    Arena arena(memory);
    for (int64_t p = 0; p < plan.n_packs; p++) {
        const Pack &pack = *plan.packs[p];
        char *place = arena.take<char>(packed_bytes<S>(pack, weights));
        if (!arena.counts())
            pack_panels<S>(pack, weights, parameters, place, 0, Panels<S>(pack.n_outputs, pack.width).count);
    }
    return arena.size();
}
