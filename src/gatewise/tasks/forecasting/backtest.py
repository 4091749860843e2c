"""What a backtest found.

Legend: O origins, L leads, Q quantiles.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from gatewise.data.panel import Panel
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.forecasting.levels import first_known
from gatewise.tasks.forecasting.scores import Scores

MOST_TURNS = 32  # see `forecast_turns`


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts from several origins beside what came.

    Attributes:
        panel: the series.
        origins: rows of the panel that were the newest ones `[O]`.
        truth: what came `[O, L]`, NaN where unknown.
        forecast: means `[O, L]`.
        quantiles: `[O, L, Q]`, of the `levels` `[Q]`.
        baseline: the naive forecast `[O, L]`, called `baseline_name`.
        naive_error: its mean absolute error on the training rows, which scales `mase`.
    """

    panel: Panel
    origins: np.ndarray
    truth: np.ndarray
    forecast: np.ndarray
    quantiles: np.ndarray
    levels: tuple[float, ...]
    baseline: np.ndarray
    baseline_name: str
    naive_error: float

    @property
    def times(self) -> np.ndarray:
        """The time stamps forecast `[O, L]`."""
        leads = np.arange(1, self.truth.shape[1] + 1)
        return np.stack([self.panel.frequency.add(self.panel.times[o], leads) for o in self.origins])

    @property
    def series(self) -> np.ndarray:
        """Which series each origin is of `[O]`."""
        return np.searchsorted(self.panel.offsets, self.origins, side="right") - 1

    def metrics(self) -> dict[str, Any]:
        """Scores by name (see `Scores`), with those of the naive forecast under "baseline"."""
        scores = Scores.of(self.truth, self.forecast, self.quantiles, self.levels, self.naive_error)
        baseline = Scores.of(self.truth, self.baseline, naive_error=self.naive_error)
        return {
            **scores.to_dict(),
            "windows": len(self.origins),
            "baseline": {"name": self.baseline_name, **baseline.to_dict()},
        }

    def table(self) -> pa.Table:
        """One row a series, origin and lead: id, origin, time, lead, truth, forecast, quantiles, baseline."""
        count, horizon = self.truth.shape
        columns: dict[str, Any] = {}
        if self.panel.roles.id:
            columns[self.panel.roles.id] = np.repeat(np.array(self.panel.ids, object)[self.series], horizon)
        columns["origin"] = np.repeat(self.panel.times[self.origins], horizon)
        columns[self.panel.roles.time or "step"] = self.times.ravel()
        columns["lead"] = np.tile(np.arange(1, horizon + 1), count)
        columns["truth"] = self.truth.ravel()
        columns["forecast"] = self.forecast.ravel()
        for k, level in enumerate(self.levels):
            columns[f"q{level:g}"] = self.quantiles[..., k].ravel()
        columns["baseline"] = self.baseline.ravel()
        return pa.table(columns)


def backtest_origins(panel: Panel, horizon: int, fewest: int, windows: int | None, stride: int | None) -> np.ndarray:
    """The rows `[O]`, sorted, from which the last `windows` horizons of each series are forecast.

    Args:
        panel: the series.
        horizon: L.
        fewest: rows of history that a forecast needs.
        windows: how many origins a series; None for as many as there are.
        stride: steps from one origin to the next; None for the horizon. The last window ends at the last row.

    Raises:
        ConfigurationError: `windows` or `stride` is below 1.
        DataError: a series is too short.
    """
    stride = horizon if stride is None else stride
    if stride < 1 or (windows is not None and windows < 1):
        raise ConfigurationError(f"windows and stride are at least 1; got windows={windows}, stride={stride}")
    found = []
    begins = first_known(panel)
    for i, (a, n) in enumerate(zip(panel.offsets[:-1], panel.observed_lengths, strict=True)):
        last, first = a + n - 1 - horizon, a + max(fewest - 1, int(begins[i]))
        count = (last - first) // stride + 1 if windows is None else windows
        if last - (max(count, 1) - 1) * stride < first:
            of = f'series "{panel.ids[i]}"' if panel.roles.id else "the series"
            raise DataError(
                f"{of} has {n} rows with a known target: too few for {max(count, 1)} windows of {horizon} "
                f"steps after a history of {fewest}; give more rows or fewer windows"
            )
        found.append(last - stride * np.arange(count)[::-1])
    return np.concatenate(found)


def window_parts(panel: Panel, origins: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Origins `[O]` that are forecast together, the k-th last of each series, as indices into them, with the number of
    rows of each series up to there `[S]`: all its known ones where it has no such origin.
    """
    series = np.searchsorted(panel.offsets, origins, side="right") - 1
    last = np.searchsorted(series, series, side="right") - 1 - np.arange(len(series))  # origins are sorted by series
    for k in range(int(last.max()), -1, -1):
        here = np.flatnonzero(last == k)
        ends = panel.observed_lengths.copy()
        ends[series[here]] = origins[here] + 1 - panel.offsets[series[here]]
        yield here, ends


def forecast_turns(series: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """In which turn each origin `[O]` is forecast from, given its series `[O]` and which series are `unseen` `[S]`.

    The level of a series that training has not seen comes from its rows up to the origin, so each of its origins has a
    turn of its own; origins beyond `MOST_TURNS` share turns, with the level at the first one of them.
    """
    firsts = np.searchsorted(series, series)  # origins are sorted by series
    counts = np.searchsorted(series, series, side="right") - firsts
    rank = np.arange(len(series)) - firsts
    return np.where(unseen[series], rank * np.minimum(counts, MOST_TURNS) // counts, 0)
