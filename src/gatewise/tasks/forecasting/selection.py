"""Choosing a recipe on a validation part: log or not, which season, how strong a penalty, which covariates.

Everything here is decided by the linear part alone, whose validation error costs a few sums. What the LSTM adds is
validated afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gatewise.data.panel import Panel
from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.linear import Linear, Moments
from gatewise.tasks.forecasting.recipe import Recipe

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FEWEST_LAGS, MOST_LAGS = 12, 64
WORTH = 1e-3  # a covariate has to lower the validation error by this part to be kept
MOST_VALIDATED = 4_000


@dataclass(frozen=True)
class Split:
    """How many rows of each series train `[S]`, up to where the target is known `[S]`, and the leads."""

    train: np.ndarray
    known: np.ndarray
    horizon: int

    @classmethod
    def of(cls, panel: Panel, horizon: int, share: float | None) -> "Split":
        """The last part of each series validates: `share` of it, by default 15 % (20 % where short), 2 horizons at least.

        A series too short for that is trained on as a whole.
        """
        known = panel.observed_lengths
        part = np.where(known < 1_000, 0.2, 0.15) if share is None else np.full(len(known), share)
        held = np.maximum(2 * horizon, (part * known).astype(int))
        return cls(np.where(known - held >= 2 * horizon + 8, known - held, known), known, horizon)

    def validation(self, panel: Panel) -> tuple[Tensor, Tensor]:
        """Origins from which whole horizons of the validation part are forecast `[O]`, and their series' ends `[O]`."""
        origins, ends = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for a, n, k in zip(panel.offsets[:-1], self.train, self.known, strict=True):
            found = np.arange(a + n - 1, a + k - self.horizon) if n < k else np.zeros(0, np.int64)
            origins.append(found)
            ends.append(np.full(len(found), a + k))
        every = max(1, -(-sum(map(len, origins)) // MOST_VALIDATED))
        return torch.from_numpy(np.concatenate(origins)[::every]), torch.from_numpy(np.concatenate(ends)[::every])


def choose_recipe(
    panel: Panel, split: Split, periods: Sequence[int], fixed: Sequence[str] = ()
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe whose linear part forecasts the validation part best, and what was found, in sentences.

    Args:
        panel: with every covariate on offer.
        split: see `Split`.
        periods: candidate seasonal periods in steps.
        fixed: covariates kept whatever validation says.
    """
    shortest = int(np.median(split.train))
    periods = tuple(m for m in periods if 3 * m <= shortest)
    lags = int(np.clip(max([FEWEST_LAGS * 2, *periods[:1]]), FEWEST_LAGS, MOST_LAGS))
    lags = max(1, min(lags, FEWEST_LAGS if shortest < 1_000 else lags, shortest // 4))
    values = panel.target
    training = np.concatenate([values[a : a + n] for a, n in zip(panel.offsets[:-1], split.known, strict=True)])
    logs = (False, True) if np.nanmin(training) > 0 else (False,)
    covariates = panel.roles.past + panel.roles.future + panel.roles.static
    best: tuple[float, Recipe] | None = None
    tried: list[str] = []
    for log in logs:
        for season in (0, *periods):
            trial = Recipe(log, season, periods, lags, 0.0, covariates)
            fitted = _Trial(panel, trial, split)
            chosen, penalty, error = fitted.select(covariates, fixed)
            tried.append(f"{_describe(log, season, panel)}: {error:.4g}")
            if best is None or error < best[0]:
                best = error, replace(trial, penalty=penalty, covariates=chosen)
    assert best is not None  # logs and seasons are never empty
    recipe = best[1]
    notes = [f"Chosen on validation: {_describe(recipe.log, recipe.season, panel)} (tried, by validation RMSE: "
             f"{'; '.join(tried)})."]  # fmt: skip
    for name in covariates:
        notes.append(
            f'Covariate "{name}" {"helped on validation and is used" if name in recipe.covariates else "did not help on validation and is left out"}.'
        )
    return recipe, tuple(notes)


class _Trial:
    """One way to look at the target, with the moments of its training and validation origins."""

    def __init__(self, panel: Panel, recipe: Recipe, split: Split) -> None:
        self.split = split
        self.features = Features(panel, recipe, split.horizon, fit_ends=split.train)
        ends = panel.offsets[:-1] + split.train
        self.train = Moments.of(self.features, self.features.origins(split.train), ends)
        self.origins, self.ends = split.validation(panel)
        known = panel.offsets[:-1] + split.known
        series = np.searchsorted(panel.offsets, self.origins.numpy(), side="right") - 1
        of_each = [self.origins.numpy()[series == i] for i in np.unique(series)]
        self.held = Moments.of(self.features, of_each, known[np.unique(series)])

    def select(self, covariates: Sequence[str], fixed: Sequence[str]) -> tuple[tuple[str, ...], float, float]:
        """Covariates added one after the other while each lowers the error; the penalty; the error in the target's units."""
        chosen = list(fixed)
        penalty, error = self._best(chosen)
        while True:
            trials = [(*self._best([*chosen, name]), name) for name in covariates if name not in chosen]
            if not trials:
                break
            penalty_, error_, name = min(trials, key=lambda trial: trial[1])
            if error_ >= error * (1 - WORTH):
                break
            chosen.append(name)
            penalty, error = penalty_, error_
        kept = tuple(name for name in covariates if name in chosen)
        return kept, penalty, self._in_units(kept, penalty)

    def _columns(self, chosen: Sequence[str]) -> Tensor:
        return torch.tensor([k for k, owner in enumerate(self.features.owners) if owner is None or owner in chosen])

    def _best(self, chosen: Sequence[str]) -> tuple[float, float]:
        columns = self._columns(chosen)
        train, held = self.train.take(columns), self.held.take(columns)
        if not len(self.origins):  # nothing to validate on: a strong penalty is the safe choice
            return PENALTIES[-1], float(train.error(*train.regress(PENALTIES[-1])).sqrt().mean())
        errors = [(float(held.error(*train.regress(p)).sqrt().mean()), p) for p in PENALTIES]
        error, penalty = min(errors)
        return penalty, error

    def _in_units(self, chosen: Sequence[str], penalty: float) -> float:
        """Root mean square error in the target's units for each lead, averaged; series count by their own deviation."""
        columns = self._columns(chosen)
        weight, bias = self.train.take(columns).regress(penalty)
        full = torch.zeros(len(weight), len(self.features.owners), dtype=torch.float64)
        full[:, columns] = weight
        linear = Linear(full.float(), bias.float())
        features, origins, ends = self.features, self.origins, self.ends
        if not len(origins):
            return float("inf") if features.recipe.log or features.recipe.season else 0.0
        series = np.searchsorted(features.panel.offsets, origins.numpy(), side="right") - 1
        reference = features.reference(origins)
        truth, known = features.truth(origins, ends)
        forecast = reference + linear(features.head(origins), features.lead(origins))
        panel = features.panel
        own = np.array([np.nanstd(panel.target[panel.series(i)]) or 1.0 for i in range(len(panel))])[series, None]
        scale = own / (own.mean() or 1.0)
        miss = features.in_units((reference + truth).numpy(), series) - features.in_units(forecast.numpy(), series)
        square = np.where(known.numpy(), miss / scale, 0.0) ** 2
        count = np.maximum(known.numpy().sum(0), 1)
        return float(np.sqrt(square.sum(0) / count).mean())


def _describe(log: bool, season: int, panel: Panel) -> str:
    start = f"from the value {season} steps ({panel.frequency.name}) before" if season else "from the newest value"
    return f"{'log of the target' if log else 'the target'}, {start}"
