"""Averages of weights over a training: exponential over steps, or uniform over the epochs of its last part."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class WeightAverage:
    """An average of parameters while they are trained.

    Exponential, over steps (Polyak & Juditsky 1992, in its exponential form): the memory grows with the run,
    `min(decay, (1 + step) / (10 + step))`, so that the initial weights are forgotten. Uniform, over what is taken in
    (stochastic weight averaging: Izmailov et al. 2018, algorithm 1, line 7).

    >>> weight = nn.Parameter(torch.zeros(1))
    >>> average = WeightAverage([weight])
    >>> _ = weight.data.fill_(1.0)
    >>> average.decay_towards(decay=0.5, step=100)
    >>> raw = average.swap_in(); weight.item()
    0.5
    >>> average.swap_out(raw); weight.item()
    1.0
    >>> for count, value in enumerate([4.0, 8.0]): average.take_in(count + 1), weight.data.fill_(value)
    (None, tensor([4.]))
    (None, tensor([8.]))
    >>> average.take_in(3); _ = average.swap_in(); round(weight.item(), 4)
    4.3333
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._average = [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def decay_towards(self, decay: float, step: int) -> None:
        """Move the exponential average towards the parameters after optimiser step number `step`, counted from 1."""
        keep = min(decay, (1 + step) / (10 + step))
        for average, parameter in zip(self._average, self._parameters, strict=True):
            average.lerp_(parameter, 1.0 - keep)

    @torch.no_grad()
    def take_in(self, count: int) -> None:
        """Take the parameters into the uniform average as number `count`, counted from 1."""
        for average, parameter in zip(self._average, self._parameters, strict=True):
            average.lerp_(parameter, 1.0 / count)

    def state(self) -> list[Tensor]:
        """The averages, in the order of the parameters."""
        return self._average

    @torch.no_grad()
    def restore(self, state: Iterable[Tensor]) -> None:
        """Take the averages from what `state` returned."""
        for average, value in zip(self._average, state, strict=True):
            average.copy_(value)

    @torch.no_grad()
    def swap_in(self) -> list[Tensor]:
        """Put the averages into the parameters; returns the trained values for `swap_out`."""
        raw = [p.detach().clone() for p in self._parameters]
        for average, parameter in zip(self._average, self._parameters, strict=True):
            parameter.copy_(average)
        return raw

    @torch.no_grad()
    def swap_out(self, raw: list[Tensor]) -> None:
        """Put the trained values back."""
        for value, parameter in zip(raw, self._parameters, strict=True):
            parameter.copy_(value)
