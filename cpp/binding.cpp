// The Python module: the levels that this processor can run, packed matrices, and plans.
//
// A plan is a schedule's loop as whole numbers. All of it is checked here before a level sees it: every index is within
// its table, every width fits its buffer.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "loop.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace gatewise {

#define GW_DECLARE(name)           \
    namespace name {               \
    extern const Level level;      \
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

typedef nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> Ints;
typedef nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu> Doubles;
typedef nb::ndarray<const int64_t, nb::shape<-1, 7>, nb::c_contig, nb::device::cpu> Table;

// Reads numbers one after the other, and never past their end.
class Reader {
    const std::vector<int64_t> &numbers;
    size_t at = 0;

   public:
    explicit Reader(const std::vector<int64_t> &numbers) : numbers(numbers) {}
    int64_t next() {
        if (at >= numbers.size()) throw std::invalid_argument("the plan ends too early");
        return numbers[at++];
    }
    int64_t count(int64_t most = 1 << 16) {
        int64_t value = next();
        if (value < 0 || value > most) throw std::invalid_argument("a number in the plan is out of range");
        return value;
    }
    const int64_t *many(int64_t n) {
        if (n < 0 || at + size_t(n) > numbers.size()) throw std::invalid_argument("the plan ends too early");
        const int64_t *start = numbers.data() + at;
        at += size_t(n);
        return start;
    }
    bool done() const { return at == numbers.size(); }
};

class Plan {
    std::vector<int64_t> numbers;
    std::vector<double> constants;
    std::vector<Stage> stages;
    int64_t n_buffers, n_matrices = 0;
    bool is_double;

    void buffer(int64_t index, bool optional = false) const {
        if (index >= n_buffers || index < (optional ? -1 : 0)) throw std::invalid_argument("no such buffer in the plan");
    }

    void read_pack(Reader &reader, Stage &stage) {
        Pack &pack = stage.pack;
        pack.width = reader.count(int64_t(1) << 40);
        pack.n_factors = reader.count(64);
        pack.factors = reinterpret_cast<const Factor *>(reader.many(2 * pack.n_factors));
        pack.n_outputs = reader.count(1024);
        pack.outputs = reader.many(pack.n_outputs);
        if (pack.n_factors < 1 || pack.n_outputs < 1) throw std::invalid_argument("a product without factors");
        pack.depth = 0;
        for (int64_t f = 0; f < pack.n_factors; f++) {
            buffer(pack.factors[f].buffer);
            pack.depth += pack.factors[f].width;
        }
        for (int64_t o = 0; o < pack.n_outputs; o++) buffer(pack.outputs[o], true);
        n_matrices++;
    }

    void read_program(Reader &reader, Stage &stage) {
        Program &program = stage.program;
        program.width = reader.count(int64_t(1) << 40);
        program.registers = reader.count(4096);
        program.n_products = reader.count(1024);
        program.n_arrays = reader.count();
        program.arrays = reader.many(program.n_arrays);
        int64_t first = reader.count(), n_numbers = reader.count();
        if (size_t(first + n_numbers) > constants.size()) throw std::invalid_argument("no such number in the plan");
        program.numbers = constants.data() + first;
        program.n_instructions = reader.count();
        program.instructions = reinterpret_cast<const Instruction *>(reader.many(5 * program.n_instructions));
        for (int64_t a = 0; a < program.n_arrays; a++) buffer(program.arrays[a], a < program.n_products);
        enum { LOAD, CONSTANT, STORE };
        for (int64_t n = 0; n < program.n_instructions; n++) {
            const Instruction &i = program.instructions[n];
            auto within = [](int64_t value, int64_t size) { return value >= 0 && value < size; };
            bool fits = true;
            if (i.opcode == LOAD) fits = within(i.target, program.registers) && within(i.a, program.n_arrays);
            else if (i.opcode == CONSTANT) fits = within(i.target, program.registers) && within(i.a, n_numbers);
            else if (i.opcode == STORE)
                fits = i.target >= program.n_products && within(i.target, program.n_arrays) && within(i.a, program.registers);
            else
                fits = within(i.target, program.registers) && within(i.a, program.registers) &&
                       within(i.b, program.registers) && within(i.c, program.registers);
            if (!fits) throw std::invalid_argument("an instruction of the plan names what is not there");
        }
    }

   public:
    // Stage after stage: kind, then what the kind needs (see the readers above).
    Plan(Ints ints, Doubles doubles, int64_t buffers, bool is_double)
        : numbers(ints.data(), ints.data() + ints.size()),
          constants(doubles.data(), doubles.data() + doubles.size()),
          n_buffers(buffers),
          is_double(is_double) {
        Reader reader(numbers);
        while (!reader.done()) {
            Stage stage{};
            stage.kind = Kind(reader.count(3));
            if (stage.kind == Kind::pack || stage.kind == Kind::fused) read_pack(reader, stage);
            if (stage.kind == Kind::program || stage.kind == Kind::fused) read_program(reader, stage);
            if (stage.kind == Kind::row) {
                Row &row = stage.row;
                row.opcode = reader.count(16);
                row.n_arguments = reader.count(1024);
                row.arguments = reader.many(row.n_arguments);
                row.n_outputs = reader.count(1024);
                row.outputs = reader.many(row.n_outputs);
                row.indices = reader.many(row.n_outputs);
                if (row.n_arguments < 1) throw std::invalid_argument("a row operation without operands");
                for (int64_t k = 0; k < row.n_arguments; k++) buffer(row.arguments[k]);
                for (int64_t k = 0; k < row.n_outputs; k++) {
                    buffer(row.outputs[k]);
                    if (row.indices[k] < 0 || row.indices[k] >= row.n_arguments)
                        throw std::invalid_argument("no such part of a joint normalisation");
                }
            }
            if (stage.kind == Kind::fused &&
                (stage.program.n_products != stage.pack.n_outputs || stage.program.width != stage.pack.width))
                throw std::invalid_argument("a program does not fit the product before it");
            if (stage.kind == Kind::program && stage.program.n_products)
                throw std::invalid_argument("a program reads products, but none stand before it");
            stages.push_back(stage);
        }
    }

    // table: for each buffer address, time, row and unit stride, distance of turns, update, width. matrices: addresses.
    void run(Table table, Ints matrices, int64_t steps, int64_t rows, bool backwards, int64_t threads) {
        if (int64_t(table.shape(0)) != n_buffers || int64_t(matrices.size()) != n_matrices || steps < 1 || rows < 0)
            throw std::invalid_argument("the plan was given other buffers or matrices than it needs");
        std::vector<Buffer> buffers(size_t(n_buffers), Buffer{});
        for (int64_t b = 0; b < n_buffers; b++) {
            const int64_t *line = table.data() + b * 7;
            buffers[b] = {reinterpret_cast<void *>(line[0]), line[1], line[2], line[3], line[4], line[5], line[6]};
            if (line[0] == 0 || line[5] >= n_buffers || (line[3] != 0 && line[3] != 1))
                throw std::invalid_argument("a buffer of the plan has no address, or a stride it cannot have");
        }
        std::vector<Stage> here = stages;
        int64_t next = 0;
        for (Stage &stage : here)
            if (stage.kind == Kind::pack || stage.kind == Kind::fused)
                stage.pack.matrix = reinterpret_cast<const void *>(matrices.data()[next++]);
        Loop loop{steps, rows, backwards, buffers.data(), n_buffers, here.data(), int64_t(here.size()), threads};
        const Level &level = chosen();
        int failure;
        {
            nb::gil_scoped_release release;
            failure = rows > 0 ? level.run(loop, is_double) : 0;
        }
        if (failure) throw std::runtime_error("the plan has an operation that this build does not know");
    }
};

void bind_ctc(nb::module_ &m, const char *(*chosen)());

}  // namespace gatewise

NB_MODULE(_core, m) {
    using namespace gatewise;
    m.doc() = "Loops over time on the CPU, compiled.";
    m.def("levels", [] {
        std::vector<std::string> names;
        for (const Level *level : supported()) names.push_back(level->name);
        return names;
    });
    m.def("level", [] { return std::string(chosen().name); });
    m.def("packed_size", [](int64_t n_outputs, int64_t width, int64_t depth, bool is_double) {
        return chosen().packed_size(n_outputs, width, depth, is_double);
    });
    // matrices[o * n_factors + f]: address, row stride and whether it is transposed, of output o and factor f.
    m.def("pack", [](Ints addresses, Ints strides, Ints transposed, Ints depths, int64_t n_outputs, int64_t width,
                     int64_t packed, bool is_double) {
        int64_t n_factors = int64_t(depths.size());
        if (int64_t(addresses.size()) != n_outputs * n_factors || addresses.size() != strides.size() ||
            addresses.size() != transposed.size() || packed == 0)
            throw std::invalid_argument("expected an address, a stride and a flag for each output and factor");
        chosen().pack_matrix(reinterpret_cast<const void *const *>(addresses.data()), strides.data(), transposed.data(),
                             depths.data(), n_outputs, n_factors, width, reinterpret_cast<void *>(packed), is_double);
    });
    nb::class_<Plan>(m, "Plan")
        .def(nb::init<Ints, Doubles, int64_t, bool>(), "numbers"_a, "constants"_a, "buffers"_a, "is_double"_a)
        .def("run", &Plan::run, "table"_a, "matrices"_a, "steps"_a, "rows"_a, "backwards"_a, "threads"_a);
    bind_ctc(m, [] { return chosen().name; });
}
