"""Choosing the seasons that forecasts start from, by the error they have alone.

Legend: T rows of one series, S series, L leads, O origins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from gatewise.data.panel import Panel
from gatewise.tasks.forecasting.levels import Levels, fill
from gatewise.tasks.forecasting.recipe import Season
from gatewise.tasks.forecasting.smoothing import damping, smooth

SHARES = (0.2, 0.4, 0.7, 1.0)
FADING = (0.0, 0.125, 1.0, np.inf)  # cycles of the shortest season in which the newest deviation fades to a third
MEMORY = 20  # cycles of the longest season before the first origin that seasons are tried on
MOST_SERIES = 64  # that they are tried on


def candidates(
    panel: Panel, log: bool, origins: np.ndarray, ends: np.ndarray, train: np.ndarray, horizon: int,
    periods: Sequence[int],
) -> list[tuple[tuple[Season, ...], float]]:  # fmt: skip
    """Seasons to start forecasts from, each with a damping: none; each alone, as it was the last time; and smoothed,
    those of each alone and of all together that have the least error from `origins`, with the shares and the damping
    that have.

    Args:
        panel: the series.
        log: of the logarithm.
        origins: rows to forecast from, sorted `[O]`.
        ends: rows before which their truth is looked at `[O]`.
        train: how many rows of each series train `[S]`.
        horizon: L.
        periods: of the seasons.
    """
    found: list[tuple[tuple[Season, ...], float]] = [((), 0.0), *(((Season(m, 1.0),), 0.0) for m in periods)]
    if not len(origins) or not periods:
        return found
    trial = _Trial.of(panel, log, origins, ends, train, horizon, max(periods))
    chains = dict.fromkeys([*((m,) for m in periods), tuple(sorted(periods, reverse=True))])
    _, seasons, fading = min(trial.best(chain) for chain in chains)
    if (seasons, fading) not in found:
        found.append((seasons, fading))
    return found


@dataclass(frozen=True)
class _Part:
    """A stretch of a standardised series `[T]`, rows of it to forecast from `[O]`, and the truth, NaN if unknown."""

    values: np.ndarray
    origins: np.ndarray
    truth: np.ndarray


class _Trial:
    """What seasons are tried on."""

    def __init__(self, parts: list[_Part], horizon: int) -> None:
        self._parts, self._horizon = parts, horizon
        self._kept: tuple[tuple[Season, ...], list[_Smoothed]] = ((), [([], part.values) for part in parts])

    @classmethod
    def of(
        cls, panel: Panel, log: bool, origins: np.ndarray, ends: np.ndarray, train: np.ndarray, horizon: int,
        longest: int,
    ) -> "_Trial":  # fmt: skip
        series = np.searchsorted(panel.offsets, origins, side="right") - 1
        present = np.unique(series)
        levels = Levels.of(panel, log, panel.offsets[:-1] + train, {})
        parts = []
        for i in present[:: -(-len(present) // MOST_SERIES)]:
            own = origins[series == i]
            begin = max(int(own[0]) - MEMORY * longest, int(panel.offsets[i]))
            stop = min(int(own[-1]) + horizon + 1, int(panel.offsets[i + 1]))
            raw = panel.target[begin:stop]
            known = ~np.isnan(raw)
            values = levels.standard(i, fill(raw, known)).astype(np.float32)
            rows = own[:, None] - begin + np.arange(1, horizon + 1)
            inside = np.minimum(rows, len(values) - 1)
            seen = known[inside] & (rows + begin < ends[series == i][:, None])
            parts.append(_Part(values, own - begin, np.where(seen, values[inside], np.nan)))
        return cls(parts, horizon)

    def best(self, chain: tuple[int, ...]) -> tuple[float, tuple[Season, ...], float]:
        """The error, the seasons and the damping of a chain of periods.

        The shares of the last two are tried together, those of longer ones before them each by itself: all of many
        together would be too many.
        """
        first, last = chain[:-2], chain[-2:]
        settled = self.best(chain[:-1])[1][: len(first)] if first else ()
        options = [
            ((*settled, *map(Season, last, shares)), damping(cycles, last[-1]))
            for shares in product(SHARES, repeat=len(last))
            for cycles in FADING
        ]
        return min((self.error(*option), *option) for option in options)

    def error(self, seasons: tuple[Season, ...], fading: float) -> float:
        """The root mean square error of each lead, averaged over leads."""
        square, count = np.zeros(self._horizon), np.zeros(self._horizon)
        leads = np.arange(1, self._horizon + 1)
        for part, (courses, rest) in zip(self._parts, self._smoothed(seasons), strict=True):
            miss = part.truth - rest[part.origins][:, None] * fading**leads
            for m, course in courses:
                miss -= course[np.maximum(part.origins[:, None] + leads - -(-leads // m) * m, 0)]
            square += np.nansum(np.square(miss, dtype=np.float64), 0)
            count += (~np.isnan(miss)).sum(0)
        return float(np.sqrt(square / np.maximum(count, 1)).mean())

    def _smoothed(self, seasons: tuple[Season, ...]) -> "list[_Smoothed]":
        """The courses and the rest of each part; those last asked for are kept."""
        if not seasons:
            return [([], part.values) for part in self._parts]
        if self._kept[0] != seasons:
            found: list[_Smoothed] = []
            before = self._smoothed(seasons[:-1])
            for courses, rest in before:
                course, deviation = smooth(rest, seasons[-1].period, seasons[-1].share)
                found.append(([*courses, (seasons[-1].period, course)], deviation))
            self._kept = (seasons, found)
        return self._kept[1]


_Smoothed = tuple[list[tuple[int, np.ndarray]], np.ndarray]
