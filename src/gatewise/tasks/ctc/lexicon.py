"""Words spelled in labels, as a trie.

Legend: N nodes of the trie, V labels with the blank among them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from gatewise.backends.cpu import core
from gatewise.errors import DataError, nearest
from gatewise.tasks.language import NGram


class Lexicon:
    """The words that a decoder knows, each with its spelling in labels.

    Attributes:
        words: the word of each entry; one that is spelled in two ways has two.
        spellings: the labels of each entry.
        separator: the label between words; None if they follow one another directly, as phones do.
        closed: whether there are no other words. Otherwise any sequence of labels between separators is a word, and
            the language model's unknown word if it is none of these.
    """

    def __init__(
        self,
        entries: Mapping[str, Sequence[int]] | Iterable[tuple[str, Sequence[int]]],
        *,
        separator: int | None = None,
        closed: bool = True,
    ) -> None:
        """Arrange words in a trie.

        Args:
            entries: the labels of each word; as pairs, a word may come with several spellings.
            separator: the label between words, which no spelling has; None if there is none.
            closed: whether there are no other words; without a separator there are none.

        Raises:
            DataError: no word, a word without labels, with a label below 0 or the separator, or twice with one
                spelling; an open lexicon without a separator.

        >>> lexicon = Lexicon({"to": [2, 1], "too": [2, 1, 1]}, separator=3)
        >>> lexicon.entries([2, 1]), lexicon.entries([2])
        ((0,), ())
        """
        # A mapping from pairs is an iterable of pairs to the type checker, too.
        named = cast("Mapping[str, Sequence[int]] | None", entries if isinstance(entries, Mapping) else None)
        pairs = list(cast("Iterable[tuple[str, Sequence[int]]]", entries) if named is None else named.items())
        if not pairs:
            raise DataError("lexicon: expected at least one word")
        if separator is None and not closed:
            raise DataError("lexicon: words of no lexicon need a separator to be told apart; give separator=")
        self.words = tuple(word for word, _ in pairs)
        self.spellings = tuple(tuple(int(label) for label in labels) for _, labels in pairs)
        self.separator = separator
        self.closed = closed
        # Children of each node, level after level, so that nodes stand in the order in which the core has them.
        trie: list[dict[int, int]] = [{}]
        ends: list[list[int]] = [[]]
        paths: list[tuple[int, ...]] = [()]
        for entry, (word, labels) in enumerate(zip(self.words, self.spellings, strict=True)):
            if not labels or min(labels) < 0 or separator in labels:
                what = "no label" if not labels else f"label {separator if separator in labels else min(labels)}"
                raise DataError(
                    f'lexicon: the spelling of "{word}" has {what}; expected labels from 0 on'
                    + ("" if separator is None else f", and not the separator {separator}")
                )
            node = 0
            for place, label in enumerate(labels, 1):
                if label not in trie[node]:
                    trie[node][label] = len(trie)
                    trie.append({})
                    ends.append([])
                    paths.append(labels[:place])
                node = trie[node][label]
            if any(self.words[other] == word for other in ends[node]):
                raise DataError(f'lexicon: "{word}" comes twice with the spelling {list(labels)}')
            ends[node].append(entry)
        order = [0]
        keys = [-1]
        first = []
        for node in order:
            first.append(len(order))
            for label, child in sorted(trie[node].items()):
                order.append(child)
                keys.append(label)
        self._trie, self._ends, self._paths = trie, ends, paths
        self._first = np.array([*first, len(order)], np.int64)
        self._keys = np.array(keys, np.int32)
        self._starts = np.cumsum([0, *(len(ends[node]) for node in order)], dtype=np.int64)
        self._entries = np.array([entry for node in order for entry in ends[node]], np.int32)
        self._checked: set[tuple[int, int]] = set()
        # By the models' identities, which they keep as long as they are kept here.
        self._numbers: dict[int, tuple[NGram, list[int]]] = {}
        self._compiled: dict[int, tuple[NGram | None, Any]] = {}

    @classmethod
    def spelled(
        cls, words: Iterable[str], symbols: Sequence[str], *, separator: str | None = " ", closed: bool = True
    ) -> "Lexicon":
        """Words spelled by their characters.

        Args:
            words: each once.
            symbols: the character of each label.
            separator: the symbol between words; None if there is none.
            closed: see the class.

        Raises:
            DataError: a character is no symbol; and as the class.

        >>> Lexicon.spelled(["ab", "b"], ["-", "a", "b", " "]).spellings
        ((1, 2), (2,))
        """
        numbers = {symbol: label for label, symbol in enumerate(symbols)}

        def number(symbol: str, where: str) -> int:
            if symbol not in numbers:
                raise DataError(f"lexicon: {where} has the symbol {symbol!r}, {nearest(symbol, numbers)}")
            return numbers[symbol]

        return cls(
            [(word, [number(symbol, f'"{word}"') for symbol in word]) for word in words],
            separator=None if separator is None else number(separator, "the separator"),
            closed=closed,
        )

    def follow(self, node: int, label: int) -> int | None:
        """The node after one more label; None where no word goes on like this. The root is node 0."""
        return self._trie[node].get(label)

    def following(self, node: int) -> Mapping[int, int]:
        """The labels that lead on from a node, and where to."""
        return self._trie[node]

    def ending(self, node: int) -> Sequence[int]:
        """The entries that are spelled by the path to a node."""
        return self._ends[node]

    def path(self, node: int) -> tuple[int, ...]:
        """The labels that lead to a node."""
        return self._paths[node]

    def entries(self, labels: Sequence[int]) -> tuple[int, ...]:
        """The entries with this spelling."""
        node: int | None = 0
        for label in labels:
            node = None if node is None else self.follow(node, label)
        return () if node is None else tuple(self._ends[node])

    def check(self, labels: int, blank: int) -> None:
        """Refuse a lexicon that is not spelled in the V labels of a network, with `DataError`."""
        if (labels, blank) in self._checked:
            return
        highest = max(max(spelling) for spelling in self.spellings)
        if highest >= labels:
            word = next(w for w, s in zip(self.words, self.spellings, strict=True) if max(s) == highest)
            raise DataError(f'lexicon: "{word}" is spelled with label {highest}, but there are {labels} labels')
        for word, spelling in zip(self.words, self.spellings, strict=True):
            if blank in spelling:
                raise DataError(f'lexicon: "{word}" is spelled with the blank, label {blank}')
        if self.separator is not None and not (0 <= self.separator < labels and self.separator != blank):
            raise DataError(
                f"lexicon: the separator is {self.separator}, expected a label below {labels}, not the blank"
            )

    def numbers(self, ngram: NGram) -> list[int]:
        """The number of each entry's word in an n-gram model.

        Raises:
            DataError: the model does not have a word, nor an unknown one; or the lexicon is open, and it has none.
        """
        if id(ngram) in self._numbers:
            return self._numbers[id(ngram)][1]
        found = [ngram.number(word) for word in self.words]
        missing = [word for word, number in zip(self.words, found, strict=True) if number is None]
        if missing or (not self.closed and ngram.unknown is None):
            what = f"has no {', '.join(map(repr, missing[:10]))}" if missing else "has nothing for words of no lexicon"
            raise DataError(
                f"lexicon: the n-gram model {what}{' ...' if len(missing) > 10 else ''}, and no <unk>; leave such "
                "words out, or train the model with an unknown word"
            )
        numbers = [number for number in found if number is not None]
        self._numbers[id(ngram)] = ngram, numbers
        return numbers

    def compiled(self, ngram: NGram | None) -> Any:
        """The lexicon in the compiled core, which has to be there, with the words' numbers in an n-gram model."""
        assert core is not None
        if id(ngram) in self._compiled:
            return self._compiled[id(ngram)][1]
        numbers = [0] * len(self.words) if ngram is None else self.numbers(ngram)
        unknown = -1 if ngram is None or ngram.unknown is None else ngram.unknown
        made = core.Lexicon(
            self._first,
            self._keys,
            self._starts,
            self._entries,
            np.array(numbers, np.int32),
            -1 if self.separator is None else self.separator,
            unknown,
            self.closed,
        )
        self._compiled[id(ngram)] = ngram, made
        return made
