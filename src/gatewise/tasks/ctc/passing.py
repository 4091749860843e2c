"""Token passing in plain Python: what the search of the compiled core means, and what runs where there is none.

Legend: T steps, V labels with the blank among them.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gatewise.tasks.ctc.alignment import viterbi
from gatewise.tasks.ctc.hypothesis import Hypothesis
from gatewise.tasks.ctc.lexicon import Lexicon
from gatewise.tasks.language import NGram


class Token(NamedTuple):
    """The best alignment that ends in a state: its score, and the entries of the words that have ended in it."""

    score: float = -math.inf
    entries: tuple[int, ...] = ()

    def plus(self, score: float, entries: tuple[int, ...] = ()) -> "Token":
        """The token after something that brings a score, and perhaps a word."""
        return Token(self.score + score, self.entries + entries)


class Pair(NamedTuple):
    """The tokens of a state: of alignments that end in its node's label, and in a blank after that."""

    label: Token = Token()
    gap: Token = Token()

    @property
    def best(self) -> Token:
        """The better one."""
        return self.gap if self.gap.score >= self.label.score else self.label


State = tuple[int, int]  # a node of the trie, a state of the n-gram model


class Passing:
    """Token passing over one sequence; the arguments are those of `token_passing`."""

    def __init__(
        self,
        lexicon: Lexicon,
        ngram: NGram | None,
        weight: float,
        bonus: float,
        blank: int,
        penalty: float,
        width: int | None,
    ) -> None:
        self.lexicon, self.ngram, self.weight, self.bonus = lexicon, ngram, weight, bonus
        self.blank, self.penalty, self.width = blank, penalty, width
        self.last: dict[int, int | None] = {0: lexicon.separator}  # of each node the label that leads to it
        self.tokens = {(0, 0 if ngram is None else ngram.begin): Pair(gap=Token(0.0))}

    def run(self, log_probs: np.ndarray) -> Hypothesis | None:
        """The best hypothesis for logarithms of probabilities `[T, V]`; None if there is none."""
        for row in log_probs.tolist():
            self.step(row)
        found = self.finish()
        if found is None:
            return None
        token, node, complete = found
        labels = self._labels(token.entries, None if complete else node)
        total, starts, ends, _ = viterbi(log_probs, np.array(labels, np.int64), self.blank, self.penalty)
        words = tuple(self.lexicon.words[entry] for entry in token.entries)
        return Hypothesis(labels, token.score, total, tuple(starts.tolist()), tuple(ends.tolist()), words, complete)

    def step(self, log_probs: list[float]) -> None:
        """Take one step, of logarithms of probabilities `[V]`."""
        found: dict[State, Pair] = {}

        def offer(state: State, kind: str, token: Token) -> None:
            # A token has to be better, not as good: the first that comes stays.
            here = found.get(state, Pair())
            if token.score > getattr(here, kind).score:
                found[state] = here._replace(**{kind: token})

        for state, pair in self.tokens.items():
            last = self.last[state[0]]
            offer(state, "gap", pair.best.plus(log_probs[self.blank] - self.penalty))
            if last is not None:
                offer(state, "label", pair.label.plus(log_probs[last]))
            for node, context, gain, ended in self._places(*state):
                for label, child in self.lexicon.following(node).items():
                    self.last[child] = label
                    token = pair.gap if label == last else pair.best
                    offer((child, context), "label", token.plus(gain + log_probs[label], ended))
            if self.lexicon.separator is not None:
                y = log_probs[self.lexicon.separator]
                for gain, context, entry in self._endings(*state):
                    offer((0, context), "label", pair.best.plus(gain + y, (entry,)))
        ranked = sorted(found, key=lambda state: -found[state].best.score)
        self.tokens = {state: found[state] for state in ranked[: self.width]}

    def _places(self, node: int, context: int) -> Iterator[tuple[int, int, float, tuple[int, ...]]]:
        """The nodes whose children a label leads to from a state: its own, and the root where a word has ended."""
        yield node, context, 0.0, ()
        if self.lexicon.separator is None:
            for gain, after, entry in self._endings(node, context):
                yield 0, after, gain, (entry,)

    def _endings(self, node: int, context: int) -> Iterator[tuple[float, int, int]]:
        """What each word that ends at a node brings, the n-gram model's state after it, and its entry."""
        for entry in self.lexicon.ending(node):
            score, after = 0.0, context
            if self.ngram is not None:
                number = self.ngram.number(self.lexicon.words[entry])
                assert number is not None
                score, after = self.ngram.score(context, number)
            yield self.weight * score + self.bonus, after, entry

    def finish(self) -> tuple[Token, int, bool] | None:
        """The best token, its node, and whether its last word ends; None if there is no token."""
        found: list[tuple[Token, int, bool]] = []
        for (node, context), pair in self.tokens.items():
            if node == 0:
                # Nothing said so far is a sentence; a separator that no word follows is none.
                nothing = not pair.best.entries
                found.append((pair.best.plus(self._end(context) if nothing else 0.0), node, nothing))
            ended = False
            for gain, after, entry in self._endings(node, context):
                found.append((pair.best.plus(gain + self._end(after), (entry,)), node, True))
                ended = True
            if node != 0 and not ended:
                found.append((pair.best, node, False))
        possible = [one for one in found if one[0].score > -math.inf]
        return max(possible, key=lambda one: (one[2], one[0].score)) if possible else None

    def _end(self, context: int) -> float:
        if self.ngram is None or self.ngram.end is None:
            return 0.0
        return self.weight * self.ngram.score(context, self.ngram.end)[0]

    def _labels(self, entries: tuple[int, ...], node: int | None) -> tuple[int, ...]:
        """The labels of words, and of the beginning of one that leads to a node."""
        parts = [self.lexicon.spellings[entry] for entry in entries]
        if node is not None:
            parts.append(self.lexicon.path(node))
        gap = () if self.lexicon.separator is None else (self.lexicon.separator,)
        return tuple(label for k, part in enumerate(parts) for label in (*(gap if k else ()), *part))
