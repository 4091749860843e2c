"""The LSTM with nothing but a forget gate."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewise.cells.cell import Cell, Observed, State
from gatewise.equations import Expr, linear, sigmoid, tanh


@dataclass(frozen=True)
class JANET(Cell):
    """Just another network: an LSTM with the forget gate alone, and no tanh at its output.

    van der Westhuizen, J. & Lasenby, J. (2018), The Unreasonable Effectiveness of the Forget Gate, arXiv:1804.04849,
    with `beta`, which later versions of the paper have. The cell state equals the output and is called `h` here, the
    candidate `z`. The paper's `1 - sigmoid(s - beta)`, by which the candidate enters, is written `sigmoid(beta - s)`:
    the same without cancellation, and so in the authors' code. The paper initialises `b_f` for the length of the
    dependencies (chrono initialisation): `expected_lag` of a layer.

    State `h` `[H]` (the output). Observed: the net input `s` of the forget gate, the forget gate `f`, and the candidate
    `z`, all `[H]`.

    Attributes:
        beta: how much more the candidate enters than is forgotten; 0 makes the two add up to 1.
        bias: whether the gate and the candidate have biases.

    >>> print(JANET().trace())
    JANET: x [X]; states h [H]; output h
      s = W_f @ x + b_f + U_f @ h
      f = sigmoid(s)
      z = tanh(W_z @ x + b_z + U_z @ h)
      h' = f * h + sigmoid(1 - s) * z
    parameters: W_f [H, X], b_f [H], U_f [H, H], W_z [H, X], b_z [H], U_z [H, H]
    """

    beta: float = 1.0
    bias: bool = True

    candidate = "z"
    h = State()
    s, f, z = Observed(), Observed(), Observed()

    def memory(self) -> Mapping[str, int]:
        """The forget gate's bias."""
        return {"b_f": 1} if self.bias else {}

    def step(self, x: Expr, h: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [H] -> the new h, and s, f, z."""
        s = linear("f", x, h, bias=self.bias)
        f = sigmoid(s)
        z = tanh(linear("z", x, h, bias=self.bias))
        return {"h": f * h + sigmoid(self.beta - s) * z, "s": s, "f": f, "z": z}
