"""Sequences of frames and what they say, as the network and its loss see them.

Legend: S sequences, N frames of all of them, T frames, B batch, X features of a frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from gatewise.data import Ragged
from gatewise.errors import DataError

LISTED = 20  # sequences that a message names before it only counts


@dataclass(frozen=True, eq=False)
class Examples:
    """S sequences.

    Attributes:
        frames: of each sequence `[T, X]`.
        names: what messages call each sequence: its file, or its number.
        texts: what each says; None where that is not known.
    """

    frames: Ragged
    names: tuple[str, ...]
    texts: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def select(self, indices: np.ndarray) -> "Examples":
        """Some of them, in the order given."""
        texts = None if self.texts is None else tuple(self.texts[i] for i in indices)
        return Examples(self.frames.select(indices), tuple(self.names[i] for i in indices), texts)

    def pad(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Some of them side by side: float32 `[T, B, X]`, 0 beyond each one's end, and their lengths `[B]`."""
        padded, lengths = self.frames.pad(indices)
        return torch.from_numpy(padded.astype(np.float32, copy=False)), torch.from_numpy(lengths)


def steps_needed(labels: Sequence[int]) -> int:
    """How many steps a target needs: one for each label, and one for the blank between equal neighbours.

    >>> steps_needed([1, 1, 2])
    4
    """
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def check_lengths(examples: Examples, targets: Sequence[Sequence[int]], subsampling: int, remedy: str) -> None:
    """Refuse sequences that are too short for what they say, all of them by name.

    Args:
        examples: S sequences.
        targets: the labels of each.
        subsampling: how many frames become one step of the network.
        remedy: what can be done, as the end of the message.

    Raises:
        DataError: there are such sequences.
    """
    needed = np.array([steps_needed(labels) for labels in targets])
    steps = -(-examples.frames.lengths // subsampling)
    short = np.flatnonzero(needed > steps)
    if len(short):
        listed = [
            f"{examples.names[i]} ({len(targets[i])} labels need {needed[i]} steps, its {examples.frames.lengths[i]} "
            f"frames make {steps[i]})"
            for i in short[:LISTED]
        ]
        raise DataError(
            f"{len(short)} of {len(examples)} sequences are too short for their text: {'; '.join(listed)}"
            f"{f'; and {len(short) - LISTED} more' if len(short) > LISTED else ''}. Each label takes a step, and a "
            f"blank has to stand between equal neighbours: {remedy}"
        )
