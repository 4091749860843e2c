// What a search knows of language: an n-gram model with back-off, and a lexicon as a trie.
//
// Both are trees in arrays, level after level, so that the children of node n are the nodes first[n] to first[n + 1].
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

namespace gatewise {

constexpr double NOTHING = -std::numeric_limits<double>::infinity();  // the logarithm of 0

class Tree {
   public:
    std::vector<int64_t> first;  // [N + 1]
    std::vector<int32_t> keys;   // [N]: what leads to a node from its parent; the root's is not looked at

    Tree(std::vector<int64_t> starts, std::vector<int32_t> labels) : first(std::move(starts)), keys(std::move(labels)) {
        const int64_t count = int64_t(keys.size());
        if (count < 1 || count > std::numeric_limits<int32_t>::max() || int64_t(first.size()) != count + 1 ||
            first[size_t(count)] != count)
            throw std::invalid_argument("a tree's arrays do not fit one another");
        for (int64_t n = 0; n < count; n++)
            // Children stand behind their parent: no walk goes in circles.
            if (first[size_t(n)] <= n || first[size_t(n)] > first[size_t(n) + 1])
                throw std::invalid_argument("a tree's nodes do not stand level after level");
    }
    int64_t size() const { return int64_t(keys.size()); }
    bool leaf(int32_t node) const { return first[size_t(node)] == first[size_t(node) + 1]; }

    // The child that `key` leads to; -1 if there is none.
    int32_t child(int32_t node, int32_t key) const {
        int64_t low = first[size_t(node)], high = first[size_t(node) + 1];
        while (low < high) {
            int64_t middle = low + (high - low) / 2;
            if (keys[size_t(middle)] < key) low = middle + 1;
            else high = middle;
        }
        return low < first[size_t(node) + 1] && keys[size_t(low)] == key ? int32_t(low) : -1;
    }
};

// log p(word | words before it), in nats. Nodes are n-grams, the root the empty one; a state is the node of the longest
// context that counts.
class NGram : public Tree {
    std::vector<float> log_probs, backoffs;
    std::vector<int32_t> suffixes;  // the n-gram without its first word, or the longest end of that which has a node
    std::vector<int32_t> states;    // the state after an n-gram
    std::vector<double> highest;    // what any word can score after an n-gram

   public:
    const int32_t begin;  // the state at the start of a sequence
    const int32_t end;    // the word that ends a sequence; -1 if there is none

    NGram(std::vector<int64_t> starts, std::vector<int32_t> words, std::vector<float> given_log_probs,
          std::vector<float> given_backoffs, std::vector<int32_t> given_suffixes, std::vector<int32_t> given_states,
          int64_t begin, int64_t end)
        : Tree(std::move(starts), std::move(words)),
          log_probs(std::move(given_log_probs)),
          backoffs(std::move(given_backoffs)),
          suffixes(std::move(given_suffixes)),
          states(std::move(given_states)),
          begin(int32_t(begin)),
          end(int32_t(end)) {
        const size_t count = keys.size();
        if (log_probs.size() != count || backoffs.size() != count || suffixes.size() != count ||
            states.size() != count || begin < 0 || begin >= int64_t(count))
            throw std::invalid_argument("an n-gram model's arrays do not fit one another");
        for (size_t n = 0; n < count; n++)
            if (suffixes[n] < 0 || states[n] < 0 || states[n] > int32_t(n) || (n > 0 && suffixes[n] >= int32_t(n)))
                throw std::invalid_argument("an n-gram's suffix or state is not shorter than itself");
        if (this->end >= 0 && !knows(this->end)) throw std::invalid_argument("the word that ends a sequence is unknown");
        highest.assign(count, NOTHING);
        for (size_t n = 0; n < count; n++) {
            for (int64_t k = first[n]; k < first[n + 1]; k++)
                highest[n] = std::fmax(highest[n], double(log_probs[size_t(k)]));
            if (n > 0) highest[n] = std::fmax(highest[n], double(backoffs[n]) + highest[size_t(suffixes[n])]);
        }
    }
    // Above every score after a state, rounding included: back-off weights may be above 1.
    double bound(int32_t state) const { return highest[size_t(state)] + 1e-9; }
    bool knows(int32_t word) const { return child(0, word) >= 0; }

    // `next` becomes the state after the word. A word without a unigram has probability 0.
    double score(int32_t state, int32_t word, int32_t *next) const {
        double total = 0;
        for (int32_t node = state;; node = suffixes[size_t(node)]) {
            int32_t found = child(node, word);
            if (found >= 0) {
                *next = states[size_t(found)];
                return total + double(log_probs[size_t(found)]);
            }
            if (node == 0) break;
            total += double(backoffs[size_t(node)]);
        }
        *next = 0;
        return NOTHING;
    }
    double final_score(int32_t state) const {
        int32_t next;
        return end < 0 ? 0 : score(state, end, &next);
    }
};

// Words spelled in labels, as a trie.
class Lexicon : public Tree {
   public:
    std::vector<int64_t> word_starts;     // [N + 1]: of each node where its words begin in `words`
    std::vector<int32_t> words;           // numbers of the words that are spelled by the path to a node
    std::vector<int32_t> language_words;  // for each word its number in the n-gram model
    const int32_t separator;              // the label between two words; -1 if they follow one another directly
    const int32_t unknown;                // the n-gram model's number for a word of no lexicon; -1 if there is none
    const bool closed;                    // whether there are no other words

    Lexicon(std::vector<int64_t> starts, std::vector<int32_t> labels, std::vector<int64_t> given_word_starts,
            std::vector<int32_t> given_words, std::vector<int32_t> given_language_words, int64_t separator,
            int64_t unknown, bool closed)
        : Tree(std::move(starts), std::move(labels)),
          word_starts(std::move(given_word_starts)),
          words(std::move(given_words)),
          language_words(std::move(given_language_words)),
          separator(int32_t(separator)),
          unknown(int32_t(unknown)),
          closed(closed) {
        const size_t count = keys.size();
        if (word_starts.size() != count + 1 || word_starts[0] != 0 || word_starts[count] != int64_t(words.size()))
            throw std::invalid_argument("a lexicon's arrays do not fit one another");
        for (size_t n = 0; n < count; n++)
            if (word_starts[n] > word_starts[n + 1]) throw std::invalid_argument("a lexicon's words go back");
        for (int32_t word : words)
            if (word < 0 || word >= int64_t(language_words.size()))
                throw std::invalid_argument("a lexicon names a word that it does not have");
    }
    bool ends_word(int32_t node) const { return word_starts[size_t(node)] < word_starts[size_t(node) + 1]; }

    void check(int64_t labels, int64_t blank) const {
        for (size_t n = 1; n < keys.size(); n++)
            if (keys[n] < 0 || keys[n] >= labels || keys[n] == blank || keys[n] == separator)
                throw std::invalid_argument("a lexicon is spelled in what is no label, the blank or the separator");
        if (separator < -1 || separator >= labels || separator == blank)
            throw std::invalid_argument("the separator is no label, or the blank");
    }
    void check_words(const NGram &ngram) const {
        for (int32_t word : language_words)
            if (!ngram.knows(word)) throw std::invalid_argument("the n-gram model does not know a word of the lexicon");
        if (!closed && !ngram.knows(unknown))
            throw std::invalid_argument("the n-gram model has nothing for words of no lexicon");
    }
};

inline double log_add(double a, double b) {
    double high = a > b ? a : b, low = a > b ? b : a;
    return low == NOTHING ? high : high + std::log1p(std::exp(low - high));
}

}  // namespace gatewise
