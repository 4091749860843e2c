"""Options of forecasts on the command line: the calibrated band and the leaderboard."""

import json
from pathlib import Path

import pytest

from gatewise.tasks import Forecaster, load
from gatewise.tasks.forecasting import leaderboard
from tests.cli.program import TINY, Program, sales, write
from tests.tasks.test_forecast_leaderboard import Newest

TRAIN = ("train", "forecast", "sales.csv", "--target", "sales", "--horizon", "3", *TINY, "--out", "model", "--quiet")


@pytest.fixture(autouse=True)
def data(here: Path) -> None:
    write(here / "sales.csv", sales())


def test_a_band_is_calibrated(gatewise: Program) -> None:
    assert gatewise(*TRAIN, "--conformal", "0.8").code == 0
    model = load("model")
    assert isinstance(model, Forecaster)
    assert model.conformal == 0.8
    assert len(model.recipe_.band) == 3
    assert "The 80% band is calibrated on" in Path("model/README.md").read_text()
    refused = gatewise(*TRAIN, "--conformal", "0.5", "--overwrite")
    assert refused.code == 2
    assert "conformal is 0.5, which the outermost quantiles have to enclose" in refused.err


def test_a_leaderboard_is_in_the_scores_and_in_the_report(gatewise: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    Newest.seen = []
    monkeypatch.setattr(leaderboard, "_auto_ets", lambda: Newest)
    monkeypatch.setattr("gatewise.cli.holdout.find_spec", lambda name: name)
    assert gatewise(*TRAIN, "--holdout", "6", "--leaderboard").code == 0
    held_out = json.loads(Path("model/metrics.json").read_text())["held_out"]["leaderboard"]
    assert {row["name"] for row in held_out} >= {"gatewise", "naive", "seasonal naive (7)", "AutoETS"}
    assert "AutoETS" in Path("model/report.html").read_text()
    found = gatewise("evaluate", "model", "sales.csv", "--windows", "2", "--leaderboard", "--json")
    assert json.loads(found.out)["leaderboard"] == held_out
    assert "seasonal naive (7)" in gatewise("evaluate", "model", "sales.csv", "--windows", "2", "--leaderboard").out
    assert "leaderboard" not in json.loads(gatewise("evaluate", "model", "sales.csv", "--json").out)


def test_a_leaderboard_that_could_not_be_made_is_refused_before_the_training(
    gatewise: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = gatewise(*TRAIN, "--leaderboard")
    assert refused.code == 2
    assert "say how many with --holdout" in refused.err
    monkeypatch.setattr("gatewise.cli.holdout.find_spec", lambda name: None)
    refused = gatewise(*TRAIN, "--leaderboard", "--holdout", "6")
    assert refused.code == 2
    assert 'pip install "gatewise[leaderboard]"' in refused.err
    assert not Path("model").exists()
