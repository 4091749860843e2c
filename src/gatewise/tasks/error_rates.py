"""Error rates of transcriptions: edits (Levenshtein 1966) by the length of what was said.

Legend: R symbols of a reference, H symbols of a hypothesis.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from gatewise.errors import DataError


@dataclass(frozen=True)
class Edits:
    """What turns a hypothesis into its reference; of several pairs the sum.

    Attributes:
        hits: symbols that are right.
        substitutions: symbols that stand for another.
        deletions: symbols of the reference that are missing.
        insertions: symbols of the hypothesis that are too many.
    """

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    def __add__(self, other: "Edits") -> "Edits":
        return Edits(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

    @property
    def distance(self) -> int:
        """How many edits there are at least."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def length(self) -> int:
        """How many symbols the references have."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """The error rate: edits for each symbol of the references; may be above 1.

        Raises:
            DataError: the references have no symbols.
        """
        if self.length == 0:
            raise DataError("error rate: the references are empty, so that there is nothing to divide by")
        return self.distance / self.length


def edits(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> Edits:
    """The fewest edits between two sequences of symbols: characters of strings, words, phones, labels.

    >>> edits("kitten", "sitting")
    Edits(hits=4, substitutions=2, deletions=0, insertions=1)
    """
    pairs = matched(reference, hypothesis)
    deletions = sum(b is None for _, b in pairs)
    insertions = sum(a is None for a, _ in pairs)
    hits = sum(a is not None and b is not None and reference[a] == hypothesis[b] for a, b in pairs)
    return Edits(hits, len(pairs) - deletions - insertions - hits, deletions, insertions)


def matched(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> list[tuple[int | None, int | None]]:
    """Which symbol of a reference stands for which of a hypothesis, by their places, with the fewest edits.

    Of equally good ways always the same. Takes R * H bytes, less what the two have in common at either end.

    Returns:
        Pairs in order; None stands for the missing partner of a deletion or an insertion.

    >>> matched("abc", "xbcd")
    [(0, 0), (1, 1), (2, 2), (None, 3)]
    """
    shorter = min(len(reference), len(hypothesis))
    start = next((k for k in range(shorter) if reference[k] != hypothesis[k]), shorter)
    rest = shorter - start
    end = next((k for k in range(rest) if reference[-1 - k] != hypothesis[-1 - k]), rest)
    i, j = len(reference) - end, len(hypothesis) - end
    moves = _moves(reference[start:i], hypothesis[start:j])
    pairs: list[tuple[int | None, int | None]] = []
    pairs.extend((i + k, j + k) for k in reversed(range(end)))
    while i > start or j > start:
        move = int(moves[i - start, j - start])
        i, j = i - (move != _INSERTION), j - (move != _DELETION)
        pairs.append((None if move == _INSERTION else i, None if move == _DELETION else j))
    pairs.extend((k, k) for k in reversed(range(start)))
    return pairs[::-1]


_BOTH, _DELETION, _INSERTION = range(3)


def _moves(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> np.ndarray:
    """How the last symbols of both beginnings are best matched: int8 `[R + 1, H + 1]` (Wagner & Fischer 1974)."""
    numbers: dict[Hashable, int] = {}
    a, b = (
        np.array([numbers.setdefault(symbol, len(numbers)) for symbol in symbols], np.int64)
        for symbols in (reference, hypothesis)
    )
    moves = np.full((len(a) + 1, len(b) + 1), _INSERTION, np.int8)
    moves[1:, 0] = _DELETION
    places = np.arange(len(b) + 1)
    costs = places.copy()
    for i, symbol in enumerate(a, 1):
        both = costs[:-1] + (b != symbol)
        deletion = costs + 1
        costs = deletion.copy()
        np.minimum(deletion[1:], both, out=costs[1:])
        # An insertion costs one more than the place before it: a running minimum of what is left without them.
        costs = np.minimum.accumulate(costs - places) + places
        here = moves[i, 1:]
        here[costs[1:] == deletion[1:]] = _DELETION
        here[costs[1:] == both] = _BOTH
    return moves


def error_rate(references: Sequence[Sequence[Hashable]], hypotheses: Sequence[Sequence[Hashable]]) -> float:
    """Edits of all pairs for each symbol of all references: the PER of phones, the LER of labels (Graves et al. 2006).

    Raises:
        DataError: not as many hypotheses as references, or references without a symbol.

    >>> error_rate([["HH", "AY"], ["B", "AY"]], [["HH", "EH"], ["B", "AY"]])
    0.25
    """
    return sum_of_edits(references, hypotheses).rate


def character_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """The CER: edits for each character (code point) of the references; white space counts, as everything does.

    Raises:
        DataError: as `error_rate`.

    >>> character_error_rate(["to be", "or"], ["to bee", "or"])
    0.14285714285714285
    """
    return error_rate(references, hypotheses)


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """The WER: edits for each word of the references, which white space parts.

    Raises:
        DataError: as `error_rate`.

    >>> word_error_rate(["to be or not"], ["to bee or"])
    0.5
    """
    return error_rate([text.split() for text in references], [text.split() for text in hypotheses])


def sum_of_edits(references: Sequence[Sequence[Hashable]], hypotheses: Sequence[Sequence[Hashable]]) -> Edits:
    """The edits of all pairs.

    Raises:
        DataError: not as many hypotheses as references.
    """
    if len(references) != len(hypotheses):
        raise DataError(
            f"error rate: expected a hypothesis for each reference, got {len(hypotheses)} for {len(references)}"
        )
    return sum((edits(a, b) for a, b in zip(references, hypotheses, strict=True)), start=Edits())
