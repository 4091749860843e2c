// Runs one recorded call of the compiled core and writes what came out: the core for processors that are not at hand.
// See aarch64.py, which records, and compares.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "reader.h"

namespace gatewise {
namespace baseline {
extern const Level level;
}
}  // namespace gatewise

using namespace gatewise;

template <typename T>
std::vector<T> read(FILE *file, int64_t count) {
    std::vector<T> values(size_t(count), T{});
    if (std::fread(values.data(), sizeof(T), values.size(), file) != values.size()) std::abort();
    return values;
}

int main(int, char **arguments) {
    FILE *file = std::fopen(arguments[1], "rb"), *out = std::fopen(arguments[2], "wb");
    const std::vector<int64_t> head = read<int64_t>(file, 7);
    const bool is_double = head[0];
    const std::vector<int64_t> lengths = read<int64_t>(file, head[4]), ints = read<int64_t>(file, head[5]);
    const std::vector<double> doubles = read<double>(file, head[6]);
    PlanReader reader({ints.data(), ints.data() + ints.size()}, {doubles.data(), doubles.data() + doubles.size()}, false);
    Job job{};
    job.plan = &reader.get();
    job.steps = head[1], job.rows = head[2], job.backwards = head[3], job.threads = 1;
    job.lengths = lengths.empty() ? nullptr : lengths.data();
    const int64_t counts[] = {reader.n_streams, job.plan->n_states, reader.n_parameters,
                              job.plan->n_results, job.plan->n_states, reader.n_gradients};
    const Port **places[] = {&job.streams, &job.states, &job.parameters, &job.results, &job.finals, &job.gradients};
    std::vector<Port> ports[6];
    std::vector<std::pair<char *, int64_t>> written;
    for (int kind = 0; kind < 6; kind++) {
        for (int64_t k = 0; k < counts[kind]; k++) {
            const std::vector<int64_t> port = read<int64_t>(file, 3);  // strides of time and rows, bytes
            const std::vector<char> content = read<char>(file, port[2]);
            char *data = static_cast<char *>(std::aligned_alloc(64, size_t(port[2] + 63) / 64 * 64));
            std::memcpy(data, content.data(), content.size());
            ports[kind].push_back({data, port[0], port[1]});
            if (kind >= 3) written.emplace_back(data, port[2]);
        }
        *places[kind] = ports[kind].data();
    }
    const Level &level = baseline::level;
    void *memory = std::aligned_alloc(64, size_t(level.memory(job, is_double) + 63) / 64 * 64);
    const int failure = level.run(&job, &memory, 1, is_double);
    for (auto [data, bytes] : written) std::fwrite(data, 1, size_t(bytes), out);
    std::fclose(out);
    return failure;
}
