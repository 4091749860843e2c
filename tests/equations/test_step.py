import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from gatewise.equations import (
    Expr,
    Parameter,
    Step,
    fold,
    input,
    linear,
    matmul,
    parameter,
    repeat,
    sigmoid,
    state,
    tanh,
    trace,
)
from gatewise.errors import CellError


def traced(function: Callable[..., object], **options: Any) -> Step:
    defaults: dict[str, Any] = {"inputs": {"x": "X"}, "states": {"h": "H", "c": "H"}}
    return trace("Cell", function, **(defaults | options))


def good(x: Expr, h: Expr, c: Expr) -> dict[str, Expr]:
    return {"h": tanh(linear("h", x, h)), "c": c}


def test_a_step_knows_its_parts() -> None:
    def step(x, h, c):
        gate = sigmoid(linear("i", x, h))
        return {"c": c + gate * parameter("p"), "h": matmul("P", gate, "P"), "i": gate}

    got = traced(step, states={"h": "P", "c": "H"}, observed=["i", "j"], initial={"c": 1.0})
    assert list(got.states) == ["h", "c"]
    assert got.states["h"] is state("h", "P")
    assert got.inputs == {"x": input("x", "X")}
    assert got.updates["h"] is matmul("P", got.observed["i"], "P")
    assert list(got.observed) == ["i"]
    assert got.initial == {"h": 0.0, "c": 1.0}
    assert got.parameters == {
        parameter.name: parameter
        for parameter in (
            Parameter("W_i", ("H", "X")),
            Parameter("b_i", ("H",)),
            Parameter("U_i", ("H", "P")),
            Parameter("P", ("P", "H")),
            Parameter("p", ("H",)),
        )
    }
    assert got.sequence("i") is got.observed["i"]
    with pytest.raises(CellError, match='no value "ii"; did you mean "i"'):
        got.sequence("ii")


def test_printing_names_what_is_shared() -> None:
    def step(x, h, c):
        shared = h * c
        return {"h": shared + matmul("W", x), "c": shared * c}

    assert str(traced(step)).splitlines() == [
        "Cell: x [X]; states h [H], c [H]; output h",
        "  s1 = h * c",
        "  h' = s1 + W @ x",
        "  c' = s1 * c",
        "parameters: W [H, X]",
    ]
    assert r"h_t &= s_{1} + W x_t \\" in traced(step).latex()


def test_a_value_before_the_step_keeps_its_name() -> None:
    assert "  c' = c" in str(traced(good)).splitlines()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, h, c: {"h": h}, r"did not return the new value of the state c; it returned h = `h`"),
        (lambda x, h, c: {}, r"did not return the new value of the states h, c; it returned nothing"),
        (
            lambda x, h, c: {"h": h, "c": c, "cc": h * c},
            r'returned "cc" = `h \* c`, but no state .* did you mean "c"\?',
        ),
        (lambda x, h, c: {"h": h, "c": 0.0}, r'returned "c" = 0.0 of type float; expected an expression'),
        (lambda x, h, c: (h, c), r"must return a mapping .* got tuple"),
        (lambda x, h, c: {"h": h, "c": x * 2}, r'state "c" was declared with width H, but `x \* 2` has width X'),
        (lambda x, h, c: {"h": h, "c": sigmoid(0.5)}, r"`sigmoid\(0.5\)` has no width \(a scalar\)"),
        (
            lambda x, h, c: {"h": h + x, "c": c},
            r"Cell.step, line \d+ of test_step.py `.*`: add\(h, x\): the widths do not fit",
        ),
        (
            lambda x, h, c: {"h": h if h > c else c, "c": c},
            r"Cell.step, line \d+ of test_step.py `.*`: Python asked whether `h > c` is true",
        ),
        (
            lambda x, h, c: {"h": matmul("W", x) + matmul("W", h), "c": c},
            r'parameter "W" with two shapes: \[H, X\] in `W @ x` and \[H, H\] in `W @ h`',
        ),
        (
            lambda x, h, c: {"h": matmul("b", h) + parameter("b"), "c": c},
            r'parameter "b" with two shapes: \[H, H\] in `b @ h` and \[H\] in `b`',
        ),
        (lambda x, h, c: {"h": h + state("m"), "c": c}, r"uses the state `m` \[H\], which is not declared"),
        (
            lambda x, h, c: {"h": h + state("c", "H"), "c": c + matmul("W", state("h", "P"))},
            r"uses the state `h` \[P\]",
        ),
        (
            lambda x, h, c: {"h": h + matmul("W", input("s")), "c": c},
            r"uses the input `s` \[X\], which is not declared",
        ),
    ],
)
def test_equations_that_do_not_fit(function, message: str) -> None:
    with pytest.raises(CellError, match=message):
        traced(function)


def test_declarations_that_do_not_fit() -> None:
    with pytest.raises(CellError, match='the output "y" is not a state'):
        traced(good, output="y")
    with pytest.raises(CellError, match='"h" is declared as an input and as a state'):
        traced(good, inputs={"x": "X", "h": "H"})
    with pytest.raises(CellError, match=r'observed value "i" = `sigmoid\(1\)` is a scalar'):
        traced(lambda x, h, c: {"h": h, "c": c, "i": sigmoid(1)}, observed=["i"])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x, h, c: {"h": h.tanh(), "c": c},
            r"line \d+ of test_step.py `.*`: AttributeError: .* no attribute 'tanh'",
        ),
        (lambda x, h, c: {"h": h @ c, "c": c}, r"line \d+ of test_step.py .* TypeError: unsupported operand .* @"),
        (
            lambda x, h, c: {"h": h * len(h), "c": c},
            r"TypeError: object of type 'Expr' has no len\(\); equations are made",
        ),
        (lambda x, h, c: {"h": math.tanh(h), "c": c}, r"`h` was used as a number"),
        (lambda x, h, c: {"h": torch.tanh(h), "c": c}, r"line \d+ .*TypeError: tanh\(\)"),
        (lambda x, h, c: {"h": undefined(h), "c": c}, r"NameError: name 'undefined' is not defined"),  # type: ignore  # noqa
        (lambda x, h, c: {"h": h if h == 0 else c, "c": c}, r"line \d+ .*`h == 0` .* use >= and <="),
        (lambda x, h, c: {"h": max(h, 0), "c": c}, r"Python asked whether `0 > h` is true|Python asked whether"),
        (
            lambda x, h, c: {"h": h.__setitem__(0, c), "c": c},
            r"line \d+ .*`h` was assigned to in place \(\[0\] = ...\)",
        ),
        (lambda x, h, c: {"h": fold(h, "Q") * 1.0 + repeat(fold(h, "Q"), "Q2"), "c": c}, "the widths do not fit"),
        (lambda x, h, c: {"h": repeat(fold(h, "Q")), "c": c}, r"`fold\(h\)` has the width Q, whose size nothing tells"),
    ],
)
def test_what_numbers_can_do_and_equations_cannot(function, message: str) -> None:
    with pytest.raises(CellError, match=message):
        traced(function)


def test_statements_that_change_what_is_traced() -> None:
    def in_place(x, h, c):
        h[1:] = c
        return {"h": h, "c": c}

    def loops(x, h, c):
        while c < 1:
            c = c + 1
        return {"h": h, "c": c}

    def walks(x, h, c):
        return {"h": sum(unit for unit in h), "c": c}

    for function, message in (
        (in_place, r"line \d+ of test_step.py `h\[1:\] = c`: `h` was assigned to in place .* compute a new one"),
        (loops, r"line \d+ of test_step.py `while c < 1:`: Python asked whether `c < 1` is true"),
        (walks, r"line \d+ of test_step.py .*: `h` was indexed with \[0\] or iterated over"),
    ):
        with pytest.raises(CellError, match=message):
            traced(function)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial": {"c": "learnt"}}, r"""the state "c" starts at 'learnt'; expected a number or "learned"$"""),
        ({"initial": {"c": math.nan}}, r'the state "c" starts at nan'),
        ({"initial": {"c": True}}, r'the state "c" starts at True'),
        ({"states": {"h": "H", "c": None}}, r'the state "c" has the width None; a state is a vector'),
        ({"states": {"h": "T", "c": "H"}}, r'the widths "T" and "B" stand for time steps and batch'),
        ({"inputs": {"@x": "X"}}, r'"@x" is no name of an input or a state'),
    ],
)
def test_declarations_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CellError, match=message):
        traced(good, **options)
