"""One recording that was read, as a report shows it."""

from dataclasses import dataclass

from gatewise.errors import ConfigurationError
from gatewise.reports.record import Record
from gatewise.reports.values import Values, numbers, same_length, table


@dataclass(frozen=True)
class ReadSymbol(Record):
    """A symbol of the text that was read, from frame `start` to before frame `end`."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Reading(Record):
    """A recording, what was read in it, and how likely each symbol was when.

    `picture` is [T, X]: frames, each number from 0 (nothing) to 1, the first number of each at the top unless
    `upright`. `posteriors` is [T / stride, 1 + K]: the probability of the blank, then that of each of K `curves`,
    symbols of the text. `truth` is what it says, empty where that is not known. `seconds` are those from one frame to
    the next, 0 where frames have no duration.

    Raises:
        ConfigurationError: lengths that do not fit together, or a probability outside 0 to 1.

    >>> picture, posteriors = ((0.0, 1.0), (0.0, 0.5)), ((0.1, 0.9),)
    >>> Reading("a.png", "1", "1", 0.9, picture, (ReadSymbol("1", 0, 2),), ("1",), posteriors, stride=2).read
    '1'
    """

    name: str
    read: str
    truth: str
    confidence: float
    picture: tuple[Values, ...]
    symbols: tuple[ReadSymbol, ...]
    curves: tuple[str, ...]
    posteriors: tuple[Values, ...]
    stride: int
    upright: bool = False
    seconds: float = 0.0

    def __post_init__(self) -> None:
        where = f'Reading "{self.name}"'
        object.__setattr__(self, "picture", table(self.picture, f"{where}.picture"))
        object.__setattr__(self, "posteriors", table(self.posteriors, f"{where}.posteriors"))
        object.__setattr__(self, "symbols", tuple(self.symbols))
        object.__setattr__(self, "curves", tuple(self.curves))
        if not self.picture or self.stride < 1:
            raise ConfigurationError(f"{where}: expected at least one frame, and a stride of at least 1")
        same_length(-(-len(self.picture) // self.stride), "the frames", where, posteriors=self.posteriors)
        for row in self.posteriors:
            same_length(1 + len(self.curves), "the blank and curves", where, **{"a row of posteriors": row})
            outside = [value for value in row if value is not None and not -1e-6 <= value <= 1 + 1e-6]
            if outside:
                raise ConfigurationError(f"{where}: expected probabilities from 0 to 1, got {outside[0]}")
        for row in self.picture:
            same_length(len(self.picture[0]), "the first frame", where, **{"a frame": row})
        numbers((self.confidence,), f"{where}.confidence")
