"""Fitting: networks trained on the training part to learn what helps, then the members trained on every row.

Legend: S series, O origins, L leads, Q quantiles.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.data.panel import Panel
from gatewise.errors import ConfigurationError
from gatewise.tasks.forecasting import contribution
from gatewise.tasks.forecasting.bands import outer_spread, widening
from gatewise.tasks.forecasting.baseline import filled, rows_after
from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.fitted import Fitted
from gatewise.tasks.forecasting.linear import Linear, Moments
from gatewise.tasks.forecasting.network import ForecastNetwork
from gatewise.tasks.forecasting.objective import STRETCH, ForecastObjective, Scales, lead_error
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.scores import Scores, naive
from gatewise.tasks.forecasting.selection import Split
from gatewise.training import Journal, TrainingOptions, train

MOST_BLOCKS = 10  # of the validation part, over which the correction has to help
CONTEXT = 2 * STRETCH  # rows an LSTM reads before the first forecast that is validated
SCOUTS = 3  # networks trained on the training part alone, to learn for how long and how far to trust them
SHORTEST = 1e-6  # minutes; what a run gets that starts when time is up: its first step


@dataclass(frozen=True)
class Scouted:
    """Networks of the training part with their validation error and scores, what was found, in a sentence, and the
    epochs over which their schedule went.
    """

    fitted: Fitted
    error: float
    metrics: dict[str, Any]
    note: str
    span: int


@dataclass
class Fitting:
    """One call of `fit`: what every run of it shares.

    Args:
        panel: the series.
        split: into training and validation part.
        horizon: L.
        levels: of the quantiles `[Q]`.
        sizes: keyword arguments of `ForecastNetwork` that do not follow from the data.
        options: of every run; seed, time limit and number of epochs are set for each.
        members: how many networks are averaged.
        seed: from which each run's seed follows.
        device: that the networks train on.
        naive_season: of the naive forecast scores are held against; its error on training rows is `naive_error`.
        naive_error: see `naive_season`.
        journal: of the fit; its interrupt ends every run.
        coverage: that the outermost quantiles are calibrated to for each lead; None for one factor alone.
        max_minutes: from now on, for all runs together; None for no limit. Scouts leave half of the time.
        progress: show bars.
        start: networks to start from, by turns.
        history: filled with an entry a run.
    """

    panel: Panel
    split: Split
    horizon: int
    levels: tuple[float, ...]
    sizes: dict[str, Any]
    options: TrainingOptions
    members: int
    seed: int
    device: str
    naive_season: int
    naive_error: float
    journal: Journal
    coverage: float | None = None
    max_minutes: float | None = None
    progress: bool = False
    start: Sequence[ForecastNetwork] = ()
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began = self.journal.clock()

    def choose_covariates(self, recipe: Recipe) -> tuple[Scouted, tuple[str, ...]]:
        """Scouts with the covariates that help on validation, and what was found.

        The networks that saw all covariates tell which of them they use to good effect (their error with that one held
        at its mean); networks with only those, and with none, are then trained as well, and the best of the three stay.
        """
        rounds = 3 if recipe.covariates else 1
        best = full = self.scout(recipe, "validated", rounds)
        if not recipe.covariates or not full.metrics:
            return best, ()
        rises = self.journal.decide(
            "covariates",
            lambda: {name: self._error_without(full.fitted, name) / full.error - 1 for name in recipe.covariates},
        )
        helpful = tuple(name for name, rise in rises.items() if rise > 0)
        others = [some for some in dict.fromkeys((helpful, ())) if some != recipe.covariates]
        for k, some in enumerate(others):
            if not self._ended(scouting=True):
                label = f"validated with {len(some)} covariates"
                scouted = self.scout(replace(recipe, covariates=some), label, len(others) - k)
                if scouted.error < best.error:
                    best = scouted
        kept = best.fitted.recipe.covariates
        notes = [
            f'Covariate "{name}": validation error {rise:+.2%} without it; {"used" if name in kept else "left out"}.'
            for name, rise in rises.items()
        ]
        return best, tuple(notes)

    def finish(self, scouted: Scouted) -> tuple[Fitted, tuple[str, ...]]:
        """The members, trained on all rows, and what there is to say of them.

        Where a signal or the time limit ends training, the members that were finished by then; the scouts if none was.
        """
        early = "was interrupted" if self.journal.interrupt.requested else "ran out of time"
        if self._ended():
            return scouted.fitted, (f"Training {early}: these are the networks of the training part, as they were.",)
        recipe, rows = scouted.fitted.recipe, self.panel.observed_lengths
        # Where the LSTM has no part in the forecasts one network is enough to look into.
        count = self.members if any(recipe.weights) else 1
        fitted, _ = self.train(recipe, rows, count, "member", span=scouted.span)
        runs = self.history[len(self.history) - len(fitted.members) :]
        done = [m for m, run in zip(fitted.members, runs, strict=True) if run["stopped"] != "interrupted"]
        shortened = sum(run["stopped"] == "max_minutes" for run in self.history)
        notes = (f"max_minutes shortened the training of {shortened} networks.",) if shortened else ()
        if len(done) == count:
            return fitted, notes
        early = "was interrupted" if self.journal.interrupt.requested else "ran out of time"
        if not done:
            return scouted.fitted, (*notes, f"Training {early}: these are the networks of the training part.")
        return replace(fitted, members=tuple(done)), (
            *notes,
            f"Training {early}: {len(done)} of {count} networks were finished and are used.",
        )

    def scout(self, recipe: Recipe, label: str, rounds: int = 1) -> Scouted:
        """Train on the training part; find on the rest how many epochs, what weight and what spread are best.

        `rounds` of scouts, this one included, share the time that scouts have left.
        """
        origins, ends = self.split.validation(self.panel)
        held = (origins, ends) if len(origins) else None
        fitted, moves = self.train(recipe, self.split.train, min(SCOUTS, self.members), label, held, rounds)
        found = self.journal.decide(label, lambda: self._judged(fitted, moves, origins, ends))
        if found is None:
            recipe = replace(recipe, epochs=self.options.max_epochs, weights=(0.5, 0.5))
            note = "There was nothing to validate on: epochs and the LSTM's weight are not chosen but set."
            return Scouted(replace(fitted, recipe=recipe), float("inf"), {}, note, self.options.max_epochs)
        recipe = Recipe.from_dict(found["recipe"])
        return Scouted(replace(fitted, recipe=recipe), found["error"], found["metrics"], found["note"], found["span"])

    def _judged(
        self, fitted: Fitted, moves: list[list[np.ndarray]], origins: Tensor, ends: Tensor
    ) -> dict[str, Any] | None:
        """What validation says of scouts, in JSON types: their recipe made complete, and the rest of a `Scouted`."""
        if not len(origins) or not moves:
            return None
        features = Features(self.panel, fitted.recipe, self.horizon, fitted.statistics)
        truth, known = features.truth(origins, ends)
        miss = truth - fitted.linear(features.head(origins), features.lead(origins))
        mean = [torch.from_numpy(np.mean(epoch, 0)) for epoch in zip(*moves, strict=False)]
        found = contribution.Contribution.of(miss, mean, known, self._blocks())
        fitted = replace(fitted, recipe=replace(fitted.recipe, epochs=found.epochs, weights=found.weights))
        standard, quantiles = fitted.forecast(features, origins, CONTEXT)
        truth = features.reference(origins) + truth
        spread = outer_spread(truth, quantiles, known, self.levels)
        fitted = replace(fitted, recipe=replace(fitted.recipe, spread=spread))
        note = f"{found.note} Quantiles are {spread:.2f} times as wide as trained."
        if self.coverage is not None:
            standard, quantiles = fitted.forecast(features, origins, CONTEXT)
            band = widening(truth, quantiles, known, self.coverage)
            fitted = replace(fitted, recipe=replace(fitted.recipe, band=band))
            note += (
                f" The {self.coverage:.0%} band is calibrated on {len(origins)} validated origins: its edges move by "
                f"{min(band):+.3f} to {max(band):+.3f} standard deviations."
            )
        # A schedule that time had shortened is repeated as it was, over the epochs that it came to.
        cut = any(run["stopped"] == "max_minutes" for run in self.history[-len(fitted.members) :])
        span = len(mean) if cut else self.options.max_epochs
        metrics = self._metrics(features, origins, known, standard)
        recipe = fitted.recipe.to_dict()
        return {"recipe": recipe, "error": found.error, "metrics": metrics, "note": note, "span": span}

    def train(
        self,
        recipe: Recipe,
        rows: np.ndarray,
        members: int,
        label: str,
        validation: tuple[Tensor, Tensor] | None = None,
        rounds: int = 1,
        span: int | None = None,
    ) -> tuple[Fitted, list[list[np.ndarray]]]:
        """Networks trained on the first `rows` `[S]` of each series; per run, its validated moves of each epoch.

        Each has an equal share of the time that is left for `rounds` times as many; the schedule goes over `span`
        epochs, or over those of the options.
        """
        features = Features(self.panel, recipe, self.horizon, fit_ends=rows)
        ends = self.panel.offsets[:-1] + rows
        origins = features.origins(rows)
        moments = Moments.of(features, origins, ends)
        linear = Linear.fit(moments, recipe.penalty)
        scales = _scales(moments, linear, self.levels)
        on_device = Scales(scales.change.to(self.device), scales.quantiles.to(self.device))
        networks, moves = [], []
        for k in range(members):
            seed = 1_000 * self.seed + k
            network = self._network(features, seed, k)
            objective = ForecastObjective(
                features, linear, network, on_device, origins, ends, self.levels, seed, validation
            )
            options = replace(
                self.options,
                max_epochs=self.options.max_epochs if span is None else span,
                stop_after=recipe.epochs if validation is None and recipe.epochs else None,
                patience=None if validation is None else self.options.patience,
                max_minutes=self._share(members * rounds - k, scouting=validation is not None),
                seed=seed,
            )
            name = f"{label} {k + 1}"
            result = train(
                objective, options, journal=self.journal, progress=self.progress, name=name,
                label=f"{name} of {members}",
            )  # fmt: skip
            self.history.append(
                {"name": name, "best_epoch": result.best_epoch, "stopped": result.stopped, "epochs": result.history}
            )
            networks.append(network)
            if objective.validated:
                moves.append(objective.validated)
            if self._ended(scouting=validation is not None):
                break
        return Fitted(recipe, features.statistics, linear, scales, tuple(networks)), moves

    def _seconds_left(self, scouting: bool) -> float:
        if self.max_minutes is None:
            return math.inf
        return 60 * self.max_minutes * (0.5 if scouting else 1.0) - (self.journal.clock() - self.began)

    def _share(self, runs: int, scouting: bool) -> float | None:
        """The minutes that the next of so many runs may take; None for no limit."""
        left = self._seconds_left(scouting)
        return None if left == math.inf else max(left / 60 / runs, SHORTEST)

    def _ended(self, scouting: bool = False) -> bool:
        return self.journal.interrupt.requested or self._seconds_left(scouting) <= 0

    def _blocks(self) -> int:
        """Stretches of validation about a horizon long, so that what each of them says is its own."""
        held = np.maximum(self.split.known - self.split.train - self.horizon, 0).sum()
        return int(np.clip(held // self.horizon, 2, MOST_BLOCKS))

    def _network(self, features: Features, seed: int, k: int) -> ForecastNetwork:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = ForecastNetwork(
                features.widths.row, features.widths.head, features.widths.of_future, features.categories, self.horizon,
                len(self.levels), features.recipe.season == 0, **self.sizes,
            )  # fmt: skip
        if self.start:
            given, own = self.start[k % len(self.start)].state_dict(), network.state_dict()
            different = [n for n in own if n not in given or given[n].shape != own[n].shape]
            if different:
                raise ConfigurationError(
                    f"the model to start from has other shapes ({', '.join(different[:3])}): it was trained with other "
                    "sizes, covariates or another recipe; leave out --init-from or use the same options"
                )
            network.load_state_dict(given)
        return network.to(self.device)

    def _error_without(self, fitted: Fitted, name: str) -> float:
        origins, ends = self.split.validation(self.panel)
        features = Features(self.panel, fitted.recipe, self.horizon, fitted.statistics)
        truth, known = features.truth(origins, ends)
        mean, _ = fitted.forecast(features.without(name), origins, CONTEXT)
        return lead_error(features.reference(origins) + truth - mean.float(), known)

    def _metrics(self, features: Features, origins: Tensor, known: Tensor, standard: Tensor) -> dict[str, Any]:
        panel, at = self.panel, origins.numpy()
        series = np.searchsorted(panel.offsets, at, side="right") - 1
        truth = np.where(known.numpy(), panel.target[rows_after(at, self.horizon, panel)], np.nan)
        forecast = features.in_units(standard.numpy(), series)
        base = naive(filled(panel), at, panel.offsets[series], self.horizon, self.naive_season)
        return {
            **Scores.of(truth, forecast, naive_error=self.naive_error).to_dict(),
            "baseline": Scores.of(truth, base, naive_error=self.naive_error).to_dict(),
        }


def recorded_recipe(
    journal: Journal, choose: Callable[[], tuple[Recipe, tuple[str, ...]]]
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe and what was found, chosen now or as the journal has it."""

    def chosen() -> dict[str, Any]:
        recipe, notes = choose()
        return {"recipe": recipe.to_dict(), "notes": notes}

    found = journal.decide("recipe", chosen)
    return Recipe.from_dict(found["recipe"]), tuple(found["notes"])


def _scales(moments: Moments, linear: Linear, levels: Sequence[float]) -> Scales:
    """The size of changes, and the linear part's residuals as if they were normal: where the quantiles start."""
    change = (moments.yy / moments.count.clamp(min=1)).sqrt().clamp(min=1e-6).float()
    residual = moments.error(linear.weight.double(), linear.bias.double()).sqrt().float()
    normal = torch.special.ndtri(torch.tensor(levels, dtype=torch.float64)).float()
    return Scales(change, (residual / change)[:, None] * normal)
