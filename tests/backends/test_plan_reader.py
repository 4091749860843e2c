"""Plans that do not fit: what the core refuses (`cpp/reader.h`), and that nothing else makes the core go wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewise import cells
from gatewise.backends.plan import (
    CHUNK,
    CONSTANT,
    EARLIER,
    FUSED,
    ONCE,
    PACK,
    PROGRAM,
    RESULT,
    ROW,
    ROW_OPS,
    STATE,
    STREAM,
    TURNS,
    VECTOR,
)
from gatewise.equations.bytecode import OPCODES
from tests.backends.plans import SIZES, Ints, Listing, Recorded, Stage, chosen, core, made, parameter_sizes

PARTS = ("forward", "training", "backward")


def recorded(name: str, part: str) -> Recorded:
    return made(name, part).core


def listing(name: str = "peephole", part: str = "training") -> Listing:
    return Listing.decode(recorded(name, part).numbers)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", cells.list())
def test_plans_are_read_as_they_were_written(name: str, part: str) -> None:
    """The numbers in their order; and of every tensor the core touches what it has, no more."""
    plan = made(name, part)
    numbers = plan.core.numbers
    assert np.array_equal(Listing.decode(numbers).encode(), numbers)
    widths: dict[str | None, int] = {None: 1, **SIZES}
    step = chosen(name).trace()
    streams, states, parameters, results, gradients = core().Plan(numbers, plan.core.constants, False).needs
    assert streams == [widths[node.width] for node in plan.streams]
    assert states == [widths[step.states[state].width] for state in plan.states]
    assert results == [widths[node.width] for node in plan.results]
    sizes = parameter_sizes(step)
    assert all(need <= size for need, size in zip(parameters, sizes, strict=True))
    assert (
        gradients
        == [size if p in plan.summed else 0 for p, size in zip(step.parameters, sizes, strict=True)][: len(gradients)]
    )
    if part == "training":
        assert parameters == sizes


# ---------------------------------------------------------------------------------------------------------- refusals


def find(plan: Listing, source: int) -> list[int]:
    """The first buffer of a source."""
    return next(buffer for buffer in plan.buffers if buffer[0] == source)


def number(plan: Listing, source: int) -> int:
    return next(k for k, buffer in enumerate(plan.buffers) if buffer[0] == source)


def stage(plan: Listing, phase: str, *kinds: int) -> Stage:
    return next(one for one in plan.phases[phase] if one.kind in kinds)


def instruction(one: Stage, name: str) -> list[int]:
    return next(row for row in one.instructions if row[0] == OPCODES[name])


def mix(plan: Listing, name: str) -> Stage:
    found = (one for phase in plan.phases.values() for one in phase if one.kind == ROW)
    return next(one for one in found if one.opcode == ROW_OPS.index(name))


def copy_of(source: int, target: int, width: int) -> Stage:
    """A program that copies one buffer to another."""
    rows = [[OPCODES["load"], 0, 0, 0, 0], [OPCODES["store"], 1, 0, 0, 0]]
    return Stage(PROGRAM, program_width=width, registers=1, arrays=[source, target], numbers=[0, 0], instructions=rows)


def add(plan: Listing, *buffer: int) -> int:
    plan.buffers.append(list(buffer))
    return len(plan.buffers) - 1


Change = Callable[[Listing], object]
REFUSALS: list[tuple[str, tuple[str, str], Change]] = []


def refused(message: str, name: str = "peephole", part: str = "training") -> Callable[[Change], Change]:
    def note(change: Change) -> Change:
        REFUSALS.append((message, (name, part), change))
        return change

    return note


def put(row: list[Any], place: int, value: Any) -> None:
    row[place] = value


# Each a real plan with one thing changed, and why it is refused.
OUT_OF_RANGE = "has a number out of range"
refused(OUT_OF_RANGE)(lambda p: setattr(p, "streams", -1))
refused(OUT_OF_RANGE)(lambda p: setattr(p, "streams", 2**16 + 1))
refused(OUT_OF_RANGE)(lambda p: put(p.groups, 0, 0))
refused(OUT_OF_RANGE)(lambda p: put(p.groups, 0, 2**31 + 1))
refused(OUT_OF_RANGE)(lambda p: put(p.buffers[0], 0, 9))
refused(OUT_OF_RANGE)(lambda p: put(find(p, STATE), 1, len(p.buffers)))
refused(OUT_OF_RANGE)(lambda p: put(find(p, RESULT), 1, -1))
refused(OUT_OF_RANGE)(lambda p: put(p.vectors[0][1][0], 1, -1))
refused(OUT_OF_RANGE)(lambda p: setattr(p.phases["loop"][0], "kind", 4))
refused(OUT_OF_RANGE)(lambda p: put(stage(p, "loop", FUSED).matrices[0], 1, -1))
refused(OUT_OF_RANGE)(lambda p: put(stage(p, "loop", FUSED).matrices[0], 2, 2**31 + 1))
refused(OUT_OF_RANGE)(lambda p: put(stage(p, "loop", FUSED).matrices[0], 3, 2))
refused(OUT_OF_RANGE)(lambda p: setattr(stage(p, "loop", FUSED), "registers", 4097))
refused(OUT_OF_RANGE, "layer-norm")(lambda p: setattr(mix(p, "normalise"), "opcode", len(ROW_OPS)))
refused(OUT_OF_RANGE, part="backward")(lambda p: put(p.sums[0], 0, 2**31 + 1))
refused("has a buffer of no width")(lambda p: put(p.buffers[0], 2, 0))
refused("has a buffer of one number for many units")(lambda p: put(find(p, STREAM), 4, 0))
refused("has a buffer beyond its group")(lambda p: put(find(p, CHUNK), 1, len(p.groups)))
refused("has a buffer beyond its group")(lambda p: put(find(p, CHUNK), 3, -1))
refused("has a buffer beyond its group")(lambda p: put(find(p, CHUNK), 3, 2**63 - 1))
refused("has a buffer beyond its group")(lambda p: put(find(p, CHUNK), 2, 10_000))
refused("has two buffers for one state or result")(lambda p: add(p, *find(p, STATE)))
refused("has two buffers for one state or result")(lambda p: add(p, *find(p, RESULT)))
refused("leaves a state or result without a buffer")(lambda p: put(find(p, RESULT), 1, 20))
refused("hands a state on to another")(lambda p: put(find(p, STATE), 3, number(p, STATE)))
refused("hands a state on to another", part="backward")(lambda p: put(find(p, STATE), 3, number(p, EARLIER)))
refused("names a buffer that is not there")(lambda p: put(find(p, STATE), 3, len(p.buffers)))
refused("names a buffer that is not there")(lambda p: put(stage(p, "loop", FUSED).factors[0], 0, -2))
refused("names a buffer that is not there")(lambda p: put(stage(p, "loop", FUSED).outputs, 0, len(p.buffers)))
refused("names a buffer that is not there")(lambda p: put(stage(p, "loop", FUSED).arrays, -1, len(p.buffers)))
refused("names a buffer that is not there", "layer-norm")(lambda p: put(mix(p, "normalise").arguments, 0, -1))
refused("names a buffer that is not there", part="backward")(lambda p: put(p.sums[0][3][0], 0, len(p.buffers)))
refused("has a state and an update of different widths")(lambda p: put(find(p, STATE), 2, SIZES["H"] + 1))
refused("names a number that is not there")(lambda p: add(p, CONSTANT, 999, SIZES["H"], -1, 1))
refused("names a number that is not there")(lambda p: put(stage(p, "loop", FUSED).numbers, 1, 999))
refused("names a stream that is not there")(lambda p: put(find(p, STREAM), 1, p.streams))
refused("names a stream that is not there", part="backward")(lambda p: put(find(p, EARLIER), 1, -1))
refused("names a stream that is not there", part="backward")(lambda p: put(find(p, EARLIER), 3, p.streams))
refused("names a parameter that is not there")(lambda p: put(p.vectors[0][1][0], 0, p.parameters))
refused("names a parameter that is not there")(lambda p: put(stage(p, "loop", FUSED).matrices[0], 0, p.parameters))
refused("names a parameter that is not there")(lambda p: put(stage(p, "loop", FUSED).matrices[0], 0, -1))
refused("has a vector without parts")(lambda p: p.vectors[0][1].clear())
refused("names a vector that is not there")(lambda p: put(find(p, VECTOR), 1, len(p.vectors)))
refused("names a vector that is not there")(lambda p: put(find(p, VECTOR), 2, 1))
refused("has a product without factors")(lambda p: setattr(stage(p, "before", PACK), "width", 0))
refused("has a product without factors")(
    lambda p: [setattr(stage(p, "before", PACK), "factors", []), setattr(stage(p, "before", PACK), "matrices", [])]
)
refused("multiplies with a buffer of another width")(lambda p: put(stage(p, "before", PACK).factors[0], 1, 2))
refused("has a product that is too large")(lambda p: setattr(stage(p, "loop", FUSED), "width", 2**30))
refused("adds products to what cannot take them")(
    lambda p: put(stage(p, "loop", FUSED).starts, 0, number(p, STATE)),
)
refused("adds products to what cannot take them")(
    lambda p: [
        p.groups.append(SIZES["H"]),
        put(find(p, CHUNK), 1, len(p.groups) - 1),
        put(find(p, CHUNK), 3, 0),
    ]
)
refused("writes a product nowhere")(lambda p: put(stage(p, "before", PACK).outputs, 0, -1))
refused("writes to a buffer that cannot take it")(lambda p: put(stage(p, "before", PACK).outputs, 0, number(p, STREAM)))
refused("writes to a buffer that cannot take it")(lambda p: put(find(p, CHUNK), 2, SIZES["H"] - 1))
refused("writes a buffer twice")(
    lambda p: put(stage(p, "before", PACK).outputs, 0, stage(p, "before", PACK).outputs[1])
)
refused("writes a buffer twice")(
    lambda p: stage(p, "loop", FUSED).instructions.append(instruction(stage(p, "loop", FUSED), "store"))
)
refused("writes to a buffer at a time that it does not have")(
    lambda p: p.phases["loop"].append(copy_of(number(p, STREAM), add(p, ONCE, -1, SIZES["X"], -1, 1), SIZES["X"]))
)
refused("writes to a buffer at a time that it does not have")(
    lambda p: p.phases["before"].append(copy_of(number(p, STREAM), add(p, TURNS, -1, SIZES["X"], -1, 1), SIZES["X"]))
)
refused("writes to a buffer at a time that it does not have")(
    lambda p: p.phases["once"].append(copy_of(number(p, VECTOR), add(p, TURNS, -1, SIZES["H"], -1, 1), SIZES["H"]))
)
refused("reads a buffer before it is written")(lambda p: p.phases["before"].clear())
refused("reads a buffer before it is written")(
    lambda p: p.phases["loop"].insert(0, copy_of(number(p, RESULT), add(p, TURNS, -1, SIZES["H"], -1, 1), SIZES["H"]))
)
refused("reads a buffer before it is written")(lambda p: put(find(p, STATE), 3, add(p, TURNS, -1, SIZES["H"], -1, 1)))
refused("reads what changes over time where there is no time")(
    lambda p: p.phases["once"].append(copy_of(number(p, STREAM), add(p, ONCE, -1, SIZES["X"], -1, 1), SIZES["X"]))
)
refused("reads a state before the loop")(
    lambda p: (
        p.groups.append(SIZES["H"]),
        p.phases["before"].append(
            copy_of(number(p, STATE), add(p, CHUNK, len(p.groups) - 1, SIZES["H"], 0, 1), SIZES["H"])
        ),
    )
)


@refused("reads a turn's values outside of the loop")
def _(p: Listing) -> None:
    kept = add(p, TURNS, -1, SIZES["X"], -1, 1)
    p.groups.append(SIZES["X"])
    p.phases["loop"].append(copy_of(number(p, STREAM), kept, SIZES["X"]))
    p.phases["after"].append(copy_of(kept, add(p, CHUNK, len(p.groups) - 1, SIZES["X"], 0, 1), SIZES["X"]))


@refused("reads a turn's values outside of the loop")
def _(p: Listing) -> None:
    kept = add(p, TURNS, -1, SIZES["H"], -1, 1)
    p.groups.append(SIZES["H"])
    p.phases["loop"].append(copy_of(number(p, STATE), kept, SIZES["H"]))
    find(p, STATE)[3] = kept
    p.phases["after"].append(copy_of(number(p, STATE), add(p, CHUNK, len(p.groups) - 1, SIZES["H"], 0, 1), SIZES["H"]))


UNFIT = "has a program that does not fit the product before it"
refused(UNFIT)(lambda p: setattr(stage(p, "loop", FUSED), "program_width", 0))
refused(UNFIT)(lambda p: setattr(stage(p, "loop", FUSED), "products", 3))
refused(UNFIT)(lambda p: setattr(stage(p, "loop", FUSED), "arrays", stage(p, "loop", FUSED).arrays[:2]))


@refused(UNFIT)
def _(p: Listing) -> None:
    one = stage(p, "loop", FUSED)
    one.program_width += 1
    for place in one.arrays[one.products :]:
        if p.buffers[place][2] == SIZES["H"]:
            p.buffers[place][2] += 1  # they go along with the program, and no longer with the product
    p.groups = [width + len(p.buffers) for width in p.groups]
    p.vectors = [(width + 1, places) for width, places in p.vectors]
    for buffer in p.buffers:
        if buffer[0] in (STATE, VECTOR, CHUNK, RESULT, TURNS):
            buffer[2] = SIZES["H"] + 1
    one.factors[0][1] = SIZES["H"] + 1
    p.phases["before"][0].width = SIZES["H"] + 1
    one.starts = [-1] * len(one.outputs)
    one.outputs = [-1] * len(one.outputs)


refused("reads a buffer of another width")(lambda p: put(stage(p, "loop", FUSED).arrays, 4, number(p, STREAM)))
NOT_THERE = "has an instruction that names what is not there"
refused(NOT_THERE)(lambda p: put(stage(p, "loop", FUSED).instructions[0], 0, len(OPCODES)))
refused(NOT_THERE)(lambda p: put(stage(p, "loop", FUSED).instructions[0], 0, -1))
refused(NOT_THERE)(lambda p: put(instruction(stage(p, "loop", FUSED), "load"), 1, 4096))
refused(NOT_THERE)(lambda p: put(instruction(stage(p, "loop", FUSED), "load"), 2, 4096))
refused(NOT_THERE)(lambda p: put(instruction(stage(p, "loop", FUSED), "store"), 1, 0))
refused(NOT_THERE)(lambda p: put(instruction(stage(p, "loop", FUSED), "store"), 1, 4096))
refused(NOT_THERE)(lambda p: put(instruction(stage(p, "loop", FUSED), "store"), 2, -1))
refused(NOT_THERE)(lambda p: put(instruction(stage(p, "loop", FUSED), "sigmoid"), 4, 4096))
refused(NOT_THERE)(lambda p: put(instruction(stage(p, "loop", FUSED), "mul"), 3, -1))
refused(NOT_THERE, "gru")(
    lambda p: [put(row, 2, 99) for one in p.phases["loop"] for row in one.instructions if row[0] == OPCODES["constant"]]
)
EMPTY = "has an instruction that reads an empty register"
refused(EMPTY)(lambda p: stage(p, "loop", FUSED).instructions.pop(0))
refused(EMPTY)(lambda p: put(instruction(stage(p, "loop", FUSED), "add"), 3, stage(p, "loop", FUSED).registers - 1))
refused("has a row operation without operands", "layer-norm")(lambda p: setattr(mix(p, "normalise"), "arguments", []))
refused("mixes the units of vectors of different widths", "layer-norm")(
    lambda p: mix(p, "normalise").arguments.append(number(p, STREAM))
)
refused("names a part that is not there", "layer-norm")(lambda p: put(mix(p, "normalise").indices, 0, 99))
refused("names a part that is not there", "layer-norm")(lambda p: put(mix(p, "normalise").indices, 0, -1))
WIDTHS = "mixes the units of vectors whose widths do not fit"
for _name in ("total", "spread", "repeat", "fold"):

    @refused(WIDTHS)
    def _(p: Listing, name: str = _name) -> None:
        p.groups.append(4)
        target = add(p, CHUNK, len(p.groups) - 1, 4, 0, 1)  # from 5 units neither blocks of 4 nor into 4, nor one
        one = Stage(ROW, opcode=ROW_OPS.index(name), arguments=[number(p, STREAM)], outputs=[target], indices=[0])
        p.phases["before"].append(one)


refused(WIDTHS, "layer-norm")(lambda p: put(p.buffers[mix(p, "normalise").outputs[0]], 2, 1))
refused("has a sum that goes nowhere", part="backward")(lambda p: put(p.sums[0], 2, []))
refused("has a sum that goes nowhere", part="backward")(lambda p: put(p.sums[0], 0, 0))
refused("names a gradient that is not there", part="backward")(lambda p: put(p.sums[0][2][0], 0, p.gradients))
refused("has a sum that goes to one gradient twice", part="backward")(lambda p: p.sums[0][2].append(p.sums[0][2][0]))
refused("sums a buffer of another width", part="backward")(lambda p: put(p.sums[0], 0, p.sums[0][0] + 1))
refused("sums a buffer of another width", part="backward")(lambda p: put(next(one for one in p.sums if one[1]), 1, 99))
SINGLE = "sums products without a second factor"
refused(SINGLE, part="backward")(lambda p: put(next(one for one in p.sums if one[1])[3][0], 1, -1))
refused(SINGLE, part="backward")(lambda p: put(next(one for one in p.sums if one[1]), 1, 0))


@pytest.mark.parametrize(
    ("message", "base", "change"),
    REFUSALS,
    ids=[f"{message.replace(' ', '-')}-{k}" for k, (message, _, _) in enumerate(REFUSALS)],
)
def test_a_plan_that_does_not_fit_is_refused(message: str, base: tuple[str, str], change: Change) -> None:
    plan = listing(*base)
    before = plan.encode()
    change(plan)
    after = plan.encode()
    assert not np.array_equal(before, after)
    constants = recorded(*base).constants
    core().Plan(before, constants, False)
    with pytest.raises(ValueError, match=f"^the plan {re.escape(message)}$"):
        core().Plan(after, constants, False)


def test_a_plan_that_ends_too_early_or_too_late_is_refused() -> None:
    for part in PARTS:
        plan = recorded("layer-norm", part)
        for end in range(len(plan.numbers)):
            with pytest.raises(ValueError, match=r"^the plan "):
                core().Plan(plan.numbers[:end], plan.constants, False)
        with pytest.raises(ValueError, match=r"^the plan goes on beyond its end$"):
            core().Plan(np.append(plan.numbers, 0), plan.constants, False)
    with pytest.raises(ValueError, match=r"^the plan ends too early$"):
        core().Plan(plan.numbers[:-1], plan.constants, False)


def test_every_reason_has_a_test() -> None:
    folder = Path(__file__).parents[2] / "cpp"
    sources = "".join((folder / name).read_text(encoding="utf-8") for name in ("numbers.h", "reader.h"))
    said = set(re.findall(r'"([a-z][a-z\' ]+)"', sources)) - {"the plan "}
    tried = {message for message, _, _ in REFUSALS} | {"ends too early", "goes on beyond its end"}
    assert said == tried


# --------------------------------------------------------------------------------------------------------- accidents


def corrupted(plan: Recorded, generator: np.random.Generator) -> Ints:
    """One number changed: by a little, to the number beside it, or to one that is far away."""
    numbers = plan.numbers.copy()
    place = int(generator.integers(len(numbers)))
    old = int(numbers[place])
    near = [old + int(generator.integers(1, 9)), old - int(generator.integers(1, 9))]
    far = [0, 1, -1, 2**16, 2**31, 2**31 - 1, 2**40, -(2**63), 2**63 - 1]
    choices = [*near, *near, *far, int(numbers[int(generator.integers(len(numbers)))])]
    numbers[place] = choices[int(generator.integers(len(choices)))]
    return numbers


def run(plan: Any, double: bool, generator: np.random.Generator) -> None:
    """With tensors of exactly the size that the plan asks for."""
    steps, rows = int(generator.integers(1, 5)), int(generator.integers(1, 8))
    dtype = np.float64 if double else np.float32
    held: list[np.ndarray[Any, Any]] = []

    def address(*shape: int) -> int:
        held.append(generator.standard_normal(max(1, int(np.prod(shape)))).astype(dtype))
        return held[-1].ctypes.data

    streams, states, parameters, results, gradients = plan.needs
    ports: list[int] = []
    for width in streams:
        ports += (address(steps, rows, width), rows * width, width)
    for width in states:
        ports += (address(rows, width), width)
    ports += [address(size) for size in parameters]
    for width in results:
        ports += (address(steps, rows, width), rows * width, width)
    for width in states:
        ports += (address(rows, width), width)
    ports += [address(size) for size in gradients]
    lengths = generator.integers(0, steps + 1, rows).tolist() if generator.integers(2) else []
    threads, by_units, backwards = (
        int(generator.integers(1, 3)),
        bool(generator.integers(2)),
        bool(generator.integers(2)),
    )
    core().run([plan], [ports], [backwards], steps, rows, lengths, threads, by_units)


def small(needs: tuple[list[int], ...]) -> bool:
    return sum(map(sum, needs)) < 100_000


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["peephole", "layer-norm", "lstmp", "gru", "slstm", "lstm-1997", "gru-d"])
def test_one_wrong_number_is_refused_or_does_no_harm(name: str, part: str) -> None:
    """`make sanitize` watches it."""
    plan = recorded(name, part)
    generator = np.random.default_rng([len(name), len(part)])
    ran = 0
    for _ in range(300):
        numbers = corrupted(plan, generator)
        double = bool(generator.integers(2))
        try:
            wrong = core().Plan(numbers, plan.constants, double)
        except ValueError:
            continue
        if small(wrong.needs) and max(Listing.decode(numbers).groups, default=0) < 100_000:
            run(wrong, double, generator)
            ran += 1
    assert ran > 20


# --------------------------------------------------------------------------------------------------------- the call


class Called:
    """A call of a small plan that can be spoiled: its arguments by name."""

    def __init__(self) -> None:
        plan = recorded("elman", "forward")
        self.plan = core().Plan(plan.numbers, plan.constants, False)
        _, _, parameters, _, _ = self.plan.needs
        x, h = SIZES["X"], SIZES["H"]
        self.x, self.h = np.ones((4, 3, x), np.float32), np.zeros((3, h), np.float32)
        self.weights = [np.ones(size, np.float32) for size in parameters]
        self.output, self.last = np.zeros((4, 3, h), np.float32), np.zeros((3, h), np.float32)
        self.ports = [
            *(self.x.ctypes.data, 3 * x, x),
            *(self.h.ctypes.data, h),
            *(weight.ctypes.data for weight in self.weights),
            *(self.output.ctypes.data, 3 * h, h),
            *(self.last.ctypes.data, h),
        ]
        self.arguments: dict[str, Any] = {
            "plans": [self.plan],
            "ports": [self.ports],
            "backwards": [False],
            "steps": 4,
            "rows": 3,
            "lengths": [],
            "threads": 1,
            "by_units": False,
        }

    def __call__(self, **changed: Any) -> None:
        core().run(**{**self.arguments, **changed})

    def with_port(self, place: int, value: int) -> list[list[int]]:
        ports = list(self.ports)
        ports[place] = value
        return [ports]


def test_the_call_that_is_spoiled_is_a_good_one() -> None:
    called = Called()
    called()
    assert (called.output != 0).all()
    assert np.array_equal(called.output[-1], called.last)
    # In numbers that the loop knows, beyond what is written.
    called(lengths=[4, 0, 2], threads=2)
    assert (called.output[2:, 2] == 0).all()
    assert (called.last[1] == 0).all()


ONE_TYPE = "expected one or two plans of one type, and the ports and the direction of each"
COUNTS = "expected at least one time step, sequence and thread"
STRIDE = "the plan was given a tensor with a stride out of range"
OVERLAP = "the plan was given a tensor to write to whose elements overlap"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"plans": [], "ports": [], "backwards": []}, ONE_TYPE),
        ({"ports": []}, ONE_TYPE),
        ({"backwards": [False, True]}, ONE_TYPE),
        ({"steps": 0}, COUNTS),
        ({"steps": 2**31}, COUNTS),
        ({"rows": 0}, COUNTS),
        ({"rows": -3}, COUNTS),
        ({"threads": 0}, COUNTS),
        ({"threads": 2**40}, COUNTS),
        ({"lengths": [4, 4]}, "expected a length for each sequence"),
        ({"lengths": [4, 5, 4]}, "a length is not within the time steps"),
        ({"lengths": [4, -1, 4]}, "a length is not within the time steps"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Called()(**changed)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 0, "the plan was given a tensor without memory"),
        (0, 4097, "the plan was given a tensor whose address is no multiple of its elements' size"),
        (1, -1, STRIDE),
        (2, -1, STRIDE),
        (1, 2**62, STRIDE),
        (4, 2**62, STRIDE),
        (-4, 5, OVERLAP),  # the result's, from the end: address, time, row; then the final state's address and row
        (-4, 2**60, STRIDE),
        (-3, 5, OVERLAP),
        (-1, 0, OVERLAP),
    ],
)
def test_ports_that_do_not_fit_are_refused(place: int, value: int, message: str) -> None:
    called = Called()
    with pytest.raises(ValueError, match=message):
        called(ports=called.with_port(place, value))


def test_other_numbers_of_ports_and_plans_are_refused() -> None:
    called = Called()
    for ports in ([called.ports[:-1]], [[*called.ports, 0]], [[]]):
        with pytest.raises(ValueError, match="the plan was given other tensors than it needs"):
            called(ports=ports)
    with pytest.raises((TypeError, ValueError)):
        called(plans=[None])
    double = core().Plan(recorded("elman", "forward").numbers, recorded("elman", "forward").constants, True)
    with pytest.raises(ValueError, match=ONE_TYPE):
        called(plans=[called.plan, double], ports=[called.ports] * 2, backwards=[False, True])


def test_more_memory_than_there_can_be_is_refused() -> None:
    plan = listing("elman", "training")
    plan.groups = [2**31 for _ in plan.groups]
    called = Called()
    large = core().Plan(plan.encode(), recorded("elman", "training").constants, False)
    ports = [*called.ports[:-2], *(called.ports[-5:-2] * (len(large.needs[3]) - 1)), *called.ports[-2:]]
    for rows in (2**31 - 1, 2**20):
        with pytest.raises(MemoryError):
            called(plans=[large], ports=[ports], rows=rows, steps=2**20)
