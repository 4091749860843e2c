"""What a backtest found.

Legend: O origins, L leads, Q quantiles.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from gatewise.data.panel import Panel
from gatewise.tasks.forecasting.scores import Scores


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
