"""A program: a step with its backward, both scheduled, and what the one saves for the other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gatewise.equations.expr import BARRIERS, LEAVES, Expr, constant, topological
from gatewise.equations.formula import spell
from gatewise.equations.grad import Backward, derive
from gatewise.equations.ops import TABLE
from gatewise.equations.schedule import Schedule, schedule
from gatewise.equations.step import Step


@dataclass(frozen=True, eq=False)
class Program:
    """What a backend executes.

    Forward, the values over time of `sequences` are computed: what is given out, the states that the backward reads,
    and what else is saved for it. Backward, `reverse.given` are those values, the inputs, the states before each step,
    and the gradients from outside.

    Attributes:
        step: the equations.
        emit: for each name that is given out its expression.
        sequences: all expressions whose values over time the forward makes, each once.
        forward: the forward without what only the backward needs: its results are those of `emit`.
        training: the forward that makes all of `sequences`.
        previous: the states whose value before the step the backward reads.
        read: the inputs that the backward reads.
        saved: what is computed only in order to be saved, besides states and what is given out.
        derived: the backward in the language.
        reverse: the backward, scheduled; its loop runs against time.
    """

    step: Step
    emit: Mapping[str, Expr]
    sequences: tuple[Expr, ...]
    forward: Schedule
    training: Schedule
    previous: tuple[str, ...]
    read: tuple[str, ...]
    saved: tuple[Expr, ...]
    derived: Backward
    reverse: Schedule

    def __str__(self) -> str:
        names = {expr: name for name, expr in self.step.observed.items()}
        names |= {expr: f"{name}'" for name, expr in self.step.updates.items()}
        kept = [names.get(node) or spell(node, names) for node in self.saved]
        states = [name for name in self.previous if self.step.updates[name] not in self.emit.values()]
        indented = [f"  {line}" for line in str(self.training).splitlines()]
        lines = [
            "forward",
            *indented,
            f"saved for backward: {', '.join([*states, *kept]) or 'nothing more'}",
            "backward",
        ]
        return "\n".join([*lines, *(f"  {line}" for line in str(self.reverse).splitlines())])


@lru_cache(maxsize=512)
def compile(step: Step, emit: Sequence[str] | None = None, inputs: Sequence[str] | None = None) -> Program:
    """Differentiate and schedule a step.

    Args:
        step: the traced cell.
        emit: a tuple of names of states or observed values that are given out; by default the step's output.
        inputs: a tuple of names of inputs whose gradient is wanted; by default all that are differentiable.

    Raises:
        CellError: `emit` names a value that the step does not have.

    >>> from gatewise.cells import LSTMP
    >>> print(compile(LSTMP().trace()))
    forward
      before: matmul W_i,W_f,W_z,W_o | pointwise 4
      loop: matmul U_i,U_f,U_z,U_o | pointwise 13 | matmul P
    saved for backward: c, i, f, z, o, tanh(c')
    backward
      before: pointwise 10
      loop: pointwise 1 | matmul P | pointwise 12 | matmul U_z+U_i+U_f+U_o
      after: pointwise 1 | matmul W_z+W_i+W_f+W_o
      sums: W_i, b_i, U_i, W_f, b_f, U_f, W_z, b_z, U_z, W_o, b_o, U_o, P
    """
    names = tuple(emit) if emit is not None else (step.output,)
    emitted = {name: step.sequence(name) for name in names}
    # Two names of one value are one sequence: one gradient comes back for it.
    unique: dict[Expr, str] = {}
    for name, expr in emitted.items():
        unique.setdefault(expr, name)
    derived = derive(step, tuple(unique.values()), inputs)

    first_nodes = (*step.observed.values(), *step.updates.values())  # as the equations are written
    order = topological([*first_nodes, *emitted.values()])
    order = topological([*order, *_scales(derived, set(order))])
    saved = worth_saving(read_of_forward(derived, set(order)), {*emitted.values(), *step.updates.values()})
    needed = [node for node in order if node in saved]
    previous = tuple(name for name, leaf in step.states.items() if leaf in needed)
    read = tuple(name for name, leaf in step.inputs.items() if leaf in needed)
    states = [step.updates[name] for name in previous]
    sequences = tuple(dict.fromkeys([*emitted.values(), *states, *(n for n in needed if n.op not in LEAVES)]))
    known = {*emitted.values(), *states}

    carried = {name: (leaf, step.updates[name]) for name, leaf in step.states.items()}
    given = [node for node in needed if node.op != "state"]
    before = [step.states[name] for name in previous]
    gradients = [gradient for gradient in derived.inputs.values() if gradient is not None]
    return Program(
        step=step,
        emit=emitted,
        sequences=sequences,
        forward=schedule(carried, step.inputs.values(), emitted.values(), first=first_nodes),
        training=schedule(carried, step.inputs.values(), sequences, first=first_nodes),
        previous=previous,
        read=read,
        saved=tuple(node for node in sequences if node not in known),
        derived=derived,
        reverse=schedule(
            {
                # A state that nothing reads hands no gradient back.
                name: (derived.carried[name], constant(0.0) if gradient is None else gradient)
                for name, gradient in derived.states.items()
            },
            [*derived.given.values(), *before, *given],
            gradients,
            derived.sums,
        ),
    )


def _scales(derived: Backward, forward: set[Expr]) -> list[Expr]:
    """What the forward's normalisations divide by, where the backward reads it.

    The forward has it at hand: it is saved in the place of the vectors, several times as large, that it comes from.
    """
    roots = [gradient for gradient in (*derived.states.values(), *derived.inputs.values()) if gradient is not None]
    roots += [factor for term in derived.sums for factor in term.factors]
    return [node for node in topological(roots) if node.op == "rstd" and forward.issuperset(node.args)]


def read_of_forward(derived: Backward, forward: set[Expr]) -> list[Expr]:
    """The nodes of the forward at which the backward's own expressions end."""
    gradients = [*derived.states.values(), *derived.inputs.values()]
    roots = [gradient for gradient in gradients if gradient is not None]
    roots += [factor for term in derived.sums for factor in term.factors]
    found: dict[Expr, None] = {}
    seen: set[Expr] = set()
    pending = list(reversed(roots))
    while pending:
        node = pending.pop()
        if node in forward:
            found[node] = None
        elif node not in seen:
            seen.add(node)
            pending.extend(reversed(node.args))
    return list(found)


def worth_saving(reads: Iterable[Expr], free: set[Expr]) -> set[Expr]:
    """What to save so that all of `reads` can be had: inputs, states, barriers' results, and what is costly to compute.

    Everything else is computed again from these; the expressions in `free` are stored over time in any case.
    """
    found: set[Expr] = set()
    seen: set[Expr] = set()
    pending = list(reads)
    while pending:
        node = pending.pop()
        if node in seen or node.op in ("constant", "parameter"):
            continue
        seen.add(node)
        if node.op in LEAVES or node in free or node.op in BARRIERS or TABLE[node.op].costly:
            found.add(node)
        else:
            pending.extend(node.args)
    return found
