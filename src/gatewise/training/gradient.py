"""The gradient of a batch: in the precision that is wanted, and in as many parts as memory makes necessary."""

import math
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Generic

import torch
from torch import Tensor, nn

from gatewise.errors import TrainingError
from gatewise.training.noise import weight_noise
from gatewise.training.nonfinite import first_layer
from gatewise.training.objective import Batch, Divisible, Objective
from gatewise.training.options import TrainingOptions
from gatewise.training.position import Position
from gatewise.training.snapshot import random_states, restore_random
from gatewise.training.workers import current_team

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
# Of losses in fp16: the first factor, and after how many batches without an overflow it doubles.
FIRST_SCALE, GROWTH = 2.0**16, 2000
NO_MEMORY = ("can't allocate memory", "out of memory")  # what torch says where it has no type of error for it


class NotFinite(Exception):
    """A loss or a gradient is not finite.

    Attributes:
        what: in words.
        random: the states of the generators before.
        layer: a sentence on the first layer whose output is not finite, or nothing.
    """

    def __init__(self, what: str, random: Mapping[str, Tensor], layer: str = "") -> None:
        super().__init__(what)
        self.what, self.random, self.layer = what, random, layer


class Gradients(Generic[Batch]):
    """Takes gradients of an objective's batches, one at a time.

    A batch whose gradient does not fit into memory is divided in two, as often as it takes; its parts' gradients, each
    with its share in the batch's loss, are added. What divided one batch divides those that follow.

    Args:
        objective: whose loss it is.
        named: the parameters by name.
        options: of the run.
        devices: on which generators are.
    """

    def __init__(
        self,
        objective: Objective[Batch],
        named: Mapping[str, nn.Parameter],
        options: TrainingOptions,
        devices: list[int],
    ) -> None:
        self.objective, self.options = objective, options
        self._named, self._devices = named, devices

    def take(self, batch: Batch, at: Position) -> tuple[float, Tensor]:
        """The loss of a batch, and the norm of its gradient, which the parameters hold then; `at` is kept up to date.

        Raises:
            NotFinite: one of both is not.
            TrainingError: there is no memory for a part that cannot be divided.
        """
        random, team = random_states(self._devices), current_team()
        while True:
            part, share = (batch, 1.0) if team is None else team.part(self.objective, batch)
            value, failure = self._own(part, share, at, random)
            if team is not None:
                value, failed = team.agree(value, failed=failure is not None)
                if failed is not None and failure is None:
                    failure = NotFinite(f"worker {failed + 1} of {team.size} cannot go on (it says why)", random)
            if failure is not None:
                raise failure
            if team is not None:
                team.add_gradients(self._named.values())
            norm = self._norm(at)
            if math.isfinite(norm.item()):
                break
            if at.scale == 1:
                bad = [name for name, p in self._named.items() if p.grad is not None and not p.grad.isfinite().all()]
                what = f"the gradient of {', '.join(bad)} is not finite" if bad else "the gradient's norm overflows"
                raise NotFinite(what, random)
            at.scale, at.scaled = max(at.scale / 2, 1.0), 0
            restore_random(random)
        if self.options.precision == "fp16":
            at.scaled += 1
            if at.scaled == GROWTH:
                at.scale, at.scaled = at.scale * 2, 0
        return value, norm

    def _own(
        self, part: Batch | None, share: float, at: Position, random: Mapping[str, Tensor]
    ) -> tuple[float, NotFinite | TrainingError | None]:
        """Take the gradient of this process's part of a batch, divided as memory has it; its loss, or what failed."""
        while True:
            for parameter in self._named.values():
                parameter.grad = None
            if part is None:
                return 0.0, None
            try:
                return self._backward(part, share, at, random), None
            except NotFinite as error:
                return 0.0, error
            except (MemoryError, RuntimeError) as error:  # torch's errors of memory are RuntimeErrors
                if not _is_of_memory(error):
                    raise
                said = str(error).strip() or type(error).__name__
            # Here the error is gone, and with it what its frames held.
            try:
                at.parts = self._smaller(part, at.parts, said.splitlines()[0])
            except TrainingError as error:
                return 0.0, error
            restore_random(random)

    def _backward(self, batch: Batch, whole: float, at: Position, random: Mapping[str, Tensor]) -> float:
        """Add the gradient of a batch, times its share in the whole, to what parameters hold; its loss, likewise."""
        objective, total = self.objective, 0.0
        with weight_noise(self._named.values(), self.options.weight_noise):
            for part, share in self._parts(batch, at.parts):
                alone = at.parts == 1 and not self.options.weight_noise
                noisy = random if alone else random_states(self._devices)
                with self._autocast():
                    loss = objective.loss(part)
                value = loss.item()
                if not math.isfinite(value):
                    restore_random(noisy)
                    with self._autocast():
                        layer = first_layer(objective.module, lambda part=part: objective.loss(part))
                    raise NotFinite(f"the loss is {value}", random, layer)
                factor = whole * share * at.scale
                (loss if factor == 1 else loss * factor).backward()
                total += whole * share * value
        return total

    def _parts(self, batch: Batch, count: int) -> list[tuple[Batch, float]]:
        """The parts of a batch, each with its share in the loss."""
        if count == 1 or not isinstance(self.objective, Divisible):
            return [(batch, 1.0)]
        parts = self.objective.divide(batch, count)
        weights = [self.objective.weight(part) for part in parts]
        whole = math.fsum(weights)
        return [
            (part, weight / whole if whole else 1 / len(parts)) for part, weight in zip(parts, weights, strict=True)
        ]

    def _norm(self, at: Position) -> Tensor:
        gradients = [p.grad for p in self._named.values() if p.grad is not None]
        if at.scale != 1:
            for gradient in gradients:
                gradient.div_(at.scale)
        # Before clipping, which would smear one NaN over every gradient.
        return torch.nn.utils.get_total_norm(gradients)

    def _smaller(self, batch: Batch, parts: int, said: str) -> int:
        """Into how many parts batches are divided from now on. Raises `TrainingError` if these cannot be."""
        for parameter in self._named.values():
            parameter.grad = None
        can = isinstance(self.objective, Divisible) and len(self.objective.divide(batch, 2 * parts)) > parts
        if not can:
            what = "a batch" if parts == 1 else f"one of the {parts} parts of a batch"
            raise TrainingError(
                f"There is no memory for the gradient of {what}, which cannot be divided further ({said}). Give "
                "shorter sequences or a smaller network."
            )
        warnings.warn(
            f"There is no memory for the gradient of {'a batch' if parts == 1 else 'a part of a batch'} ({said}). "
            f"Batches are divided into {2 * parts} parts from now on, whose gradients are added: the training is the "
            "same, but slower. A smaller batch size with accumulate says so from the beginning.",
            UserWarning,
            stacklevel=4,
        )
        return 2 * parts

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = AUTOCAST.get(self.options.precision)
        if dtype is None:
            return nullcontext()
        return torch.autocast(next(iter(self._named.values())).device.type, dtype)


def _is_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(error).lower() for words in NO_MEMORY)
