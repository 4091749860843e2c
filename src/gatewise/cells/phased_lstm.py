"""The LSTM with a time gate."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewise.cells.cell import Cell, Input, LogUniform, Observed, Start, State, Uniform
from gatewise.equations import Expr, floor, linear, parameter, sigmoid, tanh, where
from gatewise.errors import CellError


@dataclass(frozen=True)
class PhasedLSTM(Cell):
    """LSTM whose units are open for a learned part of a learned period of time, and else keep their state.

    Neil, D., Pfeiffer, M. & Liu, S.-C. (2016), Phased LSTM: Accelerating Recurrent Network Training for Long or
    Event-based Sequences, NIPS 29, eqs. 6-10, with the gates of eqs. 1, 2 and 4. The time gate `k` rises from 0 to 1
    and falls to 0 again in the share `r_on` of the period `tau`, which begins at `shift`; in the rest it leaks. The
    proposed output, and the output gate's peephole, see the proposed cell state of eq. 7, as in the authors' code. As
    there, and unlike eq. 6, `tau` and `r_on` count by their absolute values: training cannot make them senseless.

    A layer draws `tau` from an exponential of a uniform distribution over `periods`, as the paper does over the time
    scales of the data, `shift` uniformly, and starts `r_on` at 0.05.
    The paper trains with the default leak and evaluates with `PhasedLSTM(leak=0)`, which has the same
    parameters.

    Inputs `x` `[X]` and the step's time stamp `time` (one number, in the unit of `tau`; no gradient). States `h` (the
    output) and `c` (the cell state), both `[H]`. Observed: time gate `k`, input gate `i`, forget gate `f`, block input
    `z` and output gate `o`, all `[H]`.

    Attributes:
        leak: the time gate's slope over the phase while it is closed (the paper's alpha), from 0 to 1.
        peephole: whether the gates see the cell state.
        bias: whether the gates and the block input have biases.
        periods: the shortest and the longest period with which a layer starts, in the unit of `time`.

    Raises:
        CellError: the leak is not a number from 0 to 1, or the periods are not two positive numbers in order.

    >>> print(PhasedLSTM(peephole=False, bias=False).trace())
    PhasedLSTM: x [X], time []; states h [H], c [H]; output h
      s1 = (time - shift) / abs(tau)
      s2 = s1 - floor(s1)
      s3 = abs(r_on)
      s4 = 2 * s2 / s3
      k = where(s2 < 0.5 * s3, s4, where(s2 < s3, 2 - s4, 0.001 * s2))
      i = sigmoid(W_i @ x + U_i @ h)
      f = sigmoid(W_f @ x + U_f @ h)
      z = tanh(W_z @ x + U_z @ h)
      o = sigmoid(W_o @ x + U_o @ h)
      s5 = f * c + i * z
      s6 = 1 - k
      h' = k * (o * tanh(s5)) + s6 * h
      c' = k * s5 + s6 * c
    parameters: shift [H], tau [H], r_on [H], W_i [H, X], U_i [H, H], W_f [H, X], U_f [H, H],
      W_z [H, X], U_z [H, H], W_o [H, X], U_o [H, H]
    """

    leak: float = 1e-3
    peephole: bool = True
    bias: bool = True
    periods: tuple[float, float] = (1.0, 1000.0)

    candidate = "z"
    time = Input(width=None, differentiable=False)
    h, c = State(), State()
    k, i, f, z, o = Observed(), Observed(), Observed(), Observed(), Observed()

    def __post_init__(self) -> None:
        if isinstance(self.leak, bool) or not isinstance(self.leak, (int, float)) or not 0 <= self.leak <= 1:
            raise CellError(f"PhasedLSTM: the leak must be a number from 0 to 1, got {self.leak!r}")
        low, high = self.periods
        if not 0 < low <= high:
            raise CellError(f"PhasedLSTM: the periods must be two positive numbers in order, got {self.periods!r}")

    def memory(self) -> Mapping[str, int]:
        """The biases of the forget and the input gate."""
        return {"b_f": 1, "b_i": -1} if self.bias else {}

    def start(self) -> Mapping[str, Start]:
        """The time gate: periods of every scale, beginning anywhere, mostly closed."""
        low, high = self.periods
        return {"tau": LogUniform(low, high), "shift": Uniform(0.0, high), "r_on": 0.05}

    def step(self, x: Expr, time: Expr, h: Expr, c: Expr) -> Mapping[str, Expr]:
        """One step: x [X], time, h [H], c [H] -> the new h and c, and k, i, f, z, o."""
        cycles = (time - parameter("shift")) / abs(parameter("tau"))
        phase, on = cycles - floor(cycles), abs(parameter("r_on"))
        rise = 2 * phase / on
        k = where(phase < 0.5 * on, rise, where(phase < on, 2 - rise, self.leak * phase))

        i = sigmoid(self._net("i", x, h, c))
        f = sigmoid(self._net("f", x, h, c))
        z = tanh(linear("z", x, h, bias=self.bias))
        proposed = f * c + i * z
        o = sigmoid(self._net("o", x, h, proposed))
        return {
            "h": k * (o * tanh(proposed)) + (1 - k) * h,
            "c": k * proposed + (1 - k) * c,
            "k": k,
            "i": i,
            "f": f,
            "z": z,
            "o": o,
        }

    def _net(self, gate: str, x: Expr, h: Expr, c: Expr) -> Expr:
        net = linear(gate, x, h, bias=self.bias)
        return net + parameter(f"p_{gate}") * c if self.peephole else net
