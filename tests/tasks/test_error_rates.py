"""Error rates against jiwer's, and by the definition of the edit distance."""

from functools import cache

import jiwer
import numpy as np
import pytest

from gatewise.errors import DataError
from gatewise.tasks.error_rates import (
    Edits,
    character_error_rate,
    edits,
    error_rate,
    matched,
    sum_of_edits,
    word_error_rate,
)


def distance(a: str, b: str) -> int:
    """By the recursion that defines it."""

    @cache
    def of(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(of(i - 1, j) + 1, of(i, j - 1) + 1, of(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return of(len(a), len(b))


def texts(seed: int, count: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ab c"), size=rng.integers(0, 14))) for _ in range(count)]


def test_edits_are_the_fewest_and_add_up() -> None:
    for a, b in zip(texts(0, 600), texts(1, 600), strict=True):
        found = edits(a, b)
        assert found.distance == distance(a, b)
        assert found.length == len(a)
        assert found.hits + found.substitutions + found.insertions == len(b)
        assert min(found.hits, found.substitutions, found.deletions, found.insertions) >= 0


def test_matched_symbols_are_in_order_and_complete() -> None:
    for a, b in zip(texts(2, 300), texts(3, 300), strict=True):
        pairs = matched(a, b)
        assert [i for i, _ in pairs if i is not None] == list(range(len(a)))
        assert [j for _, j in pairs if j is not None] == list(range(len(b)))
        assert (None, None) not in pairs
        wrong = sum(i is None or j is None or a[i] != b[j] for i, j in pairs)
        assert wrong == distance(a, b)


def test_rates_equal_jiwers() -> None:
    references = [text if text.strip() else "a b" for text in texts(4, 200)]
    hypotheses = texts(5, 200)
    assert word_error_rate(references, hypotheses) == pytest.approx(jiwer.wer(references, hypotheses), abs=1e-12)
    # jiwer takes white space off both ends; here every character counts.
    bare = [[text.strip() for text in some] for some in (references, hypotheses)]
    assert character_error_rate(*bare) == pytest.approx(jiwer.cer(*bare), abs=1e-12)
    phones = [[text.split() for text in some] for some in (references, hypotheses)]
    assert error_rate(*phones) == word_error_rate(references, hypotheses)


def test_any_symbols_that_can_be_compared() -> None:
    assert edits([1, 2, 3], (1, 3)) == Edits(hits=2, deletions=1)
    assert edits("", "abc") == Edits(insertions=3)
    assert edits("abc", "") == Edits(deletions=3)
    assert edits("", "") == Edits()
    assert edits("aaa", "aa") == Edits(hits=2, deletions=1)
    assert sum_of_edits(["ab", "c"], ["b", "d"]) == Edits(hits=1, deletions=1, substitutions=1)
    assert error_rate(["a"], ["bcd"]) == 3.0


def test_what_has_no_rate_is_refused() -> None:
    with pytest.raises(DataError, match="expected a hypothesis for each reference, got 1 for 2"):
        error_rate(["a", "b"], ["a"])
    with pytest.raises(DataError, match="the references are empty"):
        character_error_rate(["", ""], ["a", ""])
    with pytest.raises(DataError, match="the references are empty"):
        word_error_rate([" "], ["a"])


def test_long_texts_take_no_more_than_where_they_differ() -> None:
    text = "to be or not to be, " * 5000
    assert edits(text, text[:50_000] + "X" + text[50_001:]) == Edits(hits=99_999, substitutions=1)
