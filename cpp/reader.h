// A plan, read from whole numbers and checked: every index is within its table, every width fits its buffer, nothing is
// read before it is written, or where it does not stay. What it needs of the tensors that it will be given is counted.
#pragma once
#include <algorithm>
#include <deque>
#include <vector>

#include "native_keys.h"
#include "numbers.h"
#include "operations.h"
#include "plan.h"

namespace gatewise {

// How much of each tensor of a call a plan reads or writes.
struct Needs {
    std::vector<int64_t> streams, states, results;   // units of a vector
    std::vector<int64_t> parameters, gradients;      // elements, from the first on
};

class PlanReader : Numbers {
    enum class Time { once, before, loop, after, sums };

    const std::vector<double> constants;
    std::vector<Buffer> buffers;
    std::vector<Vector> vectors;
    std::deque<std::vector<Stage>> stages;
    std::vector<Sum> sums;
    std::deque<std::vector<Term>> terms;
    std::vector<const Pack *> packs;
    std::vector<int64_t> states, results, earlier;
    std::vector<char> written;  // of each buffer whether a stage has written it
    Time time = Time::once;     // of what is being read
    bool interprets;
    Needs need;
    int64_t n_programs = 0, n_native = 0;
    Plan plan{};

    const Buffer &buffer(int64_t index) const {
        expect(index >= 0 && index < int64_t(buffers.size()), "names a buffer that is not there");
        return buffers[size_t(index)];
    }
    static bool owned(Source source) {
        return source == Source::result || source == Source::chunk || source == Source::turns || source == Source::once;
    }

    // A buffer that is read here: it was given, or written before, and it stays for as long.
    const Buffer &reads(int64_t index) const {
        const Buffer &here = buffer(index);
        expect(!owned(here.source) || written[size_t(index)], "reads a buffer before it is written");
        const bool still = here.source == Source::vector || here.source == Source::constant || here.source == Source::once;
        expect(still || time != Time::once, "reads what changes over time where there is no time");
        expect(here.source != Source::turns || time == Time::loop, "reads a turn's values outside of the loop");
        if (here.source == Source::state) {
            expect(time != Time::before, "reads a state before the loop");
            expect(time == Time::loop || buffer(here.update).source != Source::turns,
                   "reads a turn's values outside of the loop");
        }
        return here;
    }
    void writes(int64_t index, int64_t width) {
        const Buffer &here = buffer(index);
        expect(owned(here.source) && here.width == width, "writes to a buffer that cannot take it");
        expect((here.source == Source::once) == (time == Time::once) &&
                   (here.source != Source::turns || time == Time::loop),
               "writes to a buffer at a time that it does not have");
        expect(!written[size_t(index)], "writes a buffer twice");
        written[size_t(index)] = 1;
    }
    static void needs(std::vector<int64_t> &table, int64_t index, int64_t size) {
        table[size_t(index)] = std::max(table[size_t(index)], size);
    }

    void read_buffers() {
        int64_t n = count();
        for (int64_t b = 0; b < n; b++) {
            Buffer buffer{};
            buffer.source = Source(count(8));
            buffer.index = next();
            buffer.width = width();
            buffer.update = next();
            buffer.unit = count(1);
            expect(buffer.width >= 1, "has a buffer of no width");
            expect(buffer.unit == 1 || buffer.width == 1, "has a buffer of one number for many units");
            if (buffer.source == Source::chunk)
                expect(buffer.index >= 0 && buffer.index < plan.n_groups && buffer.update >= 0 &&
                           buffer.update <= plan.groups[buffer.index] - buffer.width,
                       "has a buffer beyond its group");
            buffers.push_back(buffer);
        }
        auto place = [&](std::vector<int64_t> &table, int64_t index, int64_t b) {
            expect(index >= 0 && index < n, "has a number out of range");
            if (size_t(index) >= table.size()) table.resize(size_t(index) + 1, -1);
            expect(table[size_t(index)] == -1, "has two buffers for one state or result");
            table[size_t(index)] = b;
        };
        for (int64_t b = 0; b < n; b++) {
            const Buffer &here = buffers[size_t(b)];
            if (here.source == Source::state) {
                place(states, here.index, b);
                const Buffer &update = buffer(here.update);
                expect(update.source != Source::state && update.source != Source::earlier, "hands a state on to another");
                expect(update.width == here.width, "has a state and an update of different widths");
            }
            if (here.source == Source::result) place(results, here.index, b);
            if (here.source == Source::constant)
                expect(here.index >= 0 && size_t(here.index) < constants.size(), "names a number that is not there");
            if (here.source == Source::stream || here.source == Source::earlier) stream(here.index, here.width);
            if (here.source == Source::earlier) {
                stream(here.update, here.width);
                earlier.push_back(b);
            }
        }
        for (const std::vector<int64_t> *table : {&states, &results})
            for (int64_t b : *table) {
                expect(b >= 0, "leaves a state or result without a buffer");
                (table == &states ? need.states : need.results).push_back(buffers[size_t(b)].width);
            }
        written.assign(size_t(n), 0);
    }

    void stream(int64_t index, int64_t width) {
        expect(index >= 0 && index < n_streams, "names a stream that is not there");
        needs(need.streams, index, width);
    }

    int64_t parameter() {
        int64_t port = count();
        expect(port < n_parameters, "names a parameter that is not there");
        return port;
    }

    void read_vectors() {
        int64_t n = count();
        for (int64_t v = 0; v < n; v++) {
            Vector vector{};
            vector.width = width();
            vector.n_parts = count(2);
            expect(vector.n_parts >= 1, "has a vector without parts");
            for (int64_t p = 0; p < vector.n_parts; p++) {
                vector.port[p] = parameter();
                vector.offset[p] = width();
                needs(need.parameters, vector.port[p], vector.offset[p] + vector.width);
            }
            vectors.push_back(vector);
        }
        for (const Buffer &buffer : buffers)
            if (buffer.source == Source::vector)
                expect(buffer.index >= 0 && size_t(buffer.index) < vectors.size() &&
                           vectors[size_t(buffer.index)].width == buffer.width,
                       "names a vector that is not there");
    }

    void read_pack(Pack &pack, bool stored) {
        pack.width = width();
        pack.n_factors = count(64);
        pack.factors = reinterpret_cast<const Factor *>(many(2 * pack.n_factors));
        pack.n_outputs = count(1024);
        pack.outputs = many(pack.n_outputs);
        expect(pack.width >= 1 && pack.n_factors >= 1 && pack.n_outputs >= 1, "has a product without factors");
        for (int64_t f = 0; f < pack.n_factors; f++) {
            expect(reads(pack.factors[f].buffer).width == pack.factors[f].width,
                   "multiplies with a buffer of another width");
            pack.depth += pack.factors[f].width;
        }
        expect(pack.depth <= MOST && pack.width * pack.n_outputs <= MOST, "has a product that is too large");
        pack.starts = many(pack.n_outputs);
        int64_t group = -1;
        for (int64_t o = 0; o < pack.n_outputs; o++) {
            if (pack.starts[o] == -1) continue;
            const Buffer &start = reads(pack.starts[o]);
            expect(start.source == Source::chunk && start.width == pack.width && (group == -1 || group == start.index),
                   "adds products to what cannot take them");
            group = start.index;
        }
        pack.matrices = reinterpret_cast<const Matrix *>(many(4 * pack.n_outputs * pack.n_factors));
        for (int64_t m = 0; m < pack.n_outputs * pack.n_factors; m++) {
            const Matrix &matrix = pack.matrices[m];
            auto within = [](int64_t value, int64_t most) { return value >= 0 && value <= most; };
            expect(within(matrix.port, n_parameters - 1), "names a parameter that is not there");
            expect(within(matrix.offset, MOST) && within(matrix.stride, MOST) && within(matrix.transposed, 1),
                   "has a number out of range");
            const int64_t depth = pack.factors[m % pack.n_factors].width;
            const int64_t rows = matrix.transposed ? depth : pack.width, row = matrix.transposed ? pack.width : depth;
            needs(need.parameters, matrix.port, matrix.offset + (rows - 1) * matrix.stride + row);
        }
        for (int64_t o = 0; o < pack.n_outputs; o++)
            if (pack.outputs[o] != -1) writes(pack.outputs[o], pack.width);
            else expect(!stored, "writes a product nowhere");
        pack.number = int64_t(packs.size());
        packs.push_back(nullptr);  // its address comes when all stages have been read
    }

    void read_program(Program &program, int64_t products) {
        program.width = width();
        program.registers = count(4096);
        program.n_products = count(1024);
        program.n_arrays = count();
        program.arrays = many(program.n_arrays);
        int64_t first = count(), n_numbers = count();
        expect(size_t(first + n_numbers) <= constants.size(), "names a number that is not there");
        program.numbers = constants.data() + first;
        program.n_numbers = n_numbers;
        program.n_instructions = count();
        program.instructions = reinterpret_cast<const Instruction *>(many(5 * program.n_instructions));
        expect(program.width >= 1 && program.n_products == products && program.n_products <= program.n_arrays,
               "has a program that does not fit the product before it");
        for (int64_t a = program.n_products; a < program.n_arrays; a++) {
            const Buffer &array = buffer(program.arrays[a]);
            expect(array.width == program.width || array.unit == 0, "reads a buffer of another width");
        }
        std::vector<char> held(size_t(program.registers), 0);
        for (int64_t n = 0; n < program.n_instructions; n++) {
            const Instruction &i = program.instructions[n];
            auto within = [](int64_t value, int64_t size, int64_t least = 0) {
                expect(value >= least && value < size, "has an instruction that names what is not there");
            };
            within(i.opcode, OPERATIONS);
            const int64_t operands[] = {i.a, i.b, i.c};
            if (i.opcode == LOAD) {
                within(i.a, program.n_arrays);
                if (i.a >= program.n_products) reads(program.arrays[i.a]);
            } else if (i.opcode == CONSTANT) within(i.a, n_numbers);
            else
                for (int k = 0; k < 3; k++) {
                    within(operands[k], program.registers);
                    expect(k >= arity(i.opcode) || held[size_t(operands[k])], "has an instruction that reads an empty register");
                }
            if (i.opcode == STORE) {
                within(i.target, program.n_arrays, program.n_products);
                writes(program.arrays[i.target], program.width);
            } else {
                within(i.target, program.registers);
                held[size_t(i.target)] = 1;
            }
        }
        program.native = interprets ? -1 : native(program);
        n_programs++;
        n_native += program.native >= 0;
    }

    // The function that was written for a program, if there is one: for arrays with a number for each unit.
    int64_t native(const Program &program) const {
        for (int64_t a = program.n_products; a < program.n_arrays; a++)
            if (buffer(program.arrays[a]).unit == 0) return -1;
        for (int64_t k = 0; k < N_NATIVE; k++) {
            const NativeKey &key = NATIVE_KEYS[k];
            if (key.n_products == program.n_products && key.n_arrays == program.n_arrays &&
                key.n_instructions == program.n_instructions && key.n_numbers == program.n_numbers &&
                std::equal(key.numbers, key.numbers + key.n_numbers, program.numbers) &&
                std::equal(key.instructions, key.instructions + 5 * key.n_instructions,
                           reinterpret_cast<const int64_t *>(program.instructions)))
                return k;
        }
        return -1;
    }

    void read_row(Row &row) {
        row.opcode = count(ROW_OPERATIONS - 1);
        row.n_arguments = count(1024);
        row.arguments = many(row.n_arguments);
        row.n_outputs = count(1024);
        row.outputs = many(row.n_outputs);
        row.indices = many(row.n_outputs);
        expect(row.n_arguments >= 1, "has a row operation without operands");
        const int64_t in = buffer(row.arguments[0]).width;
        for (int64_t k = 0; k < row.n_arguments; k++)
            expect(reads(row.arguments[k]).width == in, "mixes the units of vectors of different widths");
        for (int64_t k = 0; k < row.n_outputs; k++) {
            const int64_t out = buffer(row.outputs[k]).width;
            expect(row.indices[k] >= 0 && row.indices[k] < row.n_arguments + (row.opcode == NORMALISE),
                   "names a part that is not there");
            bool fits = true;
            if (row.opcode == SPREAD) fits = in == 1;
            if (row.opcode == NORMALISE) fits = in == out;
            if (row.opcode == REPEAT) fits = out % in == 0;
            if (row.opcode == FOLD) fits = in % out == 0;
            if (row.opcode == TOTAL) fits = out == 1;
            expect(fits, "mixes the units of vectors whose widths do not fit");
            writes(row.outputs[k], out);
        }
    }

    Phase read_phase(Time when) {
        time = when;
        stages.emplace_back();
        std::vector<Stage> &here = stages.back();
        int64_t n = count();
        for (int64_t s = 0; s < n; s++) {
            Stage stage{};
            stage.kind = Kind(count(3));
            bool multiplies = stage.kind == Kind::pack || stage.kind == Kind::fused;
            if (multiplies) read_pack(stage.pack, stage.kind == Kind::pack);
            if (stage.kind == Kind::program || stage.kind == Kind::fused)
                read_program(stage.program, multiplies ? stage.pack.n_outputs : 0);
            if (stage.kind == Kind::fused)
                expect(stage.program.width == stage.pack.width, "has a program that does not fit the product before it");
            if (stage.kind == Kind::row) read_row(stage.row);
            here.push_back(stage);
        }
        return {here.data(), n};
    }

    void read_sums() {
        int64_t n = count();
        for (int64_t s = 0; s < n; s++) {
            Sum sum{};
            sum.height = width();
            sum.width = width();
            sum.n_targets = count(2);
            expect(sum.height >= 1 && sum.n_targets >= 1, "has a sum that goes nowhere");
            const int64_t size = sum.height * std::max(sum.width, int64_t(1));
            for (int64_t t = 0; t < sum.n_targets; t++) {
                sum.port[t] = count();
                sum.offset[t] = width();
                expect(sum.port[t] < n_gradients, "names a gradient that is not there");
                needs(need.gradients, sum.port[t], sum.offset[t] + size);
            }
            expect(sum.n_targets == 1 || sum.port[0] != sum.port[1], "has a sum that goes to one gradient twice");
            sum.n_terms = count();
            terms.emplace_back();
            for (int64_t t = 0; t < sum.n_terms; t++) terms.back().push_back(read_term(sum));
            sum.terms = terms.back().data();
            sums.push_back(sum);
        }
    }

    Term read_term(const Sum &sum) {
        Term term{next(), next(), -1, false, false};
        const Buffer &adjoint = reads(term.adjoint);
        expect(adjoint.width == sum.height || adjoint.unit == 0, "sums a buffer of another width");
        expect((term.factor == -1) == (sum.width == 0), "sums products without a second factor");
        if (sum.width == 0) return term;
        expect(reads(term.factor).width == sum.width, "sums a buffer of another width");
        term.packs = term.leads = true;
        for (size_t s = 0; s < terms.size(); s++)
            for (const Term &other : terms[s]) {
                const int64_t height = s < sums.size() ? sums[s].height : sum.height;
                if (other.strip >= 0 && other.adjoint == term.adjoint && height == sum.height) {
                    term.strip = other.strip;
                    term.packs = false;
                }
                if (other.factor == term.factor) term.leads = false;
            }
        if (term.packs) {
            term.strip = plan.strips;
            plan.strips += (sum.height + 5) / 6 * 6;  // whole tiles, of three or of six rows
        }
        return term;
    }

    // What a state is after a turn has been given, or written by the end of the loop.
    void check_updates() const {
        for (int64_t b : states) {
            const int64_t update = buffers[size_t(b)].update;
            expect(!owned(buffer(update).source) || written[size_t(update)], "reads a buffer before it is written");
        }
    }

   public:
    int64_t n_streams = 0, n_parameters = 0, n_gradients = 0;

    // Without functions that were written for programs if it `interprets`.
    PlanReader(std::vector<int64_t> given, std::vector<double> doubles, bool interprets)
        : Numbers(std::move(given)), constants(std::move(doubles)), interprets(interprets) {
        n_streams = count();
        n_parameters = count();
        n_gradients = count();
        need.streams.assign(size_t(n_streams), 0);
        need.parameters.assign(size_t(n_parameters), 0);
        need.gradients.assign(size_t(n_gradients), 0);
        plan.n_groups = count();
        plan.groups = many(plan.n_groups);
        for (int64_t g = 0; g < plan.n_groups; g++)
            expect(plan.groups[g] >= 1 && plan.groups[g] <= MOST, "has a number out of range");
        read_buffers();
        read_vectors();
        plan.once = read_phase(Time::once);
        plan.before = read_phase(Time::before);
        plan.loop = read_phase(Time::loop);
        check_updates();
        plan.after = read_phase(Time::after);
        time = Time::sums;
        read_sums();
        end();
        for (const std::vector<Stage> &phase : stages)
            for (const Stage &stage : phase)
                if (stage.kind == Kind::pack || stage.kind == Kind::fused) packs[size_t(stage.pack.number)] = &stage.pack;
        plan.buffers = buffers.data();
        plan.n_buffers = int64_t(buffers.size());
        plan.numbers = constants.data();
        plan.vectors = vectors.data();
        plan.n_vectors = int64_t(vectors.size());
        plan.sums = sums.data();
        plan.n_sums = int64_t(sums.size());
        plan.packs = packs.data();
        plan.n_packs = int64_t(packs.size());
        plan.states = states.data();
        plan.n_states = int64_t(states.size());
        plan.earlier = earlier.data();
        plan.n_earlier = int64_t(earlier.size());
        plan.results = results.data();
        plan.n_results = int64_t(results.size());
    }
    PlanReader(const PlanReader &) = delete;
    PlanReader &operator=(const PlanReader &) = delete;

    const Plan &get() const { return plan; }
    const Needs &needs() const { return need; }
    // How many pointwise programs there are, and how many of them have a function of their own.
    int64_t programs() const { return n_programs; }
    int64_t natives() const { return n_native; }
    // Units of all vectors that are kept for some turns.
    int64_t kept() const {
        int64_t all = 0;
        for (int64_t g = 0; g < plan.n_groups; g++) all += plan.groups[g];
        for (const Buffer &buffer : buffers) all += buffer.source == Source::turns ? buffer.width : 0;
        return all;
    }
};

}  // namespace gatewise
