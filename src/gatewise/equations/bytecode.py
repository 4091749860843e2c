"""A pointwise stage as a program for a small register machine.

Every register holds the values of one expression for a block of units. Instructions are of fixed width: an opcode, a
target register, and up to three operands; a kernel's interpreter reads them one after the other, `run` here is their
definition in plain Python.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatewise.equations.arithmetic import ARITHMETIC
from gatewise.equations.expr import Expr
from gatewise.equations.ops import TABLE
from gatewise.equations.schedule import Schedule, Stage

LOAD, CONSTANT, STORE = "load", "constant", "store"
# A kernel is compiled for these numbers: new operations are added at the end of the table, none is ever moved.
OPCODES: Mapping[str, int] = {name: number for number, name in enumerate((LOAD, CONSTANT, STORE, *TABLE))}
WIDTH = 5


@dataclass(frozen=True)
class Instruction:
    """One step of the machine.

    Attributes:
        op: `load` (register `target` from array `operands[0]`), `constant` (from number `operands[0]`), `store` (to
            array `target` from register `operands[0]`), or an operation of the table on registers.
        target: see `op`.
        operands: see `op`.
    """

    op: str
    target: int
    operands: tuple[int, ...]

    def encode(self) -> tuple[int, ...]:
        """Opcode, target and three operands (0 where there are fewer)."""
        return (OPCODES[self.op], self.target, *self.operands, *([0] * (WIDTH - 2 - len(self.operands))))

    def __str__(self) -> str:
        if self.op == STORE:
            return f"array {self.target} = r{self.operands[0]}"
        if self.op in (LOAD, CONSTANT):
            return f"r{self.target} = {'array' if self.op == LOAD else 'number'} {self.operands[0]}"
        return f"r{self.target} = {self.op} {' '.join(f'r{operand}' for operand in self.operands)}"


@dataclass(frozen=True, eq=False)
class Bytecode:
    """A pointwise stage, lowered.

    Attributes:
        instructions: in order.
        registers: how many there are.
        numbers: the constants.
        inputs: the expressions of the arrays that are loaded; array k is `inputs[k]`.
        outputs: the expressions of the arrays that are stored; array k is `outputs[k - len(inputs)]`.
    """

    instructions: tuple[Instruction, ...]
    registers: int
    numbers: tuple[float, ...]
    inputs: tuple[Expr, ...]
    outputs: tuple[Expr, ...]

    def encode(self) -> list[int]:
        """All instructions as whole numbers, five each."""
        return [number for instruction in self.instructions for number in instruction.encode()]

    def __str__(self) -> str:
        arrays = [f"array {k}: {expr!r}" for k, expr in enumerate((*self.inputs, *self.outputs))]
        numbers = [f"number {k}: {value!r}" for k, value in enumerate(self.numbers)]
        return "\n".join([*arrays, *numbers, *map(str, self.instructions)])


Spelling = tuple[str, tuple[Expr, ...]]  # an operation of the table, and its operands


def lower(stage: Stage, wanted: Iterable[Expr], spelled: Mapping[Expr, Spelling] | None = None) -> Bytecode:
    """Lower a pointwise stage; what comes from outside is loaded where it is first read.

    Registers are taken again as soon as nobody reads their value any more (linear scan), so that few blocks of units
    fit the nearest cache together.

    Args:
        stage: of kind "pointwise".
        wanted: expressions that are read outside of the stage; those that it computes are stored.
        spelled: nodes that are computed from something else than their own operands.

    >>> from gatewise.equations import state, tanh
    >>> a, b = state("a"), state("b")
    >>> square_of_sum = tanh(a + b) * 2
    >>> print(lower(Stage("pointwise", (a + b, tanh(a + b), square_of_sum)), [square_of_sum]))
    array 0: a
    array 1: b
    array 2: tanh(a + b) * 2
    number 0: 2.0
    r0 = array 0
    r1 = array 1
    r0 = add r0 r1
    r0 = tanh r0
    r1 = number 0
    r0 = mul r0 r1
    array 2 = r0
    """
    spelling = {node: (node.op, node.args) for node in stage.nodes} | {
        node: spell for node, spell in (spelled or {}).items() if node in stage.nodes
    }
    read = dict.fromkeys(arg for node in stage.nodes for arg in spelling[node][1])
    inside = set(stage.nodes)
    stored = set(wanted) & inside
    last: dict[Expr, int] = {}
    for position, node in enumerate(stage.nodes):
        for arg in spelling[node][1]:
            last[arg] = position
    inputs = tuple(arg for arg in read if arg not in inside and arg.op != "constant")
    outputs = tuple(node for node in stage.nodes if node in stored)
    constants = tuple(arg for arg in read if arg.op == "constant")
    arrays = {expr: k for k, expr in enumerate((*inputs, *outputs))}
    instructions: list[Instruction] = []
    place: dict[Expr, int] = {}
    free: list[int] = []
    registers = 0

    def take() -> int:
        nonlocal registers
        if free:
            free.sort()
            return free.pop(0)
        registers += 1
        return registers - 1

    for position, node in enumerate(stage.nodes):
        op, args = spelling[node]
        for arg in dict.fromkeys(args):
            if arg not in place:
                place[arg] = take()
                kind, source = (CONSTANT, constants.index(arg)) if arg.op == "constant" else (LOAD, arrays[arg])
                instructions.append(Instruction(kind, place[arg], (source,)))
        operands = tuple(place[arg] for arg in args)
        free += [place.pop(arg) for arg in dict.fromkeys(args) if last[arg] == position]
        # An operation reads unit by unit what it then writes: the target may be one of its operands.
        place[node] = take()
        instructions.append(Instruction(op, place[node], operands))
        if node in stored:
            instructions.append(Instruction(STORE, arrays[node], (place[node],)))
        if node not in last:
            free.append(place.pop(node))
    numbers = tuple(float(str(node.attr)) for node in constants)
    return Bytecode(tuple(instructions), registers, numbers, inputs, outputs)


def lower_all(schedule: Schedule) -> dict[Stage, Bytecode]:
    """Every pointwise stage of a schedule, lowered; what another stage, a state or a result reads is stored."""
    stages = (*schedule.before, *schedule.loop, *schedule.after)
    ends = {*schedule.results, *schedule.kept, *(update for _, update in schedule.carried.values())}
    ends |= {factor for term in schedule.sums for factor in term.factors}
    found: dict[Stage, Bytecode] = {}
    for stage in stages:
        if stage.kind == "pointwise":
            elsewhere = {arg for other in stages if other is not stage for node in other.nodes for arg in node.args}
            found[stage] = lower(stage, ends | elsewhere)
    return found


def run(code: Bytecode, arrays: Mapping[Expr, Sequence[float]]) -> dict[Expr, list[float]]:
    """Execute a program in plain Python, unit by unit: the definition of what the instructions mean.

    Args:
        code: the program.
        arrays: the values of all `code.inputs`, of one length; a single value stands for all units.
    """
    size = max((len(arrays[expr]) for expr in code.inputs), default=1)
    registers: list[list[float]] = [[0.0] * size for _ in range(code.registers)]
    outputs: dict[Expr, list[float]] = {}
    for instruction in code.instructions:
        sources = instruction.operands
        if instruction.op == LOAD:
            values = arrays[code.inputs[sources[0]]]
            registers[instruction.target] = list(values) * (size if len(values) == 1 else 1)
        elif instruction.op == CONSTANT:
            registers[instruction.target] = [code.numbers[sources[0]]] * size
        elif instruction.op == STORE:
            outputs[code.outputs[instruction.target - len(code.inputs)]] = list(registers[sources[0]])
        else:
            columns = zip(*(registers[source] for source in sources), strict=True)
            registers[instruction.target] = [ARITHMETIC[instruction.op](*row) for row in columns]
    return outputs
