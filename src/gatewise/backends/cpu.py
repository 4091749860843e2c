"""The `cpu` backend: the loop of a schedule in the compiled core, everything around it in torch operations.

The core (`cpp/level.cpp`) runs any schedule's loop: products of packed matrices, the pointwise program that follows on
a block of units that stays in the nearest cache, operations that mix units. It knows nothing of cells or derivatives.

Legend: T steps, B batch, w the width of a vector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.backends import reference
from gatewise.backends.call import Call
from gatewise.backends.reference import Engine, Executed, Frame, Looped
from gatewise.equations.bytecode import LOAD, STORE, Bytecode, lower
from gatewise.equations.expr import Expr, weights
from gatewise.equations.schedule import Schedule, Stage
from gatewise.errors import CellError, ConfigurationError


def _load() -> ModuleType | None:
    """The compiled core; None where gatewise was installed without a C++ compiler.

    Raises:
        ConfigurationError: the environment variable GATEWISE_CPU_LEVEL names a level that this processor does not have.
    """
    # By name: an import statement would load `gatewise` itself, which is above this room.
    if find_spec("gatewise._core") is None:
        return None
    module = import_module("gatewise._core")
    try:
        module.level()
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    return module


core = _load()

DTYPES = (torch.float32, torch.float64)
PACK, PROGRAM, FUSED, ROW = range(4)
ROW_OPS = ("mean", "total", "spread", "normalise", "rstd", "repeat", "fold")
# Below this many multiplications a second thread costs more than it brings: measured on 2 cores.
WORTH_A_THREAD = 400_000
# From this many values of a sequence on, one pass in the core beats an operation of torch after the other.
WORTH_A_LOOP = 32_768


def supports(call: Call) -> str | None:
    """None if this backend can run the call, otherwise the reason why not."""
    if core is None:
        return "the compiled core is not there: gatewise was installed without a C++ compiler"
    if call.device != "cpu":
        return f"the compiled core runs on CPUs, not on {call.device}"
    if call.dtype not in DTYPES:
        return f"the compiled core computes in float32 and float64, not in {str(call.dtype).removeprefix('torch.')}"
    return None


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
    """Run a schedule over a batch of sequences; see `gatewise.backends.reference.execute`."""
    return reference.execute(
        schedule, given, parameters, states, sizes, shape=shape, backwards=backwards, groups=groups, engine=_ENGINE
    )


class _Core(Engine):
    """The compiled core: runs loops, and what else goes unit by unit over whole sequences."""

    def around(
        self, schedule: Schedule, sizes: Mapping[str, int], shape: tuple[int, int]
    ) -> tuple[Sequence[Stage | Schedule], Sequence[Stage | Schedule]]:
        """Stages other than products as loops without states, so that a block of units is read and written once."""
        steps, batch = shape
        if steps * batch * max(sizes.values()) < WORTH_A_LOOP:
            return schedule.before, schedule.after
        return _around(schedule)


@lru_cache(maxsize=512)
def _around(schedule: Schedule) -> tuple[tuple[Stage | Schedule, ...], tuple[Stage | Schedule, ...]]:
    timed = {*schedule.given, *schedule.kept}
    readers: dict[Expr, set[Expr]] = {}
    for node in schedule.nodes():
        if any(arg in timed for arg in node.args):
            timed.add(node)
        for arg in node.args:
            readers.setdefault(arg, set()).add(node)
    ends = {*schedule.results, *schedule.streamed, *(update for _, update in schedule.carried.values())}
    ends |= {factor for term in schedule.sums for factor in term.factors}

    def pieces(stages: Sequence[Stage]) -> tuple[Stage | Schedule, ...]:
        found: list[Stage | Schedule] = []
        run: list[Stage] = []

        def close() -> None:
            inside = {node for stage in run for node in stage.nodes}
            read = dict.fromkeys(arg for stage in run for node in stage.nodes for arg in node.args)
            kept = tuple(node for node in inside if node in ends or readers.get(node, set()) - inside)
            if kept:
                order = [node for stage in run for node in stage.nodes if node in kept]
                streamed = tuple(arg for arg in read if arg in timed and arg not in inside)
                found.append(Schedule({}, (), tuple(order), (), (), tuple(run), (), streamed, tuple(order)))
            run.clear()

        for stage in stages:
            moving = tuple(node for node in stage.nodes if node in timed)
            still = tuple(node for node in stage.nodes if node not in timed)
            if stage.kind == "matmul":
                close()
                found.append(stage)
                continue
            if still:  # of parameters alone: once, not in every step
                found.append(Stage(stage.kind, still))
            if moving:
                run.append(Stage(stage.kind, moving))
        close()
        return tuple(found)

    return pieces(schedule.before), pieces(schedule.after)


@dataclass(frozen=True, eq=False)
class _Plan:
    """A schedule's loop as the core takes it, for some sizes.

    Attributes:
        core: the core's object.
        expressions: what each buffer holds.
        updates: for each carried leaf's buffer that of its update.
        inside: what the loop computes.
        over_time: what of it is kept for all time steps.
        turned: what of it is written to two buffers in turns, since the next turn reads one while it writes the other.
        matrices: for each product with packed matrices its nodes.
        work: multiplications of one row in one turn.
    """

    core: Any
    expressions: tuple[Expr, ...]
    updates: Mapping[int, int]
    inside: frozenset[Expr]
    over_time: frozenset[Expr]
    turned: frozenset[Expr]
    matrices: tuple[tuple[Expr, ...], ...]
    work: int


def _width(expr: Expr, sizes: Mapping[str, int]) -> int:
    return sizes[expr.width] if expr.width is not None else 1


@lru_cache(maxsize=512)
def _plan(schedule: Schedule, sizes: tuple[tuple[str, int], ...], double: bool) -> _Plan:
    """Number the loop's buffers and write its stages down as whole numbers."""
    assert core is not None
    widths = dict(sizes)
    inside = {node for stage in schedule.loop for node in stage.nodes}
    updates = {update for _, update in schedule.carried.values()}
    leaves = {leaf for leaf, _ in schedule.carried.values()}
    kept_leaves = {leaf for leaf in schedule.kept if leaf not in inside}
    # A state's values before the steps are those after them, one step later: so those are kept.
    over_time = {node for node in schedule.kept if node in inside}
    over_time |= {update for leaf, update in schedule.carried.values() if leaf in kept_leaves and update in inside}
    # A state that takes over another's old value reaches back two turns, and a buffer written in turns only one.
    handed = {update for _, update in schedule.carried.values() if update in leaves}
    over_time |= {update for leaf, update in schedule.carried.values() if leaf in handed and update in inside}
    number: dict[Expr, int] = {}

    def buffer(expr: Expr) -> int:
        return number.setdefault(expr, len(number))

    for leaf, update in schedule.carried.values():
        buffer(leaf)
        buffer(update)
    ints: list[int] = []
    constants: list[float] = []
    matrices: list[tuple[Expr, ...]] = []
    work = 0

    def pack(nodes: tuple[Expr, ...], read_elsewhere: set[Expr]) -> list[int]:
        nonlocal work
        matrices.append(nodes)
        width = _width(nodes[0], widths)
        depths = [_width(operand, widths) for operand in nodes[0].args]
        work += width * sum(depths) * len(nodes)
        factors = [
            value for operand, depth in zip(nodes[0].args, depths, strict=True) for value in (buffer(operand), depth)
        ]
        outputs = [buffer(node) if node in read_elsewhere else -1 for node in nodes]
        return [width, len(depths), *factors, len(nodes), *outputs]

    def program(code: Bytecode, width: int, products: tuple[Expr, ...]) -> list[int]:
        arrays = [*products, *(expr for expr in code.inputs if expr not in products), *code.outputs]
        place = {expr: k for k, expr in enumerate(arrays[: len(arrays) - len(code.outputs)])}
        stored = {expr: len(arrays) - len(code.outputs) + k for k, expr in enumerate(code.outputs)}
        listing: list[int] = []
        for instruction in code.instructions:
            opcode, target, *operands = instruction.encode()
            if instruction.op == LOAD:
                operands[0] = place[code.inputs[operands[0]]]
            elif instruction.op == STORE:
                target = stored[code.outputs[target - len(code.inputs)]]
            listing += [opcode, target, *operands]
        first = len(constants)
        constants.extend(code.numbers)
        buffers = [-1] * len(products) + [buffer(expr) for expr in arrays[len(products) :]]
        count = len(code.instructions)
        return [
            width, code.registers, len(products), len(buffers), *buffers, first, len(code.numbers), count, *listing
        ]  # fmt: skip

    ends = {*over_time, *updates}
    position = 0
    while position < len(schedule.loop):
        stage = schedule.loop[position]
        readers = [other for other in schedule.loop if other is not stage]
        following = schedule.loop[position + 1] if position + 1 < len(schedule.loop) else None
        if stage.kind == "matmul":
            codes = _codes(following, schedule, ends, widths) if following and following.kind == "pointwise" else {}
            fused = stage.packs[0] if len(stage.packs) == 1 and stage.packs[0][0].width in codes else None
            same = fused is not None and len({node.width for node in fused}) == 1
            if fused is not None and same and following is not None:
                for width, code in codes.items():
                    if width != fused[0].width:
                        ints += [PROGRAM, *program(code, _width(code.outputs[0], widths), ())]
                later = [other for other in readers if other is not following]
                elsewhere = ends | {arg for other in later for node in other.nodes for arg in node.args}
                code = codes[fused[0].width]
                ints += [FUSED, *pack(fused, elsewhere), *program(code, _width(fused[0], widths), fused)]
                position += 2
                continue
            for nodes in stage.packs:
                for width in dict.fromkeys(node.width for node in nodes):
                    part = tuple(node for node in nodes if node.width == width)
                    ints += [PACK, *pack(part, set(part))]
        elif stage.kind == "pointwise":
            for code in _codes(stage, schedule, ends, widths).values():
                ints += [PROGRAM, *program(code, _width(code.outputs[0], widths), ())]
        else:
            for nodes in stage.packs:
                arguments = [buffer(arg) for arg in nodes[0].args]
                indices = [int(str(node.attr)) if node.op == "normalise" else 0 for node in nodes]
                for width in dict.fromkeys(node.width for node in nodes):
                    chosen = [k for k, node in enumerate(nodes) if node.width == width]
                    outputs = [buffer(nodes[k]) for k in chosen]
                    ints += [ROW, ROW_OPS.index(nodes[0].op), len(arguments), *arguments, len(outputs), *outputs]
                    ints += [indices[k] for k in chosen]
        position += 1
    plan = core.Plan(np.array(ints, dtype=np.int64), np.array(constants, dtype=np.float64), len(number), double)
    return _Plan(
        core=plan,
        expressions=tuple(number),
        updates={number[leaf]: number[update] for leaf, update in schedule.carried.values()},
        inside=frozenset(inside),
        over_time=frozenset(over_time),
        turned=frozenset(updates & inside - over_time),
        matrices=tuple(matrices),
        work=work,
    )


def _codes(stage: Stage, schedule: Schedule, ends: set[Expr], widths: Mapping[str, int]) -> dict[str | None, Bytecode]:
    """A pointwise stage as one program for each width, single numbers first, which the others read."""
    found: dict[str | None, Bytecode] = {}
    order = sorted(dict.fromkeys(node.width for node in stage.nodes), key=lambda width: width is not None)
    for width in order:
        nodes = tuple(node for node in stage.nodes if node.width == width)
        others = {arg for node in stage.nodes if node.width != width for arg in node.args}
        others |= {arg for other in schedule.loop if other is not stage for node in other.nodes for arg in node.args}
        code = lower(Stage("pointwise", nodes), ends | others)
        if code.outputs:
            found[width] = code
    return found


def _loop(frame: Frame) -> Looped:
    """The loop of a schedule, in the core."""
    schedule, sizes, example = frame.schedule, frame.sizes, frame.constants.example
    double = example.dtype == torch.float64
    plan = _plan(schedule, tuple(sorted(sizes.items())), double)
    steps, batch = frame.shape
    alive: list[Tensor] = []  # whatever the core is given the address of
    buffers = _Buffers(frame, plan)
    table = np.zeros((len(plan.expressions), 7), dtype=np.int64)
    for k, expr in enumerate(plan.expressions):
        table[k] = (*buffers.place(expr), plan.updates.get(k, -1), _width(expr, sizes))
    addresses = [_packed(frame, nodes, double, alive) for nodes in plan.matrices]
    threads = min(torch.get_num_threads(), max(1, plan.work * batch * steps // WORTH_A_THREAD))
    if batch > 0:  # an empty tensor has no address
        plan.core.run(table, np.array(addresses, dtype=np.int64), steps, batch, frame.backwards, threads)
    final = {
        name: buffers.at(update, steps - 1).expand(frame.states[name].shape).clone()
        for name, (_, update) in schedule.carried.items()
    }
    return Looped({node: buffers.sequence(node) for node in schedule.kept}, final)


class _Buffers:
    """The memory of a loop's values: what is given, and what the core writes."""

    def __init__(self, frame: Frame, plan: _Plan) -> None:
        self.frame = frame
        self.plan = plan
        self.tensors: dict[Expr, Tensor] = {}
        self.carried = {leaf: (name, update) for name, (leaf, update) in frame.schedule.carried.items()}

    def place(self, expr: Expr) -> tuple[int, int, int, int, int]:
        """Address, strides of time, row and unit, and the distance of the two halves that are written in turns."""
        frame, plan = self.frame, self.plan
        (steps, batch), width = frame.shape, _width(expr, frame.sizes)
        example = frame.constants.example
        time, row, unit, turn = 0, width, int(expr.width is not None), 0
        if expr in self.carried:
            tensor = frame.states[self.carried[expr][0]].contiguous()
        elif expr in plan.over_time:
            tensor = example.new_empty(steps, batch, width)
            time = batch * width
        elif expr in plan.turned:
            tensor = example.new_empty(2, batch, width)
            turn = batch * width
        elif expr in plan.inside:
            tensor = example.new_empty(batch, width)
        elif expr.op == "constant":
            # The value of states that nothing reads: laid out as a vector, since a product may read a state.
            widest = max(_width(leaf, frame.sizes) for leaf, (_, update) in self.carried.items() if update is expr)
            tensor = frame.value(expr).expand(widest).contiguous()
            row, unit = 0, 1
        elif expr in frame.schedule.streamed:
            tensor = frame.values[expr].detach()
            if tensor.stride(-1) != 1 and width > 1:
                tensor = tensor.contiguous()
            time, row = tensor.stride(0), tensor.stride(1)
        else:
            tensor = frame.value(expr).detach().contiguous()
            row, unit = 0, int(tensor.dim() > 0 and expr.width is not None)
        # The core reads what it is told to: nothing with another type or size may reach it.
        needed = (1,) if tensor.dim() == 0 else (width,) if row == 0 else (batch, width)
        fits = tensor.dtype == example.dtype and tuple(tensor.shape[-len(needed) :] or (1,)) == needed
        if not fits and expr.op != "constant":
            raise CellError(
                f"`{expr!r}` [{', '.join(map(str, needed))}] of {example.dtype} was given as {list(tensor.shape)} of "
                f"{tensor.dtype}"
            )
        self.tensors[expr] = tensor
        return tensor.data_ptr(), time, row, unit, turn

    def at(self, expr: Expr, turn: int) -> Tensor:
        """A value `[B, w]` (or without B) after the turn, one of the last two where it was written in turns."""
        steps, _ = self.frame.shape
        while expr in self.carried:  # a state taken over from another, or left as it was
            name, update = self.carried[expr]
            if turn == 0:
                return self.frame.states[name]
            expr, turn = update, turn - 1
        time = steps - 1 - turn if self.frame.backwards else turn
        if expr in self.plan.over_time:
            return self.tensors[expr][time]
        if expr in self.plan.turned:
            return self.tensors[expr][turn & 1]
        return self.frame.values[expr][time] if expr in self.frame.schedule.streamed else self.frame.value(expr)

    def sequence(self, expr: Expr) -> Tensor:
        """A value over time `[T, B, w]`; of a carried state its values before each step."""
        if expr not in self.carried:
            if expr in self.plan.over_time:
                return self.tensors[expr]
            return self.frame.value(expr).expand(*self.frame.shape, _width(expr, self.frame.sizes))
        name, update = self.carried[expr]
        first, steps = self.frame.states[name], self.frame.shape[0]
        if update in self.carried:
            turns = [self.at(expr, turn).expand(first.shape) for turn in range(steps)]
            return torch.stack(turns[::-1] if self.frame.backwards else turns)
        after = self.sequence(update).expand(steps, *first.shape)
        start = first.unsqueeze(0)
        return torch.cat([after[1:], start] if self.frame.backwards else [start, after[:-1]])


def _packed(frame: Frame, nodes: tuple[Expr, ...], double: bool, alive: list[Tensor]) -> int:
    """The matrices of products with common operands in the order in which the core reads them: the address."""
    assert core is not None
    given = [[frame.constants.parameters[name].detach() for name in weights(node)] for node in nodes]
    given = [[matrix if matrix.stride(1) == 1 else matrix.contiguous() for matrix in row] for row in given]
    transposed = nodes[0].op == "matmul_t"
    flat = [matrix for row in given for matrix in row]
    depths = [matrix.shape[0 if transposed else 1] for matrix in given[0]]
    width = given[0][0].shape[1 if transposed else 0]
    for node, row in zip(nodes, given, strict=True):
        for matrix, operand in zip(row, node.args, strict=True):
            ends = (_width(node, frame.sizes), _width(operand, frame.sizes))
            shape = ends[::-1] if transposed else ends
            if matrix.dtype != frame.constants.example.dtype or tuple(matrix.shape) != shape:
                raise CellError(f"a matrix of `{node!r}` was given as {list(matrix.shape)} of {matrix.dtype}")
    packed = frame.constants.example.new_empty(core.packed_size(len(nodes), width, sum(depths), double))
    alive += [*flat, packed]
    ints = [np.array(values, dtype=np.int64) for values in (
        [matrix.data_ptr() for matrix in flat],
        [matrix.stride(0) for matrix in flat],
        [int(transposed)] * len(flat),
        depths,
    )]  # fmt: skip
    core.pack(*ints, len(nodes), width, packed.data_ptr(), double)
    return packed.data_ptr()


_ENGINE = _Core(_loop)
