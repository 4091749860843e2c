"""What a search asks of language: which labels may follow a prefix, and what they bring.

The states here are those of the plain search; the compiled core has its own.

Legend: V labels with the blank among them.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gatewise.tasks.ctc.lexicon import Lexicon
from gatewise.tasks.language import LabelModel, NGram

UNKNOWN = "<unk>"


class Listener(Protocol):
    """The language of a search."""

    def begin(self) -> Any:
        """What is remembered of nothing."""
        ...

    def hear(self, heard: Any, label: int) -> tuple[float, Any] | None:
        """What a label brings after what was heard, and what is then remembered; None if it may not follow."""
        ...

    def end(self, heard: Any) -> tuple[bool, float, str | None]:
        """If nothing follows: whether that is a sentence, what it brings, and the word that ends."""
        ...

    def words(self, heard: Any) -> tuple[str, ...] | None:
        """The words that have ended; None if there is no lexicon."""
        ...


@dataclass(frozen=True)
class Counting:
    """No language model: each label brings the bonus."""

    bonus: float

    def begin(self) -> None:
        """Nothing is remembered."""

    def hear(self, heard: None, label: int) -> tuple[float, None]:
        """The bonus."""
        return self.bonus, None

    def end(self, heard: None) -> tuple[bool, float, None]:
        """Every sequence is a sentence."""
        return True, 0.0, None

    def words(self, heard: None) -> None:
        """There are none."""


@dataclass(frozen=True)
class Labels:
    """A language model over labels; what is remembered is its state and its scores `[V]` of what follows."""

    model: LabelModel[Any]
    weight: float
    bonus: float
    blank: int

    def begin(self) -> tuple[Any, np.ndarray]:
        """The model's state before the first label."""
        state, row = self.model.begin()
        return state, np.asarray(row, np.float64)

    def hear(self, heard: tuple[Any, np.ndarray], label: int) -> tuple[float, Any]:
        """The label's score, weighted, and the bonus."""
        state, row = heard
        states, rows = self.model.advance([state], [label])
        return self.weight * float(row[label]) + self.bonus, (states[0], np.asarray(rows, np.float64)[0])

    def end(self, heard: tuple[Any, np.ndarray]) -> tuple[bool, float, None]:
        """The score of the sentence's end."""
        return True, self.weight * float(heard[1][self.blank]), None

    def words(self, heard: Any) -> None:
        """There are none."""


@dataclass(frozen=True)
class Words:
    """A lexicon with a separator, and perhaps an n-gram model of its words.

    What is remembered: the n-gram model's state, the node of the trie (None beside it), the words that have ended, and
    whether anything was heard at all.
    """

    lexicon: Lexicon
    ngram: NGram | None
    weight: float
    bonus: float

    def begin(self) -> tuple[int, int | None, tuple[str, ...], bool]:
        """The start of a sentence and of a word."""
        return 0 if self.ngram is None else self.ngram.begin, 0, (), False

    def hear(self, heard: Any, label: int) -> tuple[float, Any] | None:
        """A separator ends a word, which brings its score, weighted, and the bonus."""
        state, node, words, _ = heard
        if label != self.lexicon.separator:
            after = None if node is None else self.lexicon.follow(node, label)
            return None if after is None and self.lexicon.closed else (0.0, (state, after, words, True))
        if node == 0:
            return None if self.lexicon.closed else (0.0, (state, 0, words, True))
        if self.lexicon.closed and not self.lexicon.ending(node):
            return None
        gain, word, state = self._word(node, state, at_end=False)
        return gain, (state, 0, (*words, word), True)

    def _word(self, node: int | None, state: int, *, at_end: bool) -> tuple[float, str, int]:
        """Of words that are spelled alike the one that brings most."""
        entries = () if node is None else self.lexicon.ending(node)
        found: list[tuple[float, str, int]] = []
        for word in [self.lexicon.words[entry] for entry in entries] or [UNKNOWN]:
            score, after = 0.0, state
            if self.ngram is not None:
                number = self.ngram.number(word)
                assert number is not None
                score, after = self.ngram.score(state, number)
                if at_end and self.ngram.end is not None:
                    score += self.ngram.score(after, self.ngram.end)[0]
            found.append((self.weight * score + self.bonus, word, after))
        return max(found, key=lambda one: one[0])

    def end(self, heard: Any) -> tuple[bool, float, str | None]:
        """The last word ends, and the sentence."""
        state, node, _, anything = heard
        if node == 0:
            complete = not (anything and self.lexicon.closed)
            ends = None if self.ngram is None or not complete else self.ngram.end
            score = 0.0 if self.ngram is None or ends is None else self.ngram.score(state, ends)[0]
            return complete, self.weight * score, None
        if self.lexicon.closed and not self.lexicon.ending(node):
            return False, 0.0, None
        gain, word, _ = self._word(node, state, at_end=True)
        return True, gain, word

    def words(self, heard: Any) -> tuple[str, ...]:
        """The words that separators have ended."""
        return heard[2]
