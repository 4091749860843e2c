"""Choosing a recipe on a validation part: log or not, from which season, how strong a penalty.

Everything here is decided by the linear part alone, whose validation error costs a few sums. What the LSTM adds is
validated afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gatewise.data.blocks import Spread, blocks
from gatewise.data.panel import Panel
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.linear import Linear, Moments
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.rows import sample
from gatewise.tasks.forecasting.seasons import candidates

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
STRONG = 1.0  # where nothing can be validated
FEWEST_LAGS, MOST_LAGS = 12, 64
MOST_VALIDATED = 4_000
MOST_LATER = 20_000
OFTEN = 12  # times a seasonal period is seen before the position within it is a feature


@dataclass(frozen=True)
class Split:
    """How many rows of each series train `[S]`, up to where the target is known `[S]`, and the leads."""

    train: np.ndarray
    known: np.ndarray
    horizon: int

    @classmethod
    def of(cls, panel: Panel, horizon: int, share: float | None) -> "Split":
        """The last part of each series validates: `share` of it, two horizons at least.

        By default 15 % (20 % of a short series), or the last year where there are three: a part of a year says little
        about the rest of it. A series too short for all that is trained on as a whole.
        """
        known = panel.observed_lengths
        part = np.where(known < 1_000, 0.2, 0.15) if share is None else np.full(len(known), share)
        held = np.maximum(2 * horizon, (part * known).astype(int))
        if share is None and panel.frequency.is_calendar:
            year = _steps_of_a_year(panel)
            held = np.where(known >= 3 * year, np.maximum(held, year), held)
        return cls(np.where(known - held >= 2 * horizon + 8, known - held, known), known, horizon)

    def validation(self, panel: Panel) -> tuple[Tensor, Tensor]:
        """Origins from which whole horizons of the validation part are forecast `[O]`, and their series' ends `[O]`."""
        parts = zip(panel.offsets[:-1].tolist(), self.train.tolist(), self.known.tolist(), strict=True)
        held = [range(a + n - 1, a + k - self.horizon) if n < k else range(0) for a, n, k in parts]
        origins, series = sample(held, MOST_VALIDATED)
        return torch.from_numpy(origins), torch.from_numpy((panel.offsets[:-1] + self.known)[series])

    def later_half(self, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
        """As `validation`, of the later half of each series (at most its last `MOST_LATER` rows): what has few
        parameters is not learned by heart, and is judged best on as many changes as there are.
        """
        parts = zip(panel.offsets[:-1].tolist(), self.known.tolist(), strict=True)
        later = [range(a + max(n // 2, n - MOST_LATER), a + n - self.horizon) for a, n in parts]
        origins, series = sample(later, MOST_VALIDATED)
        return origins, (panel.offsets[:-1] + self.known)[series]


def choose_recipe(panel: Panel, split: Split, periods: Sequence[int]) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe whose linear part forecasts the validation part best, and what was found, in sentences.

    Args:
        panel: with every covariate on offer; the recipe takes all of them, see `Forecaster` for which stay.
        split: see `Split`.
        periods: candidate seasonal periods in steps.
    """
    shortest = int(np.median(split.train))
    periods = tuple(m for m in periods if 3 * m <= shortest)
    often = tuple(m for m in periods if OFTEN * m <= int(np.median(split.known)))
    lags = FEWEST_LAGS if shortest < 1_000 else int(np.clip(max([2 * FEWEST_LAGS, *periods[:1]]), 1, MOST_LAGS))
    lags = max(1, min(lags, shortest // 4))
    known = (panel.target[a : a + n] for a, n in zip(panel.offsets[:-1], split.known, strict=True))
    # fmin passes over missing values and, unlike nanmin of all series together, copies none.
    logs = (False, True) if min(float(np.fmin.reduce(part)) for part in known if len(part)) > 0 else (False,)
    covariates = panel.roles.past + panel.roles.future + panel.roles.static
    tried: list[tuple[float, Recipe]] = []
    origins, ends = split.later_half(panel)
    validated = bool(len(split.validation(panel)[0]))
    for log in logs:
        for seasons, damping in candidates(panel, log, origins, ends, split.train, split.horizon, periods):
            trial = Recipe(log, seasons, periods, often, lags, PENALTIES[-1], covariates, damping=damping)
            if not validated:  # the plainest recipe with a strong penalty is the safe choice
                tried.append((float(log) + len(seasons) + damping, replace(trial, penalty=STRONG)))
                continue
            penalty, error = _validate(panel, trial, split)
            tried.append((error, replace(trial, penalty=penalty)))
    _, recipe = min(tried, key=lambda pair: pair[0])
    if not validated:
        return recipe, (
            f"The series are too short to choose a recipe on validation; taken is the plainest: "
            f"{_describe(recipe, panel)}.",
        )
    errors = "; ".join(f"{_describe(trial, panel)}: {error:.4g}" for error, trial in tried)
    return recipe, (
        f"Chosen on validation: {_describe(recipe, panel)} (validation RMSE of the linear part: {errors}).",
    )


def check_recipe(recipe: Recipe, panel: Panel, split: Split) -> None:
    """Refuse a panel to which another model's recipe cannot be applied: `ConfigurationError`, `DataError`."""
    lacking = set(recipe.covariates) - set(panel.roles.past + panel.roles.future + panel.roles.static)
    if lacking:
        raise ConfigurationError(
            f"the model to start from uses the covariates {', '.join(sorted(lacking))}, which were not given; name "
            "them as past, future or static covariates, or leave out --init-from"
        )
    longest = int(split.train.max())
    if longest < 3 * recipe.season:
        raise DataError(
            f"the model to start from forecasts from a season of {recipe.season} steps and needs three of them to be "
            f"trained, but the longest series has {longest} rows to train on; give more rows or leave out --init-from"
        )


def _steps_of_a_year(panel: Panel) -> int:
    start = np.datetime64("2001-01-01", "us")
    step = (panel.frequency.add(start, 1) - start).astype(np.int64)
    return int(366 * 86_400_000_000 // max(int(step), 1))


def _validate(panel: Panel, recipe: Recipe, split: Split) -> tuple[float, float]:
    """The best penalty, and its root mean square error: of each lead, averaged; series count by their own deviation."""
    own = np.array([_deviation(panel.target[panel.series(i)]) or 1.0 for i in range(len(panel))])
    features = Features(panel, recipe, split.horizon, fit_ends=split.train)
    moments = Moments.of(features, features.origins(split.train), panel.offsets[:-1] + split.train)
    origins, ends = split.validation(panel)
    series = np.searchsorted(panel.offsets, origins.numpy(), side="right") - 1
    reference = features.reference(origins)
    move, known = features.truth(origins, ends)
    truth = features.in_units((reference + move).double().numpy(), series)
    scale, count = (own / own.mean())[series, None], np.maximum(known.numpy().sum(0), 1)
    head, lead = features.head(origins), features.lead(origins)
    found = []
    for penalty in PENALTIES:
        forecast = reference + Linear.fit(moments, penalty)(head, lead)
        miss = features.in_units(forecast.double().numpy(), series) - truth
        square = np.where(known.numpy(), miss / scale, 0.0) ** 2
        found.append((float(np.sqrt(square.sum(0) / count).mean()), penalty))
    error, penalty = min(found)
    return penalty, error


def _deviation(values: np.ndarray) -> float:
    parts = (values[part] for part in blocks(0, len(values)))
    return float(Spread.of(part[~np.isnan(part)] for part in parts).deviation)


def _describe(recipe: Recipe, panel: Panel) -> str:
    each = f"(each a {panel.frequency.name})"
    if not recipe.seasons:
        start = "from the newest value"
    elif len(recipe.seasons) == 1 and recipe.seasons[0].share == 1.0 and not recipe.damping:
        start = f"from the value {recipe.season} steps {each} before"
    else:
        smoothed = " and ".join(f"{period} steps ({share:.0%} new)" for period, share in recipe.seasons)
        start = f"from the seasons of {smoothed} {each}"
        if recipe.damping:
            start += f", the newest deviation keeping {recipe.damping:.1%} a step"
    return f"{'log of the target' if recipe.log else 'the target'}, {start}"
