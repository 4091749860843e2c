"""The sizes at which cases are measured."""

from collections.abc import Iterable
from typing import NamedTuple


class Point(NamedTuple):
    """B, T and H (X is equal to H); written B/T/H."""

    batch: int
    steps: int
    hidden: int

    def __str__(self) -> str:
        return "/".join(map(str, self))

    @property
    def operations(self) -> float:
        """Floating-point operations of an LSTM's matrices over the sequence, forward."""
        return 16.0 * self.batch * self.steps * self.hidden**2

    @classmethod
    def parse(cls, text: str) -> "Point":
        """A point from its written form.

        Raises:
            ValueError: it is not three whole numbers of at least 1.

        >>> Point.parse("32/256/128")
        Point(batch=32, steps=256, hidden=128)
        """
        parts = text.split("/")
        if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
            raise ValueError(f'expected a point B/T/H like 32/256/128, got "{text}"')
        return cls(*map(int, parts))


def points(*texts: str) -> tuple[Point, ...]:
    """Points from their written forms."""
    return tuple(map(Point.parse, texts))


# From single sequences to large batches, from short to long, from narrow to wide; one point with no size a multiple of
# anything.
GRID = points(
    *("1/32/32", "1/32/64", "1/32/128", "1/32/256", "1/32/512", "1/256/128", "1/1000/32", "1/1000/128"),
    *("8/32/32", "8/32/64", "8/32/128", "8/32/256", "8/32/512", "8/256/64", "8/1000/32", "19/101/50"),
    *("32/32/32", "32/32/64", "32/32/128", "32/32/256", "32/32/512", "32/256/64", "32/256/128"),
    *("128/32/32", "128/32/128", "128/32/256", "128/256/64"),
)
# Ten of the grid that stand for it where measuring all would take long.
TEN = points(
    *("1/32/32", "1/1000/32", "1/32/256", "8/32/64", "8/32/128"),
    *("32/32/32", "32/32/128", "32/256/128", "32/32/512", "128/32/256"),
)
BATCHES = points("8/32/64", "8/256/64", "19/101/50", "32/32/128", "32/256/64", "32/256/128", "128/32/128", "32/32/512")
FEW = points("1/32/32", "1/1000/32", "8/32/64", "32/32/128", "32/256/64")
LOOPS = points("1/32/32", "1/1000/32", "8/32/64", "32/32/128", "32/256/128")  # where rivals are loops in Python
QUICK = points("1/32/32", "8/32/64", "32/32/128")


def quick(of: Iterable[Point]) -> tuple[Point, ...]:
    """The points that quick mode keeps: those of `QUICK`, or the first."""
    chosen = tuple(of)
    return tuple(point for point in chosen if point in QUICK) or chosen[:1]
