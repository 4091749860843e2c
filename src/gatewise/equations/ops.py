"""The table of pointwise operations: for each its arity, its derivative and how it is written in text and LaTeX.

A backend brings its own spelling of each operation, keyed by the names here. Spellings are the numerically stable ones:
`logsigmoid`, `softplus`, `expm1`, ... are operations of their own because their compositions overflow or cancel.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gatewise.equations.expr import Expr, pointwise, wrap
from gatewise.errors import CellError

# How tightly a spelling binds: an operand that binds less tightly than demanded is put in parentheses.
COMPARE, SUM, PRODUCT, FACTOR, ATOM = range(5)

COSTLY = frozenset({"sqrt", "exp", "expm1", "log", "log1p", "sigmoid", "tanh", "logsigmoid", "softplus"})

Derivative = Callable[[Expr, Expr], tuple[Expr | None, ...]]


@dataclass(frozen=True)
class Notation:
    """A template with one `{}` for each operand, how tightly it binds, and how tightly each operand must bind."""

    template: str
    binding: int = ATOM
    demands: tuple[int, ...] = (COMPARE, COMPARE, COMPARE)


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: its key in the table, and its name in `gatewise.equations`.
        arity: the number of operands; 0 for any number.
        derivative: from the node `y` and the adjoint `g` of its value (the gradient of the loss with respect to it),
            the adjoint for each operand; None where no gradient flows. At kinks the rules follow torch: 0 for `abs`
            and `relu`, halves for ties of `maximum` and `minimum`.
        text: the spelling in printed equations.
        latex: the spelling in LaTeX.
        costly: whether a backward had better save the value than compute it again.
    """

    name: str
    arity: int
    derivative: Derivative
    text: Notation
    latex: Notation
    costly: bool = False


def _infix(text: str, latex: str, binding: int, left: int, right: int) -> tuple[Notation, Notation]:
    return Notation(f"{{}} {text} {{}}", binding, (left, right)), Notation(f"{{}} {latex} {{}}", binding, (left, right))


def _call(name: str, arity: int, latex: str | None = None) -> tuple[Notation, Notation]:
    holes = ", ".join(["{}"] * arity)
    head = latex if latex is not None else rf"\operatorname{{{{{name}}}}}"
    return Notation(f"{name}({holes})"), Notation(rf"{head}\left({holes}\right)")


def _operations() -> list[Operation]:
    def op(name: str, arity: int, notation: tuple[Notation, Notation], derivative: Derivative) -> Operation:
        return Operation(name, arity, derivative, *notation, costly=name in COSTLY)

    one = wrap(1.0)
    compare = COMPARE + 1
    return [
        op("add", 2, _infix("+", "+", SUM, SUM, PRODUCT), lambda y, g: (g, g)),
        op("sub", 2, _infix("-", "-", SUM, SUM, PRODUCT), lambda y, g: (g, -g)),
        op("mul", 2, _infix("*", r"\odot", PRODUCT, PRODUCT, FACTOR), lambda y, g: (g * y.args[1], g * y.args[0])),
        op(
            "div",
            2,
            (Notation("{} / {}", PRODUCT, (PRODUCT, FACTOR)), Notation(r"\frac{{{}}}{{{}}}")),
            lambda y, g: (g / y.args[1], -(g * (y / y.args[1]))),
        ),
        op("neg", 1, (Notation("-{}", SUM, (PRODUCT,)), Notation("-{}", SUM, (PRODUCT,))), lambda y, g: (-g,)),
        op("abs", 1, (Notation("abs({})"), Notation(r"\left|{}\right|")), lambda y, g: (g * sign(y.args[0]),)),
        op("sign", 1, _call("sign", 1), lambda y, g: (None,)),
        op(
            "square",
            1,
            (Notation("square({})"), Notation("{}^2", FACTOR, (ATOM,))),
            lambda y, g: (g * (2 * y.args[0]),),
        ),
        op("sqrt", 1, (Notation("sqrt({})"), Notation(r"\sqrt{{{}}}")), lambda y, g: (g / (2 * y),)),
        op("exp", 1, _call("exp", 1, r"\exp"), lambda y, g: (g * y,)),
        op("expm1", 1, _call("expm1", 1), lambda y, g: (g * (y + one),)),
        op("log", 1, _call("log", 1, r"\log"), lambda y, g: (g / y.args[0],)),
        op("log1p", 1, _call("log1p", 1), lambda y, g: (g / (y.args[0] + one),)),
        op("sigmoid", 1, _call("sigmoid", 1, r"\sigma"), lambda y, g: (g * (y * (one - y)),)),
        op("tanh", 1, _call("tanh", 1, r"\tanh"), lambda y, g: (g * (one - square(y)),)),
        # 1 - sigmoid(a), which is -expm1(log sigmoid(a)) without the cancellation.
        op("logsigmoid", 1, _call("logsigmoid", 1, r"\log\sigma"), lambda y, g: (g * -expm1(y),)),
        op("softplus", 1, _call("softplus", 1), lambda y, g: (g * -expm1(-y),)),
        op("relu", 1, _call("relu", 1), lambda y, g: (where(y > 0, g, 0.0),)),
        op("maximum", 2, _call("maximum", 2, r"\max"), lambda y, g: (_larger(g, *y.args), _larger(g, *y.args[::-1]))),
        op("minimum", 2, _call("minimum", 2, r"\min"), lambda y, g: (_larger(g, *y.args[::-1]), _larger(g, *y.args))),
        # where, not a product with the condition: a gradient that is not chosen may be infinite.
        op("where", 3, _call("where", 3), lambda y, g: (None, where(y.args[0], g, 0.0), where(y.args[0], 0.0, g))),
        op("ge", 2, _infix(">=", r"\ge", COMPARE, compare, compare), lambda y, g: (None, None)),
        op("gt", 2, _infix(">", ">", COMPARE, compare, compare), lambda y, g: (None, None)),
        op("le", 2, _infix("<=", r"\le", COMPARE, compare, compare), lambda y, g: (None, None)),
        op("lt", 2, _infix("<", "<", COMPARE, compare, compare), lambda y, g: (None, None)),
        op("floor", 1, (Notation("floor({})"), Notation(r"\lfloor {} \rfloor")), lambda y, g: (None,)),
        op("detach", 1, _call("detach", 1), lambda y, g: (None,)),
        op(
            "clip_grad",
            2,
            _call("clip_grad", 2),
            lambda y, g: (minimum(maximum(g, -y.args[1]), y.args[1]), None),
        ),
    ]


def _larger(g: Expr, a: Expr, b: Expr) -> Expr:
    # The gradient of max(a, b) for a: all of it where a is larger, half of it in a tie; chosen like that of where.
    return where(a > b, g, where(a < b, 0.0, 0.5 * g))


def neg(a: Expr | float) -> Expr:
    """`-a`."""
    return pointwise("neg", wrap(a))


def sign(a: Expr | float) -> Expr:
    """-1, 0 or 1; no gradient flows."""
    return pointwise("sign", wrap(a))


def square(a: Expr | float) -> Expr:
    """`a * a`."""
    return pointwise("square", wrap(a))


def sqrt(a: Expr | float) -> Expr:
    """The square root."""
    return pointwise("sqrt", wrap(a))


def exp(a: Expr | float) -> Expr:
    """The exponential."""
    return pointwise("exp", wrap(a))


def expm1(a: Expr | float) -> Expr:
    """`exp(a) - 1` without cancellation near 0."""
    return pointwise("expm1", wrap(a))


def log(a: Expr | float) -> Expr:
    """The natural logarithm."""
    return pointwise("log", wrap(a))


def log1p(a: Expr | float) -> Expr:
    """`log(1 + a)` without cancellation near 0."""
    return pointwise("log1p", wrap(a))


def sigmoid(a: Expr | float) -> Expr:
    """The logistic function `1 / (1 + exp(-a))`."""
    return pointwise("sigmoid", wrap(a))


def tanh(a: Expr | float) -> Expr:
    """The hyperbolic tangent."""
    return pointwise("tanh", wrap(a))


def logsigmoid(a: Expr | float) -> Expr:
    """`log(sigmoid(a))`, finite for every finite `a`."""
    return pointwise("logsigmoid", wrap(a))


def softplus(a: Expr | float) -> Expr:
    """`log(1 + exp(a))`, exact and finite for every finite `a`."""
    return pointwise("softplus", wrap(a))


def relu(a: Expr | float) -> Expr:
    """`max(a, 0)`."""
    return pointwise("relu", wrap(a))


def maximum(a: Expr | float, b: Expr | float) -> Expr:
    """The larger of the two, unit by unit."""
    return pointwise("maximum", wrap(a), wrap(b))


def minimum(a: Expr | float, b: Expr | float) -> Expr:
    """The smaller of the two, unit by unit."""
    return pointwise("minimum", wrap(a), wrap(b))


def where(condition: Expr, a: Expr | float, b: Expr | float) -> Expr:
    """`a` where the condition is not 0, `b` elsewhere."""
    return pointwise("where", wrap(condition), wrap(a), wrap(b))


def floor(a: Expr | float) -> Expr:
    """The largest integer not above `a`; no gradient flows."""
    return pointwise("floor", wrap(a))


def detach(a: Expr | float) -> Expr:
    """`a`, through which no gradient flows."""
    return pointwise("detach", wrap(a))


def clip_grad(a: Expr, bound: float) -> Expr:
    """`a`, whose gradient is clipped to ±`bound` (Graves 2013, Generating Sequences With RNNs, section 2.1).

    Raises:
        CellError: the bound is not a positive number.
    """
    if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not bound > 0:
        raise CellError(f"clip_grad({a!r}, {bound!r}): the bound must be a positive number")
    return pointwise("clip_grad", wrap(a), wrap(bound))


TABLE: Mapping[str, Operation] = MappingProxyType({operation.name: operation for operation in _operations()})
