"""Where sequences end and begin inside a batch, as numbers that a step can read.

Legend: T steps, B batch, w the width of a vector.
"""

import torch
from torch import Tensor


def valid_steps(lengths: Tensor, x: Tensor) -> Tensor:
    """1 for the steps within each sequence's length, 0 beyond: `[T, B, 1]`, of x's dtype and device."""
    times = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
    return (times < lengths.to(x.device)).unsqueeze(-1).to(x.dtype)


def without_padding(value: Tensor, valid: Tensor) -> Tensor:
    """Padding replaced by a step for which the cell's equations are surely defined: the sequence's first.

    0 would not do: where an equation is infinite there (a logarithm), 0 times its derivative is NaN. An empty sequence
    takes the first step of one that is not empty.
    """
    if value.shape[1] == 0:
        return value
    some = valid[0] != 0
    anyone = value[0].index_select(0, some.flatten().to(torch.uint8).argmax().unsqueeze(0))
    first = torch.where(some, value[0], torch.where(some.any(), anyone, torch.zeros_like(anyone)))
    return torch.where(valid != 0, value, first.detach())


def directed(resets: Tensor, x: Tensor, directions: int) -> list[Tensor]:
    """For each direction 1 where states start anew before a step `[T, B, 1]`, from booleans `[T, B]`.

    A reset before step t begins a sequence there; against time, that sequence ends with step t, and what starts anew is
    the step that is read next: t - 1.
    """
    forward = resets.to(x.device).unsqueeze(-1).to(x.dtype)
    if directions == 1:
        return [forward]
    # Rolled, not sliced: a slice would tie a graph to lengths of at least 3.
    inner = torch.arange(x.shape[0], device=x.device).view(-1, 1, 1) < x.shape[0] - 1
    return [forward, forward.roll(-1, 0) * inner]
