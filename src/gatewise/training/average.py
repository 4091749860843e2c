"""Exponential moving average of weights."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of parameters over steps (Polyak & Juditsky 1992, in its exponential form).

    The memory grows with the run, `min(decay, (1 + step) / (10 + step))`, so that the initial weights are forgotten.

    >>> weight = nn.Parameter(torch.zeros(1))
    >>> average = WeightAverage([weight], decay=0.5)
    >>> _ = weight.data.fill_(1.0)
    >>> average.update(step=100)
    >>> raw = average.swap_in(); weight.item()
    0.5
    >>> average.swap_out(raw); weight.item()
    1.0
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        self._parameters = list(parameters)
        self._decay = decay
        self._average = [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters after optimiser step number `step`, counted from 1."""
        keep = min(self._decay, (1 + step) / (10 + step))
        for average, parameter in zip(self._average, self._parameters, strict=True):
            average.lerp_(parameter, 1.0 - keep)

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
