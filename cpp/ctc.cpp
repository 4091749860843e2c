// The loss of connectionist temporal classification and its gradient, compiled once for each instruction-set level.
//
// Graves, Fernandez, Gomez & Schmidhuber (2006): the forward variables of eqs. 5-8, the backward variables of eqs. 9-11,
// the gradient of eq. 16. Sums over alignments are computed neither as logarithms, which cost an exp and a log an
// addition, nor rescaled a step (the paper's C_t and D_t), where a state far below the others would become 0: every
// variable is a number in [1, 2) and an exponent of its own, so that nothing underflows and nothing is rounded but
// mantissas. The path's 2 S + 1 states are kept as S + 1 blanks and S labels, two plain arrays.
#include "ctc.h"

#include <cstdlib>

#include "scaled.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace gatewise {
namespace GW_LEVEL {
namespace {

// What a softmax is made of: exp(x - largest) / sum.
template <typename S>
struct Softmax {
    S largest, sum;
    double log_sum;
    bool finite;
};

// `powers`, where it is not null, receives exp(x - largest).
template <typename S>
Softmax<S> softmax_of(const S *row, int64_t labels, S *powers) {
    constexpr int L = Lane<S>::count;
    const int64_t whole = labels / L * L, rest = labels - whole;
    Real<S> most = tail<S>(row + whole, rest);
    for (int64_t k = 0; k < whole; k += L) {
        Real<S> x = get<S>(row + k);
        most = choose<S>(x > most, x, most);
    }
    S largest = most[0];
    for (int lane = 1; lane < L; lane++) largest = most[lane] > largest ? most[lane] : largest;
    // exp(-lowest) underflows; what comes near it is 0 in a softmax.
    const S lowest = S(Format<S>::bias * LN2 * 2);
    Real<S> sums = Real<S>{};
    for (int64_t k = 0; k < whole; k += L) {
        Real<S> power = plain<S>(exp_scaled<S>(get<S>(row + k) - largest, lowest));
        sums += power;
        if (powers) put<S>(powers + k, power);
    }
    if (rest) {
        Real<S> power = plain<S>(exp_scaled<S>(tail<S>(row + whole, rest) - largest, lowest));
        for (int lane = 0; lane < rest; lane++) {
            sums[lane] += power[lane];
            if (powers) powers[whole + lane] = power[lane];
        }
    }
    S sum = total<S>(sums);
    return {largest, sum, __builtin_log(double(sum)), sum == sum};
}

GW_INLINE int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// The memory of one thread: enough for each pair of a batch.
template <typename S>
class Workspace {
    typedef typename Lane<S>::Int Int;
    static constexpr int64_t L = Lane<S>::count;
    char *memory = nullptr, *next = nullptr;

    static int64_t bytes(int64_t width, int64_t lines, int64_t history, int64_t emissions) {
        return (width + 2 * L) * (lines * 2 + 3) * int64_t(sizeof(S)) +
               width * 2 * (2 * history + emissions) * int64_t(sizeof(S)) + emissions * int64_t(sizeof(S) * 4 + 8) +
               64 * 32;
    }
    template <typename T>
    T *take(int64_t count) {
        T *start = reinterpret_cast<T *>(next);
        next += rounded_up(count * int64_t(sizeof(T)), 64);
        return start;
    }
    Line<S> margined(int64_t width) {
        Line<S> line{take<S>(width + 2 * L) + L, take<Int>(width + 2 * L) + L};
        line.clear(-L, width + L);
        return line;
    }

   public:
    // Lines of the states at one step and at the next, with a vector of zeros on either side.
    Line<S> blanks[2], labels[2], weighted_blanks, weighted_labels;
    // Of all steps: states, and what each label's output is, [T] times a line of `width`.
    Line<S> blank_history, label_history, emissions;
    S *blank_mantissas, *scales, *shares;
    Int *blank_exponents;
    Int *skips;  // -1 where a label may follow the one before it without a blank between them
    int64_t width;

    explicit Workspace(const CtcBatch &batch) {
        int64_t longest = 0, steps = 0;
        for (int64_t b = 0; b < batch.batch; b++) {
            int64_t length = batch.target_offsets[b + 1] - batch.target_offsets[b];
            longest = length > longest ? length : longest;
            steps = batch.input_lengths[b] > steps ? batch.input_lengths[b] : steps;
        }
        size_t size = size_t(bytes(rounded_up(longest + 1, L), 6, batch.gradient ? steps : 0, batch.gradient ? steps : 1));
        memory = static_cast<char *>(std::malloc(size + 64));
    }
    ~Workspace() { std::free(memory); }
    Workspace(const Workspace &) = delete;
    Workspace &operator=(const Workspace &) = delete;
    bool ok() const { return memory != nullptr; }

    // Lay the memory out for one pair.
    void prepare(const int64_t *target, int64_t length, int64_t steps, bool gradient) {
        next = memory + (64 - reinterpret_cast<uintptr_t>(memory) % 64) % 64;
        width = rounded_up(length + 1, L);
        for (int side = 0; side < 2; side++) {
            blanks[side] = margined(width);
            labels[side] = margined(width);
        }
        weighted_blanks = margined(width);
        weighted_labels = margined(width);
        skips = take<Int>(width + 2 * L) + L;
        for (int64_t j = -L; j < width + L; j++)
            skips[j] = j > 0 && j < length && target[j] != target[j - 1] ? Int(-1) : Int(0);
        shares = take<S>(width);
        const int64_t history = gradient ? steps : 0, kept = gradient ? steps : 1;
        blank_history = {take<S>(history * width), take<Int>(history * width)};
        label_history = {take<S>(history * width), take<Int>(history * width)};
        emissions = {take<S>(kept * width), take<Int>(kept * width)};
        blank_mantissas = take<S>(kept);
        blank_exponents = take<Int>(kept);
        scales = take<S>(kept);
    }
};

// One pair of logits and target.
template <typename S>
class Pair {
    typedef typename Lane<S>::Int Int;
    static constexpr int L = Lane<S>::count;
    const CtcBatch &batch;
    Workspace<S> &space;
    const int64_t b, steps, length;
    const int64_t *const target;
    S *const gradient;  // of this sequence's first step, or null
    const int64_t width;
    S lowest;           // what a factor may be at least: -ln of it
    double smoothed = 0;  // sum over steps of the mean of -ln y

    const S *row(int64_t t) const {
        return static_cast<const S *>(batch.logits) + t * batch.step + b * batch.sequence;
    }
    S *gradient_row(int64_t t) const { return gradient + t * batch.batch * batch.labels; }
    int64_t slot(int64_t t) const { return gradient ? t : 0; }
    GW_INLINE Line<S> emission(int64_t t) const {
        return {space.emissions.mantissas + slot(t) * width, space.emissions.exponents + slot(t) * width};
    }
    GW_INLINE Scaled<S> blank(int64_t t) const {
        return {splat<S>(space.blank_mantissas[slot(t)]), splat_whole<S>(space.blank_exponents[slot(t)])};
    }

    // The outputs y of a step: of the target's labels and of the blank as scaled numbers; all of them, but for their
    // common divisor, in the gradient's row. False where they are no numbers.
    bool observe(int64_t t) {
        const S *x = row(t);
        Softmax<S> softmax = softmax_of<S>(x, batch.labels, gradient ? gradient_row(t) : nullptr);
        if (!softmax.finite) return false;
        const S log_sum = S(softmax.log_sum);
        if (gradient) space.scales[t] = 1 / softmax.sum;
        if (batch.smoothing > 0) {
            double away = 0;
            for (int64_t k = 0; k < batch.labels; k++) away += double(x[k] - softmax.largest);
            smoothed += softmax.log_sum - away / double(batch.labels);
        }
        Line<S> y = emission(t);
        const S nothing = -S(__builtin_inf());
        for (int64_t j = 0; j < length; j++) y.mantissas[j] = x[target[j]] - softmax.largest;
        for (int64_t j = length; j < width; j++) y.mantissas[j] = nothing;
        for (int64_t j = 0; j < width; j += L) {
            Real<S> away = get<S>(y.mantissas + j) - log_sum;
            Scaled<S> output = exp_scaled<S>(away, lowest);
            output.mantissa = choose<S>(away == splat<S>(nothing), Real<S>{}, output.mantissa);
            y.set(j, output);
        }
        const S nats = S(double(x[batch.blank] - softmax.largest) - softmax.log_sum - batch.penalty);
        const S most = nats > lowest ? lowest : nats;
        Scaled<S> of_blank = exp_scaled<S>(splat<S>(most), lowest);
        space.blank_mantissas[slot(t)] = x[batch.blank] == nothing ? S(0) : of_blank.mantissa[0];
        space.blank_exponents[slot(t)] = of_blank.exponent[0];
        return true;
    }

    // Eqs. 6 and 7. The state before the first step is the first blank, which no output has been spent on.
    bool forward(int &side) {
        side = 0;
        space.blanks[0].set_one(0);
        for (int64_t t = 0; t < steps; t++) {
            if (!observe(t)) return false;
            const Line<S> blanks = space.blanks[side], labels = space.labels[side], y = emission(t);
            side = 1 - side;
            const Line<S> next_blanks = space.blanks[side], next_labels = space.labels[side];
            const Scaled<S> y_blank = blank(t);
            for (int64_t j = 0; j < width; j += L) {
                Scaled<S> same = labels.at(j), before = labels.at(j - 1), between = blanks.at(j);
                Scaled<S> of_blank = normalised<S>(product<S>(sum<S>(between, before), y_blank));
                before = where<S>(get_whole<S>(space.skips + j), before);
                Scaled<S> of_label = normalised<S>(product<S>(sum<S>(same, between, before), y.at(j)));
                next_blanks.set(j, of_blank);
                next_labels.set(j, of_label);
                if (gradient) {
                    Line<S>{space.blank_history.mantissas + t * width, space.blank_history.exponents + t * width}.set(
                        j, of_blank);
                    Line<S>{space.label_history.mantissas + t * width, space.label_history.exponents + t * width}.set(
                        j, of_label);
                }
            }
        }
        return true;
    }

    // Eqs. 9-11, but for the output of the step itself, which a product of both variables needs only once; and eq. 16.
    void backward(Scaled<S> probability) {
        const S keep = S(1 - batch.smoothing), uniform = S(batch.smoothing / double(batch.labels));
        const Real<S> inverse = 1 / probability.mantissa;
        Line<S> blanks = space.blanks[0], labels = space.labels[0];
        const Line<S> q_blanks = space.weighted_blanks, q_labels = space.weighted_labels;
        blanks.clear(0, width);
        labels.clear(0, width);
        blanks.set_one(length);
        if (length > 0) labels.set_one(length - 1);
        auto share = [&](Scaled<S> a, Scaled<S> rest) {
            Whole<S> e = larger<S>(a.exponent - probability.exponent, splat_whole<S>(Format<S>::none));
            return plain<S>({a.mantissa * rest.mantissa * inverse, e + rest.exponent});
        };
        for (int64_t t = steps - 1; t >= 0; t--) {
            const Line<S> blank_before{space.blank_history.mantissas + t * width,
                                       space.blank_history.exponents + t * width};
            const Line<S> label_before{space.label_history.mantissas + t * width,
                                       space.label_history.exponents + t * width};
            const Line<S> y = emission(t);
            const Scaled<S> y_blank = blank(t);
            Real<S> of_blanks = Real<S>{};
            for (int64_t j = 0; j < width; j += L) {
                Scaled<S> here = blanks.at(j), label = labels.at(j);
                of_blanks += share(blank_before.at(j), here);
                put<S>(space.shares + j, share(label_before.at(j), label));
                q_blanks.set(j, normalised<S>(product<S>(here, y_blank)));
                q_labels.set(j, normalised<S>(product<S>(label, y.at(j))));
            }
            for (int64_t j = 0; j < width; j += L) {
                Scaled<S> same = q_labels.at(j), after = q_labels.at(j + 1);
                blanks.set(j, normalised<S>(sum<S>(q_blanks.at(j), same)));
                after = where<S>(get_whole<S>(space.skips + j + 1), after);
                labels.set(j, normalised<S>(sum<S>(same, q_blanks.at(j + 1), after)));
            }
            S *g = gradient_row(t);
            const S scale = space.scales[t];
            for (int64_t k = 0; k < batch.labels; k++) g[k] = g[k] * scale - uniform;
            g[batch.blank] -= keep * total<S>(of_blanks);
            for (int64_t j = 0; j < length; j++) g[target[j]] -= keep * space.shares[j];
        }
    }

    void fill_gradient(int64_t first, int64_t last, S value) const {
        if (gradient)
            for (int64_t t = first; t < last; t++)
                for (int64_t k = 0; k < batch.labels; k++) gradient_row(t)[k] = value;
    }

   public:
    Pair(const CtcBatch &batch, Workspace<S> &space, int64_t b)
        : batch(batch),
          space(space),
          b(b),
          steps(batch.input_lengths[b]),
          length(batch.target_offsets[b + 1] - batch.target_offsets[b]),
          target(batch.targets + batch.target_offsets[b]),
          gradient(batch.gradient ? static_cast<S *>(batch.gradient) + b * batch.labels : nullptr),
          width(rounded_up(length + 1, L)) {
        typedef Format<S> F;
        Int share = F::budget / Int(steps > 1 ? (steps < F::budget ? steps : F::budget) : 1);
        lowest = S(double(share < F::most ? share : F::most) * LN2);
    }

    void run() {
        space.prepare(target, length, steps, gradient != nullptr);
        S *loss = static_cast<S *>(batch.losses) + b;
        fill_gradient(steps, batch.steps, 0);
        int side = 0;
        if (!forward(side)) {
            *loss = S(__builtin_nan(""));
            fill_gradient(0, steps, *loss);
            return;
        }
        // Eq. 8: the target has been seen when the last blank or the last label has.
        Scaled<S> end{splat<S>(space.blanks[side].mantissas[length]),
                      splat_whole<S>(space.blanks[side].exponents[length])};
        Scaled<S> label{splat<S>(space.labels[side].mantissas[length - 1]),
                        splat_whole<S>(space.labels[side].exponents[length - 1])};
        Scaled<S> probability = normalised<S>(sum<S>(end, label));
        if (probability.mantissa[0] == 0) {
            *loss = S(__builtin_inf());
            fill_gradient(0, steps, 0);
            return;
        }
        double nats = -(__builtin_log(double(probability.mantissa[0])) + double(probability.exponent[0]) * LN2);
        *loss = S((1 - batch.smoothing) * nats + (batch.smoothing > 0 ? batch.smoothing * smoothed : 0));
        if (gradient) backward(probability);
    }
};

template <typename S>
int losses_of(const CtcBatch &batch) {
    const int64_t most = batch.threads < batch.batch ? batch.threads : batch.batch, threads = most > 1 ? most : 1;
    int failures = 0;
#ifdef _OPENMP
#pragma omp parallel num_threads(int(threads)) reduction(+ : failures) if (threads > 1)
#endif
    {
        Workspace<S> space(batch);
        if (!space.ok()) failures++;
#ifdef _OPENMP
#pragma omp for schedule(dynamic, 1)
#endif
        for (int64_t b = 0; b < batch.batch; b++)
            if (space.ok()) Pair<S>(batch, space, b).run();
    }
    return failures ? 1 : 0;
}

int losses(const CtcBatch &batch, bool is_double) {
    return is_double ? losses_of<double>(batch) : losses_of<float>(batch);
}

template <typename S>
bool log_softmax_of(const S *row, int64_t labels, double *result) {
    // In double precision whatever the input has, so that a search does not depend on its rounding.
    for (int64_t k = 0; k < labels; k++) result[k] = double(row[k]);
    Softmax<double> softmax = softmax_of<double>(result, labels, nullptr);
    for (int64_t k = 0; k < labels; k++) result[k] = result[k] - softmax.largest - softmax.log_sum;
    return softmax.finite;
}

bool log_softmax(const void *row, int64_t labels, bool is_double, double *result) {
    return is_double ? log_softmax_of<double>(static_cast<const double *>(row), labels, result)
                     : log_softmax_of<float>(static_cast<const float *>(row), labels, result);
}

}  // namespace

#define GW_TEXT_(x) #x
#define GW_TEXT(x) GW_TEXT_(x)
extern const CtcLevel ctc = {GW_TEXT(GW_LEVEL), losses, log_softmax};

}  // namespace GW_LEVEL
}  // namespace gatewise
