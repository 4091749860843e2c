"""A grid's programs as whole numbers: what the compiled core is told of a cell of a grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from gatewise.backends.plan import Listing
from gatewise.equations.bytecode import LOAD, STORE, Bytecode
from gatewise.equations.expr import Expr, parameter
from gatewise.equations.grid import LEFT, UP, GridProgram, below, product, right, upstream


class Source(IntEnum):
    """Where an array's values stand at a position; the core's own numbers (`cpp/grid.h`)."""

    VECTOR = 0
    STATE = 1
    UP = 2
    LEFT = 3
    OUTPUT = 4
    SAVED = 5
    UPSTREAM = 6
    BELOW = 7
    RIGHT = 8
    TO_UP = 9
    TO_LEFT = 10
    GRADIENT = 11


Place = tuple[int, int]  # a source, and which of its arrays


@dataclass(frozen=True)
class Listed:
    """One pointwise program.

    Attributes:
        listing: products, arrays, instructions and constants, as of any plan.
        registers: how many it needs.
        places: of each array that is no product where it stands.
        saved: how many values the forward saves besides states.
    """

    listing: Listing
    registers: int
    places: tuple[Place, ...]
    saved: int


def listed(program: GridProgram) -> tuple[Listed, Listed, Listed]:
    """The programs of inference, training and the backward."""
    places: dict[Expr, Place] = {parameter(name): (Source.VECTOR, k) for k, name in enumerate(program.vectors)}
    for k, name in enumerate(program.states):
        places[program.inner.updates[name]] = (Source.STATE, k)
        places[program.step.inputs[name + UP]] = (Source.UP, k)
        places[program.step.inputs[name + LEFT]] = (Source.LEFT, k)
        places[below(name)] = (Source.BELOW, k)
        places[right(name)] = (Source.RIGHT, k)
    places[program.inner.updates[program.output]] = (Source.OUTPUT, 0)
    places[upstream(program.output)] = (Source.UPSTREAM, 0)
    places |= {node: (Source.SAVED, k) for k, node in enumerate(program.saved)}
    made = {node: (Source.GRADIENT, k) for k, node in enumerate(program.gradients)}
    for k, (up, left) in enumerate(program.handed):
        made |= {up: (Source.TO_UP, k), left: (Source.TO_LEFT, k)}
    nets = [net.leaf for net in program.nets]
    return (
        _listed(program.forward, nets, places, places, 0),
        _listed(program.training, nets, places, places, len(program.saved)),
        _listed(program.reverse, [product(program.output)], places, made, len(program.saved)),
    )


def _listed(
    code: Bytecode, products: Sequence[Expr], read: Mapping[Expr, Place], made: Mapping[Expr, Place], saved: int
) -> Listed:
    inputs = [*products, *(expr for expr in code.inputs if expr not in products)]
    numbers = {expr: k for k, expr in enumerate(inputs)}
    listing: list[int] = []
    for instruction in code.instructions:
        opcode, target, *operands = instruction.encode()
        if instruction.op == LOAD:
            operands[0] = numbers[code.inputs[operands[0]]]
        elif instruction.op == STORE:
            target += len(inputs) - len(code.inputs)
        listing += [opcode, target, *operands]
    places = [read[expr] for expr in inputs[len(products) :]] + [made[expr] for expr in code.outputs]
    return Listed(
        listing=(len(products), len(inputs) + len(code.outputs), tuple(listing), code.numbers),
        registers=code.registers,
        places=tuple((int(source), index) for source, index in places),
        saved=saved,
    )
