"""The operators `gatewise::scan` and `gatewise::scan_backward`: one node each for `torch.compile` and `torch.export`.

The equations travel in them as text, so that an exported model needs no code of the cell's author.

Legend: T steps, B batch, w the width of a vector (X, H, P, ...).
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from gatewise.backends import cpu, reference
from gatewise.equations import Step
from gatewise.equations.program import Program, compile
from gatewise.equations.text import dumps, loads

EXECUTE = {"cpu": cpu.execute, "reference": reference.execute}


@lru_cache(maxsize=256)
def program_text(step: Step, emit: tuple[str, ...]) -> str:
    """A program as the text that travels in the operators: the equations, and the names that are given out."""
    return json.dumps([dumps(step), emit], ensure_ascii=False)


@lru_cache(maxsize=512)
def program_of(text: str, wanted: tuple[str, ...] | None = None) -> Program:
    """The program of a text; its backward makes the gradients of the inputs in `wanted` (None for all)."""
    step, emit = json.loads(text)
    return compile(loads(step), tuple(emit), wanted)


def _sizes(
    step: Step, inputs: Sequence[Tensor], parameters: Sequence[Tensor], states: Sequence[Tensor]
) -> dict[str, Any]:
    """Sizes of symbolic widths, "T" and "B" among them; of tensors whose shapes have been checked."""
    sizes: dict[str | None, Any] = {}
    for leaf, tensor in zip(step.inputs.values(), inputs, strict=True):
        sizes |= dict(zip(("T", "B", leaf.width), tensor.shape, strict=True))
    for leaf, tensor in zip(step.states.values(), states, strict=True):
        sizes |= dict(zip(("B", leaf.width), tensor.shape, strict=True))
    for parameter, tensor in zip(step.parameters.values(), parameters, strict=True):
        sizes |= dict(zip(parameter.shape, tensor.shape, strict=True))
    return {width: size for width, size in sizes.items() if width is not None}


@torch.library.custom_op("gatewise::scan", mutates_args=())
def _scan(
    text: str,
    inputs: Sequence[Tensor],
    parameters: Sequence[Tensor],
    states: Sequence[Tensor],
    reverse: bool,
    training: bool,
    backend: str,
) -> list[Tensor]:
    done = forward(text, inputs, parameters, states, reverse, training, backend)
    return _fresh(done, *inputs, *states)


def _fresh(results: Sequence[Tensor], *given: Tensor) -> list[Tensor]:
    """Results in memory of their own: an operator must not return what it was given, or a view, or one twice."""
    used = {tensor.untyped_storage().data_ptr() for tensor in given}
    fresh: list[Tensor] = []
    for result in results:
        own = result.contiguous()
        if own._is_view() or own.untyped_storage().data_ptr() in used:
            own = own.clone()
        used.add(own.untyped_storage().data_ptr())
        fresh.append(own)
    return fresh


def forward(
    text: str,
    inputs: Sequence[Tensor],
    parameters: Sequence[Tensor],
    states: Sequence[Tensor],
    reverse: bool,
    training: bool,
    backend: str,
) -> list[Tensor]:
    """The values over time of the program's sequences (without `training`: of what is given out), and final states."""
    program = program_of(text)
    step = program.step
    sizes = _sizes(step, inputs, parameters, states)
    done = EXECUTE[backend](
        program.training if training else program.forward,
        dict(zip(step.inputs.values(), inputs, strict=True)),
        dict(zip(step.parameters, parameters, strict=True)),
        dict(zip(step.states, states, strict=True)),
        sizes,
        shape=(sizes["T"], sizes["B"]),
        backwards=reverse,
    )
    return [*done.results, *done.final.values()]


@_scan.register_fake
def _(
    text: str,
    inputs: Sequence[Tensor],
    parameters: Sequence[Tensor],
    states: Sequence[Tensor],
    reverse: bool,
    training: bool,
    backend: str,
) -> list[Tensor]:
    program = program_of(text)
    sizes = _sizes(program.step, inputs, parameters, states)
    example = [*states, *inputs][0]
    nodes = program.training.results if training else program.forward.results
    outputs = [example.new_empty(sizes["T"], sizes["B"], sizes[node.width] if node.width else 1) for node in nodes]
    return [*outputs, *(torch.empty_like(state, memory_format=torch.contiguous_format) for state in states)]


@torch.library.custom_op("gatewise::scan_backward", mutates_args=())
def _scan_backward(
    text: str,
    inputs: Sequence[Tensor],
    parameters: Sequence[Tensor],
    states: Sequence[Tensor],
    sequences: Sequence[Tensor],
    gradients: Sequence[Tensor],
    final: Sequence[Tensor],
    wanted: Sequence[bool],
    reverse: bool,
    groups: int,
    backend: str,
) -> list[Tensor]:
    """Gradients for the wanted inputs, all states, and all parameters.

    Args:
        text: the program.
        inputs: as in the forward.
        parameters: as in the forward.
        states: as in the forward.
        sequences: all values over time that the forward made in training.
        gradients: of what was given out.
        final: gradients of the final states.
        wanted: for each input whether its gradient is wanted.
        reverse: as in the forward.
        groups: 0, or a number of parts of the batch; parameters' gradients then have a dimension for them in front.
        backend: which backend executes it.
    """
    program = program_of(text, wanted_names(text, wanted))
    step, derived = program.step, program.derived
    sizes = _sizes(step, inputs, parameters, states)
    # The forward saved for the gradients of all inputs, of which this program may need less.
    over_time = dict(zip(program_of(text).sequences, sequences, strict=True))
    given = {step.inputs[name]: tensor for name, tensor in zip(step.inputs, inputs, strict=True)}
    given |= over_time
    given |= dict(zip(derived.given.values(), gradients, strict=True))
    for name, first in zip(step.states, states, strict=True):
        if name in program.previous:
            after = over_time[step.updates[name]]
            around = [after[1:], first.unsqueeze(0)] if reverse else [first.unsqueeze(0), after[:-1]]
            given[step.states[name]] = torch.cat(around)
    done = EXECUTE[backend](
        program.reverse,
        {node: given[node] for node in program.reverse.given},
        dict(zip(step.parameters, parameters, strict=True)),
        dict(zip(step.states, final, strict=True)),
        sizes,
        shape=(sizes["T"], sizes["B"]),
        backwards=not reverse,
        groups=groups or None,
    )
    found = dict(zip(program.reverse.results, done.results, strict=True))
    for_inputs = []
    for name, tensor, asked in zip(step.inputs, inputs, wanted, strict=True):
        node = derived.inputs.get(name)
        if asked:
            for_inputs.append(torch.zeros_like(tensor) if node is None else found[node].expand(tensor.shape))
    front = [groups] if groups else []
    for_parameters = [
        done.sums[name] if name in done.sums else tensor.new_zeros([*front, *tensor.shape])
        for name, tensor in zip(step.parameters, parameters, strict=True)
    ]
    given_tensors = [*inputs, *parameters, *states, *sequences, *gradients, *final]
    return _fresh([*for_inputs, *done.final.values(), *for_parameters], *given_tensors)


def wanted_names(text: str, wanted: Sequence[bool]) -> tuple[str, ...]:
    """The names of the inputs whose gradient is wanted."""
    names = program_of(text).step.inputs
    return tuple(name for name, asked in zip(names, wanted, strict=True) if asked)


@_scan_backward.register_fake
def _(
    text: str,
    inputs: Sequence[Tensor],
    parameters: Sequence[Tensor],
    states: Sequence[Tensor],
    sequences: Sequence[Tensor],
    gradients: Sequence[Tensor],
    final: Sequence[Tensor],
    wanted: Sequence[bool],
    reverse: bool,
    groups: int,
    backend: str,
) -> list[Tensor]:
    asked = [tensor for tensor, needed in zip(inputs, wanted, strict=True) if needed]
    front = [groups] if groups else []
    return [
        *(tensor.new_empty(tensor.shape) for tensor in (*asked, *states)),
        *(tensor.new_empty([*front, *tensor.shape]) for tensor in parameters),
    ]
