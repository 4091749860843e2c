"""Every operation of the language in torch: its value, its stability, and the derivative rule of the table."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise.backends.operations import TORCH
from gatewise.equations import TABLE, Expr, state
from gatewise.equations.expr import pointwise

POINTS = [-3.5, -1.0, -0.25, 0.0, 1e-3, 0.5, 2.0, 7.25]

# Written independently of torch, in Python's own arithmetic.
MEANING: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "abs": abs,
    "sign": lambda a: float((a > 0) - (a < 0)),
    "square": lambda a: a**2,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)) if a > -700 else 0.0,
    "tanh": math.tanh,
    "logsigmoid": lambda a: -math.log1p(math.exp(-a)) if a > 0 else a - math.log1p(math.exp(a)),
    "softplus": lambda a: math.log1p(math.exp(a)) if a < 0 else a + math.log1p(math.exp(-a)),
    "relu": lambda a: max(a, 0.0),
    "maximum": max,
    "minimum": min,
    "where": lambda condition, a, b: a if condition else b,
    "ge": lambda a, b: float(a >= b),
    "gt": lambda a, b: float(a > b),
    "le": lambda a, b: float(a <= b),
    "lt": lambda a, b: float(a < b),
    "floor": lambda a: float(math.floor(a)),
    "detach": lambda a: a,
    "clip_grad": lambda a, bound: a,
}


def points(op: str, arity: int) -> list[tuple[float, ...]]:
    """All combinations of the points at which the operation is defined."""
    grid = list(itertools.product(POINTS, repeat=arity))
    if op in ("sqrt", "log"):
        grid = [row for row in grid if row[0] > 0]
    if op == "log1p":
        grid = [row for row in grid if row[0] > -1]
    return [row for row in grid if row[1] != 0] if op == "div" else grid


def test_every_operation_is_spelled_and_explained() -> None:
    assert set(TORCH) == set(TABLE) == set(MEANING)
    assert len(TABLE) >= 25
    for name, operation in TABLE.items():
        assert operation.name == name
        for notation in (operation.text, operation.latex):
            assert notation.template.format(*["a"] * operation.arity).count("a") >= operation.arity


@pytest.mark.parametrize("name", TABLE)
def test_values(name: str) -> None:
    rows = points(name, TABLE[name].arity)
    columns = [torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True)]
    got = TORCH[name](*columns)
    want = torch.tensor([MEANING[name](*row) for row in rows], dtype=torch.float64)
    torch.testing.assert_close(got, want, rtol=1e-14, atol=1e-14)
    assert got.dtype == torch.float64


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "logsigmoid", "softplus", "relu"])
def test_far_values_and_gradients_are_finite(name: str) -> None:
    for dtype in (torch.float64, torch.float32):
        a = torch.tensor([-1e4, -100.0, 30.0, 100.0, 1e4], dtype=dtype, requires_grad=True)
        value = TORCH[name](a)
        want = torch.tensor([MEANING[name](v) for v in a.tolist()], dtype=dtype)
        torch.testing.assert_close(value.detach(), want, rtol=4 * torch.finfo(dtype).eps, atol=1e-40)
        (gradient,) = torch.autograd.grad(value.sum(), a)
        assert gradient.isfinite().all()


def value(node: Expr, known: dict[Expr, Tensor]) -> Tensor:
    if node in known:
        return known[node]
    if isinstance(node.attr, float):
        return torch.tensor(node.attr, dtype=torch.float64)
    return TORCH[node.op](*(value(arg, known) for arg in node.args))


@pytest.mark.parametrize("name", TABLE)
def test_derivative_rules_equal_autograd(name: str) -> None:
    operation = TABLE[name]
    rows = points(name, operation.arity)
    columns = [torch.tensor(c, dtype=torch.float64, requires_grad=True) for c in zip(*rows, strict=True)]
    leaves = [state(f"a{k}") for k in range(operation.arity)]
    adjoint = state("g")
    node = pointwise(name, *leaves)
    rules = operation.derivative(node, adjoint)
    assert len(rules) == operation.arity
    result = TORCH[name](*columns)
    g = torch.linspace(-2, 3, len(rows), dtype=torch.float64)
    if result.requires_grad:
        want = torch.autograd.grad(result, columns, g, materialize_grads=True)
    else:
        want = [torch.zeros_like(column) for column in columns]
    known = {**dict(zip(leaves, columns, strict=True)), adjoint: g}
    for rule, expected in zip(rules, want, strict=True):
        got = torch.zeros_like(expected) if rule is None else value(rule, known).detach()
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-14)


def test_gradient_not_chosen_by_where_may_be_infinite() -> None:
    condition, a, b = state("p"), state("a"), state("b")
    rules = TABLE["where"].derivative(pointwise("where", condition, a, b), state("g"))
    known = {condition: torch.tensor([1.0, 0.0]), state("g"): torch.tensor([2.0, float("inf")])}
    assert rules[1] is not None
    assert value(rules[1], known).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_an_infinite_gradient_reaches_only_the_operand_that_was_chosen(name: str) -> None:
    # sqrt(maximum(x, 0)) where x < 0: the derivative of sqrt is infinite, and x has no part in it.
    a, b = state("a"), state("b")
    rules = TABLE[name].derivative(pointwise(name, a, b), state("g"))
    known = {a: torch.tensor([1.0, 2.0]), b: torch.tensor([2.0, 1.0]), state("g"): torch.full((2,), float("inf"))}
    inf = float("inf")
    chosen = [[0.0, inf], [inf, 0.0]] if name == "maximum" else [[inf, 0.0], [0.0, inf]]
    assert [value(rule, known).tolist() for rule in rules if rule is not None] == chosen
