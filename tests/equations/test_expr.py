import copy
import gc
import math
import pickle
from typing import Any

import pytest

from gatewise.equations import Expr, constant, input, linear, matmul, parameter, sigmoid, state, tanh, where
from gatewise.equations.expr import _interned, depending, topological
from gatewise.errors import CellError

# Any: most tests say on purpose what the types forbid.
x: Any = input("x")
h: Any = state("h")
b: Any = parameter("b")


def test_equal_expressions_are_one_object() -> None:
    assert sigmoid(h * b + 1) is sigmoid(h * b + 1.0)
    assert h * b is not b * h
    assert input("h", "H") is not state("h", "H")
    assert state("h", "H") is not state("h", "P")
    assert constant(0.0) is not constant(-0.0)


def test_nodes_that_nobody_uses_are_forgotten() -> None:
    gc.collect()
    before = len(_interned)
    for k in range(200):
        tanh(h * (k + 0.123))
    gc.collect()
    assert len(_interned) == before


def test_copies_are_the_same_object() -> None:
    expr = sigmoid(h * b) + constant(-0.0)
    assert copy.copy(expr) is expr
    assert copy.deepcopy({"a": expr})["a"] is expr
    assert pickle.loads(pickle.dumps(expr)) is expr


def test_nodes_cannot_be_changed_or_made_directly() -> None:
    with pytest.raises(AttributeError, match="cannot be changed"):
        h.width = "P"
    with pytest.raises(CellError, match="build expressions with the functions"):
        Expr()


def test_neutral_constants_vanish() -> None:
    assert h + 0 is h
    assert 0 + h is h
    assert h - 0 is h
    assert h * 1 is h
    assert 1 * h is h
    assert h / 1 is h
    assert 0 - h is not h
    assert 1 / h is not h
    assert h * 0 is not constant(0.0)  # infinity times 0 is not 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: h if h > 0 else b, r"whether `h > 0` is true .* use where\("),
        (lambda: 0 < h < 1, r"whether `h > 0` is true"),
        (lambda: not h, r"whether `h` is true"),
        (lambda: math.exp(h * 2), r"`h \* 2` was used as a number"),
        (lambda: h[0], r"`h` was indexed with \[0\]"),
        (lambda: list(h), r"`h` was indexed"),
        (lambda: h**3, r"only the power 2"),
        (lambda: h + x, r"add\(h, x\): the widths do not fit: `h` has width H, `x` has width X"),
        (lambda: where(h > 0, x, h), r"the widths do not fit"),
        (lambda: where(h == 0, h, b), r"`h == 0` .* would compare objects, not values.*: use >= and <="),
        (lambda: h if h != 1.0 else b, r"`h == 1.0` \(or !=\) would compare objects"),
        (lambda: where(h == b, h, b), r"got False of type bool \(== compares expressions as objects"),
        (lambda: h + "1", r"expected an expression or a number, got '1' of type str"),
        (lambda: h * math.nan, r"got nan"),
        (lambda: matmul("W", constant(2)), r"matmul\('W', 2\): the operand is a scalar"),
        (lambda: linear("i"), r"one to three operands, got 0"),
        (lambda: linear("i", x, h, h, h), r"one to three operands, got 4"),
    ],
)
def test_what_equations_cannot_say(build, message: str) -> None:
    with pytest.raises(CellError, match=message):
        build()


def test_widths_follow_the_vectors() -> None:
    assert (h * 2).width == "H"
    assert (constant(1) - sigmoid(h)).width == "H"
    assert constant(1).width is None
    assert matmul("W", x, "P").width == "P"
    assert linear("i", x, h, bias=False) is matmul("W_i", x) + matmul("U_i", h)


def test_topological_order_is_complete_and_survives_depth() -> None:
    deep = h
    for k in range(5000):
        deep = deep + (k + 1)
    order = topological([deep, deep * 2])
    position = {node: k for k, node in enumerate(order)}
    assert len(position) == len(order)
    assert all(position[arg] < position[node] for node in order for arg in node.args)
    assert deep in position
    assert len(order) == 1 + 2 * 5000 + 1  # h, the sums and their constants (2 among them), the product
    assert len(repr(deep)) <= 200


def test_depending_follows_the_leaves() -> None:
    outer, inner = matmul("W", x) + b, matmul("U", h)
    order = topological([outer + inner])
    found = depending(order, on=["state"])
    assert {h, inner, outer + inner} == found
    assert outer not in found
