"""A fit that was cut anywhere, by a signal or by a kill, goes on to the same bits. `tests/long/cuts.py` cuts more."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from tests.resuming import LIMITS, TASKS, Cut, Seen, Whole, differences, forecast_table, outcome, sequences, watched

from gatewise.errors import CheckpointError, CheckpointWarning, ConfigurationError, TrainingInterrupted
from gatewise.tasks import Classifier, Forecaster
from gatewise.training import Checkpoints, RunDirectory

WHOLE: dict[tuple[str, bool], Whole] = {}


def whole(name: str, limited: bool) -> Whole:
    """Of a task, fitted once."""
    if (name, limited) not in WHOLE:
        WHOLE[name, limited] = Whole.of(TASKS[name](**(LIMITS[name] if limited else {})))
    return WHOLE[name, limited]


@pytest.mark.parametrize("how", ["signal", "kill"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("name", TASKS)
def test_a_fit_that_was_cut_goes_on_to_the_same_bits(
    name: str, part: float, how: Literal["signal", "kill"], tmp_path: Path
) -> None:
    """Weights, optimiser, averages, random states, log, choices and notes."""
    expected = whole(name, limited=False)
    at = max(1, round(part * expected.moments))
    assert differences(expected, TASKS[name](), tmp_path / "run", at, how) == []


@pytest.mark.parametrize("part", [0.2, 0.6, 0.9])
@pytest.mark.parametrize("name", TASKS)
def test_so_does_one_with_a_time_limit(name: str, part: float, tmp_path: Path) -> None:
    """By a clock of which a second is a step: shares of the time, schedules and ends are those of the whole fit."""
    expected = whole(name, limited=True)
    task = TASKS[name](**LIMITS[name])
    at = round(part * expected.moments)
    for how in ("signal", "kill"):
        assert differences(expected, task, tmp_path / how, at, how) == []


def test_the_whole_fits_have_in_them_what_is_claimed() -> None:
    assert list(whole("forecast", False).runs) == [
        "validated 1", "validated 2", "validated with 0 covariates 1", "validated with 0 covariates 2", "member 1",
        "member 2",
    ]  # fmt: skip
    assert list(whole("classify", False).runs) == ["member 1", "member 2", "member 3"]
    assert list(whole("label", False).runs) == ["network"]
    assert list(whole("transcribe", False).runs) == ["network"]
    assert list(whole("generate", False).runs) == ["network"]
    for name in TASKS:  # limits that are not reached would change nothing
        assert whole(name, True).outcome["log"] != whole(name, False).outcome["log"]
        assert whole(name, True).losses < 60 * LIMITS[name]["max_minutes"] + 10


def test_a_fit_that_is_cut_again_and_again(tmp_path: Path) -> None:
    task, expected = TASKS["classify"](), whole("classify", False)
    cuts = 0
    while True:
        cut = Cut(9, "signal")
        with watched(Seen(), cut):
            try:
                model = task(Checkpoints(tmp_path, every=2))
            except TrainingInterrupted:
                cuts += 1
                continue
        break
    assert cuts > 5
    assert outcome(model) == expected.outcome


@pytest.mark.parametrize("name", TASKS)
def test_the_same_call_gives_the_finished_fit_back(name: str, tmp_path: Path) -> None:
    task = TASKS[name]()
    first = outcome(task(Checkpoints(tmp_path)))
    cut = Cut()
    with watched(Seen(), cut):
        again = task(Checkpoints(tmp_path))
    assert outcome(again) == first
    assert not again.interrupted_


def cut_off(name: str, directory: Path, part: float) -> Any:
    """The task, with a fit of it stopped in the directory."""
    task = TASKS[name]()
    with watched(Seen(), Cut(round(part * whole(name, False).moments), "signal")), pytest.raises(TrainingInterrupted):
        task(Checkpoints(directory))
    return task


@pytest.mark.parametrize(("name", "networks"), [("forecast", 2), ("classify", 2)])
def test_a_fit_can_be_ended_where_it_was_cut(name: str, networks: int, tmp_path: Path) -> None:
    task = cut_off(name, tmp_path, 0.6)
    seen = Seen()
    with watched(seen, Cut()):
        model = task(Checkpoints(tmp_path, finish=True))
    assert seen.seconds == 0  # nothing more is trained
    assert model.interrupted_
    members = model.fitted_.members if isinstance(model, Forecaster) else model.committee_.members
    assert len(members) == networks
    assert any("was interrupted" in note for note in model.notes_)
    # and goes on all the same
    with watched(Seen(), Cut()):
        assert outcome(task(Checkpoints(tmp_path))) == whole(name, False).outcome


def test_what_cannot_be_ended_says_so(tmp_path: Path) -> None:
    X, y = sequences()
    with pytest.raises(CheckpointError, match=r"no checkpoint in .*: there is no run to finish"):
        Classifier().fit(X, y, checkpoints=Checkpoints(tmp_path, finish=True))
    task = cut_off("classify", tmp_path / "begun", 0.02)
    with watched(Seen(), Cut()):
        model = task(Checkpoints(tmp_path / "begun", finish=True))
    assert len(model.committee_.members) == 1


def test_other_data_and_parameters_are_refused(tmp_path: Path) -> None:
    cut_off("forecast", tmp_path / "forecast", 0.1)
    cut_off("classify", tmp_path / "classify", 0.1)
    given: dict[str, Any] = {
        "id": "shop", "future": ["rain", "sky"], "hidden_size": 6, "num_layers": 2, "members": 2, "max_epochs": 3,
        "patience": 2,
    }  # fmt: skip
    table = forecast_table()
    changed = table.set_column(2, "load", [np.append(table["load"].to_numpy()[:-1], 50.0)])
    for other, message in (
        (table.slice(0, 139), "then 140 rows of 2 series; now 139 rows of 2 series"),
        (changed, "then 140 rows of 2 series; now 140 rows of 2 series with other values"),
    ):
        with pytest.raises(CheckpointError, match=message):
            Forecaster("load", 4, **given).fit(other, checkpoints=tmp_path / "forecast")
    with pytest.raises(CheckpointError, match="was begun with hidden_size=6, this fit has 7"):
        Forecaster("load", 4, **{**given, "hidden_size": 7}).fit(table, checkpoints=tmp_path / "forecast")
    with pytest.raises(CheckpointError, match='of the task "classify", not of "forecast"'):
        Forecaster("load", 4, **given).fit(table, checkpoints=tmp_path / "classify")
    forced = Checkpoints(tmp_path / "forecast", allow_changed_data=True)
    model = Forecaster("load", 4, **given).fit(changed, checkpoints=forced)
    assert outcome(model) != whole("forecast", False).outcome

    X, y = sequences()
    with pytest.raises(CheckpointError, match=r"then 60 sequences of .* now 60 sequences of .* with other values"):
        Classifier(5, members=3, max_epochs=5, patience=3, threads=1, batch_size=16).fit(
            X, y[::-1], checkpoints=tmp_path / "classify"
        )


def test_weights_to_start_from_belong_to_the_run(tmp_path: Path) -> None:
    X, y = sequences()
    small: dict[str, Any] = {"hidden_size": 4, "members": 1, "max_epochs": 2, "threads": 1}
    first, second = (Classifier(**small, seed=seed).fit(X, y) for seed in (1, 2))
    kept = Classifier(**small).fit(X, y, init_from=first, checkpoints=tmp_path)
    again = Classifier(**small).fit(X, y, init_from=first, checkpoints=tmp_path)
    assert outcome(again) == outcome(kept)
    with pytest.raises(CheckpointError, match="data are not those"):
        Classifier(**small).fit(X, y, init_from=second, checkpoints=tmp_path)


def test_a_newest_checkpoint_that_is_damaged_costs_only_what_came_after_the_one_before(tmp_path: Path) -> None:
    task = TASKS["classify"]()
    with watched(Seen(), Cut(40, "kill")), pytest.raises(BaseException, match=r"^$"):
        task(Checkpoints(tmp_path, every=3, keep=3))
    newest = list(RunDirectory(tmp_path).checkpoints().values())[-1]
    (newest / "tensors.safetensors").write_bytes((newest / "tensors.safetensors").read_bytes()[:-1])
    with watched(Seen(), Cut()), pytest.warns(CheckpointWarning, match=rf"{newest.name}.* truncated or altered"):
        model = task(Checkpoints(tmp_path))
    assert outcome(model) == whole("classify", False).outcome


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with RunDirectory(tmp_path), pytest.raises(CheckpointError, match="in use by process"):
        TASKS["classify"]()(Checkpoints(tmp_path))


def test_options_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="keep is 0, expected a whole number of at least 1"):
        Checkpoints("run", keep=0)
    with pytest.raises(ConfigurationError, match='checkpoints every "soon"'):
        Checkpoints("run", every="soon")
