"""The training loop."""

import math
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Generic

import torch
from torch import Tensor, nn

from gatewise.errors import CheckpointWarning, TrainingError
from gatewise.training.accumulation import Accumulation
from gatewise.training.average import WeightAverage
from gatewise.training.gradient import FIRST_SCALE, Gradients, NotFinite
from gatewise.training.interrupt import Interrupt
from gatewise.training.journal import Journal, Part
from gatewise.training.listening import Epoch, tell
from gatewise.training.objective import Batch, Gathering, Objective, batches_from
from gatewise.training.optimizer import adamw
from gatewise.training.options import TrainingOptions
from gatewise.training.position import Position, Stopped, TrainingResult
from gatewise.training.progress import ProgressBar
from gatewise.training.schedule import learning_rate_factor
from gatewise.training.snapshot import (
    check_shapes,
    on_devices,
    optimizer_state,
    random_states,
    restore,
    restore_optimizer,
    restore_random,
    snapshot,
    under,
    with_prefix,
)
from gatewise.training.workers import SEED_APART, current_team, sharing

RATIOS = 4  # updates of an epoch whose size is measured, at most: it takes a copy of the weights each time


def train(
    objective: Objective[Batch],
    options: TrainingOptions,
    *,
    journal: Journal | None = None,
    progress: bool = True,
    name: str = "training",
    label: str | None = None,
) -> TrainingResult:
    """Train `objective.module` with AdamW and leave its best weights in it, in evaluation mode.

    Args:
        objective: what to train.
        options: how to train.
        journal: of the fit that this run belongs to: it says when to stop and what time it is, and gives back what it
            holds of this run, which goes on from there or is finished already. By default Ctrl-C or SIGTERM stop the
            run after the current step with the best weights kept.
        progress: show a progress bar when stderr is a terminal.
        name: the run's, in the journal.
        label: the progress bar's name; by default that of the run.

    Raises:
        TrainingError: the loss, a gradient or a validation metric is not finite, or an epoch has no batch. The
            optimiser has not seen the bad step, and the module holds the best weights so far.
        TrainingInterrupted: a journal that is kept was told to stop.
        CheckpointError: the journal holds another run here.

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
        if journal is None:
            journal = Journal(stack.enter_context(Interrupt()))
        stack.enter_context(journal.waiting())
        module = objective.module
        devices = sorted({p.device.index or 0 for p in module.parameters() if p.device.type == "cuda"})
        stack.enter_context(torch.random.fork_rng(devices=devices))
        team = current_team()
        torch.manual_seed(options.seed + (0 if team is None else SEED_APART * team.rank))
        journal.look(objective, options)
        shapes = {key: list(tensor.shape) for key, tensor in module.state_dict().items()}
        known = journal.begin({"name": name, "options": asdict(options), "shapes": shapes})
        if known is not None and "result" in known.values:
            restore(module.eval(), under("module.", known.tensors))
            _regain(objective, known)
            return TrainingResult.from_dict(known.values["result"])
        run = _Run(name, objective, options, journal, devices)
        if known is not None:
            run.restore(known)
        if team is not None:
            about = f"{name}, {options}, {objective.batches_per_epoch} batches"
            team.check_alike(about, module.state_dict().values())
        run.bar = stack.enter_context(
            ProgressBar(
                enabled=progress and (team is None or team.leads),
                label=label or name,
                max_epochs=options.max_epochs,
                batches_per_epoch=objective.batches_per_epoch,
                done=run.at.step * options.accumulate + run.at.waiting,
            )
        )
        try:
            stopped = run.epochs()
        finally:
            run.keep_best()
        result = TrainingResult(tuple(run.at.history), run.at.best_epoch, run.at.best_value, stopped)
        tensors = with_prefix("module.", snapshot(module)) | _gathered(objective)
        journal.end(Part({"result": result.to_dict(), "steps": run.at.step}, tensors))
        return result


class _Run(Generic[Batch]):
    """The moving parts of one call of `train`: all that `state` takes and `restore` puts back."""

    bar: ProgressBar

    def __init__(
        self, name: str, objective: Objective[Batch], options: TrainingOptions, journal: Journal, devices: list[int]
    ) -> None:
        self.name, self.objective, self.options = name, objective, options
        self.journal, self.devices = journal, devices
        self.named = {name: p for name, p in objective.module.named_parameters() if p.requires_grad}
        self.optimizer = adamw(self.named.values(), options)
        averages = options.average_decay or options.swa_from
        self.average = WeightAverage(self.named.values()) if averages else None
        self.accumulation = Accumulation(self.named, options.accumulate)
        self.gradients = Gradients(objective, self.named, options, devices)
        steps = -(-objective.batches_per_epoch // options.accumulate)  # of an epoch
        self.total_steps = options.max_epochs * steps
        self.limit = math.inf if options.max_minutes is None else 60 * options.max_minutes
        self.swa_from = options.swa_from * self.total_steps or math.inf
        self.measured = -(-steps // RATIOS)  # steps from one measured update to the next
        now = journal.now()
        scale = FIRST_SCALE if options.precision == "fp16" else 1.0
        self.at = Position(began=now, epoch_began=now, scale=scale)
        self.best: dict[str, Tensor] | None = None
        self.random: dict[str, Tensor] | None = None  # to be set once the batches that were seen are drawn again

    def state(self) -> Part:
        """Everything, between two steps or before a validation."""
        tensors = with_prefix("module.", self.objective.module.state_dict())
        tensors |= with_prefix("optimizer.", optimizer_state(self.optimizer, self.named))
        if self.average is not None:
            tensors |= with_prefix("average.", dict(zip(self.named, self.average.state(), strict=True)))
        if self.best is not None:
            tensors |= with_prefix("best.", self.best)
        tensors |= with_prefix("waiting.", self.accumulation.state())
        tensors |= with_prefix("random.", random_states(self.devices))
        return Part(self.at.to_dict(), tensors | _gathered(self.objective))

    def restore(self, part: Part) -> None:
        """Take everything from a state. Raises `CheckpointError` if it is no such run's."""
        self.at = Position.from_dict(part.values)
        restore(self.objective.module, under("module.", part.tensors))
        restore_optimizer(self.optimizer, self.named, under("optimizer.", part.tensors))
        if self.average is not None:
            averages = under("average.", part.tensors)
            check_shapes(averages, self.named)
            self.average.restore(averages[name] for name in self.named)
        if self.at.best_epoch:
            own, best = self.objective.module.state_dict(), under("best.", part.tensors)
            check_shapes(best, own)
            self.best = {name: tensor.to(own[name].device) for name, tensor in best.items()}
        self.accumulation.restore(under("waiting.", part.tensors), self.at.waiting)
        self.random = self._own_random(part)
        _regain(self.objective, part)

    def _own_random(self, part: Part) -> dict[str, Tensor] | None:
        """The states of this worker's generators; None if it was not there when they were saved."""
        team, first = current_team(), under("random.", part.tensors)
        then = 1 + len({name.split(".")[0] for name in under("workers.", part.tensors)})
        now = 1 if team is None else team.size
        if then != now and (team is None or team.leads):
            warnings.warn(
                f"The training was saved by {then} worker{'s' * (then > 1)} and goes on with {now}: what is drawn at "
                "random from here on is not what it would have been.",
                CheckpointWarning,
                stacklevel=4,
            )
        if team is not None and not team.leads:
            first = under(f"workers.{team.rank}.", part.tensors)
        return on_devices(first, self.devices) or None

    def epochs(self) -> Stopped:
        interrupt, options = self.journal.interrupt, self.options
        while True:
            if interrupt.requested and not (self.at.losses or self.at.trained):
                return "interrupted"
            self._epoch()
            if interrupt.requested and self.best is not None:
                return "interrupted"
            self.journal.pause(self.state)
            self._validate()
            if interrupt.requested:
                return "interrupted"
            if self.limit < math.inf and self._seconds() >= self.limit:
                return "max_minutes"
            if options.patience is not None and self.at.epoch - self.at.best_epoch >= options.patience:
                return "patience"
            if self.at.epoch >= min(options.max_epochs, options.stop_after or options.max_epochs):
                return "max_epochs"
            self.at.next_epoch(self.journal.now())
            self.journal.pause(self.state)

    def keep_best(self) -> None:
        if self.best is not None:
            restore(self.objective.module, self.best)
        self.objective.module.eval()

    def _epoch(self) -> None:
        """Train one epoch, or what is left of it, or the part of it that time and signals leave."""
        at, interrupt = self.at, self.journal.interrupt
        self.objective.module.train()
        batches = iter(()) if at.trained else batches_from(self.objective, at.epoch, len(at.losses))
        if self.random is not None:
            restore_random(self.random)
            self.random = None
        at.trained = at.trained or (interrupt.requested and bool(at.losses))
        while not at.trained and (batch := next(batches, None)) is not None:
            at.learning_rate = self.options.learning_rate * learning_rate_factor(
                self.options.schedule, min(self._position(), self.swa_from), self.total_steps, self.options.warmup
            )
            before = at.step
            self._train_on(batch)
            at.trained = interrupt.requested or (self.limit < math.inf and self._seconds() >= self.limit)
            self.bar.step(epoch=at.epoch, loss=at.losses[-1])
            self.journal.pause(self.state, steps=at.step - before)
        if not at.losses:
            raise TrainingError(f"Epoch {at.epoch} has no batch: the objective yielded nothing to train on.")
        if at.waiting:
            self._step_on_mean()
        at.trained = True

    def _seconds(self) -> float:
        return self.journal.now() - self.at.began

    def _position(self) -> float:
        """The step of the schedule: the number of steps taken, or further on where time runs out sooner than steps.

        At the end of the time limit the schedule is where it would have been at the end of the last epoch.
        """
        if self.limit == math.inf:
            return self.at.step
        epochs = self.options.max_epochs if self.options.stop_after is None else self.options.stop_after
        end = self.total_steps * min(epochs / self.options.max_epochs, 1.0)
        return max(self.at.step, end * min(self._seconds() / self.limit, 1.0))

    def _train_on(self, batch: Batch) -> None:
        """Take a batch's gradient, and the step if it has come together."""
        try:
            loss, norm = self.gradients.take(batch, self.at)
        except NotFinite as error:
            raise self._not_finite(error.what, batch, error.random, error.layer) from error
        self.at.losses.append(loss)
        if self.options.accumulate == 1:
            self._step(norm)
            return
        self.accumulation.take()
        self.at.waiting = self.accumulation.count
        if self.accumulation.full:
            self._step_on_mean()

    def _step_on_mean(self) -> None:
        self.accumulation.hand_over()
        self.at.waiting = 0
        self._step(torch.nn.utils.get_total_norm([p.grad for p in self.named.values() if p.grad is not None]))

    def _step(self, norm: Tensor) -> None:
        """The optimiser's step on the gradients that the parameters hold, whose norm is known."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.at.learning_rate
        if self.options.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.named.values(), self.options.clip_norm, norm)
        before = None if len(self.at.norms) % self.measured else [p.detach().clone() for p in self.named.values()]
        self.at.norms.append(norm.item())
        self.optimizer.step()
        self.at.step += 1
        if before is not None:
            self.at.ratios.append(_update_ratio(before, list(self.named.values())))
        if self.average is not None and self.options.average_decay:
            self.average.decay_towards(self.options.average_decay, self.at.step)

    def _not_finite(self, what: str, batch: Batch, random: Mapping[str, Tensor], layer: str = "") -> TrainingError:
        rows = self.objective.describe(batch)
        restore_random(random)  # the state that may be kept is that before the step
        weights = [name for name, p in self.named.items() if not p.isfinite().all()]
        also = f" Not finite before the step: {', '.join(weights)}." if weights else ""
        kept = f"the best weights so far (epoch {self.at.best_epoch})" if self.best else "the weights before this step"
        return TrainingError(
            f"Training stopped at epoch {self.at.epoch}, step {len(self.at.norms) + 1}: {what}, in batch: "
            f"{rows}.{layer}{also} The step was not taken; kept are {kept}."
            f"{self.journal.rescue(self.state)} Look at that batch for extreme values, or lower learning_rate (now "
            f"{self.options.learning_rate:g}) or clip_norm (now {self.options.clip_norm})."
        )

    def _validate(self) -> None:
        module, at = self.objective.module.eval(), self.at
        gathered = Part({}, _gathered(self.objective))
        if self.average is not None and self._position() >= self.swa_from and at.averaged_until < at.epoch:
            at.averaged, at.averaged_until = at.averaged + 1, at.epoch
            self.average.take_in(at.averaged)
        averaged = self.average is not None and (self.options.average_decay or at.averaged)
        raw = self.average.swap_in() if self.average is not None and averaged else None
        try:
            current = snapshot(module)
            with torch.no_grad(), self.journal.repeatable(), sharing():
                metrics = self.objective.validate()
        except KeyboardInterrupt:
            self._swap_out(raw)
            _regain(self.objective, gathered)
            self.journal.pause(self.state)
            raise
        self._swap_out(raw)
        for name, value in metrics.items():
            if not math.isfinite(value):
                _regain(self.objective, gathered)
                raise TrainingError(
                    f"Training stopped after epoch {at.epoch}: the validation metric {name} is {value}."
                    f"{self.journal.rescue(self.state)} Look for extreme values in the validation data, or lower "
                    f"learning_rate (now {self.options.learning_rate:g})."
                )
        better = True
        if metrics:
            monitored, value = next(iter(metrics.items()))
            better = self.best is None or value < at.best_value
            at.best_value = value if better else at.best_value
            self.bar.validated(monitored, value, at.best_value)
        if better:
            self.best, at.best_epoch = current, at.epoch
        self._log(metrics)

    def _swap_out(self, raw: list[Tensor] | None) -> None:
        if raw is not None and self.average is not None:
            self.average.swap_out(raw)

    def _log(self, metrics: Mapping[str, float]) -> None:
        row = self.at.row(metrics, self.journal.now())
        self.at.history.append(row)
        self.journal.log(row)
        tell(Epoch(self.name, self.at.epoch, self.at.best_value if metrics else None))


@torch.no_grad()
def _update_ratio(before: list[Tensor], after: list[nn.Parameter]) -> float:
    """The norm of what a step changed, over the norm of the weights it changed."""
    change = torch.nn.utils.get_total_norm([new - old for old, new in zip(before, after, strict=True)])
    size = torch.nn.utils.get_total_norm(before)
    return (change / size.clamp(min=torch.finfo(size.dtype).tiny)).item()


def _gathered(objective: Objective[Batch]) -> dict[str, Tensor]:
    return with_prefix("gathered.", objective.gathered()) if isinstance(objective, Gathering) else {}


def _regain(objective: Objective[Batch], part: Part) -> None:
    if isinstance(objective, Gathering):
        objective.regain(under("gathered.", part.tensors))
