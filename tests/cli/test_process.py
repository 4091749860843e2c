"""The program as a process: what it imports, signals, a reader that goes away, errors of the system."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gatewise.tasks.forecasting.forecaster as forecaster_module
from gatewise.cli import holdout
from gatewise.tasks import load
from gatewise.training import loop
from tests.cli.program import TINY, Program, sales, waves, write

FORECAST = ("train", "forecast", "sales.csv", "--target", "sales", "--horizon", "3", *TINY)
CLASSIFY = ("train", "classify", "waves.ts", *TINY)


def stop_after(epoch: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the process a signal when the epoch has been validated."""
    validate = loop._Run._validate

    def validate_and_stop(run: "loop._Run") -> None:
        validate(run)
        if run.at.epoch == epoch:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(loop._Run, "_validate", validate_and_stop)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("argv", "file"), [(FORECAST, "sales.csv"), (CLASSIFY, "waves.ts")])
def test_an_interrupted_training_keeps_its_best_model(
    argv: tuple[str, ...],
    file: str,
    number: signal.Signals,
    gatewise: Program,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("sales.csv", sales())
    write("waves.ts", waves())
    with monkeypatch.context() as patch:
        stop_after(2, number, patch)
        outcome = gatewise(*argv, "--max-epochs", "50", "--checkpoint-every", "none", "--out", "model")
    assert outcome.code == 130
    assert outcome.err.count("interrupted: the best model so far is in model") == 1
    assert len(Path("model/log.jsonl").read_text().splitlines()) == 2
    assert gatewise("evaluate", "model", file).code == 0

    # the message says how to go on, and that works
    [command] = [line.strip() for line in outcome.err.splitlines() if line.strip().startswith("gatewise train")]
    assert gatewise(*command.split()[1:], "--max-epochs", "2").code == 0
    assert load("model-continued").history_


def test_interrupted_before_an_epoch_leaves_nothing(
    gatewise: Program, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("sales.csv", sales())
    choose = forecaster_module.choose_recipe

    def choose_and_stop(*given: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return choose(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(forecaster_module, "choose_recipe", choose_and_stop)
    outcome = gatewise(*FORECAST, "--out", "model")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == "interrupted before the first step was done: there is no model yet, and nothing was written\n"
    assert [path.name for path in here.iterdir()] == ["sales.csv"]


def test_interrupted_while_reading_says_so(gatewise: Program, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("sales.csv", sales())

    def stop(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(holdout, "without_last", stop)
    outcome = gatewise(*FORECAST, "--holdout", "3", "--out", "model")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "interrupted: nothing was written\n")
    assert [path.name for path in here.iterdir()] == ["sales.csv"]


def test_loss_that_is_not_finite_leaves_nothing(gatewise: Program, here: Path) -> None:
    write("waves.ts", waves())
    outcome = gatewise(*CLASSIFY, "--learning-rate", "1e38", "--max-epochs", "30", "--out", "model")
    assert outcome.code == 2
    assert outcome.err.startswith("error: Training stopped at epoch")
    assert "learning_rate" in outcome.err
    assert [path.name for path in here.iterdir()] == ["waves.ts"]


def test_what_the_system_refuses_is_named(gatewise: Program, models: Path) -> None:
    name = 300 * "r" + ".html"
    outcome = gatewise("report", "waves", "--out", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f'error: File name too long: "{name}"\n'


def test_names_that_no_encoding_knows_are_printed(gatewise: Program, models: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    assert gatewise("predict", "waves", "waves.ts", "--out", name).code == 0
    assert json.loads(gatewise("predict", "waves", "waves.ts", "--out", name, "--json").out)["out"] == name


def test_help_version_and_misspelling_import_no_torch(here: Path) -> None:
    code = (
        "import sys; from gatewise.cli import main\n"
        "codes = [main([*argv.split()]) for argv in ('--version', '--help', 'train forecast --help', 'trian', "
        "'train classify x --out y --hiden-size 3')]\n"
        "heavy = {'torch', 'sklearn', 'pyarrow', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "print(codes, sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[0, 0, 0, 2, 2] []"


def test_the_program_as_a_module_and_its_exit_code(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatewise", "evaluate", "nothing", "x.csv"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: There is no model folder nothing.")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_traceback(here: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "gatewise", "doctor"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
