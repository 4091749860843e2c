"""A step of two dimensions: states are read at the neighbour above and at the neighbour to the left.

A position of a grid (an image) has two predecessors where a time step has one. A grid's step is therefore written with
the neighbours' states as inputs, `h_up`, `c_up`, `h_left`, `c_left`, and everything else is derived as for a loop over
time: its *net inputs*, sums of products of `x`, `h_up` and `h_left` and a bias, are what a kernel multiplies matrices
for; what is left, a pointwise step over net inputs, is differentiated by `gatewise.equations.grad`.

Legend: G net inputs, M other vectors that are trained (peepholes), N states besides the output.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gatewise.equations.bytecode import Bytecode, lower
from gatewise.equations.expr import BARRIERS, LEAVES, Expr, input, intern, rebuild, state, topological
from gatewise.equations.grad import Backward, derive
from gatewise.equations.program import read_of_forward, worth_saving
from gatewise.equations.schedule import Stage
from gatewise.equations.step import Parameter, Step, parameters, trace
from gatewise.errors import CellError

UP, LEFT = "_up", "_left"


@dataclass(frozen=True, eq=False)
class Net:
    """A net input: `W x + b + U h_up + V h_left`.

    Attributes:
        leaf: what stands for it in the pointwise step.
        matrices: the names of W, U and V.
        bias: the name of b.
    """

    leaf: Expr
    matrices: tuple[str, str, str]
    bias: str


@dataclass(frozen=True, eq=False)
class GridProgram:
    """What a kernel that walks a grid executes at each position.

    Attributes:
        step: the equations, with `x` and the neighbours' states as inputs.
        nets: the net inputs.
        vectors: trained vectors of the pointwise step.
        inner: the pointwise step, whose inputs are net inputs and the neighbours' states other than the output.
        states: the states other than the output.
        saved: what the forward saves for the backward besides states.
        forward: inference, lowered: makes all states.
        training: makes all states and `saved`.
        derived: the gradient of the pointwise step.
        gradients: what the backward makes: for each net input, then for each vector what is summed.
        handed: for each of `states` the gradients for it at the neighbour above and to the left.
        reverse: the backward, lowered; it reads `upstream`, `product` and for each of `states` `below` and `right`.
    """

    step: Step
    nets: tuple[Net, ...]
    vectors: tuple[str, ...]
    inner: Step
    states: tuple[str, ...]
    saved: tuple[Expr, ...]
    forward: Bytecode
    training: Bytecode
    derived: Backward
    gradients: tuple[Expr, ...]
    handed: tuple[tuple[Expr, Expr], ...]
    reverse: Bytecode

    @property
    def output(self) -> str:
        """The name of the state that is given out."""
        return self.step.output

    def __str__(self) -> str:
        kept = ", ".join([*self.states, *(repr(node) for node in self.saved)])
        return f"{self.step}\nnet inputs: {len(self.nets)}\nsaved for backward: {kept}"


def upstream(name: str) -> Expr:
    """The gradient from outside for the output."""
    return input(f"∇{name}", "H")


def product(name: str) -> Expr:
    """The gradient for the output from the net inputs of the neighbours below and to the right."""
    return input(f"@product_{name}", "H")


def below(name: str) -> Expr:
    """The gradient for a state that the neighbour below hands back."""
    return input(f"@below_{name}", "H")


def right(name: str) -> Expr:
    """The gradient for a state that the neighbour to the right hands back."""
    return input(f"@right_{name}", "H")


def trace_grid(name: str, function: Callable[..., object], states: Sequence[str], observed: Sequence[str] = ()) -> Step:
    """Call `function` once on symbolic leaves and check that a grid can be walked with what it returns.

    Args:
        name: of the cell, for messages.
        function: takes `x` and, for each state `s`, `s_up` and `s_left`, by keyword; returns a mapping with the value
            of every state at this position, and of observed values besides.
        states: the names of the states `[H]`; the one called "h" is the output.
        observed: names of values that may be returned besides.

    Raises:
        CellError: the equations cannot be traced, or are none of a grid; the message shows the expression.
    """
    neighbours = {f"{key}{side}": "H" for key in states for side in (UP, LEFT)}

    def step(**leaves: Expr) -> object:
        return function(**{key: leaf for key, leaf in leaves.items() if key not in states})

    traced = trace(name, step, inputs={"x": "X", **neighbours}, states=dict.fromkeys(states, "H"), observed=observed)
    compile_grid(traced)
    return traced


@lru_cache(maxsize=128)
def compile_grid(step: Step) -> GridProgram:
    """Split a grid's step into net inputs and a pointwise step, differentiate and lower it.

    Raises:
        CellError: products of anything but `x` and the output's neighbours, or a neighbour that is not read.

    >>> from gatewise.cells import MDLSTM
    >>> program = compile_grid(MDLSTM(peephole=False).trace())
    >>> [net.matrices for net in program.nets][:2]
    [('W_i', 'U_i', 'V_i'), ('W_f', 'U_f', 'V_f')]
    >>> len(program.saved)  # five gates and the squashed state
    6
    """
    output = step.output
    others = tuple(name for name in step.states if name != output)
    nets, inner = _split(step)
    derived = derive(inner, ())
    order = topological(inner.updates.values())
    needed = worth_saving(read_of_forward(derived, set(order)), set(inner.updates.values()))
    for net in nets:
        if net.leaf in needed:
            raise CellError(
                f"{step.name}: the gradient reads the net input `{net.leaf!r}` ({net.matrices[0]} x + ...) itself, "
                "which is not saved: give it to a function first"
            )
    states = set(inner.updates.values())
    saved = tuple(node for node in order if node in needed and node.op not in LEAVES and node not in states)

    # What arrives at a state: from outside and from the neighbours.
    arriving = {derived.carried[output]: product(output) + upstream(output)}
    arriving |= {derived.carried[name]: below(name) + right(name) for name in others}
    wanted = {name: derived.inputs[name] for name in inner.inputs}
    unread = [name for name, gradient in wanted.items() if gradient is None]
    if unread:
        raise CellError(f"{step.name}: no gradient flows to {', '.join(unread)}: every neighbour's state must be read")
    sums = {name: _sum([term.adjoint for term in derived.sums if term.parameter == name]) for name in inner.parameters}
    roots = [gradient for gradient in (*wanted.values(), *sums.values()) if gradient is not None]
    replaced = rebuild(roots, arriving)

    def made(gradient: Expr | None) -> Expr:
        assert gradient is not None
        found = replaced[gradient]
        # Each result is a node of its own that is computed here: one that is only handed on becomes one.
        return intern("detach", (found,), width="H") if found.op in LEAVES else found

    gradients = tuple(made(wanted[str(net.leaf.attr)]) for net in nets)
    gradients += tuple(made(sums[name]) for name in inner.parameters)
    handed = tuple((made(wanted[name + UP]), made(wanted[name + LEFT])) for name in others)
    results = _apart([*gradients, *(part for pair in handed for part in pair)])
    gradients, parts = results[: len(gradients)], results[len(gradients) :]
    handed = tuple((parts[2 * k], parts[2 * k + 1]) for k in range(len(others)))
    every = [*inner.updates.values(), *saved]
    return GridProgram(
        step=step,
        nets=nets,
        vectors=tuple(inner.parameters),
        inner=inner,
        states=others,
        saved=saved,
        forward=_lowered(inner.updates.values(), inner.updates.values()),
        training=_lowered(every, every),
        derived=derived,
        gradients=tuple(gradients),
        handed=handed,
        reverse=_lowered(results, results, cut=every),
    )


def _split(step: Step) -> tuple[tuple[Net, ...], Step]:
    """The net inputs of a grid's step, and the pointwise step that is left."""
    operands = tuple(step.inputs[name] for name in ("x", step.output + UP, step.output + LEFT))
    order = topological([*step.observed.values(), *step.updates.values()])
    linear: set[Expr] = set()
    for node in order:
        if node.op == "matmul":
            if node.args[0] not in operands:
                raise CellError(
                    f"{step.name}.step: `{node!r}` multiplies `{node.args[0]!r}`; on a grid matrices multiply only "
                    f"{', '.join(repr(operand) for operand in operands)}"
                )
            linear.add(node)
        elif node.op in BARRIERS:
            raise CellError(f"{step.name}.step: `{node!r}` mixes units, which on a grid only matrices do")
        elif (
            node.op == "add"
            and any(arg in linear for arg in node.args)
            and all(arg in linear or arg.op == "parameter" for arg in node.args)
        ):
            linear.add(node)
        if node.op == "state":
            raise CellError(f"{step.name}.step reads the state `{node!r}` of its own position")
    inside = {arg for node in order if node in linear for arg in node.args}
    whole = [
        node
        for node in order
        if node in linear and (node not in inside or any(node in user.args for user in order if user not in linear))
    ]
    nets = tuple(_net(step, node, number, operands) for number, node in enumerate(whole))
    names = [name for net in nets for name in (*net.matrices, net.bias)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CellError(f"{step.name}.step: {', '.join(twice)} would be in two net inputs; give each its own")
    becomes = {node: net.leaf for node, net in zip(whole, nets, strict=True)}
    values = rebuild([*step.updates.values(), *step.observed.values()], becomes)
    updates = {name: values[update] for name, update in step.updates.items()}
    pointwise = topological(updates.values())
    for operand in operands:
        if operand in pointwise:
            raise CellError(f"{step.name}.step: on a grid `{operand!r}` is only multiplied by matrices")
    others = [name for name in step.states if name != step.output]
    inner = Step(
        name=step.name,
        inputs={str(net.leaf.attr): net.leaf for net in nets}
        | {name + side: step.inputs[name + side] for name in others for side in (UP, LEFT)},
        states={name: state(name) for name in step.states},
        updates=updates,
        observed={name: values[value] for name, value in step.observed.items()},
        parameters=_vectors(step.name, pointwise),
        initial=step.initial,
        output=step.output,
    )
    return nets, inner


def _vectors(name: str, order: Iterable[Expr]) -> Mapping[str, Parameter]:
    found = parameters(name, order)
    for parameter in found.values():
        if parameter.shape != ("H",):
            raise CellError(f"{name}.step: `{parameter}` must be a vector [H]")
    return found


def _net(step: Step, node: Expr, number: int, operands: tuple[Expr, ...]) -> Net:
    if node.width != "H":
        raise CellError(f"{step.name}.step: the net input `{node!r}` must be a vector [H]")
    matrices: dict[int, list[str]] = {place: [] for place in range(len(operands))}
    biases: list[str] = []
    pending = [node]
    while pending:
        part = pending.pop()
        if part.op == "add":
            pending.extend(part.args)
        elif part.op == "parameter":
            biases.append(str(part.attr))
        else:
            matrices[operands.index(part.args[0])].append(str(part.attr))
    if any(len(found) != 1 for found in (*matrices.values(), biases)):
        listing = ", ".join(repr(operand) for operand in operands)
        raise CellError(
            f"{step.name}.step: the net input `{node!r}` must multiply each of {listing} once and have one bias: write "
            f"linear(name, {listing})"
        )
    (w,), (u,), (v,) = matrices.values()
    return Net(input(f"@net_{number}", "H"), (w, u, v), biases[0])


def _sum(terms: Sequence[Expr]) -> Expr:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _apart(results: Sequence[Expr]) -> list[Expr]:
    """Results as nodes of their own: a program stores a node once."""
    found: list[Expr] = []
    for result in results:
        while result in found:
            result = intern("detach", (result,), width=result.width)
        found.append(result)
    return found


def _lowered(roots: Iterable[Expr], wanted: Iterable[Expr], cut: Iterable[Expr] = ()) -> Bytecode:
    """The program that computes these nodes from leaves, and from what is in `cut`."""
    given = set(cut)
    nodes = [node for node in topological(roots, given) if node.op not in LEAVES and node not in given]
    return lower(Stage("pointwise", tuple(nodes)), wanted)
