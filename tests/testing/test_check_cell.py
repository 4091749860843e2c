"""`check_cell`: every published cell passes it, and whatever is broken on purpose is found and named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pytest
import torch

import gatewise
from gatewise.backends import operators, reference
from gatewise.cells import LSTM, LSTM1997, LSTMP, Cell, Input, Observed, State
from gatewise.equations import (
    TABLE,
    Expr,
    clip_grad,
    exp,
    grad,
    linear,
    log,
    matmul,
    maximum,
    parameter,
    sigmoid,
    sqrt,
    tanh,
    transform,
    where,
)
from gatewise.errors import CellError
from gatewise.nn import Recurrent
from gatewise.testing import check_cell


@pytest.mark.parametrize("name", gatewise.cells.list())
def test_published_cells_pass(name: str) -> None:
    report = check_cell(gatewise.cells.get(name))
    assert [check for check, _ in report.checks] == [
        "shapes",
        "ties and zeros",
        "gradients",
        "padding",
        "resets",
        "pieces",
        "directions",
        "T = 1, B = 1",
        "backends",
    ]
    lines = str(report).splitlines()
    assert len(lines) == 1 + len(report.checks)
    assert ("finite differences, and torch's autograd" in dict(report.checks)["gradients"]) or name == "gru-d"


@pytest.mark.parametrize(
    "cell",
    [
        LSTM1997(cells_per_block=3, truncated=True),  # blocks of 3 need another hidden size; detach is no slope
        LSTMP(cells_per_block=2, peephole=True, layer_norm=True),
        LSTM(bias=False, input_gate=False, output_activation=False),
    ],
    ids=["1997", "LSTMP", "bare"],
)
def test_options(cell: Cell) -> None:
    report = check_cell(cell)
    assert report.sizes["H"] % getattr(cell, "cells_per_block", 1) == 0
    assert ("by intent" in dict(report.checks)["gradients"]) == isinstance(cell, LSTM1997)


def one_state(new: Callable[..., Expr], name: str = "Mine") -> type[Cell]:
    """A cell whose state becomes what a function of x's net input and h gives."""

    def step(self: Cell, x: Expr, h: Expr) -> Mapping[str, Expr]:
        return {"h": new(linear("h", x, h), h)}

    return type(name, (Cell,), {"h": State(), "step": step})


def test_a_cell_of_ones_own_with_everything() -> None:
    class Everything(Cell):
        time, mask, place = Input(None, differentiable=False), Input("Q", differentiable=False), Input(None)
        h, c = State("P"), State(initial="learned")
        g = Observed()

        def step(self, x, time, mask, place, h, c):
            g = sigmoid(linear("g", x, h, mask) + time * parameter("t"))
            c = clip_grad(where(g > 0.5, g * c, c), 1.0) + tanh(place)
            return {"h": matmul("P", maximum(c, g), "P"), "c": c, "g": g}

    report = check_cell(Everything)
    assert report.sizes == {"H": 4, "P": 2, "Q": 2, "X": 3}


@pytest.mark.parametrize(
    ("new", "message"),
    [
        # The trap: the square root is not chosen where it is 0, and its infinite slope is multiplied with 0.
        (
            lambda n, h: where(h > 0, sqrt(h), 0) + tanh(n),
            r"Mine: the gradient of the input x is NaN at this point: all inputs 0, states as they start, parameters 0"
            r"\. The derivative of `sqrt\(h\)` is not finite where `h` is 0. A where\(\) around it does not help, .* "
            r"choose the operand before .* sqrt\(where\(condition, h, 1\)\)",
        ),
        (
            lambda n, h: tanh(n) + sqrt(maximum(n, h)),
            r"The derivative of `sqrt\(maximum\(.*\)\)` is not finite where .* 0",
        ),
        (
            lambda n, h: tanh(n) * log(abs(h)),
            r"`log\(abs\(h\)\)` is -inf where `abs\(h\)` is 0",
        ),
        (lambda n, h: tanh(n) * (h / h), r"`h / h` is nan where `h` is 0.* for instance h / where\(condition, h, 1\)"),
        (
            lambda n, h: tanh(sqrt(n + 0.25)),
            r"the output for random numbers is not finite. `sqrt\(.*\)` is nan where",
        ),
    ],
)
def test_gradients_that_are_not_finite(new: Callable[..., Expr], message: str) -> None:
    with pytest.raises(CellError, match=message):
        check_cell(one_state(new))


@pytest.mark.parametrize(
    "new",
    [
        lambda n, h: sqrt(where(h > 0, h, 1)) * (h > 0) + tanh(n),
        lambda n, h: maximum(n, h),
        lambda n, h: where(n >= h, n, h) + abs(h - n) * 0.1,
        lambda n, h: tanh(n) + sqrt(maximum(h, 1e-12)),
    ],
)
def test_what_avoids_them_passes(new: Callable[..., Expr]) -> None:
    check_cell(one_state(new))


def test_inputs_that_must_not_be_anything_are_drawn_by_the_caller() -> None:
    class Logarithm(Cell):
        h = State()

        def step(self, x, h):
            return {"h": tanh(matmul("W", log(x)) + matmul("U", h))}

    with pytest.raises(
        CellError, match=r"`log\(x\)` is nan where `x` is -.*: keep its operands from there, for instance log"
    ):
        check_cell(Logarithm)
    positive = check_cell(Logarithm, draw={"x": lambda *shape: torch.rand(shape) + 0.5})
    assert len(positive.checks) == 9
    with pytest.raises(CellError, match=r'"x" was drawn with shape \[6, 3, 1\]; expected \[T, B, w\] = \[6, 3, 3\]'):
        check_cell(Logarithm, draw={"x": lambda t, b, w: torch.ones(t, b, 1)})
    with pytest.raises(CellError, match='has no input "y"; there is: x'):
        check_cell(Logarithm, draw={"y": lambda *shape: torch.rand(shape)})


def test_values_that_are_not_finite() -> None:
    with pytest.raises(
        CellError, match=r"output for random numbers is not finite. `exp\(exp\(exp\(.* is inf where `.* is \d+"
    ):
        check_cell(one_state(lambda n, h: exp(exp(exp(h + n * n + 2.0)))))


class NoStep(Cell):
    h = State()


@dataclass(frozen=True)
class Option(Cell):
    size: int
    h = State()

    def step(self, x, h):
        return {"h": tanh(linear("h", x, h)) * self.size}


class Odd(Cell):
    h = State()

    def widths(self, hidden_size):
        raise CellError("no hidden size will do")

    def step(self, x, h):
        return {"h": tanh(linear("h", x, h))}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (NoStep, "NoStep cannot be made without arguments .* has a method `step`"),
        (Option, "Option cannot be made without arguments .* give a cell in place of its class"),
        (Odd, "none of the hidden sizes 4, 6, .* suits the cell: no hidden size will do"),
        (LSTM().trace(), "expected a cell or its class, got Step"),
        (7, "expected a cell or its class, got 7"),
    ],
)
def test_what_is_no_cell(cell: Any, message: str) -> None:
    with pytest.raises(CellError, match=message):
        check_cell(cell)
    assert len(check_cell(Option(2)).checks) == 9


PLAIN = staticmethod(lambda n, h: tanh(n))


def break_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(TABLE["tanh"], derivative=lambda y, g: (g * (1 - y),))
    monkeypatch.setattr(grad, "TABLE", MappingProxyType({**TABLE, "tanh": wrong}))


def break_second(monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewise.backends import derivatives

    right = derivatives.second_derivative
    monkeypatch.setattr(
        derivatives,
        "second_derivative",
        lambda *a: [[None if t is None else 2 * t for t in part] for part in right(*a)],
    )


def break_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(step):
        padded = transform_padding(step)
        return replace(padded, updates=step.updates)

    transform_padding = transform.padding
    monkeypatch.setattr(transform, "padding", careless)


def break_resets(monkeypatch: pytest.MonkeyPatch) -> None:
    right = transform.resets
    monkeypatch.setattr(transform, "resets", lambda step: replace(right(step), updates=step.updates))


def break_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recurrent, "_scans", lambda self, states, sequences: None)


def break_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward_only(*arguments: Any, backwards: bool = False, **more: Any) -> Any:
        return reference.execute(*arguments, backwards=False, **more)

    monkeypatch.setitem(operators.EXECUTE, "reference", forward_only)


@pytest.mark.parametrize(
    ("sabotage", "message"),
    [
        (break_rule, "the derived gradient of the input x differs from torch's autograd by"),
        (break_second, "the second derivatives with respect to input x, .* are not those of finite differences"),
        (break_padding, "padding: the (output|last state h) of a shorter sequence is not what it should be"),
        (break_resets, "resets: the output is not what it should be: it differs by"),
        (break_states, "a sequence in two pieces: the output is not what it should be"),
        (break_direction, "not what it should be|differs from torch's autograd"),
    ],
)
def test_what_is_broken_is_found(sabotage: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch)
    # A cell of its own for each, since programs are remembered.
    slope = 1 + float(sum(map(ord, sabotage.__name__))) / 1000
    with pytest.raises(CellError, match=message):
        check_cell(one_state(lambda n, h: tanh(slope * n)))


def test_a_step_that_is_not_the_same_twice() -> None:
    calls = []

    class Counting(Cell):
        h = State()

        def step(self, x, h):
            calls.append(1)
            return {"h": tanh(linear("h", x, h)) * float(len(calls))}

    with pytest.raises(CellError, match=r"Counting.step gives other equations when it is called again"):
        check_cell(Counting)


def test_comparing_expressions_is_an_error_where_it_would_take_a_branch() -> None:
    class Branching(Cell):
        h = State()

        def step(self, x, h):
            z = tanh(linear("h", x, h))
            return {"h": z if z in (x, h) else h + z}

    with pytest.raises(CellError, match=r"`x` was compared with `tanh\(.*\)` \(by ==, != or in\)"):
        Branching().trace()


def test_a_parameter_needs_a_name_that_a_module_can_have() -> None:
    class Dotted(Cell):
        h = State()

        def step(self, x, h):
            return {"h": tanh(linear("z.q", x, h))}

    with pytest.raises(CellError, match=r'"W_z.q" in .* is no name of a parameter; use letters, digits and _'):
        Dotted().trace()
