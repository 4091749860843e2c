"""What a generator writes: labels of a vocabulary, or events of which several sound at a time.

Legend: V labels (label 0 begins and ends a text), E events.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gatewise.data.text import TextForm, Vocabulary
from gatewise.data.text.pieces import WORD
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.generation.corpus import Corpus
from gatewise.tasks.generation.events import Frame, Pieces, by_number

END = 0  # the label of a text's end, and of what stands before its beginning


@dataclass(frozen=True)
class TextSymbols:
    """Labels of a vocabulary, in whose place 0 (of the blank in CTC) a text begins and ends.

    >>> symbols = TextSymbols.fit(["to be\\nor not"], unit="characters")
    >>> corpus = symbols.corpus(["be", "to"], ["a", "b"])
    >>> corpus.rows.tolist(), corpus.starts.tolist(), corpus.lengths.tolist()
    ([0, 3, 4, 0, 8, 6, 0], [0, 3], [3, 3])
    """

    vocabulary: Vocabulary

    kind = "text"
    metric = "bits_per_character"

    @classmethod
    def fit(
        cls, texts: Sequence[str], *, unit: str, pieces: int | None = None, alphabet: str | None = None
    ) -> "TextSymbols":
        """The symbols of texts, and of `alphabet` beside them. Raises as `Vocabulary.fit`."""
        known = [*texts, *([alphabet] if alphabet else [])]
        return cls(Vocabulary.fit(known, unit=unit, form=TextForm(layout=True), size=pieces))  # type: ignore[arg-type]  # `Vocabulary` refuses others

    @property
    def size(self) -> int:
        """V."""
        return len(self.vocabulary)

    @cached_property
    def characters(self) -> np.ndarray:
        """How many characters each label writes, int64 `[V]`."""
        return np.array([len(symbol) for symbol in self.vocabulary.symbols], np.int64)

    def corpus(self, texts: Sequence[str], names: Sequence[str]) -> Corpus:
        """Texts as labels. Raises `DataError` for texts that are empty or have unknown symbols, all of them."""
        found = self.vocabulary.encode_all(texts)
        lengths = np.array([len(labels) + 1 for labels in found], np.int64)
        kind = np.uint16 if self.size <= 1 << 16 else np.int32
        rows = np.full(int(lengths.sum()) + 1, END, kind)
        starts = np.append(0, np.cumsum(lengths)[:-1])
        for start, labels in zip(starts, found, strict=True):
            rows[start + 1 : start + 1 + len(labels)] = labels
        return Corpus(rows, starts, lengths, tuple(names))

    def frequencies(self, corpus: Corpus) -> np.ndarray:
        """How often each label is foretold, as a share, with one more of each: float64 `[V]`."""
        counts = np.bincount(corpus.targets(), minlength=self.size) + 1.0
        return counts / counts.sum()

    def encode(self, text: str) -> list[int]:
        """The labels of a beginning, which may be empty. Raises `DataError` for unknown symbols."""
        return self.vocabulary.encode(text).tolist() if text else []

    def write(self, label: int, first: bool) -> str:
        """What a label writes; `first` if at the very beginning, where no space stands before a word."""
        symbol = self.vocabulary.symbols[label]
        if self.vocabulary.unit == "pieces":
            symbol = symbol.replace(WORD, "" if first and symbol.startswith(WORD) else " ", 1).replace(WORD, " ")
        return symbol

    def to_dict(self) -> dict[str, Any]:
        """Its values, for a file."""
        return self.vocabulary.to_dict()


@dataclass(frozen=True)
class EventSymbols:
    """Events by name; whole numbers in their order, and then with every number between the least and the largest.

    >>> EventSymbols.fit([["60", "63"]], transpose=1).names
    ('59', '60', '61', '62', '63', '64')
    """

    names: tuple[str, ...]

    kind = "events"
    metric = "frame_nll"

    @classmethod
    def fit(cls, frames: Sequence[Frame], *, transpose: int = 0, alphabet: str | None = None) -> "EventSymbols":
        """The events of frames, and of `alphabet` beside them.

        Raises:
            DataError: no events; or events are to be transposed that are no whole numbers.
        """
        names = {name for frame in frames for name in frame} | set((alphabet or "").split())
        if not names:
            raise DataError("there is no event in any frame")
        others = sorted(name for name in names if not re.fullmatch(r"-?\d+", name))
        if others and transpose:
            raise DataError(
                f'transpose is {transpose}, but the event "{others[0]}" is no whole number: only these have neighbours'
            )
        if not others:
            numbers = [int(name) for name in names]
            return cls(tuple(map(str, range(min(numbers) - transpose, max(numbers) + transpose + 1))))
        return cls(tuple(sorted(names, key=by_number)))

    @property
    def size(self) -> int:
        """E."""
        return len(self.names)

    @cached_property
    def places(self) -> dict[str, int]:
        """The column of each event."""
        return {name: place for place, name in enumerate(self.names)}

    def corpus(self, pieces: Pieces) -> Corpus:
        """Pieces as rows. Raises `DataError` for unknown events, by their first place each."""
        lengths = np.array([len(frames) for frames in pieces.frames], np.int64)
        starts = np.append(0, np.cumsum(lengths + 1)[:-1])
        rows = np.zeros((int((lengths + 1).sum()) + 1, self.size), bool)
        unknown: dict[str, str] = {}
        for start, frames, name in zip(starts, pieces.frames, pieces.names, strict=True):
            for t, frame in enumerate(frames):
                for event in frame:
                    if event in self.places:
                        rows[start + 1 + t, self.places[event]] = True
                    else:
                        unknown.setdefault(event, f'"{event}" ({name}, frame {t})')
        if unknown:
            shown = ", ".join(list(unknown.values())[:20])
            raise DataError(
                f"events that the model does not know: {shown}; it knows {self.names[0]} to {self.names[-1]} "
                f"({self.size}). Leave them out, or train with them (alphabet names further events)"
            )
        return Corpus(rows, starts, lengths, pieces.names)

    def frequencies(self, corpus: Corpus) -> np.ndarray:
        """In which share of the frames each event sounds, with half a frame more either way: float64 `[E]`."""
        targets = corpus.targets()
        return (targets.sum(0, dtype=np.float64) + 0.5) / (len(targets) + 1.0)

    def frame(self, row: np.ndarray) -> Frame:
        """The names of the events that sound, of a row `[E]`."""
        return tuple(self.names[place] for place in np.flatnonzero(row))

    def to_dict(self) -> dict[str, Any]:
        """Its values, for a file."""
        return {"names": list(self.names)}


Symbols = TextSymbols | EventSymbols


def symbols_of(kind: str, values: Mapping[str, Any]) -> Symbols:
    """The symbols that `to_dict` wrote. Raises `ConfigurationError` or `DataError` for what are none."""
    if kind == "text":
        return TextSymbols(Vocabulary.from_dict(values))
    names = values.get("names")
    if set(values) != {"names"} or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"events are written with names, got {', '.join(sorted(values))}")
    if not names or len(set(names)) != len(names):
        raise DataError("events: there are none, or one comes twice")
    return EventSymbols(tuple(names))
