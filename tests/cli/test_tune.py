"""A search tries, prunes, keeps the best model, and goes on exactly where it was."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from gatewise.errors import ConfigurationError, DataError, TrainingError
from gatewise.search import SEARCHES, Choice, Range, Search
from gatewise.tasks import load
from gatewise.tasks.tuning import FILE, STUDY, Study
from gatewise.training.listening import Epoch, tell
from tests.cli.program import TINY, Outcome, Program, sales, waves, write

CLASSIFY = ("tune", "classify", "waves.ts", *TINY, "--members", "1")


@pytest.fixture
def data(here: Path) -> Path:
    write("waves.ts", waves())
    write("sales.csv", sales())
    return here


def answer(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


def told(found: dict[str, Any]) -> list[Any]:
    """All of a search that does not hang on the clock."""
    return [(trial["number"], trial["parameters"], trial["value"], trial["ended"]) for trial in found["trials"]]


def test_a_search_that_goes_on_tries_what_it_would_have_tried(gatewise: Program, data: Path) -> None:
    whole = answer(gatewise(*CLASSIFY, "--trials", "6", "--out", "whole", "--json"))
    answer(gatewise(*CLASSIFY, "--trials", "2", "--out", "parts", "--json"))
    parts = answer(gatewise(*CLASSIFY, "--trials", "6", "--out", "parts", "--json"))
    assert told(whole) == told(parts)
    assert len(whole["trials"]) == 6
    assert len({json.dumps(trial["parameters"]) for trial in whole["trials"]}) == 6
    assert answer(gatewise(*CLASSIFY, "--trials", "6", "--out", "whole", "--json")) == whole | {
        "trials": whole["trials"]
    }

    values = [trial["value"] for trial in whole["trials"] if trial["ended"] == "complete"]
    assert values == sorted(values)
    assert whole["best"] == whole["trials"][0]
    model: Any = load("whole/best")
    assert model.validation_["log_loss"] == values[0]
    assert {name: getattr(model, name) for name in whole["best"]["parameters"]} == whole["best"]["parameters"]
    # What was given is not tried, and the first trial is that of the defaults.
    assert "hidden_size" not in whole["best"]["parameters"]
    [first] = [trial["parameters"] for trial in whole["trials"] if trial["number"] == 0]
    assert (first["dropout"], first["noise"]) == (0.3, 0.1)


def test_the_space_of_the_command_line_is_tried(gatewise: Program, data: Path) -> None:
    space = ("--space", "learning-rate=1e-3:1e-1:log", "--space", "bidirectional=true,false", "--space", "members=1:2")
    outcome = gatewise("tune", "forecast", "sales.csv", "--target", "sales", "--horizon", "3", *TINY[:-2],
                       "--space", "hidden_size=2,3", "--trials", "3", "--out", "found")  # fmt: skip
    assert outcome.code == 2
    assert "--hidden-size and --space hidden_size=... were both given" in outcome.err
    outcome = gatewise("tune", "classify", "waves.ts", "--max-epochs", "1", "--hidden-size", "4", *space, "--trials",
                       "3", "--out", "found", "--json")  # fmt: skip
    for trial in answer(outcome)["trials"]:
        assert 1e-3 <= trial["parameters"]["learning_rate"] <= 1e-1
        assert trial["parameters"]["bidirectional"] in (True, False)
        assert trial["parameters"]["members"] in (1, 2)
    shown = gatewise("tune", "classify", "waves.ts", "--max-epochs", "1", "--hidden-size", "4", *space, "--trials", "3",
                     "--out", "found")  # fmt: skip
    assert "going on after 3 trials" in shown.err
    assert "log_loss on the validation part" in shown.out
    assert "next" in shown.out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--space", "hiden_size=1:2"), 'unknown search key "hiden_size": did you mean "hidden_size"?'),
        (("--space", "dropout"), 'expected NAME=LOW:HIGH'),
        (("--space", "dropout=0.5:0.1"), "expected a lower number before a higher one"),
        (("--space", "dropout=0:0.1:log"), "a higher one, above 0"),
        (("--space", "dropout=0:0.1:lin"), 'not ":lin"'),
        (("--space", "dropout=0.1,much"), '--dropout is "much"'),
        (("--space", "label=a:b"), "label is no number"),
        (("--trials", "0"), "--trials is 0"),
        (("--validation", "0", "--trials", "1"), "no validation part to judge by"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_said(argv: tuple[str, ...], said: str, gatewise: Program, data: Path) -> None:
    outcome = gatewise("tune", "classify", "waves.ts", "--max-epochs", "1", *argv, "--out", "found")
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert not Path("found/best").exists()


def test_a_folder_of_another_search_is_left_alone(gatewise: Program, data: Path) -> None:
    answer(gatewise(*CLASSIFY, "--trials", "1", "--out", "found", "--json"))
    before = {path: path.read_bytes() for path in Path("found").rglob("*") if path.is_file()}
    for argv, said in [
        (("--seed", "5"), "another seed (0, now 5)"),
        (("--space", "noise=0:1"), "another noise (0:0.3, now 0:1)"),
    ]:
        outcome = gatewise(*CLASSIFY, *argv, "--trials", "2", "--out", "found")
        assert outcome.code == 2
        assert said in outcome.err
    Path("waves.ts").write_text(Path("waves.ts").read_text() + "\n")
    outcome = gatewise(*CLASSIFY, "--trials", "2", "--out", "found")
    assert (outcome.code, "another data" in outcome.err) == (2, True)
    Path("other").mkdir()
    Path("other/thing").write_text("mine")
    outcome = gatewise(*CLASSIFY, "--trials", "2", "--out", "other")
    assert (outcome.code, "holds no search" in outcome.err) == (2, True)
    assert {path: path.read_bytes() for path in Path("found").rglob("*") if path.is_file()} == before


def test_ctrl_c_ends_a_search_that_can_go_on(data: Path) -> None:
    tune = ("--hidden-size", "4", "--members", "1", "--max-epochs", "200", "--trials", "50", "--out", "found")
    argv = [sys.executable, "-m", "gatewise", *CLASSIFY[:3], *tune]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("trial 0: ")
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted after " in said
    study = optuna.load_study(study_name=STUDY, storage=JournalStorage(JournalFileBackend(f"found/{FILE}")))
    assert all(trial.state.is_finished() for trial in study.trials)
    assert load("found/best")


# ---------------------------------------------------------------------- the study itself
class Fit:
    """Stands in for an estimator: its curve of validation goes down to `level`."""

    def __init__(self, level: float, epochs: int = 6) -> None:
        self.seen = 0
        for number in range(1, epochs + 1):
            self.seen = number
            tell(Epoch("network", number, level + 1 / number))
        tell(Epoch("another", 1, 1e9))  # later runs decide nothing
        self.validation_ = {"loss": level}
        self.history_ = [{"stopped": "max_epochs"}]


LEVELS = Search("loss", {"level": Range(0.0, 1.0), "kind": Choice(("a", "b"))})


def study(folder: Path) -> Study:
    return Study(folder, LEVELS, 3, {"level": 0.25, "kind": "c"})


def nothing(estimator: Any, trial: Any) -> None:
    pass


def test_trials_worse_than_most_are_pruned(tmp_path: Path) -> None:
    own, kept = study(tmp_path), []
    levels = iter([0.5, 0.4, 0.6, 0.5, 0.4, 50.0, 0.3])
    found = [
        own.run(lambda parameters: Fit(next(levels)), lambda estimator, trial: kept.append(trial.value))
        for _ in range(7)
    ]
    assert [trial.ended for trial in found] == ["complete"] * 5 + ["pruned", "complete"]
    assert found[0].parameters["level"] == 0.25
    assert found[5].value is None
    assert kept == [0.5, 0.4, 0.3]
    assert own.best == found[6]
    assert [trial.number for trial in own.trials] == [6, 1, 4, 0, 3, 2, 5]


def test_trials_that_fail_count_and_those_interrupted_do_not(tmp_path: Path) -> None:
    own = study(tmp_path)

    def fail(parameters: dict[str, Any]) -> Fit:
        raise TrainingError("the loss is nan")

    failed = own.run(fail, nothing)
    assert (failed.ended, failed.why, failed.value) == ("failed", "the loss is nan", None)
    assert own.best is None

    def stop(parameters: dict[str, Any]) -> Fit:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        own.run(stop, nothing)
    assert [trial.ended for trial in own.trials] == ["failed", "interrupted"]
    assert own.done == 1

    def refuse(parameters: dict[str, Any]) -> Fit:
        raise DataError("no such column")

    with pytest.raises(DataError):
        own.run(refuse, nothing)
    assert study(tmp_path).done == 1


def test_a_trial_whose_process_was_killed_does_not_count(tmp_path: Path) -> None:
    study(tmp_path).run(lambda parameters: Fit(0.5), nothing)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / FILE)))
    optuna.load_study(study_name=STUDY, storage=storage).ask()
    own = study(tmp_path)
    assert [trial.ended for trial in own.trials] == ["complete", "interrupted"]
    assert own.run(lambda parameters: Fit(0.4), nothing).ended == "complete"
    assert own.done == 2


def test_without_optuna_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"pip install \"gatewise\[tune\]\""):
        study(tmp_path)


@pytest.mark.parametrize("task", SEARCHES)
def test_every_space_is_of_parameters_that_there_are(task: str) -> None:
    from gatewise.cli.tune import tune_parameters

    known = {parameter.name: parameter for parameter in tune_parameters()[task]}
    for name, kind in SEARCHES[task].space.items():
        whole = not isinstance(kind, Range) or kind.whole
        assert known[name].kinds[0] == ("int" if whole else "float"), name
        default = known[name].default
        if isinstance(kind, Range) and default is not None:
            assert kind.low <= default <= kind.high, name
