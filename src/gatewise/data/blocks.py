"""Long columns a block of rows at a time: what is computed of millions of rows needs no second copy of them."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

BLOCK = 16_384


def blocks(begin: int, end: int, size: int = BLOCK) -> Iterator[slice]:
    """The rows from `begin` to before `end`, `size` at a time.

    >>> list(blocks(3, 8, size=3))
    [slice(3, 6, None), slice(6, 8, None)]
    """
    for low in range(begin, end, size):
        yield slice(low, min(low + size, end))


class Spread:
    """Mean and standard deviation of values that come in parts `[n]` or `[n, F]`, in double precision.

    Parts are merged by their own means (Chan, Golub & LeVeque 1983, eq. 2.1), so that large means cost no precision.

    >>> spread = Spread.of([np.array([1.0, 2.0]), np.array([6.0])])
    >>> spread.count, float(spread.mean), round(spread.deviation, 3)
    (3, 3.0, 2.16)
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Any = 0.0
        self._square: Any = 0.0

    @classmethod
    def of(cls, parts: Iterable[np.ndarray]) -> "Spread":
        """The spread of all parts together."""
        spread = cls()
        for part in parts:
            spread.add(part)
        return spread

    def add(self, part: np.ndarray) -> None:
        """Take in one more part."""
        n = len(part)
        if not n:
            return
        part = part.astype(np.float64, copy=False)
        mean = part.mean(0)
        square = np.square(part - mean).sum(0)
        apart, total = mean - self.mean, self.count + n
        self._square = self._square + square + apart * apart * (self.count * n / total)
        self.mean = mean if not self.count else self.mean + apart * (n / total)
        self.count = total

    @property
    def deviation(self) -> Any:
        """The (population) standard deviation, a number or `[F]`; 0 of nothing."""
        if not self.count:
            return 0.0
        variance = self._square / self.count
        return np.sqrt(variance) if isinstance(variance, np.ndarray) else math.sqrt(variance)
