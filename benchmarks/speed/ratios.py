"""Ratios of times that were measured in turn, and what sums them up."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A median and its quartiles."""

    median: float
    low: float
    high: float

    def scaled(self, factor: float) -> "Spread":
        """The same in another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles.

    Raises:
        ValueError: there are no values.

    >>> spread([3.0, 1.0, 2.0])
    Spread(median=2.0, low=1.5, high=2.5)
    """
    if not values:
        raise ValueError("expected at least one value to sum up, got none")
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def paired(rival: Sequence[float], ours: Sequence[float]) -> Spread:
    """How many times as long the rival took: of the ratios within each round, since a disturbance of the machine that
    lasts longer than a round falls on both.

    Raises:
        ValueError: not the same number of rounds.

    >>> paired([2.0, 20.0, 3.0], [1.0, 10.0, 1.0]).median
    2.0
    """
    return spread([theirs / own for theirs, own in zip(rival, ours, strict=True)])


def geometric_mean(values: Iterable[float]) -> float:
    """The mean of ratios: that of their inverses is its inverse.

    >>> round(geometric_mean([0.5, 2.0]), 6)
    1.0
    """
    return statistics.geometric_mean(values)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """The exponent of the power of x that y follows: least squares between the logarithms.

    >>> round(slope([1, 10, 100], [3, 30, 300]), 6)
    1.0
    """
    line = statistics.linear_regression([math.log(value) for value in x], [math.log(value) for value in y])
    return line.slope
