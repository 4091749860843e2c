"""The forms in which a stream is given its steps, turned into one: `[T, B, w]`.

Legend: T steps, B batch, X inputs, O outputs, w the width of a vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gatewise.backends.cpu import unit_stride
from gatewise.errors import DataError


@dataclass(frozen=True, eq=False)
class Forms:
    """What a stream takes and gives.

    Attributes:
        title: how its layer prints.
        batch: B.
        batch_first: sequences are `[B, T, ...]`.
        widths: of x, and of the further inputs by name.
        outputs: O.
        example: a tensor of the dtype and device that all must have.
    """

    title: str
    batch: int
    batch_first: bool
    widths: Mapping[str, int]
    outputs: int
    example: Tensor

    def of(self, x: object, over_time: bool) -> "Form":
        """The form in which x is given: one step, or several.

        Raises:
            DataError: it has not the dimensions of any.
        """
        whole, single = ("BT" if self.batch_first else "TB", "T") if over_time else ("B", "")
        if not isinstance(x, Tensor):
            raise DataError(f"expected x to be a Tensor, got {type(x).__name__}")
        dims = single if self.batch == 1 and x.dim() == len(single) + 1 else whole
        form = Form(self, dims, x.shape[dims.index("T")] if over_time and x.dim() == len(dims) + 1 else 1)
        if list(x.shape) != form.shape(self.widths["x"]):
            raise DataError(f"expected x to be {form.expected(self.widths['x'])}, got {list(x.shape)}")
        return form


@dataclass(frozen=True, eq=False)
class Form:
    """One of them.

    Attributes:
        forms: all that are possible.
        dims: the letters of the dimensions before the units: of one step "B" (of a single sequence none), of several
            "TB" or "BT" (of a single sequence "T").
        steps: T.
    """

    forms: Forms
    dims: str
    steps: int

    def shape(self, width: int) -> list[int]:
        """The shape of vectors of a width."""
        sizes = {"T": self.steps, "B": self.forms.batch}
        return [*(sizes[letter] for letter in self.dims), width]

    def expected(self, width: int) -> str:
        """The shape in words."""
        sizes = {"T": "T", "B": str(self.forms.batch)}
        form = "" if self.dims == "" else f"[{', '.join([*self.dims, 'w'])}] = "
        return f"{form}[{', '.join([*(sizes[letter] for letter in self.dims), str(width)])}]"

    def inner(self, value: Tensor) -> Tensor:
        """What has this form as `[T, B, w]`, of the same memory."""
        if self.dims == "BT":
            return value.transpose(0, 1)
        if "B" not in self.dims:
            value = value.unsqueeze(-2)
        return value if "T" in self.dims else value.unsqueeze(0)

    def inputs(self, x: Tensor, further: Mapping[str, Tensor], out: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """x and the further inputs as `[T, B, w]`, checked, units side by side.

        Those of them whose memory is also that of `out` are copied: outputs are written while inputs are still read.

        Raises:
            DataError: one is missing, too many, or does not fit.
        """
        names = [name for name in self.forms.widths if name != "x"]
        for name in further:
            if name not in names:
                listing = ", ".join(names) or "only x"
                raise DataError(f'no cell of {self.forms.title} has an input "{name}"; there is: {listing}')
        for name in names:
            if name not in further:
                raise DataError(
                    f'the cell needs the input "{name}" {self.expected(self.forms.widths[name])}: give {name}='
                )
        found = [self._fitting(name, x if name == "x" else further[name]) for name in self.forms.widths]
        found = [value.clone() if out is not None and _overlap(value, out) else value for value in found]
        return found[0], found[1:]

    def _fitting(self, name: str, value: object) -> Tensor:
        width, example = self.forms.widths[name], self.forms.example
        if not isinstance(value, Tensor):
            raise DataError(f"expected {name} to be a Tensor, got {type(value).__name__}")
        if value.dtype != example.dtype or value.device != example.device:
            raise DataError(
                f"{name} is {value.dtype} on {value.device}, and the layer's parameters are {example.dtype} on "
                f"{example.device}: convert it with .to(dtype) or .to(device)"
            )
        if value.layout != torch.strided:
            raise DataError(f"expected {name} to be a dense tensor, got one of layout {value.layout}")
        value = value.detach().resolve_neg()
        if list(value.shape) == self.shape(width):
            return unit_stride(self.inner(value))
        if "T" in self.dims and list(value.shape) == [self.forms.batch, width]:
            return unit_stride(value).expand(self.steps, self.forms.batch, width)
        still = f" (or [B, w] = {[self.forms.batch, width]} where it stays the same)" if "T" in self.dims else ""
        raise DataError(f"expected {name} to be {self.expected(width)}{still}, got {list(value.shape)}")

    def check_out(self, out: object) -> None:
        """Fail unless outputs can be written there.

        Raises:
            DataError: they cannot.
        """
        shape, example = self.shape(self.forms.outputs), self.forms.example
        if (
            not isinstance(out, Tensor)
            or list(out.shape) != shape
            or out.dtype != example.dtype
            or out.device != example.device
            or out.requires_grad
            or unit_stride(out) is not out
            or _shares(out)
        ):
            came = f"{list(out.shape)} of {out.dtype}" if isinstance(out, Tensor) else type(out).__name__
            raise DataError(
                f"expected out to be {shape} of {example.dtype} on {example.device}, without a gradient, its units "
                f"side by side and each element in a place of its own; got {came}"
            )


def written(out: Tensor) -> Tensor:
    """A tensor that was written to without torch, which is told so."""
    if not out.is_inference():
        torch.autograd.graph.increment_version(out)
    return out


def _shares(tensor: Tensor) -> bool:
    """Whether two elements may stand in one place, as in what `expand` gives."""
    reach = 0  # from the first element to the last of the dimensions so far
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride <= reach:
            return True
        reach += stride * (size - 1)
    return False


def _overlap(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have memory in common, as far as their first and last addresses tell."""
    (first, end), (other, other_end) = _span(a), _span(b)
    return first < other_end and other < end


def _span(tensor: Tensor) -> tuple[int, int]:
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + (last + 1) * tensor.element_size()
