import copy
from dataclasses import dataclass
from typing import Any

import pytest

from gatewise.cells import LSTM, LSTMP, Cell, Input, Observed, State
from gatewise.equations import linear, matmul, sigmoid, tanh
from gatewise.errors import CellError


class Recurrent(Cell):
    """One state; the subclasses bring equations of any signature."""

    h = State()

    def step(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class Elman(Recurrent):
    def step(self, x, h):
        return {"h": tanh(linear("h", x, h))}


def test_tracing_happens_once_for_equal_cells() -> None:
    assert LSTM().trace() is LSTM().trace()
    assert LSTM(bias=False).trace() is not LSTM().trace()
    assert copy.deepcopy(LSTM()).trace() is LSTM().trace()
    assert LSTMP().trace() is not LSTM().trace()


def test_declarations_are_inherited_and_can_be_replaced() -> None:
    class Timed(Recurrent):
        s = Input("S")
        h = State("P", initial=-1.0)
        g = Observed()

        def step(self, x, s, h):
            gate = sigmoid(matmul("W_s", s, "P"))
            return {"h": gate * tanh(matmul("W", x, "P") + h), "g": gate}

    step = Timed().trace()
    assert {name: leaf.width for name, leaf in step.inputs.items()} == {"x": "X", "s": "S"}
    assert {name: leaf.width for name, leaf in step.states.items()} == {"h": "P"}
    assert step.initial == {"h": -1.0}
    assert list(step.observed) == ["g"]
    assert step.parameters["W_s"].shape == ("P", "S")


def test_another_output() -> None:
    class Named(Recurrent):
        h = None
        y = State(emitted=True)

        def step(self, x, y):
            return {"y": tanh(linear("y", x, y))}

    step = Named().trace()
    assert step.output == "y"
    assert list(step.states) == ["y"]


class TakesUnknown(Recurrent):
    def step(self, x, h, cc):
        return {"h": h}


class TakesTooFew(Recurrent):
    def step(self, h):
        return {"h": h}


class ByPosition(Recurrent):
    def step(self, x, h, /):
        return {"h": h}


class Branches(Recurrent):
    def step(self, x, h):
        return {"h": h if h > 0 else -h}


class NoState(Cell):
    def step(self, x):
        return {}


@dataclass
class Unhashable(Elman):
    bias: bool = True


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (TakesUnknown(), 'takes "cc", which is declared neither as a state nor as an input'),
        (TakesTooFew(), "does not take x; its arguments must be the inputs and states: x, h"),
        (ByPosition(), 'takes "x" by position only'),
        (Branches(), r"Branches.step, line \d+ of test_cell.py `.*`: Python asked whether `h > 0` is true"),
        (NoState(), "declares no state; write, for instance, `h = State"),
        (Unhashable(), r"cannot be hashed: declare its options with @dataclass\(frozen=True\)"),
    ],
)
def test_cells_that_do_not_fit(cell: Cell, message: str) -> None:
    with pytest.raises(CellError, match=message):
        cell.trace()


def test_lstm_without_biases_has_none() -> None:
    assert {parameter.shape for parameter in LSTM(bias=False).trace().parameters.values()} == {("H", "X"), ("H", "H")}
    assert set(LSTM().trace().parameters) - set(LSTM(bias=False).trace().parameters) == {"b_i", "b_f", "b_z", "b_o"}


def test_lstm_with_projection_recurs_on_the_projected_output() -> None:
    step = LSTMP().trace()
    assert step.states["h"].width == "P"
    assert step.states["c"].width == "H"
    assert all(step.parameters[f"U_{gate}"].shape == ("H", "P") for gate in "ifzo")
    assert set(step.observed) == set("ifzo")
