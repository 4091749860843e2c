// Token passing (Graves et al. 2009; Graves 2012, section 7.5): Viterbi's recursion over the states of all words.
//
// A token is the best alignment that ends in a state. Words that begin alike share states: the lexicon is a trie. What
// words came before matters as far as the n-gram model remembers, so a state is a node of the trie and a state of the
// model, each in two kinds: the node's label was seen last, or a blank after it. Recombination is then exact, and without
// a width so is the search.
#include "ctc_tokens.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace gatewise {
namespace {

// The words of a token, the last one first.
struct History {
    int32_t before, word;
};

struct Token {
    double score = NOTHING, language = 0;
    int32_t history = -1;
    // A token has to be better, not as good: the first that comes stays.
    void offer(const Token &other, double added) {
        if (other.score + added > score) {
            *this = other;
            score = other.score + added;
        }
    }
};

struct State {
    int32_t node, context;
    Token label, blank;
    double best() const { return label.score > blank.score ? label.score : blank.score; }
};

// The states of a step, in the order in which they were reached; found by a hash table with linear probing.
class States {
    struct Slot {
        uint64_t key;
        int64_t place;  // in `all`; -1 where the slot is free
    };
    std::vector<Slot> slots = std::vector<Slot>(1024, Slot{0, -1});
    std::vector<double> scores;

    static uint64_t key_of(int32_t node, int32_t context) {
        return uint64_t(uint32_t(node)) << 32 | uint32_t(context);
    }
    Slot &find(uint64_t key) {
        const size_t mask = slots.size() - 1;
        size_t at = size_t((key * 0x9E3779B97F4A7C15u) >> 32) & mask;
        while (slots[at].place >= 0 && slots[at].key != key) at = (at + 1) & mask;
        return slots[at];
    }
    void grow() {
        slots.assign(2 * slots.size(), Slot{0, -1});
        for (size_t k = 0; k < all.size(); k++) {
            const uint64_t key = key_of(all[k].node, all[k].context);
            find(key) = {key, int64_t(k)};
        }
    }

   public:
    std::vector<State> all;

    State &at(int32_t node, int32_t context) {
        const uint64_t key = key_of(node, context);
        Slot *slot = &find(key);
        if (slot->place < 0) {
            if (2 * (all.size() + 1) > slots.size()) {
                grow();
                slot = &find(key);
            }
            *slot = {key, int64_t(all.size())};
            all.push_back({node, context, {}, {}});
        }
        return all[size_t(slot->place)];
    }
    void clear() {
        std::fill(slots.begin(), slots.end(), Slot{0, -1});
        all.clear();
    }
    // Only the best survive, in their order; of equally good ones those that were reached first. The table is not kept.
    void prune(int64_t width) {
        if (width < 1 || int64_t(all.size()) <= width) return;
        scores.clear();
        for (const State &state : all) scores.push_back(state.best());
        std::nth_element(scores.begin(), scores.begin() + width - 1, scores.end(), std::greater<double>());
        const double least = scores[size_t(width - 1)];
        int64_t ties = width;
        for (const State &state : all) ties -= state.best() > least;
        size_t kept = 0;
        for (size_t k = 0; k < all.size(); k++) {
            const double score = all[k].best();
            if (score < least || (score == least && ties-- <= 0)) continue;
            all[kept++] = all[k];
        }
        all.resize(kept);
    }
};

// Words that have just ended, by what the n-gram model remembers: the best token after a blank, and the two best that
// end in a label, of different labels, since the same label may not follow without a blank.
struct Exit {
    int32_t context;
    Token blank, first, second;
    int32_t first_label = -1;

    void offer(const Token &token, double added, int32_t label) {
        if (label == first_label || first_label < 0 || token.score + added > first.score) {
            if (label != first_label) {
                second = first;
                first_label = label;
            }
            first.offer(token, added);
        } else {
            second.offer(token, added);
        }
    }
};

class Passing {
    const TokenOptions &options;
    const Lexicon &lexicon;
    States states, next;
    std::vector<History> histories;
    std::vector<Exit> exits;
    std::unordered_map<int32_t, size_t> exit_places;

    int32_t label_of(int32_t node) const { return node == 0 ? lexicon.separator : lexicon.keys[size_t(node)]; }

    Token spoken(const Token &token, int32_t word, double gain) {
        if (token.score == NOTHING) return token;
        histories.push_back({token.history, word});
        return {token.score + gain, token.language + gain, int32_t(histories.size()) - 1};
    }

    Exit &exit_at(int32_t context) {
        auto [found, fresh] = exit_places.try_emplace(context, exits.size());
        if (fresh) {
            exits.emplace_back();
            exits.back().context = context;
        }
        return exits[found->second];
    }

    double gain(int32_t word, int32_t context, int32_t *after) const {
        *after = context;
        double score = 0;
        if (options.ngram) score = options.ngram->score(context, lexicon.language_words[size_t(word)], after);
        return options.weight * score + options.bonus;
    }

   public:
    explicit Passing(const TokenOptions &options) : options(options), lexicon(*options.lexicon) {
        states.at(0, options.ngram ? options.ngram->begin : 0).blank.score = 0;
    }

    void step(const double *log_probs) {
        next.clear();
        exits.clear();
        exit_places.clear();
        const double y_blank = log_probs[options.blank] - options.penalty;
        for (const State &state : states.all) {
            const Token &either = state.blank.score >= state.label.score ? state.blank : state.label;
            if (either.score == NOTHING) continue;
            const int32_t label = label_of(state.node);
            State &same = next.at(state.node, state.context);
            same.blank.offer(either, y_blank);
            if (label >= 0) same.label.offer(state.label, log_probs[label]);
            for (int64_t n = lexicon.first[size_t(state.node)]; n < lexicon.first[size_t(state.node) + 1]; n++) {
                const int32_t longer = lexicon.keys[size_t(n)];
                const Token &from = longer == label ? state.blank : either;
                if (from.score > NOTHING) next.at(int32_t(n), state.context).label.offer(from, log_probs[longer]);
            }
            if (state.node == 0 || !lexicon.ends_word(state.node)) continue;
            for (int64_t k = lexicon.word_starts[size_t(state.node)]; k < lexicon.word_starts[size_t(state.node) + 1];
                 k++) {
                const int32_t word = lexicon.words[size_t(k)];
                int32_t after;
                const double added = gain(word, state.context, &after);
                if (lexicon.separator >= 0) {
                    State &gap = next.at(0, after);
                    const double y = log_probs[lexicon.separator];
                    if (either.score + added + y > gap.label.score) gap.label.offer(spoken(either, word, added), y);
                } else {
                    Exit &exit = exit_at(after);
                    if (state.blank.score + added > exit.blank.score)
                        exit.blank = spoken(state.blank, word, added);
                    if (state.label.score + added > exit.second.score)
                        exit.offer(spoken(state.label, word, added), 0, label);
                }
            }
        }
        for (const Exit &exit : exits)
            for (int64_t n = lexicon.first[0]; n < lexicon.first[1]; n++) {
                const int32_t label = lexicon.keys[size_t(n)];
                State &state = next.at(int32_t(n), exit.context);
                state.label.offer(exit.blank, log_probs[label]);
                state.label.offer(label == exit.first_label ? exit.second : exit.first, log_probs[label]);
            }
        std::swap(states, next);
        states.prune(options.width);
    }

    Spoken finish() {
        Token best;
        int32_t node = 0;
        bool complete = false;
        auto offer = [&](const Token &token, int32_t where, bool ends) {
            if (token.score == NOTHING || (complete && !ends)) return;
            if ((ends && !complete) || token.score > best.score) {
                best = token;
                node = where;
                complete = ends;
            }
        };
        for (const State &state : states.all) {
            const Token &either = state.blank.score >= state.label.score ? state.blank : state.label;
            if (state.node == 0) {
                // Nothing said so far is a sentence; a separator that no word follows is none.
                Token token = either;
                const bool ends = token.history < 0;
                if (ends && options.ngram) {
                    const double last = options.weight * options.ngram->final_score(state.context);
                    token.score += last;
                    token.language += last;
                }
                offer(token, 0, ends);
            } else if (!lexicon.ends_word(state.node)) {
                offer(either, state.node, false);
            } else {
                for (int64_t k = lexicon.word_starts[size_t(state.node)];
                     k < lexicon.word_starts[size_t(state.node) + 1]; k++) {
                    const int32_t word = lexicon.words[size_t(k)];
                    int32_t after;
                    double added = gain(word, state.context, &after);
                    if (options.ngram) added += options.weight * options.ngram->final_score(after);
                    if (!complete || either.score + added > best.score) offer(spoken(either, word, added), 0, true);
                }
            }
        }
        Spoken result;
        if (best.score == NOTHING) return result;
        result.score = best.score;
        result.log_prob = best.score - best.language;
        result.complete = complete;
        for (int32_t h = best.history; h >= 0; h = histories[size_t(h)].before)
            result.words.push_back(histories[size_t(h)].word);
        std::reverse(result.words.begin(), result.words.end());
        for (int64_t word : result.words) {
            if (!result.labels.empty() && lexicon.separator >= 0) result.labels.push_back(lexicon.separator);
            spell(node_of(word), &result.labels);
        }
        if (!complete) {
            if (!result.labels.empty() && lexicon.separator >= 0) result.labels.push_back(lexicon.separator);
            spell(node, &result.labels);
        }
        return result;
    }

   private:
    // The node at which a word ends.
    int32_t node_of(int64_t word) const {
        const auto place = std::find(lexicon.words.begin(), lexicon.words.end(), int32_t(word)) - lexicon.words.begin();
        const auto &starts = lexicon.word_starts;
        return int32_t(std::upper_bound(starts.begin(), starts.end(), int64_t(place)) - starts.begin()) - 1;
    }
    void spell(int32_t node, std::vector<int64_t> *labels) const {
        const auto end = labels->size();
        while (node > 0) {
            labels->insert(labels->begin() + int64_t(end), lexicon.keys[size_t(node)]);
            node = int32_t(std::upper_bound(lexicon.first.begin(), lexicon.first.end(), int64_t(node)) -
                           lexicon.first.begin()) - 1;
        }
    }
};

}  // namespace

void check_tokens(const TokenOptions &options) {
    if (options.labels < 1 || options.blank < 0 || options.blank >= options.labels)
        throw std::invalid_argument("the blank is no label");
    if (!options.lexicon) throw std::invalid_argument("token passing needs a lexicon");
    if (!(options.weight >= 0)) throw std::invalid_argument("the weight of the language model is negative");
    options.lexicon->check(options.labels, options.blank);
    if (options.ngram) options.lexicon->check_words(*options.ngram);
}

Spoken pass_tokens(const TokenOptions &options, const double *log_probs, int64_t steps) {
    Passing passing(options);
    for (int64_t t = 0; t < steps; t++) passing.step(log_probs + t * options.labels);
    return passing.finish();
}

}  // namespace gatewise
