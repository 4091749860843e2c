"""A step evaluated as it is written: node by node, time step by time step, differentiated by torch's autograd.

It shares the spelling of single operations with the reference backend, and nothing else: no schedule, no packing, no
derivative rules.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gatewise.backends.operations import TORCH, row
from gatewise.equations import Expr, Step
from gatewise.equations.expr import PRODUCTS, ROWS, topological

Named = Mapping[str, Tensor]


def evaluate(
    roots: Sequence[Expr],
    leaves: Mapping[Expr, Tensor],
    parameters: Named,
    sizes: Mapping[str, int],
    batch: int,
) -> list[Tensor]:
    """Expressions as `[B, w]` (numbers as `[B, 1]`)."""
    values = dict(leaves)
    for node in topological(roots, leaves):
        if node in values:
            continue
        width = 1 if node.width is None else sizes[node.width]
        arguments = [values[arg] for arg in node.args]
        if isinstance(node.attr, float):
            value = torch.full((batch, 1), node.attr, dtype=torch.float64)
        elif node.op == "parameter":
            value = parameters[str(node.attr)].expand(batch, width)
        elif node.op in PRODUCTS:
            matrix = parameters[str(node.attr)]
            value = arguments[0] @ (matrix.t() if node.op == "matmul" else matrix)
        elif node.op in ROWS:
            value = row(node, arguments, sizes)
        else:
            value = TORCH[node.op](*arguments)
        values[node] = value.expand(batch, width)
    return [values[root] for root in roots]


def loop(
    step: Step,
    inputs: Named,
    parameters: Named,
    states: Named,
    sizes: Mapping[str, int],
    emit: Sequence[str],
    reverse: bool = False,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What `gatewise.backends.scan.scan` gives: named values over time `[T, B, w]`, and the final states `[B, w]`."""
    steps, batch = next(iter(inputs.values())).shape[:2]
    current, over_time = dict(states), {name: [] for name in emit}
    for t in reversed(range(steps)) if reverse else range(steps):
        leaves = {leaf: inputs[name][t] for name, leaf in step.inputs.items()}
        leaves |= {leaf: current[name] for name, leaf in step.states.items()}
        roots = [*step.updates.values(), *(step.sequence(name) for name in emit)]
        found = evaluate(roots, leaves, parameters, sizes, batch)
        current = dict(zip(step.states, found, strict=False))
        for name, value in zip(emit, found[len(step.states) :], strict=True):
            over_time[name].append(value)
    ordered = {name: values[::-1] if reverse else values for name, values in over_time.items()}
    return {name: torch.stack(values) for name, values in ordered.items()}, current
