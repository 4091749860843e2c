"""A forecaster beside simple methods: the same origins, only what was known then, the best first."""

import importlib
import importlib.util
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from gatewise.data.examples import airline
from gatewise.errors import ConfigurationError, DataError
from gatewise.reports.forecast import forecast_report
from gatewise.tasks import Forecaster
from gatewise.tasks.forecasting import leaderboard

TINY: dict[str, Any] = {"members": 1, "max_epochs": 2, "hidden_size": 8, "threads": 1}


class Newest:
    """In the place of AutoETS: the newest value, with intervals as wide as their level; it remembers what it saw."""

    seen: list[tuple[int, np.ndarray]]

    def __init__(self, season_length: int) -> None:
        self.season_length = season_length

    def forecast(self, y: np.ndarray, h: int, level: list[float] | None) -> dict[str, np.ndarray]:
        self.seen.append((self.season_length, y))
        mean = np.repeat(y[-1], h)
        return {"mean": mean, **{f"{side}-{p}": mean + sign * p for p in level or () for side, sign in SIDES}}


SIDES = (("lo", -1), ("hi", 1))


@pytest.fixture
def newest(monkeypatch: pytest.MonkeyPatch) -> type[Newest]:
    Newest.seen = []
    monkeypatch.setattr(leaderboard, "_auto_ets", lambda: Newest)
    return Newest


@pytest.fixture(scope="module")
def model() -> Forecaster:
    return Forecaster("passengers", 12, **TINY).fit(airline().slice(0, 120))


def test_all_are_scored_on_the_same_values_and_know_only_what_came_before(
    model: Forecaster, newest: type[Newest]
) -> None:
    metrics = model.evaluate(airline(), windows=2, leaderboard=True)
    rows = {row["name"]: row for row in metrics["leaderboard"]}
    assert set(rows) == {"gatewise", "naive", "seasonal naive (12)", "AutoETS"}
    assert [row["mae"] for row in metrics["leaderboard"]] == sorted(row["mae"] for row in rows.values())
    for name in ("mae", "rmse", "mape", "mase", "pinball", "coverage"):
        assert rows["gatewise"][name] == metrics[name]
        assert rows["naive"].get(name) == rows["AutoETS"].get(name) or name in ("pinball", "coverage")
    assert rows["seasonal naive (12)"]["mape"] == metrics["baseline"]["mape"]
    passengers = airline().column("passengers").to_numpy()
    assert [season for season, _ in newest.seen] == [12, 12]
    for (_, history), end in zip(newest.seen, (120, 132), strict=True):
        np.testing.assert_array_equal(history, passengers[:end])
    truth = passengers[120:].reshape(2, 12)
    misses = np.abs(truth - passengers[[119, 131]][:, None])
    assert rows["AutoETS"]["coverage"] == pytest.approx((misses <= 80).mean())


def test_the_report_shows_the_leaderboard(model: Forecaster, newest: type[Newest]) -> None:
    scores = model.evaluate(airline(), windows=2, leaderboard=True)
    table = forecast_report(model, airline(), windows=2, scores=scores).metrics
    assert table is not None
    assert table.rows == tuple(row["name"] for row in scores["leaderboard"])
    assert len(newest.seen) == 2


def test_a_season_of_many_steps_or_seen_once_is_left_to_others(newest: type[Newest]) -> None:
    times = np.datetime64("2024-01-01T00:00", "us") + np.arange(90) * np.timedelta64(30, "m")
    table = pa.table({"t": times, "y": np.sin(np.arange(90.0))})
    Forecaster("y", 3, **TINY).fit(table).evaluate(table, leaderboard=True)  # periods 48 and 336
    Forecaster("y", 3, periods=(12, 20, 60), **TINY).fit(table).evaluate(table.slice(0, 33), leaderboard=True)
    assert [season for season, _ in newest.seen] == [1, 12]


def test_a_series_too_short_is_refused(newest: type[Newest]) -> None:
    del newest
    table = pa.table({"y": np.sin(np.arange(60.0))})
    model = Forecaster("y", 3, **TINY).fit(table)
    with pytest.raises(DataError, match="AutoETS needs 8 values or more, but there are 7 up to 6; give more rows"):
        model.evaluate(table.slice(0, 10), leaderboard=True)


def test_without_statsforecast_it_says_what_to_install(model: Forecaster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    with pytest.raises(ConfigurationError, match=r'not installed: pip install "gatewise\[leaderboard\]"'):
        model.evaluate(airline(), leaderboard=True)


@pytest.mark.skipif(importlib.util.find_spec("statsforecast") is None, reason="needs the extra leaderboard")
@pytest.mark.filterwarnings("ignore")  # those of statsforecast's own imports
def test_auto_ets_itself_forecasts_the_airline_data_better_than_the_seasonal_naive(model: Forecaster) -> None:
    found = model.evaluate(airline(), windows=2, leaderboard=True)["leaderboard"]
    rows = {row["name"]: row for row in found}
    assert rows["AutoETS"]["mape"] < rows["seasonal naive (12)"]["mape"]
    own = importlib.import_module("statsforecast.models").AutoETS(season_length=12)
    history = airline().column("passengers").to_numpy()[:132].astype(float)
    said = own.forecast(history, 12, level=[80])
    mean, quantiles = leaderboard._smoothed(own, history, 12, (0.1, 0.5, 0.9))
    np.testing.assert_array_equal(mean, said["mean"])
    np.testing.assert_allclose(quantiles, np.stack([said["lo-80"], said["mean"], said["hi-80"]], -1), rtol=1e-12)
    assert (np.diff(quantiles, axis=1) > 0).all()
