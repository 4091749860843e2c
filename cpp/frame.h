// What the threads of a job share: memory, packed matrices, the order of the sequences. Included by level.cpp only,
// inside the level's namespace.
#pragma once

// Sizes stay within what can be counted: a sum or product that does not is `MOST_MEMORY`.
inline int64_t times(int64_t a, int64_t b) {
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) || product > MOST_MEMORY ? MOST_MEMORY : product;
}

// In a build for tests, a piece is followed by memory that nobody may touch.
#if defined(GW_CHECKED) && defined(__SANITIZE_ADDRESS__)
constexpr int64_t FENCE = 64;
inline void fence(char *start) { __asan_poison_memory_region(start, size_t(FENCE)); }
#else
constexpr int64_t FENCE = 0;
inline void fence(char *) {}
#endif

// Memory handed out piece by piece; without memory it only counts.
class Arena {
    char *start;
    int64_t used = 0;

   public:
    explicit Arena(void *memory) : start(static_cast<char *>(memory)) {}
    template <typename E>
    E *take(int64_t count) {
        E *piece = start ? reinterpret_cast<E *>(start + used) : nullptr;
        const int64_t bytes = times(count, int64_t(sizeof(E)));
        used = bytes > MOST_MEMORY - 64 - FENCE - used ? MOST_MEMORY : used + (bytes + 63) / 64 * 64 + FENCE;
        if (start) fence(start + used - FENCE);
        return piece;
    }
    int64_t size() const { return used; }
    bool counts() const { return start == nullptr; }
};

// All threads wait for one another, spinning: a turn of the loop takes less than a thread takes to fall asleep. A thread
// that has waited for long lets others run, in case there are more threads than processors.
class Barrier {
    int64_t arrived, generation;

   public:
    void reset() { arrived = generation = 0; }
    void wait(int64_t threads) {
        if (threads == 1) return;
        int64_t now = __atomic_load_n(&generation, __ATOMIC_RELAXED);
        if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == threads) {
            __atomic_store_n(&arrived, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&generation, now + 1, __ATOMIC_RELEASE);
            return;
        }
        for (int64_t spins = 0; __atomic_load_n(&generation, __ATOMIC_ACQUIRE) == now; spins++) {
            if (spins > 4096) sched_yield();
#if defined(__x86_64__)
            else __builtin_ia32_pause();
#endif
        }
    }
};

// Where a buffer's values stand: at a turn's time, or in one of a few slots that turns take in rotation.
template <typename S>
struct Place {
    S *data;
    int64_t time, row;
    int64_t slots;  // a power of two; 0 where the time itself counts
    int64_t at(int64_t turn, int64_t step) const { return (slots ? turn & (slots - 1) : step) * time; }
};

// Sequences by their places in the batch, the longest first, and how many of them a turn has.
struct Members {
    int32_t *rows;
    int64_t count;
    int32_t *active;  // of each turn; null where all sequences are as long as the batch
    int64_t at(int64_t turn) const { return active ? active[turn] : count; }
};

constexpr int64_t TURN_SLOTS = 4;     // this turn's values, those of the one before, and one that may be written already
constexpr int64_t SUM_LINES = 256;    // lines (sequences at a time step) that are summed together
constexpr int BLOCK = 24;             // vectors of one register of a program: lines times vectors of units

template <typename S>
struct Frame {
    const Job &job;
    const Plan &plan;
    int64_t threads;
    int64_t chunk;  // turns that are worked off together
    Barrier *barrier;
    Place<S> *places;
    char **packed;
    Members members;
    double *totals;  // sums of vectors, one after the other
    S *strips;       // adjoints of the lines that are summed, [rows / TILE_ROWS][line][TILE_ROWS]

    Frame(const Job &job, Arena &arena)
        : job(job), plan(*job.plan), threads(job.by_units ? job.threads : least(job.threads, job.rows)) {
        chunk = turns_together();
        barrier = arena.take<Barrier>(1);
        places = arena.take<Place<S>>(plan.n_buffers);
        packed = arena.take<char *>(plan.n_packs);
        members = take_members(arena, job.rows);
    }

    static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
    static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

    Members take_members(Arena &arena, int64_t count) const {
        return {arena.take<int32_t>(count), count, job.lengths ? arena.take<int32_t>(job.steps) : nullptr};
    }

    int64_t time_of(int64_t turn) const { return job.backwards ? job.steps - 1 - turn : turn; }
    int64_t length(int64_t row) const { return job.lengths ? job.lengths[row] : job.steps; }
    // A sequence's first turn: against time, short sequences come in later.
    int64_t start(int64_t row) const { return job.backwards ? job.steps - length(row) : 0; }

    // A sequence's last turn is at this time.
    int64_t edge(int64_t row) const { return job.backwards ? 0 : length(row) - 1; }

    // The chunk's own values, what it reads and what it writes shall fit the second cache together.
    int64_t turns_together() const {
        int64_t bytes = 0;
        for (int64_t g = 0; g < plan.n_groups; g++) bytes += plan.groups[g] * job.rows * int64_t(sizeof(S));
        if (plan.before.n_stages + plan.after.n_stages + plan.n_sums == 0) return job.steps;
        // Matrices that do not fit that cache are read once for each chunk: then it shall be worth it.
        int64_t matrices = 0;
        for (int64_t s = 0; s < plan.before.n_stages; s++)
            if (plan.before.stages[s].kind == Kind::pack || plan.before.stages[s].kind == Kind::fused)
                matrices += packed_bytes<S>(plan.before.stages[s].pack, job.weights);
        int64_t lines = plan.n_sums ? SUM_LINES : matrices > 512 * 1024 ? 256 : 48;
        int64_t fewest = (lines + job.rows - 1) / job.rows;
        int64_t fitting = (plan.n_sums ? 768 : 256) * 1024 / most(bytes, 1);
        int64_t fit = most(1, least(job.steps, most(fewest, least(fitting, 8192 / job.rows))));
        if (fit == job.steps) return fit;
        // With the two turns before it, a chunk takes a power of two of slots.
        int64_t slots = 4;
        while (2 * slots <= fit + 2) slots *= 2;
        return slots - 2;
    }
    int64_t chunk_slots() const {
        int64_t slots = 2;
        while (slots < least(job.steps, chunk + 2)) slots *= 2;
        return slots;
    }

    int64_t lines_together() const { return chunk * job.rows; }

    static Place<S> rotating(Arena &arena, int64_t slots, int64_t row, int64_t rows) {
        return {arena.take<S>(times(slots, row * rows)), row * rows, row, slots};
    }

    // The units of a group, with those beyond its end that a last panel reads of what its products are added to: else it
    // would read of the next sequence, on which another thread may be at work.
    int64_t row_of(int64_t group) const {
        int64_t row = plan.groups[group];
        for (int64_t p = 0; p < plan.n_packs; p++) {
            const Pack &pack = *plan.packs[p];
            const Panels<S> panels(pack.n_outputs, pack.width);
            for (int64_t o = 0; o < pack.n_outputs; o++)
                if (pack.starts[o] >= 0 && plan.buffers[pack.starts[o]].index == group)
                    row = most(row, plan.buffers[pack.starts[o]].update + panels.count * panels.units);
        }
        return row;
    }

    // Memory of buffers; the values of constants and parameters are filled in by `prepare`.
    void take_buffers(Arena &arena) {
        Place<S> *groups = arena.take<Place<S>>(plan.n_groups);
        for (int64_t g = 0; g < plan.n_groups; g++) {
            Place<S> group = rotating(arena, chunk_slots(), row_of(g), job.rows);
            if (!arena.counts()) groups[g] = group;
        }
        for (int64_t b = 0; b < plan.n_buffers; b++) {
            const Buffer &buffer = plan.buffers[b];
            Place<S> place{nullptr, 0, 0, 0};
            switch (buffer.source) {
                case Source::stream:
                case Source::earlier:
                case Source::state:
                case Source::result: break;
                case Source::chunk:
                    if (!arena.counts()) place = groups[buffer.index], place.data += buffer.update;
                    break;
                case Source::turns: place = rotating(arena, TURN_SLOTS, buffer.width, job.rows); break;
                case Source::vector:
                case Source::constant:
                case Source::once: place.data = arena.take<S>(buffer.width); break;
            }
            if (!arena.counts()) places[b] = place;
        }
        int64_t heights = 0;
        for (int64_t s = 0; s < plan.n_sums; s++) heights += plan.sums[s].width ? 0 : plan.sums[s].height;
        totals = arena.take<double>(heights);
        strips = arena.take<S>(plan.strips * SUM_LINES);
        Arena given(job.packed);
        Arena &matrices = job.packed ? given : arena;
        for (int64_t p = 0; p < plan.n_packs; p++) {
            char *memory = matrices.take<char>(packed_bytes<S>(*plan.packs[p], job.weights));
            if (!arena.counts()) packed[p] = memory;
        }
        if (!arena.counts()) place_ports();
    }

    // Buffers that stand in the memory of the call.
    void place_ports() {
        auto given = [](const Port &port) { return Place<S>{static_cast<S *>(port.data), port.time, port.row, 0}; };
        for (int64_t b = 0; b < plan.n_buffers; b++) {
            const Buffer &buffer = plan.buffers[b];
            switch (buffer.source) {
                case Source::stream:
                case Source::earlier: places[b] = given(job.streams[buffer.index]); break;
                case Source::state: places[b] = given(job.states[buffer.index]); break;
                case Source::result: places[b] = given(job.results[buffer.index]); break;
                default: break;
            }
        }
    }

    // Done by one thread before the others start.
    void prepare() {
        barrier->reset();
        order(members, 0, 1);
        for (int64_t b = 0; b < plan.n_buffers; b++) {
            const Buffer &buffer = plan.buffers[b];
            S *data = places[b].data;
            if (buffer.source == Source::constant)
                for (int64_t u = 0; u < buffer.width; u++) data[u] = S(plan.numbers[buffer.index]);
            if (buffer.source == Source::vector) {
                const Vector &vector = plan.vectors[buffer.index];
                const S *parts[2] = {nullptr, nullptr};
                for (int64_t p = 0; p < vector.n_parts; p++)
                    parts[p] = static_cast<const S *>(job.parameters[vector.port[p]].data) + vector.offset[p];
                for (int64_t u = 0; u < buffer.width; u++)
                    data[u] = vector.n_parts == 2 ? parts[0][u] + parts[1][u] : parts[0][u];
            }
        }
    }

    // The sequences of thread `id` of `n`: of equal length in one piece, otherwise dealt out in turn, longest first.
    void order(Members &some, int64_t id, int64_t n) const {
        if (!job.lengths) {
            int64_t from = job.rows * id / n, to = job.rows * (id + 1) / n;
            some.count = to - from;
            for (int64_t r = 0; r < some.count; r++) some.rows[r] = int32_t(from + r);
            return;
        }
        if (n == 1) {
            // By counting: how many sequences are longer, then each to its place; equal ones keep their order.
            int32_t *longer = some.active;  // for now: sequences of at least t + 1 steps
            for (int64_t t = 0; t < job.steps; t++) longer[t] = 0;
            for (int64_t r = 0; r < job.rows; r++)
                if (job.lengths[r] > 0) longer[job.lengths[r] - 1]++;
            for (int64_t t = job.steps - 2; t >= 0; t--) longer[t] += longer[t + 1];
            some.count = job.steps ? longer[0] : 0;  // empty sequences have no turn
            for (int64_t r = job.rows - 1; r >= 0; r--)
                if (job.lengths[r] > 0) some.rows[--longer[job.lengths[r] - 1]] = int32_t(r);
        } else {
            some.count = 0;
            for (int64_t r = id; r < members.count; r += n) some.rows[some.count++] = members.rows[r];
        }
        for (int64_t turn = 0, last = some.count; turn < job.steps; turn++) {
            int64_t time = job.backwards ? job.steps - 1 - turn : turn;
            if (job.backwards) {
                int64_t now = turn ? some.active[turn - 1] : 0;
                while (now < some.count && job.lengths[some.rows[now]] > time) now++;
                some.active[turn] = int32_t(now);
            } else {
                while (last > 0 && job.lengths[some.rows[last - 1]] <= time) last--;
                some.active[turn] = int32_t(last);
            }
        }
    }

    // A buffer's values of one sequence at one turn.
    S *at(int64_t b, int64_t turn, int64_t row) const {
        const Buffer &buffer = plan.buffers[b];
        const Place<S> &place = places[b];
        if (buffer.source == Source::state)
            return turn == start(row) ? place.data + row * place.row : at(buffer.update, turn - 1, row);
        if (buffer.source == Source::earlier) {
            const int64_t time = time_of(turn);
            if (time != edge(row)) return place.data + (job.backwards ? time - 1 : time + 1) * place.time + row * place.row;
            const Port &first = job.streams[buffer.update];
            return static_cast<S *>(first.data) + row * first.row;
        }
        return place.data + place.at(turn, time_of(turn)) + row * place.row;
    }
};
