"""What is trained: a module, its batches, its loss and its validation."""

from collections.abc import Iterator
from typing import Protocol, TypeVar

from torch import Tensor, nn

Batch = TypeVar("Batch")


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
        """The batches of one epoch (counted from 1), drawn from the objective's own seed and `epoch` alone."""
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
        """A batch in words a user can act on, for example "sequences 4, 17, 120 of the training part"."""
        ...
