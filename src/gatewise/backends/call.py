"""What a backend is asked to run."""

from dataclasses import dataclass

import torch

from gatewise.cells import Cell

FLOATING = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Call:
    """The signature of a call of a layer: all that the choice of a backend may depend on.

    Attributes:
        cell: whose equations are run.
        device: the device's type, for instance "cpu" or "cuda".
        dtype: of input, states and weights.
        steps: T.
        batch: B.
        sizes: what the symbolic widths stand for, as sorted pairs, for instance `(("H", 5), ("X", 3))`.
        ragged: whether the sequences have lengths of their own.
        extras: what else the call asks for, in words: masks, resets, states over time, tracing.
        torchs_form: whether parameters are stored as torch stores them.
        weights: in how few bits matrices are stored: "bf16", "int8", or None for all.
    """

    cell: Cell
    device: str
    dtype: torch.dtype
    steps: int
    batch: int
    sizes: tuple[tuple[str, int], ...]
    ragged: bool = False
    extras: tuple[str, ...] = ()
    torchs_form: bool = True
    weights: str | None = None

    def __str__(self) -> str:
        widths = ", ".join(f"{name}={size}" for name, size in self.sizes)
        ragged = "".join(f", with {what}" for what in (*(["lengths"] if self.ragged else []), *self.extras))
        dtype = str(self.dtype).removeprefix("torch.")
        if self.weights is not None:
            dtype += f" with weights stored as {self.weights},"
        shape = f"T={self.steps}, B={self.batch}, {widths}{ragged}"
        return f"{type(self.cell).__name__} of {shape}, {dtype} on {self.device}"


def unsupported_dtype(call: Call) -> str | None:
    """Why a call of this dtype can be run by no backend, or None."""
    if call.dtype in FLOATING:
        return None
    return f"the dtype {call.dtype} is not one of {', '.join(str(dtype) for dtype in FLOATING)}"
