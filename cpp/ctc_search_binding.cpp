// Connectionist temporal classification in the Python module: decoders and forced alignment.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/unique_ptr.h>

#include <exception>
#include <memory>
#include <mutex>
#include <optional>

#include "ctc_align.h"
#include "ctc_beam.h"
#include "ctc_binding.h"
#include "ctc_tokens.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace nb = nanobind;
using namespace nb::literals;

namespace gatewise {
namespace {

template <typename T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> array(std::vector<T> values) {
    auto *owned = new std::vector<T>(std::move(values));
    nb::capsule owner(owned, [](void *p) noexcept { delete static_cast<std::vector<T> *>(p); });
    return nb::ndarray<nb::numpy, T, nb::ndim<1>>(owned->data(), {owned->size()}, owner);
}

template <typename T, typename Array>
std::vector<T> copied(const Array &values) {
    return std::vector<T>(values.data(), values.data() + values.size());
}

// Logarithms of probabilities [T, V] of one sequence.
class LogProbs {
    const Logits &logits;
    const bool twice;

   public:
    explicit LogProbs(const Logits &logits) : logits(logits), twice(is_double(logits)) {}

    // Of step t of sequence b; false where they are none.
    bool row(int64_t t, int64_t b, double *result) const {
        const int64_t at = t * logits.stride(0) + b * logits.stride(1);
        const void *from = twice ? static_cast<const void *>(static_cast<const double *>(logits.data()) + at)
                                 : static_cast<const void *>(static_cast<const float *>(logits.data()) + at);
        return ctc_level().log_softmax(from, int64_t(logits.shape(2)), twice, result);
    }
    // The first step that has none; -1 where all have.
    int64_t all(int64_t b, int64_t steps, std::vector<double> *result) const {
        const int64_t labels = int64_t(logits.shape(2));
        result->resize(size_t(steps * labels));
        for (int64_t t = 0; t < steps; t++)
            if (!row(t, b, result->data() + t * labels)) return t;
        return -1;
    }
};

// Runs `one(b)` for each sequence, which returns the first step without probabilities or -1. The first bad (sequence,
// step) comes back, or (-1, -1).
template <typename One>
std::pair<int64_t, int64_t> each(int64_t sequences, int64_t threads, One one) {
    std::vector<int64_t> bad(size_t(sequences), -1);
    std::exception_ptr failure;
    std::mutex guard;
    {
        nb::gil_scoped_release release;
        const int64_t most = threads < sequences ? threads : sequences, count = most > 1 ? most : 1;
        (void)count;
#ifdef _OPENMP
#pragma omp parallel for num_threads(int(count)) schedule(dynamic, 1) if (count > 1)
#endif
        for (int64_t b = 0; b < sequences; b++) {
            try {
                bad[size_t(b)] = one(b);
            } catch (...) {
                std::lock_guard<std::mutex> lock(guard);
                failure = std::current_exception();
            }
        }
    }
    if (failure) std::rethrow_exception(failure);
    for (int64_t b = 0; b < sequences; b++)
        if (bad[size_t(b)] >= 0) return {b, bad[size_t(b)]};
    return {-1, -1};
}

void check_lengths(const Logits &logits, const Ints &lengths, int64_t labels) {
    check_logits(logits);
    if (int64_t(logits.shape(2)) != labels) refuse("the logits have another number of labels");
    if (lengths.size() != logits.shape(1)) refuse("expected a length for each sequence");
    for (size_t b = 0; b < lengths.size(); b++)
        if (lengths.data()[b] < 0 || lengths.data()[b] > int64_t(logits.shape(0))) refuse("a length is out of range");
}

// Hypotheses of all sequences, one after the other: how many each sequence has; of each its score, the logarithm of its
// probability, whether it is complete, and how many labels and words it has; labels, starts, ends; words.
nb::tuple packed(const std::vector<Found> &found) {
    std::vector<int64_t> counts, n_labels, n_words, labels, starts, ends, words;
    std::vector<double> scores, log_probs;
    std::vector<uint8_t> complete;
    for (const Found &one : found) {
        counts.push_back(int64_t(one.hypotheses.size()));
        for (const Found::One &hypothesis : one.hypotheses) {
            scores.push_back(hypothesis.score);
            log_probs.push_back(hypothesis.log_prob);
            complete.push_back(hypothesis.complete);
            n_labels.push_back(hypothesis.n_labels);
            n_words.push_back(hypothesis.n_words);
        }
        labels.insert(labels.end(), one.labels.begin(), one.labels.end());
        starts.insert(starts.end(), one.starts.begin(), one.starts.end());
        ends.insert(ends.end(), one.ends.begin(), one.ends.end());
        words.insert(words.end(), one.words.begin(), one.words.end());
    }
    return nb::make_tuple(array(counts), array(scores), array(log_probs), array(complete), array(n_labels),
                          array(n_words), array(labels), array(starts), array(ends), array(words));
}

// A beam that several Python threads may hold: one of them at a time.
class SharedBeam {
    Beam beam;
    mutable std::mutex guard;

   public:
    explicit SharedBeam(SearchOptions options) : beam(std::move(options)) {}
    const SearchOptions &options() const { return beam.options(); }
    std::unique_ptr<SharedBeam> fresh() const { return std::make_unique<SharedBeam>(options()); }

    // The first step of [T, 1, V] without probabilities, in which case none was taken; -1 otherwise.
    int64_t feed(Logits logits) {
        check_logits(logits);
        if (logits.shape(1) != 1 || int64_t(logits.shape(2)) != options().labels)
            refuse("expected logits [T, 1, V] of the beam's labels");
        nb::gil_scoped_release release;
        std::lock_guard<std::mutex> lock(guard);
        const int64_t steps = int64_t(logits.shape(0));
        std::vector<double> rows;
        const int64_t bad = LogProbs(logits).all(0, steps, &rows);
        if (bad >= 0) return bad;
        if (options().rows && steps > 1) refuse("labels that are scored elsewhere go step by step");
        for (int64_t t = 0; t < steps; t++) beam.step(rows.data() + t * options().labels);
        return -1;
    }
    nb::tuple best(int64_t most, bool finished) const {
        std::lock_guard<std::mutex> lock(guard);
        return packed({beam.best(most, finished)});
    }
    // Entries and labels of the beam's origins.
    nb::tuple origins() const {
        std::lock_guard<std::mutex> lock(guard);
        std::vector<int64_t> entries, labels;
        for (const Beam::Origin &origin : beam.origins()) {
            entries.push_back(origin.entry);
            labels.push_back(origin.label);
        }
        return nb::make_tuple(array(entries), array(labels));
    }
    void provide(nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu> rows) {
        if (int64_t(rows.shape(1)) != options().labels) refuse("expected a score for each label");
        std::lock_guard<std::mutex> lock(guard);
        beam.provide(rows.data(), int64_t(rows.shape(0)));
    }
    int64_t steps() const {
        std::lock_guard<std::mutex> lock(guard);
        return beam.steps();
    }
};

nb::tuple search(const SharedBeam &beam, Logits logits, Ints lengths, int64_t most, int64_t threads) {
    const SearchOptions &options = beam.options();
    check_lengths(logits, lengths, options.labels);
    if (options.rows) refuse("labels that are scored elsewhere go step by step");
    const int64_t sequences = int64_t(logits.shape(1));
    std::vector<Found> found{size_t(sequences)};
    const LogProbs log_probs(logits);
    const auto bad = each(sequences, threads, [&](int64_t b) -> int64_t {
        Beam own(options);
        std::vector<double> row(size_t(options.labels));
        for (int64_t t = 0; t < lengths.data()[b]; t++) {
            if (!log_probs.row(t, b, row.data())) return t;
            own.step(row.data());
        }
        found[size_t(b)] = own.best(most, true);
        return -1;
    });
    return nb::make_tuple(bad, packed(found));
}

nb::tuple tokens(Logits logits, Ints lengths, int64_t blank, double penalty, int64_t width, double weight, double bonus,
                 std::shared_ptr<const NGram> ngram, std::shared_ptr<const Lexicon> lexicon, int64_t threads) {
    const TokenOptions options{int64_t(logits.shape(2)), blank, penalty, width, weight, bonus, ngram, lexicon};
    check_lengths(logits, lengths, options.labels);
    check_tokens(options);
    const int64_t sequences = int64_t(logits.shape(1));
    std::vector<Found> found{size_t(sequences)};
    const LogProbs log_probs(logits);
    const auto bad = each(sequences, threads, [&](int64_t b) -> int64_t {
        const int64_t steps = lengths.data()[b];
        std::vector<double> rows;
        const int64_t where = log_probs.all(b, steps, &rows);
        if (where >= 0) return where;
        Spoken spoken = pass_tokens(options, rows.data(), steps);
        if (spoken.score == NOTHING) return -1;
        for (int64_t t = 0; t < steps; t++) rows[size_t(t * options.labels + blank)] -= penalty;
        Found &one = found[size_t(b)];
        const int64_t length = int64_t(spoken.labels.size());
        one.starts.resize(size_t(length));
        one.ends.resize(size_t(length));
        std::vector<double> scores{std::vector<double>(size_t(length))};
        const double log_prob = align(rows.data(), steps, options.labels, blank, spoken.labels.data(), length,
                                      one.starts.data(), one.ends.data(), scores.data());
        one.hypotheses.push_back(
            {spoken.score, log_prob, spoken.complete, length, int64_t(spoken.words.size())});
        one.labels = std::move(spoken.labels);
        one.words = std::move(spoken.words);
        return -1;
    });
    return nb::make_tuple(bad, packed(found));
}

// Scores [B]; of all labels, one after the other, starts, ends and scores.
nb::tuple alignments(Logits logits, Ints input_lengths, Ints targets, Ints offsets, int64_t blank, double penalty,
                     int64_t threads) {
    check_pairs(logits, input_lengths, targets, offsets, blank);
    const int64_t sequences = int64_t(logits.shape(1)), labels = int64_t(logits.shape(2));
    std::vector<double> totals(size_t(sequences), NOTHING), scores(targets.size(), NOTHING);
    std::vector<int64_t> starts(targets.size(), -1), ends(targets.size(), -1);
    const LogProbs log_probs(logits);
    const auto bad = each(sequences, threads, [&](int64_t b) -> int64_t {
        const int64_t steps = input_lengths.data()[b];
        std::vector<double> rows;
        const int64_t where = log_probs.all(b, steps, &rows);
        if (where >= 0) return where;
        for (int64_t t = 0; t < steps; t++) rows[size_t(t * labels + blank)] -= penalty;
        const int64_t first = offsets.data()[b], length = offsets.data()[b + 1] - first;
        totals[size_t(b)] = align(rows.data(), steps, labels, blank, targets.data() + first, length,
                                  starts.data() + first, ends.data() + first, scores.data() + first);
        return -1;
    });
    return nb::make_tuple(bad, array(totals), array(starts), array(ends), array(scores));
}

}  // namespace

void bind_ctc_search(nb::module_ &m) {
    nb::class_<NGram>(m, "NGram")
        .def(
            "__init__",
            [](NGram *self, Ints first, Shorts words, Floats log_probs, Floats backoffs, Shorts suffixes, Shorts states,
               int64_t begin, int64_t end) {
                new (self) NGram(copied<int64_t>(first), copied<int32_t>(words), copied<float>(log_probs),
                                 copied<float>(backoffs), copied<int32_t>(suffixes), copied<int32_t>(states), begin, end);
            },
            "first"_a, "words"_a, "log_probs"_a, "backoffs"_a, "suffixes"_a, "states"_a, "begin"_a, "end"_a);
    nb::class_<Lexicon>(m, "Lexicon")
        .def(
            "__init__",
            [](Lexicon *self, Ints first, Shorts labels, Ints word_starts, Shorts words, Shorts language_words,
               int64_t separator, int64_t unknown, bool closed) {
                new (self) Lexicon(copied<int64_t>(first), copied<int32_t>(labels), copied<int64_t>(word_starts),
                                   copied<int32_t>(words), copied<int32_t>(language_words), separator, unknown, closed);
            },
            "first"_a, "labels"_a, "word_starts"_a, "words"_a, "language_words"_a, "separator"_a, "unknown"_a,
            "closed"_a);
    nb::class_<SharedBeam>(m, "CtcBeam")
        .def(
            "__init__",
            [](SharedBeam *self, int64_t labels, int64_t blank, double penalty, int64_t width, double weight,
               double bonus, std::shared_ptr<NGram> ngram, std::optional<Shorts> label_words,
               std::shared_ptr<Lexicon> lexicon, bool rows) {
                SearchOptions options{labels, blank, penalty, width, weight, bonus, ngram,
                                      label_words ? copied<int32_t>(*label_words) : std::vector<int32_t>(),
                                      lexicon, rows};
                check_search(options);
                new (self) SharedBeam(std::move(options));
            },
            "labels"_a, "blank"_a, "penalty"_a, "width"_a, "weight"_a, "bonus"_a, "ngram"_a.none(),
            "label_words"_a.none(), "lexicon"_a.none(), "rows"_a)
        .def("fresh", &SharedBeam::fresh)  // another search with the same options, over nothing so far
        .def("feed", &SharedBeam::feed, "logits"_a.noconvert())
        .def("best", &SharedBeam::best, "most"_a, "finished"_a)
        .def("origins", &SharedBeam::origins)
        .def("provide", &SharedBeam::provide, "rows"_a)
        .def_prop_ro("steps", &SharedBeam::steps);
    m.def("ctc_search", search, "beam"_a, "logits"_a.noconvert(), "lengths"_a, "most"_a, "threads"_a);
    m.def(
        "ctc_tokens",
        [](Logits logits, Ints lengths, int64_t blank, double penalty, int64_t width, double weight, double bonus,
           std::shared_ptr<NGram> ngram, std::shared_ptr<Lexicon> lexicon, int64_t threads) {
            return tokens(logits, lengths, blank, penalty, width, weight, bonus, ngram, lexicon, threads);
        },
        "logits"_a.noconvert(), "lengths"_a, "blank"_a, "penalty"_a, "width"_a, "weight"_a, "bonus"_a,
        "ngram"_a.none(), "lexicon"_a, "threads"_a);
    m.def("ctc_align", alignments, "logits"_a.noconvert(), "input_lengths"_a, "targets"_a, "offsets"_a, "blank"_a,
          "penalty"_a, "threads"_a);
}

}  // namespace gatewise
