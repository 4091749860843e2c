// Prefix beam search for connectionist temporal classification, one sequence, step by step.
//
// Graves (2006, 2012) and Hannun, Maas, Jurafsky & Ng (2014, algorithm 1): a prefix of labels has one probability, the
// sum over the alignments that lead to it, kept in two parts, of those that end in a blank and of those that do not.
#pragma once
#include <memory>
#include <vector>

#include "ctc_language.h"

namespace gatewise {

// How a search ranks and what it allows.
struct SearchOptions {
    int64_t labels;  // V
    int64_t blank;
    double penalty;  // what a blank costs, in nats
    int64_t width;   // of the beam
    double weight, bonus;  // of the language model; for each label or, with a lexicon, each word
    std::shared_ptr<const NGram> ngram;
    std::vector<int32_t> label_words;  // [V]: each label in the n-gram model, where that scores labels
    std::shared_ptr<const Lexicon> lexicon;
    bool rows;  // whether someone else scores labels, prefix by prefix
};

// Throws where an option is out of range, or names what is not there.
void check_search(const SearchOptions &options);

// What was found: of each hypothesis its labels with the steps [start, end) that the best alignment gives them, and its
// words where there is a lexicon.
struct Found {
    struct One {
        double score, log_prob;
        bool complete;
        int64_t n_labels, n_words;
    };
    std::vector<One> hypotheses;
    std::vector<int64_t> labels, starts, ends, words;
};

class Beam {
   public:
    // Of options that have been checked.
    explicit Beam(SearchOptions options);

    // One step, of logarithms of probabilities [V].
    void step(const double *log_probs);
    // The best `most` hypotheses; `finished` if nothing follows, so that sentences and words end here.
    Found best(int64_t most, bool finished) const;

    // Where labels are scored elsewhere: for each hypothesis of the beam which one of the step before it is made of,
    // and the label put to that (-1: none). Scores [V] are due for those with a label before the next step.
    struct Origin {
        int64_t entry, label;
    };
    const std::vector<Origin> &origins() const { return origins_; }
    void provide(const double *rows, int64_t count);
    bool due() const { return due_; }

    const SearchOptions &options() const { return options_; }
    int64_t steps() const { return time; }

   private:
    // A node of the trie of all prefixes that are in the beam, or begin one that is.
    struct Prefix {
        int32_t parent, label, first_child, next_sibling;
        int32_t users;  // children, and the beam
        int32_t entry;  // where it stands in the beam; -1
        int32_t state, node, word;  // of the n-gram model, of the lexicon; the word that its last label ended
        double language;            // what the language model, weighted, and the bonus add up to
    };
    // The best alignment that led to a prefix: where its labels were, the last one's place apart.
    struct Place {
        int32_t before, users;
        int64_t start, end;
    };
    struct Path {
        double score;
        int32_t places;  // of the labels before the last
        int64_t start, end;
    };
    struct Entry {
        int32_t prefix;
        double blank, label, total;
        Path blank_path, label_path;
    };
    struct Stay {
        double blank, label, total;
        double blank_path, label_path;
        bool from_blank, from_parent;  // which path goes on: the one that ended in a blank; the shorter prefix's
    };
    struct Candidate {
        double score;
        int64_t order;
        int32_t entry, label;  // label -1: the prefix stays
        bool better(const Candidate &other) const {
            return score > other.score || (score == other.score && order < other.order);
        }
    };
    // What a label does to a prefix besides its probability.
    struct Reading {
        bool allowed;
        double gain;
        int32_t state, node, word;
    };
    // What the end of the sequence does to it.
    struct Ending {
        bool complete;
        double gain;
        int32_t word;
    };

    Reading read(const Entry &entry, int32_t label) const;
    Ending end(size_t entry) const;
    double word_gain(int32_t node, int32_t state, bool at_end, int32_t *word, int32_t *next) const;
    int32_t child(int32_t prefix, int32_t label) const;
    int32_t add_prefix(int32_t parent, int32_t label, const Reading &reading);
    void release_prefix(int32_t prefix);
    int32_t add_place(int32_t before, int64_t start, int64_t end);
    void keep_place(int32_t place);
    void release_place(int32_t place);
    Path stay_path(const Path &from, double score, bool on_label);
    Path next_path(const Entry &from, int32_t label, double score);
    const Path &path_to(const Entry &from, int32_t label) const;
    void offer(const Candidate &candidate);
    void stay(const double *log_probs);
    void extend(const double *log_probs);
    void take(const double *log_probs);

    SearchOptions options_;
    int64_t time = 0;
    bool due_ = false;
    std::vector<Prefix> prefixes;
    std::vector<Place> places;
    std::vector<int32_t> free_prefixes, free_places;
    std::vector<Entry> entries, next_entries;
    std::vector<Stay> stays;
    std::vector<Candidate> candidates;
    std::vector<Origin> origins_;
    std::vector<double> rows, next_rows;  // of each hypothesis, [V]
};

}  // namespace gatewise
