"""What a transcriber can write: its symbols, numbered from 1 on; 0 is the blank."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args

from gatewise.errors import ConfigurationError, DataError

Units = Literal["characters", "words"]
BLANK = 0


@dataclass(frozen=True)
class Alphabet:
    """Symbols of texts in Unicode's normal form C: characters, or what white space parts, such as words or phones.

    Attributes:
        symbols: sorted; symbol k has the number k + 1.
        units: what symbols are.

    >>> alphabet = Alphabet.of(["HH AY", "B AY"], "words")
    >>> alphabet.symbols, alphabet.encode("B AY"), alphabet.decode([3, 1])
    (('AY', 'B', 'HH'), (2, 1), 'HH AY')
    """

    symbols: tuple[str, ...]
    units: Units

    @classmethod
    def of(cls, texts: Sequence[str], units: Units) -> Self:
        """The symbols that occur in texts.

        Raises:
            ConfigurationError: `units` is neither "characters" nor "words".
        """
        if units not in get_args(Units):
            raise ConfigurationError(f'units is {units!r}, expected "characters" or "words"')
        return cls(tuple(sorted({symbol for text in texts for symbol in parts(text, units)})), units)

    def __len__(self) -> int:
        return len(self.symbols)

    def parts(self, text: str) -> list[str]:
        """The symbols of a text, whether known or not."""
        return parts(text, self.units)

    def encode(self, text: str) -> tuple[int, ...]:
        """The numbers of a text's symbols.

        Raises:
            DataError: a symbol is unknown; the message names it.
        """
        numbers = {symbol: number for number, symbol in enumerate(self.symbols, 1)}
        found = self.parts(text)
        unknown = sorted(set(found) - numbers.keys())
        if unknown:
            raise DataError(f"unknown {self.units}: {', '.join(map(repr, unknown))}")
        return tuple(numbers[symbol] for symbol in found)

    def decode(self, labels: Sequence[int]) -> str:
        """The text of labels."""
        return self.join([self.symbols[label - 1] for label in labels])

    def join(self, symbols: Sequence[str]) -> str:
        """The text that symbols make."""
        return ("" if self.units == "characters" else " ").join(symbols)


def parts(text: str, units: Units) -> list[str]:
    """The symbols of a text: in normal form C, without white space around it."""
    normal = unicodedata.normalize("NFC", text).strip()
    return list(normal) if units == "characters" else normal.split()
