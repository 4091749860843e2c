"""How a layer stores the parameters of its cells: under torch's names, rows of all gates together, or as they are.

Legend: X inputs, H hidden units, L layers, D directions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatewise.equations import Step
from gatewise.errors import ConfigurationError


@dataclass(frozen=True)
class Part:
    """Rows of a stored tensor."""

    stored: str
    start: int
    rows: int


@dataclass(frozen=True)
class Layout:
    """The parameters of one layer in one direction.

    Attributes:
        shapes: name and shape of each stored tensor.
        parts: for each parameter of the cell the rows whose sum it is (all rows of one tensor, mostly).
        whole: the cell's parameters that are a stored tensor as it is, with its name.
    """

    shapes: Mapping[str, tuple[int, ...]]
    parts: Mapping[str, tuple[Part, ...]]
    whole: Mapping[str, str]

    def unpack(self, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The cell's parameters, by the names of its equations, from the stored tensors."""
        found = {name: stored[key] for name, key in self.whole.items()}
        for name, parts in self.parts.items():
            rows = [stored[part.stored].narrow(0, part.start, part.rows) for part in parts]
            found[name] = rows[0] if len(rows) == 1 else rows[0] + rows[1]
        return found

    def pack(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Stored tensors that `unpack` turns into these parameters; of two biases the second is 0."""
        example = next(iter(parameters.values()))
        stored = {key: example.new_zeros(shape) for key, shape in self.shapes.items()}
        with torch.no_grad():
            for name, key in self.whole.items():
                stored[key].copy_(parameters[name])
            for name, parts in self.parts.items():
                stored[parts[0].stored].narrow(0, parts[0].start, parts[0].rows).copy_(parameters[name])
        return stored


def sizes_of(step: Step, input_size: int, hidden_size: int, widths: Mapping[str, int]) -> dict[str, int]:
    """The size of every symbolic width of a step.

    Raises:
        ConfigurationError: a width's size is not known.
    """
    known = {"X": input_size, "H": hidden_size, **widths}
    used = step.widths()
    missing = sorted(used - known.keys())
    if missing:
        raise ConfigurationError(
            f"{step.name} has vectors of width {missing[0]} of unknown size: give widths={{{missing[0]!r}: ...}}"
        )
    return {width: known[width] for width in sorted(used | {"X", "H"})}


def own(step: Step, sizes: Mapping[str, int]) -> Layout:
    """Every parameter stored as it is, under its name in the equations."""
    shapes = {name: tuple(sizes[width] for width in p.shape) for name, p in step.parameters.items()}
    return Layout(shapes, {}, {name: name for name in shapes})


def torchs(step: Step, sizes: Mapping[str, int], gates: Sequence[str]) -> Layout:
    """torch's form: `weight_ih` and `weight_hh` hold the rows of all gates, and there are two biases.

    The biases of a gate are summed, except where the equations have a second one of their own (`d_n` of the GRU). A
    projection `P` is `weight_hr`; whatever else a cell has is stored under its own name.

    Args:
        step: the equations, with `W_g`, `U_g` and (or not) `b_g` for each gate g.
        sizes: what symbolic widths stand for.
        gates: the names g in the order of the rows; those without weights are left out.
    """
    present = [gate for gate in gates if f"W_{gate}" in step.parameters]
    rows = {gate: sizes[step.parameters[f"W_{gate}"].shape[0]] for gate in present}
    starts = {gate: sum(rows[other] for other in present[:k]) for k, gate in enumerate(present)}
    total = sum(rows.values())
    shapes: dict[str, tuple[int, ...]] = {}
    parts: dict[str, tuple[Part, ...]] = {}
    for letter, stored in (("W", "weight_ih"), ("U", "weight_hh")):
        shapes[stored] = (total, sizes[step.parameters[f"{letter}_{present[0]}"].shape[1]])
        parts |= {f"{letter}_{gate}": (Part(stored, starts[gate], rows[gate]),) for gate in present}
    if f"b_{present[0]}" in step.parameters:
        shapes |= {"bias_ih": (total,), "bias_hh": (total,)}
        for gate in present:
            first, second = (Part(stored, starts[gate], rows[gate]) for stored in ("bias_ih", "bias_hh"))
            if f"d_{gate}" in step.parameters:
                parts |= {f"b_{gate}": (first,), f"d_{gate}": (second,)}
            else:
                parts[f"b_{gate}"] = (first, second)
    whole = {}
    for name, parameter in step.parameters.items():
        if name not in parts:
            whole[name] = "weight_hr" if name == "P" else name
            shapes[whole[name]] = tuple(sizes[width] for width in parameter.shape)
    return Layout(shapes, parts, whole)
