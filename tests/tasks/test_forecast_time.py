"""A forecaster's training ends in time and where it is told to, and keeps what it has by then."""

import itertools
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.tasks.test_forecast_estimator import TABLE, TINY, values

from gatewise.tasks import Forecaster, load
from gatewise.tasks.forecasting import contribution, fitting
from gatewise.training import Interrupt, Journal, TrainingOptions


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks have their part in the forecasts, however little these few steps have taught them."""
    monkeypatch.setattr(contribution, "helps", lambda *_: True)


def test_training_ends_in_time() -> None:
    model = Forecaster("load", 5, **{**TINY, "members": 3, "max_epochs": 10_000, "max_minutes": 0.02}).fit(TABLE)
    assert sum(row["seconds"] for run in model.history_ for row in run["epochs"]) < 10
    assert not model.interrupted_
    assert model.fitted_.members
    assert [run for run in model.history_ if run["name"] == "validated 1" and run["epochs"]]
    assert np.isfinite(values(model.predict(TABLE))).all()


@pytest.mark.parametrize("covariates", [(), ("rain",)])
def test_the_networks_share_the_time(covariates: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it is the scouts', an equal part each; what they leave over is the members', an equal part each."""
    now, asked = [0.0], []
    original = fitting.train

    def train(objective: Any, options: TrainingOptions, *, label: str, **named: Any) -> Any:
        assert options.max_minutes is not None
        asked.append((label.split()[0], options.max_minutes, now[0] / 60))
        objective.batches_per_epoch, batches = 3, objective.batches

        def slow(epoch: int) -> Any:
            for batch in itertools.islice(batches(epoch), 3):
                now[0] += 1.0
                yield batch

        objective.batches = slow
        return original(objective, options, label=label, **named)

    monkeypatch.setattr(fitting, "train", train)
    monkeypatch.setattr("gatewise.tasks.journal.Journal", partial(Journal, clock=lambda: now[0]))
    parameters = {**TINY, "members": 2, "max_epochs": 10_000, "patience": 10_000, "max_minutes": 4.0}
    table = TABLE.append_column("rain", pa.array(np.arange(90) % 5.0))
    model = Forecaster("load", 5, past=covariates, **parameters).fit(table)
    scouts, members = ([found[1:] for found in asked if found[0] == name] for name in ("validated", "member"))
    # With a covariate the first of up to three rounds of scouts leaves the others their part.
    planned = 6 if covariates else 2
    for k, (minutes, at) in enumerate(scouts[:2]):
        assert minutes == pytest.approx((2.0 - at) / (planned - k))
    for k, (minutes, at) in enumerate(members):
        assert minutes == pytest.approx((4.0 - at) / (2 - k))
    assert any("max_minutes shortened the training of" in note for note in model.notes_)
    for run in model.history_[:2]:
        assert run["epochs"][-1]["learning_rate"] < 0.01 * run["epochs"][2]["learning_rate"]


def interrupted_at(run: str, epoch: int, monkeypatch: pytest.MonkeyPatch) -> Forecaster:
    """A forecaster whose training gets a real SIGINT at the second batch of an epoch of the named run."""
    original = fitting.train

    def train(objective: Any, options: TrainingOptions, *, label: str, **named: Any) -> Any:
        batches = objective.batches

        def interrupted(now: int) -> Any:
            for number, batch in enumerate(batches(now)):
                if label.startswith(run) and (now, number) == (epoch, 1):
                    os.kill(os.getpid(), signal.SIGINT)
                yield batch

        objective.batches = interrupted
        return original(objective, options, label=label, **named)

    monkeypatch.setattr(fitting, "train", train)
    before = signal.getsignal(signal.SIGINT)
    model = Forecaster("load", 5, **{**TINY, "members": 2}).fit(TABLE)
    assert signal.getsignal(signal.SIGINT) is before
    return model


@pytest.mark.parametrize(
    ("run", "epoch", "runs", "networks", "note"),
    [
        ("validated 1", 1, ["validated 1"], 1, "networks of the training part, as they were"),
        ("validated 1", 2, ["validated 1"], 1, "networks of the training part, as they were"),
        ("member 1", 1, ["validated 1", "validated 2", "member 1"], 2, "networks of the training part"),
        ("member 2", 1, ["validated 1", "validated 2", "member 1", "member 2"], 1, "1 of 2 networks were finished"),
    ],
)
def test_an_interrupted_training_keeps_what_it_has(
    run: str, epoch: int, runs: list[str], networks: int, note: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = interrupted_at(run, epoch, monkeypatch)
    assert model.interrupted_
    assert [entry["name"] for entry in model.history_] == runs
    assert model.history_[-1]["stopped"] == "interrupted"
    assert len(model.fitted_.members) == networks
    assert any("Training was interrupted" in text and note in text for text in model.notes_)
    forecast = values(model.predict(TABLE))
    assert np.isfinite(forecast).all()
    again = load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(values(again.predict(TABLE)), forecast)


def test_an_interrupt_before_the_first_step_leaves_the_linear_part(monkeypatch: pytest.MonkeyPatch) -> None:
    entered = Interrupt.__enter__

    def requested(self: Interrupt) -> Interrupt:
        self.request()
        return entered(self)

    monkeypatch.setattr(Interrupt, "__enter__", requested)
    model = Forecaster("load", 5, **TINY).fit(TABLE)
    assert model.interrupted_
    assert not any(run["epochs"] for run in model.history_)
    found = model.backtest(TABLE)
    assert found.metrics()["mae"] < 3
