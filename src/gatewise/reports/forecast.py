"""The report of a forecaster, from what it offers in public."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gatewise.data import Panel
from gatewise.data.timeline import show_time
from gatewise.reports.content import CellTrace, ForecastPanel, Report
from gatewise.reports.history import loss_curves
from gatewise.reports.scores import metrics_table
from gatewise.tasks.forecasting import Backtest, Forecaster
from gatewise.tasks.forecasting.contribution import show_weights

SERIES_SHOWN = 6
FEWEST_SHOWN = 60  # rows of history in a plot, where the horizon asks for no more


def forecast_report(
    forecaster: Forecaster, table: Any = None, *, windows: int = 1, scores: Mapping[str, Any] | None = None
) -> Report:
    """How a fitted forecaster was trained, and with data what it forecasts.

    Args:
        forecaster: fitted.
        table: in the form of the training table; None for a report of the training alone. Where its last `windows`
            horizons lie after the training rows they are forecast and scored; otherwise, as these rows were learned
            from, the scores are those of validation and the plots show what is to come.
        windows: how many horizons at the end of each series to score, where they lie after the training rows.
        scores: those of these rows, where they were measured before, a leaderboard among them; None measures them.

    Raises:
        DataError: the table does not fit the model.
    """
    shown: Mapping[str, Any] = forecaster.validation_
    where = "the validation part of the training rows, which the measured networks had not seen"
    panels: tuple[ForecastPanel, ...] = ()
    cell = None
    if table is not None:
        panel = Panel.from_table(
            forecaster.table(table), forecaster.roles_, gaps=forecaster.gaps, duplicates=forecaster.duplicates,  # pyright: ignore[reportArgumentType]
            frequency=forecaster.frequency_, categories=forecaster.categories_,
        )  # fmt: skip
        if _is_new(forecaster, panel, windows):
            backtest = forecaster.backtest(table, windows=windows)
            shown = backtest.metrics() if scores is None else scores
            where = f"the last {windows * forecaster.horizon} rows of each series, which lie after the training rows"
            panels = _backtest_panels(forecaster, backtest)
        elif _can_predict(forecaster, panel):
            panels = _future_panels(forecaster, panel, forecaster.table(table))
        cell = _cell(forecaster, table)
    step = forecaster.frequency_.name
    return Report(
        title=f"Forecasts of {forecaster.target}",
        task="forecast",
        metrics=metrics_table(shown, forecaster.baseline_name_.partition(" (")[0]),
        subtitle=f"{forecaster.horizon} steps (each a {step}) ahead. "
        + (f"Scores are of {where}." if shown else "The series are too short for scores."),
        facts=_facts(forecaster),
        notes=tuple(forecaster.notes_),
        history=loss_curves(forecaster.history_),
        forecasts=panels,
        cell=cell,
    )


def _facts(forecaster: Forecaster) -> tuple[tuple[str, str], ...]:
    recipe = forecaster.recipe_
    return (
        ("Training rows", f"{forecaster.rows_:,}"),
        ("Series", f"{forecaster.series_:,}"),
        ("Trained until", forecaster.trained_until_),
        ("Frequency", forecaster.frequency_.name),
        ("Horizon", f"{forecaster.horizon} steps"),
        ("Model", f"ridge regression + {show_weights(recipe.weights)} of {len(forecaster.fitted_.members)} LSTMs"),
        ("LSTM", f"layers: {forecaster.num_layers}, units: {forecaster.hidden_size}"),
        ("Covariates kept", ", ".join(recipe.covariates) or "none"),
        ("Seed", str(forecaster.seed)),
    )


def _is_new(forecaster: Forecaster, panel: Panel, windows: int) -> bool:
    """Whether the last windows of every series lie after the training rows."""
    origins = panel.offsets[:-1] + panel.observed_lengths - 1 - windows * forecaster.horizon
    return bool((origins >= panel.offsets[:-1]).all() and not forecaster.seen(panel.times[origins + 1]).any())


def _can_predict(forecaster: Forecaster, panel: Panel) -> bool:
    beyond = panel.lengths - panel.observed_lengths
    return not forecaster.future or bool((beyond >= forecaster.horizon).all())


def _backtest_panels(forecaster: Forecaster, backtest: Backtest) -> tuple[ForecastPanel, ...]:
    """The last window of the first series."""
    panels = []
    for i in range(min(len(backtest.panel), SERIES_SHOWN)):
        k = int(np.flatnonzero(backtest.series == i)[-1])
        panels.append(
            ForecastPanel(
                series=_name(backtest.panel, i),
                **_history(forecaster, backtest.panel, i, int(backtest.origins[k])),
                times=_shown(backtest.times[k]),
                forecast=backtest.forecast[k].tolist(),
                truth=backtest.truth[k].tolist(),
                quantiles={q: backtest.quantiles[k, :, j].tolist() for j, q in enumerate(backtest.levels)},
                baseline=backtest.baseline[k].tolist(),
                baseline_name=backtest.baseline_name,
                target=forecaster.target,
            )
        )
    return tuple(panels)


def _future_panels(forecaster: Forecaster, panel: Panel, table: Any) -> tuple[ForecastPanel, ...]:
    found = forecaster.predict(table)
    panels = []
    for i in range(min(len(panel), SERIES_SHOWN)):
        part = found.slice(i * forecaster.horizon, forecaster.horizon)
        origin = int(panel.offsets[i] + panel.observed_lengths[i] - 1)
        panels.append(
            ForecastPanel(
                series=_name(panel, i),
                **_history(forecaster, panel, i, origin),
                times=_shown(panel.future_times(i, forecaster.horizon)),
                forecast=part["forecast"].to_pylist(),
                quantiles={float(q): part[f"q{q:g}"].to_pylist() for q in forecaster.quantiles},
                target=forecaster.target,
            )
        )
    return tuple(panels)


def _history(forecaster: Forecaster, panel: Panel, i: int, origin: int) -> dict[str, Any]:
    first = max(int(panel.offsets[i]), origin + 1 - max(FEWEST_SHOWN, 4 * forecaster.horizon))
    rows = slice(first, origin + 1)
    return {"history_times": _shown(panel.times[rows]), "history": panel.target[rows].tolist()}


def _name(panel: Panel, i: int) -> str:
    return panel.ids[i] or panel.roles.target


def _shown(times: np.ndarray) -> tuple[str | int, ...]:
    return tuple(show_time(time) if times.dtype.kind == "M" else int(time) for time in times)


def _cell(forecaster: Forecaster, table: Any) -> CellTrace:
    found = forecaster.observe(table)
    gates = {name: found[name].tolist() for name in ("i", "f", "o", "c")}
    return CellTrace.most_active(
        f"The first network's LSTM over the newest {len(found['times'])} rows",
        found["target"][:, None].tolist(),
        (forecaster.target,),
        gates,
        times=_shown(found["times"]),
    )
