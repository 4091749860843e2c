"""The sLSTM of xLSTM: exponential gates, kept finite by a state of their own."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gatewise.cells.cell import Cell, Observed, State
from gatewise.equations import Expr, exp, linear, logsigmoid, maximum, sigmoid, tanh
from gatewise.errors import CellError, nearest


@dataclass(frozen=True)
class SLSTM(Cell):
    """LSTM with an exponential input gate, normalised, and stabilised in the logarithm: the sLSTM of xLSTM.

    Beck, M., Pöppel, K., Spanring, M., Auer, A., Prudnikova, O., Kopp, M., Klambauer, G., Brandstetter, J. &
    Hochreiter, S. (2024), xLSTM: Extended Long Short-Term Memory, NeurIPS 37, arXiv:2405.04517, eqs. 8-17, in the
    stabilised form of eqs. 15-17: `i` and `f` are that form's gates, divided by `exp(m)`, and neither exceeds 1.
    The stabiliser `m` starts at minus infinity, so that in the first step `i` is 1 and `f` is 0; the authors' code has
    a condition for that step instead. Deviations: the recurrent matrices are full, where the paper's are block-diagonal
    by heads; the convolution and the normalisations of the block around the cell are not part of it.

    States `h` (the output), `c` (the cell state), `n` (the normaliser, at least 1 from the first step on) and `m` (the
    stabiliser), all `[H]`. Given states need `m` minus infinity where `n` is 0. Observed: input gate `i`, forget gate
    `f`, block input `z` and output gate `o`, all `[H]`.

    Attributes:
        forget_gate: "sigmoid", or "exp" for an exponential one (eq. 13 names both).
        bias: whether the gates and the block input have biases.

    Raises:
        CellError: no such forget gate.

    >>> print(SLSTM().trace())
    SLSTM: x [X]; states h [H], c [H], n [H], m [H]; output h
      s1 = W_i @ x + b_i + U_i @ h
      s2 = logsigmoid(W_f @ x + b_f + U_f @ h) + m
      m' = maximum(s2, s1)
      i = exp(s1 - m')
      f = exp(s2 - m')
      z = tanh(W_z @ x + b_z + U_z @ h)
      o = sigmoid(W_o @ x + b_o + U_o @ h)
      c' = f * c + i * z
      n' = f * n + i
      h' = o * (c' / n')
    parameters: W_i [H, X], b_i [H], U_i [H, H], W_f [H, X], b_f [H], U_f [H, H],
      W_z [H, X], b_z [H], U_z [H, H], W_o [H, X], b_o [H], U_o [H, H]
    """

    forget_gate: Literal["sigmoid", "exp"] = "sigmoid"
    bias: bool = True

    candidate = "z"
    h, c, n, m = State(), State(), State(), State(initial=-math.inf)
    i, f, z, o = Observed(), Observed(), Observed(), Observed()

    def __post_init__(self) -> None:
        if self.forget_gate not in ("sigmoid", "exp"):
            known = nearest(str(self.forget_gate), ("sigmoid", "exp"))
            raise CellError(f'SLSTM has no forget gate "{self.forget_gate}"; {known}')

    def memory(self) -> Mapping[str, int]:
        """The biases of the forget and the input gate."""
        return {"b_f": 1, "b_i": -1} if self.bias else {}

    def step(self, x: Expr, h: Expr, c: Expr, n: Expr, m: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h, c, n, m [H] -> the new h, c, n and m, and i, f, z, o."""
        log_i = linear("i", x, h, bias=self.bias)
        log_f = linear("f", x, h, bias=self.bias)
        if self.forget_gate == "sigmoid":
            log_f = logsigmoid(log_f)
        z = tanh(linear("z", x, h, bias=self.bias))
        o = sigmoid(linear("o", x, h, bias=self.bias))
        kept = log_f + m
        m = maximum(kept, log_i)
        i, f = exp(log_i - m), exp(kept - m)
        c, n = f * c + i * z, f * n + i
        return {"h": o * (c / n), "c": c, "n": n, "m": m, "i": i, "f": f, "z": z, "o": o}
