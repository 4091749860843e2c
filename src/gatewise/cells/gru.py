"""The gated recurrent unit, in the form of torch and cuDNN and in the form of its paper."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewise.cells.cell import Cell, Observed, State
from gatewise.equations import Expr, linear, matmul, parameter, sigmoid, tanh


@dataclass(frozen=True)
class GRU(Cell):
    """Gated recurrent unit whose reset gate acts after the recurrent matrix.

    Cho, K., van Merriënboer, B., Gulcehre, C., Bahdanau, D., Bougares, F., Schwenk, H. & Bengio, Y. (2014), Learning
    Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation, EMNLP, 1724-1734, eqs. 5-8,
    in the form of `torch.nn.GRU` and cuDNN, which deviates from the paper thus: the reset gate `r` is multiplied with
    the product `U_n h` and its bias, not with `h` before the product (that is `GRUCho`); there are biases.

    The update gate `u` (the paper's z) keeps the old state where it is 1. torch's packed rows are `r`, `u`, `n`; its
    two biases are `b_n` and `d_n` for the candidate, and their sum is `b_r` and `b_u`.

    State `h` `[H]` (the output). Observed: reset gate `r`, update gate `u` and candidate `n`, all `[H]`.

    Attributes:
        bias: whether the gates and the candidate have biases.

    >>> print(GRU().trace())
    GRU: x [X]; states h [H]; output h
      r = sigmoid(W_r @ x + b_r + U_r @ h)
      u = sigmoid(W_u @ x + b_u + U_u @ h)
      n = tanh(W_n @ x + b_n + r * (U_n @ h + d_n))
      h' = (1 - u) * n + u * h
    parameters: W_r [H, X], b_r [H], U_r [H, H], W_u [H, X], b_u [H], U_u [H, H],
      W_n [H, X], b_n [H], U_n [H, H], d_n [H]
    """

    bias: bool = True

    candidate = "n"
    h = State()
    r, u, n = Observed(), Observed(), Observed()

    def memory(self) -> Mapping[str, int]:
        """The update gate's bias: where it is 1, the state is kept."""
        return {"b_u": 1} if self.bias else {}

    def step(self, x: Expr, h: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [H] -> the new h, and r, u, n."""
        r = sigmoid(linear("r", x, h, bias=self.bias))
        u = sigmoid(linear("u", x, h, bias=self.bias))
        recurrent = matmul("U_n", h)
        if self.bias:
            recurrent = recurrent + parameter("d_n")
        n = tanh(linear("n", x, bias=self.bias) + r * recurrent)
        return {"h": (1 - u) * n + u * h, "r": r, "u": u, "n": n}


@dataclass(frozen=True)
class GRUCho(Cell):
    """Gated recurrent unit whose reset gate acts before the recurrent matrix, as published.

    Cho, K., van Merriënboer, B., Gulcehre, C., Bahdanau, D., Bougares, F., Schwenk, H. & Bengio, Y. (2014), Learning
    Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation, EMNLP, 1724-1734, eqs. 5-8:
    `r`, the update gate `u` (the paper's z), the new state and the candidate `n`. As in these equations, the update
    gate keeps the old state where it is 1; later papers, Chung et al. (2014) among them, turn it around. Deviation: the
    equations omit the biases.

    State `h` `[H]` (the output). Observed: reset gate `r`, update gate `u` and candidate `n`, all `[H]`.

    Attributes:
        bias: whether the gates and the candidate have biases.

    >>> print(GRUCho(bias=False).trace())
    GRUCho: x [X]; states h [H]; output h
      r = sigmoid(W_r @ x + U_r @ h)
      u = sigmoid(W_u @ x + U_u @ h)
      n = tanh(W_n @ x + U_n @ (r * h))
      h' = u * h + (1 - u) * n
    parameters: W_r [H, X], U_r [H, H], W_u [H, X], U_u [H, H], W_n [H, X], U_n [H, H]
    """

    bias: bool = True

    candidate = "n"
    h = State()
    r, u, n = Observed(), Observed(), Observed()

    def memory(self) -> Mapping[str, int]:
        """The update gate's bias: where it is 1, the state is kept."""
        return {"b_u": 1} if self.bias else {}

    def step(self, x: Expr, h: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [H] -> the new h, and r, u, n."""
        r = sigmoid(linear("r", x, h, bias=self.bias))
        u = sigmoid(linear("u", x, h, bias=self.bias))
        n = tanh(linear("n", x, r * h, bias=self.bias))
        return {"h": u * h + (1 - u) * n, "r": r, "u": u, "n": n}
