"""The reference backend: executes a schedule in torch operations.

Any device and dtype. The forward and the derived backward run through the same few lines, since both are schedules;
run under autograd, the result is differentiable any number of times.

Legend: T steps, B batch, w the width of a vector (X, H, P, ...).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatewise.backends.call import Call, unsupported_dtype
from gatewise.backends.operations import TORCH, rows
from gatewise.equations.expr import Expr, weights
from gatewise.equations.grad import Sum
from gatewise.equations.schedule import Schedule, Stage


def supports(call: Call) -> str | None:
    """None if this backend can run the call, otherwise the reason why not."""
    return unsupported_dtype(call)


@dataclass(frozen=True, eq=False)
class Executed:
    """What the execution of a schedule gives.

    Attributes:
        results: each wanted expression over time `[T, B, w]` (`[T, B, 1]` for one number), in the order of time.
        final: each state `[B, w]` after the last turn of the loop.
        sums: each parameter's sum, in the parameter's shape; with groups in front a dimension for them.
    """

    results: list[Tensor]
    final: dict[str, Tensor]
    sums: dict[str, Tensor]


def execute(
    schedule: Schedule,
    given: Mapping[Expr, Tensor],
    parameters: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    sizes: Mapping[str, int],
    *,
    shape: tuple[int, int],
    backwards: bool = False,
    groups: int | None = None,
) -> Executed:
    """Run a schedule over a batch of sequences.

    Args:
        schedule: what to run.
        given: the values over time `[T, B, w]` of `schedule.given`.
        parameters: each parameter in its shape.
        states: each carried state `[B, w]` before the first turn of the loop.
        sizes: what symbolic widths stand for.
        shape: T and B.
        backwards: let the loop run from the last time step to the first.
        groups: sum parameters' gradients over each of this many equal parts of the batch for itself.
    """
    steps, batch = shape
    values = dict(given)
    example = next(iter([*states.values(), *given.values(), *parameters.values()]))
    constants = Constants(parameters, example)
    for stage in schedule.before:
        _run(stage, values, constants, sizes)
    kept, final = _loop(schedule, values, constants, states, sizes, shape, backwards)
    values.update(kept)
    for stage in schedule.after:
        _run(stage, values, constants, sizes)
    results = []
    for node in schedule.results:
        value, full = _value(node, values, constants), (steps, batch, sizes[node.width] if node.width else 1)
        # Expanded only where it has to be: a view could not be changed in place by whoever gets it.
        results.append(value if value.shape == full else value.expand(full))
    return Executed(results, final, summed(schedule.sums, values, constants, shape, sizes, groups))


def summed(
    terms: Iterable[Sum],
    values: Mapping[Expr, Tensor],
    constants: "Constants",
    shape: tuple[int, int],
    sizes: Mapping[str, int],
    groups: int | None,
) -> dict[str, Tensor]:
    """Each parameter's sum over all steps and the batch; with groups in front a dimension for them."""
    sums: dict[str, Tensor] = {}
    for term in terms:
        part = _sum(term, values, constants, shape, sizes, groups)
        known = sums.get(term.parameter)
        sums[term.parameter] = part if known is None else known + part
    return sums


def _loop(
    schedule: Schedule,
    values: Mapping[Expr, Tensor],
    constants: "Constants",
    states: Mapping[str, Tensor],
    sizes: Mapping[str, int],
    shape: tuple[int, int],
    backwards: bool,
) -> tuple[dict[Expr, Tensor], dict[str, Tensor]]:
    """The loop: the values `[T, B, w]` of `schedule.kept`, and each state `[B, w]` after the last turn."""
    steps, batch = shape
    # unbind, not indexing: the backward of `value[t]` writes a whole sequence for each step, T^2 in all.
    streams = [(node, values[node].unbind(0)) for node in schedule.streamed]
    still = {node: value for node, value in values.items() if node not in schedule.streamed}
    leaves = {name: leaf for name, (leaf, _) in schedule.carried.items()}
    current = {leaf: states[name] for name, leaf in leaves.items()}
    collected: dict[Expr, list[Tensor]] = {node: [] for node in schedule.kept}
    for t in range(steps - 1, -1, -1) if backwards else range(steps):
        now = {**still, **current}
        for node, parts in streams:
            now[node] = parts[t]
        for stage in schedule.loop:
            _run(stage, now, constants, sizes)
        for node, turns in collected.items():
            turns.append(now[node])
        for name, (leaf, update) in schedule.carried.items():
            # A parameter or a constant alone has no batch.
            current[leaf] = _value(update, now, constants).expand(batch, states[name].shape[-1])

    kept = {node: torch.stack(turns[::-1] if backwards else turns) for node, turns in collected.items()}
    return kept, {name: current[leaf] for name, leaf in leaves.items()}


class Constants(dict[Expr, Tensor]):
    """What does not change over time: numbers, parameters that are vectors, and packed matrices; made on first use."""

    def __init__(self, parameters: Mapping[str, Tensor], example: Tensor) -> None:
        super().__init__()
        self.parameters = parameters
        self.example = example
        self.packs: dict[Expr, tuple[Tensor, list[int]]] = {}

    def __missing__(self, node: Expr) -> Tensor:
        if node.op == "parameter":
            value = self.parameters[str(node.attr)]
        else:
            value = torch.full((), float(str(node.attr)), dtype=self.example.dtype, device=self.example.device)
        self[node] = value
        return value

    def packed(self, products: Sequence[Expr]) -> tuple[Tensor, list[int]]:
        """The matrices of products with common operands as one, and the widths of the products' results.

        Side by side `[operand's w, sum of w]`; for sums of transposed products on top of one another as well.
        """
        found = self.packs.get(products[0])
        if found is None:
            if products[0].op == "matmul":
                matrices = [self.parameters[weights(node)[0]] for node in products]
                found = _joined(matrices, 0).t(), [len(matrix) for matrix in matrices]
            else:
                columns = [_joined([self.parameters[name] for name in weights(node)], 0) for node in products]
                found = _joined(columns, 1), [matrix.shape[1] for matrix in columns]
            self.packs[products[0]] = found
        return found


def _joined(matrices: Sequence[Tensor], dim: int) -> Tensor:
    return matrices[0] if len(matrices) == 1 else torch.cat(list(matrices), dim)


def _value(node: Expr, values: Mapping[Expr, Tensor], constants: Constants) -> Tensor:
    found = values.get(node)
    return constants[node] if found is None else found


def _run(
    stage: Stage,
    values: dict[Expr, Tensor],
    constants: Constants,
    sizes: Mapping[str, int],
) -> None:
    """Compute a stage's nodes into `values`, whatever dimensions come before the units."""
    if stage.kind == "matmul":
        for products in stage.packs:
            packed, widths = constants.packed(products)
            operands = [_value(operand, values, constants) for operand in products[0].args]
            result = (operands[0] if len(operands) == 1 else torch.cat(operands, dim=-1)) @ packed
            values.update(zip(products, result.split(widths, dim=-1), strict=True))
        return
    if stage.kind == "row":
        for nodes in stage.packs:
            arguments = [_value(arg, values, constants) for arg in nodes[0].args]
            values.update(zip(nodes, rows(nodes, arguments, sizes), strict=True))
        return
    for node in stage.nodes:
        values[node] = TORCH[node.op](*(_value(arg, values, constants) for arg in node.args))


def _sum(
    term: Sum,
    values: Mapping[Expr, Tensor],
    constants: Constants,
    shape: tuple[int, int],
    sizes: Mapping[str, int],
    groups: int | None,
) -> Tensor:
    """A term over all steps and the batch."""
    steps, batch = shape
    factors = []
    for node in term.factors:
        width = sizes[node.width] if node.width else 1
        value = _value(node, values, constants).expand(steps, batch, width)
        factors.append(value if groups is None else value.unflatten(1, (groups, -1)).movedim(1, 0))
    adjoint = factors[0].flatten(-3, -2)
    if len(factors) == 2:
        return adjoint.transpose(-1, -2) @ factors[1].flatten(-3, -2)
    summed = adjoint.sum(-2)
    return summed if term.adjoint.width else summed.squeeze(-1)
