"""The target of a panel as features and truths take it: standardised, and with its season taken out.

Legend: N rows of all series, S series, P seasonal periods.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from gatewise.data.blocks import BLOCK, Spread, blocks
from gatewise.data.panel import Panel
from gatewise.data.timeline import show_time
from gatewise.errors import DataError
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.statistics import Statistics


class Target:
    """The standardised target of every row; float64 exists for a block of rows at a time.

    Args:
        panel: the series.
        recipe: the log, season and periods to use.
        statistics: of training; None fits them on the rows before `ends`.
        ends: per series the row before which its training rows lie `[S]`.

    Attributes:
        level: mean and standard deviation of each series' (log of the) target `[S, 2]`.
        floor: the smallest standardised target of training rows, 0 at most.
        step: the standard deviation of the seasonal differences on training rows.
        z: the standardised target with missing values carried forward, float32 `[N]`.
        w: its seasonal differences in units of `step`, float32 `[N]`; without a season `z` itself.
        means: running means of `w` over each period, float32 `[N, P]`; without a season P is 0.

    Raises:
        DataError: the log of a value that is not positive is needed.
    """

    def __init__(self, panel: Panel, recipe: Recipe, statistics: Statistics | None, ends: np.ndarray) -> None:
        self._panel, self._recipe = panel, recipe
        if recipe.log:
            _check_positive(panel)
        self.level = _levels(panel, recipe.log, ends, {} if statistics is None else statistics.level)
        count, season = len(panel.times), recipe.season
        z = np.empty(count, np.float32)
        w = np.empty(count, np.float32) if season else z
        periods = recipe.periods if season else ()
        means = np.empty((count, len(periods)), np.float32)
        self.floor, self.step = self._size(ends) if statistics is None else (statistics.floor, statistics.step)
        for i in range(len(panel)):
            rows, filled = panel.series(i), self._filled(i)
            own = z[rows]
            for part in blocks(0, len(filled)):
                own[part] = self._standard(i, filled, part)
                if season:
                    w[rows][part] = self._differences(i, filled, part) / self.step
            for k, m in enumerate(periods):
                for part in blocks(0, len(filled), max(BLOCK, m)):
                    means[rows][part, k] = self._running_mean(i, filled, m, part) / self.step
        self.z, self.w, self.means = (torch.from_numpy(values) for values in (z, w, means))

    def _size(self, ends: np.ndarray) -> tuple[float, float]:
        """The floor and the step of training rows that have a season behind them."""
        floor, step = 0.0, Spread()
        for i, (start, end) in enumerate(zip(self._panel.offsets[:-1], ends, strict=True)):
            filled = self._filled(i)
            for part in blocks(self._recipe.season, int(end - start)):
                z = self._standard(i, filled, part)
                floor = min(floor, float(z.min()))
                step.add(self._differences(i, filled, part) if self._recipe.season else z)
        return floor, float(step.deviation) or 1.0

    def _filled(self, i: int) -> np.ndarray:
        """The target of series `i` with missing values filled: a view where none is missing."""
        values = self._panel.target[self._panel.series(i)]
        return fill(values, ~np.isnan(values))

    def _standard(self, i: int, filled: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
        mean, scale = self.level[i]
        values = filled[rows]
        return ((np.log(values) if self._recipe.log else values) - mean) / scale

    def _differences(self, i: int, filled: np.ndarray, part: slice) -> np.ndarray:
        """The rows of `part` minus one season before; before a series begins, its first value stands in."""
        before = np.maximum(np.arange(part.start, part.stop) - self._recipe.season, 0)
        return self._standard(i, filled, part) - self._standard(i, filled, before)

    def _running_mean(self, i: int, filled: np.ndarray, m: int, part: slice) -> np.ndarray:
        """The mean of the newest `m` differences at each row of `part`, of fewer where the series has just begun."""
        begin = max(part.start + 1 - m, 0)
        total = np.concatenate([[0.0], np.cumsum(self._differences(i, filled, slice(begin, part.stop)))])
        rows = np.arange(part.start, part.stop)
        first = np.maximum(rows + 1 - m, 0)
        return (total[rows + 1 - begin] - total[first - begin]) / (rows + 1 - first)


def fill(values: np.ndarray, known: np.ndarray, before: float | None = None) -> np.ndarray:
    """Missing values of one series `[T]` carry the last known one forward; the array itself where none is missing.

    Before the first known one stands `before`, or where that is None the first known one; 0 where none is known.
    """
    if known.all():
        return values
    last = np.where(known, np.arange(len(values), dtype=np.int32), np.int32(-1))
    np.maximum.accumulate(last, out=last)
    if before is None:
        before = float(values[np.argmax(known)]) if known.any() else 0.0
    return np.where(last >= 0, values[np.maximum(last, 0, out=last)], before)


def first_known(panel: Panel) -> np.ndarray:
    """How many rows of each series come before its first known target `[S]`."""
    found = np.zeros(len(panel), np.int64)
    for i in range(len(panel)):
        known = ~np.isnan(panel.target[panel.series(i)])
        found[i] = np.argmax(known) if known.any() else 0
    return found


def _known(panel: Panel, log: bool, begin: int, end: int) -> Iterator[np.ndarray]:
    for part in blocks(begin, end):
        values = panel.target[part]
        values = values[~np.isnan(values)]
        yield np.log(values) if log else values


def _levels(panel: Panel, log: bool, ends: np.ndarray, known: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """Mean and standard deviation of each series `[S, 2]`: as trained for known ids, else from its own rows."""
    level = np.empty((len(panel), 2))
    for i, (name, a, b) in enumerate(zip(panel.ids, panel.offsets[:-1], ends, strict=True)):
        if name in known:
            level[i] = known[name]
            continue
        own = Spread.of(_known(panel, log, int(a), int(b)))
        mean, scale = float(own.mean), float(own.deviation)
        level[i] = mean, scale if scale > 1e-12 * max(1.0, abs(mean)) else max(abs(mean), 1.0)
    return level


def _check_positive(panel: Panel) -> None:
    bad = np.flatnonzero(panel.target <= 0)
    if not len(bad):
        return
    row = int(bad[0])
    name = panel.ids[int(np.searchsorted(panel.offsets, row, side="right")) - 1]
    of = f' of series "{name}"' if panel.roles.id else ""
    raise DataError(
        f'column "{panel.roles.target}" holds {panel.target[row]:g} at {panel.roles.time or "step"} '
        f"{show_time(panel.times[row])}{of}, but this model was trained on positive values and forecasts their "
        "logarithm; correct the value, or train anew with such values"
    )
