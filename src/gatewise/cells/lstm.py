"""The LSTM with forget gate and everything that can be switched on in it, and the variants published by a name."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gatewise.cells.cell import Cell, Declaration, Observed, State
from gatewise.equations import Expr, Step, fold, linear, matmul, parameter, repeat, sigmoid, tanh, transform
from gatewise.errors import CellError


@dataclass(frozen=True)
class LSTM(Cell):
    """Long short-term memory with forget gate.

    Gers, F. A., Schmidhuber, J. & Cummins, F. (2000), Learning to Forget: Continual Prediction with LSTM, Neural
    Computation 12(10), 2451-2471: the memory cell of Hochreiter & Schmidhuber (1997) whose self-connection is no longer
    fixed at 1 but the forget gate `f`. In the form of `torch.nn.LSTM`, which deviates from the paper thus: tanh for the
    block input (the paper: a logistic function scaled to [-2, 2]) and for the cell's output (scaled to [-1, 1]).

    States `h` (the output) and `c` (the cell state), both `[H]`. Observed: input gate `i`, forget gate `f`, block input
    `z` and output gate `o`, all `[H]` (gates `[K]` where cells share them; without those that are switched off).

    Attributes:
        bias: whether the gates and the block input have biases.
        peephole: gates see the cell state: i and f the old one, o the new one (Gers, Schraudolph & Schmidhuber 2002).
        coupled: one gate for input and forgetting, `f = 1 - i` (Greff et al. 2017, CIFG).
        input_gate: without it, `i = 1`.
        forget_gate: without it, `f = 1`, as in 1997.
        output_gate: without it, `o = 1`.
        input_activation: without it, the block input is not squashed by tanh.
        output_activation: without it, the cell's output is not squashed by tanh.
        gate_recurrence: every gate also reads all gates of the step before (Greff et al. 2017, FGR).
        layer_norm: net inputs and the cell's output are normalised (Ba, Kiros & Hinton 2016).
        cells_per_block: S cells that share their gates (a memory block of 1997); K = H / S blocks.

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
    peephole: bool = False
    coupled: bool = False
    input_gate: bool = True
    forget_gate: bool = True
    output_gate: bool = True
    input_activation: bool = True
    output_activation: bool = True
    gate_recurrence: bool = False
    layer_norm: bool = False
    cells_per_block: int = 1

    candidate = "z"
    h, c = State(), State()
    i, f, z, o = Observed(), Observed(), Observed(), Observed()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool) and not isinstance(value, bool):
                raise CellError(f"{field.name}={value!r} must be True or False")
        size = self.cells_per_block
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise CellError(f"cells_per_block={size!r} must be a whole number of at least 1")
        if self.coupled and not self.forget_gate:
            raise CellError("coupled=True makes the forget gate 1 - i, forget_gate=False takes it away: choose one")
        if self.coupled and not self.input_gate:
            raise CellError("coupled=True makes the forget gate 1 - i, but input_gate=False takes i away: choose one")
        if self.gate_recurrence and not self.gates:
            raise CellError("gate_recurrence=True connects gates with gates, but all gates are switched off")
        if self.peephole and not self.gates:
            raise CellError("peephole=True lets gates see the cell state, but all gates are switched off")

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates with weights of their own."""
        on = {"i": self.input_gate, "f": self.forget_gate and not self.coupled, "o": self.output_gate}
        return tuple(gate for gate, present in on.items() if present)

    def declared(self, kind: type[Declaration]) -> dict[str, Declaration]:
        """The declarations of the class; gates that feed gates are states."""
        found: dict[str, Any] = super().declared(kind)
        fed = self.gates if self.gate_recurrence else ()
        if issubclass(kind, State):
            found |= {gate: State(self._gate_width) for gate in fed}
        if issubclass(kind, Observed):
            shown = {"z", *self.gates, *(["f"] if self.coupled else [])}
            found = {name: value for name, value in found.items() if name in shown and name not in fed}
        return found

    def memory(self) -> Mapping[str, int]:
        """The forget gate's bias; where it is coupled the input gate's, which closes it."""
        if not self.bias:
            return {}
        if self.coupled:
            return {"b_i": -1}
        return {"b_f": 1, **({"b_i": -1} if self.input_gate else {})} if self.forget_gate else {}

    def widths(self, hidden_size: int) -> Mapping[str, int]:
        """K, the number of blocks.

        Raises:
            CellError: H is not a multiple of the cells per block.
        """
        if hidden_size % self.cells_per_block:
            raise CellError(f"hidden_size={hidden_size} is not a multiple of cells_per_block={self.cells_per_block}")
        return {"K": hidden_size // self.cells_per_block} if self.cells_per_block > 1 else {}

    def transformed(self, step: Step) -> Step:
        """The equations, normalised if asked for."""
        return transform.layer_norm(step, "c") if self.layer_norm else step

    def step(self, x: Expr, h: Expr, c: Expr, **before: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [H], c [H] (and the gates, where they feed gates) -> the new ones, and i, f, z, o."""
        values: dict[str, Expr] = {}
        i = self._gate("i", x, h, c, before) if self.input_gate else None
        f = self._gate("f", x, h, c, before) if "f" in self.gates else None
        if self.coupled and i is not None:
            f = 1 - i
        z = linear("z", x, h, bias=self.bias)
        if self.input_activation:
            z = tanh(z)
        values["z"] = z
        c = (c if f is None else self._each(f) * c) + (z if i is None else self._each(i) * z)
        o = self._gate("o", x, h, c, before) if self.output_gate else None
        squashed = tanh(c) if self.output_activation else c
        values |= {"h": squashed if o is None else self._each(o) * squashed, "c": c}
        return values | {name: gate for name, gate in (("i", i), ("f", f), ("o", o)) if gate is not None}

    @property
    def _gate_width(self) -> str:
        return "H" if self.cells_per_block == 1 else "K"

    def _gate(self, name: str, x: Expr, h: Expr, seen: Expr, before: Mapping[str, Expr]) -> Expr:
        width = self._gate_width
        net = linear(name, x, h, width=width, bias=self.bias)
        for other, value in before.items():
            net = net + matmul(f"G_{name}{other}", value, width)
        if self.peephole:
            look = parameter(f"p_{name}") * seen
            net = net + (look if width == "H" else fold(look, width))
        return sigmoid(net)

    def _each(self, gate: Expr) -> Expr:
        """A gate for each cell of its block."""
        return gate if self.cells_per_block == 1 else repeat(gate)


class LSTMP(LSTM):
    """LSTM with recurrent projection: the output is `h = P m` of the memory's output `m = o * tanh(c)`.

    Sak, H., Senior, A. & Beaufays, F. (2014), Long Short-Term Memory Recurrent Neural Network Architectures for Large
    Scale Acoustic Modeling, Interspeech, eqs. 7-12, without the non-recurrent projection, and without peepholes unless
    switched on; `proj_size` of `torch.nn.LSTM`. The state `h` is `[P]`, `c` is `[H]`.

    >>> LSTMP().trace().parameters["P"]
    Parameter(name='P', shape=('P', 'H'))
    """

    h = State("P")

    def step(self, x: Expr, h: Expr, c: Expr, **before: Expr) -> Mapping[str, Expr]:
        """One step: x [X], h [P], c [H] -> the new h and c, and i, f, z, o."""
        values = super().step(x, h, c, **before)
        return {**values, "h": matmul("P", values["h"], "P")}


@dataclass(frozen=True)
class PeepholeLSTM(LSTM):
    """LSTM whose gates see the cell state through peepholes.

    Gers, F. A., Schraudolph, N. N. & Schmidhuber, J. (2002), Learning Precise Timing with LSTM Recurrent Networks,
    Journal of Machine Learning Research 3, 115-143, eqs. 3-8; with tanh for the block input and the cell's output. The
    "vanilla" LSTM (V) of Greff et al. (2017), from which their eight variants each differ in one thing.

    >>> print("\\n".join(str(PeepholeLSTM().trace()).splitlines()[1:7]))
      i = sigmoid(W_i @ x + b_i + U_i @ h + p_i * c)
      f = sigmoid(W_f @ x + b_f + U_f @ h + p_f * c)
      z = tanh(W_z @ x + b_z + U_z @ h)
      c' = f * c + i * z
      o = sigmoid(W_o @ x + b_o + U_o @ h + p_o * c')
      h' = o * tanh(c')
    """

    peephole: bool = True


@dataclass(frozen=True)
class CIFG(LSTM):
    """LSTM with one gate for input and forgetting, `f = 1 - i`, and without peepholes.

    Greff, K., Srivastava, R. K., Koutník, J., Steunebrink, B. R. & Schmidhuber, J. (2017), LSTM: A Search Space
    Odyssey, IEEE Transactions on Neural Networks and Learning Systems 28(10), 2222-2232, section III-C, variant CIFG;
    the paper's own has peepholes: `CIFG(peephole=True)`.
    """

    coupled: bool = True


@dataclass(frozen=True)
class LayerNormLSTM(LSTM):
    """LSTM whose net inputs and cell output are normalised over the units of a layer.

    Ba, J. L., Kiros, J. R. & Hinton, G. E. (2016), Layer Normalization, arXiv:1607.06450, eqs. 20-22: `W x` of all
    gates is normalised as one vector, so is `U h`, and so is c before the output's tanh. Deviation: one bias in place
    of the paper's three, of which only the sum acts.

    >>> LayerNormLSTM().trace().parameters["gain_W_i"]
    Parameter(name='gain_W_i', shape=('H',))
    """

    layer_norm: bool = True


@dataclass(frozen=True)
class OdysseyNIG(PeepholeLSTM):
    """No input gate, `i = 1`: variant NIG of Greff et al. (2017), LSTM: A Search Space Odyssey, section III-C."""

    input_gate: bool = False


@dataclass(frozen=True)
class OdysseyNFG(PeepholeLSTM):
    """No forget gate, `f = 1`: variant NFG of Greff et al. (2017), LSTM: A Search Space Odyssey, section III-C."""

    forget_gate: bool = False


@dataclass(frozen=True)
class OdysseyNOG(PeepholeLSTM):
    """No output gate, `o = 1`: variant NOG of Greff et al. (2017), LSTM: A Search Space Odyssey, section III-C."""

    output_gate: bool = False


@dataclass(frozen=True)
class OdysseyNIAF(PeepholeLSTM):
    """No input activation, `g(x) = x`: variant NIAF of Greff et al. (2017), LSTM: A Search Space Odyssey, III-C."""

    input_activation: bool = False


@dataclass(frozen=True)
class OdysseyNOAF(PeepholeLSTM):
    """No output activation, `h(x) = x`: variant NOAF of Greff et al. (2017), LSTM: A Search Space Odyssey, III-C."""

    output_activation: bool = False


@dataclass(frozen=True)
class OdysseyCIFG(PeepholeLSTM):
    """Coupled input and forget gate, `f = 1 - i`: variant CIFG of Greff et al. (2017), LSTM: A Search Space Odyssey."""

    coupled: bool = True


class OdysseyNP(LSTM):
    """No peepholes: variant NP of Greff et al. (2017), LSTM: A Search Space Odyssey, section III-C; equals `LSTM`."""


@dataclass(frozen=True)
class OdysseyFGR(PeepholeLSTM):
    """Full gate recurrence: variant FGR of Greff et al. (2017), LSTM: A Search Space Odyssey, section III-C.

    Nine more matrices lead from the gates of the step before to the gates; the gates are states.
    """

    gate_recurrence: bool = True
