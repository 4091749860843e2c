"""What all contenders at a point are given, and the truth about it.

Legend: T steps, B batch, H hidden units, D directions, L layers.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.speed.accuracy import GRADIENT, Standard, Values, errors
from benchmarks.speed.kinds import PLAIN, Kind
from benchmarks.speed.loops import Loop
from benchmarks.speed.points import Point

Forward = Callable[[Tensor], tuple[Tensor, Any]]  # x -> outputs and states


@dataclass(frozen=True)
class Task:
    """What a contender does: `call` once, for the clock; `values` are what a call computes, by name."""

    call: Callable[[], object]
    values: Callable[[], Values]


@dataclass(frozen=True)
class Problem:
    """A layer's input, its weights, and for training the outputs' gradient, all drawn from a seed.

    Attributes:
        point: B, T and H.
        training: forward and backward to all parameters and the input; else the outputs and last states alone.
        kind: the cell.
        layers: L.
        bidirectional: whether D is 2.
        ragged: lengths are uniform in 1..T, the longest is T.
        seed: of everything.
    """

    point: Point
    training: bool
    kind: Kind = PLAIN
    layers: int = 1
    bidirectional: bool = False
    ragged: bool = False
    seed: int = 0

    @cached_property
    def x(self) -> Tensor:
        """`[T, B, H]`."""
        return self._normal(self.point.hidden, 1)

    @cached_property
    def gradient(self) -> Tensor:
        """What the outputs are multiplied with before they are summed: `[T, B, D*H]`."""
        return self._normal(self.point.hidden * (2 if self.bidirectional else 1), 2)

    @cached_property
    def lengths(self) -> Tensor | None:
        """`[B]`, or None where all sequences have T steps."""
        if not self.ragged:
            return None
        batch, steps, _ = self.point
        drawn = torch.randint(1, steps + 1, (batch,), generator=self._generator(3))
        drawn[0] = steps
        return drawn

    @cached_property
    def weights(self) -> Mapping[str, Tensor]:
        """By the names of `gatewise`'s layer."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            drawn = self._layer("auto").state_dict()
        return {name: value * self.kind.gain if name.startswith("gain_") else value for name, value in drawn.items()}

    def layer(self, backend: str, dtype: torch.dtype = torch.float32) -> nn.Module:
        """The layer with these weights."""
        layer = self._layer(backend)
        layer.load_state_dict(self.weights)
        return layer.to(dtype)

    def torch_layer(self) -> nn.LSTM:
        """torch's LSTM with these weights."""
        hidden = self.point.hidden
        layer = nn.LSTM(hidden, hidden, num_layers=self.layers, bidirectional=self.bidirectional)
        layer.load_state_dict(self.weights)
        return layer

    def forward(self, layer: Any) -> Forward:
        """A call of a layer of ours."""
        if not self.ragged:
            return layer
        lengths = self.lengths
        return lambda x: layer(x, lengths=lengths)

    def torch_forward(self, layer: nn.LSTM) -> Forward:
        """A call of torch's layer: ragged sequences are packed for it, and its outputs padded."""
        lengths, steps = self.lengths, self.point.steps
        if lengths is None:
            return layer

        def packed(x: Tensor) -> tuple[Tensor, Any]:
            output, states = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
            return pad_packed_sequence(output, total_length=steps)[0], states

        return packed

    def task(self, forward: Forward, parameters: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> Task:
        """What is timed and compared of a forward function on these parameters."""
        x = self.x.to(dtype, copy=True)
        if not self.training:
            return Task(lambda: forward(x), lambda: _named(*forward(x)))
        gradient = self.gradient.to(dtype)
        x.requires_grad_()
        leaves = {"x": x, **parameters}

        def call() -> Tensor:
            for leaf in leaves.values():
                leaf.grad = None
            output, _ = forward(x)
            output.backward(gradient)
            return output

        def values() -> Values:
            found = {"output": call().detach()}
            return found | {GRADIENT + name: v.grad for name, v in leaves.items() if v.grad is not None}

        return Task(call, values)

    def looped(self, loop: Loop) -> Task:
        """The task of a loop in torch, on weights of its own."""
        leaves = {name: value.clone().requires_grad_() for name, value in self.weights.items()}
        arguments = {name.removesuffix("_l0"): leaf for name, leaf in leaves.items()}
        return self.task(lambda x: (loop(x, **arguments), None), leaves)

    @cached_property
    def standard(self) -> Standard:
        """The truth in float64 by the reference backend, and torch's own error in float32.

        torch's own is `torch.nn.LSTM`'s, where it has the cell; else that of a loop of torch operations.
        """
        reference = self.layer("reference", torch.float64)
        true = self.task(self.forward(reference), dict(reference.named_parameters()), torch.float64)
        if self.kind is PLAIN:
            theirs = self.torch_layer()
            own = self.task(self.torch_forward(theirs), dict(theirs.named_parameters()))
        elif self.kind.loop is not None and self.training:
            own = self.looped(self.kind.loop)
        else:
            eager = self.layer("reference")
            own = self.task(self.forward(eager), dict(eager.named_parameters()))
        with self.mode():
            truth = true.values()
            return Standard(truth, errors(own.values(), truth))

    def mode(self) -> AbstractContextManager[object]:
        """What calls are made in: in inference torch keeps nothing for gradients."""
        return nullcontext() if self.training else torch.inference_mode()

    def _layer(self, backend: str) -> nn.Module:
        hidden = self.point.hidden
        more: dict[str, Any] = {"num_layers": self.layers, "bidirectional": self.bidirectional, "backend": backend}
        return self.kind.make(hidden, hidden, **more)

    def _normal(self, width: int, stream: int) -> Tensor:
        return torch.randn(self.point.steps, self.point.batch, width, generator=self._generator(stream))

    def _generator(self, stream: int) -> torch.Generator:
        return torch.Generator().manual_seed(1_000 * self.seed + stream)


def _named(output: Tensor, states: Any) -> Values:
    """Outputs and states by name, whatever form a layer has for its states."""
    if isinstance(states, Tensor):
        return {"output": output, "h": states}
    if isinstance(states, tuple):
        return {"output": output, **dict(zip(("h", "c"), states, strict=True))}
    found = {"output": output}
    layers: list[Mapping[str, Tensor]] = states or []
    for number, layer in enumerate(layers):
        found |= {f"{name} of layer {number}": value for name, value in layer.items()}
    return found
