"""The minimal gated unit."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewise.cells.cell import Cell, Observed, State
from gatewise.equations import Expr, linear, sigmoid, tanh


@dataclass(frozen=True)
class MGU(Cell):
    """Minimal gated unit: a GRU whose reset and update gates are one gate.

    Zhou, G.-B., Wu, J., Zhang, C.-L. & Zhou, Z.-H. (2016), Minimal Gated Unit for Recurrent Neural Networks,
    International Journal of Automation and Computing 13(3), 226-234. The paper calls the gate `f` a forget gate, but
    where it is 1 the old state is forgotten. The paper's matrices act on `[h, x]` joined; here they are `U` and `W`.

    State `h` `[H]` (the output). Observed: the gate `f` and the candidate `n`, both `[H]`.

    Attributes:
        bias: whether the gate and the candidate have biases.

    >>> print(MGU().trace())
    MGU: x [X]; states h [H]; output h
      f = sigmoid(W_f @ x + b_f + U_f @ h)
      n = tanh(W_n @ x + b_n + U_n @ (f * h))
      h' = (1 - f) * h + f * n
    parameters: W_f [H, X], b_f [H], U_f [H, H], W_n [H, X], b_n [H], U_n [H, H]
    """

    bias: bool = True

    candidate = "n"
    h = State()
    f, n = Observed(), Observed()

    def memory(self) -> Mapping[str, int]:
        """The gate's bias: where it is 0, the state is kept."""
        return {"b_f": -1} if self.bias else {}

    def step(self, x: Expr, h: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [H] -> the new h, and f, n."""
        f = sigmoid(linear("f", x, h, bias=self.bias))
        n = tanh(linear("n", x, f * h, bias=self.bias))
        return {"h": (1 - f) * h + f * n, "f": f, "n": n}
