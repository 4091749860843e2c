// A plan, read from whole numbers and checked: every index is within its table, every width fits its buffer.
#pragma once
#include <algorithm>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "native_keys.h"
#include "plan.h"

namespace gatewise {

class PlanReader {
    const std::vector<int64_t> numbers;
    const std::vector<double> constants;
    size_t at = 0;
    std::vector<Buffer> buffers;
    std::vector<Vector> vectors;
    std::deque<std::vector<Stage>> stages;
    std::vector<Sum> sums;
    std::deque<std::vector<Term>> terms;
    std::vector<const Pack *> packs;
    std::vector<int64_t> states, results, earlier;
    Plan plan{};

    [[noreturn]] static void fail(const char *what) { throw std::invalid_argument(std::string("the plan ") + what); }
    static void expect(bool holds, const char *otherwise) {
        if (!holds) fail(otherwise);
    }

    int64_t next() {
        expect(at < numbers.size(), "ends too early");
        return numbers[at++];
    }
    int64_t count(int64_t most = 1 << 16) {
        int64_t value = next();
        expect(value >= 0 && value <= most, "has a number out of range");
        return value;
    }
    const int64_t *many(int64_t n) {
        expect(n >= 0 && size_t(n) <= numbers.size() - at, "ends too early");
        const int64_t *start = numbers.data() + at;
        at += size_t(n);
        return start;
    }
    int64_t width() { return count(int64_t(1) << 40); }
    const Buffer &buffer(int64_t index) const {
        expect(index >= 0 && index < int64_t(buffers.size()), "names a buffer that is not there");
        return buffers[size_t(index)];
    }
    void writable(int64_t index, int64_t width) const {
        const Buffer &target = buffer(index);
        bool own = target.source == Source::result || target.source == Source::chunk ||
                   target.source == Source::turns || target.source == Source::once;
        expect(own && target.width == width && (target.unit == 1 || width == 1), "writes to a buffer that cannot take it");
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
            if (buffer.source == Source::chunk)
                expect(buffer.index >= 0 && buffer.index < plan.n_groups && buffer.update >= 0 &&
                           buffer.update + buffer.width <= plan.groups[buffer.index],
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
                expect(buffer(here.update).source != Source::state, "hands a state on to another");
                expect(buffer(here.update).width == here.width || buffer(here.update).unit == 0,
                       "has a state and an update of different widths");
            }
            if (here.source == Source::result) place(results, here.index, b);
            if (here.source == Source::constant)
                expect(here.index >= 0 && size_t(here.index) < constants.size(), "names a number that is not there");
            if (here.source == Source::stream || here.source == Source::earlier) stream(here.index);
            if (here.source == Source::earlier) {
                stream(here.update);
                earlier.push_back(b);
            }
        }
        for (const std::vector<int64_t> *table : {&states, &results})
            for (int64_t b : *table) expect(b >= 0, "leaves a state or result without a buffer");
    }

    void stream(int64_t index) const {
        expect(index >= 0 && index < n_streams, "names a stream that is not there");
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
            }
            vectors.push_back(vector);
        }
        for (const Buffer &buffer : buffers)
            if (buffer.source == Source::vector)
                expect(buffer.index >= 0 && size_t(buffer.index) < vectors.size() &&
                           vectors[size_t(buffer.index)].width == buffer.width,
                       "names a vector that is not there");
    }

    void read_pack(Pack &pack) {
        pack.width = width();
        pack.n_factors = count(64);
        pack.factors = reinterpret_cast<const Factor *>(many(2 * pack.n_factors));
        pack.n_outputs = count(1024);
        pack.outputs = many(pack.n_outputs);
        expect(pack.width >= 1 && pack.n_factors >= 1 && pack.n_outputs >= 1, "has a product without factors");
        for (int64_t f = 0; f < pack.n_factors; f++) {
            const Buffer &operand = buffer(pack.factors[f].buffer);
            expect(operand.width == pack.factors[f].width && (operand.unit == 1 || operand.width == 1),
                   "multiplies with a buffer of another width");
            pack.depth += pack.factors[f].width;
        }
        for (int64_t o = 0; o < pack.n_outputs; o++)
            if (pack.outputs[o] != -1) writable(pack.outputs[o], pack.width);
        pack.starts = many(pack.n_outputs);
        int64_t group = -1;
        for (int64_t o = 0; o < pack.n_outputs; o++) {
            if (pack.starts[o] == -1) continue;
            const Buffer &start = buffer(pack.starts[o]);
            expect(start.source == Source::chunk && start.width == pack.width && (group == -1 || group == start.index),
                   "adds products to what cannot take them");
            group = start.index;
        }
        for (int64_t m = 0; m < pack.n_outputs * pack.n_factors; m++) {
            // port, offset, stride, transposed
            const size_t start = at;
            parameter();
            width();
            width();
            count(1);
            if (m == 0) pack.matrices = reinterpret_cast<const Matrix *>(numbers.data() + start);
        }
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
        enum { LOAD, CONSTANT, STORE };
        for (int64_t n = 0; n < program.n_instructions; n++) {
            const Instruction &i = program.instructions[n];
            auto within = [](int64_t value, int64_t size) { return value >= 0 && value < size; };
            bool fits = within(i.opcode, 1 << 16);
            if (i.opcode == LOAD) fits = within(i.target, program.registers) && within(i.a, program.n_arrays);
            else if (i.opcode == CONSTANT) fits = within(i.target, program.registers) && within(i.a, n_numbers);
            else if (i.opcode == STORE) {
                fits = i.target >= program.n_products && within(i.target, program.n_arrays) && within(i.a, program.registers);
                if (fits) writable(program.arrays[i.target], program.width);
            } else
                fits = fits && within(i.target, program.registers) && within(i.a, program.registers) &&
                       within(i.b, program.registers) && within(i.c, program.registers);
            expect(fits, "has an instruction that names what is not there");
        }
        program.native = native(program);
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
        enum { MEAN, TOTAL, SPREAD, NORMALISE, RSTD, REPEAT, FOLD };
        row.opcode = count(FOLD);
        row.n_arguments = count(1024);
        row.arguments = many(row.n_arguments);
        row.n_outputs = count(1024);
        row.outputs = many(row.n_outputs);
        row.indices = many(row.n_outputs);
        expect(row.n_arguments >= 1, "has a row operation without operands");
        const int64_t in = buffer(row.arguments[0]).width;
        for (int64_t k = 0; k < row.n_arguments; k++)
            expect(buffer(row.arguments[k]).width == in && (buffer(row.arguments[k]).unit == 1 || in == 1),
                   "mixes the units of vectors of different widths");
        for (int64_t k = 0; k < row.n_outputs; k++) {
            const int64_t out = buffer(row.outputs[k]).width;
            expect(row.indices[k] >= 0 && row.indices[k] < row.n_arguments, "names a part that is not there");
            bool fits = true;
            if (row.opcode == SPREAD) fits = in == 1;
            if (row.opcode == NORMALISE) fits = in == out;
            if (row.opcode == REPEAT) fits = out % in == 0;
            if (row.opcode == FOLD) fits = in % out == 0;
            if (row.opcode == TOTAL) fits = out == 1;
            expect(fits, "mixes the units of vectors whose widths do not fit");
            const Buffer &target = buffer(row.outputs[k]);
            expect(target.source == Source::result || target.source == Source::chunk || target.source == Source::turns ||
                       target.source == Source::once,
                   "writes to a buffer that cannot take it");
        }
    }

    Phase read_phase() {
        stages.emplace_back();
        std::vector<Stage> &here = stages.back();
        int64_t n = count();
        for (int64_t s = 0; s < n; s++) {
            Stage stage{};
            stage.kind = Kind(count(3));
            bool multiplies = stage.kind == Kind::pack || stage.kind == Kind::fused;
            if (multiplies) read_pack(stage.pack);
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
            for (int64_t t = 0; t < sum.n_targets; t++) {
                sum.port[t] = count();
                sum.offset[t] = width();
                expect(sum.port[t] < n_gradients, "names a gradient that is not there");
            }
            sum.n_terms = count();
            terms.emplace_back();
            for (int64_t t = 0; t < sum.n_terms; t++) terms.back().push_back(read_term(sum));
            sum.terms = terms.back().data();
            sums.push_back(sum);
        }
    }

    Term read_term(const Sum &sum) {
        Term term{next(), next(), -1, false, false};
        expect(buffer(term.adjoint).width == sum.height || buffer(term.adjoint).unit == 0, "sums a buffer of another width");
        expect((term.factor == -1) == (sum.width == 0), "sums products without a second factor");
        if (sum.width == 0) return term;
        expect(buffer(term.factor).width == sum.width || buffer(term.factor).unit == 0, "sums a buffer of another width");
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

   public:
    int64_t n_streams = 0, n_parameters = 0, n_gradients = 0;

    PlanReader(std::vector<int64_t> given, std::vector<double> doubles)
        : numbers(std::move(given)), constants(std::move(doubles)) {
        n_streams = count();
        n_parameters = count();
        n_gradients = count();
        plan.n_groups = count();
        plan.groups = many(plan.n_groups);
        for (int64_t g = 0; g < plan.n_groups; g++)
            expect(plan.groups[g] >= 1 && plan.groups[g] <= int64_t(1) << 40, "has a number out of range");
        read_buffers();
        read_vectors();
        plan.once = read_phase();
        plan.before = read_phase();
        plan.loop = read_phase();
        plan.after = read_phase();
        read_sums();
        expect(at == numbers.size(), "goes on beyond its end");
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
};

}  // namespace gatewise
