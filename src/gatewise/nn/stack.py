"""Layers and directions of a stack, run scan by scan on the reference backend.

Legend: T steps, B batch, X inputs, H hidden units, O outputs of one direction (P where projected, otherwise H), D
directions, L layers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop

from gatewise.backends import reference
from gatewise.cells import Cell
from gatewise.nn.parameters import Shapes, cell_parameters


def run_scan(
    cell: Cell,
    shapes: Shapes,
    scan: int,
    input: Tensor,
    state: tuple[Tensor, Tensor],
    weights: Sequence[Tensor],
    lengths: Tensor | None,
    sequences: Sequence[str],
) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor]]:
    """One layer in one direction: the named values over time `[T, B, ...]`, and the final h `[B, O]` and c `[B, H]`.

    `scan` counts layers and directions in torch's order; `state` and `weights` are those of the whole stack.
    """
    each = len(weights) // len(shapes.scans())
    values, final = reference.run(
        cell.trace(),
        {"x": input},
        cell_parameters(weights[scan * each : (scan + 1) * each], bias=shapes.bias),
        {"h": state[0][scan], "c": state[1][scan]},
        lengths=lengths,
        reverse=shapes.scans()[scan][1] == 1,
        sequences=sequences,
    )
    return values, (final["h"], final["c"])


def run_stack(
    cell: Cell,
    shapes: Shapes,
    input: Tensor,
    state: tuple[Tensor, Tensor],
    weights: Sequence[Tensor],
    lengths: Tensor | None,
    *,
    dropout: float = 0.0,
    layers: int | None = None,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """A stack of layers on the reference backend.

    Args:
        cell: of every layer.
        shapes: of the stack.
        input: `[T, B, X]`.
        state: h `[L*D, B, O]` and c `[L*D, B, H]` before the first step.
        weights: of the whole stack, in torch's order.
        lengths: `[B]` on the CPU; by default T for all.
        dropout: probability of dropping an output between layers; 0 outside of training.
        layers: how many layers to run, at least 1; by default all.

    Returns:
        The last of these layers' outputs `[T, B, D*O]`, and the final states of the layers run.
    """
    last_states: list[tuple[Tensor, Tensor]] = []
    output = input
    for layer in range(shapes.num_layers if layers is None else layers):
        if layer > 0 and dropout > 0:
            output = drop(output, dropout, training=True)
        outputs: list[Tensor] = []
        for direction in range(shapes.directions):
            scan = layer * shapes.directions + direction
            values, final = run_scan(cell, shapes, scan, output, state, weights, lengths, ["h"])
            outputs.append(values["h"])
            last_states.append(final)
        output = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
    return output, (torch.stack([h for h, _ in last_states]), torch.stack([c for _, c in last_states]))
