"""Scores of forecasts, and the baseline they are held against.

Legend: O origins, L leads, Q quantiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Errors of forecasts, in the target's units where not said otherwise; None where undefined.

    Attributes:
        mae: mean absolute error, of the median where there is one (the median minimises it; Gneiting 2011).
        rmse: root mean square error, of the mean forecast (which minimises it).
        mape: mean absolute percentage error in per cent, of the median if there is one; None where the truth has a 0.
        mase: `mae` over the seasonal naive's mean absolute error on training rows (Hyndman & Koehler 2006).
        rmse_by_lead: `rmse` of each lead.
        pinball: mean pinball loss over the quantiles (Koenker & Bassett 1978); None without quantiles.
        coverage: the part of the truth between the outermost quantiles; None with fewer than two.
    """

    mae: float
    rmse: float
    mape: float | None
    mase: float | None
    rmse_by_lead: tuple[float | None, ...]
    pinball: float | None = None
    coverage: float | None = None

    @classmethod
    def of(
        cls,
        truth: np.ndarray,
        forecast: np.ndarray,
        quantiles: np.ndarray | None = None,
        levels: Sequence[float] = (),
        naive_error: float | None = None,
    ) -> "Scores":
        """Scores of `forecast` `[O, L]` and `quantiles` `[O, L, Q]` against `truth` `[O, L]`, NaN where unknown.

        >>> scores = Scores.of(np.array([[100.0, 200.0]]), np.array([[110.0, 190.0]]))
        >>> scores.mae, scores.rmse, round(scores.mape, 3)
        (10.0, 10.0, 7.5)
        """
        known = ~np.isnan(truth)
        median = forecast
        if quantiles is not None and 0.5 in levels:
            median = quantiles[..., list(levels).index(0.5)]
        absolute = np.abs(truth - median)[known]
        square = np.where(known, truth - forecast, np.nan) ** 2
        by_lead = [float(np.sqrt(np.nanmean(column))) if (~np.isnan(column)).any() else None for column in square.T]
        pinball = coverage = None
        if quantiles is not None and len(levels):
            over = (truth[..., None] - quantiles)[known]
            level = np.asarray(levels)
            pinball = float(np.maximum(level * over, (level - 1) * over).mean())
            if len(levels) > 1:
                coverage = float(((over[:, 0] >= 0) & (over[:, -1] <= 0)).mean())
        mae = float(absolute.mean())
        zero = (truth[known] == 0).any()
        return cls(
            mae=mae,
            rmse=float(np.sqrt(np.nanmean(square))),
            mape=None if zero else float(100 * (absolute / np.abs(truth[known])).mean()),
            mase=mae / naive_error if naive_error else None,
            rmse_by_lead=tuple(by_lead),
            pinball=pinball,
            coverage=coverage,
        )

    def to_dict(self) -> dict[str, float | list[float | None] | None]:
        """The scores by name, those that are defined."""
        values = {name: value for name, value in vars(self).items() if value is not None and name != "rmse_by_lead"}
        return {**values, "rmse_by_lead": list(self.rmse_by_lead)}


def naive(values: np.ndarray, origins: np.ndarray, starts: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The seasonal naive forecast `[O, L]` from rows `origins` `[O]` of filled `values` `[N]`; season 0: the newest.

    >>> naive(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3]), np.array([0]), 3, 2)
    array([[3., 4., 3.]])
    """
    leads = np.arange(1, horizon + 1)
    if not season:
        return np.repeat(values[origins][:, None], horizon, 1)
    rows = origins[:, None] + leads - -(-leads // season) * season
    # A series shorter than its season starts the baseline from its newest value.
    return np.where(rows >= starts[:, None], values[np.maximum(rows, 0)], values[origins][:, None])


def baseline_name(season: int, frequency: str) -> str:
    """What the baseline is called: `seasonal naive (12 steps of a month)`, `persistence`."""
    return f"seasonal naive ({season} steps, each a {frequency})" if season else "persistence (the newest value)"
