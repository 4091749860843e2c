"""The LSTM of 1997: memory blocks, no forget gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatewise.cells.cell import Cell, Declaration, Observed, State
from gatewise.equations import Expr, detach, linear, matmul, repeat, sigmoid
from gatewise.errors import CellError


@dataclass(frozen=True)
class LSTM1997(Cell):
    """Long short-term memory as it was introduced: memory blocks whose cells keep their state for ever.

    Hochreiter, S. & Schmidhuber, J. (1997), Long Short-Term Memory, Neural Computation 9(8), 1735-1780, eqs. 1-9 and
    appendix A.1. S cells make a block and share its input gate `i` and output gate `o`; there is no forget gate, so the
    error in `c` flows back unchanged: the constant error carousel. The block input is squashed by `4 sigmoid - 2`, the
    cell's output by `2 sigmoid - 1`.

    States `h`, `c` `[H]`; with gate recurrence also `i`, `o` `[K]`, K = H / S blocks. Observed: block input `z` `[H]`,
    and the gates.

    Attributes:
        cells_per_block: S.
        gate_recurrence: gates and block inputs also read all gates of the step before, as in the paper's experiments.
        truncated: cut the gradient where gates and block inputs read the step before, as the paper's learning algorithm
            does (appendix A.1); otherwise the full gradient.
        bias: whether gates have biases.
        cell_bias: whether block inputs have biases.

    >>> print("\\n".join(str(LSTM1997(cells_per_block=2, gate_recurrence=False).trace()).splitlines()[:6]))
    LSTM1997: x [X]; states h [H], c [H]; output h
      i = sigmoid(W_i @ x + b_i + U_i @ h)
      z = 4 * sigmoid(W_z @ x + b_z + U_z @ h) - 2
      o = sigmoid(W_o @ x + b_o + U_o @ h)
      c' = c + repeat(i) * z
      h' = repeat(o) * (2 * sigmoid(c') - 1)
    """

    cells_per_block: int = 1
    gate_recurrence: bool = True
    truncated: bool = False
    bias: bool = True
    cell_bias: bool = True

    candidate = "z"
    h, c = State(), State()
    i, z, o = Observed(), Observed(), Observed()

    def __post_init__(self) -> None:
        size = self.cells_per_block
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise CellError(f"cells_per_block={size!r} must be a whole number of at least 1")

    def declared(self, kind: type[Declaration]) -> dict[str, Declaration]:
        """The declarations of the class; gates that feed gates are states."""
        found: dict[str, Any] = super().declared(kind)
        fed = ("i", "o") if self.gate_recurrence else ()
        if issubclass(kind, State):
            found |= {gate: State(self._gate_width) for gate in fed}
        if issubclass(kind, Observed):
            found = {name: value for name, value in found.items() if name not in fed}
        return found

    def widths(self, hidden_size: int) -> Mapping[str, int]:
        """K, the number of blocks.

        Raises:
            CellError: H is not a multiple of the cells per block.
        """
        if hidden_size % self.cells_per_block:
            raise CellError(f"hidden_size={hidden_size} is not a multiple of cells_per_block={self.cells_per_block}")
        return {"K": hidden_size // self.cells_per_block} if self.cells_per_block > 1 else {}

    def step(self, x: Expr, h: Expr, c: Expr, **gates: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [H], c [H] (and the gates before [K]) -> the new ones, and i, z, o."""
        if self.truncated:
            h, gates = detach(h), {name: detach(gate) for name, gate in gates.items()}

        def net(name: str, width: str, bias: bool) -> Expr:
            total = linear(name, x, h, width=width, bias=bias)
            for other, gate in gates.items():
                total = total + matmul(f"G_{name}{other}", gate, width)
            return total

        def each(gate: Expr) -> Expr:
            return gate if self.cells_per_block == 1 else repeat(gate)

        i = sigmoid(net("i", self._gate_width, self.bias))
        o = sigmoid(net("o", self._gate_width, self.bias))
        z = 4 * sigmoid(net("z", "H", self.cell_bias)) - 2
        c = c + each(i) * z
        return {"h": each(o) * (2 * sigmoid(c) - 1), "c": c, "i": i, "z": z, "o": o}

    @property
    def _gate_width(self) -> str:
        return "H" if self.cells_per_block == 1 else "K"
