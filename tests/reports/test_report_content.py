import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sample_reports import airline_panel, classify_report, forecast_report

from gatewise.errors import ConfigurationError
from gatewise.reports import CellTrace, ConfusionMatrix, Curve, ForecastPanel, Metric, MetricsTable, Report
from gatewise.reports.timeline import labels, read


@pytest.mark.parametrize("build", [forecast_report, classify_report])
def test_reports_survive_json(build: Callable[[], Report]) -> None:
    report = build()
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert Report.from_dict(json.loads(text)) == report


def altered(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    values = forecast_report().to_dict()
    change(values)
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(metric=1), r'Report: unknown key "metric"; did you mean "metrics"'),
        (lambda r: r.pop("title"), r'Report: the key "title" is missing'),
        (lambda r: r["forecasts"][0].update(truht=[]), r'Report\.forecasts\[0\]: unknown key "truht"; .*"truth"'),
        (lambda r: r.update(title=3), r"Report\.title: expected str, got 3"),
        (
            lambda r: r.update(task="lable"),
            r'Report\.task: expected one of "forecast", "classify", "generate", "label", "transcribe", got \'lable\'',
        ),
        (lambda r: r.update(facts=[["a"]]), r"Report\.facts\[0\]: expected 2 entries"),
        (lambda r: r["history"].update(runs={}), r"Report\.history\.runs: expected a list"),
        (lambda r: r["cell"].update(units=[True]), r"Report\.cell\.units\[0\]: expected int, got True"),
        (lambda r: r["cell"].update(inputs=[["x", 1]]), r"Report\.cell\.inputs\[0\]\[0\]: expected float, got 'x'"),
        (lambda r: r["forecasts"][0].update(quantiles={"low": []}), r"quantiles: expected a number as key, got 'low'"),
        (lambda r: r["forecasts"][0].update(times=[1.5]), r"times\[0\]: expected str or int, got 1.5"),
        (lambda r: r.update(metrics=[]), r"Report\.metrics: expected an object with named entries, got list"),
    ],
)
def test_what_does_not_fit_is_named(change: Callable[[dict[str, Any]], None], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Report.from_dict(altered(change))


def panel(**changes: Any) -> ForecastPanel:
    whole: dict[str, Any] = {"series": "s", "history_times": (1, 2), "history": (1, 2), "times": (3,), "forecast": (4,)}
    return ForecastPanel(**(whole | changes))


def trace(**changes: Any) -> CellTrace:
    whole: dict[str, Any] = {"title": "t", "inputs": [[1], [2]], "input_names": ("x",), "units": (0,), "of_units": 1}
    whole["gates"] = {"c": [[0.5], [-2]]}
    return CellTrace(**(whole | changes))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: panel(history=(1,)), "expected 2 entries in history, as in history_times, got 1"),
        (lambda: panel(forecast=(1, 2)), "expected 1 entries in forecast, as in times, got 2"),
        (lambda: panel(truth=(1, 2)), "expected 1 entries in truth"),
        (lambda: panel(quantiles={0.5: ()}), "expected 1 entries in quantile 0.5"),
        (lambda: panel(quantiles={90: (1,)}), "expected quantile levels between 0 and 1, got 90.0"),
        (lambda: panel(times=(), forecast=()), "expected at least one forecast time"),
        (lambda: panel(times=("2024-01",)), "expected either ISO 8601 strings or whole numbers, got both"),
        (lambda: panel(times=("tomorrow",), history_times=(), history=()), "got 'tomorrow'"),
        (lambda: panel(forecast=("high",)), "expected numbers, got 'high'"),
        (lambda: trace(gates={"i": [[0.5], [0.5]]}), "expected the cell state c"),
        (lambda: trace(gates={"c": [[0], [0]], "g": [[0], [0]]}), 'unknown gate "g"'),
        (lambda: trace(gates={"c": [[0], [0]], "f": [[0.5], [1.2]]}), "expected gate f within 0 to 1, got 1.2"),
        (lambda: trace(gates={"c": [[0]]}), "expected 2 entries in gate c, as in inputs, got 1"),
        (lambda: trace(input_names=("x", "y")), "expected 2 entries in a row of inputs"),
        (lambda: trace(times=(1,)), "expected 2 entries in times"),
        (lambda: CellTrace.most_active("t", [[1]], ["x"], {"c": [[1, 2]], "f": [[1]]}), "a row of gate f"),
        (lambda: CellTrace.most_active("t", [[1]], ["x"], {"f": [[1]]}), "expected 0 entries|cell state c"),
        (lambda: ConfusionMatrix(("a", "b"), ((1, 2),)), "expected 2 entries in counts"),
        (lambda: ConfusionMatrix(("a",), ((-1,),)), "expected counts of at least 0, got -1"),
        (lambda: MetricsTable(("a",), (Metric("MAE"),), ((1, 2),)), "expected 1 entries in a row of values"),
        (lambda: Metric("MAE", "less"), 'better is "lower" or "higher", got \'less\''),  # type: ignore[arg-type]
        (lambda: Curve("run", (1, 2), (), best_epoch=3), "expected best_epoch within 1 to 2, got 3"),
        (lambda: Curve("run", (1, 2), (1,)), "expected 2 entries in validation"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build()


def test_what_is_not_finite_counts_as_missing() -> None:
    assert panel(truth=np.array([np.nan])).truth == (None,)
    assert Curve("run", (1.0, math.inf)).training == (1.0, None)


def test_most_active_units_are_those_whose_cells_vary_most() -> None:
    rng = np.random.default_rng(0)
    spread = np.array([0.1, 3.0, 0.5, 2.0])
    c = rng.standard_normal((200, 4)) * spread + np.array([50.0, 0, 0, 0])
    f = np.tile([0.1, 0.2, 0.3, 0.4], (200, 1))
    chosen = CellTrace.most_active("t", np.zeros((200, 1)), ["x"], {"c": c, "f": f}, count=3)
    assert chosen.units == (1, 3, 2)
    assert chosen.of_units == 4
    assert chosen.gates["f"][0] == (0.2, 0.4, 0.3)
    assert chosen.gates["c"][7] == tuple(c[7, [1, 3, 2]])


def test_longest_memory_is_the_product_of_forget_gates() -> None:
    f = [[0.5, 0.9], [0.5, 0.4], [0.5, 0.9]]
    found = trace(inputs=[[0]] * 3, units=(7, 9), of_units=10, gates={"c": [[0, 0]] * 3, "f": f}).longest_memory()
    assert found is not None
    unit, mean, half_life = found
    assert (unit, mean) == (9, pytest.approx((0.9 * 0.4 * 0.9) ** (1 / 3)))
    assert mean**half_life == pytest.approx(0.5)
    assert trace().longest_memory() is None


def test_best_follows_the_direction_and_ignores_what_is_missing() -> None:
    columns = (Metric("MAE"), Metric("accuracy", "higher"), Metric("alone"))
    table = MetricsTable(("a", "b", "c"), columns, ((1, 0.5, 3), (2, 0.9, None), (1, None, None)))
    assert [table.best(k) for k in range(3)] == [(0, 2), (1,), ()]


def test_recall_of_a_class_that_does_not_occur_is_unknown() -> None:
    matrix = ConfusionMatrix(("a", "b"), ((3, 1), (0, 0)))
    assert (matrix.recall(1), matrix.accuracy, matrix.confusions()) == (None, 0.75, ((0, 1, 1),))
    assert ConfusionMatrix(("a",), ((0,),)).accuracy is None


def test_bands_pair_levels_from_outside_in() -> None:
    assert airline_panel().bands() == ((0.05, 0.95), (0.25, 0.75))


def test_clocks_that_are_set_back_keep_running_forward() -> None:
    night = ("2024-10-27T02:30+02:00", "2024-10-27T02:30+01:00")
    assert labels(night) == ["2024-10-27 02:30", "2024-10-27 03:30"]
    with pytest.raises(ConfigurationError, match="an offset from UTC on all times or on none"):
        read((night[0], "2024-10-27T03:00"))
