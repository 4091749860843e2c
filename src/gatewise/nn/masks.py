"""Dropout masks from counters: each element's random number follows from a seed and from where the element stands.

The same seed gives the same masks on every device and backend, however a batch is split and a sequence cut. The numbers
are those of Philox4x32-7 (Salmon, Moraes, Dror & Shaw 2011, Parallel Random Numbers: As Easy as 1, 2, 3; the fewest
rounds that pass their tests); a counter serves eight units with 16 bits each, so that a rate is met to 1/65536. What
counters mean is written here, in torch operations; on CPUs the compiled core draws the same bits.

Legend: T steps, B batch, w the width of a vector.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gatewise.backends import masks as core

ROUNDS = 7
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Draw:
    """Where the elements of a call's masks stand, and the seed.

    Attributes:
        seed: an integer tensor of no dimension.
        sequences: a number for each sequence of the batch `[B]`, by which it keeps its masks in another batch.
        step: the number of the first time step: 0, or how many steps of the sequence came before this call.
    """

    seed: Tensor
    sequences: Tensor
    step: int = 0

    def moving(self, stream: int, steps: int, width: int, rate: float, like: Tensor, *, scale: bool = False) -> Tensor:
        """1 with probability 1 - rate, otherwise 0, for each step, sequence and unit: `[T, B, w]`; see `keep`."""
        times = torch.arange(self.step, self.step + steps, device=like.device)
        return keep(self.seed, stream, times, self.sequences, width, rate, like, scale=scale)

    def still(self, stream: int, width: int, rate: float, like: Tensor, *, scale: bool = False) -> Tensor:
        """1 with probability 1 - rate, otherwise 0, for each sequence and unit, the same at all steps: `[1, B, w]`."""
        whole = torch.full((1,), LOW, device=like.device, dtype=torch.int64)
        return keep(self.seed, stream, whole, self.sequences, width, rate, like, scale=scale)

    def of_weight(self, stream: int, rate: float, weight: Tensor, *, scale: bool = False) -> Tensor:
        """1 with probability 1 - rate, otherwise 0, for each element of a matrix."""
        rows, columns = weight.shape
        whole = torch.full((1,), LOW - 1, device=weight.device, dtype=torch.int64)
        numbers = torch.arange(rows, device=weight.device)
        return keep(self.seed, stream, whole, numbers, columns, rate, weight, scale=scale)[0]


def scaled(mask: Tensor, rate: float) -> Tensor:
    """A mask whose mean is 1: what is kept is made larger by what is dropped."""
    return mask / (1 - rate) if rate < 1 else mask


def keep(
    seed: Tensor,
    stream: int,
    times: Tensor,
    numbers: Tensor,
    width: int,
    rate: float,
    like: Tensor,
    *,
    scale: bool = False,
) -> Tensor:
    """1 with probability 1 - rate, otherwise 0.

    Args:
        seed: an integer tensor of no dimension; its 64 bits are the key.
        stream: what the mask is for, so that two masks of one call differ.
        times: an integer for each step `[T]`, a part of the counter.
        numbers: an integer for each sequence or row `[B]`, a part of the counter.
        width: of the mask; units are the last part of the counter.
        rate: the probability of 0.
        like: a tensor whose dtype and device the mask has.
        scale: what is kept is made larger by what is dropped, so that the mean is 1.

    Returns:
        The mask `[T, B, w]`.
    """
    if rate <= 0 or rate >= 1:
        return like.new_full((times.shape[0], numbers.shape[0], width), 0.0 if rate >= 1 else 1.0)
    bound = round((1 - rate) * 2**16)
    if core.supports(like, seed, times, numbers):
        one = like.new_ones(())
        return core.draw(seed, stream, times, numbers, width, bound, scaled(one, rate) if scale else one)
    octets = torch.arange((width + 7) // 8, device=like.device)
    key = seed.to(like.device, torch.int64)
    counter = (octets, times.view(-1, 1, 1), numbers.view(1, -1, 1), torch.full_like(octets, stream))
    lanes = philox(*counter, key & LOW, (key >> 32) & LOW)
    halves = [half < bound for lane in torch.broadcast_tensors(*lanes) for half in (lane & 0xFFFF, lane >> 16)]
    mask = torch.stack(halves, dim=-1).flatten(-2)[..., :width].to(like.dtype)
    return scaled(mask, rate) if scale else mask


def philox(
    c0: Tensor, c1: Tensor, c2: Tensor, c3: Tensor, k0: Tensor, k1: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four random numbers of 32 bits for each counter (c0, c1, c2, c3) under a key (k0, k1).

    All are int64 tensors that hold 32 bits each and broadcast.

    >>> zero = torch.zeros((), dtype=torch.int64)
    >>> [int(number) for number in philox(zero, zero, zero, zero, zero, zero)]
    [1601156873, 227098468, 1326587777, 1332939336]
    """
    for _ in range(ROUNDS):
        # The low 64 bits of a product are the same for signed and unsigned numbers.
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = ((p1 >> 32) & LOW) ^ c1 ^ k0, p1 & LOW, ((p0 >> 32) & LOW) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + WEYL[0]) & LOW, (k1 + WEYL[1]) & LOW
    return c0, c1, c2, c3
