// Token passing: the best alignment with a sequence of words of a lexicon.
#pragma once
#include <memory>

#include "ctc_language.h"

namespace gatewise {

struct TokenOptions {
    int64_t labels, blank;
    double penalty;
    int64_t width;  // how many states survive a step; 0 for all
    double weight, bonus;
    std::shared_ptr<const NGram> ngram;
    std::shared_ptr<const Lexicon> lexicon;
};

// The best words and their labels, the score, and the part of it that is the alignment's probability.
struct Spoken {
    double score = NOTHING, log_prob = NOTHING;
    bool complete = false;  // whether the last word ends
    std::vector<int64_t> labels, words;
};

void check_tokens(const TokenOptions &options);

// log_probs: [T, V].
Spoken pass_tokens(const TokenOptions &options, const double *log_probs, int64_t steps);

}  // namespace gatewise
