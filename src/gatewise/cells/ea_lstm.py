"""The entity-aware LSTM."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewise.cells.cell import Cell, Input, Observed, State
from gatewise.equations import Expr, linear, sigmoid, tanh


@dataclass(frozen=True)
class EALSTM(Cell):
    """Entity-aware LSTM: attributes that do not change over time control the input gate, and it alone.

    Kratzert, F., Klotz, D., Shalev, G., Klambauer, G., Hochreiter, S. & Nearing, G. (2019), Towards Learning Universal,
    Regional, and Local Hydrological Behaviors via Machine Learning Applied to Large-Sample Datasets, Hydrology and
    Earth System Sciences 23, 5089-5110, eqs. 7-12. The paper's block input g is called `z`. Deviation: the paper
    computes the input gate once for a sequence; here the attributes are an input like any other, given at every step
    (and computed for all steps at once, since they depend on no state).

    Inputs `x` `[X]` and the attributes `s` `[S]`. States `h` (the output) and `c` (the cell state), both `[H]`.
    Observed: input gate `i`, forget gate `f`, block input `z` and output gate `o`, all `[H]`.

    Attributes:
        bias: whether the gates and the block input have biases.

    >>> print(EALSTM().trace())
    EALSTM: x [X], s [S]; states h [H], c [H]; output h
      i = sigmoid(W_i @ s + b_i)
      f = sigmoid(W_f @ x + b_f + U_f @ h)
      z = tanh(W_z @ x + b_z + U_z @ h)
      o = sigmoid(W_o @ x + b_o + U_o @ h)
      c' = f * c + i * z
      h' = o * tanh(c')
    parameters: W_i [H, S], b_i [H], W_f [H, X], b_f [H], U_f [H, H],
      W_z [H, X], b_z [H], U_z [H, H], W_o [H, X], b_o [H], U_o [H, H]
    """

    catalogue_name = "ea-lstm"

    bias: bool = True

    candidate = "z"
    s = Input("S")
    h, c = State(), State()
    i, f, z, o = Observed(), Observed(), Observed(), Observed()

    def memory(self) -> Mapping[str, int]:
        """The forget gate's bias; the input gate does not change over time."""
        return {"b_f": 1} if self.bias else {}

    def step(self, x: Expr, s: Expr, h: Expr, c: Expr) -> Mapping[str, Expr]:
        """One step: x [X], s [S], h [H], c [H] -> the new h and c, and i, f, z, o."""
        i = sigmoid(linear("i", s, bias=self.bias))
        f = sigmoid(linear("f", x, h, bias=self.bias))
        z = tanh(linear("z", x, h, bias=self.bias))
        o = sigmoid(linear("o", x, h, bias=self.bias))
        c = f * c + i * z
        return {"h": o * tanh(c), "c": c, "i": i, "f": f, "z": z, "o": o}
