"""The output of a network, as decoders read it.

Legend: T steps, B batch, V labels with the blank among them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import DataError
from gatewise.tasks.ctc.pairs import Lengths, as_lengths, check_logits


@dataclass(frozen=True, eq=False)
class Outputs:
    """Logits on the CPU, checked in shape, with lengths.

    Attributes:
        logits: float32 or float64 `[T, B, V]`, labels side by side.
        lengths: int64 `[B]`, from 0 to T.
    """

    logits: np.ndarray
    lengths: np.ndarray

    def log_probs(self, sequence: int, *, first: int = 0) -> np.ndarray:
        """Logarithms of probabilities of one sequence's steps, float64 `[length, V]`.

        Args:
            sequence: which one.
            first: the number that messages have for its first step.

        Raises:
            DataError: a step has a NaN or an infinite logit, or only logits of -inf.
        """
        rows = torch.from_numpy(self.logits[: self.lengths[sequence], sequence].astype(np.float64))
        found = rows.log_softmax(1).numpy()
        bad = np.flatnonzero(np.isnan(found).any(1))
        if len(bad):
            raise not_numbers(sequence, first + int(bad[0]))
        return found


def read_outputs(logits: object, lengths: Lengths | None, *, who: str) -> Outputs:
    """Look at logits `[T, B, V]` (or, of one sequence, `[T, V]`) and lengths.

    Raises:
        DataError: they are not of these shapes, or a length is out of range.
    """
    rows = check_logits(logits, who=who).detach()
    steps, batch, _ = rows.shape
    checked = as_lengths(lengths, steps, batch, "lengths", who=who).cpu().numpy()
    outside = np.flatnonzero((checked < 0) | (checked > steps))
    if len(outside):
        raise DataError(f"{who}: lengths[{outside[0]}] is {checked[outside[0]]}, expected 0 to T = {steps}")
    return Outputs(as_array(rows), np.ascontiguousarray(checked))


def as_array(logits: Tensor) -> np.ndarray:
    """Logits `[T, B, V]` as float32 or float64 on the CPU, labels side by side."""
    rows = logits.cpu()
    if rows.dtype not in (torch.float32, torch.float64):
        rows = rows.float()
    return (rows if rows.stride(2) == 1 else rows.contiguous()).numpy()


def not_numbers(sequence: int, step: int) -> DataError:
    """The error for logits that give no probabilities."""
    return DataError(
        f"sequence {sequence} has no probabilities at step {step}: a logit is NaN or infinite, or all are -inf. "
        "Look at what the network was given there"
    )
