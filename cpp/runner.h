// One thread's share of a job. Included by level.cpp only, inside the level's namespace.
#pragma once

template <typename S>
class Runner {
    static constexpr int L = Vec<S>::lanes;
    const Frame<S> &frame;
    const Job &job;
    const Plan &plan;
    const int64_t id, threads;
    bool failed = false;
    bool back = false;  // blocks of units in falling order: what was read last may still be in a cache

    S *registers, *products;
    Span<S> *table, *edges[3];  // where buffers stand at this turn, and for sequences that begin or end with it
    int32_t *line_turns, *line_rows, *zero;
    Members mine;  // the sequences of this thread; of all threads where they share the units
    Multiplied<S> multiplied;
    Sums<S> sums;

   public:
    Runner(const Frame<S> &frame, int64_t id, Arena &arena)
        : frame(frame), job(frame.job), plan(frame.plan), id(id), threads(frame.threads), sums(frame, arena) {
        registers = arena.take<S>(most_registers() * BLOCK * L);
        products = arena.take<S>(most_products() * BLOCK * L);
        table = arena.take<Span<S>>(plan.n_buffers);
        for (Span<S> *&edge : edges) edge = arena.take<Span<S>>(plan.n_buffers);
        bool lines = plan.before.n_stages + plan.after.n_stages + plan.n_sums > 0;
        line_turns = arena.take<int32_t>(lines ? frame.lines_together() : 0);
        line_rows = arena.take<int32_t>(lines ? frame.lines_together() : 0);
        zero = arena.take<int32_t>(1);
        mine = frame.members;
        if (threads > 1 && !job.by_units) mine = frame.take_members(arena, job.rows / threads + 1);
    }

    void run() {
        begin();
        go();
    }

    // What does not depend on the values that change over time.
    void begin() {
        if (threads > 1 && !job.by_units) frame.order(mine, id, threads);
        for (int64_t p = 0; p < plan.n_packs && !job.packed; p++) {
            Panels<S> panels(plan.packs[p]->n_outputs, plan.packs[p]->width);
            pack_panels<S>(*plan.packs[p], job.weights, job.parameters, frame.packed[p], panels.count * id / threads,
                           panels.count * (id + 1) / threads);
        }
        wait();
        if (plan.once.n_stages) {
            if (id == 0) run_once();
            wait();
        }
    }

    // All time steps.
    void go() {
        if (plan.n_sums) sums.clear(id, threads);
        for (int64_t b = 0; b < plan.n_buffers; b++) {
            const Place<S> &place = frame.places[b];
            table[b] = {place.data, place.row, plan.buffers[b].unit};
        }
        begin_empty();
        const bool shared = threads > 1 && (job.by_units || plan.n_sums);
        for (int64_t from = 0; from < job.steps && !failed; from += frame.chunk) {
            int64_t to = Frame<S>::least(from + frame.chunk, job.steps);
            around(plan.before, from, to);
            if (job.by_units) wait();
            for (int64_t turn = from; turn < to; turn++, back = !back) run_turn(turn);
            if (job.by_units) wait();
            around(plan.after, from, to);
            if (shared) wait();
            if (plan.n_sums) sum_up(from, to);
            if (shared) wait();
        }
        if (plan.n_sums) sums.finish(id, threads);
        if (job.lengths) clear_padding();
    }

    bool ok() const { return !failed; }

   private:
    void wait() { frame.barrier->wait(threads); }

    int64_t most_registers() const {
        int64_t most = 1;
        const Phase *const phases[] = {&plan.once, &plan.before, &plan.loop, &plan.after};
        for (const Phase *phase : phases)
            for (int64_t s = 0; s < phase->n_stages; s++) {
                const Stage &stage = phase->stages[s];
                bool runs = stage.kind == Kind::program || stage.kind == Kind::fused;
                if (runs) most = Frame<S>::most(most, stage.program.registers);
            }
        return most;
    }
    int64_t most_products() const {
        int64_t most = 1;
        for (int64_t p = 0; p < plan.n_packs; p++) most = Frame<S>::most(most, plan.packs[p]->n_outputs);
        return most;
    }

    // ------------------------------------------------------------------------------------------------------- phases

    void run_once() {
        for (int64_t b = 0; b < plan.n_buffers; b++) table[b] = {frame.places[b].data, 0, plan.buffers[b].unit};
        zero[0] = 0;
        TurnLines<S> lines{table, zero};
        for (int64_t s = 0; s < plan.once.n_stages; s++) run_stage(plan.once.stages[s], lines, 0, 1, 0, 1);
    }

    // Before and after the loop: line by line, this thread's own.
    void around(const Phase &phase, int64_t from, int64_t to) {
        if (!phase.n_stages) return;
        int64_t all = 0, count = 0, first = 0, last = 0;
        if (job.by_units) {
            for (int64_t turn = from; turn < to; turn++) all += mine.at(turn);
            first = all * id / threads, last = all * (id + 1) / threads, all = 0;
        }
        for (int64_t turn = from; turn < to; turn++)
            for (int64_t m = 0; m < mine.at(turn); m++, all++) {
                if (job.by_units && (all < first || all >= last)) continue;
                line_turns[count] = int32_t(turn);
                line_rows[count++] = mine.rows[m];
            }
        ChunkLines<S> lines{frame, line_turns, line_rows};
        if (count)
            for (int64_t s = 0; s < phase.n_stages; s++) run_stage(phase.stages[s], lines, 0, count, 0, 1);
    }

    void sum_up(int64_t from, int64_t to) {
        ChunkLines<S> lines{frame, line_turns, line_rows};
        int64_t count = 0;
        for (int64_t turn = from; turn < to; turn++)
            for (int64_t m = 0; m < frame.members.at(turn); m++) {
                line_turns[count] = int32_t(turn);
                line_rows[count++] = frame.members.rows[m];
                if (count == SUM_LINES) {
                    sums.add(lines, count, id, threads);
                    count = 0;
                }
            }
        if (count) sums.add(lines, count, id, threads);
    }

    void place(int64_t turn) {
        const int64_t time = frame.time_of(turn);
        for (int64_t b = 0; b < plan.n_buffers; b++) {
            const Place<S> &place = frame.places[b];
            if (place.time) table[b].data = place.data + place.at(turn, time);
        }
        for (int64_t e = 0; e < plan.n_earlier; e++) {
            const int64_t b = plan.earlier[e], before = job.backwards ? time - 1 : time + 1;
            const Place<S> &place = frame.places[b];
            if (before >= 0 && before < job.steps) table[b] = {place.data + before * place.time, place.row, plan.buffers[b].unit};
        }
        if (turn == 0) return;
        for (int64_t s = 0; s < plan.n_states; s++) {
            const Buffer &state = plan.buffers[plan.states[s]];
            const Place<S> &place = frame.places[state.update];
            S *before = place.data + place.at(turn - 1, frame.time_of(turn - 1));
            table[plan.states[s]] = {before, place.row, plan.buffers[state.update].unit};
        }
    }

    // Where buffers stand for sequences that begin or end with this turn.
    void place_edge(Span<S> *edge, bool begins, bool ends) const {
        __builtin_memcpy(edge, table, size_t(plan.n_buffers) * sizeof *edge);
        for (int64_t s = 0; begins && s < plan.n_states; s++) {
            const int64_t b = plan.states[s];
            edge[b] = {frame.places[b].data, frame.places[b].row, plan.buffers[b].unit};
        }
        for (int64_t e = 0; ends && e < plan.n_earlier; e++) {
            const int64_t b = plan.earlier[e];
            const Port &first = job.streams[plan.buffers[b].update];
            edge[b] = {static_cast<S *>(first.data), first.row, plan.buffers[b].unit};
        }
    }

    void run_turn(int64_t turn) {
        const int64_t now = mine.at(turn);
        // Against time, sequences that are shorter than others begin later; along it, they end earlier.
        const int64_t begun = turn == 0 ? 0 : job.backwards && job.lengths ? mine.at(turn - 1) : now;
        const int64_t going = turn + 1 == job.steps ? 0 : job.backwards ? now : mine.at(turn + 1);
        place(turn);
        // Sequences that go on, begin or end with this turn, or both, read their states from different places.
        int64_t cuts[4] = {0, begun < going ? begun : going, begun < going ? going : begun, now};
        const Span<S> *tables[3];
        for (int k = 0; k < 3; k++) {
            const bool begins = cuts[k] >= begun, ends = cuts[k] >= going && plan.n_earlier;
            tables[k] = begins || ends ? edges[k] : table;
            if (cuts[k] < cuts[k + 1] && (begins || ends)) place_edge(edges[k], begins, ends);
        }
        const int64_t part = job.by_units ? id : 0, parts = job.by_units ? threads : 1;
        for (int64_t s = 0; s < plan.loop.n_stages; s++) {
            if (job.by_units && s) wait();
            for (int k = 0; k < 3; k++)
                if (cuts[k] < cuts[k + 1])
                    run_stage(plan.loop.stages[s], TurnLines<S>{tables[k], mine.rows}, cuts[k], cuts[k + 1], part, parts);
        }
        if (job.by_units) wait();
        if (part == 0 && going < now) finish(turn, going, now);
    }

    void finish(int64_t turn, int64_t from, int64_t to) {
        for (int64_t s = 0; s < plan.n_states; s++) {
            const Buffer &state = plan.buffers[plan.states[s]];
            for (int64_t m = from; m < to; m++) {
                const int64_t row = mine.rows[m];
                copy(frame.at(state.update, turn, row), plan.buffers[state.update].unit, s, row, state.width);
            }
        }
    }

    void copy(const S *source, int64_t unit, int64_t state, int64_t row, int64_t width) {
        S *target = static_cast<S *>(job.finals[state].data) + row * job.finals[state].row;
        for (int64_t u = 0; u < width; u++) target[u] = source[u * unit];
    }

    // Sequences of no step end with the states they were given.
    void begin_empty() {
        if (!job.lengths) return;
        for (int64_t row = id; row < job.rows; row += threads)
            if (job.lengths[row] == 0)
                for (int64_t s = 0; s < plan.n_states; s++) {
                    const Buffer &state = plan.buffers[plan.states[s]];
                    copy(frame.places[plan.states[s]].data + row * frame.places[plan.states[s]].row, state.unit, s, row,
                         state.width);
                }
    }

    // Results are 0 beyond a sequence's end.
    void clear_padding() {
        for (int64_t r = 0; r < plan.n_results; r++) {
            const Place<S> &place = frame.places[plan.results[r]];
            for (int64_t row = id; row < job.rows; row += threads)
                for (int64_t time = job.lengths[row]; time < job.steps; time++)
                    fill(place.data + time * place.time + row * place.row, plan.buffers[plan.results[r]].width, S(0));
        }
    }

    // ------------------------------------------------------------------------------------------------------- stages

    // Lines [from, to) of a stage; of its units the part `part` of `parts`.
    template <typename Lines>
    void run_stage(const Stage &stage, const Lines &lines, int64_t from, int64_t to, int64_t part, int64_t parts) {
        switch (stage.kind) {
            case Kind::pack: multiply(stage.pack, nullptr, lines, from, to, part, parts); break;
            case Kind::fused: multiply(stage.pack, &stage.program, lines, from, to, part, parts); break;
            case Kind::program: alone(stage.program, lines, from, to, part, parts); break;
            case Kind::row: {
                int64_t count = to - from;
                if (!mix<S>(stage.row, plan, lines, from + count * part / parts, from + count * (part + 1) / parts))
                    failed = true;
            }
        }
    }

    // As many lines at a time as fit a block, in equal parts.
    static int64_t lines_of(int64_t count, int64_t most) {
        int64_t blocks = (count + most - 1) / most;
        return (count + blocks - 1) / blocks;
    }

    template <typename Lines>
    void multiply(const Pack &pack, const Program *program, const Lines &lines, int64_t from, int64_t to, int64_t part,
                  int64_t parts) {
        const Panels<S> panels(pack.n_outputs, pack.width);
        const int64_t panel_size = group_bytes<S>(pack, job.weights, pack.n_outputs * panels.side);
        const int64_t first = panels.count * part / parts, last = panels.count * (part + 1) / parts;
        if (first == last) return;
        // Few lines: several panels share a block, so that a program's instructions work on as much as they can.
        const int64_t block_lines = lines_of(to - from, BLOCK / panels.side);
        const int64_t together = Frame<S>::most(1, BLOCK / (panels.side * block_lines));
        const bool goes_straight = !program && one_place(pack);
        multiplied.n_factors = pack.n_factors;
        for (int64_t f = 0; f < pack.n_factors; f++) multiplied.depths[f] = pack.factors[f].width;
        multiplied.panel_out = int64_t(panels.side) * L;
        const int64_t blocks = (last - first + together - 1) / together;
        const auto place = [=](int64_t n) { return first + (back ? blocks - 1 - n : n) * together; };
        const char *packed = frame.packed[pack.number];
        const int64_t fetched = group_bytes<S>(pack, job.weights, 1) / GW_BYTES * 64;
        for (int64_t n = 0; n < blocks; n++) {
            const int64_t j = place(n);
            const int64_t count = Frame<S>::least(together, last - j), unit = j * panels.units;
            const int side = int(panels.side * count);  // vectors of an output in the block's lines
            const bool straight = goes_straight && (j + count) * panels.units <= pack.width;
            for (int64_t line = from; line < to; line += block_lines) {
                const int64_t here = Frame<S>::least(block_lines, to - line);
                // What a later block of lines does not fetch any more is the part after what an earlier one has.
                const char *next = packed + (n + 1 < blocks ? place(n + 1) : j) * panel_size +
                                   (line - from + TILE_ROWS - 1) / TILE_ROWS * fetched;
                const Woven woven{packed + j * panel_size, panel_size, count, next, fetched};
                block(pack, lines, woven, panels, line, here, unit, straight);
                if (straight) continue;
                for (int64_t o = 0; o < pack.n_outputs; o++)
                    if (pack.outputs[o] >= 0)
                        put(lines.at(pack.outputs[o]), products + o * BLOCK * L, line, here, unit, side, pack.width);
                if (program) perform(*program, lines, line, here, unit, side);
            }
        }
    }

    template <typename Lines>
    void perform(const Program &program, const Lines &lines, int64_t line, int64_t count, int64_t unit, int side) {
        if (program.native >= 0 && native(program, lines, line, count, unit, side, products)) return;
        if (!execute(program, lines, line, count, unit, side, registers, products)) failed = true;
    }

    // Whether all results of a pack are parts of one vector, so that tiles can write them where they belong.
    bool one_place(const Pack &pack) const {
        const Buffer &first = plan.buffers[pack.outputs[0]];
        for (int64_t o = 1; o < pack.n_outputs; o++) {
            const Buffer &other = plan.buffers[pack.outputs[o]];
            if (first.source != Source::chunk || other.source != Source::chunk || other.index != first.index) return false;
        }
        return true;
    }

    // Panels that are multiplied with a block of lines.
    struct Woven {
        const char *panels;
        int64_t panel_size, count;
        const char *coming;  // what is read next, of which each tile fetches a part
        int64_t fetched;     // its bytes
    };

    // The products of a block: of some panels and `here` lines.
    template <typename Lines>
    void block(const Pack &pack, const Lines &lines, const Woven &woven, const Panels<S> &panels, int64_t line, int64_t here,
               int64_t unit, bool straight) {
        const int64_t panel_size = woven.panel_size, count = woven.count;
        const int64_t tiles = (here + TILE_ROWS - 1) / TILE_ROWS;
        int64_t start = -1;  // the first of the buffers to which products are added
        for (int64_t o = 0; o < pack.n_outputs; o++)
            if (pack.starts[o] >= 0 && (start < 0 || plan.buffers[pack.starts[o]].update < plan.buffers[start].update))
                start = pack.starts[o];
        for (int64_t q = 0; q < tiles; q++) {
            const int64_t top = here * q / tiles, rows = here * (q + 1) / tiles - top;
            for (int64_t f = 0; f < pack.n_factors; f++) {
                auto at = lines.at(pack.factors[f].buffer);
                for (int64_t r = 0; r < rows; r++) multiplied.rows[f][r] = at(line + top + r);
            }
            multiplied.starts[0] = nullptr;
            if (start >= 0) {
                auto at = lines.at(start);
                for (int64_t r = 0; r < rows; r++) multiplied.starts[r] = at(line + top + r) + unit;
            }
            if (straight) {
                auto at = lines.at(pack.outputs[0]);
                for (int64_t r = 0; r < rows; r++) multiplied.outs[r] = at(line + top + r) + unit;
            }
            // One line of memory for each vector of an output: the tiles of a block fetch the panel after it between them.
            multiplied.coming = woven.coming + q * woven.fetched;
            const char *panel = woven.panels;
            for (int64_t g0 = 0; g0 < pack.n_outputs; g0 += GROUP) {
                const int64_t group = Frame<S>::least(GROUP, pack.n_outputs - g0);
                const int vectors = int(group) * panels.side;
                for (int v = 0; v < vectors; v++) {
                    const int64_t o = g0 + v / panels.side, within = int64_t(v % panels.side) * L;
                    multiplied.places[v] = straight ? offset(pack.outputs[o], pack.outputs[0]) + within
                                                    : (v / panels.side) * BLOCK * L + within;
                    multiplied.start_places[v] = pack.starts[o] < 0 ? -1 : offset(pack.starts[o], start) + within;
                }
                if (!straight)
                    for (int64_t r = 0; r < rows; r++)
                        multiplied.outs[r] = products + g0 * BLOCK * L + (top + r) * count * multiplied.panel_out;
                const int64_t pair = rows <= PAIR_ROWS ? 2 : 1, n_pairs = (count + pair - 1) / pair;
                int64_t at = 0;
                for (int64_t n = 0; n < n_pairs; n++) {
                    const int64_t p = (back ? n_pairs - 1 - n : n) * pair;
                    ahead(rows, p - at);
                    at = p;
                    const auto tile = tile_of<S>(int(rows), vectors, pair == 2 && p + 2 <= count, job.weights);
                    tile(multiplied, panel + p * panel_size, panel_size);
                }
                // Back to the first panel, for the outputs that follow.
                if (g0 + GROUP < pack.n_outputs) ahead(rows, -at);
                panel += group_bytes<S>(pack, job.weights, vectors);
            }
        }
    }

    // Where a buffer of a group stands, from another of the same group.
    int64_t offset(int64_t b, int64_t from) const { return b == from ? 0 : plan.buffers[b].update - plan.buffers[from].update; }

    void ahead(int64_t rows, int64_t panels) {
        for (int64_t r = 0; r < rows; r++) {
            multiplied.outs[r] += panels * multiplied.panel_out;
            if (multiplied.starts[0]) multiplied.starts[r] += panels * multiplied.panel_out;
        }
    }

    template <typename Lines>
    void alone(const Program &program, const Lines &lines, int64_t from, int64_t to, int64_t part, int64_t parts) {
        const int64_t vectors = (program.width + L - 1) / L;
        const int64_t first = vectors * part / parts, last = vectors * (part + 1) / parts;
        if (first == last) return;
        int side = int(Frame<S>::least(last - first, Frame<S>::most(4, BLOCK / (to - from))));
        const int64_t block_lines = lines_of(to - from, BLOCK / side);
        for (int64_t line = from; line < to; line += block_lines)
            for (int64_t v = first; v < last; v += side) {
                const int here = int(Frame<S>::least(side, last - v));
                perform(program, lines, line, Frame<S>::least(block_lines, to - line), v * L, here);
            }
    }
};
