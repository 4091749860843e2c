"""The multidimensional LSTM, in two dimensions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from gatewise.cells.cell import Observed, State
from gatewise.cells.grid_cell import GridCell
from gatewise.equations import Expr, linear, parameter, sigmoid, tanh
from gatewise.errors import CellError, nearest

Memory = Literal["forget", "stable", "leaky"]


@dataclass(frozen=True)
class MDLSTM(GridCell):
    """Multidimensional LSTM of two dimensions: a cell state comes from above and one from the left.

    Graves, A., Fernández, S. & Schmidhuber, J. (2007), Multi-dimensional Recurrent Neural Networks, ICANN, 549-558: one
    forget gate for each dimension, peepholes from the state of that dimension to its forget gate, from both to the
    input gate and from the new state to the output gate. In the form of today's LSTM, which deviates from the paper
    thus: tanh for the block input and for the cell's output.

    With two forget gates near 1 the cell state grows as the number of paths through the grid does (Leifert, G., Strauß,
    T., Grüning, T., Wustlich, W. & Labahn, R. (2016), Cells in Multidimensional Recurrent Neural Networks, JMLR 17).
    Their remedy: a gate `l` mixes both states to one between them, of which one forget gate keeps a part.

    States `h` (the output) and `c` (the cell state). Observed: `i`, `o`, `z`, and `f` and `l`, or `f_up` and `f_left`.

    Attributes:
        memory_cell: "forget": `c = f_up c_up + f_left c_left + i z`, the paper's; "stable":
            `c = f (l c_up + (1 - l) c_left) + i z` (Leifert et al.; also Voigtlaender, Doetsch & Ney 2016, Handwriting
            Recognition with Large Multidimensional Long Short-Term Memory Recurrent Neural Networks, ICFHR); "leaky":
            the same with `i = 1 - f` (Leifert et al.'s leaky cell), so that |c| is at most 1.
        peephole: gates see the cell states, as in 2007; in the mixed forms `f` and `l` see both.

    >>> print(MDLSTM().trace())
    MDLSTM: x [X], h_up [H], h_left [H], c_up [H], c_left [H]; states h [H], c [H]; output h
      i = sigmoid(W_i @ x + b_i + U_i @ h_up + V_i @ h_left)
      f = sigmoid(W_f @ x + b_f + U_f @ h_up + V_f @ h_left)
      l = sigmoid(W_l @ x + b_l + U_l @ h_up + V_l @ h_left)
      z = tanh(W_z @ x + b_z + U_z @ h_up + V_z @ h_left)
      o = sigmoid(W_o @ x + b_o + U_o @ h_up + V_o @ h_left)
      c' = f * (l * c_up + (1 - l) * c_left) + i * z
      h' = o * tanh(c')
    parameters: W_i [H, X], b_i [H], U_i [H, H], V_i [H, H], W_f [H, X], b_f [H], U_f [H, H], V_f [H, H],
      W_l [H, X], b_l [H], U_l [H, H], V_l [H, H], W_z [H, X], b_z [H], U_z [H, H], V_z [H, H],
      W_o [H, X], b_o [H], U_o [H, H], V_o [H, H]
    """

    memory_cell: Memory = "stable"
    peephole: bool = False

    h, c = State(), State()
    i, f, l, f_up, f_left, z, o = (Observed() for _ in range(7))  # noqa: E741

    def __post_init__(self) -> None:
        if self.memory_cell not in get_args(Memory):
            raise CellError(
                f"memory_cell={self.memory_cell!r} is not known; {nearest(str(self.memory_cell), get_args(Memory))}"
            )
        if not isinstance(self.peephole, bool):
            raise CellError(f"peephole={self.peephole!r} must be True or False")

    def memory(self) -> Mapping[str, float]:
        """A mixed state is kept at first; two forget gates of 1/2 each keep as much as comes in."""
        return {} if self.memory_cell == "forget" else {"b_f": 1.0}

    def step(self, x: Expr, h_up: Expr, c_up: Expr, h_left: Expr, c_left: Expr) -> Mapping[str, Expr]:
        """One position: x [X] and the neighbours' h and c [H] -> h, c, and the gates."""

        def gate(name: str, **seen: Expr) -> Expr:
            net = linear(name, x, h_up, h_left)
            if self.peephole:
                for side, cell_state in seen.items():
                    net = net + parameter(f"p_{name}_{side}" if len(seen) > 1 else f"p_{name}") * cell_state
            return sigmoid(net)

        values: dict[str, Expr] = {}
        if self.memory_cell != "leaky":
            values["i"] = gate("i", up=c_up, left=c_left)
        if self.memory_cell == "forget":
            values |= {"f_up": gate("f_up", up=c_up), "f_left": gate("f_left", left=c_left)}
            kept = values["f_up"] * c_up + values["f_left"] * c_left
        else:
            values |= {"f": gate("f", up=c_up, left=c_left), "l": gate("l", up=c_up, left=c_left)}
            kept = values["f"] * (values["l"] * c_up + (1 - values["l"]) * c_left)
        if self.memory_cell == "leaky":
            values["i"] = 1 - values["f"]
        values["z"] = tanh(linear("z", x, h_up, h_left))
        c = kept + values["i"] * values["z"]
        values["o"] = gate("o", new=c)
        return values | {"h": values["o"] * tanh(c), "c": c}
