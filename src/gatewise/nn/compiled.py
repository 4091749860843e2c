"""The short way from a layer to the compiled core: what does not change from call to call is made once.

Legend: T steps, B batch, w the width of a vector, D directions (1 or 2).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatewise.backends.cpu import unit_stride
from gatewise.backends.layer_scan import Scans, run_layer
from gatewise.backends.plan import Places, own_places
from gatewise.backends.scan import Prepared, run
from gatewise.equations import Step
from gatewise.equations.transform import VALID
from gatewise.nn.layout import Layout
from gatewise.nn.padding import valid_steps, without_padding


@dataclass(frozen=True, eq=False)
class Compiled:
    """One layer's call of the core.

    Attributes:
        scans: what is the same in all calls.
        stored: names of the stored tensors, in the order of the core's ports.
        unpack: from those tensors to the parameters by the names of the equations.
        padded: the step as the reference runs it over sequences of different lengths, made on demand.
    """

    scans: Scans
    stored: tuple[str, ...]
    unpack: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    padded: Callable[[], Prepared]

    def __call__(
        self,
        given: Sequence[Mapping[str, Tensor]],
        stored: Sequence[Mapping[str, Tensor]],
        states: Sequence[Mapping[str, Tensor] | None],
        lengths: Sequence[int],
    ) -> Sequence[Tensor]:
        """Run the layer.

        Args:
            given: the inputs of each direction.
            stored: the stored tensors of each direction.
            states: of each direction, or None where they start as the cell says.
            lengths: of each sequence; none where all have T steps.

        Returns:
            See `gatewise.backends.layer_scan.run_layer`.
        """
        prepared = self.scans.prepared
        tensors: list[Tensor | None] = []
        for inputs, weights, before in zip(given, stored, states, strict=True):
            tensors += [unit_stride(inputs[name]) for name, _ in prepared.inputs]
            tensors += [_contiguous(weights[name]) for name in self.stored]
            tensors += [None if before is None else unit_stride(before[name]) for name in prepared.states]

        return self.run(tensors, lengths)

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.scans.state_widths)

    def run(self, tensors: Sequence[Tensor | None], lengths: Sequence[int]) -> Sequence[Tensor]:
        """Run the layer on tensors in the order of `run_layer`, which fit the core."""
        return run_layer(self.scans, lengths, tensors, lambda own: self._again(own, lengths))

    def _again(self, tensors: Sequence[Tensor | None], lengths: Sequence[int]) -> tuple[Tensor, ...]:
        """The same on the reference."""
        scans, prepared = self.scans, self.scans.prepared
        each = sum(scans.counts)
        outputs: list[list[Tensor]] = []
        finals: list[list[Tensor]] = []
        for direction in range(scans.directions):
            mine = list(tensors[direction * each : (direction + 1) * each])
            names = [name for name, _ in prepared.inputs]
            inputs = {name: value for name, value in zip(names, mine, strict=False) if value is not None}
            weights = dict(zip(self.stored, mine[len(names) :], strict=False))
            example = next(iter(inputs.values()))
            steps, batch = example.shape[:2]
            states = {
                name: example.new_full((batch, width), float(initial or 0)) if value is None else value
                for name, value, initial, width in zip(
                    prepared.states,
                    mine[len(names) + len(self.stored) :],
                    scans.initial,
                    scans.state_widths,
                    strict=True,
                )
            }
            parameters = self.unpack({name: value for name, value in weights.items() if value is not None})
            chosen, valid = prepared, None
            if lengths:
                valid = valid_steps(torch.tensor(lengths, device="cpu"), example)
                inputs = {name: without_padding(value, valid) for name, value in inputs.items()} | {VALID: valid}
                chosen = self.padded()
            over_time, final = run(chosen, inputs, parameters, states, reverse=scans.against[direction])
            unique = list(dict.fromkeys(place for _, place in chosen.emit))
            by_place = {place: over_time[name] for name, place in chosen.emit}
            values = [by_place[place] for place in unique]
            if valid is not None:
                values = [torch.where(valid != 0, value, torch.zeros_like(value)) for value in values]
            del steps
            outputs.append(values)
            finals.append(list(final.values()))
        return (
            *(torch.cat(parts, dim=-1) for parts in zip(*outputs, strict=True)),
            *(torch.stack(parts) for parts in zip(*finals, strict=True)),
        )


def compiled(
    step: Step,
    prepared: Prepared,
    padded: Callable[[], Prepared],
    layout: Layout,
    sizes: Mapping[str, int],
    directions: int,
    unpacked: bool,
    weights: str | None = None,
    turned: bool = False,
) -> Compiled:
    """What a layer needs to call the core.

    Args:
        step: the cell's equations.
        prepared: the step that runs.
        padded: the same for sequences of different lengths.
        layout: how parameters are stored.
        sizes: what symbolic widths stand for.
        directions: D.
        unpacked: parameters come by the names of the equations, and not as they are stored.
        weights: in how few bits the core stores matrices; see `gatewise.backends.cpu.WEIGHTS`.
        turned: whether a single direction is the backward one.
    """
    if unpacked:
        stored, places = tuple(prepared.parameters), own_places(prepared.parameters)
    else:
        extra = [name for name in prepared.parameters if name not in layout.parts and name not in layout.whole]
        stored = (*layout.shapes, *extra)
        places = _places(prepared.parameters, layout, stored)
    initial = tuple(None if value == "learned" else float(value) for value in step.initial.values())
    scans = Scans(prepared, tuple(sorted(sizes.items())), places, len(stored), directions, initial, weights, turned)

    def unpack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if unpacked:
            return dict(tensors)
        parameters = layout.unpack(tensors)
        return {name: parameters[name] if name in parameters else tensors[name] for name in prepared.parameters}

    return Compiled(scans, stored, unpack, padded)


def _places(parameters: Sequence[str], layout: Layout, stored: Sequence[str]) -> Places:
    found = []
    for name in parameters:
        if name in layout.parts:
            parts = tuple((stored.index(part.stored), part.start) for part in layout.parts[name])
        else:
            parts = ((stored.index(layout.whole.get(name, name)), 0),)
        found.append((name, parts))
    return tuple(found)


def _contiguous(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_contiguous() else tensor.contiguous()
