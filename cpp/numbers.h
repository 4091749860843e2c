// The whole numbers of a plan, read one after the other.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gatewise {

class Numbers {
    const std::vector<int64_t> numbers;
    size_t at = 0;

   protected:
    // Widths and offsets are below this, so that no product of two of them overflows.
    static constexpr int64_t MOST = int64_t(1) << 31;

    explicit Numbers(std::vector<int64_t> given) : numbers(std::move(given)) {}

    static void expect(bool holds, const char *otherwise) {
        if (!holds) throw std::invalid_argument(std::string("the plan ") + otherwise);
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
    int64_t width() { return count(MOST); }
    void end() const { expect(at == numbers.size(), "goes on beyond its end"); }
};

}  // namespace gatewise
