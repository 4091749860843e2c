"""A cell over a batch of sequences, in one direction, whatever backend runs it.

Legend: T steps, B batch, w the width of a vector (X, H, P, ...).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.autograd import forward_ad

from gatewise.backends.derivatives import Scan, Signature
from gatewise.backends.operators import program_text
from gatewise.equations import Step
from gatewise.equations.program import compile
from gatewise.errors import CellError, nearest


def scan(
    step: Step,
    inputs: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    *,
    emit: Sequence[str] | None = None,
    reverse: bool = False,
    backend: str = "reference",
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a traced cell over a batch of sequences.

    Args:
        step: the traced cell.
        inputs: each input `[T, B, w]` (`[T, B, 1]` for one number a step), T at least 1.
        parameters: each parameter in the shape the step declares.
        states: each state `[B, w]` before the first step.
        emit: names of states or observed values to give out over time; by default the step's output.
        reverse: run from the last time step to the first.
        backend: which backend executes it.

    Returns:
        The named values over time, each `[T, B, w]` in the inputs' order of time, and the final states, each `[B, w]`.

    Raises:
        CellError: an input, state or parameter is missing, too many, or of a shape that does not fit; or `emit` names a
            value that the cell does not have.

    >>> from gatewise.equations import trace
    >>> total = trace("Sum", lambda x, h: {"h": x + h}, inputs={"x": "H"}, states={"h": "H"})
    >>> outputs, final = scan(total, {"x": torch.ones(3, 2, 1)}, {}, {"h": torch.zeros(2, 1)})
    >>> outputs["h"][:, 0, 0].tolist(), final["h"].tolist()
    ([1.0, 2.0, 3.0], [[3.0], [3.0]])
    """
    if not torch.compiler.is_compiling():
        check(step, inputs, parameters, states)
    return run(prepare(step, emit), inputs, parameters, states, reverse=reverse, backend=backend)


@dataclass(frozen=True)
class Prepared:
    """What a call needs to know of a step; plain data, which `torch.compile` can take for a constant.

    Attributes:
        text: the program.
        inputs: name and symbolic width of each input, in order.
        parameters: names in order.
        states: names in order.
        emit: for each name that is given out the place of its values over time among the operator's results.
    """

    text: str
    inputs: tuple[tuple[str, str | None], ...]
    parameters: tuple[str, ...]
    states: tuple[str, ...]
    emit: tuple[tuple[str, int], ...]


def prepare(step: Step, emit: Sequence[str] | None = None) -> Prepared:
    """Compile a step for `run`; remembered.

    Raises:
        CellError: `emit` names a value that the step does not have.
    """
    return _prepare(step, (step.output,) if emit is None else tuple(emit))


@lru_cache(maxsize=1024)
def _prepare(step: Step, emit: tuple[str, ...]) -> Prepared:
    emitted = compile(step, emit).emit
    unique = list(dict.fromkeys(emitted.values()))
    return Prepared(
        text=program_text(step, emit),
        inputs=tuple((name, leaf.width) for name, leaf in step.inputs.items()),
        parameters=tuple(step.parameters),
        states=tuple(step.states),
        emit=tuple((name, unique.index(node)) for name, node in emitted.items()),
    )


def run(
    prepared: Prepared,
    inputs: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    *,
    reverse: bool = False,
    backend: str = "reference",
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """As `scan`, of a step that was prepared; shapes are not checked."""
    tensors = [
        [inputs[name] for name, _ in prepared.inputs],
        [parameters[name] for name in prepared.parameters],
        [states[name] for name in prepared.states],
    ]
    training = torch.is_grad_enabled() and any(tensor.requires_grad for group in tensors for tensor in group)
    found: Sequence[Tensor]
    if torch.compiler.is_compiling():
        found = torch.ops.gatewise.scan(prepared.text, *tensors, reverse, training, backend)
    elif training or torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        # As a function, which torch.func can transform and which says that it has no forward mode; the operator cannot
        # be transformed, and would drop tangents without a word.
        signature = Signature(prepared.text, reverse, backend)
        found = Scan.apply(signature, *(tensor for group in tensors for tensor in group))
    else:
        found = torch.ops.gatewise.scan(prepared.text, *tensors, reverse, False, backend)
    final = found[len(found) - len(prepared.states) :]
    return {name: found[k] for name, k in prepared.emit}, dict(zip(prepared.states, final, strict=True))


def check(
    step: Step,
    inputs: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
) -> dict[str, int]:
    """The size of every symbolic width, after checking that names and shapes fit the step and one another.

    Raises:
        CellError: an input, state or parameter is missing, too many, or of a shape that does not fit.
    """
    sizes: dict[str, int] = {}
    origin: dict[str, str] = {}
    for kind, given, declared in _declared(step, inputs, parameters, states):
        for name in given:
            if name not in declared:
                raise CellError(f'{step.name} has no {kind} "{name}"; {nearest(name, declared)}')
        for name, expected in declared.items():
            if name not in given:
                raise CellError(f'{step.name}: the {kind} "{name}" [{", ".join(expected)}] is missing')
            shape = given[name].shape
            if len(shape) != len(expected):
                raise CellError(
                    f'{step.name}: the {kind} "{name}" must be [{", ".join(expected)}], got shape {list(shape)}'
                )
            for width, size in zip(expected, shape, strict=True):
                known = 1 if width == "1" else sizes.setdefault(width, size)
                if known != size:
                    raise CellError(
                        f'{step.name}: the {kind} "{name}" [{", ".join(expected)}] has shape {list(shape)}, '
                        f"but {width} is {known}" + (f" according to {origin[width]}" if width in origin else "")
                    )
                origin.setdefault(width, f'the {kind} "{name}"')
    dtypes = sorted({str(value.dtype) for group in (inputs, parameters, states) for value in group.values()})
    if len(dtypes) > 1:
        raise CellError(f"{step.name}: inputs, parameters and states need one dtype, got {' and '.join(dtypes)}")
    return sizes


def _declared(
    step: Step,
    inputs: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
) -> list[tuple[str, Mapping[str, Tensor], dict[str, tuple[str, ...]]]]:
    return [
        ("input", inputs, {name: ("T", "B", str(leaf.width or 1)) for name, leaf in step.inputs.items()}),
        ("state", states, {name: ("B", str(leaf.width)) for name, leaf in step.states.items()}),
        ("parameter", parameters, {name: parameter.shape for name, parameter in step.parameters.items()}),
    ]
