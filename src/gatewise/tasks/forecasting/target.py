"""The target of a panel as features and truths take it: standardised, and with its seasons taken out.

Legend: N rows of all series, S series, P seasonal periods.
"""

import numpy as np
import torch

from gatewise.data.blocks import BLOCK, Spread, blocks
from gatewise.data.panel import Panel
from gatewise.tasks.forecasting.levels import Levels, fill
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.smoothing import smooth
from gatewise.tasks.forecasting.statistics import Statistics


class Target:
    """The standardised target of every row, and what of it no season explains.

    Args:
        panel: the series.
        recipe: the log, seasons and periods to use.
        statistics: of training; None fits them on the rows before `ends`.
        ends: per series the row before which its training rows lie `[S]`.

    Attributes:
        levels: of each series.
        floor: the smallest standardised target of training rows, 0 at most.
        step: the standard deviation on training rows of what no season explains.
        z: the standardised target with missing values carried forward, float32 `[N]`.
        courses: for each season its period and smoothed course, float32 `[N]`.
        rest: what no season explains, in units of `step`, float32 `[N]`; without seasons `z` itself.
        means: running means of `rest` over each period, float32 `[N, P]`; without seasons P is 0.

    Raises:
        DataError: the log of a value that is not positive is needed.
    """

    def __init__(self, panel: Panel, recipe: Recipe, statistics: Statistics | None, ends: np.ndarray) -> None:
        self.levels = Levels.of(panel, recipe.log, ends, {} if statistics is None else statistics.level)
        z = np.empty(len(panel.times), np.float32)
        for i in range(len(panel)):
            rows = panel.series(i)
            raw = panel.target[rows]
            filled, own = fill(raw, ~np.isnan(raw)), z[rows]
            for part in blocks(0, len(filled)):
                own[part] = self.levels.standard(i, filled[part])
        rest, courses = z, []
        for season in recipe.seasons:
            # With share 1 the course is what it was made of, and no second copy is kept; else the rest is used up.
            course = rest if season.share == 1.0 else np.empty_like(z)
            deviation = np.empty_like(z) if season.share == 1.0 or rest is z else rest
            for i in range(len(panel)):
                rows = panel.series(i)
                smooth(rest[rows], season.period, season.share, course=course[rows], deviation=deviation[rows])
            courses.append((season.period, torch.from_numpy(course)))
            rest = deviation
        if statistics is None:
            self.floor, self.step = _size(panel, recipe.season, z, rest, ends)
        else:
            self.floor, self.step = statistics.floor, statistics.step
        periods = recipe.periods if recipe.seasons else ()
        means = np.empty((len(z), len(periods)), np.float32)
        if recipe.seasons:
            rest /= np.float32(self.step)
        for i in range(len(panel)):
            rows = panel.series(i)
            for k, m in enumerate(periods):
                for part in blocks(0, rows.stop - rows.start, max(BLOCK, m)):
                    means[rows][part, k] = _running_mean(rest[rows], m, part)
        self.z, self.rest, self.means = (torch.from_numpy(values) for values in (z, rest, means))
        self.courses = tuple(courses)


def _size(panel: Panel, season: int, z: np.ndarray, rest: np.ndarray, ends: np.ndarray) -> tuple[float, float]:
    """The floor and the step of training rows that have a season behind them."""
    floor, step = 0.0, Spread()
    for start, end in zip(panel.offsets[:-1].tolist(), ends.tolist(), strict=True):
        for part in blocks(start + season, end):
            floor = min(floor, float(z[part].min()))
            step.add(rest[part])
    return floor, float(step.deviation) or 1.0


def _running_mean(values: np.ndarray, m: int, part: slice) -> np.ndarray:
    """The mean of the newest `m` values at each row of `part`, of fewer where the series has just begun."""
    begin = max(part.start + 1 - m, 0)
    total = np.concatenate([[0.0], np.cumsum(values[begin : part.stop], dtype=np.float64)])
    rows = np.arange(part.start, part.stop)
    first = np.maximum(rows + 1 - m, 0)
    return (total[rows + 1 - begin] - total[first - begin]) / (rows + 1 - first)
