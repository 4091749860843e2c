"""What cannot be used is refused with one message that says what was expected, what came, and where."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError
from torch import nn

from gatewise.errors import ConfigurationError, DataError, ModelFolderError, TrainingError
from gatewise.tasks import Forecaster
from gatewise.tasks.folder import write_folder
from gatewise.tasks.forecasting.network import ForecastNetwork

TINY: dict[str, Any] = {"members": 1, "max_epochs": 1, "hidden_size": 8, "threads": 1}


def table_of(values: Any, **columns: Any) -> pa.Table:
    day = np.datetime64("2024-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "D")
    return pa.table({"day": day, "load": pa.array(values, from_pandas=True), **columns})


VALUES = np.array([3.0, -2.0, 5.0, 0.5, -4.0, 1.0, 2.0])[np.arange(60) % 7]
VALUES += np.cumsum(np.random.default_rng(0).normal(0, 0.3, 60))
TABLE = table_of(VALUES)


@pytest.fixture(scope="module")
def model() -> Forecaster:
    return Forecaster("load", 4, periods=(7,), **TINY).fit(TABLE)


@pytest.mark.parametrize("method", ["predict", "backtest", "evaluate", "score", "observe"])
def test_a_model_has_to_be_fitted_first(method: str) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet: call fit"):
        getattr(Forecaster("load", 4), method)(TABLE)


def test_only_a_fitted_model_is_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        Forecaster("load", 4).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_failed_fit_leaves_the_model_unfitted() -> None:
    model = Forecaster("lod", 4, **TINY)
    with pytest.raises(DataError):
        model.fit(TABLE)
    with pytest.raises(NotFittedError):
        model.predict(TABLE)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"horizon": 0}, "horizon is 0, expected a whole number of at least 1"),
        ({"horizon": -3}, "horizon is -3, expected a whole number of at least 1"),
        ({"horizon": 2.5}, "horizon is 2.5, expected a whole number"),
        ({"horizon": True}, "horizon is True, expected a whole number"),
        ({"members": 0}, "members is 0, expected a whole number of at least 1"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"num_layers": 0}, "num_layers is 0"),
        ({"max_epochs": 0}, "max_epochs is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"seed": -1}, "seed is -1, expected a whole number from 0 to"),
        ({"threads": 0}, "threads is 0"),
        ({"dropout": 1.0}, "dropout is 1.0, expected a probability from 0 to below 1"),
        ({"quantiles": (0.5, 0.1)}, r"quantiles are \[0.5, 0.1\], expected increasing levels between 0 and 1"),
        ({"quantiles": (0.1, 0.1)}, "expected increasing levels"),
        ({"quantiles": (0.0, 0.5)}, "expected increasing levels"),
        ({"quantiles": (10, 50, 90)}, "expected increasing levels between 0 and 1"),
        ({"validation": 1.0}, "validation is 1.0, expected a share between 0 and 1"),
        ({"periods": (1,)}, r"periods are \(1,\), expected a sequence of whole numbers of at least 2"),
        ({"periods": (12.5,)}, r"periods are \(12.5,\), expected a sequence of whole numbers"),
        ({"periods": 12}, "periods are 12, expected a sequence"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"max_minutes": 0.0}, "max_minutes is 0.0"),
        ({"device": "gpu"}, "device is 'gpu'"),
        ({"past": "load"}, r"past is 'load', expected a sequence of column names: \['load'\]"),
        ({"past": 3}, "past is 3, expected a sequence of column names"),
        ({"static": ["x", 1]}, "static is .*, expected a sequence of column names"),
        ({"target": None}, "target is None, expected the name of a column$"),
        ({"id": 3}, "id is 3, expected the name of a column or None"),
        ({"quantiles": 0.5}, "quantiles are 0.5, expected a sequence of levels"),
        ({"gaps": "msk"}, 'gaps is "msk", did you mean "mask"'),
        ({"duplicates": "least"}, 'duplicates is "least", did you mean "last"'),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Forecaster(**{"target": "load", "horizon": 4, **TINY, **parameters}).fit(TABLE)


NOT_A_NUMBER = table_of([*map(str, VALUES[:-1]), "many"])
TWO = pa.concat_tables(
    [TABLE.append_column("site", [["a"] * 60]), TABLE.slice(0, 12).append_column("site", [["b"] * 12])]
)


@pytest.mark.parametrize(
    ("table", "parameters", "message"),
    [
        (TABLE, {"target": "laod"}, 'did you mean "load"'),
        (TABLE, {"past": ("wind",)}, '"wind"'),
        (TABLE, {"past": ("load",)}, 'column "load" is named as target and as past'),
        (TABLE, {"horizon": 27}, "the series has 60 rows .* a horizon of 27 needs at least 62"),
        (TWO, {"id": "site"}, 'series "b" has 12 rows .* a horizon of 4 needs at least 16'),
        (table_of(np.full(60, 7.0)), {}, '"load" is constant: all 60 values are 7'),
        (table_of(np.full(60, np.nan)), {}, '"load" has no value in any of its 60 rows'),
        (NOT_A_NUMBER, {}, '(?s)"load".*row 60.*many'),
        (table_of(np.where(np.arange(60) == 5, np.inf, VALUES)), {}, "row 6: inf is not a finite number"),
        (
            TABLE.filter(pa.array(np.arange(60) != 30)),
            {},
            r"missing .* between rows 30 \(2024-01-30\) and 31 \(2024-02-01\)",
        ),
        (TABLE.slice(0, 0), {}, "no rows"),
        (TABLE.rename_columns(["forecast", "load"]), {}, 'the time column is named "forecast"'),
        (TWO.rename_columns(["day", "load", "origin"]), {"id": "origin"}, 'the id column is named "origin"'),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_a_table_that_cannot_be_trained_on_is_refused(table: pa.Table, parameters: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Forecaster(**{"target": "load", "horizon": 4, **TINY, **parameters}).fit(table)


def test_a_history_that_is_too_short_is_refused(model: Forecaster) -> None:
    fewest = model.recipe_.season + 2
    assert model.predict(TABLE.slice(0, fewest)).num_rows == 4
    message = f'the series has {fewest - 1} rows with a known "load": .* a history of at least {fewest}'
    with pytest.raises(DataError, match=message):
        model.predict(TABLE.slice(0, fewest - 1))


def test_too_many_windows_are_refused(model: Forecaster) -> None:
    with pytest.raises(DataError, match=r"the series has 60 rows .*: too few for 20 windows of 4"):
        model.backtest(TABLE, windows=20)
    with pytest.raises(DataError, match="too few for 1 windows"):
        model.backtest(TABLE.slice(0, 5), windows=None)
    for wrong in ({"windows": 0}, {"stride": 0}):
        with pytest.raises(ConfigurationError, match="windows and stride are at least 1"):
            model.backtest(TABLE, **wrong)


def test_a_table_of_another_frequency_is_refused(model: Forecaster) -> None:
    hours = np.datetime64("2024-01-01", "us") + np.arange(60) * np.timedelta64(1, "h")
    with pytest.raises(DataError, match="day"):
        model.predict(TABLE.set_column(0, "day", pa.array(hours)))


def test_a_table_without_the_target_is_refused(model: Forecaster) -> None:
    with pytest.raises(DataError, match='"load"'):
        model.predict(TABLE.rename_columns(["day", "demand"]))


def test_the_logarithm_of_zero_is_refused_at_prediction() -> None:
    growing = np.exp(np.cumsum(np.random.default_rng(2).normal(0.05, 0.3, 60)))
    model = Forecaster("load", 4, periods=(), **TINY).fit(table_of(growing))
    assert model.recipe_.log
    with pytest.raises(DataError, match='"load" holds 0 at day 2024-02-10, but this model was trained on positive'):
        model.predict(table_of(np.where(np.arange(60) == 40, 0.0, growing)))


def test_a_folder_of_another_task_is_refused(model: Forecaster, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "other", task="classify", weights={}, config={}, metrics={}, card="")
    with pytest.raises(ModelFolderError, match='holds a model of the task "classify", not of "forecast"'):
        Forecaster.load(folder)
    with pytest.raises(ModelFolderError, match="classify"):
        Forecaster("load", 4, **TINY).fit(TABLE, init_from=folder)
    with pytest.raises(ModelFolderError, match="nowhere"):
        Forecaster.load(tmp_path / "nowhere")
    target = model.save(tmp_path / "model")
    with pytest.raises(ModelFolderError, match="model"):
        model.save(target)


def test_too_short_a_table_to_start_from_another_model(model: Forecaster, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "model")
    assert model.recipe_.season == 7, "the model to start from is to have a season"
    with pytest.raises(DataError, match=r"season of 7 steps and needs three of them .* has 18 rows"):
        Forecaster("load", 4, **TINY).fit(TABLE.slice(0, 18), init_from=folder)


def test_a_loss_that_is_not_finite_is_reported_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ForecastNetwork.__init__

    def broken(self: ForecastNetwork, *args: Any, **named: Any) -> None:
        made(self, *args, **named)
        nn.init.constant_(self.output_bias, float("nan"))

    monkeypatch.setattr(ForecastNetwork, "__init__", broken)
    model = Forecaster("load", 4, **TINY)
    with pytest.raises(TrainingError, match="epoch 1, step 1: the loss is nan, in batch: 2024-01-"):
        model.fit(TABLE)
    with pytest.raises(NotFittedError):
        model.predict(TABLE)
