"""A forecaster's scores beside those of simple methods, from the same origins and of the same values.

Legend: N rows of all series together, O origins, L leads, Q quantiles.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from gatewise.data.timeline import show_time
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.forecasting.backtest import Backtest
from gatewise.tasks.forecasting.baseline import filled
from gatewise.tasks.forecasting.levels import first_known
from gatewise.tasks.forecasting.scores import Scores, naive

LONGEST_SEASON = 24  # of an ETS model: a season has as many states as steps
FEWEST_ROWS = 8  # that AutoETS is fitted to


def leaderboard(backtest: Backtest, periods: Sequence[int]) -> list[dict[str, Any]]:
    """The scores (see `Scores`) of the backtest and of simple methods, each with its `name`, the least `mae` first.

    Naive (the newest value), the seasonal naive of each of the `periods` (in steps), and AutoETS: the exponential
    smoothing whose AICc is lowest (Hyndman, Koehler, Snyder & Grose 2002), by statsforecast, fitted anew at each origin
    to all values before it. It has the longest season of at most 24 steps that the values hold twice; it
    knows no covariates. Missing values before an origin are carried forward for all of these methods.

    Raises:
        ConfigurationError: statsforecast is not installed.
        DataError: a series is too short for AutoETS.
    """
    auto_ets = _auto_ets()
    panel, at, horizon = backtest.panel, backtest.origins, backtest.truth.shape[1]
    values, starts = filled(panel), panel.offsets[backtest.series]
    scored = [("gatewise", Scores.of(backtest.truth, backtest.forecast, backtest.quantiles, backtest.levels,
                                     backtest.naive_error))]  # fmt: skip
    for m in (0, *periods):
        base = naive(values, at, starts, horizon, m)
        name = f"seasonal naive ({m})" if m else "naive"
        scored.append((name, Scores.of(backtest.truth, base, naive_error=backtest.naive_error)))
    begins = starts + first_known(panel)[backtest.series]
    forecast, quantiles = np.empty(backtest.truth.shape), np.empty(backtest.quantiles.shape)
    for k, (begin, origin) in enumerate(zip(begins, at, strict=True)):
        history = values[begin : origin + 1]
        if len(history) < FEWEST_ROWS:
            of = f' of series "{panel.ids[backtest.series[k]]}"' if panel.roles.id else ""
            raise DataError(
                f"AutoETS needs {FEWEST_ROWS} values or more, but there are {len(history)}{of} up to "
                f"{show_time(panel.times[origin])}; give more rows, or leave out the leaderboard"
            )
        season = max((m for m in periods if m <= min(LONGEST_SEASON, len(history) // 2)), default=1)
        forecast[k], quantiles[k] = _smoothed(auto_ets(season_length=season), history, horizon, backtest.levels)
    own = Scores.of(backtest.truth, forecast, quantiles, backtest.levels, backtest.naive_error)
    scored.append(("AutoETS", own))
    return [{"name": name, **scores.to_dict()} for name, scores in sorted(scored, key=lambda pair: pair[1].mae)]


def _auto_ets() -> Any:
    try:
        return importlib.import_module("statsforecast.models").AutoETS
    except ImportError as error:
        raise ConfigurationError(
            'The leaderboard needs statsforecast, which is not installed: pip install "gatewise[leaderboard]"'
        ) from error


def _smoothed(model: Any, history: np.ndarray, horizon: int, levels: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Means `[L]` and quantiles `[L, Q]` of AutoETS after `history`; it speaks of central intervals, in per cent."""
    intervals = sorted({round(100 * abs(2 * q - 1), 9) for q in levels if q != 0.5})
    found = model.forecast(history, horizon, level=intervals or None)
    mean = np.asarray(found["mean"])
    columns = [
        mean if q == 0.5 else found[f"{'lo' if q < 0.5 else 'hi'}-{round(100 * abs(2 * q - 1), 9)}"] for q in levels
    ]
    return mean, np.stack(columns, -1) if columns else np.empty((horizon, 0))
