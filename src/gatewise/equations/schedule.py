"""When each part of a step runs: before the loop over time, in it, or after it; by reachability, not annotation.

What depends on no state leaves the loop to the front (`W x` becomes one product over all time steps), what feeds no
state leaves it to the back (outputs, and the products that make up the parameters' gradients). What remains is cut at
its barriers into stages: a projected LSTM, for instance, is matmul, pointwise, matmul. The same rules serve a step
forward in time and its backward against time.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from gatewise.equations.expr import BARRIERS, LEAVES, PRODUCTS, ROWS, Expr, topological, weights
from gatewise.equations.grad import Sum

Kind = Literal["matmul", "row", "pointwise"]


@dataclass(frozen=True, eq=False)
class Stage:
    """Nodes that can run one after the other without waiting for all units of a vector.

    Attributes:
        kind: "matmul" (products with a matrix), "row" (other operations that mix units), or "pointwise".
        nodes: in an order in which operands come first; in a barrier stage they do not read one another.
    """

    kind: Kind
    nodes: tuple[Expr, ...]

    @cached_property
    def packs(self) -> tuple[tuple[Expr, ...], ...]:
        """The nodes of a barrier stage, those with common operands together: products of joined matrices are one."""
        found: dict[tuple[tuple[Expr, ...], str], list[Expr]] = {}
        for node in self.nodes:
            found.setdefault((node.args, node.op), []).append(node)
        return tuple(tuple(pack) for pack in found.values())

    def __str__(self) -> str:
        if self.kind != "matmul":
            return f"{self.kind} {len(self.nodes)}"
        # Between commas products of one operand, which are one packed product; between plus signs the terms of a sum.
        return f"matmul {'; '.join(','.join('+'.join(weights(node)) for node in pack) for pack in self.packs)}"


@dataclass(frozen=True, eq=False)
class Schedule:
    """A loop over time, cut into what runs before, in and after it.

    Attributes:
        carried: for each state the leaf that stands for its value when a turn of the loop begins, and the expression
            that is its value when the turn ends.
        given: expressions whose values over time come from outside.
        results: expressions whose values over time are wanted.
        sums: what is summed over time and the batch.
        before: stages over the whole sequence, before the loop.
        loop: stages of one time step.
        after: stages over the whole sequence, after the loop.
        streamed: expressions that the loop reads from outside, one time step at a time.
        kept: expressions that the loop computes or carries and that are read after it, over time.
    """

    carried: Mapping[str, tuple[Expr, Expr]]
    given: tuple[Expr, ...]
    results: tuple[Expr, ...]
    sums: tuple[Sum, ...]
    before: tuple[Stage, ...]
    loop: tuple[Stage, ...]
    after: tuple[Stage, ...]
    streamed: tuple[Expr, ...]
    kept: tuple[Expr, ...]

    def nodes(self) -> Iterator[Expr]:
        """All computed nodes, stage by stage."""
        for stage in (*self.before, *self.loop, *self.after):
            yield from stage.nodes

    def __str__(self) -> str:
        rows = [("before", self.before), ("loop", self.loop), ("after", self.after)]
        lines = [f"{name}: {' | '.join(map(str, stages))}" for name, stages in rows if stages]
        if self.sums:
            lines.append("sums: " + ", ".join(dict.fromkeys(term.parameter for term in self.sums)))
        return "\n".join(lines)


def schedule(
    carried: Mapping[str, tuple[Expr, Expr]],
    given: Iterable[Expr],
    results: Iterable[Expr],
    sums: Sequence[Sum] = (),
    first: Iterable[Expr] = (),
) -> Schedule:
    """Cut a loop over time into stages.

    Args:
        carried: for each state its leaf and its value after a turn of the loop.
        given: expressions whose values over time come from outside; what they are made of is not looked at.
        results: expressions whose values over time are wanted.
        sums: what is summed over time and the batch.
        first: expressions whose nodes come first where the order is free.

    >>> from gatewise.equations import linear, tanh, trace
    >>> step = trace("Elman", lambda x, h: {"h": tanh(linear("h", x, h))}, inputs={"x": "X"}, states={"h": "H"})
    >>> carried = {"h": (step.states["h"], step.updates["h"])}
    >>> print(schedule(carried, step.inputs.values(), [step.updates["h"]]))
    before: matmul W_h | pointwise 1
    loop: matmul U_h | pointwise 2
    """
    outside = dict.fromkeys(given)
    wanted = tuple(dict.fromkeys(results))
    updates = [update for _, update in carried.values()]
    leaves = {leaf for leaf, _ in carried.values()}
    roots = [*updates, *wanted, *(factor for term in sums for factor in term.factors)]
    reached = set(topological(roots, outside))
    order = [node for node in topological([*first, *roots], outside) if node in reached]
    computed = [node for node in order if node.op not in LEAVES and node not in outside]

    stateful = _reached_from(order, leaves, outside)
    feeding = set(topological(updates, outside))
    # What a normalisation divides by comes out on its way: the two are never apart.
    divided = {node.args for node in computed if node.op == "normalise" and node in stateful and node in feeding}
    needed = {node for node in computed if node in feeding or (node.op == "rstd" and node.args in divided)}
    inner = [node for node in computed if node in stateful and node in needed]
    inside = set(inner)
    # What is read by the loop, or handed from turn to turn without having been computed in it.
    read = {arg for node in inner for arg in node.args} | set(updates)
    ahead = set(topological([node for node in computed if node in read and node not in inside], outside))
    divided = {node.args for node in ahead if node.op == "normalise"}
    ahead |= {node for node in computed if node.op == "rstd" and node.args in divided}
    before = [node for node in computed if node in ahead and node not in inside]
    outer = set(before) | inside
    after = [node for node in computed if node not in outer]
    late = {arg for node in after for arg in node.args} | set(wanted) | {f for term in sums for f in term.factors}
    timed = _reached_from(order, outside, outside)
    return Schedule(
        carried=dict(carried),
        given=tuple(outside),
        results=wanted,
        sums=tuple(sums),
        before=_stages(before),
        loop=_stages(inner),
        after=_stages(after),
        streamed=tuple(node for node in order if node in read and node in timed and node not in inside),
        kept=tuple(node for node in order if node in late and (node in inside or node in leaves)),
    )


def _reached_from(order: Iterable[Expr], leaves: Collection[Expr], cut: Collection[Expr]) -> set[Expr]:
    """Of ordered nodes, those into which one of the leaves flows (the leaves included)."""
    found: set[Expr] = set()
    for node in order:
        if node in leaves or (node not in cut and any(arg in found for arg in node.args)):
            found.add(node)
    return found


def _stages(nodes: Sequence[Expr]) -> tuple[Stage, ...]:
    """Ordered nodes, cut at barriers: as few stages as there can be, each node as late as it can run.

    As late as possible, because products whose results are needed at different times then meet in one stage; products
    with a common operand stay together, with the earliest of them, since packed they are one product. So do a
    normalisation and what it divides by.
    """
    inside = set(nodes)
    early: dict[Expr, int] = {}  # even levels are pointwise, odd ones barriers
    for node in nodes:
        before = [early[arg] for arg in node.args if arg in inside]
        if node.op in BARRIERS:
            early[node] = max((level + 1 + level % 2 for level in before), default=1)
        else:
            early[node] = max((level + level % 2 for level in before), default=0)
    last = max(early.values(), default=0)

    users: dict[Expr, list[Expr]] = {node: [] for node in nodes}
    for node in nodes:
        for arg in node.args:
            if arg in inside:
                users[arg].append(node)
    together: dict[tuple[tuple[Expr, ...], str], list[Expr]] = {}
    for node in nodes:
        if node.op in BARRIERS:
            together.setdefault(_company(node), []).append(node)

    late: dict[Expr, int] = {}
    # Users come first here; a pack moves to its earliest member, which only what it reads (still to come) can feel.
    for node in reversed(nodes):
        barrier = node.op in BARRIERS
        top = last if barrier == bool(last % 2) else last - 1
        levels_of_users = [late[user] for user in users[node]]
        late[node] = min((level - level % 2 - barrier for level in levels_of_users), default=top)
        if barrier:
            placed = [member for member in together[_company(node)] if member in late]
            late.update(dict.fromkeys(placed, min(late[member] for member in placed)))

    levels: dict[tuple[int, int], list[Expr]] = {}
    for node in nodes:
        kind = 0 if node.op in PRODUCTS else 1 if node.op in ROWS else 2
        levels.setdefault((late[node], kind), []).append(node)
    kinds: tuple[Kind, ...] = ("matmul", "row", "pointwise")
    return tuple(
        Stage(kinds[kind], tuple(members)) for (_, kind), members in sorted(levels.items(), key=lambda i: i[0])
    )


def _company(node: Expr) -> tuple[tuple[Expr, ...], str]:
    """What barriers that stay together have in common."""
    return node.args, "normalise" if node.op == "rstd" else node.op
