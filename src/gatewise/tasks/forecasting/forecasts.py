"""Forecasts of a fitted forecaster, in the units of the target, and the table they are handed out in.

Legend: S series, O origins, L leads, Q quantiles, T steps, H hidden units.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from gatewise.data.panel import Panel
from gatewise.tasks.forecasting.backtest import forecast_turns
from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.fitted import Fitted


def forecast_from(fitted: Fitted, panel: Panel, origins: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Means `[O, L]` and quantiles `[O, L, Q]` from origin rows `[O]`, sorted, in the target's units."""
    series = np.searchsorted(panel.offsets, origins, side="right") - 1
    forecast = np.empty((len(origins), horizon))
    quantiles = np.empty((*forecast.shape, fitted.scales.quantiles.shape[-1]))
    turns = forecast_turns(series, np.array([name not in fitted.statistics.level for name in panel.ids]))
    for turn in range(turns.max() + 1):
        here = np.flatnonzero(turns == turn)
        ends = np.zeros(len(panel), np.int64)
        own, first = np.unique(series[here], return_index=True)
        ends[own] = origins[here[first]] + 1 - panel.offsets[own]
        features = Features(panel, fitted.recipe, horizon, fitted.statistics, fit_ends=ends)
        mean, around = fitted.forecast(features, torch.from_numpy(origins[here]))
        forecast[here] = features.in_units(mean.numpy(), series[here])
        quantiles[here] = features.in_units(around.numpy(), series[here])
    return forecast, quantiles


def forecast_table(
    panel: Panel, kind: Any, forecast: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]
) -> pa.Table:
    """One row a series and lead: id (of the Arrow type `kind`), time, `forecast` `[S, L]`, `quantiles` `[S, L, Q]`."""
    horizon = forecast.shape[1]
    times = np.stack([panel.future_times(i, horizon) for i in range(len(panel))])
    columns: dict[str, Any] = {}
    if panel.roles.id:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        columns[panel.roles.id] = pa.array(np.repeat(np.array(panel.ids, object), horizon)).cast(kind)
    columns[panel.roles.time or "step"] = pa.array(times.ravel())
    columns["forecast"] = forecast.ravel()
    for k, level in enumerate(levels):
        columns[f"q{level:g}"] = quantiles[..., k].ravel()
    return pa.table(columns)


def observe(fitted: Fitted, panel: Panel, horizon: int, steps: int, device: str) -> dict[str, Any]:
    """What the first network's LSTM does over the last `steps` rows of the first series; see `Forecaster.observe`."""
    panel = panel.select([0])
    features = Features(panel, fitted.recipe, horizon, fitted.statistics)
    length = int(panel.observed_lengths[0])
    rows = torch.arange(max(0, length - 4 * steps), length)
    network = fitted.members[0]
    inputs = network.with_embeddings(features.rows(rows[:, None]), features.codes(rows[:, None]))
    gates = network.lstm.observe(inputs.to(device))
    last = slice(max(0, len(rows) - steps), None)
    found: dict[str, Any] = {name: gates[name][last, 0].cpu().numpy() for name in ("i", "f", "o", "c")}
    found["times"] = panel.times[rows.numpy()][last]
    found["target"] = panel.target[rows.numpy()][last]
    return found
