"""The naive forecast that a model is held against: which one, and from which values.

Legend: S series, N rows of all of them, O origins, L leads.
"""

from collections.abc import Sequence

import numpy as np

from gatewise.data.blocks import Spread, blocks
from gatewise.data.panel import Panel
from gatewise.tasks.forecasting.levels import fill
from gatewise.tasks.forecasting.scores import naive
from gatewise.tasks.forecasting.selection import Split


def choose_baseline(panel: Panel, split: Split, horizon: int, periods: Sequence[int]) -> tuple[int, float]:
    """The naive forecast that does best on validation, and its mean absolute error on training rows."""
    values, errors = filled(panel), {}
    origins, _ = split.validation(panel)
    at = origins.numpy() if len(origins) else panel.offsets[:-1] + split.known - 1 - horizon
    starts = panel.offsets[np.searchsorted(panel.offsets, at, side="right") - 1]
    truth = panel.target[rows_after(at, horizon, panel)]
    for m in (0, *periods):
        step = max(m, 1)
        apart = Spread()
        for a, n in zip(panel.offsets[:-1].tolist(), split.known.tolist(), strict=True):
            for part in blocks(a + step, a + n):
                apart.add(np.abs(values[part] - values[part.start - step : part.stop - step]))
        if apart.count:
            miss = np.abs(naive(values, at, starts, horizon, m) - truth)
            error = float(np.nanmean(miss)) if not np.isnan(miss).all() else float(m)
            errors[m] = (error, float(apart.mean))
    season = min(errors, key=lambda m: errors[m][0])
    return season, errors[season][1]


def filled(panel: Panel) -> np.ndarray:
    """The target with missing values carried forward within each series `[N]`; 0 before the first known one.

    The panel's own array where nothing is missing, so not to be written to.
    """
    known = ~np.isnan(panel.target)
    if known.all():
        return panel.target
    return np.concatenate([fill(panel.target[rows], known[rows], 0.0) for rows in map(panel.series, range(len(panel)))])


def rows_after(origins: np.ndarray, horizon: int, panel: Panel) -> np.ndarray:
    """The rows `[O, L]` after each origin `[O]`, cut at the end of the table."""
    return np.minimum(origins[:, None] + np.arange(1, horizon + 1), len(panel.times) - 1)
