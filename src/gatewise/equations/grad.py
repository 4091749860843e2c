"""The reverse sweep: from a step to its backward, which is written in the same language.

The backward of one time step reads values of the forward step (whose nodes appear in it as they are), the gradient that
the following step handed back for each state, and the gradient from outside for each value that is given out. It makes
the gradient for each state before the step, for each input, and for each parameter what has to be summed over time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatewise.equations import rows
from gatewise.equations.expr import LEAVES, ROWS, Expr, input, state, topological, transposed
from gatewise.equations.ops import TABLE
from gatewise.equations.rows import total
from gatewise.equations.simplify import simplify
from gatewise.equations.step import Step


@dataclass(frozen=True, eq=False)
class Sum:
    """What a parameter's gradient sums over all steps and the batch.

    Attributes:
        parameter: its name.
        adjoint: for a vector the summand `[w]`; for a matrix `[rows, columns]` the left factor `[rows]` ...
        operand: ... of the outer product with this `[columns]`; None for a vector.
    """

    parameter: str
    adjoint: Expr
    operand: Expr | None

    @property
    def factors(self) -> tuple[Expr, ...]:
        """The expressions that the sum reads."""
        return (self.adjoint,) if self.operand is None else (self.adjoint, self.operand)


@dataclass(frozen=True, eq=False)
class Backward:
    """The backward of a step.

    Attributes:
        carried: for each state its leaf: the gradient for the state's value after the step, from the step that follows.
        given: for each value that is given out its leaf: the gradient from outside.
        states: for each state the gradient for its value before the step; None where none flows.
        inputs: for each input that was asked for the gradient; None where none flows.
        sums: what parameters' gradients are made of.
    """

    carried: Mapping[str, Expr]
    given: Mapping[str, Expr]
    states: Mapping[str, Expr | None]
    inputs: Mapping[str, Expr | None]
    sums: tuple[Sum, ...]


def derive(step: Step, emit: Sequence[str] | None = None, inputs: Iterable[str] | None = None) -> Backward:
    """The backward of a step.

    Args:
        step: the traced cell.
        emit: names of states or observed values that are given out, whose gradients come from outside; by default the
            step's output.
        inputs: names of the inputs whose gradient is wanted; by default all that are differentiable.

    Raises:
        CellError: `emit` names a value that the step does not have.

    >>> from gatewise.equations import linear, tanh, trace
    >>> from gatewise.equations.formula import spell
    >>> elman = trace("Elman", lambda x, h: {"h": tanh(linear("h", x, h))}, inputs={"x": "X"}, states={"h": "H"})
    >>> print(spell(derive(elman).states["h"]))
    U_h.T @ ((∂h + ∇h) * (1 - square(tanh(W_h @ x + b_h + U_h @ h))))
    """
    emitted = tuple(emit) if emit is not None else (step.output,)
    wanted = set(step.inputs) - step.undifferentiated if inputs is None else set(inputs) - step.undifferentiated
    # The signs keep these leaves apart from any name that a cell can give.
    carried = {name: state(f"∂{name}", str(leaf.width)) for name, leaf in step.states.items()}
    given = {name: input(f"∇{name}", step.sequence(name).width) for name in emitted}
    adjoints: dict[Expr, Expr] = {}
    sums: list[Sum] = []

    def give(node: Expr, gradient: Expr | None) -> None:
        if gradient is None or node.op == "constant":
            return
        if node.width is None and gradient.width is not None:
            gradient = total(gradient)  # one number that all units have read
        known = adjoints.get(node)
        adjoints[node] = gradient if known is None else known + gradient

    for name, update in step.updates.items():
        give(update, carried[name])
    for name, gradient in given.items():
        give(step.sequence(name), gradient)
    order = topological([*(step.sequence(name) for name in emitted), *step.updates.values()])
    together: dict[tuple[Expr, ...], list[Expr]] = {}
    for node in order:
        if node.op == "normalise":
            together.setdefault(node.args, []).append(node)
    for node in reversed(order):
        if node.op == "normalise" and node is together[node.args][0]:
            # The first of the parts that are normalised together, at which the sweep has the gradients of all of them.
            found = {int(str(part.attr)): adjoints[part] for part in together[node.args] if part in adjoints}
            if found:
                for arg, part in zip(node.args, rows.normalise_adjoints(node.args, found), strict=True):
                    give(arg, part)
            continue
        gradient = adjoints.get(node)
        if gradient is None or node.op == "normalise":
            continue
        if node.op == "parameter":
            sums.append(Sum(str(node.attr), gradient, None))
        elif node.op == "matmul":
            (operand,) = node.args
            sums.append(Sum(str(node.attr), gradient, operand))
            give(operand, transposed([str(node.attr)], [gradient], str(operand.width)))
        elif node.op not in LEAVES:
            operation = (rows.TABLE if node.op in ROWS else TABLE)[node.op]
            for arg, part in zip(node.args, operation.derivative(node, gradient), strict=True):
                give(arg, part)

    states = {name: adjoints.get(leaf) for name, leaf in step.states.items()}
    gradients = {name: adjoints.get(leaf) for name, leaf in step.inputs.items() if name in wanted}
    roots = [*states.values(), *gradients.values(), *(factor for term in sums for factor in term.factors)]
    # What the forward computed stays as it is, so that it is recognised; the rest is simplified around it.
    simple = simplify((root for root in roots if root is not None), fixed=order)
    return Backward(
        carried=carried,
        given=given,
        states={name: None if root is None else simple[root] for name, root in states.items()},
        inputs={name: None if root is None else simple[root] for name, root in gradients.items()},
        sums=tuple(
            Sum(term.parameter, simple[term.adjoint], term.operand)
            for term in sorted(sums, key=lambda term: list(step.parameters).index(term.parameter))
        ),
    )
