"""A traced cell: the equations of one time step, checked, with everything a backend needs to know about them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Literal

from gatewise.equations.expr import LEAVES, Expr, input, state, topological, tracing
from gatewise.equations.formula import excerpt, spell, symbol
from gatewise.errors import CellError, nearest


@dataclass(frozen=True)
class Parameter:
    """A trained tensor of a step: its name and its symbolic shape, `()`, `(width,)` or `(rows, columns)`."""

    name: str
    shape: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(self.shape)}]"


@dataclass(frozen=True, eq=False)
class Step:
    """The equations of one time step; made by `trace`, which has checked them.

    Widths are symbolic: "X" (input features), "H" (hidden units), "P" (projected width). All mappings are in the order
    of declaration, parameters in the order of first use.

    Attributes:
        name: of the cell.
        inputs: the leaf of each input.
        states: the leaf of each state: its value before the step.
        updates: each state's value after the step, of the state's width.
        observed: named values inside the step that a layer can show over time.
        parameters: what is trained.
        initial: each state's value before the first step: a number, or "learned".
        output: the state a layer gives out.
        undifferentiated: inputs to which no gradient flows.
    """

    name: str
    inputs: Mapping[str, Expr]
    states: Mapping[str, Expr]
    updates: Mapping[str, Expr]
    observed: Mapping[str, Expr]
    parameters: Mapping[str, Parameter]
    initial: Mapping[str, float | Literal["learned"]]
    output: str
    undifferentiated: frozenset[str] = frozenset()

    def sequence(self, name: str) -> Expr:
        """The expression of an updated state or an observed value, by name.

        Raises:
            CellError: there is none of this name.
        """
        values = {**self.observed, **self.updates}
        if name not in values:
            raise CellError(f'{self.name} has no value "{name}"; {nearest(name, values)}')
        return values[name]

    def widths(self) -> set[str]:
        """The symbolic widths in use."""
        leaves = [*self.inputs.values(), *self.states.values()]
        named = {leaf.width for leaf in leaves if leaf.width is not None}
        return named | {width for parameter in self.parameters.values() for width in parameter.shape}

    def __str__(self) -> str:
        def listing(leaves: Mapping[str, Expr]) -> str:
            return ", ".join(f"{name} [{leaf.width or ''}]" for name, leaf in leaves.items())

        lines = [f"{self.name}: {listing(self.inputs)}; states {listing(self.states)}; output {self.output}"]
        lines += [f"  {left} = {right}" for left, right in self._equations("text")]
        lines.append(f"parameters: {', '.join(map(str, self.parameters.values())) or 'none'}")
        return "\n".join(lines)

    def latex(self) -> str:
        r"""The equations as a LaTeX `aligned` environment; a state before the step has the index t-1.

        >>> from gatewise.cells import LSTM
        >>> print(LSTM().trace().latex().splitlines()[1])
        i_t &= \sigma\left(W_{i} x_t + b_{i} + U_{i} h_{t-1}\right) \\
        """
        rows = [rf"{left} &= {right} \\" for left, right in self._equations("latex")]
        return "\n".join([r"\begin{aligned}", *rows, r"\end{aligned}"])

    def _equations(self, style: str) -> list[tuple[str, str]]:
        """Left and right sides, each after those it uses; shared subexpressions without a name become s1, s2, ..."""
        latex = style == "latex"
        named = {expr: symbol(name, "t") if latex else name for name, expr in self.observed.items()}
        named |= {expr: symbol(name, "t") if latex else f"{name}'" for name, expr in self.updates.items()}
        roots = [*self.observed.values(), *self.updates.values()]
        order = topological(roots)
        uses = Counter(arg for node in order for arg in node.args)
        names: dict[Expr, str] = {}
        for node in order:
            if node in named:
                names[node] = named[node]
            elif uses[node] > 1 and node.op not in LEAVES:
                number = 1 + sum(expr not in named for expr in names)
                names[node] = f"s_{{{number}}}" if latex else f"s{number}"
        return [(name, spell(node, names, "latex" if latex else "text")) for node, name in names.items()]


def trace(
    name: str,
    function: Callable[..., object],
    *,
    inputs: Mapping[str, str | None],
    states: Mapping[str, str],
    observed: Sequence[str] = (),
    initial: Mapping[str, float | Literal["learned"]] | None = None,
    output: str = "h",
    undifferentiated: Iterable[str] = (),
) -> Step:
    """Call `function` once on symbolic leaves and check what it returns.

    Args:
        name: of the cell, for messages.
        function: takes each input and each state by keyword; returns a mapping from the name of every state to its
            value after the step, and from names in `observed` to values inside the step.
        inputs: the symbolic width of each input; None for one number a step.
        states: the symbolic width of each state.
        observed: names of values that may be returned besides the states.
        initial: states that do not start at 0.
        output: the state a layer gives out.
        undifferentiated: inputs to which no gradient flows.

    Raises:
        CellError: the equations cannot be traced, or what is returned does not fit; the message shows the expression.

    >>> from gatewise.equations import linear, tanh
    >>> step = trace("Elman", lambda x, h: {"h": tanh(linear("h", x, h))}, inputs={"x": "X"}, states={"h": "H"})
    >>> print(step)
    Elman: x [X]; states h [H]; output h
      h' = tanh(W_h @ x + b_h + U_h @ h)
    parameters: W_h [H, X], b_h [H], U_h [H, H]
    """
    if output not in states:
        raise CellError(f'{name}: the output "{output}" is not a state; {nearest(output, states)}')
    clash = [key for key in inputs if key in states]
    if clash:
        raise CellError(f'{name}: "{clash[0]}" is declared as an input and as a state; rename one of them')
    reserved = [key for key in (*inputs, *states) if not key.isidentifier()]
    if reserved:
        raise CellError(f'{name}: "{reserved[0]}" is no name of an input or a state; use letters, digits and _')
    widths = [*inputs.values(), *states.values()]
    if "T" in widths or "B" in widths:
        raise CellError(f'{name}: the widths "T" and "B" stand for time steps and batch; give this one another name')
    for key, value in (initial or {}).items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
        if value != "learned" and not number:
            raise CellError(f'{name}: the state "{key}" starts at {value!r}; expected a number or "learned"')
    for key, width in states.items():
        if not isinstance(width, str):
            raise CellError(f'{name}: the state "{key}" has the width {width!r}; a state is a vector, for instance "H"')
    input_leaves = {key: input(key, width) for key, width in inputs.items()}
    state_leaves = {key: state(key, width) for key, width in states.items()}
    try:
        with tracing():
            returned = function(**input_leaves, **state_leaves)
    except CellError as error:
        raise CellError(f"{name}.step{_line(error)}: {error}") from error
    except (TypeError, AttributeError, NameError) as error:
        # What a number or a tensor can do and an expression cannot: len(h), h.tanh(), torch.tanh(h), x @ h, ...
        raise CellError(
            f"{name}.step{_line(error)}: {type(error).__name__}: {error}; equations are made of the inputs, the "
            "states, numbers and the functions of gatewise.equations"
        ) from error
    values = _returned(name, returned, states, observed)
    updates = {key: values[key] for key in states}
    seen = {key: values[key] for key in observed if key in values}
    for key, width in states.items():
        if updates[key].width != width:
            raise CellError(
                f'{name}.step: the state "{key}" was declared with width {width}, but `{excerpt(updates[key])}` has '
                f"{'no width (a scalar)' if updates[key].width is None else f'width {updates[key].width}'}"
            )
    for key, expr in seen.items():
        if expr.width is None:
            raise CellError(f'{name}.step: the observed value "{key}" = `{excerpt(expr)}` is a scalar, not a vector')
    order = topological([*seen.values(), *updates.values()])
    _check_leaves(name, order, input_leaves, state_leaves)
    trained = parameters(name, order)
    sized = {*inputs.values(), *states.values(), *(width for each in trained.values() for width in each.shape)}
    for node in order:
        if node.width not in sized and node.width is not None:
            raise CellError(
                f"{name}.step: `{excerpt(node)}` has the width {node.width}, whose size nothing tells: no input, state "
                "or parameter has it"
            )
    return Step(
        name=name,
        inputs=input_leaves,
        states=state_leaves,
        updates=updates,
        observed=seen,
        parameters=trained,
        initial={key: (initial or {}).get(key, 0.0) for key in states},
        output=output,
        undifferentiated=frozenset(undifferentiated),
    )


def _line(error: Exception) -> str:
    """Where in the cell's own code an error arose: the innermost line outside of the language, if there is one."""
    language = Path(__file__).parent
    for frame in reversed(extract_tb(error.__traceback__)):
        if Path(frame.filename).parent != language:
            source = f" `{frame.line}`" if frame.line else ""
            return f", line {frame.lineno} of {Path(frame.filename).name}{source}"
    return ""


def _returned(name: str, returned: object, states: Mapping[str, str], observed: Sequence[str]) -> dict[str, Expr]:
    if not isinstance(returned, Mapping):
        raise CellError(
            f"{name}.step must return a mapping from the name of each state to its new value, "
            f"got {type(returned).__name__}: {returned!r}"
        )
    known = [*states, *observed]
    values: dict[str, Expr] = {}
    for key, value in returned.items():
        if key not in known:
            shown = excerpt(value) if isinstance(value, Expr) else repr(value)
            raise CellError(
                f'{name}.step returned "{key}" = `{shown}`, but no state or observed value of that name is declared; '
                f"{nearest(str(key), known)}"
            )
        if not isinstance(value, Expr):
            raise CellError(
                f'{name}.step returned "{key}" = {value!r} of type {type(value).__name__}; expected an expression '
                "made of the inputs, the states and the functions of gatewise.equations"
            )
        values[key] = value
    missing = [key for key in states if key not in values]
    if missing:
        had = ", ".join(f"{key} = `{excerpt(value)}`" for key, value in values.items()) or "nothing"
        raise CellError(
            f"{name}.step did not return the new value of the state{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            f"it returned {had}"
        )
    return values


def _check_leaves(name: str, order: list[Expr], inputs: Mapping[str, Expr], states: Mapping[str, Expr]) -> None:
    declared = {*inputs.values(), *states.values()}
    for node in order:
        if node.op in ("input", "state") and node not in declared:
            raise CellError(
                f"{name}.step uses the {node.op} `{node!r}` [{node.width}], which is not declared; "
                f"{nearest(str(node.attr), [*inputs, *states])}"
            )


def parameters(name: str, order: Iterable[Expr]) -> dict[str, Parameter]:
    """What is trained in ordered nodes, in the order of first use.

    Raises:
        CellError: a parameter is used with two shapes; `name` says in messages whose it is.
    """
    found: dict[str, Parameter] = {}
    users: dict[str, Expr] = {}
    for node in order:
        if node.op == "parameter":
            shape = () if node.width is None else (str(node.width),)
        elif node.op == "matmul":
            shape = (str(node.width), str(node.args[0].width))
        else:
            continue
        here = Parameter(str(node.attr), shape)
        if not here.name.isidentifier():
            raise CellError(
                f'{name}.step: "{here.name}" in `{excerpt(node)}` is no name of a parameter; use letters, digits and _'
            )
        known = found.setdefault(here.name, here)
        user = users.setdefault(here.name, node)
        if known != here:
            raise CellError(
                f'{name}.step uses the parameter "{here.name}" with two shapes: [{", ".join(known.shape)}] in '
                f"`{excerpt(user)}` and [{', '.join(here.shape)}] in `{excerpt(node)}`; give one of them another name"
            )
    return found
