"""A layer's scans in the compiled core, both directions at once, as one node of autograd.

This is the short way from a layer to the core: stored tensors go in as they are (`Places` says which rows of them each
parameter is), outputs of both directions come out side by side, and nothing is made that the core does not need. The
operators of `gatewise.backends.operators` are the way for everything that has to look into a call: graphs, `torch.func`.

Legend: T steps, B batch, w the width of a vector, D directions (1 or 2).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from gatewise.backends import cpu
from gatewise.backends.cpu import unit_stride
from gatewise.backends.operators import program_of
from gatewise.backends.plan import Places, Plan, plan
from gatewise.backends.scan import Prepared
from gatewise.equations.expr import Expr, intern
from gatewise.equations.program import Program

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
    """

    prepared: Prepared
    sizes: tuple[tuple[str, int], ...]
    places: Places
    stored: int
    directions: int
    initial: tuple[float | None, ...]

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
    def state_widths(self) -> tuple[int, ...]:
        """w of each state."""
        return tuple(self.widths[leaf.width] for leaf in self.program.step.states.values())

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """Inputs, stored tensors and states of one direction."""
        return len(self.prepared.inputs), self.stored, len(self.prepared.states)

    def forward(self, training: bool, double: bool) -> Plan:
        """The forward's plan."""
        return self._forward(training, double)

    @lru_cache(maxsize=8)  # noqa: B019  (as long as the program itself is remembered)
    def _forward(self, training: bool, double: bool) -> Plan:
        schedule = self.program.training if training else self.program.forward
        return plan(cpu.core, schedule, self.sizes, double, self.places)

    def first(self, name: str) -> Expr:
        """What stands for a state's values before the first step, among the streams of the backward."""
        return intern("input", (), f"@first_{name}", self.program.step.states[name].width)

    def backward(self, wanted: tuple[bool, ...], double: bool) -> tuple[Program, Plan]:
        """The backward's plan, for the gradients of the wanted inputs."""
        return self._backward(wanted, double)

    @lru_cache(maxsize=16)  # noqa: B019
    def _backward(self, wanted: tuple[bool, ...], double: bool) -> tuple[Program, Plan]:
        names = tuple(name for (name, _), asked in zip(self.prepared.inputs, wanted, strict=True) if asked)
        program = program_of(self.prepared.text, names)
        states, updates = program.step.states, program.step.updates
        earlier = tuple((states[name], (updates[name], self.first(name))) for name in program.previous)
        return program, plan(cpu.core, program.reverse, self.sizes, double, self.places, earlier)


def eligible(tensors: Sequence[Tensor | None]) -> bool:
    """Whether a call can take the short way: nobody looks into it, and all tensors are ordinary ones in memory."""
    return (
        not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
        and torch._C._len_torch_dispatch_stack() == 0
        and all(tensor is None or type(tensor) in _ORDINARY for tensor in tensors)
    )


_ORDINARY = (Tensor, torch.nn.Parameter)


def run_layer(
    scans: Scans, lengths: Sequence[int], tensors: Sequence[Tensor | None], again: Again
) -> tuple[list[Tensor], list[Tensor]]:
    """Run a layer's scans.

    Args:
        scans: of the layer.
        lengths: of each sequence; none where all have T steps.
        tensors: direction by direction its inputs `[T, B, w]`, stored tensors (contiguous), and states `[B, w]` before
            the first step (None where they start at their initial value); all of one dtype, and of shapes that fit.
        again: the same in torch operations, for derivatives of derivatives.

    Returns:
        Each value that is given out over time `[T, B, D*w]`, 0 beyond a sequence's end, and each state
        `[D, B, w]` after the last step.
    """
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors):
        found: Any = LayerScan.apply(scans, lengths, again, *tensors)
    else:
        found = _forward(scans, lengths, tensors, training=False)[0]
    count = len(scans.emitted)
    return list(found[:count]), list(found[count:])


def _forward(
    scans: Scans, lengths: Sequence[int], tensors: Sequence[Tensor | None], training: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """What is given out and the final states; and what is saved besides, direction by direction."""
    inputs, stored, states = scans.counts
    each, directions = inputs + stored + states, scans.directions
    example = tensors[0]
    assert example is not None
    steps, batch = example.shape[0], example.shape[1]
    made = scans.forward(training, example.dtype == torch.float64)
    widths, itemsize = scans.widths, example.element_size()
    outputs = [example.new_empty(steps, batch, directions * widths[node.width]) for node in scans.emitted]
    final = [example.new_empty(directions, batch, width) for width in scans.state_widths]
    kept: list[Tensor] = []
    ports: list[list[int]] = []
    for direction in range(directions):
        mine = tensors[direction * each : (direction + 1) * each]
        where: dict[Expr, tuple[int, int, int]] = {}
        for node, output in zip(scans.emitted, outputs, strict=True):
            width = widths[node.width]
            row = directions * width
            where[node] = (output.data_ptr() + direction * width * itemsize, batch * row, row)
        if training:
            for node in scans.saved:
                width = widths[node.width]
                kept.append(example.new_empty(steps, batch, width))
                where[node] = (kept[-1].data_ptr(), batch * width, width)
        found: list[int] = []
        for node in made.streams:
            found += _stream(mine[_place(scans, node)])
        for k in range(states):
            found += _state(mine[inputs + stored + k], scans.initial[k], scans.state_widths[k], example)
        for k in range(made.parameters):
            found.append(_address(mine[inputs + k]))
        for node in made.results:
            found += where[node]
        for state in final:
            found += (state.data_ptr() + direction * batch * state.shape[2] * itemsize, state.shape[2])
        ports.append(found)
    cpu.execute_plans([made] * directions, ports, (False, True)[:directions], (steps, batch), lengths)
    return [*outputs, *final], kept


def _place(scans: Scans, node: Expr) -> int:
    return next(k for k, (name, _) in enumerate(scans.prepared.inputs) if name == node.attr)


def _address(tensor: Tensor | None) -> int:
    assert tensor is not None
    return tensor.data_ptr()


def _stream(tensor: Tensor | None) -> tuple[int, int, int]:
    assert tensor is not None
    return tensor.data_ptr(), tensor.stride(0), tensor.stride(1)


def _state(tensor: Tensor | None, initial: float | None, width: int, example: Tensor) -> tuple[int, int]:
    if tensor is None:
        assert initial is not None
        return _vector(initial, width, example.dtype).data_ptr(), 0
    return tensor.data_ptr(), tensor.stride(0)


_vectors: dict[tuple[float, int, torch.dtype], Tensor] = {}


def _vector(value: float, width: int, dtype: torch.dtype) -> Tensor:
    """A number as a vector, which stands for every sequence; kept for good, since the core is given its address."""
    found = _vectors.get((value, width, dtype))
    if found is None:
        with torch.inference_mode(False):
            found = _vectors.setdefault((value, width, dtype), torch.full((width,), value, dtype=dtype))
    return found


class LayerScan(torch.autograd.Function):
    """The scans of a layer: of the tensors of `run_layer`, its outputs and final states."""

    @staticmethod
    def forward(ctx: Any, scans: Scans, lengths: Sequence[int], again: Again, *tensors: Tensor | None) -> Any:
        """Run them, and keep what the backward reads."""
        found, kept = _forward(scans, lengths, tensors, training=True)
        ctx.scans, ctx.lengths, ctx.again = scans, lengths, again
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *found[: len(scans.emitted)], *kept)
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        """The derived backward; where it will be differentiated itself, that of the reference."""
        scans: Scans = ctx.scans
        total = scans.directions * sum(scans.counts)
        tensors, over_time = ctx.saved_tensors[:total], ctx.saved_tensors[total:]
        needed = ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():
            return (None, None, None, *_differentiable(ctx.again, tensors, needed, gradients))
        return (None, None, None, *_backward(scans, ctx.lengths, tensors, over_time, gradients, needed))


def _backward(
    scans: Scans,
    lengths: Sequence[int],
    tensors: Sequence[Tensor | None],
    over_time: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    inputs, stored, states = scans.counts
    each, directions = inputs + stored + states, scans.directions
    example = tensors[0]
    assert example is not None
    shape = steps, batch = example.shape[0], example.shape[1]
    undifferentiated = scans.program.step.undifferentiated
    asked = tuple(
        any(needed[direction * each + k] for direction in range(directions)) and name not in undifferentiated
        for k, (name, _) in enumerate(scans.prepared.inputs)
    )
    program, made = scans.backward(asked, example.dtype == torch.float64)
    widths, itemsize, emitted = scans.widths, example.element_size(), scans.emitted
    outer = [None if given is None else unit_stride(given) for given in gradients]
    found: list[Tensor | None] = []
    ports: list[list[int]] = []
    for direction in range(directions):
        mine = tensors[direction * each : (direction + 1) * each]
        kept = over_time[len(emitted) + direction * len(scans.saved) :]
        streams: dict[Expr, tuple[int, int, int]] = {}
        for k, node in enumerate(emitted):
            output, width = over_time[k], widths[node.width]
            streams[node] = (output.data_ptr() + direction * width * itemsize, output.stride(0), output.stride(1))
        for node, tensor in zip(scans.saved, kept, strict=False):
            streams[node] = _stream(tensor)
        for k, node in enumerate(program.derived.given.values()):
            given, width = outer[k], widths[node.width]
            if given is None:
                streams[node] = (_vector(0.0, width, example.dtype).data_ptr(), 0, 0)
            else:
                streams[node] = (given.data_ptr() + direction * width * itemsize, given.stride(0), given.stride(1))
        for k, (name, leaf) in enumerate(program.step.inputs.items()):
            del name
            streams[leaf] = _stream(mine[k])
        for k, name in enumerate(program.step.states):
            address, row = _state(mine[inputs + stored + k], scans.initial[k], scans.state_widths[k], example)
            streams[scans.first(name)] = (address, 0, row)
        listing: list[int] = []
        for node in made.streams:
            listing += streams[node]
        for k, width in enumerate(scans.state_widths):
            last = outer[len(emitted) + k]
            if last is None:
                listing += (_vector(0.0, width, example.dtype).data_ptr(), 0)
            else:
                listing += (last.data_ptr() + direction * last.stride(0) * itemsize, last.stride(1))
        weights = [tensor for tensor in mine[inputs : inputs + stored] if tensor is not None]
        listing += [weight.data_ptr() for weight in weights[: made.parameters]]
        results = [example.new_empty(steps, batch, widths[node.width]) for node in made.results]
        for result in results:
            listing += (result.data_ptr(), result.stride(0), result.stride(1))
        before = [example.new_empty(batch, width) for width in scans.state_widths]
        for tensor in before:
            listing += (tensor.data_ptr(), tensor.shape[1])
        covered = _covered(scans, made)
        summed = [
            weight.new_empty(weight.shape) if k in covered else weight.new_zeros(weight.shape)
            for k, weight in enumerate(weights)
        ]
        if made.gradients:
            listing += [tensor.data_ptr() for tensor in summed[: made.gradients]]
        ports.append(listing)
        by_node = dict(zip(made.results, results, strict=True))
        for k, (name, _) in enumerate(scans.prepared.inputs):
            node = program.derived.inputs.get(name)
            if not needed[direction * each + k]:
                found.append(None)
            else:
                found.append(by_node[node] if node is not None else _zero_like(mine[k]))
        found += [*summed, *before]
    cpu.execute_plans([made] * directions, ports, (True, False)[:directions], shape, lengths)
    return [tensor if asked else None for tensor, asked in zip(found, needed, strict=True)]


@lru_cache(maxsize=1024)
def _covered(scans: Scans, made: Plan) -> frozenset[int]:
    """The stored tensors whose every row has a sum."""
    rows: dict[int, int] = {}
    for name, parts in scans.places:
        if name in made.summed:
            shape = scans.program.step.parameters[name].shape
            for port, _ in parts:
                rows[port] = rows.get(port, 0) + (scans.widths[shape[0]] if shape else 1)
    whole: dict[int, int] = {}
    for name, parts in scans.places:
        shape = scans.program.step.parameters[name].shape
        for port, _ in parts:
            whole[port] = whole.get(port, 0) + (scans.widths[shape[0]] if shape else 1)
    return frozenset(port for port, count in rows.items() if count == whole[port])


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
