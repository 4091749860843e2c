"""From a schedule to a plan: the whole numbers from which the compiled core executes it (`cpp/plan.h`).

A plan knows nothing of cells or derivatives: phases around a loop over time, each a list of products, pointwise
programs and operations that mix units, and sums over time and the batch. Every value is a numbered buffer.

Legend: T steps, B batch, w the width of a vector.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from gatewise.equations.bytecode import LOAD, OPCODES, STORE, Bytecode, Spelling, lower
from gatewise.equations.expr import Expr, weights
from gatewise.equations.schedule import Schedule, Stage

PACK, PROGRAM, FUSED, ROW = range(4)
ROW_OPS = ("mean", "total", "spread", "normalise", "rstd", "repeat", "fold")
STREAM, STATE, VECTOR, CONSTANT, RESULT, CHUNK, TURNS, ONCE, EARLIER = range(9)

Port = tuple[int, int]  # a given tensor's number, and the row from which on it is meant
Places = tuple[tuple[str, tuple[Port, ...]], ...]  # for each parameter the one or two ports whose sum it is


@dataclass(frozen=True, eq=False)
class Plan:
    """A schedule as the core takes it, for some sizes.

    Attributes:
        core: the core's object.
        streams: what is read over time, in the order of the ports; a state's value before the first step has no time.
        states: names of the carried states, in order.
        results: what is written over time `[T, B, w]`, in order.
        parameters: how many ports of parameters there are.
        gradients: how many ports of gradients there are; 0 where nothing is summed.
        summed: the parameters that have a sum.
        work: multiplications of one row in one turn.
        inner: those of them that are in the loop.
    """

    core: Any
    streams: tuple[Expr, ...]
    states: tuple[str, ...]
    results: tuple[Expr, ...]
    parameters: int
    gradients: int
    summed: frozenset[str]
    work: int
    inner: int


def own_places(names: Iterable[str]) -> Places:
    """Each parameter a tensor of its own."""
    return tuple((name, ((k, 0),)) for k, name in enumerate(names))


# A pointwise program: how many products it reads, how many arrays, its instructions, its numbers.
Listing = tuple[int, int, tuple[int, ...], tuple[float, ...]]


@dataclass
class _Buffer:
    source: int
    index: int
    width: int
    update: int
    unit: int


class _Writer:
    """Numbers buffers and writes the phases down."""

    def __init__(
        self,
        schedule: Schedule,
        sizes: Mapping[str, int],
        places: Places,
        earlier: Mapping[Expr, tuple[Expr, Expr]],
        stepwise: bool = False,
    ) -> None:
        self.schedule = schedule
        self.stepwise = stepwise
        self.sizes = sizes
        self.places = dict(places)
        self.earlier = earlier
        self.buffers: list[_Buffer] = []
        self.number: dict[object, int] = {}
        self.streams: list[Expr] = []
        self.vectors: list[list[int]] = []
        self.numbers: list[float] = []
        self.groups: list[int] = []  # widths of the vectors of which chunk buffers are parts
        self.spelled: dict[Expr, Spelling] = {}
        self.starts: dict[Expr, Expr] = {}  # products that are added to others, made before the loop
        self.fronts: dict[Expr, Expr] = {}  # products that are added to others, made by the same sum
        self.programs: list[tuple[str, Listing]] = []
        self.work = 0
        self.inner = 0
        self.summed: frozenset[str] = frozenset()
        self._classify()

    def width(self, expr: Expr) -> int:
        """w."""
        return self.sizes[expr.width] if expr.width is not None else 1

    def _classify(self) -> None:
        """Which nodes change over time, who computes them, and who reads them."""
        schedule = self.schedule
        carried = {leaf for leaf, _ in schedule.carried.values()}
        timed: set[Expr] = {*schedule.given, *schedule.streamed, *carried, *self.earlier}
        moving: set[Expr] = set()
        for node in schedule.nodes():
            if any(arg in timed for arg in node.args):
                timed.add(node)
                moving.add(node)
        self.timed = timed
        inner = {node for stage in schedule.loop for node in stage.nodes}
        # A loop's node that nothing over time flows into (a state that starts anew from a parameter) runs with it.
        timed |= inner
        moving |= inner

        def part(stages: Sequence[Stage], keep: bool) -> list[Stage]:
            found = []
            for stage in stages:
                nodes = tuple(node for node in stage.nodes if (node in moving) == keep)
                if nodes:
                    found.append(Stage(stage.kind, nodes))
            return found

        self.phases = {
            "once": part((*schedule.before, *schedule.after), keep=False),
            "before": part(schedule.before, keep=True),
            "loop": list(schedule.loop),
            "after": part(schedule.after, keep=True),
        }
        self.leaf_of: dict[Expr, list[Expr]] = {}
        for leaf, update in schedule.carried.values():
            self.leaf_of.setdefault(update, []).append(leaf)
        self.factors = {factor for term in schedule.sums for factor in term.factors}
        wanted = set(schedule.results)
        # An update must stand as a vector where it stays for a turn: a state that takes over another's old value, or
        # one number for all units, takes a copy.
        self.held = tuple(
            dict.fromkeys(
                (update, leaf.width)
                for leaf, update in schedule.carried.values()
                if update in carried or (update.width is None and leaf.width is not None and update.op != "constant")
            )
        )
        self.results = tuple(dict.fromkeys(schedule.results))
        self.ends = {*wanted, *self.factors, *(update for _, update in schedule.carried.values())}
        self._move()
        self._index()
        self._fold()
        self._index()
        self.direct = {node for node in wanted if self.home.get(node) not in (None, "once")}
        # Values that no stage computes over time, but that are wanted over time: copied in the loop.
        self.copied = tuple(node for node in schedule.results if node not in self.direct)

    def _index(self) -> None:
        """Which phase computes each node, and which stages read it."""
        self.home = {node: name for name, stages in self.phases.items() for stage in stages for node in stage.nodes}
        self.readers: dict[Expr, set[Stage]] = {}
        for stages in self.phases.values():
            for stage in stages:
                for node in stage.nodes:
                    start = (self.starts[node],) if node in self.starts else ()
                    for arg in (*self.operands(node), *start):
                        self.readers.setdefault(arg, set()).add(stage)

    def operands(self, node: Expr) -> tuple[Expr, ...]:
        """What a node is computed from."""
        if node in self.fronts:
            return (*self.fronts[node].args, *node.args)
        return self.spelled[node][1] if node in self.spelled else node.args

    def _move(self) -> None:
        """Into the loop what only its pointwise stages read of pointwise operations before it.

        There it stays in the nearest cache from where it is made to where it is read.
        """
        before, loop = self.phases["before"], self.phases["loop"]
        users: dict[Expr, set[Expr]] = {}
        for stage in (*before, *loop, *self.phases["after"]):
            for node in stage.nodes:
                for arg in node.args:
                    users.setdefault(arg, set()).add(node)
        place = {node: k for k, stage in enumerate(loop) if stage.kind == "pointwise" for node in stage.nodes}
        moved: list[Expr] = []
        for stage in reversed(before):
            for node in reversed(stage.nodes if stage.kind == "pointwise" else ()):
                readers = users.get(node, set())
                if readers and node not in self.ends and all(reader in place for reader in readers):
                    place[node] = min(place[reader] for reader in readers)
                    moved.append(node)
        gone = set(moved)
        kept = [replace(stage, nodes=tuple(node for node in stage.nodes if node not in gone)) for stage in before]
        self.phases["before"] = [stage for stage in kept if stage.nodes]
        self.phases["loop"] = [
            replace(stage, nodes=(*(node for node in reversed(moved) if place[node] == k), *stage.nodes))
            if any(place[node] == k for node in moved)
            else stage
            for k, stage in enumerate(loop)
        ]

    def _fold(self) -> None:
        """Products to which others are added, made before the loop: those are where the sums begin.

        `(W x + b) + U h` becomes `(W x + U h) + b`, whose first sum is one loop over both vectors. Where every call has
        one step, nothing is gained by making `W x` first: both matrices are packed together. The bits are the same.
        """
        loop = self.phases["loop"]
        ahead = {node: pack for s in self.phases["before"] if s.kind == "matmul" for pack in s.packs for node in pack}
        users: dict[Expr, list[Expr]] = {}
        for stages in self.phases.values():
            for stage in stages:
                for node in stage.nodes:
                    for arg in node.args:
                        users.setdefault(arg, []).append(node)
        gone: set[Expr] = set()
        for stage, following in pairwise(loop):
            if stage.kind != "matmul" or following.kind != "pointwise":
                continue
            inside = set(following.nodes)
            for nodes in stage.packs:
                found: dict[Expr, tuple[Expr, Expr, Expr | None, Expr | None]] = {}
                for product in nodes:
                    total = users.get(product, [])
                    if product in self.ends or len(total) != 1 or total[0].op != "add" or total[0] not in inside:
                        continue
                    other = next((arg for arg in total[0].args if arg is not product), product)
                    if users.get(other) != total or other in self.ends:
                        continue
                    if other in ahead:
                        found[product] = (total[0], other, None, None)
                    elif other in inside and other.op == "add":
                        first = next((arg for arg in other.args if arg in ahead), None)
                        rest = next((arg for arg in other.args if arg is not first), None)
                        if (
                            first is not None
                            and rest is not None
                            and users.get(first) == [other]
                            and first not in self.ends
                        ):
                            found[product] = (total[0], first, rest, other)
                # What the products are added to stands in one vector, in the order in which it was made.
                packs = {ahead[first] for _, first, _, _ in found.values()}
                if len(packs) != 1 or any(first.width != product.width for product, (_, first, _, _) in found.items()):
                    continue
                for product, (total, first, rest, other) in found.items():
                    if self.stepwise:
                        self.fronts[product] = first
                    else:
                        self.starts[product] = first
                    self.spelled[total] = ("detach", (product,)) if rest is None else ("add", (product, rest))
                    if other is not None:
                        gone.add(other)
        self.phases["loop"] = _without(gone, loop)
        self.phases["before"] = _without(set(self.fronts.values()), self.phases["before"])

    # ------------------------------------------------------------------------------------------------------ buffers

    def _add(self, key: object, source: int, index: int, width: int, unit: int, update: int = -1) -> int:
        self.number[key] = len(self.buffers)
        self.buffers.append(_Buffer(source, index, width, update, unit))
        return self.number[key]

    def stream(self, expr: Expr) -> int:
        """The port of what is read over time."""
        if expr not in self.streams:
            self.streams.append(expr)
        return self.streams.index(expr)

    def vector(self, expr: Expr) -> int:
        """The number of a parameter that is a vector."""
        parts = [value for port, row in self.places[str(expr.attr)] for value in (port, row)]
        self.vectors.append([self.width(expr), len(parts) // 2, *parts])
        return len(self.vectors) - 1

    def constant(self, expr: Expr, width: int) -> int:
        """The buffer of a number, as a vector."""
        key = (expr, width)
        if key not in self.number:
            self.numbers.append(float(str(expr.attr)))
            self._add(key, CONSTANT, len(self.numbers) - 1, width, 1)
        return self.number[key]

    def buffer(self, expr: Expr) -> int:
        """The number of a buffer; made on first use."""
        if expr in self.number:
            return self.number[expr]
        width, unit = self.width(expr), int(expr.width is not None)
        if expr in self.earlier:
            after, first = self.earlier[expr]
            return self._add(expr, EARLIER, self.stream(after), width, unit, self.stream(first))
        if expr in self.schedule.given:
            return self._add(expr, STREAM, self.stream(expr), width, unit)
        if expr.op == "parameter":
            return self._add(expr, VECTOR, self.vector(expr), width, unit)
        if expr.op == "constant":
            return self.constant(expr, width)
        home = self.home[expr]
        if home == "once":
            return self._add(expr, ONCE, -1, width, unit)
        if expr in self.direct:
            return self._add(expr, RESULT, self.results.index(expr), width, unit)
        if self._outlives(expr, home):
            return self._group((expr,))
        return self._add(expr, TURNS, -1, width, unit)

    def _group(self, nodes: Sequence[Expr]) -> int:
        """Buffers of a chunk of turns, side by side in one vector; the number of the first."""
        start = 0
        for node in nodes:
            self._add(node, CHUNK, len(self.groups), self.width(node), int(node.width is not None), start)
            start += self.width(node)
        self.groups.append(start)
        return self.number[nodes[0]]

    def _outlives(self, expr: Expr, home: str) -> bool:
        """Whether a value is read outside of the loop, or after more than the next turn."""
        if home != "loop" or expr in self.factors:
            return True
        loop = set(self.phases["loop"])
        read = self.readers.get(expr, set()) - loop
        for leaf in self.leaf_of.get(expr, ()):
            read |= self.readers.get(leaf, set()) - loop
            if leaf in self.factors:
                return True
        return bool(read)

    def carry(self) -> None:
        """The buffers of the carried states, in order, and of what they are after a turn."""
        leaves = [leaf for leaf, _ in self.schedule.carried.values()]
        for k, leaf in enumerate(leaves):
            self._add(leaf, STATE, k, self.width(leaf), 1)
        for update, width in self.held:
            outlives = any(
                leaf in self.factors or self.readers.get(leaf, set()) - set(self.phases["loop"])
                for leaf in self.leaf_of[update]
            )
            size = self.sizes[str(width)]
            if outlives:
                self._add(("held", update, width), CHUNK, len(self.groups), size, 1, 0)
                self.groups.append(size)
            else:
                self._add(("held", update, width), TURNS, -1, size, 1)
        for leaf, update in self.schedule.carried.values():
            if (update, leaf.width) in self.held:
                place = self.number["held", update, leaf.width]
            elif update.op == "constant":
                # The value of states that nothing reads: a vector, since a product may read a state.
                place = self.constant(update, self.width(leaf))
            else:
                place = self.buffer(update)
            self.buffers[self.number[leaf]].update = place

    # ------------------------------------------------------------------------------------------------------- stages

    def copies(self) -> list[list[int]]:
        """Stages that copy what no stage computes to where it is wanted."""
        found = []
        for node in self.copied:
            if node.op == "constant":
                source = self.constant(node, 1)
                self.buffers[source].unit = 0
            else:
                source = self.buffer(node)
            target = self._add(
                ("copy", node), RESULT, self.results.index(node), self.width(node), int(node.width is not None)
            )
            found.append(self._copy(source, target, self.width(node)))
        return found

    def holds(self) -> list[list[int]]:
        """Stages that copy states which are handed on."""
        return [
            self._copy(self.buffer(update), self.number["held", update, width], self.sizes[str(width)])
            for update, width in self.held
        ]

    def _copy(self, source: int, target: int, width: int) -> list[int]:
        load, store = [OPCODES[LOAD], 0, 0, 0, 0], [OPCODES[STORE], 1, 0, 0, 0]
        return [PROGRAM, width, 1, 0, 2, source, target, 0, 0, 2, *load, *store]

    def written(self) -> dict[str, list[list[int]]]:
        """The stages of every phase."""
        return {name: self.stages(name) for name in self.phases}

    def stages(self, name: str) -> list[list[int]]:
        """The stages of a phase."""
        stages, found, position = self.phases[name], [], 0
        while position < len(stages):
            stage = stages[position]
            following = stages[position + 1] if position + 1 < len(stages) else None
            position += 1
            if stage.kind == "pointwise":
                found += [[PROGRAM, *self.program(code, (), name)] for code in self.codes(stage).values()]
            elif stage.kind == "row":
                found += [listing for nodes in _with_scales(stage.packs) for listing in self.rows(nodes)]
            else:
                kinds: dict[object, list[Expr]] = {}
                for node in stage.nodes:
                    kinds.setdefault((node.width, node.op, self.operands(node)), []).append(node)
                packs = [tuple(nodes) for nodes in kinds.values()]
                codes = self.codes(following) if following is not None and following.kind == "pointwise" else {}
                fused = max((pack for pack in packs if pack[0].width in codes), key=len, default=None)
                found += [[PACK, *self.pack(pack, set(pack), name)] for pack in packs if pack is not fused]
                if fused is not None and following is not None:
                    position += 1
                    for width, code in codes.items():
                        if width != fused[0].width:
                            found.append([PROGRAM, *self.program(code, (), name)])
                    elsewhere = {node for node in fused if self._read_elsewhere(node, following)}
                    others = [node for node in following.nodes if node.width != fused[0].width]
                    elsewhere |= {arg for node in others for arg in self.operands(node)}
                    found.append(
                        [
                            FUSED,
                            *self.pack(fused, elsewhere, name),
                            *self.program(codes[fused[0].width], fused, name),
                        ]
                    )
        return found

    def _read_elsewhere(self, node: Expr, stage: Stage) -> bool:
        return node in self.ends or bool(self.readers.get(node, set()) - {stage})

    def codes(self, stage: Stage) -> dict[str | None, Bytecode]:
        """A pointwise stage as one program for each width, single numbers first, which the others read."""
        found: dict[str | None, Bytecode] = {}
        order = sorted(dict.fromkeys(node.width for node in stage.nodes), key=lambda width: width is not None)
        for width in order:
            nodes = tuple(node for node in stage.nodes if node.width == width)
            others = {arg for node in stage.nodes if node.width != width for arg in self.operands(node)}
            others |= {node for node in nodes if self._read_elsewhere(node, stage)}
            code = lower(Stage("pointwise", nodes), others, self.spelled)
            if code.outputs:
                found[width] = code
        return found

    def pack(self, nodes: tuple[Expr, ...], stored: set[Expr], phase: str) -> list[int]:
        """Products of one operand: the matrices, and which products are stored."""
        width = self.width(nodes[0])
        operands = self.operands(nodes[0])
        depths = [self.width(operand) for operand in operands]
        work = width * sum(depths) * len(nodes)
        self.work += work
        self.inner += work if phase == "loop" else 0
        factors = [
            value for operand, depth in zip(operands, depths, strict=True) for value in (self.operand(operand), depth)
        ]
        fresh = [node for node in nodes if node in stored and node not in self.number and node not in self.direct]
        together = [node for node in fresh if self._outlives(node, self.home[node])]
        if phase != "once" and len(together) > 1:
            self._group(together)
        outputs = [self.buffer(node) if node in stored else -1 for node in nodes]
        starts = [self.buffer(self.starts[node]) if node in self.starts else -1 for node in nodes]
        matrices: list[int] = []
        for node in nodes:
            transposed = int(node.op == "matmul_t")
            names = (*weights(self.fronts[node]), *weights(node)) if node in self.fronts else weights(node)
            for name, depth in zip(names, depths, strict=True):
                ((port, row),) = self.places[name]
                columns = width if transposed else depth
                matrices += [port, row * columns, columns, transposed]
        return [width, len(depths), *factors, len(nodes), *outputs, *starts, *matrices]

    def operand(self, expr: Expr) -> int:
        """The buffer of an operand of a product: a vector, also of a number."""
        return self.constant(expr, self.width(expr)) if expr.op == "constant" else self.buffer(expr)

    def program(self, code: Bytecode, products: tuple[Expr, ...], phase: str) -> list[int]:
        """A pointwise program."""
        width = self.width(code.outputs[0])
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
        self.programs.append((phase, (len(products), len(arrays), tuple(listing), code.numbers)))
        first = len(self.numbers)
        self.numbers.extend(code.numbers)
        buffers = [-1] * len(products) + [self.buffer(expr) for expr in arrays[len(products) :]]
        return [
            width, code.registers, len(products), len(buffers), *buffers, first, len(code.numbers),
            len(code.instructions), *listing,
        ]  # fmt: skip

    def rows(self, nodes: tuple[Expr, ...]) -> list[list[int]]:
        """An operation that mixes units, for each width of its results."""
        found = []
        arguments = [self.operand(arg) for arg in nodes[0].args]
        for width in dict.fromkeys(node.width for node in nodes):
            chosen = [node for node in nodes if node.width == width]
            # After a normalisation's parts comes what it divides by.
            last = len(arguments) if nodes[0].op == "normalise" else 0
            indices = [int(str(node.attr)) if node.op == "normalise" else last for node in chosen]
            outputs = [self.buffer(node) for node in chosen]
            opcode = ROW_OPS.index(nodes[0].op)
            found.append([ROW, opcode, len(arguments), *arguments, len(outputs), *outputs, *indices])
        return found

    def sums(self) -> list[list[int]]:
        """What is summed over time and the batch, parameter by parameter."""
        terms: dict[str, list[tuple[Expr, Expr | None]]] = {}
        for term in self.schedule.sums:
            terms.setdefault(term.parameter, []).append((term.adjoint, term.operand))
        self.summed = frozenset(terms)
        found = []
        for name, pairs in terms.items():
            _, operand = pairs[0]
            height = max(self.width(adjoint) for adjoint, _ in pairs)
            width = self.width(operand) if operand is not None else 0
            targets = [value for port, row in self.places[name] for value in (port, row * max(width, 1))]
            listing: list[int] = []
            for left, right in pairs:
                listing.append(self.constant(left, height) if left.op == "constant" else self.buffer(left))
                if right is None:
                    listing.append(-1)
                else:
                    listing.append(self.constant(right, width) if right.op == "constant" else self.buffer(right))
            found.append([height, width, len(targets) // 2, *targets, len(pairs), *listing])
        return found


def _without(nodes: set[Expr], stages: Sequence[Stage]) -> list[Stage]:
    """Stages without some nodes."""
    kept = [replace(stage, nodes=tuple(node for node in stage.nodes if node not in nodes)) for stage in stages]
    return [new if len(new.nodes) < len(old.nodes) else old for new, old in zip(kept, stages, strict=True) if new.nodes]


def without_sums(schedule: Schedule) -> Schedule:
    """The schedule with what its sums read among the results."""
    factors = [factor for term in schedule.sums for factor in term.factors if factor not in schedule.results]
    return replace(schedule, results=(*schedule.results, *dict.fromkeys(factors)), sums=())


def _with_scales(packs: Iterable[tuple[Expr, ...]]) -> list[tuple[Expr, ...]]:
    """Operations that mix units; what normalisations divide by together with them, since it comes out on the way."""
    found = {(nodes[0].op, nodes[0].args): nodes for nodes in packs}
    for op, args in [*found]:
        if op == "rstd" and ("normalise", args) in found:
            found["normalise", args] += found.pop((op, args))
    return list(found.values())


def programs(
    schedule: Schedule, sizes: Mapping[str, int], places: Places, earlier: Mapping[Expr, tuple[Expr, Expr]]
) -> list[tuple[str, Listing]]:
    """The pointwise programs of a plan, each with its phase."""
    writer = _Writer(schedule, sizes, places, earlier)
    writer.carry()
    writer.written()
    return writer.programs


@lru_cache(maxsize=1024)
def plan(
    core: Any,
    schedule: Schedule,
    sizes: tuple[tuple[str, int], ...],
    double: bool,
    places: Places,
    earlier: tuple[tuple[Expr, tuple[Expr, Expr]], ...] = (),
    stepwise: bool = False,
) -> Plan:
    """Number a schedule's buffers and write its phases down as whole numbers; remembered.

    Args:
        core: the compiled core.
        schedule: what to run.
        sizes: what symbolic widths stand for.
        double: whether it computes in float64.
        places: where parameters stand in the tensors that are given.
        earlier: leaves of the forward's states, as values before the steps, that are found from the values after them:
            for each leaf that expression, and the one that stands for the values before the first step.
        stepwise: for calls of one step.
    """
    writer = _Writer(schedule, dict(sizes), places, dict(earlier), stepwise)
    writer.carry()
    phases = writer.written()
    phases["loop"] += [*writer.copies(), *writer.holds()]
    sums = writer.sums()
    ports = max((port for _, parts in places for port, _ in parts), default=-1) + 1
    ints: list[int] = [len(writer.streams), ports, ports if sums else 0, len(writer.groups), *writer.groups]
    ints.append(len(writer.buffers))
    for buffer in writer.buffers:
        ints += [buffer.source, buffer.index, buffer.width, buffer.update, buffer.unit]
    for group in (writer.vectors, *(phases[name] for name in ("once", "before", "loop", "after")), sums):
        ints.append(len(group))
        for listing in group:
            ints += listing
    numbers = np.array(writer.numbers, dtype=np.float64)
    return Plan(
        core=core.Plan(np.array(ints, dtype=np.int64), numbers, double),
        streams=tuple(writer.streams),
        states=tuple(schedule.carried),
        results=writer.results,
        parameters=ports,
        gradients=ports if sums else 0,
        summed=writer.summed,
        work=writer.work + sum(max(1, height) * max(1, width) for height, width, *_ in sums),
        inner=writer.inner,
    )
