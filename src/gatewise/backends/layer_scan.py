"""A layer's scans in the compiled core, both directions at once, as one node of autograd.

This is the short way from a layer to the core: stored tensors go in as they are (`Places` says which rows of them each
parameter is), outputs of both directions come out side by side, and nothing is made that the core does not need. The
operators of `gatewise.backends.operators` are the way for all that has to look into a call: graphs, `torch.func`.

Legend: T steps, B batch, w the width of a vector, D directions (1 or 2).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from gatewise.backends import cpu
from gatewise.backends.cpu import unit_stride
from gatewise.backends.operators import program_of
from gatewise.backends.plan import Places, Plan, plan
from gatewise.backends.scan import Prepared
from gatewise.equations.expr import Expr, intern
from gatewise.equations.program import Program
from gatewise.errors import ConfigurationError

# From tensors as `LayerScan` takes them to what it gives, in torch operations that can be differentiated again.
Again = Callable[[Sequence[Tensor | None]], tuple[Tensor, ...]]


@dataclass(frozen=True, eq=False)
class Scans:
    """What does not change from call to call.

    Attributes:
        prepared: the step.
        sizes: what symbolic widths stand for, sorted.
        places: where parameters stand in the stored tensors.
        stored: how many stored tensors a direction has.
        directions: D.
        initial: for each state its value before the first step where none is given, None where that is learned.
        weights: in how few bits matrices are stored; then there is no backward, and they are packed once.
        turned: whether a single direction is the backward one.
    """

    prepared: Prepared
    sizes: tuple[tuple[str, int], ...]
    places: Places
    stored: int
    directions: int
    initial: tuple[float | None, ...]
    weights: str | None = None
    turned: bool = False
    known: dict[object, Any] = field(default_factory=dict)  # calls that were made ready

    @cached_property
    def against(self) -> tuple[bool, ...]:
        """For each direction whether it runs from the last time step to the first."""
        return (False, True) if self.directions == 2 else (self.turned,)

    @cached_property
    def widths(self) -> dict[str | None, int]:
        """Sizes, that of a single number among them."""
        return {None: 1, **dict(self.sizes)}

    @cached_property
    def program(self) -> Program:
        """Of the gradients of all inputs."""
        return program_of(self.prepared.text)

    @cached_property
    def emitted(self) -> tuple[Expr, ...]:
        """What is given out over time, each once."""
        return tuple(dict.fromkeys(self.program.emit.values()))

    @cached_property
    def saved(self) -> tuple[Expr, ...]:
        """What is kept for the backward besides."""
        return tuple(node for node in self.program.sequences if node not in self.emitted)

    @cached_property
    def kept(self) -> tuple[tuple[int, int], ...]:
        """The width of each of `saved`, and the widths of those before it."""
        widths = [self.widths[node.width] for node in self.saved]
        return tuple((width, sum(widths[:k])) for k, width in enumerate(widths))

    @cached_property
    def state_widths(self) -> tuple[int, ...]:
        """w of each state."""
        return tuple(self.widths[leaf.width] for leaf in self.program.step.states.values())

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """Inputs, stored tensors and states of one direction."""
        return len(self.prepared.inputs), self.stored, len(self.prepared.states)

    def first(self, name: str) -> Expr:
        """What stands for a state's values before the first step, among the streams of the backward."""
        return intern("input", (), f"@first_{name}", self.program.step.states[name].width)


def eligible(tensors: Sequence[Tensor | None]) -> bool:
    """Whether a call can take the short way: nobody looks into it, and all tensors are ordinary ones in memory."""
    return (
        not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
        and torch._C._len_torch_dispatch_stack() == 0
        and forward_ad._current_level < 0
        and torch._C._get_tracing_state() is None
        # A negated view's memory holds the numbers before they are negated.
        and all(tensor is None or (type(tensor) in _ORDINARY and not tensor.is_neg()) for tensor in tensors)
    )


_ORDINARY = (Tensor, torch.nn.Parameter)


def run_layer(scans: Scans, lengths: Sequence[int], tensors: Sequence[Tensor | None], again: Again) -> Sequence[Tensor]:
    """Run a layer's scans.

    Args:
        scans: of the layer.
        lengths: of each sequence; none where all have T steps.
        tensors: direction by direction its inputs `[T, B, w]`, stored tensors (contiguous), and states `[B, w]` before
            the first step (None where they start at their initial value); all of one dtype, and of shapes that fit.
        again: the same in torch operations, for derivatives of derivatives.

    Returns:
        Each value that is given out over time `[T, B, D*w]`, 0 beyond a sequence's end, then each state
        `[D, B, w]` after the last step.
    """
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors):
        if scans.weights is not None:
            refuse_training(scans.weights, tensors)
        found: Any = LayerScan.apply(scans, lengths, again, *tensors)
        return found
    return _forward(scans, lengths, tensors, training=False)[0]


@dataclass(frozen=True, eq=False)
class _Forward:
    """What a forward call tells the core, as far as it is the same in all calls.

    Attributes:
        made: the plan.
        streams: for each stream its place among a direction's tensors.
        outputs: the width of each value that is given out.
        kept: the width of each value that is saved besides, and the widths of those before it.
        results: for each result whether it is given out, and its place among those, or among the saved ones.
    """

    made: Plan
    streams: tuple[int, ...]
    outputs: tuple[int, ...]
    kept: tuple[tuple[int, int], ...]
    results: tuple[tuple[bool, int], ...]


def _ready(scans: Scans, training: bool, double: bool) -> _Forward:
    key = ("forward", training, double)
    found = scans.known.get(key)
    if found is None:
        schedule = scans.program.training if training else scans.program.forward
        made = plan(cpu.core, schedule, scans.sizes, double, scans.places)
        names = [name for name, _ in scans.prepared.inputs]
        saved = list(scans.saved) if training else []
        emitted = list(scans.emitted)
        found = scans.known[key] = _Forward(
            made,
            tuple(names.index(str(node.attr)) for node in made.streams),
            tuple(scans.widths[node.width] for node in emitted),
            scans.kept if training else (),
            tuple((True, emitted.index(n)) if n in emitted else (False, saved.index(n)) for n in made.results),
        )
    return found


def _forward(
    scans: Scans, lengths: Sequence[int], tensors: Sequence[Tensor | None], training: bool
) -> tuple[list[Tensor], Tensor | None]:
    """What is given out and the final states; and what is saved besides, one after the other in one piece."""
    inputs, stored, states = scans.counts
    each, directions = inputs + stored + states, scans.directions
    example = tensors[0]
    assert example is not None
    steps, batch, _ = example.shape
    itemsize = example.itemsize
    ready = _ready(scans, training, itemsize == 8)
    made, empty = ready.made, example.new_empty
    outputs = [empty((steps, batch, directions * width)) for width in ready.outputs]
    final = [empty((directions, batch, width)) for width in scans.state_widths]
    starts = [output.data_ptr() for output in outputs]
    ends = [state.data_ptr() for state in final]
    lines = steps * batch
    saved = sum(width for width, _ in ready.kept)
    kept = cpu.memory(directions * saved * lines, example) if saved else None
    memory = 0 if kept is None else kept.data_ptr()
    ports: list[list[int]] = []
    for direction in range(directions):
        here = direction * each
        found: list[int] = []
        for place in ready.streams:
            stream = tensors[here + place]
            assert stream is not None
            time, row, _ = stream.stride()
            found += (stream.data_ptr(), time, row)
        for k, width in enumerate(scans.state_widths):
            found += _state(tensors[here + inputs + stored + k], scans.initial[k], width, example)
        found += map(_address, tensors[here + inputs : here + inputs + made.parameters])
        for given, k in ready.results:
            if given:
                width, row = ready.outputs[k], directions * ready.outputs[k]
                found += (starts[k] + direction * width * itemsize, batch * row, row)
            else:
                width, before = ready.kept[k]
                found += (memory + (direction * saved + before) * lines * itemsize, batch * width, width)
        for address, width in zip(ends, scans.state_widths, strict=True):
            found += (address + direction * batch * width * itemsize, width)
        ports.append(found)
    packed: Sequence[Any] = ()
    if scans.weights is not None:
        sides = [tensors[k * each + inputs : k * each + inputs + made.parameters] for k in range(directions)]
        packed = [_packed(scans, made, k, side) for k, side in enumerate(sides)]
    cpu.execute_plans([made] * directions, ports, scans.against, (steps, batch), lengths, packed)
    return [*outputs, *final], kept


def _packed(scans: Scans, made: Plan, direction: int, tensors: Sequence[Tensor | None]) -> Any:
    """One direction's packed matrices: those of the last call, unless its tensors have changed since."""
    weights = [tensor for tensor in tensors if tensor is not None]
    if any(tensor.is_inference() for tensor in weights):  # nobody counts what is written to them
        return cpu.packed(made, weights, scans.weights)
    state = [(tensor.data_ptr(), tensor._version) for tensor in weights]
    before = scans.known.get(("packed", direction))
    if before is not None and before[0] == state and all(a is b for a, b in zip(before[1], weights, strict=True)):
        return before[2]
    packed = cpu.packed(made, weights, scans.weights)
    scans.known["packed", direction] = (state, weights, packed)
    return packed


def refuse_training(weights: str, tensors: Sequence[Tensor | None]) -> None:
    """Fail if any of these tensors takes a gradient.

    Raises:
        ConfigurationError: one does.
    """
    if any(tensor is not None and tensor.requires_grad for tensor in tensors):
        raise ConfigurationError(
            f"a layer whose weights are stored as {weights} is for inference, and something given to it takes a "
            "gradient: call it under torch.no_grad(), or train the layer that it was made from"
        )


def _address(tensor: Tensor | None) -> int:
    assert tensor is not None
    return tensor.data_ptr()


def _state(tensor: Tensor | None, initial: float | None, width: int, example: Tensor) -> tuple[int, int]:
    if tensor is None:
        assert initial is not None
        return _vector(initial, width, example.dtype)[1], 0
    return tensor.data_ptr(), tensor.stride(0)


_vectors: dict[tuple[float, int, torch.dtype], tuple[Tensor, int]] = {}


def _vector(value: float, width: int, dtype: torch.dtype) -> tuple[Tensor, int]:
    """A number as a vector, which stands for every sequence, and its address: it is kept for good."""
    found = _vectors.get((value, width, dtype))
    if found is None:
        with torch.inference_mode(False):
            made = torch.full((width,), value, dtype=dtype)
        found = _vectors.setdefault((value, width, dtype), (made, made.data_ptr()))
    return found


class LayerScan(torch.autograd.Function):
    """The scans of a layer: of the tensors of `run_layer`, its outputs and final states."""

    @staticmethod
    def forward(ctx: Any, scans: Scans, lengths: Sequence[int], again: Again, *tensors: Tensor | None) -> Any:
        """Run them, and keep what the backward reads."""
        found, kept = _forward(scans, lengths, tensors, training=True)
        ctx.scans, ctx.lengths, ctx.again = scans, lengths, again
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *found[: len(scans.emitted)], kept)
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        """The derived backward; where it will be differentiated itself, that of the reference."""
        scans: Scans = ctx.scans
        total = scans.directions * sum(scans.counts)
        saved = ctx.saved_tensors  # once: hooks that restore them, as those of checkpoints, need not do so again
        tensors, over_time = saved[:total], saved[total:]
        needed = ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():
            return (None, None, None, *_differentiable(ctx.again, tensors, needed, gradients))
        return (None, None, None, *_backward(scans, ctx.lengths, tensors, over_time, gradients, needed))


@dataclass(frozen=True, eq=False)
class _Backward:
    """What a backward call tells the core, as far as it is the same in all calls.

    Attributes:
        made: the plan.
        streams: for each stream its kind and its place: an input, a value that was given out, one that was saved, the
            gradient of one that was given out, a state before the first step.
        results: the width of each result.
        inputs: for each input the result that is its gradient; None where none flows.
        covered: for each stored tensor whether every row of it has a sum.
    """

    made: Plan
    streams: tuple[tuple[str, int], ...]
    results: tuple[int, ...]
    inputs: tuple[int | None, ...]
    covered: tuple[bool, ...]


def _ready_back(scans: Scans, wanted: tuple[bool, ...], double: bool) -> _Backward:
    key = ("backward", wanted, double)
    found = scans.known.get(key)
    if found is None:
        names = [name for name, _ in scans.prepared.inputs]
        asked = tuple(name for name, needed in zip(names, wanted, strict=True) if needed)
        program = program_of(scans.prepared.text, asked)
        states, updates = program.step.states, program.step.updates
        earlier = tuple((states[name], (updates[name], scans.first(name))) for name in program.previous)
        made = plan(cpu.core, program.reverse, scans.sizes, double, scans.places, earlier)
        sources: dict[Expr, tuple[str, int]] = {scans.first(name): ("first", k) for k, name in enumerate(states)}
        sources |= {leaf: ("input", k) for k, leaf in enumerate(program.step.inputs.values())}
        sources |= {node: ("saved", k) for k, node in enumerate(scans.saved)}
        sources |= {node: ("output", k) for k, node in enumerate(scans.emitted)}
        sources |= {node: ("gradient", k) for k, node in enumerate(program.derived.given.values())}
        gradients = [program.derived.inputs.get(name) if name in asked else None for name in names]
        found = scans.known[key] = _Backward(
            made,
            tuple(sources[node] for node in made.streams),
            tuple(scans.widths[node.width] for node in made.results),
            tuple(None if node is None else made.results.index(node) for node in gradients),
            _covered(scans, made),
        )
    return found


def _backward(
    scans: Scans,
    lengths: Sequence[int],
    tensors: Sequence[Tensor | None],
    over_time: Sequence[Tensor | None],
    gradients: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    inputs, stored, states = scans.counts
    each, directions = inputs + stored + states, scans.directions
    example = tensors[0]
    assert example is not None
    steps, batch, _ = example.shape
    itemsize, dtype = example.itemsize, example.dtype
    undifferentiated = scans.program.step.undifferentiated
    asked = tuple(
        any(needed[direction * each + k] for direction in range(directions)) and name not in undifferentiated
        for k, (name, _) in enumerate(scans.prepared.inputs)
    )
    ready = _ready_back(scans, asked, itemsize == 8)
    made, empty, emitted = ready.made, example.new_empty, len(scans.emitted)
    saved, outputs = (
        sum(width for width, _ in scans.kept),
        [value for value in over_time[:emitted] if value is not None],
    )
    outer = [None if given is None else unit_stride(given) for given in gradients]
    found: list[Tensor | None] = []
    ports: list[list[int]] = []
    for direction in range(directions):
        here = direction * each
        listing: list[int] = []
        for kind, k in ready.streams:
            if kind == "first":
                address, row = _state(
                    tensors[here + inputs + stored + k], scans.initial[k], scans.state_widths[k], example
                )
                listing += (address, 0, row)
            elif kind == "saved":
                kept = over_time[emitted]
                assert kept is not None
                width, others = scans.kept[k]
                part = (direction * saved + others) * steps * batch
                listing += (kept.data_ptr() + part * itemsize, batch * width, width)
            elif kind == "gradient" and outer[k] is None:
                listing += (_vector(0.0, outputs[k].shape[2] // directions, dtype)[1], 0, 0)
            else:
                shared = kind in ("gradient", "output")  # by both directions, side by side
                tensor = tensors[here + k] if kind == "input" else outer[k] if kind == "gradient" else outputs[k]
                assert tensor is not None
                shift = direction * (tensor.shape[2] // directions) * itemsize if shared else 0
                listing += (tensor.data_ptr() + shift, tensor.stride(0), tensor.stride(1))
        for k, width in enumerate(scans.state_widths):
            last = outer[emitted + k]
            if last is None:
                listing += (_vector(0.0, width, dtype)[1], 0)
            else:
                listing += (last.data_ptr() + direction * last.stride(0) * itemsize, last.stride(1))
        weights = tensors[here + inputs : here + inputs + stored]
        listing += [_address(weight) for weight in weights[: made.parameters]]
        results = [empty((steps, batch, width)) for width in ready.results]
        for result, width in zip(results, ready.results, strict=True):
            listing += (result.data_ptr(), batch * width, width)
        before = [empty((batch, width)) for width in scans.state_widths]
        for state, width in zip(before, scans.state_widths, strict=True):
            listing += (state.data_ptr(), width)
        summed = [
            empty(weight.shape) if covered else weight.new_zeros(weight.shape)
            for weight, covered in zip(weights, ready.covered, strict=True)
            if weight is not None
        ]
        if made.gradients:
            listing += [gradient.data_ptr() for gradient in summed[: made.gradients]]
        ports.append(listing)
        for k, place in enumerate(ready.inputs):
            if needed[here + k]:
                found.append(results[place] if place is not None else _zero_like(tensors[here + k]))
            else:
                found.append(None)
        found += [*summed, *before]
    cpu.execute_plans(
        [made] * directions, ports, tuple(not against for against in scans.against), (steps, batch), lengths
    )
    return [tensor if asked else None for tensor, asked in zip(found, needed, strict=True)]


def _covered(scans: Scans, made: Plan) -> tuple[bool, ...]:
    """For each stored tensor whether every row of it has a sum."""
    rows, whole = [0] * scans.stored, [0] * scans.stored
    for name, parts in scans.places:
        shape = scans.program.step.parameters[name].shape
        for port, _ in parts:
            whole[port] += scans.widths[shape[0]] if shape else 1
            rows[port] += (scans.widths[shape[0]] if shape else 1) if name in made.summed else 0
    return tuple(count == total > 0 for count, total in zip(rows, whole, strict=True))


def _zero_like(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else torch.zeros_like(tensor)


def _differentiable(
    again: Again, tensors: Sequence[Tensor | None], needed: Sequence[bool], gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """Gradients that can be differentiated: those of the same computation in torch operations."""
    # Each tensor as one of its own: one that is given twice gets a gradient for each place.
    own = [
        tensor.view_as(tensor) if tensor is not None and asked else tensor
        for tensor, asked in zip(tensors, needed, strict=True)
    ]
    outputs = again(own)
    pairs = [(output, given) for output, given in zip(outputs, gradients, strict=True) if given is not None]
    chosen = [tensor for tensor, asked in zip(own, needed, strict=True) if asked and tensor is not None]
    found = iter(
        torch.autograd.grad(
            [output for output, _ in pairs], chosen, [given for _, given in pairs], create_graph=True, allow_unused=True
        )
    )
    return [next(found) if asked else None for asked in needed]
