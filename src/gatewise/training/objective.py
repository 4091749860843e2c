"""What is trained: a module, its batches, its loss and its validation."""

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

Batch = TypeVar("Batch")
Drawn = TypeVar("Drawn", covariant=True)


class Objective(Protocol[Batch]):
    """What `train` needs to know about a task; a batch may be anything, only the objective looks into it."""

    @property
    def module(self) -> nn.Module:
        """The module whose parameters are trained, already on its device."""
        ...

    @property
    def batches_per_epoch(self) -> int:
        """How many batches one epoch yields; schedules and the progress bar count with it."""
        ...

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch (counted from 1), drawn from the objective's own seed and `epoch` alone.

        A run that goes on inside an epoch draws its batches again and leaves those out that it has seen; see
        `Continuing` where that takes long.
        """
        ...

    def loss(self, batch: Batch) -> Tensor:
        """The training loss of one batch: a scalar tensor with a gradient."""
        ...

    def validate(self) -> dict[str, float]:
        """Validation metrics by name, called in evaluation mode without gradients.

        The first one is monitored and lower is better. Empty when there is nothing to validate on: then no epoch is
        better than another, training runs to its end and the last weights are kept.
        """
        ...

    def describe(self, batch: Batch) -> str:
        """A batch in words a user can act on, for example "sequences 4, 17, 120 of the training part".

        Asked for where a loss or a gradient is not finite; names the rows at fault where they can be told.
        """
        ...


@runtime_checkable
class Divisible(Protocol[Batch]):
    """What an objective is as well whose batches can be divided, such that the loss of a batch is that of its parts.

    Each part's loss counts as much as its weight: the sum of `weight(part) * loss(part)` over the weights' sum is the
    loss of the batch, up to rounding and to what is drawn at random.
    """

    def divide(self, batch: Batch, parts: int) -> list[Batch]:
        """A batch in so many parts of similar size, or in fewer where it has fewer sequences; none is empty."""
        ...

    def weight(self, batch: Batch) -> float:
        """What the loss of a batch was divided by."""
        ...


@runtime_checkable
class Gathering(Protocol):
    """What an objective is as well that gathers something from batch to batch or from epoch to epoch.

    It belongs to the state of the run: what was gathered by the moment of a checkpoint is there when the run goes on.
    """

    def gathered(self) -> dict[str, Tensor]:
        """What was gathered, by name."""
        ...

    def regain(self, gathered: Mapping[str, Tensor]) -> None:
        """Take what `gathered` returned in the place of what is there."""
        ...


@runtime_checkable
class Continuing(Protocol[Drawn]):
    """What an objective is as well that can begin an epoch anywhere: over long streams, for instance."""

    def batches_from(self, epoch: int, seen: int) -> Iterator[Drawn]:
        """What `batches` yields after its first `seen` batches, which are not drawn."""
        ...


def batches_from(objective: Objective[Batch], epoch: int, seen: int) -> Iterator[Batch]:
    """The batches of an epoch without the first `seen`."""
    if isinstance(objective, Continuing):
        return objective.batches_from(epoch, seen)
    batches = objective.batches(epoch)
    for _ in range(seen):
        next(batches, None)
    return batches
