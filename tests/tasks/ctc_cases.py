"""Random pairs of network output and target, and what they are worth by going through every alignment.

Legend: T steps, B batch, V labels with the blank among them, S labels of the longest target.
"""

import math
from dataclasses import dataclass
from itertools import groupby, product

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Case:
    """A batch: logits `[T, B, V]` in float64, targets `[B, S]`, lengths `[B]` each."""

    logits: Tensor
    targets: Tensor
    input_lengths: Tensor
    target_lengths: Tensor
    blank: int

    def feasible(self) -> Tensor:
        """Whether an alignment exists, bool `[B]`."""
        return torch.tensor([
            length + sum(row[k] == row[k - 1] for k in range(1, length)) <= steps
            for row, length, steps in zip(
                self.targets.tolist(), self.target_lengths.tolist(), self.input_lengths.tolist(), strict=True
            )
        ])  # fmt: skip


def draw(seed: int, *, most_steps: int = 40, feasible: bool = False) -> Case:
    """A batch of ragged sequences, empty ones among them, with many repeated labels and any label for the blank."""
    generator = torch.Generator().manual_seed(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    steps, batch, labels = number(1, most_steps), number(1, 5), number(2, 40)
    if number(0, 2) == 0:
        labels = number(2, 4)
    scale = (0.1, 1.0, 5.0, 50.0)[number(0, 3)]
    logits = scale * torch.randn(steps, batch, labels, generator=generator, dtype=torch.float64)
    blank = number(0, labels - 1)
    length = number(0, (steps + 1) // 2)
    targets = torch.randint(0, labels - 1, (batch, max(length, 1)), generator=generator)
    targets = targets + (targets >= blank)
    input_lengths = torch.randint(0, steps + 1, (batch,), generator=generator)
    target_lengths = torch.randint(0, length + 1, (batch,), generator=generator)
    case = Case(logits, targets, input_lengths, target_lengths, blank)
    if feasible:
        target_lengths[~case.feasible()] = 0
    return case


def probability(probs: Tensor, target: list[int], blank: int, blank_factor: float = 1.0) -> float:
    """Of a target, by going through all V^T alignments of probabilities `[T, V]`; each blank weighs `blank_factor`."""
    rows = probs.tolist()
    labels = range(probs.shape[1])
    return math.fsum(
        math.prod(row[k] * (blank_factor if k == blank else 1.0) for row, k in zip(rows, alignment, strict=True))
        for alignment in product(labels, repeat=len(rows))
        if [k for k, _ in groupby(alignment) if k != blank] == target
    )
