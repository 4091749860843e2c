"""Which learning rate to train with: the range test of Smith 2017, section 3.3."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from gatewise.errors import TrainingError
from gatewise.training.interrupt import Interrupt
from gatewise.training.journal import Journal
from gatewise.training.objective import Batch, Objective
from gatewise.training.optimizer import adamw
from gatewise.training.options import TrainingOptions
from gatewise.training.progress import counted
from gatewise.training.snapshot import restore, snapshot

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100
MEMORY = 0.9  # of the moving average over the losses
DIVERGED = 3.0  # times the lowest average: where the test ends
FEWEST = 10  # steps without which nothing can be said


@dataclass(frozen=True)
class LearningRates:
    """A range test: training at a learning rate that grows with every step.

    Attributes:
        rates: of each step.
        losses: of each step's batch, before the step.
        averages: of the losses, moving over about ten steps.
        suggested: the rate at which the average falls fastest.
        diverged: whether the test ended because the average had grown to three times its lowest, or was not finite.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    averages: tuple[float, ...]
    suggested: float
    diverged: bool


def rates_of(fit: Callable[[Journal], object], *, progress: bool = False) -> LearningRates:
    """The range test of the first run of a fit, which is not begun.

    Args:
        fit: the fit, given its journal; it ends where its first run would begin.
        progress: show a bar, when stderr is a terminal.

    Raises:
        TrainingError: the loss is not finite at the lowest rates.
    """
    try:
        fit(_Testing(Interrupt(), progress))
    except _Tested as tested:
        return tested.found
    raise AssertionError("a fit has a run")


class _Tested(Exception):
    """Ends the fit where its first run would begin."""

    def __init__(self, found: LearningRates) -> None:
        super().__init__()
        self.found = found


class _Testing(Journal):
    def __init__(self, interrupt: Interrupt, progress: bool) -> None:
        super().__init__(interrupt)
        self._progress = progress

    def look(self, objective: Objective[Any], options: TrainingOptions) -> None:
        raise _Tested(range_test(objective, options, progress=self._progress))


def range_test(objective: Objective[Batch], options: TrainingOptions, *, progress: bool = False) -> LearningRates:
    """Train for a hundred steps whose learning rate grows from 1e-6 to 1; then the module is as it was.

    Gradients are clipped, and weights decay, as `options` say; each batch is a step, in float32.

    Args:
        objective: what would be trained.
        options: how it would be trained, but for the learning rate.
        progress: show a bar, when stderr is a terminal.

    Raises:
        TrainingError: the loss is not finite at the lowest rates, or there is no batch.
    """
    module = objective.module
    before, mode = snapshot(module), module.training
    devices = sorted({p.device.index or 0 for p in module.parameters() if p.device.type == "cuda"})
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(options.seed)
            return _sweep(objective, options, progress)
    finally:
        restore(module, before)
        module.zero_grad(set_to_none=True)
        module.train(mode)


def _sweep(objective: Objective[Batch], options: TrainingOptions, progress: bool) -> LearningRates:
    trained = [p for p in objective.module.parameters() if p.requires_grad]
    optimizer = adamw(trained, options)
    batches = _endless(objective)
    rates: list[float] = []
    losses: list[float] = []
    averages: list[float] = []
    diverged, moving = False, 0.0
    objective.module.train()
    for step in counted(range(STEPS), "testing learning rates", enabled=progress):
        batch = next(batches, None)
        if batch is None:
            raise TrainingError("An epoch has no batch: the objective yielded nothing to train on.")
        optimizer.zero_grad(set_to_none=True)
        loss = objective.loss(batch)
        value = loss.item()
        moving = MEMORY * moving + (1 - MEMORY) * value
        average = moving / (1 - MEMORY ** (step + 1))
        if not math.isfinite(value) or (step >= FEWEST and average > DIVERGED * min(averages)):
            diverged = True
            break
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        rates.append(rate)
        losses.append(value)
        averages.append(average)
        loss.backward()
        if options.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(trained, options.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    if len(rates) < FEWEST:
        raise TrainingError(
            f"The loss is not finite after {len(rates)} steps at learning rates below {LOWEST * 10:g}: look at the "
            "data for extreme values."
        )
    return LearningRates(tuple(rates), tuple(losses), tuple(averages), _steepest(rates, averages), diverged)


def _endless(objective: Objective[Batch]) -> Iterator[Batch]:
    epoch, empty = 1, False
    while not empty:
        empty = True
        for batch in objective.batches(epoch):
            empty = False
            yield batch
        epoch += 1


def _steepest(rates: list[float], averages: list[float]) -> float:
    """Where the average falls fastest over five steps on either side, before its lowest."""
    lowest = max(averages.index(min(averages)), 1)
    falls = [averages[max(k - 5, 0)] - averages[min(k + 5, lowest)] for k in range(lowest + 1)]
    return rates[falls.index(max(falls))]
