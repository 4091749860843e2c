"""The forecaster from table to table: what it learns, what it returns, and what it keeps in its folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute
import pytest
import torch
from sklearn.base import clone

from gatewise.data.examples import airline
from gatewise.tasks import Forecaster, load
from gatewise.tasks.forecasting import contribution, fitting
from gatewise.tasks.forecasting.backtest import forecast_turns

pc: Any = pyarrow.compute
TINY: dict[str, Any] = {"members": 1, "max_epochs": 2, "hidden_size": 8, "threads": 1}


def waves(length: int, seed: int = 0, level: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return level + 3 * np.sin(2 * np.pi * np.arange(length) / 7) + rng.normal(0, 0.5, length)


def days(length: int) -> np.ndarray:
    return np.datetime64("2024-01-01", "us") + np.arange(length) * np.timedelta64(1, "D")


def panel_table(lengths: dict[str, int]) -> pa.Table:
    """Series of different lengths in long format."""
    return pa.concat_tables(
        pa.table({"site": [name] * n, "day": days(n), "load": waves(n, i, level=20.0 * i)})
        for i, (name, n) in enumerate(lengths.items())
    )


TABLE = pa.table({"day": days(90), "load": waves(90)})
SITES = panel_table({"a": 90, "b": 60, "c": 75})


@pytest.fixture(scope="module")
def model() -> Forecaster:
    return Forecaster("load", 5, **TINY).fit(TABLE)


@pytest.fixture(scope="module")
def of_sites() -> Forecaster:
    return Forecaster("load", 5, id="site", **TINY).fit(SITES)


def values(table: pa.Table, names: tuple[str, ...] = ("forecast", "q0.1", "q0.5", "q0.9")) -> np.ndarray:
    return np.stack([table.column(name).to_numpy() for name in names], -1)


def test_the_last_year_of_airline_passengers_is_forecast_well_by_default() -> None:
    table = airline()
    model = Forecaster("passengers", 12).fit(table.slice(0, 132))
    metrics = model.evaluate(table)
    assert metrics["baseline"]["mape"] == pytest.approx(9.99, abs=0.01)  # the seasonal naive's, as published
    assert metrics["baseline"]["rmse"] == pytest.approx(50.7, abs=0.05)
    assert metrics["mape"] < 5
    assert metrics["rmse"] < 0.5 * metrics["baseline"]["rmse"]
    assert metrics["mase"] < 1
    assert 0.5 <= metrics["coverage"] <= 1
    assert model.score(table) == pytest.approx(1 - metrics["mae"] / metrics["baseline"]["mae"])
    assert model.recipe_.season == 12
    assert any("the target, from the value 12 steps (each a month) before" in note for note in model.notes_)
    assert model.trained_until_ == "1959-12-01"
    assert [run["name"] for run in model.history_[:4]] == ["validated 1", "validated 2", "validated 3", "member 1"]
    forecast = model.predict(table.slice(0, 132))
    assert forecast.column_names == ["month", "forecast", "q0.1", "q0.5", "q0.9"]
    want = np.arange("1960-01", "1961-01", dtype="datetime64[M]")
    np.testing.assert_array_equal(forecast.column("month").to_numpy(), want.astype("datetime64[us]"))
    ordered = values(forecast, ("q0.1", "q0.5", "q0.9"))
    assert (np.diff(ordered, axis=1) > 0).all()


def test_month_ends_stay_month_ends() -> None:
    months = pd.date_range("2019-01-31", periods=48, freq="ME")
    table = pd.DataFrame({"when": months, "sales": 10 + np.arange(48) % 12 + waves(48)})
    forecast = Forecaster("sales", 3, **TINY).fit(table).predict(table)
    assert forecast["when"].tolist() == [pd.Timestamp(f"2023-{day}") for day in ("01-31", "02-28", "03-31")]


def test_steps_are_counted_where_there_is_no_time() -> None:
    table = pa.table({"load": waves(60)})
    forecast = Forecaster("load", 3, periods=(7,), **TINY).fit(table).predict(table)
    assert forecast.column_names[0] == "step"
    assert forecast.column("step").to_pylist() == [60, 61, 62]


def test_forecasts_come_in_the_library_the_table_is_of(model: Forecaster) -> None:
    arrow = model.predict(TABLE)
    frame = model.predict(TABLE.to_pandas())
    polars_frame = model.predict(pl.DataFrame(pl.from_arrow(TABLE)))
    assert isinstance(arrow, pa.Table)
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(polars_frame, pl.DataFrame)
    np.testing.assert_array_equal(frame["forecast"], arrow.column("forecast"))
    np.testing.assert_array_equal(polars_frame["q0.9"], arrow.column("q0.9"))
    again = Forecaster("load", 5, **TINY).fit(TABLE.to_pandas())
    np.testing.assert_array_equal(values(again.predict(TABLE)), values(arrow))


def test_a_forecast_is_in_the_units_of_the_target() -> None:
    tables = [pa.table({"day": days(90), "load": scale * waves(90)}) for scale in (1.0, 1e6)]
    one, million = (values(Forecaster("load", 5, **TINY).fit(table).predict(table)) for table in tables)
    np.testing.assert_allclose(million, 1e6 * one, rtol=1e-3, atol=1e3)
    assert np.abs(one).max() > 2


def test_series_are_forecast_each_from_its_own_end(of_sites: Forecaster) -> None:
    forecast = of_sites.predict(SITES)
    assert forecast.column_names[:2] == ["site", "day"]
    assert forecast.column("site").to_pylist() == ["a"] * 5 + ["b"] * 5 + ["c"] * 5
    ends = forecast.column("day").to_numpy().reshape(3, 5)[:, 0]
    np.testing.assert_array_equal(ends, [days(n + 1)[-1] for n in (90, 60, 75)])
    means = values(forecast, ("forecast",)).reshape(3, 5).mean(1)
    np.testing.assert_allclose(means, [0, 20, 40], atol=4)
    alone = of_sites.predict(SITES.filter(pa.array([site == "b" for site in SITES.column("site").to_pylist()])))
    np.testing.assert_allclose(values(alone), values(forecast)[5:10], rtol=1e-4)


def test_ids_keep_their_type() -> None:
    numbers = pa.array([{"a": 7, "b": 11, "c": 2}[site] for site in SITES.column("site").to_pylist()])
    table = SITES.set_column(0, "site", numbers)
    forecast = Forecaster("load", 5, id="site", **TINY).fit(table).predict(table)
    assert forecast.column("site").type == pa.int64()
    assert forecast.column("site").to_pylist() == [7] * 5 + [11] * 5 + [2] * 5


def test_an_unseen_series_is_forecast_at_its_own_level(of_sites: Forecaster) -> None:
    new = pa.table({"site": ["new"] * 80, "day": days(80), "load": waves(80, 9, level=500.0)})
    forecast = values(of_sites.predict(new), ("forecast",))
    np.testing.assert_allclose(forecast, 500, atol=8)
    assert np.std(forecast) > 1


@pytest.mark.parametrize("site", ["b", "unseen"])
def test_a_backtest_forecasts_what_prediction_did_at_each_origin(of_sites: Forecaster, site: str) -> None:
    own = waves(60, 1, level=20.0)
    table = pa.table({"site": [site] * 60, "day": days(60), "load": own})
    found = of_sites.backtest(table, windows=3, stride=4)
    assert (found.origins + 1).tolist() == [47, 51, 55]
    for k, n in enumerate((47, 51, 55)):
        then = of_sites.predict(table.slice(0, n))
        np.testing.assert_allclose(found.forecast[k], then.column("forecast"), rtol=1e-5)
        np.testing.assert_allclose(found.quantiles[k], values(then)[:, 1:], rtol=1e-5)
        np.testing.assert_array_equal(found.times[k], then.column("day").to_numpy())
        np.testing.assert_array_equal(found.truth[k], own[n : n + 5])
    flat = found.table()
    assert flat.column_names == [
        "site", "origin", "day", "lead", "truth", "forecast", "q0.1", "q0.5", "q0.9", "baseline",
    ]  # fmt: skip
    assert flat.num_rows == 15
    np.testing.assert_array_equal(flat.column("forecast"), found.forecast.ravel())
    assert of_sites.evaluate(table, windows=3, stride=4) == found.metrics()
    assert found.metrics()["windows"] == 3


def test_a_backtest_with_new_models_is_what_each_of_them_forecasts(of_sites: Forecaster) -> None:
    found = of_sites.backtest(SITES, windows=2, stride=7, refit=True)
    before = {"a": (78, 85), "b": (48, 55), "c": (63, 70)}
    for window in (0, 1):
        parts = [SITES.filter(pc.equal(SITES["site"], site)).slice(0, rows[window]) for site, rows in before.items()]
        history = pa.concat_tables(parts)
        model = Forecaster("load", 5, id="site", **TINY).fit(history)
        want = model.predict(history).column("forecast").to_numpy().reshape(3, 5)
        np.testing.assert_allclose(found.forecast[window::2], want, rtol=1e-6)
    assert not np.allclose(found.forecast, of_sites.backtest(SITES, windows=2, stride=7).forecast)


def test_a_backtest_takes_as_many_windows_as_there_are(model: Forecaster) -> None:
    found = model.backtest(TABLE, windows=None, stride=1)
    fewest = model.recipe_.season + 2
    np.testing.assert_array_equal(found.origins, np.arange(fewest - 1, 90 - 5))


def test_origins_of_unseen_series_share_turns_only_where_there_are_many() -> None:
    series = np.repeat([0, 1, 2], [3, 2, 100])
    turns = forecast_turns(series, np.array([True, False, True]))
    assert turns[:5].tolist() == [0, 1, 2, 0, 0]
    assert turns[5:].max() == 31
    assert (np.diff(turns[5:]) >= 0).all()
    assert set(turns[5:].tolist()) == set(range(32))


def test_missing_targets_are_masked() -> None:
    load = waves(120)
    gone = np.zeros(120, bool)
    gone[np.random.default_rng(3).choice(118, 20, replace=False)] = True
    table = pa.table({"day": days(120), "load": pa.array(np.where(gone, np.nan, load), from_pandas=True)})
    model = Forecaster("load", 5, **TINY).fit(table)
    assert model.fitted_.statistics.missing
    assert any("lacks 20 of 120 values" in note for note in model.notes_)
    found = model.backtest(table, windows=8)
    assert np.isnan(found.truth).any()
    assert np.isfinite(found.forecast).all()
    assert np.isfinite(found.metrics()["mae"])
    dropped = table.filter(pa.array(~gone))
    masked = Forecaster("load", 5, gaps="mask", **TINY).fit(dropped)
    np.testing.assert_array_equal(values(masked.predict(dropped)), values(model.predict(table)))
    filled = Forecaster("load", 5, gaps="interpolate", **TINY).fit(dropped)
    assert not filled.fitted_.statistics.missing


def test_a_series_may_begin_with_missing_targets() -> None:
    load = np.where(np.arange(90) < 20, np.nan, waves(90))
    table = pa.table({"day": days(90), "load": pa.array(load, from_pandas=True)})
    model = Forecaster("load", 5, **TINY).fit(table)
    found = model.backtest(table, windows=None)
    assert found.origins.min() >= 20
    assert np.isfinite(found.forecast).all()


def test_rows_held_for_validation_train_no_scaler_of_the_scouts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = fitting.Fitting.train

    def kept(self: fitting.Fitting, *args: Any, **named: Any) -> Any:
        result = original(self, *args, **named)
        made.append((args[1], result[0].statistics))
        return result

    monkeypatch.setattr(fitting.Fitting, "train", kept)
    load = waves(90)  # of both signs, so that it is not the logarithm that is scaled
    Forecaster("load", 5, periods=(), **TINY).fit(pa.table({"day": days(90), "load": load}))
    (scouts, of_scouts), (rows, of_members) = made
    assert (scouts.tolist(), rows.tolist()) == ([72], [90])
    assert of_scouts.level[""] == pytest.approx((load[:72].mean(), load[:72].std()))
    assert of_members.level[""] == pytest.approx((load.mean(), load.std()))


def test_seeds_reproduce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contribution, "helps", lambda *_: True)  # so that the networks have their part in the forecasts
    model = Forecaster("load", 5, **TINY).fit(TABLE)
    state = torch.get_rng_state()
    again = Forecaster("load", 5, **TINY).fit(TABLE)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(values(again.predict(TABLE)), values(model.predict(TABLE)))
    assert again.notes_ == model.notes_
    other = Forecaster("load", 5, seed=1, **TINY).fit(TABLE)
    assert not np.array_equal(values(other.predict(TABLE)), values(model.predict(TABLE)))
    assert not np.array_equal(
        other.fitted_.members[0].lstm.state_dict()["weight_ih_l0"],
        model.fitted_.members[0].lstm.state_dict()["weight_ih_l0"],
    )


def test_a_model_comes_back_from_its_folder(of_sites: Forecaster, tmp_path: Path) -> None:
    folder = of_sites.save(tmp_path / "model", metrics={"test": {"mae": 1.5}})
    again = load(folder)
    assert isinstance(again, Forecaster)
    np.testing.assert_array_equal(values(again.predict(SITES)), values(of_sites.predict(SITES)))
    one, two = again.backtest(SITES, windows=4), of_sites.backtest(SITES, windows=4)
    np.testing.assert_array_equal(one.quantiles, two.quantiles)
    assert one.metrics() == two.metrics()
    assert again.recipe_ == of_sites.recipe_
    assert again.notes_ == of_sites.notes_
    assert again.validation_ == of_sites.validation_
    assert again.trained_until_ == of_sites.trained_until_
    given = {name: list(v) if isinstance(v, tuple) else v for name, v in of_sites.get_params().items()}
    assert {name: list(v) if isinstance(v, tuple) else v for name, v in again.get_params().items()} == given
    card = (folder / "README.md").read_text()
    assert "225 rows of 3 series" in card
    assert all(note in card for note in of_sites.notes_)
    assert "mae 1.5" in card


def test_training_starts_from_another_model(model: Forecaster, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "model")
    further = Forecaster("load", 5, **{**TINY, "learning_rate": 1e-9}).fit(TABLE, init_from=folder)
    old, new = model.fitted_.members[0].state_dict(), further.fitted_.members[0].state_dict()
    for name, value in old.items():
        torch.testing.assert_close(new[name], value, rtol=0, atol=1e-6)
    assert (old["far_output"].abs() > 1e-5).any()
    assert any("recipe is that of the model" in note for note in further.notes_)
    assert further.recipe_.season == model.recipe_.season


def test_scikit_learn_handles_its_parameters(model: Forecaster) -> None:
    copy: Forecaster = clone(model)  # pyright: ignore[reportAssignmentType]
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "fitted_")
    assert copy.set_params(horizon=3, quantiles=(0.25, 0.75)) is copy
    forecast = copy.fit(TABLE).predict(TABLE)
    assert forecast.column_names == ["day", "forecast", "q0.25", "q0.75"]
    assert forecast.num_rows == 3
    with pytest.raises(ValueError, match="no_such"):
        copy.set_params(no_such=1)


def test_without_quantiles_there_is_the_mean_alone(tmp_path: Path) -> None:
    model = Forecaster("load", 5, quantiles=(), **TINY).fit(TABLE)
    forecast = model.predict(TABLE)
    assert forecast.column_names == ["day", "forecast"]
    assert "coverage" not in model.evaluate(TABLE)
    again = Forecaster.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict(TABLE).column("forecast"), forecast.column("forecast"))


def test_a_perfect_naive_forecast_cannot_be_beaten(model: Forecaster, monkeypatch: pytest.MonkeyPatch) -> None:
    for own, score in ((0.0, 1.0), (2.0, 0.0)):
        monkeypatch.setattr(model, "evaluate", lambda table, own=own: {"mae": own, "baseline": {"mae": 0.0}})
        assert model.score(TABLE) == score


def test_gates_are_observed(model: Forecaster) -> None:
    seen = model.observe(TABLE, steps=30)
    assert {name: seen[name].shape for name in "ifoc"} == dict.fromkeys("ifoc", (30, 8))
    for gate in "ifo":
        assert ((seen[gate] > 0) & (seen[gate] < 1)).all()
        assert seen[gate].std(0).min() > 0
    np.testing.assert_array_equal(seen["times"], days(90)[-30:])
    np.testing.assert_array_equal(seen["target"], TABLE.column("load").to_numpy()[-30:])


def test_a_correction_that_does_harm_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    original = fitting.ForecastObjective.validate

    def validate(self: fitting.ForecastObjective) -> dict[str, float]:
        found = original(self)
        if self.validated:
            # A noise of zero mean, which never helps, in the place of what the network had learned.
            self.validated[-1] = np.random.default_rng(0).normal(size=self.validated[-1].shape).astype(np.float32)
        return found

    monkeypatch.setattr(fitting.ForecastObjective, "validate", validate)
    model = Forecaster("load", 5, **{**TINY, "members": 3}).fit(TABLE)
    assert model.recipe_.weights == (0.0, 0.0)
    assert any("no reliable gain: forecasts are those of the linear part alone" in note for note in model.notes_)
    assert len(model.fitted_.members) == 1
    before = model.predict(TABLE)
    for parameter in model.fitted_.members[0].parameters():
        parameter.data += 1.0
    np.testing.assert_array_equal(values(model.predict(TABLE)), values(before))


def test_a_gain_by_chance_is_told_from_one_that_lasts() -> None:
    miss, known = torch.ones(40, 3), torch.ones(40, 3, dtype=torch.bool)
    once = torch.zeros(40, 3)
    once[:4] = 0.9
    assert contribution.helps(miss, 0.1 * miss, known, 10)
    assert not contribution.helps(miss, once, known, 10)
    assert not contribution.helps(miss, -0.1 * miss, known, 10)
    assert not contribution.helps(miss, 0.1 * miss, known & (torch.arange(40) < 4)[:, None], 10)
