"""Gaussian noise on weights while their gradient is taken."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def weight_noise(
    parameters: Iterable[nn.Parameter], deviation: float, generator: torch.Generator | None = None
) -> Iterator[None]:
    """Add normal noise to parameters; on leaving they have the very bits that they had before, whatever is raised.

    The loss and its gradient are computed inside; outside, the optimiser steps from where the weights were, by the
    gradient where the noise led. It makes weights simple (Jim, Giles & Horne 1996; Graves 2011). Graves, Mohamed &
    Hinton (2013) add it once for each sequence with a deviation of 0.075, here it is once for each batch.

    Args:
        parameters: what it is added to.
        deviation: its standard deviation; 0 draws nothing.
        generator: draws it, on the parameters' device; None for torch's own, whose state a checkpoint keeps.

    >>> weight = nn.Parameter(torch.zeros(2))
    >>> with weight_noise([weight], 0.1, torch.Generator().manual_seed(0)):
    ...     weight.detach().clone()
    tensor([ 0.1541, -0.0293])
    >>> weight.detach()
    tensor([0., 0.])
    """
    if deviation == 0:
        yield
        return
    parameters = list(parameters)
    kept = [p.detach().clone() for p in parameters]
    try:
        with torch.no_grad():
            for p in parameters:
                p.add_(torch.randn(p.shape, dtype=p.dtype, device=p.device, generator=generator), alpha=deviation)
        yield
    finally:
        with torch.no_grad():
            for p, value in zip(parameters, kept, strict=True):
                p.copy_(value)
