"""Token passing: the core against plain Python, both against all sequences of words."""

import math
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks.arpa_files import Table, draw_table
from torch import Tensor

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc import BeamDecoder, Hypothesis, Lexicon, align, token_passing, tokens
from gatewise.tasks.language import NGram, read_arpa

ENTRIES = [("a", [1]), ("A", [1]), ("ab", [1, 2]), ("aba", [1, 2, 1]), ("b", [2]), ("bb", [2, 2]), ("b", [3, 1])]
WORDS = sorted({word for word, _ in ENTRIES})


def lexicon_of(separator: int | None) -> Lexicon:
    return Lexicon(ENTRIES, separator=separator)


def model_of(tmp_path: Path, seed: int, order: int = 3) -> tuple[Table, NGram]:
    table = draw_table(seed, WORDS, order)
    return table, read_arpa(table.write(tmp_path / f"{seed}.arpa"))


def in_python(monkeypatch: pytest.MonkeyPatch, *given: Any, **options: Any) -> list[Hypothesis]:
    with monkeypatch.context() as patch:
        patch.setattr(tokens, "core", None)
        return token_passing(*given, **options)


def assert_same(got: Hypothesis, want: Hypothesis, what: object) -> None:
    assert got.words is not None
    assert want.words is not None
    # One sequence of labels can be cut into words in two ways that score alike: "b bb" and "bb b" of unigrams.
    assert (got.labels, got.starts, got.ends, sorted(got.words), got.complete) == (
        (want.labels, want.starts, want.ends, sorted(want.words), want.complete)
    ), what
    assert got.score == pytest.approx(want.score, rel=1e-9, abs=1e-9)
    assert got.log_prob == pytest.approx(want.log_prob, rel=1e-9, abs=1e-9)


def by_hand(
    logits: Tensor, separator: int | None, table: Table | None, weight: float, bonus: float, most: int
) -> tuple[float, set[tuple[str, ...]]]:
    """The best score of all sequences of up to `most` words, and the words that have it."""
    best, words = -math.inf, set[tuple[str, ...]]()
    for count in range(most + 1):
        for chosen in product(ENTRIES, repeat=count):
            labels = [
                label
                for k, (_, spelling) in enumerate(chosen)
                for label in (*([separator] if k and separator is not None else []), *spelling)
            ]
            needed = len(labels) + sum(a == b for a, b in pairwise(labels))
            if needed > len(logits):
                continue
            sentence = [*(word for word, _ in chosen), "</s>"]
            language = 0.0
            if table is not None:
                language = sum(table.log_prob(["<s>", *sentence[:k]], word) for k, word in enumerate(sentence))
            score = align(logits, [labels])[0].log_prob + weight * language + bonus * count
            if score > best + 1e-6:
                best, words = score, set()
            if score > best - 1e-6:
                words.add(tuple(sentence[:-1]))
    return best, words


@pytest.mark.parametrize("separator", [None, 4])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_best_of_all_sequences_of_words(separator: int | None, order: int, tmp_path: Path) -> None:
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        logits = 3 * torch.randn(5, 5, generator=generator, dtype=torch.float64)
        table, ngram = model_of(tmp_path, seed, order) if order else (None, None)
        want, words = by_hand(logits, separator, table, 0.7, 0.9, 4 if separator is None else 3)
        best = token_passing(logits, lexicon_of(separator), language_model=ngram, weight=0.7, bonus=0.9)[0]
        assert best.score == pytest.approx(want, abs=1e-5)
        assert best.words in words
        assert best.complete


@pytest.mark.parametrize("separator", [None, 4])
@pytest.mark.parametrize("width", [None, 4, 9])
def test_equals_plain_python(
    separator: int | None, width: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tokens.core is not None, "the tests need the compiled core: install with a C++ compiler"
    # Words that are spelled alike tie where no model tells them apart.
    alike = {"A": "a"}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        logits = torch.from_numpy(rng.choice([0.5, 2.0, 6.0]) * rng.normal(size=(int(rng.integers(0, 15)), 5)))
        ngram = None if seed % 3 == 0 else model_of(tmp_path, seed % 8, 2 + seed % 2)[1]
        options: dict[str, Any] = {
            "language_model": ngram,
            "weight": float(rng.choice([0.3, 1.0])),
            "bonus": float(rng.choice([0.0, 1.0])),
            "blank_penalty": float(rng.choice([0.0, 0.5])),
            "width": width,
        }
        got = token_passing(logits, lexicon_of(separator), **options)[0]
        want = in_python(monkeypatch, logits, lexicon_of(separator), **options)[0]
        assert got.words is not None
        assert want.words is not None
        if ngram is None:
            assert [alike.get(w, w) for w in got.words] == [alike.get(w, w) for w in want.words]
            assert got.score == pytest.approx(want.score, abs=1e-9)
        else:
            assert_same(got, want, seed)


def test_scores_are_those_of_the_alignment() -> None:
    logits = 2 * torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for separator in (None, 4):
        best = token_passing(logits, lexicon_of(separator), bonus=1.5, blank_penalty=0.2)[0]
        assert best.words is not None
        assert best.words
        (alignment,) = align(logits, [list(best.labels)], blank_penalty=0.2)
        assert best.log_prob == pytest.approx(alignment.log_prob)
        assert best.score == pytest.approx(best.log_prob + 1.5 * len(best.words))
        assert (best.starts, best.ends) == (alignment.starts, alignment.ends)


def test_a_wide_beam_over_words_finds_no_worse_alignment() -> None:
    for seed in range(10):
        logits = 4 * torch.randn(14, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        best = token_passing(logits, lexicon_of(4), bonus=1.0)[0]
        beam = BeamDecoder(500, lexicon=lexicon_of(4), bonus=1.0)(logits, n_best=500)[0]
        summed = next(h for h in beam if h.labels == best.labels)
        assert summed.log_prob >= best.log_prob - 1e-9
        assert beam[0].score >= summed.score


def test_sequences_of_a_batch_are_searched_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = 2 * torch.randn(9, 4, 5, generator=torch.Generator().manual_seed(0))
    lengths = [9, 0, 4, 7]
    logits[4:, 2] = math.nan
    lexicon = lexicon_of(None)
    together = token_passing(logits, lexicon, lengths)
    assert together[1] == Hypothesis((), 0.0, 0.0, (), (), ())
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert token_passing(logits, lexicon, lengths) == together
    finally:
        torch.set_num_threads(threads)
    for b, length in enumerate(lengths):
        assert token_passing(logits[:length, b], lexicon)[0] == together[b]


def test_a_narrow_search_says_that_no_word_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    lexicon = Lexicon({"abc": [1, 2, 3]})
    logits = 9 * torch.eye(4)[[1, 2]]
    for run in (token_passing, lambda *given, **options: in_python(monkeypatch, *given, **options)):
        found = run(logits, lexicon, width=1)[0]
        assert (found.labels, found.words, found.complete) == ((1, 2), (), False)
        whole = run(logits, lexicon)[0]
        assert (whole.labels, whole.words, whole.complete) == ((), (), True)
    spaced = Lexicon({"ab": [1, 2]}, separator=3)
    logits = 9 * torch.eye(4)[[1, 2, 3, 1]]
    for run in (token_passing, lambda *given, **options: in_python(monkeypatch, *given, **options)):
        found = run(logits, spaced, width=1)[0]
        assert (found.labels, found.words, found.complete) == ((1, 2, 3, 1), ("ab",), False)
        found = run(logits[:3], spaced, width=1)[0]
        assert (found.labels, found.words, found.complete) == ((1, 2, 3), ("ab",), False)


def test_what_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lexicon, logits = lexicon_of(None), torch.zeros(3, 5)
    bare = read_arpa(draw_table(0, ["a"], 2, unknown=False).write(tmp_path / "bare.arpa"))
    for error, message, options in [
        (ConfigurationError, "the lexicon is open; words that it does not have take a BeamDecoder",
         {"lexicon": Lexicon(ENTRIES, separator=4, closed=False)}),
        (ConfigurationError, "width is 0", {"width": 0}),
        (ConfigurationError, "weight is -1", {"weight": -1}),
        (ConfigurationError, "bonus is nan", {"bonus": math.nan}),
        (ConfigurationError, "blank is 5", {"blank": 5}),
        (DataError, "is spelled with the blank, label 2", {"blank": 2}),
        (DataError, "the n-gram model has no 'A', 'ab'", {"language_model": bare}),
        (DataError, r"lengths\[0\] is 4", {"lengths": [4]}),
    ]:  # fmt: skip
        with pytest.raises(error, match=message):
            token_passing(logits, **({"lexicon": lexicon} | options))
    with pytest.raises(DataError, match="is spelled with label 3, but there are 3 labels"):
        token_passing(torch.zeros(3, 3), lexicon)
    never = torch.full((2, 5), -math.inf)
    never[:, 4] = 0.0
    bad = torch.zeros(2, 5)
    bad[1, 1] = math.nan
    for run in (token_passing, lambda *given: in_python(monkeypatch, *given)):
        with pytest.raises(DataError, match="sequence 0 has no words with a probability above 0"):
            run(never, lexicon)
        with pytest.raises(DataError, match="sequence 0 has no probabilities at step 1"):
            run(bad, lexicon)
