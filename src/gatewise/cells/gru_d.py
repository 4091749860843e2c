"""The GRU with decay, for values that are missing."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewise.cells.cell import Cell, Input, Observed, Start, State
from gatewise.equations import Expr, constant, detach, exp, linear, parameter, relu, sigmoid, tanh, where


@dataclass(frozen=True)
class GRUD(Cell):
    """GRU with decay: a missing input fades from its last observation to its mean, and the state fades with it.

    Che, Z., Purushotham, S., Cho, K., Sontag, D. & Liu, Y. (2018), Recurrent Neural Networks for Multivariate Time
    Series with Missing Values, Scientific Reports 8, 6085, eqs. 10-16. The update gate `u` (the paper's z) takes the
    candidate where it is 1, other than in `GRU`.

    Deviations: where the paper multiplies with the mask and its complement, values are chosen by it, so that a missing
    value may hold anything, NaN included. The paper leaves open what is imputed before the first observation: here it
    is the mean. To that end the state `x_last` is the last observation less the mean; the paper's
    `gamma_x * last + (1 - gamma_x) * mean` is `mean + gamma_x * x_last`.

    Inputs, all `[X]`: `x`; the mask `m`, 1 where x was observed and 0 where it is missing (no gradient); `d`, the time
    since the variable was last observed, counted from the first step if it never was and 0 there (no gradient). States
    `h` `[H]` (the output) and `x_last` `[X]`. Observed: the decays `gamma_x` `[X]` and `gamma_h` `[H]`, the imputed
    input `x_hat` `[X]`; reset gate `r`, update gate `u` and candidate `n`, all `[H]`.

    Attributes:
        mean: False: the inputs are standardised, so that their mean is 0. True: it is a parameter `x_mean` `[X]`, to be
            set to the mean of the observed values in training; no gradient reaches it, nor should weight decay.
        bias: whether the gates, the candidate and the decays have biases.

    >>> print(GRUD(bias=False).trace())
    GRUD: x [X], m [X], d [X]; states h [H], x_last [X]; output h
      gamma_x = exp(-relu(w_gamma_x * d))
      gamma_h = exp(-relu(W_gamma_h @ d))
      x_hat = where(m, x, gamma_x * x_last)
      s1 = gamma_h * h
      r = sigmoid(W_r @ x_hat + U_r @ s1 + V_r @ m)
      u = sigmoid(W_u @ x_hat + U_u @ s1 + V_u @ m)
      n = tanh(W_n @ x_hat + U_n @ (r * s1) + V_n @ m)
      h' = (1 - u) * s1 + u * n
      x_last' = where(m, x, x_last)
    parameters: w_gamma_x [X], W_gamma_h [H, X], W_r [H, X], U_r [H, H], V_r [H, X],
      W_u [H, X], U_u [H, H], V_u [H, X], W_n [H, X], U_n [H, H], V_n [H, X]
    """

    catalogue_name = "gru-d"

    mean: bool = False
    bias: bool = True

    candidate = "n"
    m, d = Input(differentiable=False), Input(differentiable=False)
    h, x_last = State(), State("X")
    gamma_x, gamma_h, x_hat, r, u, n = Observed(), Observed(), Observed(), Observed(), Observed(), Observed()

    def memory(self) -> Mapping[str, int]:
        """The update gate's bias: where it is 0, the state is kept."""
        return {"b_u": -1} if self.bias else {}

    def start(self) -> Mapping[str, Start]:
        """The mean is 0 until it is set."""
        return {"x_mean": 0.0} if self.mean else {}

    def step(self, x: Expr, m: Expr, d: Expr, h: Expr, x_last: Expr) -> Mapping[str, Expr]:
        """One step: x, m, d [X], h [H], x_last [X] -> the new h and x_last, and what is observed."""
        fading = parameter("w_gamma_x", "X") * d
        if self.bias:
            fading = fading + parameter("b_gamma_x", "X")
        gamma_x = exp(-relu(fading))
        gamma_h = exp(-relu(linear("gamma_h", d, bias=self.bias)))

        mean = detach(parameter("x_mean", "X")) if self.mean else constant(0)
        x_hat = where(m, x, gamma_x * x_last + mean)
        h = gamma_h * h
        r = sigmoid(linear("r", x_hat, h, m, bias=self.bias))
        u = sigmoid(linear("u", x_hat, h, m, bias=self.bias))
        n = tanh(linear("n", x_hat, r * h, m, bias=self.bias))
        return {
            "h": (1 - u) * h + u * n,
            "x_last": where(m, x - mean, x_last),
            "gamma_x": gamma_x,
            "gamma_h": gamma_h,
            "x_hat": x_hat,
            "r": r,
            "u": u,
            "n": n,
        }
