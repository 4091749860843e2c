"""The forecaster: an estimator over tables, in scikit-learn's manner."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from gatewise.data.grid import Duplicates, Gaps
from gatewise.data.panel import Panel, check_target
from gatewise.data.table import read_table, table_like
from gatewise.data.timeline import show_time
from gatewise.errors import TrainingError
from gatewise.tasks.device import cpu_threads
from gatewise.tasks.folder import ModelFolder, read_folder
from gatewise.tasks.forecasting import parameters, storage
from gatewise.tasks.forecasting.backtest import Backtest, backtest_origins, window_parts
from gatewise.tasks.forecasting.bands import check_enough
from gatewise.tasks.forecasting.baseline import choose_baseline, filled, rows_after
from gatewise.tasks.forecasting.fitted import Fitted
from gatewise.tasks.forecasting.fitting import Fitting, recorded_recipe
from gatewise.tasks.forecasting.forecasts import forecast_from, forecast_table, observe
from gatewise.tasks.forecasting.history import check_future, check_history, check_training
from gatewise.tasks.forecasting.leaderboard import leaderboard as standings
from gatewise.tasks.forecasting.scores import baseline_name, naive
from gatewise.tasks.forecasting.selection import Split, check_recipe, choose_recipe
from gatewise.tasks.journal import fit_journal
from gatewise.tasks.structure import check_structure, structure
from gatewise.training import Checkpoints, Interrupt, Journal, LearningRates, Plan, plan_of, rates_of


class Forecaster(BaseEstimator):
    """Forecasts of one or many series, each lead with quantiles.

    Forecasts start from the newest value or from smoothed seasons (as in Taylor 2003). A ridge regression on the newest
    values and on how seasons went on from here the last time corrects that for each lead, and an LSTM that reads the
    whole series corrects the regression (a linear path beside a recurrent one, as in LSTNet: Lai et al. 2018). The last
    part of the training rows validates: it decides whether logarithms are modelled, from which seasons forecasts start,
    which covariates stay, and how long and how far the LSTM is trusted: not at all where what it gains may be chance.
    Then `members` networks are trained on all rows and averaged.

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
        conformal: the coverage of the band between the outermost quantiles, to which it is calibrated for each lead on
            the validation part (conformalised quantile regression: Romano et al. 2019); they have to enclose as much:
            0.8 with quantiles 0.1 and 0.9. None: all leads share one factor instead.
        hidden_size: H of each network.
        num_layers: LSTM layers of each network.
        dropout: probability, in training.
        members: how many networks are averaged.
        learning_rate: the peak rate of AdamW.
        weight_decay: of AdamW.
        average_decay: of the moving average of each network's weights, which is what is kept; 0 for none.
        swa_from: the share of max_epochs after which the learning rate stays, and the mean of the weights of all epochs
            since then is what is kept (stochastic weight averaging, with average_decay=0); 0 for none.
        accumulate: batches whose mean gradient is one step: the effect of larger batches in the memory of one.
        precision: of products in training: "float32", "bf16", or "fp16" with scaled losses; for GPUs. What is kept and
            predicts is float32.
        max_epochs: passes over the training rows that learning rates are planned for.
        max_minutes: wall-clock minutes for the whole fit, shared by the networks; None for no limit.
        patience: epochs without a better validation error after which training on the training part stops.
        validation: the share of each series' rows, its last ones, that validate; None: 15 %, 20 % of short series,
            two horizons at least.
        seed: of everything random; the same seed gives the same bits on the same machine and number of threads.
        threads: CPU threads; networks of this size are fastest on one. None leaves torch's setting.
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
        gaps: Gaps = "error",
        duplicates: Duplicates = "error",
        periods: Sequence[int] | None = None,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        conformal: float | None = None,
        hidden_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.4,
        members: int = 8,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        average_decay: float = 0.0,
        swa_from: float = 0.0,
        accumulate: int = 1,
        precision: str = "float32",
        max_epochs: int = 24,
        max_minutes: float | None = None,
        patience: int = 8,
        validation: float | None = None,
        seed: int = 0,
        threads: int | None = 1,
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
        self.gaps: Gaps = gaps
        self.duplicates: Duplicates = duplicates
        self.periods = periods
        self.quantiles = quantiles
        self.conformal = conformal
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.members = members
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.average_decay = average_decay
        self.swa_from = swa_from
        self.accumulate = accumulate
        self.precision = precision
        self.max_epochs = max_epochs
        self.max_minutes = max_minutes
        self.patience = patience
        self.validation = validation
        self.seed = seed
        self.threads = threads
        self.device = device
        self.progress = progress

    # ------------------------------------------------------------------ training
    def fit(
        self,
        table: Any,
        *,
        checkpoints: Checkpoints | str | os.PathLike[str] | None = None,
        init_from: str | Path | None = None,
    ) -> Self:
        """Train on every row of a table (anything `read_table` takes) whose target is known.

        Args:
            table: long format, one row a time stamp and series.
            checkpoints: where and how often the state of training is written (see `gatewise.Checkpoints`), or a
                folder for that; the same call with the same table then goes on from there. None: nowhere.
            init_from: a model folder whose networks' weights the new ones start from, under its recipe.

        Raises:
            DataError: the table cannot be trained on.
            ConfigurationError: a parameter does not fit, or `init_from` is of other shapes.
            TrainingError: the loss is no longer finite.
            TrainingInterrupted: with checkpoints, Ctrl-C or SIGTERM asked to stop; what was done is saved.
            CheckpointError: the checkpoints cannot be used, or are of other parameters or another table.
        """
        panel = self._training_panel(table)
        start = None if init_from is None else Forecaster.load(init_from).fitted_
        size = f"{int(panel.lengths.sum())} rows of {len(panel)} series"
        weights = None if start is None else start.weights()
        with (
            cpu_threads(self.threads),
            fit_journal(self, storage.TASK, checkpoints, data=panel, size=size, start=weights) as journal,
        ):
            self._fit(panel, journal, start)
        return self

    def plan(self, table: Any) -> Plan:
        """What `fit` would train first, and what that takes of memory and time; nothing is trained. Raises as it.

        The recipe is chosen, as that decides what the networks see.
        """
        panel = self._training_panel(table)
        with cpu_threads(self.threads):
            return plan_of(lambda journal: self._fit(panel, journal, None))

    def learning_rates(self, table: Any) -> LearningRates:
        """The range test of what `fit` would train first: a suggestion for `learning_rate`. Raises as `fit`."""
        panel = self._training_panel(table)
        with cpu_threads(self.threads):
            return rates_of(lambda journal: self._fit(panel, journal, None), progress=self.progress)

    def _training_panel(self, table: Any) -> Panel:
        parameters.check_parameters(self)
        roles = parameters.read_roles(self)
        panel = Panel.from_table(self.table(table), roles, gaps=self.gaps, duplicates=self.duplicates)
        parameters.check_names(self, panel.roles)
        check_target(panel)
        check_training(panel, self.horizon)
        return panel

    def _fit(self, panel: Panel, journal: Journal, start: Fitted | None) -> None:
        split = Split.of(panel, self.horizon, self.validation)
        if self.conformal is not None:
            check_enough(len(split.validation(panel)[0]), self.conformal)
        periods = panel.frequency.seasonal_periods() if self.periods is None else tuple(self.periods)
        season, naive_error = choose_baseline(panel, split, self.horizon, periods)
        fitting = Fitting(
            panel=panel,
            split=split,
            horizon=self.horizon,
            levels=tuple(float(q) for q in self.quantiles),
            coverage=self.conformal,
            sizes={"hidden_size": self.hidden_size, "num_layers": self.num_layers, "dropout": self.dropout},
            options=parameters.training_options(self),
            members=self.members,
            seed=self.seed,
            device=self.device,
            naive_season=season,
            naive_error=naive_error,
            journal=journal,
            max_minutes=self.max_minutes,
            progress=self.progress,
            start=() if start is None else start.members,
        )
        if start is None:
            recipe, chosen = recorded_recipe(journal, lambda: choose_recipe(panel, split, periods))
            scouted, found = fitting.choose_covariates(recipe)
        else:
            # Weights mean something only with the features they were trained on.
            recipe, chosen, found = start.recipe, ("The recipe is that of the model that training starts from.",), ()
            check_recipe(recipe, panel, split)
            scouted = fitting.scout(replace(recipe, weights=(1.0, 1.0), spread=1.0, epochs=0, band=()), "validated")
        fitted, ended = fitting.finish(scouted)
        with journal.waiting():  # a signal is not to leave a model half of which is new
            self.fitted_ = fitted
            self.structure_ = structure(self, parameters.STRUCTURE)
            notes = [*panel.notes, *chosen, *found, scouted.note, *ended]
            self.interrupted_ = journal.interrupt.requested
            self.recipe_, self.validation_, self.notes_ = self.fitted_.recipe, scouted.metrics, tuple(notes)
            self.history_ = fitting.history
            self.frequency_, self.categories_, self.roles_ = panel.frequency, panel.categories, panel.roles
            self.baseline_season_, self.naive_error_ = season, naive_error
            last = [panel.times[a + n - 1] for a, n in zip(panel.offsets[:-1], panel.observed_lengths, strict=True)]
            self.trained_until_ = show_time(max(last))
            self.rows_, self.series_ = int(panel.observed_lengths.sum()), len(panel)

    # ------------------------------------------------------------------ forecasting
    def table(self, source: Any) -> pa.Table:
        """A table from anything `read_table` takes, with ids as they are written. Raises `DataError`."""
        return read_table(source, () if self.id is None else (self.id,))

    def predict(self, table: Any) -> Any:
        """Forecasts of the L steps after the last known target of each series.

        Args:
            table: the history, in the form of the training table; with future covariates also the rows to forecast.

        Returns:
            A table of S x L rows: the id (where there is one), time, `forecast` (the mean) and a column a quantile, in
            the target's units; of pandas, polars or Arrow as `table` is. Where the recipe takes logarithms, `forecast`
            is the exponential of their mean, which lies a little below the mean.

        Raises:
            DataError: the table does not fit the model.
            ConfigurationError: a parameter that the model is made of was set after `fit`.
        """
        source = self.table(table)
        panel = self._panel(source)
        check_history(panel, self._fewest_rows)
        check_future(panel, [n for n in self.roles_.future if n in self.recipe_.covariates], self.horizon)
        origins = panel.offsets[:-1] + panel.observed_lengths - 1
        forecast, quantiles = self._forecast(panel, origins)
        kind = source.schema.field(self.id).type if self.id else None
        return table_like(forecast_table(panel, kind, forecast, quantiles, self.quantiles), table)

    def backtest(
        self, table: Any, windows: int | None = 1, stride: int | None = None, *, refit: bool = False
    ) -> Backtest:
        """Forecasts of the last `windows` horizons of each series, each from what came before it.

        Args:
            table: with the truth; only rows up to each origin are looked at (future covariates apart).
            windows: how many origins a series; None for as many as there are.
            stride: steps from one origin to the next; None for the horizon. The last window ends at the last row.
            refit: forecast each window with a model of these parameters trained on all that came before it, instead of
                with this one: what a model that is trained anew each time is worth, at as many times the cost.

        Raises:
            DataError: the table does not fit the model or is too short.
            ConfigurationError: `windows` or `stride` is below 1, or a parameter was set after `fit`.
            TrainingError: with `refit`, a training was interrupted or its loss is no longer finite.
        """
        panel = self._panel(table)
        origins = backtest_origins(panel, self.horizon, self._fewest_rows, windows, stride)
        forecast, quantiles = self._refitted(panel, origins) if refit else self._forecast(panel, origins)
        series = np.searchsorted(panel.offsets, origins, side="right") - 1
        base = naive(filled(panel), origins, panel.offsets[series], self.horizon, self.baseline_season_)
        return Backtest(
            panel=panel,
            origins=origins,
            truth=panel.target[rows_after(origins, self.horizon, panel)],
            forecast=forecast,
            quantiles=quantiles,
            levels=tuple(float(q) for q in self.quantiles),
            baseline=base,
            baseline_name=self.baseline_name_,
            naive_error=self.naive_error_,
        )

    def evaluate(
        self, table: Any, windows: int | None = 1, stride: int | None = None, *, leaderboard: bool = False
    ) -> dict[str, Any]:
        """The scores of a backtest by name, with those of the naive forecast under "baseline".

        With `leaderboard` also "leaderboard", see the method of that name. Raises as `backtest` and that.
        """
        backtest = self.backtest(table, windows, stride)
        return {**backtest.metrics(), **({"leaderboard": self.leaderboard(backtest)} if leaderboard else {})}

    def leaderboard(self, backtest: Backtest) -> list[dict[str, Any]]:
        """The scores of a backtest beside those of simple methods, see `gatewise.tasks.forecasting.leaderboard`."""
        self._check_fitted()
        return standings(backtest, self.recipe_.periods)

    def seen(self, times: np.ndarray) -> np.ndarray:
        """Which of the times (of any shape) do not lie after the last training row: scores there are flattering."""
        last = self.trained_until_
        until = np.datetime64(last.replace(" ", "T")) if self.frequency_.is_calendar else int(last)
        return times <= until

    def score(self, table: Any) -> float:
        """1 - MAE / MAE of the naive forecast, on the last horizon: 1 is perfect, 0 no better than naive.

        Where the naive forecast is without error, 1 if this one is as well, else 0 (as scikit-learn's `r2_score`).
        """
        metrics = self.evaluate(table)
        own, base = metrics["mae"], metrics["baseline"]["mae"]
        if base == 0:
            return float(own == 0)
        return 1.0 - own / base

    def observe(self, table: Any, steps: int = 200) -> dict[str, Any]:
        """What the first network's LSTM does over the last `steps` rows of the first series.

        Returns:
            `times` `[T]`, `target` `[T]` in its units, and `i`, `f`, `o`, `c`, each `[T, H]`.
        """
        panel = self._panel(table)
        return observe(self.fitted_, panel, self.horizon, steps, self.device)

    @property
    def baseline_name_(self) -> str:
        """What the naive forecast is that this model is held against."""
        return baseline_name(self.baseline_season_, self.frequency_.name)

    @property
    def _fewest_rows(self) -> int:
        return self.fitted_.recipe.season + 2

    def _forecast(self, panel: Panel, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means `[O, L]` and quantiles `[O, L, Q]` from origin rows `[O]`, sorted, in the target's units."""
        with cpu_threads(self.threads):
            return forecast_from(self.fitted_, panel, origins, self.horizon)

    def _refitted(self, panel: Panel, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `_forecast`, the k-th last window of all series with a model trained on what came before it."""
        forecast = np.empty((len(origins), self.horizon))
        quantiles = np.empty((*forecast.shape, len(self.quantiles)))
        for here, ends in window_parts(panel, origins):
            model = type(self)(**self.get_params())
            with cpu_threads(self.threads), Interrupt() as interrupt:
                model._fit(panel.head(ends), Journal(interrupt), None)
            if interrupt.requested:
                raise TrainingError("The backtest was interrupted while a model was trained anew: there are no scores.")
            forecast[here], quantiles[here] = model._forecast(panel, origins[here])
        return forecast, quantiles

    def _panel(self, table: Any) -> Panel:
        self._check_fitted()
        return Panel.from_table(
            self.table(table), self.roles_, gaps=self.gaps, duplicates=self.duplicates,
            frequency=self.frequency_, categories=self.categories_,
        )  # fmt: skip

    def _check_fitted(self) -> None:
        if not hasattr(self, "fitted_"):
            raise NotFittedError("this Forecaster is not fitted yet: call fit with a table first")
        check_structure(self, self.structure_)

    # ------------------------------------------------------------------ files
    def save(
        self, path: str | Path, *, overwrite: bool = False, metrics: Mapping[str, Any] | None = None,
        extra: Mapping[str, bytes | str] | None = None,
    ) -> Path:  # fmt: skip
        """Write the model folder; `metrics` are added to those of validation, `extra` files lie beside the model.

        Raises:
            ModelFolderError: the folder exists and is not to be, or cannot be, replaced.
            NotFittedError: there is nothing to write yet.
        """
        self._check_fitted()
        scores = {"validation": self.validation_, **(metrics or {})}
        return storage.write(self, path, scores, overwrite, dict(extra or {}))

    @classmethod
    def load(cls, path: str | Path | ModelFolder) -> Self:
        """The forecaster that `save` wrote.

        Raises:
            ModelFolderError: the folder is missing, damaged, altered, of a newer format or of another task.
        """
        return storage.read(cls(), path if isinstance(path, ModelFolder) else read_folder(path))
