"""The multiplicative LSTM."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewise.cells.cell import Cell, Observed, State
from gatewise.equations import Expr, linear, matmul, sigmoid, tanh


@dataclass(frozen=True)
class MultiplicativeLSTM(Cell):
    """LSTM whose recurrent input is multiplied by a projection of the input: each input has its own transition.

    Krause, B., Lu, L., Murray, I. & Renals, S. (2016), Multiplicative LSTM for Sequence Modelling, arXiv:1609.07959,
    eqs. 18-22; the paper's mLSTM, which is not the one of xLSTM. The intermediate state `m`, of as many units as `h`,
    takes the place of the old `h` in the gates and the block input. Deviations: the equations have no biases; the
    output is `o * tanh(c)`, as in the LSTM and in the authors' later code (in chainer), where the first versions of the
    paper (eq. 16) and their code have `tanh(c * o)`.

    States `h` (the output) and `c` (the cell state), both `[H]`. Observed: intermediate state `m`, input gate `i`,
    forget gate `f`, block input `z` and output gate `o`, all `[H]`.

    Attributes:
        bias: whether the gates and the block input have biases; `m` has none.

    >>> print(MultiplicativeLSTM(bias=False).trace())
    MultiplicativeLSTM: x [X]; states h [H], c [H]; output h
      m = W_m @ x * U_m @ h
      i = sigmoid(W_i @ x + U_i @ m)
      f = sigmoid(W_f @ x + U_f @ m)
      z = tanh(W_z @ x + U_z @ m)
      o = sigmoid(W_o @ x + U_o @ m)
      c' = f * c + i * z
      h' = o * tanh(c')
    parameters: W_m [H, X], U_m [H, H], W_i [H, X], U_i [H, H], W_f [H, X], U_f [H, H],
      W_z [H, X], U_z [H, H], W_o [H, X], U_o [H, H]
    """

    bias: bool = True

    candidate = "z"
    h, c = State(), State()
    m, i, f, z, o = Observed(), Observed(), Observed(), Observed(), Observed()

    def memory(self) -> Mapping[str, int]:
        """The biases of the forget and the input gate."""
        return {"b_f": 1, "b_i": -1} if self.bias else {}

    def step(self, x: Expr, h: Expr, c: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [H], c [H] -> the new h and c, and m, i, f, z, o."""
        m = matmul("W_m", x) * matmul("U_m", h)
        i = sigmoid(linear("i", x, m, bias=self.bias))
        f = sigmoid(linear("f", x, m, bias=self.bias))
        z = tanh(linear("z", x, m, bias=self.bias))
        o = sigmoid(linear("o", x, m, bias=self.bias))
        c = f * c + i * z
        return {"h": o * tanh(c), "c": c, "m": m, "i": i, "f": f, "z": z, "o": o}
