"""The plans of cells as they are handed to the compiled core, taken apart and put together again.

The order of the numbers is that of `gatewise.backends.plan.plan` and of `cpp/reader.h`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewise import cells
from gatewise.backends import cpu
from gatewise.backends.plan import FUSED, PACK, PROGRAM, Plan, own_places, plan
from gatewise.equations import Step
from gatewise.equations.expr import Expr, intern
from gatewise.equations.program import compile
from gatewise.equations.schedule import Schedule

SIZES = {"X": 5, "H": 6, "P": 2, "S": 3, "K": 3}
PHASES = ("once", "before", "loop", "after")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def core() -> Any:
    assert cpu.core is not None, "the tests need the compiled core: install with a C++ compiler"
    return cpu.core


def chosen(name: str) -> cells.Cell:
    """A published cell by name; the 1997 one with two cells in a block."""
    return cells.get(name)(**({"cells_per_block": 2} if name == "lstm-1997" else {}))


def parts(name: str) -> dict[str, tuple[Schedule, tuple[tuple[Expr, tuple[Expr, Expr]], ...]]]:
    """A cell's forward, the one in training, and the backward as a layer runs it."""
    step = chosen(name).trace()
    program = compile(step, (step.output,))
    earlier = tuple(
        (step.states[name], (step.updates[name], intern("input", (), f"@first_{name}", step.states[name].width)))
        for name in program.previous
    )
    return {
        "forward": (program.forward, ()),
        "training": (program.training, ()),
        "backward": (program.reverse, earlier),
    }


@dataclass(frozen=True)
class Recorded:
    """What the core was given for a plan."""

    numbers: Ints
    constants: Floats
    double: bool


class Recorder:
    """In the place of the core: keeps what it is given."""

    Plan = Recorded


def made(name: str, part: str, double: bool = False, core: Any = None) -> Plan:
    """A cell's plan; without a core one whose `core` is what the core would be given."""
    schedule, earlier = parts(name)[part]
    step = chosen(name).trace()
    places = own_places(step.parameters)
    return plan(Recorder if core is None else core, schedule, tuple(SIZES.items()), double, places, earlier)


def parameter_sizes(step: Step) -> list[int]:
    """Elements of each parameter."""
    return [int(np.prod([SIZES[width] for width in p.shape])) for p in step.parameters.values()]


# ------------------------------------------------------------------------------------------------------------ listings


@dataclass
class Stage:
    """A stage: of kind PACK, PROGRAM, FUSED (both), or ROW."""

    kind: int
    width: int = 0
    factors: list[list[int]] = field(default_factory=list)  # buffer, width
    outputs: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    matrices: list[list[int]] = field(default_factory=list)  # port, offset, stride, transposed
    program_width: int = 0
    registers: int = 0
    products: int = 0
    arrays: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)  # the first one, and how many
    instructions: list[list[int]] = field(default_factory=list)  # opcode, target, a, b, c
    opcode: int = 0
    arguments: list[int] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)

    def encode(self) -> Iterator[int]:
        yield self.kind
        if self.kind in (PACK, FUSED):
            yield from (self.width, len(self.factors), *chain(*self.factors), len(self.outputs), *self.outputs)
            yield from (*self.starts, *chain(*self.matrices))
        if self.kind in (PROGRAM, FUSED):
            yield from (self.program_width, self.registers, self.products, len(self.arrays), *self.arrays)
            yield from (*self.numbers, len(self.instructions), *chain(*self.instructions))
        if self.kind not in (PACK, PROGRAM, FUSED):
            yield from (self.opcode, len(self.arguments), *self.arguments, len(self.outputs), *self.outputs)
            yield from self.indices


@dataclass
class Listing:
    """A plan, taken apart."""

    streams: int
    parameters: int
    gradients: int
    groups: list[int]
    buffers: list[list[int]]  # source, index, width, update, unit
    vectors: list[tuple[int, list[list[int]]]]  # width, and a port and offset for each part
    phases: dict[str, list[Stage]]
    sums: list[list[Any]]  # height, width, targets (port, offset), terms (adjoint, factor)

    @staticmethod
    def decode(numbers: Ints) -> "Listing":
        left = iter(int(number) for number in numbers)

        def some(count: int) -> list[int]:
            return [next(left) for _ in range(count)]

        def rows(count: int, width: int) -> list[list[int]]:
            return [some(width) for _ in range(count)]

        def stage() -> Stage:
            found = Stage(next(left))
            if found.kind in (PACK, FUSED):
                found.width = next(left)
                found.factors = rows(next(left), 2)
                found.outputs = some(next(left))
                found.starts = some(len(found.outputs))
                found.matrices = rows(len(found.outputs) * len(found.factors), 4)
            if found.kind in (PROGRAM, FUSED):
                found.program_width, found.registers, found.products = some(3)
                found.arrays = some(next(left))
                found.numbers = some(2)
                found.instructions = rows(next(left), 5)
            if found.kind not in (PACK, PROGRAM, FUSED):
                found.opcode = next(left)
                found.arguments = some(next(left))
                found.outputs = some(next(left))
                found.indices = some(len(found.outputs))
            return found

        streams, parameters, gradients = some(3)
        groups = some(next(left))
        buffers = rows(next(left), 5)
        vectors = [(next(left), rows(next(left), 2)) for _ in range(next(left))]
        phases = {name: [stage() for _ in range(next(left))] for name in PHASES}
        sums: list[list[Any]] = [[*some(2), rows(next(left), 2), rows(next(left), 2)] for _ in range(next(left))]
        assert not list(left)
        return Listing(streams, parameters, gradients, groups, buffers, vectors, phases, sums)

    def encode(self) -> Ints:
        found = [self.streams, self.parameters, self.gradients, len(self.groups), *self.groups]
        found += [len(self.buffers), *chain(*self.buffers), len(self.vectors)]
        for width, places in self.vectors:
            found += [width, len(places), *chain(*places)]
        for name in PHASES:
            found += [len(self.phases[name]), *chain(*(stage.encode() for stage in self.phases[name]))]
        found.append(len(self.sums))
        for height, width, targets, terms in self.sums:
            found += [height, width, len(targets), *chain(*targets), len(terms), *chain(*terms)]
        return np.array(found, dtype=np.int64)
