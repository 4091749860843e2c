// Prefix beam search; see the header.
#include "ctc_beam.h"

#include <algorithm>

namespace gatewise {

void check_search(const SearchOptions &o) {
    if (o.labels < 1 || o.labels > (1 << 30) || o.blank < 0 || o.blank >= o.labels)
        throw std::invalid_argument("the blank is no label");
    if (o.width < 1) throw std::invalid_argument("a beam has to have a width");
    if (!(o.weight >= 0)) throw std::invalid_argument("the weight of the language model is negative");
    if (o.rows && (o.ngram || o.lexicon)) throw std::invalid_argument("labels have two language models");
    if (o.lexicon) {
        o.lexicon->check(o.labels, o.blank);
        if (o.lexicon->separator < 0) throw std::invalid_argument("words in a beam need a separator");
        if (o.ngram) o.lexicon->check_words(*o.ngram);
    } else if (o.ngram) {
        if (int64_t(o.label_words.size()) != o.labels)
            throw std::invalid_argument("expected a word of the n-gram model for each label");
        for (int64_t label = 0; label < o.labels; label++)
            if (label != o.blank && !o.ngram->knows(o.label_words[size_t(label)]))
                throw std::invalid_argument("the n-gram model does not know a label");
    }
}

Beam::Beam(SearchOptions options) : options_(std::move(options)) {
    prefixes.push_back({-1, -1, -1, -1, 1, 0, options_.ngram ? options_.ngram->begin : 0, 0, -1, 0.0});
    const Path none{NOTHING, -1, 0, 0}, start{0.0, -1, 0, 0};
    entries.push_back({0, 0.0, NOTHING, 0.0, start, none});
    origins_.push_back({0, 0});
    due_ = options_.rows;
}

// ------------------------------------------------------------------------------------------------------------- memory

int32_t Beam::child(int32_t prefix, int32_t label) const {
    int32_t found = prefixes[size_t(prefix)].first_child;
    while (found >= 0 && prefixes[size_t(found)].label != label) found = prefixes[size_t(found)].next_sibling;
    return found;
}

int32_t Beam::add_prefix(int32_t parent, int32_t label, const Reading &reading) {
    int32_t place;
    if (free_prefixes.empty()) {
        place = int32_t(prefixes.size());
        prefixes.emplace_back();
    } else {
        place = free_prefixes.back();
        free_prefixes.pop_back();
    }
    Prefix &above = prefixes[size_t(parent)];
    prefixes[size_t(place)] = {parent,        label,        -1,           above.first_child,
                               0,             -1,           reading.state, reading.node,
                               reading.word,  above.language + reading.gain};
    above.first_child = place;
    above.users++;
    return place;
}

void Beam::release_prefix(int32_t prefix) {
    while (prefix >= 0 && --prefixes[size_t(prefix)].users == 0) {
        const int32_t parent = prefixes[size_t(prefix)].parent;
        if (parent >= 0) {
            int32_t *link = &prefixes[size_t(parent)].first_child;
            while (*link != prefix) link = &prefixes[size_t(*link)].next_sibling;
            *link = prefixes[size_t(prefix)].next_sibling;
        }
        free_prefixes.push_back(prefix);
        prefix = parent;
    }
}

int32_t Beam::add_place(int32_t before, int64_t start, int64_t end) {
    keep_place(before);
    if (free_places.empty()) {
        places.push_back({before, 1, start, end});
        return int32_t(places.size()) - 1;
    }
    const int32_t place = free_places.back();
    free_places.pop_back();
    places[size_t(place)] = {before, 1, start, end};
    return place;
}

void Beam::keep_place(int32_t place) {
    if (place >= 0) places[size_t(place)].users++;
}

void Beam::release_place(int32_t place) {
    while (place >= 0 && --places[size_t(place)].users == 0) {
        free_places.push_back(place);
        place = places[size_t(place)].before;
    }
}

// -------------------------------------------------------------------------------------------------------------- paths

// Of a prefix's two best paths the one that a label can follow: after the same label only from a blank.
const Beam::Path &Beam::path_to(const Entry &from, int32_t label) const {
    const bool same = prefixes[size_t(from.prefix)].label == label;
    return same || from.blank_path.score >= from.label_path.score ? from.blank_path : from.label_path;
}

Beam::Path Beam::stay_path(const Path &from, double score, bool on_label) {
    keep_place(from.places);
    return {score, from.places, from.start, on_label ? time + 1 : from.end};
}

Beam::Path Beam::next_path(const Entry &from, int32_t label, double score) {
    const Path &path = path_to(from, label);
    const bool first = prefixes[size_t(from.prefix)].parent < 0;
    return {score, first ? -1 : add_place(path.places, path.start, path.end), time, time + 1};
}

// ----------------------------------------------------------------------------------------------------------- language

// The best of the words that are spelled by a lexicon's node (of those spelled alike only that counts).
double Beam::word_gain(int32_t node, int32_t state, bool at_end, int32_t *word, int32_t *next) const {
    const Lexicon &lexicon = *options_.lexicon;
    const bool known = node >= 0 && lexicon.ends_word(node);
    const int64_t first = known ? lexicon.word_starts[size_t(node)] : 0;
    const int64_t last = known ? lexicon.word_starts[size_t(node) + 1] : 1;
    double best = NOTHING;
    *word = -1;
    *next = state;
    for (int64_t k = first; k < last; k++) {
        const int32_t candidate = known ? lexicon.words[size_t(k)] : -1;
        int32_t after = state;
        double score = 0;
        if (options_.ngram) {
            const int32_t spoken = known ? lexicon.language_words[size_t(candidate)] : lexicon.unknown;
            score = options_.ngram->score(state, spoken, &after);
            if (at_end) score += options_.ngram->final_score(after);
        }
        const double gain = options_.weight * score + options_.bonus;
        if (k == first || gain > best) {
            best = gain;
            *word = candidate;
            *next = after;
        }
    }
    return best;
}

Beam::Reading Beam::read(const Entry &entry, int32_t label) const {
    const Prefix &prefix = prefixes[size_t(entry.prefix)];
    Reading reading{true, options_.bonus, prefix.state, 0, -1};
    if (options_.lexicon) {
        const Lexicon &lexicon = *options_.lexicon;
        reading.gain = 0;
        if (label != lexicon.separator) {
            reading.node = prefix.node < 0 ? -1 : lexicon.child(prefix.node, label);
            reading.allowed = reading.node >= 0 || !lexicon.closed;
        } else if (prefix.node == 0) {
            reading.allowed = !lexicon.closed;
        } else if (lexicon.closed && !lexicon.ends_word(prefix.node)) {
            reading.allowed = false;
        } else {
            reading.gain = word_gain(prefix.node, prefix.state, false, &reading.word, &reading.state);
        }
    } else if (options_.ngram) {
        const double score =
            options_.ngram->score(prefix.state, options_.label_words[size_t(label)], &reading.state);
        reading.gain = options_.weight * score + options_.bonus;
    } else if (options_.rows) {
        const size_t row = size_t(&entry - entries.data());
        reading.gain = options_.weight * rows[row * size_t(options_.labels) + size_t(label)] + options_.bonus;
    }
    return reading;
}

Beam::Ending Beam::end(size_t entry) const {
    const Prefix &prefix = prefixes[size_t(entries[entry].prefix)];
    if (options_.rows)
        return {true, options_.weight * rows[entry * size_t(options_.labels) + size_t(options_.blank)], -1};
    if (!options_.lexicon) {
        if (!options_.ngram) return {true, 0, -1};
        return {true, options_.weight * options_.ngram->final_score(prefix.state), -1};
    }
    const Lexicon &lexicon = *options_.lexicon;
    if (prefix.node == 0) {
        // Nothing at all, or a separator that no word follows.
        const bool complete = prefix.parent < 0 || !lexicon.closed;
        const double score = complete && options_.ngram ? options_.ngram->final_score(prefix.state) : 0;
        return {complete, options_.weight * score, -1};
    }
    if (lexicon.closed && !lexicon.ends_word(prefix.node)) return {false, 0, -1};
    Ending ending{true, 0, -1};
    int32_t next;
    ending.gain = word_gain(prefix.node, prefix.state, true, &ending.word, &next);
    return ending;
}

void Beam::provide(const double *given, int64_t count) {
    int64_t wanted = 0;
    for (const Origin &origin : origins_) wanted += origin.label >= 0;
    if (!options_.rows || !due_ || count != wanted)
        throw std::invalid_argument("expected scores for each hypothesis with a new label, once");
    next_rows.resize(origins_.size() * size_t(options_.labels));
    for (size_t k = 0; k < origins_.size(); k++) {
        const double *from = given;
        if (origins_[k].label >= 0) given += options_.labels;
        else from = rows.data() + size_t(origins_[k].entry * options_.labels);
        std::copy(from, from + options_.labels, next_rows.begin() + int64_t(k) * options_.labels);
    }
    std::swap(rows, next_rows);
    due_ = false;
}

// ------------------------------------------------------------------------------------------------------------- search

void Beam::offer(const Candidate &candidate) {
    auto worse = [](const Candidate &a, const Candidate &b) { return a.better(b); };  // the worst on top
    if (candidate.score == NOTHING) return;
    if (int64_t(candidates.size()) == options_.width) {
        if (!candidate.better(candidates.front())) return;
        std::pop_heap(candidates.begin(), candidates.end(), worse);
        candidates.pop_back();
    }
    candidates.push_back(candidate);
    std::push_heap(candidates.begin(), candidates.end(), worse);
}

// What becomes of each prefix if no label, or its last one once more, or its last one after the prefix before it comes.
void Beam::stay(const double *log_probs) {
    const double blank = log_probs[options_.blank] - options_.penalty;
    stays.resize(entries.size());
    for (size_t k = 0; k < entries.size(); k++) {
        const Entry &entry = entries[k];
        const Prefix &prefix = prefixes[size_t(entry.prefix)];
        Stay &here = stays[k];
        here.blank = entry.total + blank;
        here.from_blank = entry.blank_path.score >= entry.label_path.score;
        here.blank_path = (here.from_blank ? entry.blank_path.score : entry.label_path.score) + blank;
        here.label = here.label_path = NOTHING;
        here.from_parent = false;
        if (prefix.parent >= 0) {
            const double y = log_probs[prefix.label];
            here.label = entry.label + y;
            here.label_path = entry.label_path.score + y;
            const int32_t above = prefixes[size_t(prefix.parent)].entry;
            if (above >= 0) {
                const Entry &shorter = entries[size_t(above)];
                const bool same = prefixes[size_t(shorter.prefix)].label == prefix.label;
                here.label = log_add(here.label, (same ? shorter.blank : shorter.total) + y);
                const double through = path_to(shorter, prefix.label).score + y;
                if (through > here.label_path) {
                    here.label_path = through;
                    here.from_parent = true;
                }
            }
        }
        here.total = log_add(here.blank, here.label);
        offer({here.total + prefix.language, int64_t(k) * (options_.labels + 1), int32_t(k), -1});
    }
}

void Beam::extend(const double *log_probs) {
    const bool closed = options_.lexicon && options_.lexicon->closed;
    for (size_t k = 0; k < entries.size(); k++) {
        const Entry &entry = entries[k];
        const Prefix &prefix = prefixes[size_t(entry.prefix)];
        // What a label can bring at most; a separator, which a whole word hangs on, is always looked at.
        double most = options_.bonus;
        if (options_.lexicon) most = 0;
        else if (options_.ngram) most += options_.weight * options_.ngram->bound(prefix.state);
        else if (options_.rows) most = std::numeric_limits<double>::infinity();
        const double highest = prefix.language + most;
        const int64_t separator = options_.lexicon ? options_.lexicon->separator : -1;
        auto consider = [&](int64_t label) {
            if (label == options_.blank) return;
            if (label != separator && int64_t(candidates.size()) == options_.width &&
                entry.total + log_probs[label] + highest < candidates.front().score)
                return;
            const double base = (label == prefix.label ? entry.blank : entry.total) + log_probs[label];
            if (base == NOTHING) return;
            const int32_t longer = child(entry.prefix, int32_t(label));
            if (longer >= 0 && prefixes[size_t(longer)].entry >= 0) return;  // `stay` has seen it
            const Reading reading = read(entry, int32_t(label));
            if (reading.allowed)
                offer({base + (prefix.language + reading.gain), int64_t(k) * (options_.labels + 1) + label + 1,
                       int32_t(k), int32_t(label)});
        };
        if (closed && prefix.node >= 0) {
            const Lexicon &lexicon = *options_.lexicon;
            for (int64_t n = lexicon.first[size_t(prefix.node)]; n < lexicon.first[size_t(prefix.node) + 1]; n++)
                consider(lexicon.keys[size_t(n)]);
            consider(lexicon.separator);
        } else {
            for (int64_t label = 0; label < options_.labels; label++) consider(label);
        }
    }
}

// The candidates become the beam.
void Beam::take(const double *log_probs) {
    std::sort(candidates.begin(), candidates.end(), [](const Candidate &a, const Candidate &b) { return a.better(b); });
    next_entries.clear();
    origins_.clear();
    for (const Candidate &candidate : candidates) {
        const Entry &from = entries[size_t(candidate.entry)];
        Entry entry{};
        if (candidate.label < 0) {
            const Stay &here = stays[size_t(candidate.entry)];
            entry = {from.prefix, here.blank, here.label, here.total, {}, {}};
            entry.blank_path = stay_path(here.from_blank ? from.blank_path : from.label_path, here.blank_path, false);
            if (here.from_parent) {
                const Prefix &prefix = prefixes[size_t(from.prefix)];
                const Entry &shorter = entries[size_t(prefixes[size_t(prefix.parent)].entry)];
                entry.label_path = next_path(shorter, prefix.label, here.label_path);
            } else {
                entry.label_path = stay_path(from.label_path, here.label_path, true);
            }
        } else {
            const int32_t label = candidate.label;
            const double y = log_probs[label];
            const bool same = prefixes[size_t(from.prefix)].label == label;
            int32_t prefix = child(from.prefix, label);
            if (prefix < 0) prefix = add_prefix(from.prefix, label, read(from, label));
            const double total = (same ? from.blank : from.total) + y;
            entry = {prefix, NOTHING, total, total, {NOTHING, -1, 0, 0}, {}};
            entry.label_path = next_path(from, label, path_to(from, label).score + y);
        }
        prefixes[size_t(entry.prefix)].users++;
        next_entries.push_back(entry);
        origins_.push_back({candidate.entry, candidate.label});
    }
    for (const Entry &entry : entries) {
        prefixes[size_t(entry.prefix)].entry = -1;
        release_place(entry.blank_path.places);
        release_place(entry.label_path.places);
    }
    for (const Entry &entry : entries) release_prefix(entry.prefix);
    std::swap(entries, next_entries);
    for (size_t k = 0; k < entries.size(); k++) prefixes[size_t(entries[k].prefix)].entry = int32_t(k);
}

void Beam::step(const double *log_probs) {
    if (due_) throw std::logic_error("scores of the last step's new labels are due");
    candidates.clear();
    stay(log_probs);
    extend(log_probs);
    take(log_probs);
    time++;
    if (!options_.rows) return;
    due_ = std::any_of(origins_.begin(), origins_.end(), [](const Origin &origin) { return origin.label >= 0; });
    if (!due_) {
        due_ = true;
        provide(nullptr, 0);
    }
}

Found Beam::best(int64_t most, bool finished) const {
    if (due_) throw std::logic_error("scores of the last step's new labels are due");
    struct Ranked {
        double score;
        size_t entry;
        Ending ending;
    };
    std::vector<Ranked> ranked;
    for (size_t k = 0; k < entries.size(); k++) {
        const Prefix &prefix = prefixes[size_t(entries[k].prefix)];
        const Ending ending = finished ? end(k) : Ending{true, 0, -1};
        const double score = entries[k].total + (prefix.language + ending.gain);
        if (score > NOTHING) ranked.push_back({score, k, ending});
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked &a, const Ranked &b) {
        return a.ending.complete != b.ending.complete ? a.ending.complete : a.score > b.score;
    });
    if (int64_t(ranked.size()) > most) ranked.resize(size_t(most));
    Found found;
    for (const Ranked &one : ranked) {
        const Entry &entry = entries[one.entry];
        std::vector<int64_t> labels, starts, ends, words;
        if (options_.lexicon && finished && one.ending.complete && prefixes[size_t(entry.prefix)].node != 0)
            words.push_back(one.ending.word);
        for (int32_t p = entry.prefix; prefixes[size_t(p)].parent >= 0; p = prefixes[size_t(p)].parent) {
            const Prefix &prefix = prefixes[size_t(p)];
            labels.push_back(prefix.label);
            const bool ended = options_.lexicon && prefix.label == options_.lexicon->separator &&
                               prefixes[size_t(prefix.parent)].node != 0;
            if (ended) words.push_back(prefix.word);
        }
        const Path &path = entry.blank_path.score >= entry.label_path.score ? entry.blank_path : entry.label_path;
        if (!labels.empty()) {
            starts.push_back(path.start);
            ends.push_back(path.end);
        }
        for (int32_t p = path.places; p >= 0; p = places[size_t(p)].before) {
            starts.push_back(places[size_t(p)].start);
            ends.push_back(places[size_t(p)].end);
        }
        found.hypotheses.push_back(
            {one.score, entry.total, one.ending.complete, int64_t(labels.size()), int64_t(words.size())});
        found.labels.insert(found.labels.end(), labels.rbegin(), labels.rend());
        found.starts.insert(found.starts.end(), starts.rbegin(), starts.rend());
        found.ends.insert(found.ends.end(), ends.rbegin(), ends.rend());
        found.words.insert(found.words.end(), words.rbegin(), words.rend());
    }
    return found;
}

}  // namespace gatewise
