"""A cell with numbers to try it on.

Legend: T steps, B batch, X inputs, H hidden units, w the width of a vector.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatewise.backends.scan import scan
from gatewise.cells import Cell
from gatewise.equations import Step
from gatewise.errors import CellError
from gatewise.nn import Recurrent
from gatewise.nn.layout import sizes_of

STEPS, BATCH, FEATURES = 6, 3, 3
HIDDEN = (4, 6, 8, 12, 5, 7, 16, 24)  # the first that suits the cell
FURTHER = 2  # the size of widths that neither the layer nor the cell tells; divides most of the above

Drawer = Callable[[int, int, int], Tensor]  # from T, B and w to a tensor [T, B, w]


@dataclass(frozen=True, eq=False)
class Trial:
    """What a cell is tried on.

    Attributes:
        cell: the cell.
        step: its equations.
        sizes: what symbolic widths stand for.
        further: those among them that a layer has to be told.
        inputs: each input `[T, B, w]`.
        parameters: each parameter as a layer starts it.
        states: states `[B, w]` that the cell itself came to, after a few steps.
        drawn: names of inputs whose values the caller draws.
    """

    cell: Cell
    step: Step
    sizes: Mapping[str, int]
    further: Mapping[str, int]
    inputs: Mapping[str, Tensor]
    parameters: Mapping[str, Tensor]
    states: Mapping[str, Tensor]
    drawn: frozenset[str]

    @property
    def name(self) -> str:
        """The cell's name, for messages."""
        return self.step.name

    def layer(self, **options: Any) -> Recurrent:
        """A layer of the cell, with the same numbers at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Recurrent(
                self.cell,
                FEATURES,
                self.sizes["H"],
                widths=self.further,
                dtype=torch.float64,
                **{"backend": "reference", **options},
            )

    def initial(self, batch: int = BATCH) -> dict[str, Tensor]:
        """The states that the cell declares `[batch, w]`; for learned ones 0."""
        return {
            name: torch.full(
                (batch, self.sizes[str(leaf.width)]),
                0.0 if self.step.initial[name] == "learned" else float(self.step.initial[name]),
                dtype=torch.float64,
            )
            for name, leaf in self.step.states.items()
        }

    def further_inputs(self) -> dict[str, Tensor]:
        """All inputs but x."""
        return {name: value for name, value in self.inputs.items() if name != "x"}


def trial(cell: Cell, draw: Mapping[str, Drawer]) -> Trial:
    """Sizes that suit a cell, and numbers.

    Inputs are normally distributed; without a gradient, one number a step is a time stamp (increasing), and a vector a
    mask (zeros and ones).

    Raises:
        CellError: no hidden size that is tried suits the cell, or an input that is to be drawn does not exist.
    """
    step = cell.trace()
    unknown = [name for name in draw if name not in step.inputs]
    if unknown:
        raise CellError(f'{step.name} has no input "{unknown[0]}"; there is: {", ".join(step.inputs)}')
    hidden, own = _hidden(cell)
    further = dict.fromkeys(sorted(step.widths() - {"X", "H", *own}), FURTHER)
    sizes = sizes_of(step, FEATURES, hidden, {**own, **further})
    generator = torch.Generator().manual_seed(1)
    inputs: dict[str, Tensor] = {}
    for name, leaf in step.inputs.items():
        width = 1 if leaf.width is None else sizes[leaf.width]
        if name in draw:
            inputs[name] = draw[name](STEPS, BATCH, width).to(torch.float64)
        else:
            inputs[name] = _values(width, name in step.undifferentiated, leaf.width is None, generator)
        if list(inputs[name].shape) != [STEPS, BATCH, width]:
            raise CellError(
                f'{step.name}: the input "{name}" was drawn with shape {list(inputs[name].shape)}; expected [T, B, w] '
                f"= {[STEPS, BATCH, width]}"
            )
    found = Trial(cell, step, sizes, further, inputs, {}, {}, frozenset(draw))
    parameters = {name: value.detach().clone() for name, value in found.layer().cell_parameters().items()}
    with torch.no_grad():
        states = scan(step, inputs, parameters, found.initial())[1]
    return Trial(cell, step, sizes, further, inputs, parameters, states, frozenset(draw))


def _values(width: int, mask: bool, number: bool, generator: torch.Generator) -> Tensor:
    shape = (STEPS, BATCH, width)
    if mask and number:
        return torch.rand(shape, generator=generator, dtype=torch.float64).cumsum(0)
    if mask:
        return torch.randint(0, 2, shape, generator=generator).to(torch.float64)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _hidden(cell: Cell) -> tuple[int, Mapping[str, int]]:
    """The first hidden size that suits the cell, and the widths that follow from it."""
    refused: CellError | None = None
    for hidden in HIDDEN:
        try:
            return hidden, cell.widths(hidden)
        except CellError as error:
            refused = error
    raise CellError(
        f"{type(cell).__name__}: none of the hidden sizes {', '.join(map(str, HIDDEN))} suits the cell: {refused}"
    ) from refused
