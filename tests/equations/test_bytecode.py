"""Pointwise stages as programs of a register machine: their meaning, their registers, their encoding."""

import math
import random

import pytest

from gatewise import cells
from gatewise.equations import TABLE, state, tanh, where
from gatewise.equations.arithmetic import ARITHMETIC
from gatewise.equations.bytecode import OPCODES, WIDTH, Bytecode, lower, lower_all, run
from gatewise.equations.expr import Expr, pointwise
from gatewise.equations.program import compile
from gatewise.equations.schedule import Schedule, Stage


def value(node: Expr, known: dict[Expr, float]) -> float:
    """The value of an expression whose leaves (and results of other stages) are known."""
    if node not in known:
        if isinstance(node.attr, float):
            return node.attr
        known[node] = ARITHMETIC[node.op](*(value(arg, known) for arg in node.args))
    return known[node]


def schedules(name: str) -> list[Schedule]:
    program = compile(cells.get(name)().trace())
    return [program.forward, program.training, program.reverse]


@pytest.mark.parametrize("name", cells.list())
def test_every_stage_of_every_cell_means_its_equations(name: str) -> None:
    generator = random.Random(name)
    for schedule in schedules(name):
        for stage, code in lower_all(schedule).items():
            units = [{expr: generator.uniform(0.1, 2) for expr in code.inputs} for _ in range(3)]
            got = run(code, {expr: [unit[expr] for unit in units] for expr in code.inputs})
            assert set(got) == set(code.outputs)
            assert set(code.outputs) <= set(stage.nodes)
            for expr, values in got.items():
                want = [value(expr, dict(unit)) for unit in units]
                assert values == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_what_others_read_is_stored_and_nothing_else() -> None:
    program = compile(cells.LSTM().trace())
    (code,) = [lower_all(program.forward)[stage] for stage in program.forward.loop if stage.kind == "pointwise"]
    assert set(code.outputs) == set(program.step.updates.values())
    (training,) = [lower_all(program.training)[stage] for stage in program.training.loop if stage.kind == "pointwise"]
    assert set(training.outputs) == set(program.sequences)


def test_registers_are_used_again() -> None:
    a, node, nodes = state("a"), state("a"), []
    for _ in range(50):
        node = tanh(node) + a
        nodes += [node.args[0], node]
    code = lower(Stage("pointwise", tuple(nodes)), [node])
    assert code.registers == 2
    assert len(code.instructions) == 102  # two for each turn, one load, one store


def test_an_operand_read_twice_is_freed_once() -> None:
    a, b = state("a"), state("b")
    square, both = a * a, where(a, b, b)
    total = square + both
    code = lower(Stage("pointwise", (square, both, total)), [total])
    assert run(code, {a: [3.0], b: [4.0]})[total] == [13.0]
    assert code.registers == 3


def test_a_single_value_stands_for_all_units() -> None:
    a, t = state("a"), state("t")
    code = lower(Stage("pointwise", (a * t,)), [a * t])
    assert run(code, {a: [1.0, 2.0], t: [3.0]})[a * t] == [3.0, 6.0]


def test_the_encoding_is_of_fixed_width_and_complete() -> None:
    (stage, code), *_ = lower_all(compile(cells.get("slstm")().trace()).reverse).items()
    assert len(stage.nodes) > 0
    numbers = code.encode()
    assert len(numbers) == WIDTH * len(code.instructions)
    assert decode(numbers, code) == [str(instruction) for instruction in code.instructions]
    assert len(set(OPCODES.values())) == len(OPCODES) == len(TABLE) + 3
    assert list(OPCODES)[:3] == ["load", "constant", "store"]


def decode(numbers: list[int], code: Bytecode) -> list[str]:
    """The listing of a program, from nothing but its numbers."""
    names = {number: name for name, number in OPCODES.items()}
    lines = []
    for start in range(0, len(numbers), WIDTH):
        opcode, target, *operands = numbers[start : start + WIDTH]
        name = names[opcode]
        if name == "store":
            lines.append(f"array {target} = r{operands[0]}")
        elif name in ("load", "constant"):
            lines.append(f"r{target} = {'array' if name == 'load' else 'number'} {operands[0]}")
        else:
            lines.append(f"r{target} = {name} {' '.join(f'r{k}' for k in operands[: TABLE[name].arity])}")
    assert code.registers > max(int(word[1:]) for line in lines for word in line.split() if word[:1] == "r")
    return lines


@pytest.mark.parametrize("name", TABLE)
def test_every_operation_can_be_lowered(name: str) -> None:
    leaves = [state(f"a{k}") for k in range(TABLE[name].arity)]
    node = pointwise(name, *leaves)
    arrays = {leaf: [0.3 + k] for k, leaf in enumerate(leaves)}
    got = run(lower(Stage("pointwise", (node,)), [node]), arrays)[node]
    assert got == [ARITHMETIC[name](*(0.3 + k for k in range(len(leaves))))]
    assert math.isfinite(got[0])
