"""N-gram models with back-off (Katz 1987), as a tree of n-grams in arrays.

The probability of a word after a context is that of the longest n-gram of both that the model has, times the back-off
weight of every longer context that it does have.

Legend: N n-grams of all orders and the empty one, V words of the vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gatewise.backends.cpu import core
from gatewise.errors import DataError

BEGIN, END, UNKNOWN = "<s>", "</s>", ("<unk>", "<UNK>")


@dataclass(frozen=True, eq=False)
class Grams:
    """The n-grams of one order.

    Attributes:
        words: int32 `[n, order]`, numbers of the vocabulary.
        log_probs: float32 `[n]`, in nats, of the last word after the others.
        backoffs: float32 `[n]`, in nats.
        lines: int64 `[n]`, where each was read, for messages.
    """

    words: np.ndarray
    log_probs: np.ndarray
    backoffs: np.ndarray
    lines: np.ndarray


class NGram:
    """An n-gram model with back-off; `read_arpa` reads one.

    Attributes:
        vocabulary: the words by their numbers.
        order: how long its longest n-grams are.
        first: int64 `[N + 1]`; the nodes `first[n]` to `first[n + 1]` are the n-grams that node n is the context of.
        words: int32 `[N]`, the last word of each n-gram; node 0 is the empty one.
        log_probs: float32 `[N]`, in nats.
        backoffs: float32 `[N]`, in nats.
        suffixes: int32 `[N]`, the longest n-gram that ends a node's without being it.
        states: int32 `[N]`, the node of all that the model remembers after an n-gram.
    """

    def __init__(self, vocabulary: Sequence[str], grams: Sequence[Grams], *, source: str) -> None:
        """Arrange n-grams of orders 1, 2, ... in a tree.

        Args:
            vocabulary: words, each once.
            grams: of each order; every word has a unigram.
            source: what stands in messages for the file.

        Raises:
            DataError: an n-gram comes twice, or the n-gram without its last word is missing.
        """
        self.vocabulary = tuple(vocabulary)
        self.order = len(grams)
        self._numbers = {word: number for number, word in enumerate(self.vocabulary)}
        size = len(self.vocabulary)
        # The keys of nodes, parent * V + word, ascend through all levels: one search finds any child.
        keys = np.zeros(0, np.int64)
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        starts = [0, 1]
        for order, here in enumerate(grams, 1):
            parents = np.zeros(len(here.words), np.int64)
            for column in here.words.T[:-1]:
                parents = _children(keys, parents, column, size)
            missing = np.flatnonzero(parents < 0)
            if len(missing):
                line, gram = here.lines[missing[0]], here.words[missing[0]]
                raise DataError(
                    f'{source}:{line}: the {order}-gram "{self._spell(gram)}" has no context: there is no '
                    f'{order - 1}-gram "{self._spell(gram[:-1])}"; the file is incomplete'
                )
            own = parents * size + here.words[:, -1]
            places = np.argsort(own, kind="stable")
            own = own[places]
            twice = np.flatnonzero(own[1:] == own[:-1])
            if len(twice):
                a, b = sorted(int(here.lines[places[twice[0] + k]]) for k in (0, 1))
                gram = self._spell(here.words[places[twice[0]]])
                raise DataError(f'{source}:{b}: the {order}-gram "{gram}" was there before, in line {a}')
            keys = np.concatenate([keys, own])
            parts.append((here.words[places, -1], here.log_probs[places], here.backoffs[places]))
            starts.append(starts[-1] + len(own))
        root = (np.full(1, -1, np.int32), np.zeros(1, np.float32), np.zeros(1, np.float32))
        words, log_probs, backoffs = (np.concatenate(column) for column in zip(root, *parts, strict=True))
        self.words, self.log_probs, self.backoffs = words.astype(np.int32), log_probs, backoffs
        self.first = 1 + np.searchsorted(keys, np.arange(starts[-1] + 1, dtype=np.int64) * size)
        self.suffixes = np.zeros(starts[-1], np.int32)
        self.states = np.zeros(starts[-1], np.int32)
        for order in range(1, self.order + 1):
            nodes = np.arange(starts[order], starts[order + 1])
            if order > 1:
                parents = keys[nodes - 1] // size
                self.suffixes[nodes] = self._longest(keys, self.suffixes[parents].astype(np.int64), words[nodes], size)
            # A context that no n-gram continues and that costs nothing to leave is left at once.
            matters = (self.first[nodes] < self.first[nodes + 1]) | (self.backoffs[nodes] != 0)
            self.states[nodes] = np.where(matters, nodes, self.states[self.suffixes[nodes]])

    def _longest(self, keys: np.ndarray, contexts: np.ndarray, words: np.ndarray, size: int) -> np.ndarray:
        """The n-grams of the words after the longest ends of contexts after which the model has them."""
        found = _children(keys, contexts, words, size)
        while (found < 0).any():
            contexts = np.where(found < 0, self.suffixes[contexts], contexts)
            found = _children(keys, contexts, words, size)
        return found

    def _spell(self, words: np.ndarray) -> str:
        return " ".join(self.vocabulary[number] for number in words)

    @cached_property
    def unknown(self) -> int | None:
        """The number of the word that stands for all others; None if there is none."""
        return next((self._numbers[word] for word in UNKNOWN if word in self._numbers), None)

    @cached_property
    def end(self) -> int | None:
        """The number of the word that ends a sentence, `</s>`; None if there is none."""
        return self._numbers.get(END)

    @cached_property
    def begin(self) -> int:
        """The state at the start of a sentence."""
        return self.score(0, self._numbers[BEGIN])[1] if BEGIN in self._numbers else 0

    def number(self, word: str) -> int | None:
        """The number of a word, or that of the unknown word; None if the model has neither."""
        return self._numbers.get(word, self.unknown)

    def score(self, state: int, word: int) -> tuple[float, int]:
        """The logarithm of a word's probability, in nats, and the state after it.

        Args:
            state: what came before, see `begin`.
            word: the word's number, see `number`.
        """
        total, node = 0.0, state
        while True:
            low, high = self.first[node], self.first[node + 1]
            found = low + int(np.searchsorted(self.words[low:high], word))
            if found < high and self.words[found] == word:
                return total + float(self.log_probs[found]), int(self.states[found])
            total += float(self.backoffs[node])
            node = int(self.suffixes[node])

    def log_prob(self, words: Sequence[str], *, begin: bool = True, end: bool = True) -> float:
        """The logarithm of a sentence's probability, in nats.

        Args:
            words: the sentence.
            begin: whether it begins where a sentence begins.
            end: whether it ends there, which has a probability too.

        Raises:
            DataError: the model knows neither one of the words nor unknown ones.
        """
        state, total = self.begin if begin else 0, 0.0
        numbers = [self.number(word) for word in words]
        if None in numbers:
            word = words[numbers.index(None)]
            raise DataError(f'the n-gram model has neither "{word}" nor {UNKNOWN[0]}')
        for number in (*numbers, self.end if end else None):
            if number is not None:
                gained, state = self.score(state, number)
                total += gained
        return total

    @cached_property
    def compiled(self) -> Any:
        """The model in the compiled core, which has to be there."""
        assert core is not None
        end = -1 if self.end is None else self.end
        return core.NGram(
            self.first, self.words, self.log_probs, self.backoffs, self.suffixes, self.states, self.begin, end
        )


def _children(keys: np.ndarray, nodes: np.ndarray, words: np.ndarray, size: int) -> np.ndarray:
    """The nodes of n-grams made longer by a word; -1 where there are none, or there was none before."""
    wanted = nodes * size + words
    places = np.searchsorted(keys, wanted)
    found = (nodes >= 0) & (places < len(keys))
    found[found] = keys[places[found]] == wanted[found]
    return np.where(found, places + 1, -1)
