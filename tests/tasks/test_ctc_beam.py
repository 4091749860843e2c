"""Prefix beam search: the core against plain Python, both against all alignments; language models, words, streams."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks.arpa_files import draw_table
from tests.tasks.ctc_cases import probability
from torch import Tensor, nn

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc import BeamDecoder, Hypothesis, Lexicon, beam, ctc_loss
from gatewise.tasks.language import LabelNGram, NGram, read_arpa


def logits_of(rng: np.random.Generator, steps: int, labels: int) -> Tensor:
    """Flat, peaked or blank ones, some with labels of probability 0."""
    logits = rng.choice([0.3, 1.0, 3.0, 8.0]) * rng.normal(size=(steps, labels))
    logits[:, rng.integers(labels)] += rng.choice([0.0, 3.0])
    if rng.random() < 0.2:
        logits[rng.random(logits.shape) < 0.2] = -math.inf
        logits[np.isinf(logits).all(axis=1)] = 0.0
    return torch.from_numpy(logits)


def in_python(decoder: BeamDecoder, logits: Tensor, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(beam, "core", None)
        return decoder(logits, **options)


def assert_same(got: Sequence[Hypothesis], want: Sequence[Hypothesis], what: object) -> None:
    assert [(h.labels, h.starts, h.ends, h.words, h.complete) for h in got] == [
        (h.labels, h.starts, h.ends, h.words, h.complete) for h in want
    ], what
    for a, b in zip(got, want, strict=True):
        assert a.score == pytest.approx(b.score, rel=1e-9, abs=1e-9), what
        assert a.log_prob == pytest.approx(b.log_prob, rel=1e-9, abs=1e-9), what


@pytest.mark.parametrize("part", range(5))
def test_equals_plain_python(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert beam.core is not None, "the tests need the compiled core: install with a C++ compiler"
    for seed in range(200 * part, 200 * (part + 1)):
        rng = np.random.default_rng(seed)
        labels = int(rng.integers(1, 8))
        decoder = BeamDecoder(
            int(rng.integers(1, 12)),
            blank=int(rng.integers(labels)),
            blank_penalty=float(rng.choice([0.0, 0.7, -0.7])),
            bonus=float(rng.choice([0.0, 0.5, -0.5])),
        )
        logits = logits_of(rng, int(rng.integers(0, 16)), labels)
        got = decoder(logits, n_best=12)[0]
        assert_same(got, in_python(decoder, logits, monkeypatch, n_best=12)[0], seed)


def test_ties_are_broken_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for width, labels in ((3, 4), (7, 3), (10, 5)):
        decoder = BeamDecoder(width)
        logits = torch.zeros(6, labels)
        assert_same(decoder(logits, n_best=width)[0], in_python(decoder, logits, monkeypatch, n_best=width)[0], labels)


def test_a_wide_beam_has_every_probability() -> None:
    generator = torch.Generator().manual_seed(0)
    for steps in (1, 2, 4):
        logits = torch.randn(steps, 3, generator=generator, dtype=torch.float64)
        found = BeamDecoder(1000)(logits, n_best=1000)[0]
        alignments = product(range(3), repeat=steps)
        every = {tuple(k for k, _ in groupby(alignment) if k != 0) for alignment in alignments}
        assert {h.labels for h in found} == every
        assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
        for hypothesis in found:
            want = probability(logits.softmax(1), list(hypothesis.labels), 0)
            assert math.exp(hypothesis.log_prob) == pytest.approx(want, rel=1e-9)
            loss = ctc_loss(logits, torch.tensor(hypothesis.labels, dtype=torch.int64), reduction="sum")
            assert hypothesis.log_prob == pytest.approx(-loss.item(), rel=1e-9)
        assert math.fsum(math.exp(h.log_prob) for h in found) == pytest.approx(1.0)


def test_the_blank_penalty_is_that_of_the_loss() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for hypothesis in BeamDecoder(2000, blank_penalty=0.8)(logits, n_best=5)[0]:
        labels = torch.tensor(hypothesis.labels, dtype=torch.int64)
        loss = ctc_loss(logits, labels, reduction="sum", blank_penalty=0.8)
        assert hypothesis.log_prob == pytest.approx(-loss.item(), rel=1e-9)


def test_sequences_of_a_batch_are_searched_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(9, 6, 5, generator=torch.Generator().manual_seed(0))
    lengths = [9, 0, 4, 1, 9, 7]
    logits[4:, 2] = math.nan
    decoder = BeamDecoder(5)
    together = decoder(logits, lengths, n_best=3)
    assert [len(hypotheses) for hypotheses in together] == [3, 1, 3, 3, 3, 3]
    assert together[1] == [Hypothesis((), 0.0, 0.0, (), ())]
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            assert decoder(logits, lengths, n_best=3) == together
    finally:
        torch.set_num_threads(threads)
    for b, length in enumerate(lengths):
        assert decoder(logits[:length, b], n_best=3)[0] == together[b]
        assert_same(in_python(decoder, logits[:length, b], monkeypatch, n_best=3)[0], together[b], b)
    swapped = logits.transpose(0, 1).contiguous().transpose(0, 1)
    assert decoder(swapped, lengths, n_best=3) == together
    strided = torch.stack([logits, logits], dim=3)[..., 0]
    assert decoder(strided, lengths, n_best=3) == together
    assert decoder(logits.half()[:3], n_best=2) == decoder(logits.half().float()[:3], n_best=2)


# ------------------------------------------------------------------------------------------------------ language models

SYMBOLS = ["-", "a", "b", "c", " "]


def character_model(tmp_path: Path, seed: int, order: int = 3) -> tuple[Any, LabelNGram]:
    table = draw_table(seed, ["a", "b", "<space>"], order)
    ngram = read_arpa(table.write(tmp_path / f"characters-{seed}.arpa"))
    return table, LabelNGram(ngram, ["-", "a", "b", "c", "<space>"])


def test_a_model_of_labels_equals_plain_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(150):
        rng = np.random.default_rng(seed)
        _, model = character_model(tmp_path, seed % 10)
        decoder = BeamDecoder(
            int(rng.integers(1, 10)),
            language_model=model,
            weight=float(rng.choice([0.0, 0.4, 1.5])),
            bonus=float(rng.choice([0.0, 0.6])),
        )
        logits = logits_of(rng, int(rng.integers(0, 12)), 5)
        got = decoder(logits, n_best=10)[0]
        assert_same(got, in_python(decoder, logits, monkeypatch, n_best=10)[0], seed)


def test_scores_are_those_of_shallow_fusion(tmp_path: Path) -> None:
    table, model = character_model(tmp_path, 1)
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plain = {h.labels: h.log_prob for h in BeamDecoder(3000)(logits, n_best=3000)[0]}
    fused = BeamDecoder(3000, language_model=model, weight=0.7, bonus=0.3)(logits, n_best=3000)[0]
    assert {h.labels for h in fused} == set(plain)
    names = ["-", "a", "b", "<unk>", "<space>"]
    for hypothesis in fused:
        assert hypothesis.log_prob == pytest.approx(plain[hypothesis.labels], rel=1e-9)
        words = [names[label] for label in hypothesis.labels] + ["</s>"]
        language = sum(table.log_prob(["<s>", *words[:k]], word) for k, word in enumerate(words))
        want = hypothesis.log_prob + 0.7 * language + 0.3 * len(hypothesis.labels)
        assert hypothesis.score == pytest.approx(want, abs=1e-5)


class Outside:
    """A model that the core does not know: the n-gram model behind a wall."""

    def __init__(self, inside: LabelNGram) -> None:
        self.inside = inside
        self.asked: list[int] = []

    def begin(self) -> Any:
        return self.inside.begin()

    def advance(self, states: Sequence[Any], labels: Sequence[int]) -> Any:
        self.asked.append(len(states))
        return self.inside.advance(states, labels)


def test_a_model_in_python_does_what_the_same_model_does_in_the_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = character_model(tmp_path, 2)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logits = torch.stack([logits_of(rng, 8, 5) for _ in range(3)], dim=1)
        outside = Outside(model)
        options: dict[str, Any] = {"width": int(rng.integers(1, 8)), "weight": 0.6, "bonus": 0.2}
        inner = BeamDecoder(language_model=model, **options)
        outer = BeamDecoder(language_model=outside, **options)
        found = outer(logits, [8, 3, 0], n_best=8)
        # One question a step, about all sequences.
        assert len(outside.asked) <= 8
        for got, want in zip(found, inner(logits, [8, 3, 0], n_best=8), strict=True):
            assert_same(got, want, seed)
        for got, want in zip(in_python(outer, logits, monkeypatch, lengths=[8, 3, 0], n_best=8), found, strict=True):
            assert_same(got, want, seed)


class Writer:
    """An LSTM that writes labels, as a language model of them; the blank's place is the end."""

    def __init__(self, labels: int) -> None:
        torch.manual_seed(0)
        self.embed = nn.Embedding(labels, 6)
        self.cell = nn.LSTMCell(6, 8)
        self.head = nn.Linear(8, labels)

    def _row(self, h: Tensor) -> Tensor:
        return self.head(h).log_softmax(1)

    def begin(self) -> tuple[tuple[Tensor, Tensor], Tensor]:
        h = torch.zeros(1, 8)
        return (h[0], h[0]), self._row(h)[0].detach()

    def advance(
        self, states: Sequence[tuple[Tensor, Tensor]], labels: Sequence[int]
    ) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        with torch.no_grad():
            before = torch.stack([h for h, _ in states]), torch.stack([c for _, c in states])
            h, c = self.cell(self.embed(torch.tensor(labels)), before)
        return list(zip(h, c, strict=True)), self._row(h).detach()

    def log_prob(self, labels: Sequence[int]) -> float:
        state, row = self.begin()
        total = 0.0
        for label in labels:
            total += float(row[label])
            (state,), rows = self.advance([state], [label])
            row = rows[0]
        return total + float(row[0])


def test_an_lstm_can_be_the_language_model() -> None:
    writer = Writer(4)
    logits = torch.randn(7, 2, 4, generator=torch.Generator().manual_seed(3))
    found = BeamDecoder(12, language_model=writer, weight=0.8)(logits, [7, 4], n_best=12)
    assert len(found[0]) == 12
    for hypotheses in found:
        for hypothesis in hypotheses:
            want = hypothesis.log_prob + 0.8 * writer.log_prob(hypothesis.labels)
            assert hypothesis.score == pytest.approx(want, abs=1e-4)


# ---------------------------------------------------------------------------------------------------------------- words

VOCABULARY = ["a", "ab", "abc", "b", "bb", "ca", "c"]


def word_model(tmp_path: Path, seed: int, words: Sequence[str] = VOCABULARY) -> tuple[Any, NGram]:
    table = draw_table(seed, words, 3)
    return table, read_arpa(table.write(tmp_path / f"words-{seed}.arpa"))


@pytest.mark.parametrize("closed", [True, False])
def test_words_of_a_lexicon_equal_plain_python(closed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lexicon = Lexicon.spelled(VOCABULARY, SYMBOLS, closed=closed)
    homophones = Lexicon(
        [("a", [1]), ("A", [1]), ("ab", [1, 2]), ("ab", [2, 1]), ("ba", [2, 1])], separator=4, closed=closed
    )
    for seed in range(150):
        rng = np.random.default_rng(seed)
        words = [lexicon, homophones][seed % 2]
        ngram = None if seed % 3 == 0 else word_model(tmp_path, seed % 7)[1]
        decoder = BeamDecoder(
            int(rng.integers(1, 12)),
            lexicon=words,
            language_model=ngram,
            weight=float(rng.choice([0.0, 0.5, 1.0])),
            bonus=float(rng.choice([0.0, 1.0])),
        )
        logits = logits_of(rng, int(rng.integers(0, 14)), 5).clamp(min=-20)
        got = decoder(logits, n_best=12)[0]
        assert_same(got, in_python(decoder, logits, monkeypatch, n_best=12)[0], seed)
        if closed:
            for hypothesis in got:
                check_spelling(words, hypothesis)


def check_spelling(lexicon: Lexicon, hypothesis: Hypothesis) -> None:
    """A closed lexicon allows words between separators, and the beginning of one at the end where it says so."""
    parts = "".join(SYMBOLS[label] for label in hypothesis.labels).split(" ") if hypothesis.labels else []
    spelled = {"".join(SYMBOLS[label] for label in spelling) for spelling in lexicon.spellings}
    ended = parts if hypothesis.complete else parts[:-1]
    assert set(ended) <= spelled
    assert hypothesis.words is not None
    assert len(hypothesis.words) == len(ended)
    if not hypothesis.complete:
        assert any(word.startswith(parts[-1]) for word in spelled)


def test_words_are_scored_as_sentences(tmp_path: Path) -> None:
    table, ngram = word_model(tmp_path, 5)
    lexicon = Lexicon.spelled(VOCABULARY, SYMBOLS)
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plain = {h.labels: h.log_prob for h in BeamDecoder(5000)(logits, n_best=5000)[0]}
    decoder = BeamDecoder(5000, lexicon=lexicon, language_model=ngram, weight=0.9, bonus=0.4)
    found = [h for h in decoder(logits, n_best=5000)[0] if h.complete]
    allowed = {
        labels
        for labels in plain
        if not labels or all(part in VOCABULARY for part in "".join(SYMBOLS[k] for k in labels).split(" "))
    }
    assert {h.labels for h in found} == allowed
    assert {h.words for h in found} >= {(), ("a",), ("ab", "c")}
    for hypothesis in found:
        assert hypothesis.words is not None
        sentence = [*hypothesis.words, "</s>"]
        language = sum(table.log_prob(["<s>", *sentence[:k]], word) for k, word in enumerate(sentence))
        want = plain[hypothesis.labels] + 0.9 * language + 0.4 * len(hypothesis.words)
        assert hypothesis.score == pytest.approx(want, abs=1e-5)


def test_an_open_lexicon_says_which_words_it_does_not_have() -> None:
    lexicon = Lexicon.spelled(["ab", "c"], SYMBOLS, closed=False)
    logits = torch.full((6, 5), -5.0)
    for t, label in enumerate([1, 2, 4, 2, 4, 3]):
        logits[t, label] = 5.0
    best = BeamDecoder(8, lexicon=lexicon)(logits)[0][0]
    assert best.labels == (1, 2, 4, 2, 4, 3)
    assert best.words == ("ab", "<unk>", "c")
    assert best.starts == (0, 1, 2, 3, 4, 5)
    closed = BeamDecoder(8, lexicon=Lexicon.spelled(["ab", "c"], SYMBOLS))(logits)[0][0]
    assert closed.words is not None
    assert set(closed.words) <= {"ab", "c"}


# -------------------------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize("side", ["core", "python"])
def test_chunks_of_any_size_equal_the_whole(side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if side == "python":
        monkeypatch.setattr(beam, "core", None)
    _, model = character_model(tmp_path, 3)
    _, ngram = word_model(tmp_path, 1)
    decoders = [
        BeamDecoder(6),
        BeamDecoder(6, language_model=model, weight=0.5),
        BeamDecoder(6, language_model=Outside(model), weight=0.5),
        BeamDecoder(6, lexicon=Lexicon.spelled(VOCABULARY, SYMBOLS), language_model=ngram, weight=0.5, bonus=1.0),
    ]
    for seed in range(12):
        rng = np.random.default_rng(seed)
        logits = torch.from_numpy(2 * rng.normal(size=(23, 5)))
        for decoder in decoders:
            stream = decoder.stream()
            assert stream.best()[0].labels == ()
            start = 0
            while start < len(logits):
                size = int(rng.integers(0, 6))
                stream.feed(logits[start : start + size])
                start = min(start + size, len(logits))
                assert stream.steps == start
                if start:
                    want = decoder(logits[:start], n_best=6)[0]
                    assert_same(stream.best(6, final=True), want, seed)
                    partial = stream.best(6)
                    assert [h.score for h in partial] == sorted((h.score for h in partial), reverse=True)
                    stable = stream.stable()
                    assert all(h.labels[: len(stable)] == stable for h in partial)
            assert_same(stream.best(6, final=True), decoder(logits, n_best=6)[0], seed)


def test_what_is_stable_stays() -> None:
    torch.manual_seed(0)
    logits = 6 * torch.randn(200, 5)
    stream = BeamDecoder(4).stream()
    known: tuple[int, ...] = ()
    for row in logits:
        stream.feed(row[None])
        stable = stream.stable()
        assert stable[: len(known)] == known
        known = stable
    assert len(known) > 40
    assert stream.best()[0].labels[: len(known)] == known


def test_time_stamps_lie_on_the_best_alignment() -> None:
    for seed in range(50):
        logits = 3 * torch.randn(20, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        log_probs = logits.log_softmax(1)
        for hypothesis in BeamDecoder(500)(logits, n_best=3)[0]:
            assert all(a < b for a, b in zip(hypothesis.starts, hypothesis.ends, strict=True))
            assert all(a <= b for a, b in zip(hypothesis.ends, hypothesis.starts[1:], strict=False))
            total = float(log_probs[:, 0].sum())
            for label, start, end in zip(hypothesis.labels, hypothesis.starts, hypothesis.ends, strict=True):
                total += float((log_probs[start:end, label] - log_probs[start:end, 0]).sum())
            targets = torch.tensor(hypothesis.labels, dtype=torch.int64)
            assert total <= hypothesis.log_prob + 1e-9
            assert total == pytest.approx(viterbi(log_probs, targets.tolist()), abs=1e-9)


def viterbi(log_probs: Tensor, target: list[int]) -> float:
    """The logarithm of the best alignment's probability, with blank 0."""
    states = [0, *(label for target_label in target for label in (target_label, 0))]
    best = [-math.inf] * len(states)
    for t, row in enumerate(log_probs.tolist()):
        before = best
        best = []
        for s, label in enumerate(states):
            come = [before[s], before[s - 1] if s > 0 else -math.inf]
            if s > 1 and label != 0 and label != states[s - 2]:
                come.append(before[s - 2])
            if t == 0 and s < 2:
                come.append(0.0)
            best.append(max(come) + row[label])
    return max(best[-2:])


def test_streams_in_several_python_threads() -> None:
    logits = [3 * torch.randn(60, 6, generator=torch.Generator().manual_seed(k)) for k in range(12)]
    decoder = BeamDecoder(8)
    want = [decoder(x, n_best=4)[0] for x in logits]

    def run(x: Tensor) -> list[Hypothesis]:
        stream = decoder.stream()
        for chunk in x.split(7):
            stream.feed(chunk)
        return stream.best(4, final=True)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, logits)) == want


def test_one_stream_in_several_python_threads_does_not_break() -> None:
    stream = BeamDecoder(8).stream()
    stream.feed(torch.zeros(1, 6))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda k: (stream.feed(torch.randn(5, 6)), stream.best(3)), range(40)))
    assert len(stream.best(8)) == 8


# --------------------------------------------------------------------------------------------------------------- errors


def test_steps_without_probabilities_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.zeros(5, 3, 4)
    logits[3, 1, 2] = math.nan
    for run in (BeamDecoder(3), lambda x: in_python(BeamDecoder(3), x, monkeypatch)):
        with pytest.raises(DataError, match="sequence 1 has no probabilities at step 3: a logit is NaN or infinite"):
            run(logits)
    stream = BeamDecoder(3).stream()
    stream.feed(torch.zeros(4, 4))
    before = stream.best(3)
    with pytest.raises(DataError, match="sequence 0 has no probabilities at step 7"):
        stream.feed(logits[:, 1])
    assert stream.steps == 4
    assert stream.best(3) == before
    with pytest.raises(DataError, match=r"expected logits \[T, 4\], as before, got \[2, 5\]"):
        stream.feed(torch.zeros(2, 5))
    with pytest.raises(DataError, match=r"expected logits \[T, V\] of one sequence, got \[2, 1, 4\]"):
        stream.feed(torch.zeros(2, 1, 4))


def test_no_hypothesis_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.full((3, 2, 5), -math.inf)
    logits[:, :, 3] = 0.0
    logits[:, 0, 0] = 0.0
    decoder = BeamDecoder(3, lexicon=Lexicon.spelled(["ab"], SYMBOLS))
    for run in (decoder, lambda x: in_python(decoder, x, monkeypatch)):
        with pytest.raises(DataError, match="sequence 1 has no hypothesis with a probability above 0"):
            run(logits)
    stream = decoder.stream()
    stream.feed(logits[:, 1])
    with pytest.raises(DataError, match="no hypothesis with a probability above 0"):
        stream.best()


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    _, model = character_model(tmp_path, 0)
    _, ngram = word_model(tmp_path, 0)
    lexicon = Lexicon.spelled(VOCABULARY, SYMBOLS)
    bare = read_arpa(draw_table(0, ["a"], 2, unknown=False).write(tmp_path / "bare.arpa"))
    for options, message in [
        ({"width": 0}, "width is 0, expected a whole number from 1 on"),
        ({"width": 2.5}, "width is 2.5"),
        ({"weight": -1.0}, "weight is -1.0, expected a number from 0 on"),
        ({"weight": math.nan}, "weight is nan"),
        ({"bonus": math.inf}, "bonus is inf, expected a finite number of nats"),
        ({"blank_penalty": "much"}, "blank_penalty is 'much'"),
        ({"language_model": ngram}, "an NGram scores words: give their lexicon="),
        ({"language_model": model, "lexicon": lexicon}, "has to be an NGram over its words"),
        ({"language_model": model, "blank": 1}, "blank is 1, but the language model was told 0"),
        ({"lexicon": Lexicon.spelled(VOCABULARY, SYMBOLS, separator=None)}, "token_passing takes this lexicon"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            BeamDecoder(**options)
    with pytest.raises(DataError, match=r"lexicon: the n-gram model has no 'ab', .* and no <unk>"):
        BeamDecoder(lexicon=lexicon, language_model=bare)
    with pytest.raises(DataError, match="has nothing for words of no lexicon"):
        BeamDecoder(lexicon=Lexicon.spelled(["a"], SYMBOLS, closed=False), language_model=bare)
    with pytest.raises(ConfigurationError, match="blank is 7, expected the number of a label, from 0 to 4"):
        BeamDecoder(blank=7)(torch.zeros(2, 5))
    with pytest.raises(DataError, match="the logits have 4 labels, but the language model was told 5 symbols"):
        BeamDecoder(language_model=model)(torch.zeros(2, 4))
    with pytest.raises(DataError, match='"abc" is spelled with label 3, but there are 3 labels'):
        BeamDecoder(lexicon=lexicon)(torch.zeros(2, 3))
    with pytest.raises(DataError, match='"a" is spelled with the blank, label 1'):
        BeamDecoder(lexicon=lexicon, blank=1)(torch.zeros(2, 5))
    with pytest.raises(DataError, match="the separator is 4, expected a label below 5, not the blank"):
        BeamDecoder(lexicon=lexicon, blank=4)(torch.zeros(2, 5))
    with pytest.raises(DataError, match=r"lengths\[1\] is 4, expected 0 to T = 3"):
        BeamDecoder()(torch.zeros(3, 2, 5), [3, 4])
    with pytest.raises(ConfigurationError, match="n_best is 0"):
        BeamDecoder()(torch.zeros(3, 5), n_best=0)


def test_a_language_model_that_answers_wrongly_is_refused(tmp_path: Path) -> None:
    _, model = character_model(tmp_path, 0)

    class Short(Outside):
        def advance(self, states: Sequence[Any], labels: Sequence[int]) -> Any:
            after, rows = super().advance(states, labels)
            return after[:-1], rows

    class Unsure(Outside):
        def advance(self, states: Sequence[Any], labels: Sequence[int]) -> Any:
            after, rows = super().advance(states, labels)
            return after, rows * math.nan

    for wrong in (Short, Unsure):
        with pytest.raises(DataError, match=r"the language model was asked about \d prefixes; expected as many states"):
            BeamDecoder(3, language_model=wrong(model))(torch.zeros(3, 5))


def test_lexicons_that_make_no_sense_are_refused() -> None:
    for build, message in [
        (lambda: Lexicon({}), "expected at least one word"),
        (lambda: Lexicon({"a": []}), 'the spelling of "a" has no label'),
        (lambda: Lexicon({"a": [1, -2]}), 'the spelling of "a" has label -2; expected labels from 0 on'),
        (
            lambda: Lexicon({"a": [1, 3]}, separator=3),
            "has label 3; expected labels from 0 on, and not the separator 3",
        ),
        (lambda: Lexicon([("a", [1]), ("a", [1])]), r'"a" comes twice with the spelling \[1\]'),
        (lambda: Lexicon({"a": [1]}, closed=False), "need a separator to be told apart"),
        (lambda: Lexicon.spelled(["ax"], SYMBOLS), "\"ax\" has the symbol 'x'"),
        (lambda: Lexicon.spelled(["a"], SYMBOLS, separator="|"), r"the separator has the symbol '\|'"),
    ]:
        with pytest.raises(DataError, match=message):
            build()
