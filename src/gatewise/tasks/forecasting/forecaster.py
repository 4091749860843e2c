"""The forecaster: an estimator over tables, in scikit-learn's manner."""

import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterator, Self

import numpy as np
import pyarrow as pa
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import Tensor

from gatewise.data.panel import Panel, Roles, check_target
from gatewise.data.table import read_table
from gatewise.data.timeline import Frequency, show_time
from gatewise.errors import ConfigurationError, DataError, ModelFolderError
from gatewise.tasks.folder import ModelFolder, read_folder, write_folder
from gatewise.tasks.forecasting.backtest import Backtest
from gatewise.tasks.forecasting.features import Features, Statistics
from gatewise.tasks.forecasting.linear import Linear, Moments
from gatewise.tasks.forecasting.network import ForecastNetwork
from gatewise.tasks.forecasting.objective import STRETCH, ForecastObjective, Scales, corrections, lead_error
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.scores import Scores, baseline_name, naive
from gatewise.tasks.forecasting.selection import Split, choose_recipe
from gatewise.training import Interrupt, TrainingOptions, train

WEIGHTS = (0.25, 0.5, 0.75, 1.0)  # shares of the LSTM's correction that validation chooses from
CONTEXT = 2 * STRETCH  # rows an LSTM reads before the first forecast that is validated
SCOUTS = 2  # networks trained on the training part alone, to learn for how long and how far to trust them


@dataclass(frozen=True)
class Fitted:
    """What forecasts are made with: one linear part, the size of its residuals, and the networks that correct it."""

    recipe: Recipe
    statistics: Statistics
    linear: Linear
    scales: Scales
    members: tuple[ForecastNetwork, ...]


@dataclass(frozen=True)
class Scouted:
    """Networks of the training part: their mean correction of each epoch, validation error, scores and a sentence."""

    fitted: Fitted
    moves: tuple[Tensor, ...]
    error: float
    metrics: dict[str, Any]
    note: str


class Forecaster(BaseEstimator):
    """Forecasts of one or many series, each lead with quantiles.

    A ridge regression on the newest values and on how seasons went on from here the last time gives a first forecast
    for each lead; an LSTM that reads the whole series corrects it (a linear path beside a recurrent one, as in LSTNet:
    Lai et al. 2018). The last part of the training rows validates: it decides whether logarithms are modelled, from
    which season forecasts start, which covariates stay, and how long and how far the LSTM is trusted. Then `members`
    networks are trained on all rows and averaged.

    Args:
        target: the column to forecast.
        horizon: L, how many steps ahead.
        time: the column of time stamps; None finds it, or takes the rows in their order.
        id: the column that tells several series apart; None for one series.
        past: covariates known up to now.
        future: covariates known over the horizon as well; the table at prediction holds them in rows after the last
            target.
        static: covariates with one value a series.
        gaps: missing time stamps: "error", "mask" (rows of missing values) or "interpolate".
        duplicates: several rows for one time stamp: "error", "first", "last" or "mean".
        periods: candidate seasonal periods in steps; None takes those natural for the frequency (an hour: 24, 168).
        quantiles: levels between 0 and 1, increasing.
        hidden_size: H of each network.
        num_layers: LSTM layers of each network.
        dropout: probability, in training.
        members: how many networks are averaged.
        learning_rate: the peak rate of AdamW.
        weight_decay: of AdamW.
        max_epochs: passes over the training rows that learning rates are planned for.
        max_minutes: wall-clock minutes for the whole fit; None for no limit.
        patience: epochs without a better validation error after which training on the training part stops.
        validation: the share of each series' rows, its last ones, that validate; None: 15 %, 20 % of short series,
            two horizons at least.
        seed: of everything random; the same seed gives the same bits on the same machine and number of threads.
        threads: CPU threads; None leaves torch's setting.
        device: "cpu" or a CUDA device.
        progress: show progress bars.

    Attributes:
        recipe_: what validation chose.
        validation_: scores on the validation part, of networks that had not seen it, and of the baseline.
        history_: for each run its name and one dict an epoch.
        notes_: what was found and chosen, in sentences.
        trained_until_: the last time stamp of training.
        interrupted_: whether training was asked to stop early.

    >>> from gatewise.data.examples import airline
    >>> table = airline()
    >>> forecaster = Forecaster("passengers", 12, members=1, max_epochs=2).fit(table.slice(0, 132))
    >>> forecaster.predict(table.slice(0, 132)).column_names
    ['month', 'forecast', 'q0.1', 'q0.5', 'q0.9']
    """

    def __init__(
        self,
        target: str = "value",
        horizon: int = 1,
        *,
        time: str | None = None,
        id: str | None = None,
        past: Sequence[str] = (),
        future: Sequence[str] = (),
        static: Sequence[str] = (),
        gaps: str = "error",
        duplicates: str = "error",
        periods: Sequence[int] | None = None,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        hidden_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.4,
        members: int = 5,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        max_epochs: int = 24,
        max_minutes: float | None = None,
        patience: int = 8,
        validation: float | None = None,
        seed: int = 0,
        threads: int | None = None,
        device: str = "cpu",
        progress: bool = False,
    ) -> None:
        self.target = target
        self.horizon = horizon
        self.time = time
        self.id = id
        self.past = past
        self.future = future
        self.static = static
        self.gaps = gaps
        self.duplicates = duplicates
        self.periods = periods
        self.quantiles = quantiles
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.members = members
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.max_minutes = max_minutes
        self.patience = patience
        self.validation = validation
        self.seed = seed
        self.threads = threads
        self.device = device
        self.progress = progress

    # ------------------------------------------------------------------ training
    def fit(self, table: Any, *, directory: Path | None = None, init_from: str | Path | None = None) -> Self:
        """Train on every row of a table (anything `read_table` takes) whose target is known.

        Args:
            table: long format, one row a time stamp and series.
            directory: an existing folder for checkpoints and logs, one sub-folder a run.
            init_from: a model folder whose networks' weights the new ones start from.

        Raises:
            DataError: the table cannot be trained on.
            ConfigurationError: a parameter does not fit, or `init_from` is of other shapes.
            TrainingError: the loss is no longer finite.
        """
        self._check_parameters()
        panel = Panel.from_table(
            read_table(table),
            self._roles(),
            gaps=self.gaps,
            duplicates=self.duplicates,  # pyright: ignore[reportArgumentType]
        )
        check_target(panel)
        lengths = panel.observed_lengths
        needed = 2 * self.horizon + 8
        for name, n in zip(panel.ids, lengths, strict=True):
            if n < needed:
                of = f'series "{name}"' if self.id else "the series"
                raise DataError(
                    f'{of} has {n} rows with a known "{self.target}", but a horizon of {self.horizon} needs at least '
                    f"{needed} (two horizons and a window of 8); give more rows or a shorter horizon"
                )
        warm = Forecaster.load(init_from) if init_from is not None else None
        with _threads(self.threads), Interrupt() as interrupt:
            self._fit(panel, directory, interrupt, warm)
        return self

    def _fit(self, panel: Panel, directory: Path | None, interrupt: Interrupt, warm: "Forecaster | None") -> None:
        deadline = None if self.max_minutes is None else time.monotonic() + 60 * self.max_minutes
        split = Split.of(panel, self.horizon, self.validation)
        periods = panel.frequency.seasonal_periods() if self.periods is None else tuple(self.periods)
        recipe, notes = choose_recipe(panel, split, periods)
        self.frequency_, self.categories_, self.roles_ = panel.frequency, panel.categories, panel.roles
        self.baseline_season_, self.naive_error_ = self._choose_baseline(panel, split, periods)
        self.history_: list[dict[str, Any]] = []
        scouted, found = self._choose_covariates(panel, split, recipe, interrupt, directory, deadline, warm)
        self.recipe_ = recipe = scouted.fitted.recipe
        self.validation_, found = scouted.metrics, (*found, scouted.note)
        if interrupt.requested:
            self.fitted_ = scouted.fitted
            found = (
                *found,
                "Training was interrupted: these are the networks of the training part, as far as they got.",
            )
        else:
            self.fitted_ = self._train(
                panel, recipe, panel.observed_lengths, self.members, "member", interrupt, directory, deadline, warm
            )[0]
        self.interrupted_ = interrupt.requested
        self.notes_ = (*panel.notes, *notes, *found)
        last = [panel.times[a + n - 1] for a, n in zip(panel.offsets[:-1], panel.observed_lengths, strict=True)]
        self.trained_until_ = show_time(max(last))
        self.rows_, self.series_ = int(panel.observed_lengths.sum()), len(panel)

    def _choose_covariates(
        self, panel: Panel, split: Split, recipe: Recipe, interrupt: Interrupt, directory: Path | None,
        deadline: float | None, warm: "Forecaster | None",
    ) -> tuple["Scouted", tuple[str, ...]]:  # fmt: skip
        """Scouts with the covariates that help on validation, and what was found.

        The networks that saw all covariates tell which of them they use to good effect (their error with that one held
        at its mean); networks with only those, and with none, are then trained as well, and the best of the three stay.
        """
        best = self._scout(panel, split, recipe, "validated", interrupt, directory, deadline, warm)
        if not recipe.covariates or not best.moves:
            return best, ()
        full = best
        rises = {name: self._error_without(panel, split, full, name) / full.error - 1 for name in recipe.covariates}
        helpful = tuple(name for name, rise in rises.items() if rise > 0)
        for some in dict.fromkeys((helpful, ())):
            if some != recipe.covariates and not interrupt.requested:
                trial = replace(recipe, covariates=some)
                label = f"validated with {len(some)} covariates"
                scouted = self._scout(panel, split, trial, label, interrupt, directory, deadline, None)
                if scouted.error < best.error:
                    best = scouted
        kept = best.fitted.recipe.covariates
        notes = [
            f'Covariate "{name}": validation error {rise:+.2%} without it; {"used" if name in kept else "left out"}.'
            for name, rise in rises.items()
        ]
        return best, tuple(notes)

    def _error_without(self, panel: Panel, split: Split, scouted: "Scouted", name: str) -> float:
        fitted = scouted.fitted
        origins, ends = split.validation(panel)
        features = Features(panel, fitted.recipe, self.horizon, fitted.statistics)
        truth, known = features.truth(origins, ends)
        less = features.without(name)
        move = torch.stack([corrections(m, less, origins, CONTEXT)[..., 0] for m in fitted.members]).mean(0)
        move = fitted.recipe.weight * move.cpu() * fitted.scales.change
        return lead_error(truth - fitted.linear(less.head(origins), less.lead(origins)) - move, known)

    def _scout(
        self, panel: Panel, split: Split, recipe: Recipe, label: str, interrupt: Interrupt, directory: Path | None,
        deadline: float | None, warm: "Forecaster | None",
    ) -> "Scouted":  # fmt: skip
        """Train on the training part, and find on the rest for how many epochs and with what weight it is best."""
        origins, ends = split.validation(panel)
        fitted, moves = self._train(
            panel, recipe, split.train, min(SCOUTS, self.members), label, interrupt, directory, deadline, warm,
            (origins, ends) if len(origins) else None,
        )  # fmt: skip
        if not len(origins) or not moves:
            recipe = replace(recipe, epochs=self.max_epochs, weight=0.5)
            note = "The series are too short to validate on: nothing was chosen."
            return Scouted(replace(fitted, recipe=recipe), (), float("inf"), {}, note)
        features = Features(panel, recipe, self.horizon, fitted.statistics)
        truth, known = features.truth(origins, ends)
        miss = truth - fitted.linear(features.head(origins), features.lead(origins))
        alone = lead_error(miss, known)
        mean = [torch.from_numpy(np.mean(epoch, 0)) for epoch in zip(*moves, strict=False)]
        tried = [(lead_error(miss - w * move, known), e + 1, w) for e, move in enumerate(mean) for w in WEIGHTS]
        error, epoch, weight = min(tried)
        note = (
            f"On validation the linear part alone has an error of {alone:.4g} standard deviations; with {weight:.0%} of "
            f"the LSTM's correction after {epoch} epochs it is {error:.4g}."
        )
        series = np.searchsorted(panel.offsets, origins.numpy(), side="right") - 1
        forecast = features.reference(origins) + truth - (miss - weight * mean[epoch - 1])
        values = np.where(known.numpy(), panel.target[_rows(origins.numpy(), self.horizon, panel)], np.nan)
        scores = Scores.of(values, features.in_units(forecast.numpy(), series), naive_error=self.naive_error_)
        baseline = naive(_filled(panel), origins.numpy(), panel.offsets[series], self.horizon, self.baseline_season_)
        metrics = {**scores.to_dict(), "baseline": Scores.of(values, baseline, naive_error=self.naive_error_).to_dict()}
        recipe = replace(recipe, epochs=epoch, weight=weight)
        return Scouted(replace(fitted, recipe=recipe), tuple(mean), error, metrics, note)

    def _train(
        self, panel: Panel, recipe: Recipe, rows: np.ndarray, members: int, label: str, interrupt: Interrupt,
        directory: Path | None, deadline: float | None, warm: "Forecaster | None",
        validation: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Fitted, list[list[np.ndarray]]]:  # fmt: skip
        """Networks trained on the first `rows` `[S]` of each series; and, per run, its validated moves of each epoch."""
        features = Features(panel, recipe, self.horizon, fit_ends=rows)
        ends = panel.offsets[:-1] + rows
        origins = features.origins(rows)
        moments = Moments.of(features, origins, ends)
        linear = Linear.fit(moments, recipe.penalty)
        count = moments.count.clamp(min=1)
        change = (moments.yy / count).sqrt().clamp(min=1e-6).float()
        residual = moments.error(linear.weight.double(), linear.bias.double()).sqrt().float()
        levels = torch.tensor([float(q) for q in self.quantiles])
        scales = Scales(change, (residual / change)[:, None] * torch.special.ndtri(levels))
        networks, moves = [], []
        for k in range(members):
            seed = 1_000 * self.seed + k
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                network = self._network(features)
            if warm is not None:
                _start_from(network, warm.fitted_.members[k % len(warm.fitted_.members)])
            network.to(self.device)
            on_device = Scales(scales.change.to(self.device), scales.quantiles.to(self.device))
            objective = ForecastObjective(
                features, linear, network, on_device, origins, ends, self.quantiles, seed, validation
            )
            folder = None
            name = f"{label} {k + 1}"
            if directory is not None:
                folder = Path(directory) / name.replace(" ", "-")
                folder.mkdir(parents=True, exist_ok=True)
            minutes = None if deadline is None else max((deadline - time.monotonic()) / 60, 1e-3)
            options = TrainingOptions(
                max_epochs=self.max_epochs,
                stop_after=None if validation is not None or not recipe.epochs else recipe.epochs,
                max_minutes=minutes,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                patience=self.patience if validation is not None else None,
                warmup=0.1,
                seed=seed,
            )
            result = train(
                objective, options, directory=folder, progress=self.progress, interrupt=interrupt,
                label=f"{name} of {members}",
            )  # fmt: skip
            self.history_.append(
                {"name": name, "best_epoch": result.best_epoch, "stopped": result.stopped, "epochs": result.history}
            )
            networks.append(network)
            if objective.validated:
                moves.append(objective.validated)
            if interrupt.requested:
                break
        return Fitted(recipe, features.statistics, linear, scales, tuple(networks)), moves

    def _network(self, features: Features) -> ForecastNetwork:
        return ForecastNetwork(
            features.row_width, features.head_width, features.future.shape[1], features.categories, self.horizon,
            len(self.quantiles), self.hidden_size, self.num_layers, self.dropout,
        )  # fmt: skip

    def _choose_baseline(self, panel: Panel, split: Split, periods: Sequence[int]) -> tuple[int, float]:
        """The naive forecast that does best on training rows, and its mean absolute error there one season ahead."""
        values, errors = _filled(panel), {}
        for m in (0, *periods):
            apart = [np.abs(values[a + max(m, 1) : a + n] - values[a : a + n - max(m, 1)])
                     for a, n in zip(panel.offsets[:-1], split.known, strict=True) if n > max(m, 1)]  # fmt: skip
            origins, _ = split.validation(panel)
            at = origins.numpy() if len(origins) else panel.offsets[:-1] + split.known - 1 - self.horizon
            starts = panel.offsets[np.searchsorted(panel.offsets, at, side="right") - 1]
            miss = naive(values, at, starts, self.horizon, m) - values[_rows(at, self.horizon, panel)]
            if apart:
                errors[m] = (float(np.abs(miss).mean()), float(np.concatenate(apart).mean()))
        season = min(errors, key=lambda m: errors[m][0])
        return season, errors[season][1]

    # ------------------------------------------------------------------ forecasting
    def predict(self, table: Any) -> Any:
        """Forecasts of the L steps after the last known target of each series.

        Args:
            table: the history, in the form of the training table; with future covariates also the rows to forecast.

        Returns:
            A table of S x L rows: the id (where there is one), time, `forecast` (the mean) and a column a quantile, in the
            target's units; of pandas, polars or Arrow as `table` is.

        Raises:
            DataError: the table does not fit the model.
        """
        panel = self._panel(table)
        lengths = panel.observed_lengths
        self._check_history(panel, lengths)
        if self.roles_.future:
            for name, n, k in zip(panel.ids, panel.lengths, lengths, strict=True):
                if n - k < self.horizon:
                    of = f' of series "{name}"' if self.id else ""
                    raise DataError(
                        f"the future covariates ({', '.join(self.roles_.future)}) have to be known for the "
                        f"{self.horizon} steps to forecast, but the table holds {n - k} rows after the last known "
                        f'"{self.target}"{of}; add rows with the covariates and an empty target'
                    )
        origins = panel.offsets[:-1] + lengths - 1
        forecast, quantiles = self._forecast(panel, origins)
        times = np.stack([panel.future_times(i, self.horizon) for i in range(len(panel))])
        columns: dict[str, Any] = {}
        if self.id:
            columns[self.id] = pa.array(np.repeat(np.array(panel.ids, object), self.horizon))
        columns[self.roles_.time or "step"] = pa.array(times.ravel())
        columns["forecast"] = forecast.ravel()
        for k, level in enumerate(self.quantiles):
            columns[f"q{level:g}"] = quantiles[..., k].ravel()
        return _like(pa.table(columns), table)

    def backtest(self, table: Any, windows: int | None = 1, stride: int | None = None) -> Backtest:
        """Forecasts of the last `windows` horizons of each series, each from what came before it, without retraining.

        Args:
            table: with the truth; only rows up to each origin are looked at (future covariates apart).
            windows: how many origins a series; None for as many as there are.
            stride: steps from one origin to the next; None for the horizon. The last window ends at the last row.

        Raises:
            DataError: the table does not fit the model or is too short.
        """
        panel = self._panel(table)
        stride = self.horizon if stride is None else stride
        if stride < 1 or (windows is not None and windows < 1):
            raise ConfigurationError(f"windows and stride are at least 1; got windows={windows}, stride={stride}")
        found = []
        for i, (a, n) in enumerate(zip(panel.offsets[:-1], panel.observed_lengths, strict=True)):
            last, first = a + n - 1 - self.horizon, a + self._fewest_rows - 1
            count = (last - first) // stride + 1 if windows is None else windows
            if last - (max(count, 1) - 1) * stride < first:
                of = f'series "{panel.ids[i]}"' if self.id else "the series"
                raise DataError(
                    f"{of} has {n} rows with a known target: too few for {max(count, 1)} windows of {self.horizon} "
                    f"steps after a history of {self._fewest_rows}; give more rows or fewer windows"
                )
            found.append(last - stride * np.arange(count)[::-1])
        origins = np.concatenate(found)
        forecast, quantiles = self._forecast(panel, origins)
        series = np.searchsorted(panel.offsets, origins, side="right") - 1
        base = naive(_filled(panel), origins, panel.offsets[series], self.horizon, self.baseline_season_)
        return Backtest(
            panel=panel,
            origins=origins,
            truth=panel.target[_rows(origins, self.horizon, panel)],
            forecast=forecast,
            quantiles=quantiles,
            levels=tuple(float(q) for q in self.quantiles),
            baseline=base,
            baseline_name=self.baseline_name_,
            naive_error=self.naive_error_,
        )

    def evaluate(self, table: Any, windows: int | None = 1, stride: int | None = None) -> dict[str, Any]:
        """The scores of a backtest by name, with those of the naive forecast under "baseline"."""
        return self.backtest(table, windows, stride).metrics()

    def score(self, table: Any) -> float:
        """1 - MAE / MAE of the naive forecast on the last horizon: 1 is perfect, 0 no better than the naive forecast."""
        metrics = self.evaluate(table)
        return 1.0 - metrics["mae"] / metrics["baseline"]["mae"]

    def observe(self, table: Any, steps: int = 200) -> dict[str, Any]:
        """What the first network's LSTM does over the last `steps` rows of the first series.

        Returns:
            `times` `[T]`, `target` `[T]` in its units, and `i`, `f`, `o`, `c`, each `[T, H]`.
        """
        panel = self._panel(table).select([0])
        fitted = self.fitted_
        features = Features(panel, fitted.recipe, self.horizon, fitted.statistics)
        length = int(panel.observed_lengths[0])
        rows = torch.arange(max(0, length - 4 * steps), length)
        network = fitted.members[0]
        inputs = network._with_embeddings(features.rows[rows, None], features.codes[rows, None])
        gates = network.lstm.observe(inputs.to(self.device))
        last = slice(max(0, len(rows) - steps), None)
        found: dict[str, Any] = {name: gates[name][last, 0].cpu().numpy() for name in ("i", "f", "o", "c")}
        found["times"] = panel.times[rows.numpy()][last]
        found["target"] = panel.target[rows.numpy()][last]
        return found

    @property
    def baseline_name_(self) -> str:
        """What the naive forecast is that this model is held against."""
        return baseline_name(self.baseline_season_, self.frequency_.name)

    @property
    def _fewest_rows(self) -> int:
        return self.fitted_.recipe.season + 2

    def _forecast(self, panel: Panel, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means `[O, L]` and quantiles `[O, L, Q]` from origin rows `[O]`, sorted, in the target's units."""
        fitted = self.fitted_
        ends = np.zeros(len(panel), np.int64)
        series = np.searchsorted(panel.offsets, origins, side="right") - 1
        np.maximum.at(ends, series, origins + 1 - panel.offsets[series])
        with _threads(self.threads), torch.no_grad():
            features = Features(panel, fitted.recipe, self.horizon, fitted.statistics, fit_ends=ends)
            at = torch.from_numpy(origins)
            correction = torch.stack([corrections(member, features, at) for member in fitted.members]).mean(0).cpu()
            correction = fitted.recipe.weight * correction
            linear = torch.cat([fitted.linear(features.head(rows), features.lead(rows)) for rows in at.split(4_096)])
            mean = features.reference(at) + linear + fitted.scales.change * correction[..., 0]
            spread = fitted.scales.change[:, None] * (fitted.scales.quantiles + correction[..., 1:])
            # Independently learned quantiles may cross; sorting them never makes them worse (Chernozhukov et al. 2010).
            quantiles = (mean[..., None] + spread).sort(-1).values
        return features.in_units(mean.double().numpy(), series), features.in_units(quantiles.double().numpy(), series)

    def _panel(self, table: Any) -> Panel:
        if not hasattr(self, "fitted_"):
            raise NotFittedError("this Forecaster is not fitted yet: call fit with a table first")
        return Panel.from_table(
            read_table(table), self.roles_, gaps=self.gaps, duplicates=self.duplicates,  # pyright: ignore[reportArgumentType]
            frequency=self.frequency_, categories=self.categories_,
        )  # fmt: skip

    def _check_history(self, panel: Panel, lengths: np.ndarray) -> None:
        for name, n in zip(panel.ids, lengths, strict=True):
            if n < self._fewest_rows:
                of = f'series "{name}"' if self.id else "the series"
                raise DataError(
                    f'{of} has {n} rows with a known "{self.target}": this model needs a history of at least '
                    f"{self._fewest_rows} to forecast from"
                )

    def _roles(self) -> Roles:
        return Roles(self.target, self.time, self.id, tuple(self.past), tuple(self.future), tuple(self.static))

    def _check_parameters(self) -> None:
        whole = {
            "horizon": 1,
            "hidden_size": 1,
            "num_layers": 1,
            "members": 1,
            "max_epochs": 1,
            "patience": 1,
            "seed": 0,
        }
        for name, least in whole.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ConfigurationError(f"{name} is {value!r}, expected a whole number of at least {least}")
        if self.threads is not None and (not isinstance(self.threads, int) or self.threads < 1):
            raise ConfigurationError(f"threads is {self.threads!r}, expected a whole number of at least 1 or None")
        if not 0 <= self.dropout < 1:
            raise ConfigurationError(f"dropout is {self.dropout!r}, expected a probability from 0 to below 1")
        levels = list(self.quantiles)
        if any(not 0 < q < 1 for q in levels) or levels != sorted(set(levels)):
            raise ConfigurationError(f"quantiles are {levels}, expected increasing levels between 0 and 1")
        if self.validation is not None and not 0 < self.validation < 1:
            raise ConfigurationError(f"validation is {self.validation!r}, expected a share between 0 and 1 or None")
        if self.periods is not None and any(m < 2 for m in self.periods):
            raise ConfigurationError(f"periods are {list(self.periods)}, expected seasonal periods of at least 2 steps")
        check_device(self.device)

    # ------------------------------------------------------------------ files
    def save(
        self, path: str | Path, *, overwrite: bool = False, metrics: Mapping[str, Any] | None = None,
        extra: Mapping[str, bytes | str] | None = None,
    ) -> Path:  # fmt: skip
        """Write the model folder; `metrics` are added to those of validation, `extra` files lie beside the model.

        Raises:
            ModelFolderError: the folder exists and is not to be, or cannot be, replaced.
        """
        fitted = self.fitted_
        weights = {"linear.weight": fitted.linear.weight, "linear.bias": fitted.linear.bias,
                   "scales.change": fitted.scales.change, "scales.quantiles": fitted.scales.quantiles}  # fmt: skip
        for k, member in enumerate(fitted.members):
            weights |= {f"members.{k}.{name}": value.cpu() for name, value in member.state_dict().items()}
        parameters = {name: list(v) if isinstance(v, tuple) else v for name, v in self.get_params().items()}
        config = {
            "parameters": parameters,
            "recipe": fitted.recipe.to_dict(),
            "statistics": fitted.statistics.to_dict(),
            "frequency": self.frequency_.to_dict(),
            "categories": {name: list(values) for name, values in self.categories_.items()},
            "time": self.roles_.time,
            "baseline_season": self.baseline_season_,
            "naive_error": self.naive_error_,
            "trained_until": self.trained_until_,
            "rows": self.rows_,
            "series": self.series_,
            "networks": len(fitted.members),
            "notes": list(self.notes_),
            "history": self.history_,
        }
        scores = {"validation": self.validation_, **(metrics or {})}
        return write_folder(
            path, task="forecast", weights=weights, config=config, metrics=scores, card=self._card(scores),
            overwrite=overwrite, extra=dict(extra or {}),
        )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path | ModelFolder) -> Self:
        """The forecaster that `save` wrote.

        Raises:
            ModelFolderError: the folder is missing, damaged, altered, of a newer format or of another task.
        """
        folder = path if isinstance(path, ModelFolder) else read_folder(path)
        if folder.task != "forecast":
            raise ModelFolderError(f"{folder.path} holds a model of the task {folder.task!r}, not of 'forecast'")
        config, weights = folder.config, folder.weights
        known = set(cls().get_params())
        parameters = config["parameters"]
        if set(parameters) != known:
            wrong = sorted(set(parameters) ^ known)
            raise ModelFolderError(f"{folder.path}: config.json does not fit this version: {', '.join(wrong)}")
        model = cls(**parameters)
        model.frequency_ = Frequency.from_dict(config["frequency"])
        model.categories_ = {name: tuple(values) for name, values in config["categories"].items()}
        model.roles_ = replace(model._roles(), time=config["time"])
        model.baseline_season_, model.naive_error_ = config["baseline_season"], config["naive_error"]
        model.trained_until_, model.notes_ = config["trained_until"], tuple(config["notes"])
        model.rows_, model.series_ = config["rows"], config["series"]
        model.history_, model.interrupted_ = config["history"], False
        model.validation_ = folder.metrics.get("validation", {})
        model.recipe_ = Recipe.from_dict(config["recipe"])
        statistics = Statistics.from_dict(config["statistics"])
        linear = Linear(weights["linear.weight"], weights["linear.bias"])
        scales = Scales(weights["scales.change"], weights["scales.quantiles"])
        members = []
        for k in range(config["networks"]):
            own = {n.removeprefix(f"members.{k}."): v for n, v in weights.items() if n.startswith(f"members.{k}.")}
            future = own["future.weight"].shape[1] if "future.weight" in own else 0
            categories = tuple(len(v) for n, v in model.categories_.items() if n in model.recipe_.covariates)
            network = ForecastNetwork(
                statistics.rows.shape[1], statistics.head.shape[1], future, categories, model.horizon,
                len(model.quantiles), model.hidden_size, model.num_layers, model.dropout,
            )  # fmt: skip
            network.load_state_dict(own)
            members.append(network.eval())
        model.fitted_ = Fitted(model.recipe_, statistics, linear, scales, tuple(members))
        return model

    def _card(self, scores: Mapping[str, Any]) -> str:
        lines = [
            f"# Forecasts of {self.target}",
            "",
            f"A gatewise forecaster: {self.horizon} steps ({self.frequency_.name}) ahead, "
            f"{len(self.fitted_.members)} LSTM networks of {self.hidden_size} cells on a linear part.",
            f"Trained on {self.rows_} rows of {self.series_} series up to {self.trained_until_}, seed {self.seed}.",
            "",
            "## What was found",
            *(f"- {note}" for note in self.notes_),
            "",
            "## Scores",
        ]
        for name, values in scores.items():
            lines += [f"- {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in values.items() if isinstance(v, float))]
        return "\n".join([*lines, "", "Use: `gatewise predict <this folder> DATA --out FILE`", ""])


def check_device(device: str) -> None:
    """Refuse a device that torch does not know or this machine lacks, with `ConfigurationError`."""
    try:
        kind = torch.device(device)
    except RuntimeError as error:
        raise ConfigurationError(f'device is "{device}", expected "cpu" or "cuda"') from error
    if kind.type not in ("cpu", "cuda"):
        raise ConfigurationError(f'device is "{device}", expected "cpu" or "cuda"')
    if kind.type == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(f'device is "{device}", but this machine has no CUDA device that torch can use')


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start_from(network: ForecastNetwork, old: ForecastNetwork) -> None:
    new, given = network.state_dict(), old.state_dict()
    different = [n for n in new if n not in given or given[n].shape != new[n].shape]
    if different:
        raise ConfigurationError(
            f"the model to start from has other shapes ({', '.join(different[:3])}): it was trained with other sizes, "
            "covariates or another recipe; leave out --init-from or use the same options"
        )
    network.load_state_dict(given)


def _filled(panel: Panel) -> np.ndarray:
    """The target with missing values carried forward within each series `[N]`."""
    values = panel.target.copy()
    for i in range(len(panel)):
        part = values[panel.series(i)]
        last = np.maximum.accumulate(np.where(np.isnan(part), -1, np.arange(len(part))))
        part[:] = np.where(last >= 0, part[np.maximum(last, 0)], np.nan)
    return np.nan_to_num(values, nan=0.0)


def _rows(origins: np.ndarray, horizon: int, panel: Panel) -> np.ndarray:
    """The rows `[O, L]` after each origin `[O]`, cut at the end of the table."""
    return np.minimum(origins[:, None] + np.arange(1, horizon + 1), len(panel.times) - 1)


def _like(table: pa.Table, given: Any) -> Any:
    """`table` in the library `given` is of: pandas, polars, else Arrow."""
    module = type(given).__module__.split(".")[0]
    if module == "pandas":
        return table.to_pandas()
    if module == "polars":
        import polars

        return polars.from_arrow(table)
    return table
