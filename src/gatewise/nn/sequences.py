"""The forms in which sequences come to a layer, turned into one: time-major, with lengths.

Legend: T steps, B batch, X inputs, N rows of all sequences together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatewise.errors import DataError

Lengths = Sequence[int] | Tensor | np.ndarray
Resets = Sequence[Sequence[bool]] | Sequence[bool] | Tensor | np.ndarray


@dataclass(frozen=True, eq=False)
class Sequences:
    """A batch of sequences given to a layer.

    Attributes:
        dense: `[T, B, X]`, or None if the sequences came packed.
        packed: as they came, or None.
        lengths: `[B]` on the CPU, int64; None if all have T steps (and for packed ones until they are padded).
        steps: T.
        batch: B.
        unbatched: whether one sequence came without a batch dimension.
        batch_first: whether the batch dimension came first.
    """

    dense: Tensor | None
    packed: PackedSequence | None
    lengths: Tensor | None
    steps: int
    batch: int
    unbatched: bool = False
    batch_first: bool = False

    @property
    def data(self) -> Tensor:
        """The tensor that holds the values, whatever its form."""
        if self.packed is not None:
            return self.packed.data
        assert self.dense is not None
        return self.dense

    @property
    def ragged(self) -> bool:
        """Whether sequences may be shorter than T."""
        return self.packed is not None or self.lengths is not None

    def padded(self) -> tuple[Tensor, Tensor | None]:
        """Values `[T, B, X]` and lengths `[B]`, packed sequences in their unsorted order."""
        if self.packed is not None:
            return pad_packed_sequence(self.packed)
        return self.data, self.lengths

    def restore(self, output: Tensor) -> Tensor | PackedSequence:
        """Outputs `[T, B, ...]` in the form in which the input came."""
        if self.packed is not None:
            sizes, order = self.packed.batch_sizes, self.packed.sorted_indices
            # Row t of the sorted batch has batch_sizes[t] sequences: sequence b has as many steps as sizes above b.
            lengths = (sizes.unsqueeze(1) > torch.arange(self.batch, device=sizes.device)).sum(0)
            rows = output if order is None else output.index_select(1, order)
            data = pack_padded_sequence(rows, lengths).data
            return PackedSequence(data, sizes, order, self.packed.unsorted_indices)
        if self.unbatched:
            return output.squeeze(1)
        return output.transpose(0, 1) if self.batch_first else output


def arrange(
    input: Tensor | PackedSequence, lengths: Lengths | None, *, batch_first: bool, features: int, layer: object
) -> Sequences:
    """Check a layer's input and bring it into one form.

    Args:
        input: `[T, B, X]`; `[B, T, X]` with `batch_first`; one sequence `[T, X]`; or a `PackedSequence`.
        lengths: how many steps each sequence has, from 0 to T; None for all T.
        batch_first: see `input`.
        features: X as the layer expects it.
        layer: what stands in messages for the layer.

    Raises:
        DataError: the input is no tensor or not a dense one, has the wrong number of dimensions or features or no time
            step; or the lengths do not fit (see `check_lengths`).
    """
    if isinstance(input, PackedSequence):
        if lengths is not None:
            raise DataError(f"{layer}: lengths= was given with a PackedSequence, which has its own; leave lengths out")
        if input.data.dim() != 2 or input.data.shape[1] != features:
            raise DataError(
                f"{layer}: expected packed data of shape [N, {features}], got {list(input.data.shape)}; "
                "the last dimension holds the input features"
            )
        return Sequences(None, input, None, steps=len(input.batch_sizes), batch=int(input.batch_sizes[0]))
    if not isinstance(input, Tensor):
        raise DataError(f"{layer}: expected the input to be a Tensor or a PackedSequence, got {type(input).__name__}")
    if input.is_nested or input.layout != torch.strided:
        came = "a nested tensor" if input.is_nested else f"one of layout {input.layout}"
        raise DataError(
            f"{layer}: expected the input to be a dense tensor, got {came}: convert it (.to_dense(), or "
            ".to_padded_tensor(0.0) with lengths=)"
        )
    form = f"[B, T, {features}]" if batch_first else f"[T, B, {features}]"
    if input.dim() not in (2, 3) or input.shape[-1] != features:
        raise DataError(
            f"{layer}: expected an input of shape {form} or, for one sequence, [T, {features}]; got {list(input.shape)}"
        )
    unbatched = input.dim() == 2
    dense = input.unsqueeze(1) if unbatched else input.transpose(0, 1) if batch_first else input
    steps, batch = dense.shape[:2]
    if steps == 0:
        raise DataError(
            f"{layer}: expected at least one time step, got an input of shape {list(input.shape)} for {form}; "
            "an empty sequence can be given by padding it and setting its length to 0"
        )
    checked = None if lengths is None else check_lengths(lengths, steps=steps, batch=batch, layer=layer)
    return Sequences(dense, None, checked, steps, batch, unbatched, batch_first)


def check_lengths(lengths: Lengths, *, steps: int, batch: int, layer: object) -> Tensor:
    """Lengths as an int64 tensor `[B]` on the CPU.

    Raises:
        DataError: not integers, not one for each of the B sequences, negative, or above T.

    >>> check_lengths([3, 0], steps=4, batch=2, layer="LSTM")
    tensor([3, 0])
    """
    if isinstance(lengths, Tensor) and torch.compiler.is_compiling():
        # A graph cannot look at values on its way; where they do not fit, it stops when it runs.
        asked = lengths.to(torch.int64)
        fits = ((asked >= 0) & (asked <= steps)).all()
        torch._assert_async(fits, "expected lengths from 0 to T")  # pyright: ignore[reportPrivateImportUsage]
        return asked
    if isinstance(lengths, Tensor):
        given = lengths.detach().cpu()
    elif isinstance(lengths, np.ndarray):
        given = torch.from_numpy(np.ascontiguousarray(lengths)) if lengths.dtype.kind in "iuf" else None
    else:
        values = list(lengths) if isinstance(lengths, Sequence) and not isinstance(lengths, str) else None
        given = None
        if values is not None and all(_is_whole(value) for value in values):
            given = torch.tensor([min(int(value), 2**62) for value in values], dtype=torch.int64, device="cpu")
    if given is None or given.dtype.is_floating_point or given.dtype.is_complex or given.dtype == torch.bool:
        came = f"{lengths.dtype}" if isinstance(lengths, (Tensor, np.ndarray)) else f"{lengths!r}"
        raise DataError(f"{layer}: expected lengths to be a list or tensor of {batch} whole numbers, got {came}")
    if given.shape != (batch,):
        raise DataError(
            f"{layer}: expected one length for each of the {batch} sequences of the batch, got {list(given.shape)}"
        )
    checked = given.to(torch.int64)
    for position, length in enumerate(checked.tolist()):
        if not 0 <= length <= steps:
            raise DataError(
                f"{layer}: lengths[{position}] is {length}; expected a number from 0 to T = {steps}, the padded length"
            )
    return checked


def check_resets(resets: Resets, sequences: Sequences, *, layer: object) -> Tensor:
    """Resets as a boolean tensor `[T, B]`.

    Args:
        resets: `[T, B]` (`[B, T]` with `batch_first`, `[T]` for one sequence): whether the state starts anew before a
            step.
        sequences: the batch they belong to.
        layer: what stands in messages for the layer.

    Raises:
        DataError: not booleans, or not one for each step and sequence.
    """
    steps, batch = sequences.steps, sequences.batch
    if isinstance(resets, Tensor):
        given = resets
    else:
        try:
            given = torch.from_numpy(np.array(resets))
        except (TypeError, ValueError) as error:  # rows of different lengths, or no numbers at all
            raise DataError(f"{layer}: expected resets to be booleans [T, B], got {resets!r} ({error})") from error
    expected = [steps] if sequences.unbatched else [batch, steps] if sequences.batch_first else [steps, batch]
    form = "[T]" if sequences.unbatched else "[B, T]" if sequences.batch_first else "[T, B]"
    if given.dtype != torch.bool:
        raise DataError(f"{layer}: expected resets to be booleans {form} = {expected}, got {given.dtype}")
    if list(given.shape) != expected:
        raise DataError(f"{layer}: expected resets to be {form} = {expected}, got {list(given.shape)}")
    if sequences.unbatched:
        return given.unsqueeze(1)
    return given.transpose(0, 1) if sequences.batch_first else given


def _is_whole(value: object) -> bool:
    if isinstance(value, Tensor):
        return value.dim() == 0 and not value.dtype.is_floating_point and value.dtype != torch.bool
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
