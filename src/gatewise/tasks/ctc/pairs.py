"""Pairs of network output and target, as they come and as they are computed with.

Legend: T steps, B batch, V labels with the blank among them, S labels of the longest target.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import DataError

Lengths = Sequence[int] | Tensor | np.ndarray | int
Targets = Tensor | np.ndarray | Sequence[Sequence[int]] | Sequence[Tensor]

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_MOST_NAMED = 20  # indices that a message lists before it only counts


@dataclass(frozen=True, eq=False)
class Pairs:
    """What is to be seen of a batch: numbers on the CPU, all of them checked.

    Attributes:
        input_lengths: int64 `[B]`, from 0 to T.
        targets: int64, all targets one after the other; none is the blank.
        offsets: int64 `[B + 1]`, where each target begins.
    """

    input_lengths: np.ndarray
    targets: np.ndarray
    offsets: np.ndarray

    @cached_property
    def target_lengths(self) -> np.ndarray:
        """How many labels each target has: int64 `[B]`."""
        return np.diff(self.offsets)

    @cached_property
    def needed(self) -> np.ndarray:
        """How many steps each target needs at least: int64 `[B]`; equal neighbours need a blank between them."""
        repeats = np.zeros(len(self.targets) + 1, np.int64)
        np.cumsum(np.r_[False, self.targets[1:] == self.targets[:-1]][: len(self.targets)], out=repeats[1:])
        # The first label of a target repeats nothing, whatever ended the target before it.
        first = np.minimum(self.offsets[:-1] + 1, self.offsets[1:])
        return self.target_lengths + repeats[self.offsets[1:]] - repeats[first]

    @property
    def infeasible(self) -> np.ndarray:
        """Indices of pairs whose input has fewer steps than the target needs, so that no alignment exists."""
        return np.flatnonzero(self.needed > self.input_lengths)

    def check_feasible(self, *, who: str, remedy: str = "") -> None:
        """Refuse pairs without an alignment.

        Args:
            who: what stands in messages for the function.
            remedy: what else may be done about them.

        Raises:
            DataError: there are such pairs; the message names them by their index in the batch.
        """
        found = self.infeasible
        if not len(found):
            return
        listed = [
            f"{b} ({self.target_lengths[b]} labels need {self.needed[b]} steps, the input has {self.input_lengths[b]})"
            for b in found[:_MOST_NAMED]
        ]
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        raise DataError(
            f"{who}: no alignment exists for {len(found)} of {len(self.input_lengths)} pairs: index "
            f"{', '.join(listed)}{more}. Each label takes a step, and a blank has to stand between equal neighbours: "
            f"leave these pairs out, or let the network keep more steps (less pooling or a smaller stride){remedy}"
        )


def check_logits(logits: object, *, who: str) -> Tensor:
    """The output of a network as `[T, B, V]`.

    Raises:
        DataError: no tensor, not of floating point, not `[T, B, V]` or `[T, V]`, or without sequences or labels.
    """
    if not isinstance(logits, Tensor):
        raise DataError(f"{who}: expected logits to be a Tensor, got {type(logits).__name__}")
    if logits.dim() not in (2, 3):
        raise DataError(f"{who}: expected logits [T, B, V] or, for one sequence, [T, V]; got {list(logits.shape)}")
    if logits.dtype not in DTYPES:
        raise DataError(f"{who}: expected logits of a floating-point type, got {logits.dtype}")
    batched = logits if logits.dim() == 3 else logits.unsqueeze(1)
    if batched.shape[1] == 0 or batched.shape[2] == 0:
        raise DataError(f"{who}: expected at least one sequence and one label, got logits {list(logits.shape)}")
    return batched


def as_tensor(given: object, name: str, *, who: str) -> Tensor:
    """Whole numbers as an int64 tensor wherever they are.

    Raises:
        DataError: what was given are no whole numbers.
    """
    if isinstance(given, Tensor):
        found = given
    else:
        try:
            array = np.asarray(given)
        except ValueError as error:  # rows of different lengths
            raise DataError(f"{who}: expected {name} to be whole numbers, got rows of different lengths") from error
        if array.size == 0 and array.dtype.kind == "f":
            array = array.astype(np.int64)  # what numpy makes of an empty list
        if array.dtype.kind not in "iu":
            raise DataError(f"{who}: expected {name} to be whole numbers, got {array.dtype}")
        found = torch.from_numpy(np.ascontiguousarray(array.astype(np.int64)))
    if found.dtype.is_floating_point or found.dtype.is_complex or found.dtype == torch.bool:
        raise DataError(f"{who}: expected {name} to be whole numbers, got {found.dtype}")
    return found.to(torch.int64)


def as_lengths(given: Lengths | None, default: int, batch: int, name: str, *, who: str) -> Tensor:
    """Lengths as an int64 tensor `[B]`; None stands for `default` in each place.

    Raises:
        DataError: no whole numbers, or not one for each sequence.
    """
    if given is None:
        return torch.full((batch,), default, dtype=torch.int64)
    found = as_tensor(given, name, who=who)
    if found.dim() == 0:
        found = found.unsqueeze(0)
    if found.shape != (batch,):
        raise DataError(
            f"{who}: expected {name} to be one number for each of {batch} sequences, got {list(found.shape)}"
        )
    return found


def as_targets(targets: Targets, lengths: Lengths | None, batch: int, *, who: str) -> tuple[Tensor, Tensor]:
    """Targets padded `[B, S]` or one after the other `[N]`, and their lengths `[B]`; int64, wherever they are.

    Raises:
        DataError: no whole numbers, of another shape, or without lengths where these cannot be told.
    """
    if isinstance(targets, (Tensor, np.ndarray)):
        found = as_tensor(targets, "targets", who=who)
        if found.dim() not in (1, 2) or (found.dim() == 2 and found.shape[0] != batch):
            raise DataError(
                f"{who}: expected targets [B, S] with B = {batch}, or [N], one after the other; got {list(found.shape)}"
            )
        if lengths is None and found.dim() == 1 and batch != 1:
            raise DataError(f"{who}: targets come one after the other, so target_lengths are needed to part them")
        return found, as_lengths(lengths, found.shape[-1], batch, "target_lengths", who=who)
    if isinstance(targets, str) or not isinstance(targets, Sequence):
        raise DataError(
            f"{who}: expected targets to be a Tensor or a list of label lists, got {type(targets).__name__}"
        )
    rows = [as_tensor(row, f"targets[{b}]", who=who).cpu() for b, row in enumerate(targets)]
    if len(rows) != batch or any(row.dim() != 1 for row in rows):
        raise DataError(f"{who}: expected a list of labels for each of {batch} sequences, got {len(rows)} entries")
    own = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    if lengths is not None and not torch.equal(own, as_lengths(lengths, 0, batch, "target_lengths", who=who).cpu()):
        raise DataError(f"{who}: target_lengths differ from the lengths of the lists of labels; leave them out")
    return torch.cat(rows), own


def read_pairs(
    shape: Sequence[int],
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    *,
    who: str,
) -> Pairs:
    """Look at the numbers of a batch of logits `[T, B, V]`.

    Args:
        shape: T, B, V.
        targets: int64 `[B, S]`, or `[N]`, one after the other.
        input_lengths: int64 `[B]`.
        target_lengths: int64 `[B]`.
        blank: the number of the blank.
        who: what stands in messages for the function.

    Raises:
        DataError: a length or a label is out of range, a target has a blank, or lengths do not add up.
    """
    steps, _, labels = shape
    inputs = input_lengths.cpu().numpy()
    lengths = target_lengths.cpu().numpy()
    outside = np.flatnonzero((inputs < 0) | (inputs > steps))
    if len(outside):
        raise DataError(f"{who}: input_lengths[{outside[0]}] is {inputs[outside[0]]}, expected 0 to T = {steps}")
    given = targets.cpu().numpy()
    most = given.shape[-1]
    outside = np.flatnonzero((lengths < 0) | (lengths > most))
    if len(outside):
        raise DataError(
            f"{who}: target_lengths[{outside[0]}] is {lengths[outside[0]]}, expected 0 to {most}, "
            f"as many labels as targets {list(given.shape)} can hold"
        )
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if given.ndim == 1:
        if offsets[-1] != len(given):
            raise DataError(f"{who}: target_lengths add up to {offsets[-1]}, but there are {len(given)} targets")
        flat = np.ascontiguousarray(given)
    else:
        flat = given[np.arange(most) < lengths[:, None]]
    wrong = np.flatnonzero((flat < 0) | (flat >= labels) | (flat == blank))
    if len(wrong):
        place = int(wrong[0])
        pair = int(np.searchsorted(offsets, place, side="right")) - 1
        value = int(flat[place])
        what = "which is the blank" if value == blank else f"expected a label from 0 to {labels - 1}"
        raise DataError(f"{who}: label {place - offsets[pair]} of target {pair} is {value}, {what}")
    return Pairs(np.ascontiguousarray(inputs), flat, offsets)


def padded(targets: Tensor, lengths: Tensor) -> Tensor:
    """Targets as int64 `[B, S]` with 0 beyond their ends, of targets `[B, S]` or `[N]` that have been checked.

    >>> padded(torch.tensor([3, 1, 2]), torch.tensor([1, 0, 2]))
    tensor([[3, 0],
            [0, 0],
            [1, 2]])
    """
    most = targets.shape[-1] if targets.dim() == 2 else int(lengths.max())
    places = torch.arange(most, device=targets.device)
    rows = targets
    if targets.dim() == 1:
        starts = (lengths.cumsum(0) - lengths).unsqueeze(1)
        rows = targets[(starts + places).clamp(max=max(len(targets) - 1, 0))]
    return torch.where(places < lengths.unsqueeze(1), rows, 0)
