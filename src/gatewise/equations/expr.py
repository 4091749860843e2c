"""Expressions: the nodes of a cell's equations.

Nodes are immutable and hash-consed: two equal expressions are one object, so that common subexpressions are free and
`is` is equality. The table of interned nodes holds them weakly: a node lives as long as someone uses it.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock, local
from weakref import WeakValueDictionary

from gatewise.errors import CellError

LEAVES = frozenset({"constant", "input", "state", "parameter"})
PRODUCTS = frozenset({"matmul", "matmul_t"})  # a matrix, or (in derivatives) its transpose, times a vector
ROWS = frozenset({"mean", "total", "spread", "normalise", "rstd", "repeat", "fold"})  # see gatewise.equations.rows
BARRIERS = PRODUCTS | ROWS  # operations that mix the units of a vector; all others are pointwise

_interned: "WeakValueDictionary[tuple[object, ...], Expr]" = WeakValueDictionary()
_interning = Lock()
_tracing = local()  # its attribute `cell` says whether this thread is inside a cell's own code


@contextmanager
def tracing() -> Iterator[None]:
    """While a cell's own code runs, comparing two expressions is an error: it would take one branch for good."""
    before = getattr(_tracing, "cell", False)
    _tracing.cell = True
    try:
        yield
    finally:
        _tracing.cell = before


class Expr:
    """One node: an operation on other nodes, or a leaf.

    Attributes:
        op: `constant`, `input`, `state` (its value before the step), `parameter` (a vector), `matmul`, `matmul_t` (a
            sum of products with transposed weights), or the name of an operation in `gatewise.equations.ops.TABLE`
            (pointwise) or `gatewise.equations.rows.TABLE` (mixes the units).
        args: the operands.
        attr: a leaf's name, a constant's value, the weight's name of a product (the names, of a `matmul_t`), which part
            of a joint `normalise`; otherwise None.
        width: the symbolic length of the vector ("H", "X", "P", ...); None for a scalar, which fits every width.

    Arithmetic and order comparisons build new nodes (a comparison gives 1 where true, 0 elsewhere); `==` between
    expressions is identity, and with a number an error.

    >>> from gatewise.equations import input, sigmoid
    >>> x = input("x")
    >>> sigmoid(2 * x + 1) is sigmoid(2 * x + 1)
    True
    >>> sigmoid(2 * x + 1)
    sigmoid(2 * x + 1)
    """

    __slots__ = ("__weakref__", "args", "attr", "op", "width")

    op: str
    args: "tuple[Expr, ...]"
    attr: str | float | int | tuple[str, ...] | None
    width: str | None

    def __init__(self) -> None:
        raise CellError("Expr() cannot be called: build expressions with the functions of gatewise.equations")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an expression cannot be changed (attribute {name!r} of {self!r})")

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return intern, (self.op, self.args, self.attr, self.width)

    def __repr__(self) -> str:
        # Printing needs the operation table, and the table is written in expressions: hence the import here.
        from gatewise.equations.formula import excerpt

        return excerpt(self)

    def __add__(self, other: "Expr | float") -> "Expr":
        other = wrap(other)
        return self if _is(other, 0) else pointwise("add", self, other)

    def __radd__(self, other: "Expr | float") -> "Expr":
        other = wrap(other)
        return self if _is(other, 0) else pointwise("add", other, self)

    def __sub__(self, other: "Expr | float") -> "Expr":
        other = wrap(other)
        return self if _is(other, 0) else pointwise("sub", self, other)

    def __rsub__(self, other: "Expr | float") -> "Expr":
        return pointwise("sub", wrap(other), self)

    def __mul__(self, other: "Expr | float") -> "Expr":
        other = wrap(other)
        return self if _is(other, 1) else pointwise("mul", self, other)

    def __rmul__(self, other: "Expr | float") -> "Expr":
        other = wrap(other)
        return self if _is(other, 1) else pointwise("mul", other, self)

    def __truediv__(self, other: "Expr | float") -> "Expr":
        other = wrap(other)
        return self if _is(other, 1) else pointwise("div", self, other)

    def __rtruediv__(self, other: "Expr | float") -> "Expr":
        return pointwise("div", wrap(other), self)

    def __neg__(self) -> "Expr":
        return pointwise("neg", self)

    def __abs__(self) -> "Expr":
        return pointwise("abs", self)

    def __pow__(self, exponent: int) -> "Expr":
        if isinstance(exponent, (bool, Expr)) or exponent != 2:
            raise CellError(
                f"({self!r}) ** {exponent!r}: only the power 2 is an operation; use exp(p * log(a)) or square"
            )
        return pointwise("square", self)

    def __ge__(self, other: "Expr | float") -> "Expr":
        return pointwise("ge", self, wrap(other))

    def __gt__(self, other: "Expr | float") -> "Expr":
        return pointwise("gt", self, wrap(other))

    def __le__(self, other: "Expr | float") -> "Expr":
        return pointwise("le", self, wrap(other))

    def __lt__(self, other: "Expr | float") -> "Expr":
        return pointwise("lt", self, wrap(other))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (int, float)):
            raise CellError(
                f"`{self!r} == {other!r}` (or !=) would compare objects, not values, and equations are traced before "
                "there are numbers: use >= and <= with where(condition, a, b)"
            )
        if self is not other and isinstance(other, Expr) and getattr(_tracing, "cell", False):
            raise CellError(
                f"`{self!r}` was compared with `{other!r}` (by ==, != or in): that compares objects, not values, and "
                "equations are traced before there are numbers: use >= and <= with where(condition, a, b)"
            )
        return self is other

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise CellError(
            f"Python asked whether `{self!r}` is true (if, and, or, not, while, or a chained comparison), but "
            "equations are traced once, before there are numbers: use where(condition, a, b), maximum or minimum"
        )

    def __float__(self) -> float:
        raise CellError(
            f"`{self!r}` was used as a number (by the math module, or float()), but equations are traced once, before "
            "there are numbers: use the functions of gatewise.equations (exp, log, sqrt, ...)"
        )

    def __getitem__(self, key: object) -> "Expr":
        raise CellError(
            f"`{self!r}` was indexed with [{key!r}] or iterated over: an expression stands for the whole vector of one "
            "step; give each part its own state or parameter"
        )

    def __setitem__(self, key: object, value: object) -> None:
        raise CellError(
            f"`{self!r}` was assigned to in place ([{key!r}] = ...), but an expression cannot be changed: compute a "
            "new one, with where(condition, a, b) if it depends on values"
        )


def intern(
    op: str,
    args: tuple[Expr, ...] = (),
    attr: str | float | int | tuple[str, ...] | None = None,
    width: str | None = None,
) -> Expr:
    """The one node of this content; made if there is none. Checks nothing: the functions below and in `ops` do."""
    # A constant is keyed by its text: 0.0 == -0.0 as keys, yet they are different numbers.
    key = (op, args, attr.hex() if isinstance(attr, float) else attr, width)
    with _interning:
        node = _interned.get(key)
        if node is None:
            node = object.__new__(Expr)
            for name, value in (("op", op), ("args", args), ("attr", attr), ("width", width)):
                object.__setattr__(node, name, value)
            _interned[key] = node
    return node


def constant(value: float) -> Expr:
    """A number, the same for all units; fits every width.

    Raises:
        CellError: not a number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        hint = " (== compares expressions as objects; use >= and <=)" if isinstance(value, bool) else ""
        raise CellError(f"expected an expression or a number, got {value!r} of type {type(value).__name__}{hint}")
    if math.isnan(value):
        raise CellError("expected a number, got nan: no equation can use it")
    return intern("constant", attr=float(value))


def wrap(value: "Expr | float") -> Expr:
    """An expression as it is; a number as a constant.

    Raises:
        CellError: neither of the two.
    """
    return value if isinstance(value, Expr) else constant(value)


def input(name: str, width: str | None = "X") -> Expr:
    """What the step receives from outside: a vector `[width]` of one time step; with width None one number."""
    return intern("input", attr=name, width=width)


def state(name: str, width: str = "H") -> Expr:
    """A state's value before the step: a vector `[width]`."""
    return intern("state", attr=name, width=width)


def parameter(name: str, width: str | None = "H") -> Expr:
    """A trained vector `[width]`: a bias or a peephole; with width None one trained number."""
    return intern("parameter", attr=name, width=width)


def matmul(weight: str, operand: Expr, width: str = "H") -> Expr:
    """A trained matrix `[width, operand's width]` times `operand`: a vector `[width]`.

    Raises:
        CellError: the operand is a scalar or no expression.
    """
    operand = wrap(operand)
    if operand.width is None:
        raise CellError(f"matmul({weight!r}, {operand!r}): the operand is a scalar; a matrix needs a vector")
    return intern("matmul", (operand,), weight, width)


def linear(name: str, *operands: Expr, width: str = "H", bias: bool = True) -> Expr:
    """`W_name a + b_name + U_name b + V_name c`, with one matrix for each operand (at most three) and a bias.

    The bias stands behind the first product, so that `W x + b` depends on no state and can leave the loop over time.

    Raises:
        CellError: no operand, or more than three.

    >>> linear("i", input("x"), state("h"))
    W_i @ x + b_i + U_i @ h
    """
    if not 1 <= len(operands) <= 3:
        raise CellError(f"linear({name!r}, ...) takes one to three operands, got {len(operands)}")
    first, *others = operands
    total = matmul(f"W_{name}", first, width)
    if bias:
        total = total + parameter(f"b_{name}", width)
    for letter, operand in zip("UV", others, strict=False):
        total = total + matmul(f"{letter}_{name}", operand, width)
    return total


def pointwise(op: str, *args: Expr) -> Expr:
    """A pointwise operation of the table, after checking that the widths fit.

    Raises:
        CellError: two operands have different widths.
    """
    widths: dict[str, Expr] = {}
    for arg in args:
        if arg.width is not None:
            widths.setdefault(arg.width, arg)
    if len(widths) > 1:
        listing = ", ".join(f"`{arg!r}` has width {width}" for width, arg in widths.items())
        raise CellError(
            f"{op}({', '.join(map(repr, args))}): the widths do not fit: {listing}; a matmul changes a width"
        )
    return intern(op, args, width=next(iter(widths), None))


def topological(roots: Iterable[Expr], cut: Collection[Expr] = ()) -> list[Expr]:
    """All nodes the roots are made of, each once, operands first; what lies behind the nodes in `cut` is left out."""
    seen: set[Expr] = set()
    order: list[Expr] = []
    # Iterative: a derived backward is deeper than Python's recursion limit likes.
    pending = [(root, False) for root in reversed(list(roots))]
    while pending:
        node, expanded = pending.pop()
        if expanded:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            pending.append((node, True))
            if node not in cut:
                pending.extend((arg, False) for arg in reversed(node.args))
    return order


def depending(nodes: Iterable[Expr], on: Iterable[str]) -> set[Expr]:
    """Of topologically ordered nodes, those that a leaf of one of the kinds `on` flows into (the leaves included)."""
    kinds = frozenset(on)
    found: set[Expr] = set()
    for node in nodes:
        if node.op in kinds or any(arg in found for arg in node.args):
            found.add(node)
    return found


def transposed(weights: Sequence[str], operands: Sequence[Expr], width: str) -> Expr:
    """A sum of products of transposed matrices `[operand's width, width]` with vectors, `[width]`; in derivatives.

    One node, because it is one product: that of the matrices on top of one another with the vectors in a row.
    """
    return intern("matmul_t", tuple(operands), tuple(weights), width)


def weights(product: Expr) -> tuple[str, ...]:
    """The names of the matrices that a `matmul` or `matmul_t` multiplies with."""
    return product.attr if isinstance(product.attr, tuple) else (str(product.attr),)


def rebuild(
    roots: Iterable[Expr], replace: Mapping[Expr, Expr], rule: Callable[[Expr], Expr] | None = None
) -> dict[Expr, Expr]:
    """Every node the roots are made of, with what it becomes when the nodes in `replace` are replaced.

    Args:
        roots: where to start.
        replace: nodes and what stands in their place; their operands are not visited.
        rule: applied to every rebuilt node.
    """
    done = dict(replace)
    pending = [(root, False) for root in roots]
    while pending:
        node, expanded = pending.pop()
        if node in done:
            continue
        if not expanded:
            pending.append((node, True))
            pending.extend((arg, False) for arg in node.args)
            continue
        args = tuple(done[arg] for arg in node.args)
        new = node if args == node.args else intern(node.op, args, node.attr, node.width)
        done[node] = new if rule is None else rule(new)
    return done


def _is(node: Expr, value: int) -> bool:
    return isinstance(node.attr, float) and node.attr == value and math.copysign(1, node.attr) > 0
