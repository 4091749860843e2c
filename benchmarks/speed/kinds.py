"""The cells that are measured."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from benchmarks.speed.loops import Loop, layer_normed, peephole
from gatewise import GRU, LSTM, Recurrent
from gatewise.cells import JANET, SLSTM, OdysseyNOAF


@dataclass(frozen=True)
class Kind:
    """A cell and how a layer of it is made.

    Attributes:
        name: in results.
        gates: how many products with h a step has, each of H units.
        make: a layer of X, H and a layer's further arguments.
        loop: the cell as a loop in torch, where one was written; else the reference backend is that loop.
        gain: what the gains of layer normalisation are multiplied with.
    """

    name: str
    gates: int
    make: Callable[..., nn.Module]
    loop: Loop | None = None
    gain: float = 1.0


PLAIN = Kind("lstm", 4, LSTM)
PEEPHOLE = Kind("peephole", 4, partial(LSTM, peephole=True), peephole())
# With gains of 1 a state as good as random makes a chaotic system: gradients explode, and after 256 steps the error of
# rounding is as large as the outputs, in torch as in ours, so that nothing could be compared.
LAYER_NORMED = Kind("layer-normed", 4, partial(LSTM, layer_norm=True), layer_normed, gain=0.25)
CIFG = Kind("cifg", 3, partial(LSTM, coupled=True))
NO_FORGET_GATE = Kind("no forget gate", 3, partial(LSTM, forget_gate=False))


def _of(cell: Any, name: str, gates: int) -> Kind:
    return Kind(name, gates, partial(Recurrent, cell))


# Cells whose loop is one product and then operations unit by unit, as the LSTM's is.
POINTWISE = (
    PEEPHOLE,
    CIFG,
    NO_FORGET_GATE,
    _of(OdysseyNOAF(), "no output activation", 4),
    _of(SLSTM(), "slstm", 4),
    Kind("gru", 3, GRU),
    _of(JANET(), "janet", 2),
)
