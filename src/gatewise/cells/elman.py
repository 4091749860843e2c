"""The simple recurrent network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gatewise.cells.cell import Cell, State
from gatewise.equations import Expr, linear, relu, tanh
from gatewise.errors import CellError, nearest

NONLINEARITIES = {"tanh": tanh, "relu": relu}


@dataclass(frozen=True)
class Elman(Cell):
    """Simple recurrent network: the hidden units see the input and themselves of the step before.

    Elman, J. L. (1990), Finding Structure in Time, Cognitive Science 14(2), 179-211 (figure 2; the paper numbers no
    equations). In the form of `torch.nn.RNN`, which deviates from the paper thus: the units are tanh or relu, not
    logistic; the state starts at 0, not at 0.5; the output units are not part of the cell.

    State `h` `[H]` (the output).

    Attributes:
        nonlinearity: "tanh" or "relu".
        bias: whether the hidden units have biases.

    Raises:
        CellError: no such nonlinearity.

    >>> print(Elman("relu").trace())
    Elman: x [X]; states h [H]; output h
      h' = relu(W_h @ x + b_h + U_h @ h)
    parameters: W_h [H, X], b_h [H], U_h [H, H]
    """

    nonlinearity: Literal["tanh", "relu"] = "tanh"
    bias: bool = True

    h = State()

    def __post_init__(self) -> None:
        if self.nonlinearity not in NONLINEARITIES:
            raise CellError(
                f'Elman has no nonlinearity "{self.nonlinearity}"; {nearest(str(self.nonlinearity), NONLINEARITIES)}'
            )

    def step(self, x: Expr, h: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [H] -> the new h."""
        return {"h": NONLINEARITIES[self.nonlinearity](linear("h", x, h, bias=self.bias))}
