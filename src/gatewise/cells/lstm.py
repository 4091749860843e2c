"""The LSTM with forget gate, and the LSTM with recurrent projection."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewise.cells.cell import Cell, Observed, State
from gatewise.equations import Expr, linear, matmul, sigmoid, tanh


@dataclass(frozen=True)
class LSTM(Cell):
    """Long short-term memory with forget gate.

    Gers, F. A., Schmidhuber, J. & Cummins, F. (2000), Learning to Forget: Continual Prediction with LSTM, Neural
    Computation 12(10), 2451-2471: the memory cell of Hochreiter & Schmidhuber (1997) whose self-connection is no longer
    fixed at 1 but the forget gate `f`. In the form of `torch.nn.LSTM`, which deviates from the paper thus: one cell in
    a memory block; tanh for the block input (the paper: a logistic function scaled to [-2, 2]) and for the cell's
    output (scaled to [-1, 1]).

    States `h` (the output) and `c` (the cell state), both `[H]`. Observed: input gate `i`, forget gate `f`, block input
    `z` and output gate `o`, all `[H]`.

    Attributes:
        bias: whether the gates and the block input have biases.

    >>> print(LSTM().trace())
    LSTM: x [X]; states h [H], c [H]; output h
      i = sigmoid(W_i @ x + b_i + U_i @ h)
      f = sigmoid(W_f @ x + b_f + U_f @ h)
      z = tanh(W_z @ x + b_z + U_z @ h)
      o = sigmoid(W_o @ x + b_o + U_o @ h)
      c' = f * c + i * z
      h' = o * tanh(c')
    parameters: W_i [H, X], b_i [H], U_i [H, H], W_f [H, X], b_f [H], U_f [H, H],
      W_z [H, X], b_z [H], U_z [H, H], W_o [H, X], b_o [H], U_o [H, H]
    """

    bias: bool = True

    h, c = State(), State()
    i, f, z, o = Observed(), Observed(), Observed(), Observed()

    def step(self, x: Expr, h: Expr, c: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [H], c [H] -> the new h and c, and i, f, z, o."""
        i = sigmoid(linear("i", x, h, bias=self.bias))
        f = sigmoid(linear("f", x, h, bias=self.bias))
        z = tanh(linear("z", x, h, bias=self.bias))
        o = sigmoid(linear("o", x, h, bias=self.bias))
        c = f * c + i * z
        return {"h": o * tanh(c), "c": c, "i": i, "f": f, "z": z, "o": o}


class LSTMP(LSTM):
    """LSTM with recurrent projection: the output is `h = P m` of the memory's output `m = o * tanh(c)`.

    Sak, H., Senior, A. & Beaufays, F. (2014), Long Short-Term Memory Recurrent Neural Network Architectures for Large
    Scale Acoustic Modeling, Interspeech, eqs. 7-12, without their peepholes and without the non-recurrent projection;
    `proj_size` of `torch.nn.LSTM`. The state `h` is `[P]`, `c` is `[H]`.

    >>> LSTMP().trace().parameters["P"]
    Parameter(name='P', shape=('P', 'H'))
    """

    h = State("P")

    def step(self, x: Expr, h: Expr, c: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [P], c [H] -> the new h and c, and i, f, z, o."""
        values = super().step(x, h, c)
        return {**values, "h": matmul("P", values["h"], "P")}
