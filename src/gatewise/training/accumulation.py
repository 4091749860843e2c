"""Gradients of several batches, averaged for one step."""

from collections.abc import Mapping

from torch import Tensor, nn

from gatewise.training.snapshot import check_shapes


class Accumulation:
    """Sums the gradients of batches until there are as many as a step takes.

    A step on their mean is the step on one batch of that size, where losses are means over equal numbers of sequences;
    it needs the memory of one of them.

    Args:
        named: the parameters by name.
        every: batches of a step.

    >>> import torch
    >>> weight = nn.Parameter(torch.zeros(()))
    >>> gradients = Accumulation({"weight": weight}, every=2)
    >>> for value in (1.0, 3.0):
    ...     weight.grad = torch.tensor(value)
    ...     gradients.take()
    >>> gradients.full, gradients.hand_over(), weight.grad.item(), gradients.count
    (True, None, 2.0, 0)
    """

    def __init__(self, named: Mapping[str, nn.Parameter], every: int) -> None:
        self._named, self._every = named, every
        self._sums: dict[str, Tensor] = {}
        self.count = 0

    @property
    def full(self) -> bool:
        """Whether there are as many batches as a step takes."""
        return self.count >= self._every

    def take(self) -> None:
        """Add the gradients that the parameters hold, and take them away."""
        for name, parameter in self._named.items():
            if parameter.grad is None:
                continue
            if name in self._sums:
                self._sums[name].add_(parameter.grad)
            else:
                self._sums[name] = parameter.grad
            parameter.grad = None
        self.count += 1

    def hand_over(self) -> None:
        """Give the parameters the mean, and begin anew."""
        for name, total in self._sums.items():
            self._named[name].grad = total.div_(self.count)
        self._sums, self.count = {}, 0

    def state(self) -> dict[str, Tensor]:
        """The sums so far, by the parameters' names."""
        return dict(self._sums)

    def restore(self, sums: Mapping[str, Tensor], count: int) -> None:
        """Take what `state` returned after `count` batches. Raises `CheckpointError` if it is of other parameters."""
        check_shapes(sums, {name: parameter for name, parameter in self._named.items() if name in sums})
        self._sums = {name: tensor.to(self._named[name].device, copy=True) for name, tensor in sums.items()}
        self.count = count
