"""Reports of estimators: what they score, what they show, and that neither claims more than was measured."""

import numpy as np
import pyarrow as pa
import pytest

from gatewise.data import airline
from gatewise.errors import DataError
from gatewise.reports import Report, render
from gatewise.reports.classification import classification_report
from gatewise.reports.forecast import forecast_report
from gatewise.reports.history import loss_curves
from gatewise.reports.scores import metrics_table
from gatewise.tasks import Classifier, Forecaster

TABLE = airline()
PAST = TABLE.slice(0, 132)


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster("passengers", 12, members=1, max_epochs=2, hidden_size=4, threads=1).fit(PAST)


@pytest.fixture(scope="module")
def waves() -> tuple[list[np.ndarray], list[str]]:
    rng = np.random.default_rng(0)
    X = [np.sin((0.3, 1.5)[k % 2] * np.arange(rng.integers(8, 14)))[:, None] for k in range(24)]
    return X, ["slow", "fast"] * 12


@pytest.fixture(scope="module")
def classifier(waves: tuple[list[np.ndarray], list[str]]) -> Classifier:
    return Classifier(members=2, max_epochs=2, hidden_size=4, threads=1).fit(*waves)


def scores(report: Report) -> dict[str, float | None]:
    assert report.metrics is not None
    return {metric.name: value for metric, value in zip(report.metrics.columns, report.metrics.values[0], strict=True)}


def test_rows_after_the_training_are_forecast_and_scored(forecaster: Forecaster) -> None:
    report = forecast_report(forecaster, TABLE)
    assert "lie after the training rows" in report.subtitle
    expected = forecaster.evaluate(TABLE)
    assert scores(report)["MAE"] == expected["mae"]
    assert report.metrics is not None
    assert report.metrics.rows == ("gatewise", "seasonal naive")
    assert report.metrics.values[1][0] == expected["baseline"]["mae"]
    [panel] = report.forecasts
    assert panel.truth == tuple(map(float, TABLE["passengers"].to_pylist()[-12:]))
    assert (panel.times[0], panel.times[-1], panel.origin) == ("1960-01-01", "1960-12-01", "1959-12-01")
    assert panel.history[-1] == 405
    assert list(panel.quantiles) == [0.1, 0.5, 0.9]


@pytest.mark.parametrize("table", [PAST, TABLE.slice(0, 140)], ids=["training rows", "partly training rows"])
def test_rows_of_the_training_are_never_scored(forecaster: Forecaster, table: pa.Table) -> None:
    report = forecast_report(forecaster, table)
    assert "validation part" in report.subtitle
    assert scores(report)["MAE"] == forecaster.validation_["mae"]
    [panel] = report.forecasts
    assert panel.truth == ()
    assert panel.forecast == tuple(forecaster.predict(table)["forecast"].to_pylist())


def test_windows_that_reach_back_into_the_training_are_not_scored(forecaster: Forecaster) -> None:
    assert "validation part" in forecast_report(forecaster, TABLE, windows=2).subtitle


def test_the_training_alone(forecaster: Forecaster) -> None:
    report = forecast_report(forecaster)
    assert (report.forecasts, report.cell) == ((), None)
    assert report.history is not None
    assert len(report.history.runs) == len(forecaster.history_)
    assert "<h1>Forecasts of passengers</h1>" in render(report)


def test_series_of_steps_without_time_and_with_gaps() -> None:
    value = np.sin(np.arange(80) / 3) + np.arange(80) / 50
    value[[7, 60]] = np.nan
    table = pa.table({"y": pa.array(value, from_pandas=True)})
    model = Forecaster("y", 2, members=1, max_epochs=1, hidden_size=4, threads=1).fit(table.slice(0, 76))
    [panel] = forecast_report(model, table, windows=2).forecasts
    assert panel.times == (78, 79)
    assert panel.history_times[-1] == 77
    assert None in panel.history


def test_unknown_future_covariates_leave_the_forecast_out() -> None:
    table = PAST.append_column("trend", pa.array(np.arange(132.0)))
    model = Forecaster("passengers", 3, future=("trend",), members=1, max_epochs=1, hidden_size=4, threads=1).fit(table)
    report = forecast_report(model, table)
    assert report.forecasts == ()
    assert report.cell is not None


def test_the_look_into_the_cell_is_what_the_network_did(forecaster: Forecaster, classifier: Classifier) -> None:
    cell = forecast_report(forecaster, TABLE).cell
    assert cell is not None
    seen = forecaster.observe(TABLE)
    np.testing.assert_allclose(np.array(cell.gates["f"]), seen["f"][:, list(cell.units)])
    assert cell.times[0] == "1949-01-01"
    assert (cell.of_units, cell.input_names) == (4, ("passengers",))


def test_a_classifier_on_labelled_sequences(classifier: Classifier, waves: tuple[list[np.ndarray], list[str]]) -> None:
    report = classification_report(classifier, *waves)
    expected = classifier.evaluate(*waves)
    assert scores(report)["accuracy"] == expected["accuracy"]
    assert report.confusion is not None
    assert report.confusion.labels == ("fast", "slow")
    assert report.confusion.accuracy == expected["accuracy"]
    assert np.array(report.confusion.counts).sum(1).tolist() == [12, 12]
    assert report.cell is not None
    assert report.cell.inputs == tuple((float(v),) for v in waves[0][0][:, 0])
    assert "Confusion matrix" in render(report)


def test_a_classifier_on_unlabelled_sequences_and_alone(
    classifier: Classifier, waves: tuple[list[np.ndarray], list[str]]
) -> None:
    unlabelled = classification_report(classifier, waves[0])
    assert (unlabelled.confusion, unlabelled.cell is None) == (None, False)
    alone = classification_report(classifier)
    assert (alone.confusion, alone.cell) == (None, None)
    assert scores(alone) == scores(unlabelled)
    assert scores(alone)["accuracy"] == classifier.validation_["accuracy"]


def test_data_of_other_channels_are_refused(classifier: Classifier) -> None:
    with pytest.raises(DataError, match="3 channels"):
        classification_report(classifier, [np.zeros((5, 3))], ["slow"])


def test_nothing_measured_is_no_table() -> None:
    assert metrics_table({}, "baseline") is None
    assert loss_curves([{"name": "a", "best_epoch": 0, "epochs": ()}]) is None
