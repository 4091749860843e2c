"""The reference backend: runs any traced cell over a sequence in torch operations.

Any device and dtype, differentiable any number of times. What depends on no state is computed for all steps at once
before the loop, and matrices with a common operand are multiplied as one: `W x` of all gates is one product over T*B.

Legend: T steps, B batch, and the cell's own symbolic widths (X inputs, H units, P projected width).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gatewise.backends.call import Call, unsupported_dtype
from gatewise.backends.operations import TORCH
from gatewise.equations import Expr, Step
from gatewise.equations.expr import LEAVES, depending, topological
from gatewise.errors import CellError, nearest


def supports(call: Call) -> str | None:
    """None if this backend can run the call, otherwise the reason why not."""
    return unsupported_dtype(call)


def run(
    step: Step,
    inputs: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    states: Mapping[str, Tensor] | None = None,
    *,
    lengths: Tensor | None = None,
    reverse: bool = False,
    sequences: Sequence[str] | None = None,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a traced cell over a batch of sequences.

    Args:
        step: the traced cell.
        inputs: each input `[T, B, width]`, T at least 1.
        parameters: each parameter in the shape the step declares.
        states: each state `[B, width]` before the first step; by default the cell's initial values.
        lengths: `[B]`, integers from 0 to T, on the CPU: sequence b ends after `lengths[b]` steps. What the inputs hold
            beyond (NaN included) has no influence on any result or gradient. By default all sequences have T steps.
        reverse: run from each sequence's end to its beginning.
        sequences: names of states or observed values to give out over time; by default the step's output.

    Returns:
        The named values over time, each `[T, B, width]`, in the inputs' order of time, exactly 0 beyond a sequence's
        end; and the final states, each `[B, width]`: after the last valid step (for length 0, the states given).

    Raises:
        CellError: an input, state or parameter is missing, too many, or of a shape that does not fit; or `sequences`
            names a value that the cell does not have.

    >>> from gatewise.equations import input, linear, state, trace
    >>> total = trace("Sum", lambda x, h: {"h": x + h}, inputs={"x": "H"}, states={"h": "H"})
    >>> outputs, final = run(total, {"x": torch.ones(3, 2, 1)}, {}, lengths=torch.tensor([3, 1]))
    >>> outputs["h"][:, :, 0].tolist(), final["h"].tolist()
    ([[1.0, 1.0], [2.0, 0.0], [3.0, 0.0]], [[3.0], [1.0]])
    """
    wanted = tuple(sequences) if sequences is not None else (step.output,)
    sizes = _bind(step, inputs, parameters, states)
    plan = _plan(step, wanted)
    example = next(iter(inputs.values()))
    steps, batch = example.shape[:2]
    if states is None:
        states = {
            name: example.new_full((batch, sizes[str(leaf.width)]), step.initial[name])
            for name, leaf in step.states.items()
        }
    valid = _valid(lengths, steps, example.device)
    if valid is not None and lengths is not None:
        inputs = {name: _without_padding(value, valid, lengths) for name, value in inputs.items()}

    values: dict[Expr, Tensor] = {leaf: inputs[name] for name, leaf in step.inputs.items()}
    weights: dict[Expr, tuple[Tensor, list[int]]] = {}
    for node in plan.leaves:
        if node.op == "parameter":
            values[node] = parameters[str(node.attr)]
        elif isinstance(node.attr, float):
            values[node] = torch.tensor(node.attr, dtype=example.dtype, device=example.device)
    for operand, products in plan.packs.items():
        matrices = [parameters[str(node.attr)] for node in products]
        packed = matrices[0] if len(matrices) == 1 else torch.cat(matrices)
        weights[operand] = packed.t(), [len(matrix) for matrix in matrices]
    for node in plan.hoisted:
        _evaluate(node, values, weights, plan)

    # unbind, not indexing: the backward of `value[t]` writes a whole sequence for each step, T^2 in all.
    moving = {node: values[node].unbind(0) for node in plan.moving}
    constant = {node: value for node, value in values.items() if node not in plan.moving}
    masks = None if valid is None else valid.unsqueeze(-1).unbind(0)
    current = {leaf: states[name] for name, leaf in step.states.items()}
    rows: dict[str, list[Tensor]] = {name: [] for name in plan.looped_outputs}
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        now = {**constant, **current}
        for node, parts in moving.items():
            now[node] = parts[t]
        for node in plan.loop:
            _evaluate(node, now, weights, plan)
        for name, kept in rows.items():
            kept.append(now[step.sequence(name)])
        for name, leaf in step.states.items():
            new = now[step.updates[name]].expand_as(current[leaf])  # a parameter alone has no batch
            current[leaf] = new if masks is None else torch.where(masks[t], new, current[leaf])

    outputs: dict[str, Tensor] = {}
    for name in wanted:
        if name in rows:
            output = torch.stack(rows[name][::-1] if reverse else rows[name])
        else:
            node = step.sequence(name)
            output = values[node].expand(steps, batch, sizes[str(node.width)])
        outputs[name] = output if valid is None else torch.where(valid.unsqueeze(-1), output, 0)
    return outputs, {name: current[leaf] for name, leaf in step.states.items()}


@dataclass(frozen=True, eq=False)
class _Plan:
    """A step cut at the loop: by what a node depends on, not by annotation.

    Attributes:
        leaves: all leaves in use.
        hoisted: nodes that depend on no state, computed before the loop.
        loop: nodes that depend on a state, computed in every step.
        moving: nodes from outside the loop that depend on the time step and that the loop reads.
        packs: matmuls by their common operand.
        looped_outputs: wanted names that are computed in the loop, or kept there because they are a state.
    """

    leaves: list[Expr]
    hoisted: list[Expr]
    loop: list[Expr]
    moving: list[Expr]
    packs: dict[Expr, list[Expr]]
    looped_outputs: list[str]


@lru_cache(maxsize=256)
def _plan(step: Step, wanted: tuple[str, ...]) -> _Plan:
    results = {name: step.sequence(name) for name in wanted}
    order = topological([*results.values(), *step.updates.values()])
    inner = depending(order, on=["state"])
    timed = depending(order, on=["input"])
    packs: dict[Expr, list[Expr]] = {}
    for node in order:
        if node.op == "matmul":
            packs.setdefault(node.args[0], []).append(node)
    loop = [node for node in order if node in inner and node.op not in LEAVES]
    read = {arg for node in loop for arg in node.args} | set(step.updates.values())
    looped = [name for name, node in results.items() if node in inner]
    return _Plan(
        leaves=[node for node in order if node.op in LEAVES],
        hoisted=[node for node in order if node not in inner and node.op not in LEAVES],
        loop=loop,
        moving=[node for node in order if node in timed and node not in inner and node in read],
        packs=packs,
        looped_outputs=looped,
    )


def _evaluate(
    node: Expr, values: dict[Expr, Tensor], weights: Mapping[Expr, tuple[Tensor, list[int]]], plan: _Plan
) -> None:
    if node in values:
        return
    if node.op != "matmul":
        values[node] = TORCH[node.op](*(values[arg] for arg in node.args))
        return
    operand = node.args[0]
    weight, rows = weights[operand]
    values.update(zip(plan.packs[operand], (values[operand] @ weight).split(rows, dim=-1), strict=True))


def _valid(lengths: Tensor | None, steps: int, device: torch.device) -> Tensor | None:
    """Which steps are within their sequence `[T, B]`; None if all are."""
    if lengths is None or bool((lengths == steps).all()):
        return None
    return torch.arange(steps, device=device).unsqueeze(1) < lengths.to(device)


def _without_padding(value: Tensor, valid: Tensor, lengths: Tensor) -> Tensor:
    """Padding replaced by the sequence's own first step, a value for which the cell's equations are surely defined."""
    first = torch.where(valid[0].unsqueeze(-1), value[0], 0)
    return torch.where(valid.unsqueeze(-1), value, first)


def _bind(
    step: Step, inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor], states: Mapping[str, Tensor] | None
) -> dict[str, int]:
    """What each symbolic width stands for, after checking every name and shape."""
    sizes: dict[str, int] = {}
    origin: dict[str, str] = {}

    def check(kind: str, name: str, tensor: Tensor, expected: tuple[str, ...]) -> None:
        shape = tuple(tensor.shape)
        if len(shape) != len(expected):
            raise CellError(
                f'{step.name}: the {kind} "{name}" must be [{", ".join(expected)}], got shape {list(shape)}'
            )
        for width, size in zip(expected, shape, strict=True):
            if sizes.setdefault(width, size) != size:
                raise CellError(
                    f'{step.name}: the {kind} "{name}" [{", ".join(expected)}] has shape {list(shape)}, '
                    f"but {width} is {sizes[width]} according to {origin[width]}"
                )
            origin.setdefault(width, f'the {kind} "{name}"')

    for kind, given, declared in (
        ("input", inputs, {name: ("T", "B", str(leaf.width)) for name, leaf in step.inputs.items()}),
        ("state", states, {name: ("B", str(leaf.width)) for name, leaf in step.states.items()}),
        ("parameter", parameters, {name: parameter.shape for name, parameter in step.parameters.items()}),
    ):
        if given is None:
            continue
        for name in given:
            if name not in declared:
                raise CellError(f'{step.name} has no {kind} "{name}"; {nearest(name, declared)}')
        for name, expected in declared.items():
            if name not in given:
                raise CellError(f'{step.name}: the {kind} "{name}" [{", ".join(expected)}] is missing')
            check(kind, name, given[name], expected)
    # A width may occur nowhere but in a parameterless state whose size then nothing tells.
    for name, leaf in step.states.items():
        if str(leaf.width) not in sizes:
            raise CellError(f'{step.name}: the size {leaf.width} of the state "{name}" is not known; give the states')
    return sizes
