"""The reference of grids: any cell of a grid in torch operations, diagonal after diagonal; and the layout of tensors.

Any device and dtype, differentiable any number of times.

Legend: B images, R rows, C columns, X inputs, H hidden units, D directions, G net inputs, M other trained vectors.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from gatewise.backends.operations import TORCH
from gatewise.equations.expr import LEAVES, Expr, topological
from gatewise.equations.grid import LEFT, UP, GridProgram

# From which corner a direction starts, in the order of outputs: bit 0 from the bottom upwards, bit 1 from the right.
DIRECTIONS: Mapping[str, int] = {"down-right": 0, "up-right": 1, "down-left": 2, "up-left": 3}


def named(program: GridProgram, weights: Tensor, vectors: Tensor, inputs: int) -> dict[str, Tensor]:
    """The parameters of one direction by the names of the equations.

    Args:
        program: of the cell.
        weights: `[G * H, X + 2 H]`.
        vectors: `[G + M, H]`.
        inputs: X.
    """
    hidden = vectors.shape[-1]
    found: dict[str, Tensor] = {}
    for k, net in enumerate(program.nets):
        rows = weights[k * hidden : (k + 1) * hidden]
        found |= dict(zip(net.matrices, rows.split([inputs, hidden, hidden], dim=1), strict=True))
        found[net.bias] = vectors[k]
    return found | {name: vectors[len(program.nets) + k] for k, name in enumerate(program.vectors)}


def reference(
    program: GridProgram, x: Tensor, extents: Tensor, directions: Sequence[int], weights: Tensor, vectors: Tensor
) -> Tensor:
    """The outputs `[B, R, C, D, H]` of a batch of images; 0 beyond an image's own size.

    Args:
        program: of the cell.
        x: `[B, R, C, X]`; what lies beyond an image's own size is not looked at.
        extents: `[B, 2]`: the rows and columns of each image.
        directions: of each direction where it starts; see `DIRECTIONS`.
        weights: `[D, G * H, X + 2 H]`.
        vectors: `[D, G + M, H]`.
    """
    rows, columns, inputs = x.shape[1:]
    heights, widths = extents.to(x.device).unbind(1)
    r, c = torch.arange(rows, device=x.device), torch.arange(columns, device=x.device)
    inside = (r[:, None] < heights[:, None, None]) & (c < widths[:, None, None])  # [B, R, C]
    x = torch.where(inside.unsqueeze(-1), x, 0.0)
    outputs = []
    for d, direction in enumerate(directions):
        # Where each position's turn is: flipped within the image itself. Flipping twice is no flip.
        from_row = (
            torch.where(r < heights[:, None], heights[:, None] - 1 - r, r) if direction & 1 else r.expand(len(x), -1)
        )
        from_column = (
            torch.where(c < widths[:, None], widths[:, None] - 1 - c, c) if direction & 2 else c.expand(len(x), -1)
        )
        places = (from_row[:, :, None] * columns + from_column[:, None, :]).flatten(1)
        flipped = _taken(x, places)
        walked = _walk(program, flipped, inside, named(program, weights[d], vectors[d], inputs), vectors.shape[-1])
        outputs.append(_taken(walked, places))
    return torch.stack(outputs, dim=3)


def _taken(values: Tensor, places: Tensor) -> Tensor:
    """`[B, R, C, w]` with each position's values from another place `[B, R * C]`."""
    flat = values.flatten(1, 2)
    return flat.gather(1, places.unsqueeze(-1).expand(-1, -1, flat.shape[-1])).view_as(values)


def _skewed(values: Tensor) -> Tensor:
    """`[R + C - 1, B, R, w]` of `[B, R, C, w]`: row r moved to the right by r, so that diagonals stand together."""
    batch, rows, columns, width = values.shape
    padded = pad(values, (0, 0, 0, rows)).reshape(batch, rows * (columns + rows), width)
    moved = padded[:, : rows * (columns + rows - 1)].reshape(batch, rows, columns + rows - 1, width)
    return moved.permute(2, 0, 1, 3)


def _straight(values: Tensor, columns: int) -> Tensor:
    """The inverse of `_skewed`."""
    diagonals, batch, rows, width = values.shape
    flat = values.permute(1, 2, 0, 3).reshape(batch, rows * diagonals, width)
    return pad(flat, (0, 0, 0, rows)).reshape(batch, rows, columns + rows, width)[:, :, :columns]


def _walk(program: GridProgram, x: Tensor, inside: Tensor, parameters: Mapping[str, Tensor], hidden: int) -> Tensor:
    """The outputs `[B, R, C, H]` of a walk from the upper left corner to the lower right one."""
    step = program.step
    batch, rows, columns = x.shape[:3]
    order = [node for node in topological(step.updates.values()) if node.op not in LEAVES]
    changing = {leaf for name, leaf in step.inputs.items() if name != "x"}
    for node in order:
        if any(arg in changing for arg in node.args):
            changing.add(node)
    # What depends on x alone is computed for all positions at once.
    before: dict[Expr, Tensor] = {step.inputs["x"]: _skewed(x)}
    for node in order:
        if node not in changing:
            before[node] = _value(node, before, parameters, x)
    streams = {node: value.unbind(0) for node, value in before.items() if value.dim() == 4}
    valid = _skewed(inside.unsqueeze(-1)).unbind(0)
    states = {name: x.new_zeros(batch, rows, hidden) for name in step.states}
    outputs = []
    for diagonal in range(rows + columns - 1):
        now = {node: parts[diagonal] for node, parts in streams.items()}
        for name, value in states.items():
            now[step.inputs[name + UP]] = pad(value[:, :-1], (0, 0, 1, 0))
            now[step.inputs[name + LEFT]] = value
        for node in order:
            if node in changing:
                now[node] = _value(node, now, parameters, x)
        states = {name: torch.where(valid[diagonal], now[update], 0.0) for name, update in step.updates.items()}
        outputs.append(states[step.output])
    return _straight(torch.stack(outputs), columns)


def _value(node: Expr, values: Mapping[Expr, Tensor], parameters: Mapping[str, Tensor], like: Tensor) -> Tensor:
    if node.op == "matmul":
        return values[node.args[0]] @ parameters[str(node.attr)].t()
    return TORCH[node.op](*(_operand(arg, values, parameters, like) for arg in node.args))


def _operand(node: Expr, values: Mapping[Expr, Tensor], parameters: Mapping[str, Tensor], like: Tensor) -> Tensor:
    if node.op == "parameter":
        return parameters[str(node.attr)]
    if node.op == "constant":
        return like.new_full((), float(str(node.attr)))
    return values[node]
