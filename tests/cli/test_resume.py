"""`gatewise resume`: a training that was interrupted or killed goes on to the very same model."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatewise import disk
from gatewise.cli import train as train_module
from gatewise.sealed import seal
from gatewise.tasks import load
from gatewise.training import RunDirectory, loop
from tests.cli.program import TINY, Program, sales, waves, write

FORECAST = ("train", "forecast", "sales.csv", "--target", "sales", "--horizon", "3", "--holdout", "3", *TINY)
CLASSIFY = ("train", "classify", "waves.ts", "--test", "waves.ts", *TINY, "--members", "2")
TRAININGS = {"forecast": FORECAST, "classify": CLASSIFY}


@pytest.fixture
def data(here: Path) -> Path:
    write("sales.csv", sales())
    write("waves.ts", waves())
    return here


def stop(monkeypatch: pytest.MonkeyPatch, number: signal.Signals = signal.SIGTERM, at: int = 6) -> None:
    """Sends the process a signal within its step number `at`."""
    step, steps = loop._Run._step, 0

    def counted(run: "loop._Run", batch: Any) -> tuple[float, float]:
        nonlocal steps
        steps += 1
        if steps == at:
            os.kill(os.getpid(), number)
        return step(run, batch)

    monkeypatch.setattr(loop._Run, "_step", counted)


def interrupted(gatewise: Program, monkeypatch: pytest.MonkeyPatch, task: str = "classify", *more: str) -> None:
    """Leaves model.run, of a training that was stopped in its second epoch."""
    with monkeypatch.context() as patch:
        stop(patch, at=3)
        assert gatewise(*TRAININGS[task], "--out", "model", *more).code == 130


def result(model: str) -> dict[str, Any]:
    """What a training made, without what it measured of time and what names the folder."""
    folder = Path(model)
    log = [json.loads(text) for text in (folder / "log.jsonl").read_text().splitlines()]
    settings = [line for line in (folder / "train.toml").read_text().splitlines() if not line.startswith("#")]
    return {
        "weights": (folder / "model.safetensors").read_bytes(),
        "metrics": (folder / "metrics.json").read_text(),
        "card": (folder / "README.md").read_text(),
        "log": [{name: value for name, value in row.items() if name != "seconds"} for row in log],
        "settings": settings,
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("task", TRAININGS)
def test_an_interrupted_training_goes_on_to_the_same_model(
    task: str, number: signal.Signals, gatewise: Program, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gatewise(*TRAININGS[task], "--out", "whole").code == 0
    with monkeypatch.context() as patch:
        stop(patch, number)
        outcome = gatewise(*TRAININGS[task], "--out", "model")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == (
        "interrupted: the training is saved in model.run. To go on exactly there:\n  gatewise resume model.run\n"
        "For a model of what is trained so far:\n  gatewise resume model.run --finish\n"
    )
    assert not Path("model").exists()
    outcome = gatewise("resume", "model.run")
    assert outcome.code == 0
    assert result("model") == result("whole")
    assert sorted(path.name for path in data.iterdir()) == ["model", "sales.csv", "waves.ts", "whole"]


def test_a_killed_training_goes_on_from_its_last_checkpoint(gatewise: Program, data: Path) -> None:
    more = ("--max-epochs", "40", "--members", "2", "--patience", "40")
    assert gatewise(*CLASSIFY, *more, "--out", "whole").code == 0
    command = [sys.executable, "-m", "gatewise", *CLASSIFY, *more, "--checkpoint-every", "1", "--out", "model"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = Path("model.run/log.jsonl")
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") > 4):
        time.sleep(0.001)
    assert process.poll() is None
    process.kill()
    process.wait()
    assert not Path("model").exists()
    assert gatewise("resume", "model.run").code == 0
    assert {**result("model"), "settings": []} == {**result("whole"), "settings": []}
    assert not Path("model.run").exists()


def test_it_goes_on_from_elsewhere_and_with_data_that_were_moved(
    gatewise: Program, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gatewise(*FORECAST, "--out", "whole").code == 0
    interrupted(gatewise, monkeypatch, "forecast")
    (data / "deep").mkdir()
    shutil.copytree("model.run", "copy.run")
    monkeypatch.chdir(data / "deep")
    assert gatewise("resume", "../model.run").code == 0
    assert result("../model") == result("../whole")

    Path("../sales.csv").rename("moved.csv")
    outcome = gatewise("resume", "../copy.run")
    assert outcome.code == 2
    assert outcome.err.startswith(f'error: The training reads "{data}/sales.csv", which is not there; give its place')
    assert gatewise("resume", "../copy.run", "--data", "moved.csv").code == 0
    assert result("../copy") == result("../whole")


@pytest.mark.parametrize("task", TRAININGS)
def test_a_model_can_be_made_early(task: str, gatewise: Program, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gatewise(*TRAININGS[task], "--out", "whole").code == 0
    with monkeypatch.context() as patch:
        stop(patch)
        gatewise(*TRAININGS[task], "--out", "model")
    outcome = gatewise("resume", "model.run", "--finish")
    assert outcome.code == 130
    assert "interrupted: the best model so far is in model." in outcome.err
    assert load("model").history_
    [command] = [line.strip() for line in outcome.err.splitlines() if line.strip().startswith("gatewise resume")]
    assert gatewise("resume", "model.run").err.startswith("error: model already holds a trained model.")
    assert gatewise(*command.split()[1:]).code == 0
    assert result("model") == result("whole")


def test_files_that_changed_are_refused(gatewise: Program, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(gatewise, monkeypatch, "forecast")
    before = sorted(Path("model.run").rglob("*"))
    lines = sales()
    write("sales.csv", [*lines[:-1], lines[-1].replace(",", ",1", 1)])  # in a row that is held out
    outcome = gatewise("resume", "model.run")
    assert outcome.code == 2
    assert 'sales.csv" is not what it was when the training began (its sha256 differs)' in outcome.err
    assert "--allow-changed-data" in outcome.err
    assert sorted(Path("model.run").rglob("*")) == before
    assert gatewise("resume", "model.run", "--allow-changed-data").code == 0


def test_one_training_at_a_place(gatewise: Program, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(gatewise, monkeypatch)
    outcome = gatewise(*CLASSIFY, "--out", "model")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "error: model.run holds a training that is not done: gatewise resume model.run goes on with it. To begin anew "
        "give --overwrite, which removes it, or another --out.\n"
    )
    with RunDirectory("model.run"):
        for argv in (("resume", "model.run"), (*CLASSIFY, "--out", "model", "--overwrite")):
            outcome = gatewise(*argv)
            assert outcome.code == 2
            assert f"model.run is in use by process {os.getpid()} of" in outcome.err
    assert gatewise(*CLASSIFY, "--seed", "1", "--out", "model", "--overwrite").code == 0
    assert not Path("model.run").exists()
    Path("other.run").mkdir()
    write("other.run/notes.txt", "mine")
    assert "something else is there: move it" in gatewise(*CLASSIFY, "--out", "other").err


def test_what_is_no_training_is_refused(gatewise: Program, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(gatewise, monkeypatch)
    message = "error: There is no training in {} that could go on (no run.json in it)"
    assert gatewise("resume", "model").err == message.format("model") + ": did you mean model.run?\n"
    assert gatewise("resume", "nothing").err == message.format("nothing") + "\n"
    run = Path("model.run/run.json")
    whole = run.read_bytes()
    altered: dict[bytes, str] = {
        whole[:-9]: "run.json (",
        whole.replace(b"waves.ts", b"other.ts"): "is truncated or altered: its content has not the sha256",
        seal("training run", 2, {}): "has format 2, written by gatewise",
        seal("training run", 1, {}): "run.json was altered: task: Field required",
        b"{}": "is not of a training run",
        seal("training run", 1, {**json.loads(whole)["content"], "task": "classifie"}): 'the unknown task "classifie"',
    }
    for content, said in altered.items():
        run.write_bytes(content)
        outcome = gatewise("resume", "model.run")
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert said in outcome.err
    run.write_bytes(whole)
    assert gatewise("resume", "model.run").code == 0


def test_a_damaged_checkpoint_is_passed_over_and_that_is_said(
    gatewise: Program, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gatewise(*CLASSIFY, "--out", "whole").code == 0
    interrupted(gatewise, monkeypatch, "classify", "--checkpoint-every", "1")
    [older, newest] = sorted(Path("model.run").glob("checkpoint-*"))
    (newest / "state.json").write_bytes((newest / "state.json").read_bytes()[:100])
    outcome = gatewise("resume", "model.run", "--json")
    assert outcome.code == 0
    assert outcome.err.count(f"{newest.name}/state.json (100 bytes) is truncated or altered") == 1
    assert f"Taken is the newest good checkpoint instead, {older.name}." in outcome.err
    assert {**result("model"), "settings": []} == {**result("whole"), "settings": []}


@pytest.mark.parametrize("at", ["write_folder", "report"])
def test_what_fails_after_the_training_costs_nothing_of_it(
    at: str, gatewise: Program, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk when the model is written; Ctrl-C while the report is made."""
    write_folder = disk.write_folder

    def full(path: Path, files: Any) -> None:
        if path.name == "model":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write_folder(path, files)

    def ctrl_c(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if at == "report":
            patch.setattr("gatewise.reports.classification.classification_report", ctrl_c)
        else:
            patch.setattr(disk, "write_folder", full)
        outcome = gatewise(*CLASSIFY, "--out", "model")
    if at == "report":
        assert (outcome.code, outcome.err.splitlines()[-1]) == (130, "  gatewise resume model.run --finish")
    else:
        assert (outcome.code, outcome.err) == (2, 'error: No space left on device: "model"\n')
    assert not Path("model").exists()
    monkeypatch.setattr(loop._Run, "_step", lambda *_: pytest.fail("there was nothing left to train"))
    assert gatewise("resume", "model.run").code == 0
    assert len(load("model").history_) == 2


def test_a_training_that_is_not_to_be_saved_is_not(gatewise: Program, data: Path, monkeypatch: Any) -> None:
    seen: list[bool] = []
    fit: Callable[..., Any] = train_module._classify

    def look(*given: Any) -> int:
        code = fit(*given)
        seen.append(Path("model.run").exists())
        return code

    monkeypatch.setattr(RunDirectory, "discard", lambda *_: None)
    monkeypatch.setattr(train_module, "_classify", look)
    assert gatewise(*CLASSIFY, "--checkpoint-every", "none", "--out", "model").code == 0
    assert gatewise(*CLASSIFY, "--overwrite", "--out", "model").code == 0
    assert seen == [False, True]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--checkpoint-every", "soon"), 'checkpoints every "soon": expected a time as 30s, 5m or 2h, or a number'),
        (("--checkpoint-every", "0"), 'checkpoints every "0": expected a time'),
        (("--keep", "0"), "keep is 0, expected a whole number of at least 1 (checkpoints)"),
        (("--keep", "some"), '--keep is "some", expected a whole number'),
    ],
)
def test_options_that_cannot_be_meant(more: tuple[str, ...], message: str, gatewise: Program, data: Path) -> None:
    outcome = gatewise(*CLASSIFY, *more, "--out", "model")
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert sorted(path.name for path in data.iterdir()) == ["sales.csv", "waves.ts"]
