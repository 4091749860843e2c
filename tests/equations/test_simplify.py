"""Every rule of the simplifier, and that it changes no value: not that of an infinity, nor where NaN comes from."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.equations import TABLE, Expr, constant, detach, exp, log, maximum, parameter, sigmoid, state, total, where
from gatewise.equations.arithmetic import ARITHMETIC
from gatewise.equations.expr import pointwise
from gatewise.equations.simplify import simplify

a, b, p = state("a"), state("b"), state("p")
one, zero = constant(1), constant(0)


def raw(op: str, *args: Expr) -> Expr:
    """An operation that Python's operators have not simplified already."""
    return pointwise(op, *args)


def neg(x: Expr) -> Expr:
    return raw("neg", x)


RULES = [
    (raw("add", a, zero), a),
    (raw("add", zero, a), a),
    (raw("add", a, neg(b)), a - b),
    (raw("add", neg(a), b), b - a),
    (raw("add", neg(a), neg(b)), neg(a) - b),
    (raw("sub", a, zero), a),
    (raw("sub", zero, a), neg(a)),
    (raw("sub", zero, neg(a)), a),
    (raw("sub", a, neg(b)), a + b),
    (raw("mul", one, a), a),
    (raw("mul", a, one), a),
    (raw("mul", constant(-1), a), neg(a)),
    (raw("mul", a, constant(-1)), neg(a)),
    (raw("mul", neg(a), b), neg(a * b)),
    (raw("mul", a, neg(b)), neg(a * b)),
    (raw("mul", neg(a), neg(b)), a * b),
    (raw("mul", neg(a), constant(-1)), a),
    (raw("div", a, one), a),
    (raw("div", neg(a), b), neg(a / b)),
    (neg(neg(a)), a),
    (neg(raw("sub", a, b)), b - a),
    (where(one, a, b), a),
    (where(zero, a, b), b),
    (where(p, a, a), a),
    (exp(constant(1)) * a, constant(math.e) * a),
    (log(constant(0)), constant(-math.inf)),
    (maximum(constant(2), 3), constant(3)),
]

# What looks like one of them and is not: 0 * inf is NaN, so are inf - inf and 0 / 0.
KEPT = [
    raw("mul", zero, a),
    raw("mul", a, zero),
    raw("sub", a, a),
    raw("div", a, a),
    raw("div", zero, a),
    raw("sub", constant(math.inf), constant(math.inf)),
    raw("mul", constant(0), constant(math.inf)),
    log(constant(-1)),
    detach(a),
    sigmoid(neg(a)),
    where(p, a, b),
    a + 2.0,
]


@pytest.mark.parametrize(("before", "after"), RULES, ids=lambda expr: repr(expr))
def test_rules(before: Expr, after: Expr) -> None:
    assert simplify([before])[before] is after


@pytest.mark.parametrize("expr", KEPT, ids=lambda expr: repr(expr))
def test_what_stays(expr: Expr) -> None:
    assert simplify([expr])[expr] is expr


def test_simplified_operands_are_simplified_further_and_shared() -> None:
    inner = raw("mul", neg(a), constant(-1))
    expr = raw("add", neg(inner), raw("mul", inner, one))
    found = simplify([expr])
    assert found[expr] is a - a
    assert found[inner] is a


def test_what_is_fixed_stays() -> None:
    inner = raw("mul", one, a)
    expr = raw("add", inner, zero)
    assert simplify([expr], fixed=[inner])[expr] is inner
    assert simplify([expr])[expr] is a


def test_a_vector_is_not_replaced_by_one_number() -> None:
    number = parameter("n", None)
    for expr in (where(p, number, number), where(one, number, a), where(p, 2.0, 2.0)):
        assert simplify([expr])[expr].width == "H"
        summed = total(expr)  # H numbers, not one
        assert simplify([summed])[summed].args[0].width == "H"


SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -0.3, math.inf, -math.inf, math.nan, 1e308]


def value(expr: Expr, known: dict[Expr, float]) -> float:
    if expr in known:
        return known[expr]
    if isinstance(expr.attr, float):
        return expr.attr
    return ARITHMETIC[expr.op](*(value(arg, known) for arg in expr.args))


def same(x: float, y: float) -> bool:
    """Equal up to the sign of zero; NaN is equal to NaN."""
    return (math.isnan(x) and math.isnan(y)) or x == y


@pytest.mark.parametrize("expr", [before for before, _ in RULES] + KEPT, ids=lambda expr: repr(expr))
def test_rules_keep_every_value(expr: Expr) -> None:
    simple = simplify([expr])[expr]
    for numbers in itertools.product(SPECIAL, repeat=3):
        known = dict(zip((a, b, p), numbers, strict=True))
        assert same(value(simple, known), value(expr, known)), known


LEAVES = st.sampled_from([a, b, p, *map(constant, (0, 1, -1, 2, -0.5, math.inf))])
# Where the sign of zero decides (1 / 0, the largest of 0 and -0), a simplification may choose the other infinity.
SMOOTH = ("add", "sub", "mul", "neg", "where", "sigmoid", "abs", "square", "ge", "gt", "relu", "softplus", "minimum")


@st.composite
def expressions(draw: st.DrawFn) -> Expr:
    pool = [draw(LEAVES) for _ in range(3)]
    for _ in range(draw(st.integers(1, 12))):
        op = draw(st.sampled_from(SMOOTH))
        pool.append(raw(op, *(draw(st.sampled_from(pool)) for _ in range(TABLE[op].arity))))
    return pool[-1]


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(expressions(), st.tuples(*[st.sampled_from(SPECIAL)] * 3))
def test_random_expressions_keep_their_values(expr: Expr, numbers: tuple[float, ...]) -> None:
    known = dict(zip((a, b, p), numbers, strict=True))
    simple = simplify([expr])[expr]
    assert same(value(simple, known), value(expr, known))
    assert simplify([simple])[simple] is simple
