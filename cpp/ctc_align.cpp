// Forced alignment; see the header. The states of the path are those of the loss: blanks before, between and after the
// labels of the target (Graves et al. 2006, section 4.1), with a maximum in the place of the sum.
#include "ctc_align.h"

#include <vector>

#include "ctc_language.h"

namespace gatewise {

double align(const double *log_probs, int64_t steps, int64_t labels, int64_t blank, const int64_t *target,
             int64_t length, int64_t *starts, int64_t *ends, double *scores) {
    const int64_t states = 2 * length + 1;
    std::vector<double> now(size_t(states), NOTHING), next(size_t(states), NOTHING);
    std::vector<uint8_t> moves(size_t(steps * states));  // how many states further a state is than the one before it
    auto label_of = [&](int64_t s) { return s % 2 ? target[s / 2] : blank; };
    auto skips = [&](int64_t s) { return s % 2 && (s == 1 || target[s / 2] != target[s / 2 - 1]); };
    for (int64_t t = 0; t < steps; t++) {
        const double *y = log_probs + t * labels;
        for (int64_t s = 0; s < states; s++) {
            // Before the first step the path stands before its first blank. Of equals the shortest move counts.
            double best = now[size_t(s)];
            uint8_t move = 0;
            const double one = s > 0 ? now[size_t(s - 1)] : t == 0 ? 0.0 : NOTHING;
            if (one > best) best = one, move = 1;
            const double two = !skips(s) ? NOTHING : s > 1 ? now[size_t(s - 2)] : t == 0 ? 0.0 : NOTHING;
            if (two > best) best = two, move = 2;
            next[size_t(s)] = best + y[label_of(s)];
            moves[size_t(t * states + s)] = move;
        }
        now.swap(next);
    }
    if (steps == 0) return length == 0 ? 0.0 : NOTHING;
    int64_t s = states - 1;
    if (length > 0 && now[size_t(s - 1)] > now[size_t(s)]) s--;
    const double total = now[size_t(s)];
    if (total == NOTHING) return NOTHING;
    for (int64_t k = 0; k < length; k++) ends[k] = 0, scores[k] = 0;
    for (int64_t t = steps - 1; t >= 0; t--) {
        if (s % 2) {
            if (ends[s / 2] == 0) ends[s / 2] = t + 1;
            starts[s / 2] = t;
            scores[s / 2] += log_probs[t * labels + target[s / 2]];
        }
        s -= moves[size_t(t * states + s)];
    }
    return total;
}

}  // namespace gatewise
