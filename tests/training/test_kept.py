"""A run goes on from its checkpoints as if it had never stopped; signals, intervals, failing disks, poisoned states."""

import errno
import json
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.faults import calls, failing
from torch import Tensor, nn

from gatewise.errors import CheckpointError, CheckpointWarning, ConfigurationError, TrainingError, TrainingInterrupted
from gatewise.training import (
    About,
    Checkpoints,
    Interrupt,
    Journal,
    RunDirectory,
    TrainingOptions,
    TrainingResult,
    kept_journal,
    train,
)
from gatewise.training.checkpoint import read_checkpoint

OPTIONS = TrainingOptions(max_epochs=4, learning_rate=0.02, weight_decay=1e-3, warmup=0.1, average_decay=0.9, seed=3)


class Line:
    """Fits y = 2 x - 1 with dropout, keeps what its validations found, and calls `on_step` before each loss."""

    batches_per_epoch = 3

    def __init__(self, on_step: Callable[[int], None] = lambda step: None, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.module = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 1))
        self.on_step = on_step
        self.on_validation: Callable[[], None] = lambda: None
        self.steps = 0
        self.found: list[float] = []

    def batches(self, epoch: int) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(epoch)
        for _ in range(self.batches_per_epoch):
            yield torch.rand(16, 1, generator=generator)

    def loss(self, batch: Tensor) -> Tensor:
        self.steps += 1
        self.on_step(self.steps)
        return (self.module(batch) - (2 * batch - 1)).square().mean()

    def validate(self) -> dict[str, float]:
        x = torch.linspace(0, 1, 32)[:, None]
        self.found.append((self.module(x) - (2 * x - 1)).square().mean().item())
        self.on_validation()
        return {"mse": self.found[-1]}

    def describe(self, batch: Tensor) -> str:
        return "numbers"

    def gathered(self) -> dict[str, Tensor]:
        return {"found": torch.tensor(self.found, dtype=torch.float64)}

    def regain(self, gathered: Mapping[str, Tensor]) -> None:
        self.found = gathered["found"].tolist()


ABOUT = About.of("line", {"width": 8}, "0123", "16 numbers")


def fit(
    line: Line, directory: Path, options: TrainingOptions = OPTIONS, about: About = ABOUT, **given: Any
) -> TrainingResult:
    with Interrupt(saves=True) as interrupt, kept_journal(Checkpoints(directory, **given), about, interrupt) as journal:
        return train(line, options, journal=journal, progress=False, name="line")


def kill(number: signal.Signals, at: int) -> Callable[[int], None]:
    """Sends this process a signal within step number `at`."""
    return lambda step: os.kill(os.getpid(), number) if step == at else None


def rows(result: TrainingResult) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in result.history]


def same(left: Line, right: Line) -> bool:
    pairs = zip(left.module.state_dict().values(), right.module.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs) and left.found == right.found


@pytest.fixture(scope="module")
def whole() -> tuple[Line, TrainingResult]:
    line = Line()
    return line, train(line, OPTIONS, progress=False)


def test_checkpoints_change_nothing(tmp_path: Path, whole: tuple[Line, TrainingResult]) -> None:
    line = Line()
    result = fit(line, tmp_path, every=1)
    assert same(line, whole[0])
    assert rows(result) == rows(whole[1])


@pytest.mark.parametrize("step", [3, 6, 8, 9, 11])
def test_so_does_one_whose_last_epochs_are_averaged(step: int, tmp_path: Path) -> None:
    options = TrainingOptions(max_epochs=4, learning_rate=0.02, swa_from=0.4)
    expected, line = Line(), Line()
    result = train(expected, options, progress=False)
    with pytest.raises(TrainingInterrupted):
        fit(Line(kill(signal.SIGTERM, step)), tmp_path, options)
    assert rows(fit(line, tmp_path, options)) == rows(result)
    assert same(line, expected)

    cut = Line()
    cut.on_validation = lambda: signal.raise_signal(signal.SIGINT) if len(cut.found) == 3 else None
    with pytest.raises(TrainingInterrupted):
        fit(cut, tmp_path / "validated", options)
    line = Line()
    assert rows(fit(line, tmp_path / "validated", options)) == rows(result)
    assert same(line, expected)


@pytest.mark.parametrize("step", range(1, 13))
def test_a_run_stopped_at_any_step_goes_on_to_the_same_bits(
    step: int, tmp_path: Path, whole: tuple[Line, TrainingResult]
) -> None:
    with pytest.raises(TrainingInterrupted, match=rf"saved in {tmp_path}"):
        fit(Line(kill(signal.SIGTERM, step)), tmp_path)
    line = Line(seed=1)  # what it begins with is not looked at
    result = fit(line, tmp_path)
    assert line.steps == 12 - step
    assert same(line, whole[0])
    assert (rows(result), result.best_epoch, result.best_value) == (
        rows(whole[1]),
        whole[1].best_epoch,
        whole[1].best_value,
    )
    log = [json.loads(text) for text in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log == [{"run": "line", **row} for row in result.history]


@pytest.mark.parametrize("validation", range(1, 5))
def test_a_run_stopped_while_it_validates_validates_again(
    validation: int, tmp_path: Path, whole: tuple[Line, TrainingResult]
) -> None:
    line = Line()
    line.on_validation = lambda: signal.raise_signal(signal.SIGINT) if len(line.found) == validation else None
    with pytest.raises(TrainingInterrupted):
        fit(line, tmp_path)
    assert len(line.found) == validation - 1  # that of the validation that was cut is no part of the state
    line = Line()
    result = fit(line, tmp_path)
    assert same(line, whole[0])
    assert rows(result) == rows(whole[1])


def test_every_checkpoint_of_two_runs_is_the_same(tmp_path: Path) -> None:
    """Weights, optimiser, averages, random states: byte for byte, also after the run was stopped and went on."""
    fit(Line(), tmp_path / "whole", every=1, keep=100)
    with pytest.raises(TrainingInterrupted):
        fit(Line(kill(signal.SIGTERM, 5)), tmp_path / "cut", every=1, keep=100)
    fit(Line(), tmp_path / "cut", every=1, keep=100)
    first, second = (RunDirectory(tmp_path / name).checkpoints() for name in ("whole", "cut"))
    assert len(first) == 14  # at its beginning, after 12 steps, at its end
    assert first.keys() == second.keys()
    for number, path in first.items():
        other = second[number]
        assert (path / "tensors.safetensors").read_bytes() == (other / "tensors.safetensors").read_bytes()
    kinds = {name.split(".")[1] for name in read_checkpoint(first[9]).tensors}
    assert kinds == {"module", "optimizer", "average", "best", "random", "gathered"}


def test_a_finished_run_is_given_back_without_training(tmp_path: Path, whole: tuple[Line, TrainingResult]) -> None:
    first = fit(Line(), tmp_path)
    there = sorted(RunDirectory(tmp_path).checkpoints())
    line = Line(seed=1)
    again = fit(line, tmp_path)
    assert (line.steps, again) == (0, first)
    assert same(line, whole[0])
    assert not line.module.training
    assert sorted(RunDirectory(tmp_path).checkpoints()) == there  # nothing new was written


class Clock:
    """A second a step, from any moment on."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, step: int) -> None:
        self.now += 1


def timed(line: Line, clock: Clock, directory: Path, options: TrainingOptions, **given: Any) -> TrainingResult:
    with (
        Interrupt() as interrupt,
        kept_journal(Checkpoints(directory, **given), ABOUT, interrupt, clock) as journal,
    ):
        return train(line, options, journal=journal, progress=False, name="line")


@pytest.mark.parametrize("at", [4, 17, 30])
def test_time_that_was_taken_counts_and_time_between_does_not(at: int, tmp_path: Path) -> None:
    """The schedule and the limit go by the time of all processes together, so that the bits are the same."""
    options = TrainingOptions(max_epochs=1_000, max_minutes=40 / 60, warmup=0.1, average_decay=0.9)
    clock = Clock(0.0)
    whole = Line(clock.tick)
    expected = train(whole, options, progress=False, journal=Journal(Interrupt(), clock))
    assert (expected.stopped, whole.steps) == ("max_minutes", 40)

    clock = Clock(500.0)
    first = Line(lambda step: (clock.tick(step), kill(signal.SIGTERM, at)(step))[0])
    with pytest.raises(TrainingInterrupted):
        timed(first, clock, tmp_path, options)
    clock = Clock(1e6)
    line = Line(clock.tick)
    result = timed(line, clock, tmp_path, options)
    assert (line.steps, result) == (40 - at, expected)
    assert same(line, whole)


def test_checkpoints_come_in_their_intervals(tmp_path: Path) -> None:
    options = TrainingOptions(max_epochs=4)
    for every, count in (("5s", 4), ("2m", 2), (4, 5), ("100", 2)):
        clock = Clock(0.0)
        timed(Line(clock.tick), clock, tmp_path / str(every), options, every=every, keep=9)
        assert len(RunDirectory(tmp_path / str(every)).checkpoints()) == count, every


@pytest.mark.parametrize("every", ["", "0", "-3", "0s", "5 m", "1d", 0, -1, True, 2.5, None])
def test_what_is_no_interval_is_refused(every: Any) -> None:
    with pytest.raises(ConfigurationError, match=r'checkpoints every ".*": expected a time as 30s'):
        Checkpoints("run", every)


def test_usr1_writes_and_goes_on(tmp_path: Path, whole: tuple[Line, TrainingResult]) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    line = Line(kill(signal.SIGUSR1, 5))
    fit(line, tmp_path, keep=9)
    assert signal.getsignal(signal.SIGUSR1) is before
    assert same(line, whole[0])
    path = RunDirectory(tmp_path).checkpoints()[2]
    assert read_checkpoint(path).state["under_way"]["values"]["step"] == 5


def test_a_run_that_is_ended_early_keeps_its_best_and_its_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted):
        fit(Line(kill(signal.SIGTERM, 8)), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"}
    line = Line(seed=1)
    result = fit(line, tmp_path, finish=True)
    assert (result.stopped, line.steps, len(result.history)) == ("interrupted", 0, 2)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"} == before
    with pytest.raises(CheckpointError, match="there is no run to finish"):
        fit(Line(), tmp_path / "other", finish=True)


def test_a_run_that_is_ended_in_its_first_epoch_is_validated(tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted):
        fit(Line(kill(signal.SIGTERM, 2)), tmp_path)
    line = Line(seed=1)
    result = fit(line, tmp_path, finish=True)
    assert (result.stopped, line.steps, result.best_epoch) == ("interrupted", 0, 1)


def test_a_failing_disk_is_said_and_costs_no_checkpoint(tmp_path: Path, whole: tuple[Line, TrainingResult]) -> None:
    """Whichever call fails: a fit that cannot be saved from its first step on is refused; a later one goes on."""
    made = calls(lambda: fit(Line(), tmp_path / "counted", every=3, keep=9))
    assert len(made) == 10 * 6 + 4 + 4  # checkpoints: a first, four in their intervals, a last; an empty log, its lines
    refused = 0
    for at in range(1, len(made) + 1):
        line, directory = Line(), tmp_path / str(at)
        with failing(at, errno.ENOSPC), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                fit(line, directory, every=3, keep=9)
            except CheckpointError as error:
                refused += 1
                said = [str(error)]
                assert "The run cannot be begun" in said[0]
            else:
                said = [str(warning.message) for warning in caught if warning.category is CheckpointWarning]
                assert same(line, whole[0])
                assert RunDirectory(directory).newest() is not None
        assert len(said) == 1, (at, said)
        assert "No space left on device" in said[0]
    assert refused == 10


def test_a_stop_that_cannot_be_saved_is_an_error(tmp_path: Path) -> None:
    def full(step: int) -> None:
        if step == 7:
            context.__enter__()
            kill(signal.SIGTERM, 7)(step)

    context = failing(1, errno.EIO)
    with pytest.raises(CheckpointError, match=r"cannot be saved: .*Input/output error.*newest checkpoint is .*000003"):
        fit(Line(full), tmp_path, every=3)
    context.__exit__(None, None, None)
    line = Line()
    fit(line, tmp_path)
    assert line.steps == 6


def test_another_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted):
        fit(Line(kill(signal.SIGTERM, 2)), tmp_path)

    def refused(about: About = ABOUT, options: TrainingOptions = OPTIONS, **given: Any) -> str:
        with pytest.raises(CheckpointError) as caught:
            fit(Line(), tmp_path, options, about, **given)
        return str(caught.value)

    changed = About.of("line", {"width": 8}, "4567", "17 numbers")
    assert 'a run of the task "line", not of "curve"' in refused(About.of("curve", {"width": 8}, "0123", ""))
    assert "was begun with width=8, this fit has 9" in refused(About.of("line", {"width": 9}, "0123", ""))
    assert "begun with: then 16 numbers; now 17 numbers. Give the same data" in refused(changed)
    same_size = About.of("line", {"width": 8}, "4567", "16 numbers")
    assert "then 16 numbers; now 16 numbers with other values." in refused(same_size)
    message = refused(options=TrainingOptions(max_epochs=5))
    assert "The run in" in message
    assert "cannot go on here: options was" in message
    line = Line()
    fit(line, tmp_path, about=changed, allow_changed_data=True)
    assert line.steps == 10


def test_another_machine_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted):
        fit(Line(kill(signal.SIGTERM, 2)), tmp_path)
    elsewhere = ABOUT.model_copy(update={"machine": {**ABOUT.machine, "instructions": "ABACUS"}})
    with pytest.warns(CheckpointWarning, match=r"instructions .*, now ABACUS: the last bits may come out differently"):
        fit(Line(), tmp_path, about=elsewhere)


def test_a_state_that_is_not_finite_is_no_checkpoint(tmp_path: Path) -> None:
    """Where neither loss nor gradient shows it, the checkpoint does: here a weight that is not used."""
    line = Line()
    line.module.register_parameter("spare", nn.Parameter(torch.zeros(2)))

    def poison(step: int) -> None:
        if step == 7:
            line.module.get_parameter("spare").data[1] = torch.inf

    line.on_step = poison
    with pytest.raises(TrainingError, match='line: module "spare" holds values that are not finite, so no checkpoint'):
        fit(line, tmp_path, every=1)
    found = RunDirectory(tmp_path).newest()
    assert found is not None
    assert found.state["under_way"]["values"]["step"] == 6
    assert all(tensor.isfinite().all() for tensor in found.tensors.values())


def test_the_state_before_a_step_that_failed_is_kept(tmp_path: Path) -> None:
    """And is that of a run that was stopped there: to go on from it fails in the same way."""

    def spoilt(line: Line) -> Line:
        loss = line.loss
        line.loss = lambda batch: loss(batch) * (torch.nan if line.steps + done == 8 else 1.0)  # type: ignore[method-assign]
        return line

    done = 0
    with pytest.raises(TrainingError, match=rf"epoch 3, step 2: .*The state before that step is kept in {tmp_path}\."):
        fit(spoilt(Line()), tmp_path)
    done = 7
    with pytest.raises(TrainingError, match="epoch 3, step 2: the loss is nan"):
        fit(spoilt(Line()), tmp_path)
    with pytest.raises(TrainingInterrupted):
        fit(Line(kill(signal.SIGTERM, 7)), tmp_path / "stopped")
    kept, stopped = RunDirectory(tmp_path).newest(), RunDirectory(tmp_path / "stopped").newest()
    assert kept is not None
    assert stopped is not None
    assert kept.tensors.keys() == stopped.tensors.keys()
    assert all(torch.equal(tensor, stopped.tensors[name]) for name, tensor in kept.tensors.items())


def test_a_second_signal_ends_at_once_and_costs_no_checkpoint(tmp_path: Path) -> None:
    def twice(step: int) -> None:
        if step == 8:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(Line(twice), tmp_path, every=3)
    line = Line()
    fit(line, tmp_path)
    assert line.steps == 6
