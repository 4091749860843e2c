"""The training loop."""

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, Literal

import torch
from torch import Tensor, nn

from gatewise.errors import TrainingError
from gatewise.training.average import WeightAverage
from gatewise.training.checkpoint import restore, snapshot, write_checkpoint
from gatewise.training.interrupt import Interrupt
from gatewise.training.objective import Batch, Objective
from gatewise.training.options import TrainingOptions
from gatewise.training.progress import ProgressBar
from gatewise.training.schedule import learning_rate_factor

Stopped = Literal["patience", "max_epochs", "max_minutes", "interrupted"]


@dataclass(frozen=True)
class TrainingResult:
    """What a training run was.

    Attributes:
        history: one dict an epoch: "epoch", "loss" (mean over its batches), "learning_rate" (of its last step),
            "gradient_norm" (the largest before clipping), "seconds", and the validation metrics.
        best_epoch: the epoch whose weights were kept, from 1; 0 when it was interrupted before its first step.
        best_value: the monitored metric of that epoch; NaN when nothing was validated.
        stopped: why training ended.
    """

    history: tuple[dict[str, float], ...]
    best_epoch: int
    best_value: float
    stopped: Stopped


def train(
    objective: Objective[Batch],
    options: TrainingOptions,
    *,
    directory: Path | None = None,
    progress: bool = True,
    label: str = "training",
    interrupt: Interrupt | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> TrainingResult:
    """Train `objective.module` with AdamW and leave its best weights in it, in evaluation mode.

    Args:
        objective: what to train.
        options: how to train.
        directory: an existing folder that receives `best.safetensors`, `last.safetensors` (each written atomically
            after an epoch) and `log.jsonl` (one JSON line an epoch).
        progress: show a progress bar when stderr is a terminal.
        label: the progress bar's name.
        interrupt: an entered `Interrupt` shared by several runs; by default this run has its own, so that Ctrl-C or
            SIGTERM stop it after the current step with the best weights kept.
        clock: seconds from a fixed moment on, for the time limit.

    Raises:
        TrainingError: the loss, a gradient or a validation metric is not finite, or an epoch has no batch. The
            optimiser has not seen the bad step, the module holds the best weights so far, and the files stay.

    >>> class Mean:  # learns the mean of its data
    ...     batches_per_epoch = 1
    ...     def __init__(self): self.module = nn.Linear(1, 1)
    ...     def batches(self, epoch): yield torch.tensor([[1.0], [3.0]])
    ...     def loss(self, batch): return (self.module(torch.zeros_like(batch)) - batch).square().mean()
    ...     def validate(self): return {"mse": self.loss(torch.tensor([[1.0], [3.0]])).item()}
    ...     def describe(self, batch): return "both numbers"
    >>> result = train(Mean(), TrainingOptions(max_epochs=200, learning_rate=0.1), progress=False)
    >>> result.stopped, round(result.best_value, 3)
    ('max_epochs', 1.0)
    """
    with ExitStack() as stack:
        if interrupt is None:
            interrupt = stack.enter_context(Interrupt())
        devices = sorted({p.device.index or 0 for p in objective.module.parameters() if p.device.type == "cuda"})
        stack.enter_context(torch.random.fork_rng(devices=devices))
        torch.manual_seed(options.seed)
        log = None
        if directory is not None:
            log = stack.enter_context(open(directory / "log.jsonl", "w", encoding="utf-8"))
        bar = stack.enter_context(
            ProgressBar(
                enabled=progress,
                label=label,
                max_epochs=options.max_epochs,
                batches_per_epoch=objective.batches_per_epoch,
            )
        )
        run = _Run(objective, options, directory=directory, log=log, bar=bar, interrupt=interrupt, clock=clock)
        try:
            stopped = run.epochs()
        finally:
            run.keep_best()
        return TrainingResult(tuple(run.history), run.best_epoch, run.best_value, stopped)


class _Run(Generic[Batch]):
    """The moving parts of one call of `train`. What an exact resume must save is all here."""

    def __init__(
        self,
        objective: Objective[Batch],
        options: TrainingOptions,
        *,
        directory: Path | None,
        log: IO[str] | None,
        bar: ProgressBar,
        interrupt: Interrupt,
        clock: Callable[[], float],
    ) -> None:
        self.objective = objective
        self.options = options
        self.directory = directory
        self.log = log
        self.bar = bar
        self.interrupt = interrupt
        self.named = {name: p for name, p in objective.module.named_parameters() if p.requires_grad}
        self.optimizer = _adamw(list(self.named.values()), options)
        self.average = WeightAverage(self.named.values(), options.average_decay) if options.average_decay else None
        self.total_steps = options.max_epochs * objective.batches_per_epoch
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] | None = None
        self.best_epoch = 0
        self.best_value = math.nan
        self.clock, self.began = clock, clock()
        self.limit = math.inf if options.max_minutes is None else 60 * options.max_minutes

    def epochs(self) -> Stopped:
        for epoch in range(1, self.options.max_epochs + 1):
            if self.interrupt.requested:
                return "interrupted"
            began = self.clock()
            row = self._epoch(epoch)
            if self.interrupt.requested and self.best is not None:
                return "interrupted"
            self._validate(epoch, row, began)
            if self.interrupt.requested:
                return "interrupted"
            if self._seconds() >= self.limit:
                return "max_minutes"
            if self.options.patience is not None and epoch - self.best_epoch >= self.options.patience:
                return "patience"
            if self.options.stop_after is not None and epoch >= self.options.stop_after:
                return "max_epochs"
        return "max_epochs"

    def keep_best(self) -> None:
        if self.best is not None:
            restore(self.objective.module, self.best)
        self.objective.module.eval()

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch, or the part of it that time and signals leave."""
        self.objective.module.train()
        losses: list[float] = []
        largest, rate = 0.0, 0.0
        for batch in self.objective.batches(epoch):
            rate = self.options.learning_rate * learning_rate_factor(
                self.options.schedule, self._position(), self.total_steps, self.options.warmup
            )
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            loss, norm = self._step(batch, epoch, len(losses) + 1)
            losses.append(loss)
            largest = max(largest, norm)
            self.bar.step(epoch=epoch, loss=loss)
            if self.interrupt.requested or self._seconds() >= self.limit:
                break
        if not losses:
            raise TrainingError(f"Epoch {epoch} has no batch: the objective yielded nothing to train on.")
        return {
            "epoch": epoch,
            "loss": math.fsum(losses) / len(losses),
            "learning_rate": rate,
            "gradient_norm": largest,
        }

    def _seconds(self) -> float:
        return self.clock() - self.began

    def _position(self) -> float:
        """The step of the schedule: the number of steps taken, or further on where time runs out sooner than steps.

        At the end of the time limit the schedule is where it would have been at the end of the last epoch.
        """
        if self.limit == math.inf:
            return self.step
        epochs = self.options.max_epochs if self.options.stop_after is None else self.options.stop_after
        end = self.total_steps * min(epochs / self.options.max_epochs, 1.0)
        return max(self.step, end * min(self._seconds() / self.limit, 1.0))

    def _step(self, batch: Batch, epoch: int, number: int) -> tuple[float, float]:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.objective.loss(batch)
        value = loss.item()
        if not math.isfinite(value):
            raise self._not_finite(f"the loss is {value}", batch, epoch, number)
        loss.backward()
        gradients = [p.grad for p in self.named.values() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        # The norm is checked before clipping, which would smear one NaN over every gradient.
        size = norm.item()
        if not math.isfinite(size):
            bad = [name for name, p in self.named.items() if p.grad is not None and not p.grad.isfinite().all()]
            what = f"the gradient of {', '.join(bad)} is not finite" if bad else "the gradient's norm overflows"
            raise self._not_finite(what, batch, epoch, number)
        if self.options.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.named.values(), self.options.clip_norm, norm)
        self.optimizer.step()
        self.step += 1
        if self.average is not None:
            self.average.update(self.step)
        return value, size

    def _not_finite(self, what: str, batch: Batch, epoch: int, number: int) -> TrainingError:
        weights = [name for name, p in self.named.items() if not p.isfinite().all()]
        also = f" Not finite before the step: {', '.join(weights)}." if weights else ""
        kept = f"the best weights so far (epoch {self.best_epoch})" if self.best else "the weights before this step"
        return TrainingError(
            f"Training stopped at epoch {epoch}, step {number}: {what}, in batch: {self.objective.describe(batch)}."
            f"{also} The step was not taken; kept are {kept}. Look at that batch for extreme values, or lower "
            f"learning_rate (now {self.options.learning_rate:g}) or clip_norm (now {self.options.clip_norm})."
        )

    def _validate(self, epoch: int, row: dict[str, float], began: float) -> None:
        module = self.objective.module.eval()
        raw = self.average.swap_in() if self.average is not None else None
        with torch.no_grad():
            metrics = self.objective.validate()
        current = snapshot(module)
        if raw is not None and self.average is not None:
            self.average.swap_out(raw)
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"Training stopped after epoch {epoch}: the validation metric {name} is {value}. Look for extreme "
                    f"values in the validation data, or lower learning_rate (now {self.options.learning_rate:g})."
                )
        row.update(metrics)
        row["seconds"] = self.clock() - began
        if not metrics:
            better = True
        else:
            monitored, value = next(iter(metrics.items()))
            better = self.best is None or value < self.best_value
            self.best_value = value if better else self.best_value
            self.bar.validated(monitored, value, self.best_value)
        if better:
            self.best, self.best_epoch = current, epoch
        self.history.append(row)
        self._write(epoch, row, current, metrics, better)

    def _write(
        self, epoch: int, row: dict[str, float], weights: dict[str, Tensor], metrics: Mapping[str, float], better: bool
    ) -> None:
        if self.directory is None or self.log is None:
            return
        write_checkpoint(self.directory / "last.safetensors", weights, epoch=epoch, metrics=metrics)
        if better:
            write_checkpoint(self.directory / "best.safetensors", weights, epoch=epoch, metrics=metrics)
        self.log.write(json.dumps(row) + "\n")
        self.log.flush()


def _adamw(parameters: list[nn.Parameter], options: TrainingOptions) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) that decays matrices only; fused, which is the fastest on CPU and CUDA alike."""
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=options.learning_rate, fused=fused)
