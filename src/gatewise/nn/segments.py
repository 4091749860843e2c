"""Backpropagation through time in segments: of a long sequence only the states between segments are kept.

The forward runs segment by segment without saving anything for the backward. The backward goes from segment to segment
in the opposite order, runs each forward once more, this time saving what its backward reads, and then its backward; so
what is saved at a time is that of K steps, and T/K states, in the place of what T steps save. With K near sqrt(T) both
are O(sqrt T), for the time of one more forward (Chen, Xu, Zhang & Guestrin 2016, Training Deep Nets with Sublinear
Memory Cost; for recurrent networks Gruslys et al. 2016, Memory-Efficient Backpropagation Through Time).

Legend: T steps, B batch, w the width of a vector, K steps of a segment, D directions (1 or 2).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gatewise.errors import ConfigurationError

Every = int | Literal["sqrt"]

SEED, SEQUENCES = "@seed", "@sequences"  # where masks come from, among what does not change over time

# From the number of a layer's scan, the steps [start, stop) of what changes over time, what does not, and the states
# before the first of these steps (against time: after the last), to what is given out over time and the states at the
# other end.
Stretch = Callable[
    [int, Mapping[str, Tensor], Mapping[str, Tensor], Mapping[str, Tensor], int, int],
    tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
]


def check_every(value: Any) -> Every | None:
    """The value itself if it says how many steps a segment has, or that there are none.

    Raises:
        ConfigurationError: it does not.
    """
    if value is None or value == "sqrt":
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(
            f'checkpoint_every={value!r} must be a whole number of time steps from 1, "sqrt" for the square root of '
            "the sequence's length, or None to save every step"
        )
    return value


def segment_length(every: Every, steps: int) -> int:
    """K, for T steps."""
    return math.isqrt(max(steps - 1, 0)) + 1 if every == "sqrt" else every


@dataclass(frozen=True)
class Way:
    """One direction of a layer.

    Attributes:
        number: of the layer's scan.
        against: whether it runs from the last time step to the first.
        moving: what changes over time, each `[T, B, w]`.
        still: what does not; parameters, mostly.
        states: before the first step, each `[B, w]`.
    """

    number: int
    against: bool
    moving: Mapping[str, Tensor]
    still: Mapping[str, Tensor]
    states: Mapping[str, Tensor]


def in_segments(
    run: Stretch, ways: Sequence[Way], output: str, everything: bool, length: int
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """A layer, to be differentiated segment by segment.

    Args:
        run: what runs a stretch of time.
        ways: its directions.
        output: the name of its output, which is one of its states.
        everything: whether all states are given out over time.
        length: K.

    Returns:
        The output `[T, B, D*w]`, each state `[D, B, w]` after the last step, and (with `everything`) each state over
        time `[T, D, B, w]`.
    """
    emit = tuple(ways[0].states) if everything else (output,)
    over_time: dict[str, list[Tensor]] = {name: [] for name in emit}
    final: dict[str, list[Tensor]] = {name: [] for name in ways[0].states}
    for way in ways:
        names = tuple(way.moving), tuple(way.still), tuple(way.states)
        cut = _Cut(run, way.number, way.against, names, emit, way.moving["x"].shape[0], length)
        found: Any = _InSegments.apply(cut, *way.moving.values(), *way.still.values(), *way.states.values())
        for target, value in zip((*over_time.values(), *final.values()), found, strict=True):
            target.append(value)
    parts = over_time[output]
    return (
        parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1),
        {name: torch.stack(values) for name, values in final.items()},
        {name: torch.stack(values, dim=1) for name, values in over_time.items() if everything},
    )


@dataclass(frozen=True)
class _Cut:
    """How one direction is cut into segments.

    Attributes:
        run: what runs a stretch of time.
        number: of the layer's scan.
        against: whether it runs from the last time step to the first.
        names: of what changes over time, of what does not, and of the states.
        emit: what is given out over time.
        steps: T.
        length: K.
    """

    run: Stretch
    number: int
    against: bool
    names: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    emit: tuple[str, ...]
    steps: int
    length: int

    def bounds(self) -> list[tuple[int, int]]:
        """First and last step (that one excluded) of each segment, in the order in which they run."""
        found = [(start, min(start + self.length, self.steps)) for start in range(0, self.steps, self.length)]
        return found[::-1] if self.against else found

    def parts(self, values: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Of what changes over time, of what does not, and of the states."""
        moving, still, states = map(len, self.names)
        assert len(values) == moving + still + states
        return list(values[:moving]), list(values[moving : moving + still]), list(values[moving + still :])

    def stretch(
        self, moving: Sequence[Tensor], still: Sequence[Tensor], states: Sequence[Tensor], start: int, stop: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """What is given out over these steps, and the states at their other end; `moving` is of these steps."""
        names = self.names
        over_time, final = self.run(
            self.number,
            dict(zip(names[0], moving, strict=True)),
            dict(zip(names[1], still, strict=True)),
            dict(zip(names[2], states, strict=True)),
            start,
            stop,
        )
        return [over_time[name] for name in self.emit], [final[name] for name in self.names[2]]


class _InSegments(torch.autograd.Function):
    """Of what changes over time, what does not, and states: values over time and final states."""

    @staticmethod
    def forward(ctx: Any, cut: _Cut, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the segments, and keep the states between them."""
        moving, still, states = cut.parts(tensors)
        bounds = cut.bounds()
        # Side by side: small pieces of memory that stay, between large ones that go, would keep the large ones' places.
        between = [state.new_empty(len(bounds) - 1, *state.shape) for state in states]
        whole: list[Tensor] = []
        for number, (start, stop) in enumerate(bounds):
            values, states = cut.stretch([tensor[start:stop] for tensor in moving], still, states, start, stop)
            whole = whole or [value.new_empty(cut.steps, *value.shape[1:]) for value in values]
            for target, value in zip(whole, values, strict=True):
                target[start:stop] = value
            del values
            if number < len(bounds) - 1:
                for target, state in zip(between, states, strict=True):
                    target[number] = state
        ctx.cut = cut
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *between)
        # As tensors of their own: a state that no step changes is the one that was given.
        return (*whole, *(state.clone() for state in states))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Each segment's forward once more, and its backward; the last one first."""
        cut: _Cut = ctx.cut
        saved, needed = ctx.saved_tensors, ctx.needs_input_grad[1:]
        tensors, between = saved[: len(needed)], saved[len(needed) :]
        with torch.autocast(tensors[0].device.type, enabled=False):
            if torch.is_grad_enabled():
                # To be differentiated once more: all steps at once, which saves everything.
                return (None, *_pull(cut, tensors, needed, gradients, 0, cut.steps, create_graph=True))
            return (None, *_backward(cut, tensors, between, needed, gradients))


def _backward(
    cut: _Cut,
    tensors: Sequence[Tensor],
    between: Sequence[Tensor],
    needed: Sequence[bool],
    gradients: Sequence[Tensor | None],
) -> list[Tensor | None]:
    moving, still, first = cut.parts(tensors)
    for_moving, for_still, for_states = cut.parts(needed)
    outer, last = gradients[: len(cut.emit)], list(gradients[len(cut.emit) :])
    over_time = [torch.empty_like(tensor) if asked else None for tensor, asked in zip(moving, for_moving, strict=True)]
    sums: list[Tensor | None] = [None] * len(still)
    bounds = cut.bounds()
    for number in range(len(bounds) - 1, -1, -1):
        start, stop = bounds[number]
        before = [states[number - 1] for states in between] if number else first
        # A state between segments needs its gradient whether or not the one before the first step does.
        asked = [*for_moving, *for_still, *([True] * len(first) if number else for_states)]
        given = [*(None if value is None else value[start:stop] for value in outer), *last]
        here = [*(tensor[start:stop] for tensor in moving), *still, *before]
        for_here, for_parameters, last = cut.parts(_pull(cut, here, asked, given, start, stop))
        for target, part in zip(over_time, for_here, strict=True):
            if target is not None:
                target[start:stop] = 0 if part is None else part
        # Not in place: what autograd hands out may stand for two of them.
        sums = [
            part if total is None else total if part is None else total + part
            for total, part in zip(sums, for_parameters, strict=True)
        ]
    return [*over_time, *sums, *last]


def _pull(
    cut: _Cut,
    tensors: Sequence[Tensor],
    needed: Sequence[bool],
    gradients: Sequence[Tensor | None],
    start: int,
    stop: int,
    create_graph: bool = False,
) -> list[Tensor | None]:
    """Gradients of the needed tensors of one stretch, whose forward is run once more."""
    with torch.enable_grad():
        own = [
            (tensor.view_as(tensor) if create_graph else tensor.detach().requires_grad_()) if asked else tensor.detach()
            for tensor, asked in zip(tensors, needed, strict=True)
        ]
        values, final = cut.stretch(*cut.parts(own), start, stop)
        pairs = [
            (value, given)
            for value, given in zip((*values, *final), gradients, strict=True)
            if given is not None and value.requires_grad
        ]
        chosen = [tensor for tensor, asked in zip(own, needed, strict=True) if asked]
        if not pairs or not chosen:
            return [None] * len(own)
        outputs, outer = zip(*pairs, strict=True)
        found = iter(torch.autograd.grad(outputs, chosen, outer, create_graph=create_graph, allow_unused=True))
    return [next(found) if asked else None for asked in needed]
