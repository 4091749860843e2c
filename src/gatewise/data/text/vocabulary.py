"""The labels that texts are written in: characters, tokens such as phones, or pieces of words.

Legend: V labels with the blank among them, S labels of a text.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from gatewise.data.text.pieces import WORD, encoder, learn_pieces, marked, unmarked
from gatewise.data.text.unicode import TextForm, show_character
from gatewise.errors import ConfigurationError, DataError, nearest

UNITS = ("characters", "tokens", "pieces")
BLANK = 0
SHOWN = 20  # faults that a message lists


@dataclass(frozen=True)
class Vocabulary:
    """What the labels of a recogniser stand for. Label 0 is the blank of CTC, which stands for nothing.

    Attributes:
        symbols: what each label stands for; `""` for the blank.
        unit: "characters" (code points of the text form); "tokens", which white space parts, such as phones; "pieces"
            of words, by byte-pair encoding.
        form: of the texts.
        merges: of "pieces", which two are joined, in order.

    Raises:
        DataError: the first symbol is not empty, or others are, or come twice, or are not of the unit.
        ConfigurationError: an unknown unit; merges without pieces.

    >>> vocabulary = Vocabulary.fit(["to be", "or not"])
    >>> vocabulary.symbols
    ('', ' ', 'b', 'e', 'n', 'o', 'r', 't')
    >>> vocabulary.encode("not")
    array([4, 5, 7])
    >>> vocabulary.decode([2, 5, 5])
    'boo'
    >>> Vocabulary.fit(["HH AY", "B AY"], unit="tokens").symbols
    ('', 'AY', 'B', 'HH')
    """

    symbols: tuple[str, ...]
    unit: Literal["characters", "tokens", "pieces"] = "characters"
    form: TextForm = field(default_factory=TextForm)
    merges: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ConfigurationError(f'unknown unit "{self.unit}": {nearest(str(self.unit), UNITS)}')
        if self.merges and self.unit != "pieces":
            raise ConfigurationError(f'merges make pieces of words, but the unit is "{self.unit}"')
        if len(self.symbols) < 2 or self.symbols[0] != "":
            raise DataError(
                f"vocabulary: expected the blank, written as an empty text, and symbols; got {self.symbols}"
            )
        for symbol in self.symbols[1:]:
            if not isinstance(symbol, str):
                raise DataError(f"vocabulary: expected symbols as text, got {symbol!r}")
            wrong = symbol == "" or (self.unit == "tokens" and symbol.split() != [symbol])
            if wrong or (self.unit == "characters" and len(symbol) != 1):
                raise DataError(f"vocabulary: {symbol!r} is none of {self.unit}")
        if len(set(self.symbols)) != len(self.symbols):
            twice = sorted({symbol for symbol in self.symbols if self.symbols.count(symbol) > 1})
            raise DataError(f"vocabulary: {', '.join(map(repr, twice))} comes more than once")
        for pair in self.merges:
            if len(pair) != 2 or not {*pair, "".join(pair)} <= self._labels.keys():
                raise DataError(f"vocabulary: {pair} and what they make together are not among its symbols")

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        *,
        unit: Literal["characters", "tokens", "pieces"] = "characters",
        form: TextForm | None = None,
        size: int | None = None,
    ) -> "Vocabulary":
        """What stands in texts, in the order of code points (of "pieces", then in that in which they were joined).

        Args:
            texts: of the training data.
            unit: "characters", "tokens" or "pieces".
            form: of the texts; by default NFC, with capital letters.
            size: of "pieces", how many there are at most.

        Raises:
            DataError: no texts; texts that are empty or have control characters in them, by their rows from 0 on; fewer
                pieces than there are characters.
            ConfigurationError: an unknown unit; a size without pieces, or pieces without one; for "pieces", the extra
                `bpe` is not installed.
        """
        if unit not in UNITS:
            raise ConfigurationError(f'unknown unit "{unit}": {nearest(str(unit), UNITS)}')
        if (size is not None) != (unit == "pieces") or (size is not None and (not isinstance(size, int) or size < 1)):
            raise ConfigurationError(f'"pieces" take a size, a whole number from 1 on, other units none; got {size!r}')
        form = form or TextForm()
        written = _written(texts, form)
        if size is not None:
            pieces, merges = learn_pieces(written, size)
            return cls(("", *pieces), unit, form, tuple(merges))
        parts = (text if unit == "characters" else text.split(" ") for text in written)
        return cls(("", *sorted({symbol for part in parts for symbol in part})), unit, form)

    def __len__(self) -> int:
        """V: how many labels there are, the blank among them."""
        return len(self.symbols)

    @property
    def separator(self) -> int | None:
        """The label between words, a space among characters; None where words are not told apart by a label."""
        return self._labels.get(" ") if self.unit == "characters" else None

    def encode(self, text: str) -> np.ndarray:
        """The labels of a text, which is brought into its form: int64 `[S]`.

        Raises:
            DataError: the text is empty, or has symbols that are not in the vocabulary.
        """
        written = self.form(text)
        if not written:
            raise DataError("the text is empty; expected something that is written or said")
        unknown = self._unknown(written)
        if unknown:
            raise DataError(f"not in the vocabulary of {len(self) - 1} {self.unit}: {', '.join(unknown)}")
        return self._encode(written)

    def encode_all(self, texts: Sequence[str], rows: Sequence[int] | None = None) -> list[np.ndarray]:
        """The labels of each text, int64 `[S]`; or all texts for which there are none, in one message.

        Args:
            texts: any number of them.
            rows: their rows in what they come from, for messages; from 0 on by default.

        Raises:
            DataError: texts that are empty or have control characters, or symbols that are not in the vocabulary.
        """
        written = _written(texts, self.form, rows)
        numbers = range(len(texts)) if rows is None else rows
        faults = []
        for number, text in zip(numbers, written, strict=True):
            unknown = self._unknown(text)
            if unknown:
                faults.append(f"row {number}: {', '.join(unknown)}")
        if faults:
            raise DataError(
                f"{len(faults)} of {len(texts)} texts have {self.unit} that the vocabulary does not have: "
                f"{_listing(faults)}. Correct or leave out these rows, or train with data that has them"
            )
        return [self._encode(text) for text in written]

    def decode(self, labels: Iterable[int]) -> str:
        """The text of labels.

        Raises:
            DataError: a label is the blank, or there is none such.
        """
        numbers = [int(label) for label in labels]
        for label in numbers:
            if not BLANK < label < len(self):
                what = "the blank" if label == BLANK else f"none of {len(self)} labels"
                raise DataError(f"label {label} is {what}; expected labels from 1 to {len(self) - 1}")
        symbols = [self.symbols[label] for label in numbers]
        if self.unit == "tokens":
            return " ".join(symbols)
        return unmarked(symbols) if self.unit == "pieces" else "".join(symbols)

    def to_dict(self) -> dict[str, Any]:
        """Its values, for a file."""
        merges = [list(pair) for pair in self.merges]
        return {"unit": self.unit, "form": self.form.to_dict(), "symbols": list(self.symbols), "merges": merges}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Vocabulary":
        """The vocabulary that `to_dict` wrote. Raises `ConfigurationError` or `DataError` for what is none."""
        if set(values) != {"unit", "form", "symbols", "merges"}:
            raise ConfigurationError(
                f"a vocabulary is written with unit, form, symbols, merges; got {', '.join(sorted(values))}"
            )
        merges = tuple(tuple(pair) for pair in values["merges"])
        return cls(tuple(values["symbols"]), values["unit"], TextForm.from_dict(values["form"]), merges)

    @cached_property
    def _labels(self) -> dict[str, int]:
        return {symbol: label for label, symbol in enumerate(self.symbols) if label != BLANK}

    @cached_property
    def _encoder(self) -> Any:
        return encoder(self._labels, self.merges)

    def _symbols(self, text: str) -> list[str]:
        """The smallest symbols of a text in its form; of pieces, their characters."""
        return text.split(" ") if self.unit == "tokens" else list(text)

    def _unknown(self, text: str) -> list[str]:
        """What is not in the vocabulary, once each, in order."""
        symbols = dict.fromkeys(self._symbols(text))
        if self.unit == "pieces":  # a space becomes the mark of a word
            symbols = dict.fromkeys([*(symbol for symbol in symbols if symbol != " "), WORD])
        unknown = [symbol for symbol in symbols if symbol not in self._labels]
        return [f'"{symbol}"' if self.unit == "tokens" else show_character(symbol) for symbol in unknown]

    def _encode(self, text: str) -> np.ndarray:
        if self.unit == "pieces":
            found = self._encoder.encode_batch(marked(text))
            return np.array([label for word in found for label in word.ids], np.int64)
        return np.array([self._labels[symbol] for symbol in self._symbols(text)], np.int64)


def _written(texts: Sequence[str], form: TextForm, rows: Sequence[int] | None = None) -> list[str]:
    """Texts in their form; all that cannot be, or are empty, in one message."""
    if isinstance(texts, str):
        raise DataError("expected a list of texts, got one text: put it into a list")
    if len(texts) == 0:
        raise DataError("expected at least one text, got none")
    if rows is not None and len(rows) != len(texts):
        raise DataError(f"expected a row for each of {len(texts)} texts, got {len(rows)}")
    written, faults = [], []
    for number, text in zip(range(len(texts)) if rows is None else rows, texts, strict=True):
        try:
            written.append(form(text))
        except DataError as error:
            faults.append(f"row {number}: {error}")
            continue
        if not written[-1]:
            faults.append(f"row {number}: the text is empty")
    if faults:
        raise DataError(f"{len(faults)} of {len(texts)} texts cannot be used: {_listing(faults)}")
    return written


def _listing(faults: Sequence[str]) -> str:
    return "; ".join(faults[:SHOWN]) + (f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else "")
