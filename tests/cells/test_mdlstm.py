"""The equations of the multidimensional LSTM, and how cells of grids are declared."""

from typing import Any

import pytest

from gatewise import cells
from gatewise.cells import MDLSTM, GridCell, State
from gatewise.equations import Expr, linear, tanh
from gatewise.errors import CellError


def equations(cell: MDLSTM) -> list[str]:
    return str(cell.trace()).splitlines()[1:-1]


def test_the_cell_of_2007() -> None:
    """A forget gate for each dimension, which sees the state of its dimension alone."""
    assert equations(MDLSTM("forget", peephole=True)) == [
        "  i = sigmoid(W_i @ x + b_i + U_i @ h_up + V_i @ h_left + p_i_up * c_up + p_i_left * c_left)",
        "  f_up = sigmoid(W_f_up @ x + b_f_up + U_f_up @ h_up + V_f_up @ h_left + p_f_up * c_up)",
        "  f_left = sigmoid(W_f_left @ x + b_f_left + U_f_left @ h_up + V_f_left @ h_left + p_f_left * c_left)",
        "  z = tanh(W_z @ x + b_z + U_z @ h_up + V_z @ h_left)",
        "  c' = f_up * c_up + f_left * c_left + i * z",
        "  o = sigmoid(W_o @ x + b_o + U_o @ h_up + V_o @ h_left + p_o * c')",
        "  h' = o * tanh(c')",
    ]


def test_the_leaky_cell() -> None:
    lines = equations(MDLSTM("leaky"))
    assert "  i = 1 - f" in lines
    assert "  c' = f * (l * c_up + (1 - l) * c_left) + i * z" in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"memory_cell": "stabel"}, 'did you mean "stable"'), ({"peephole": 1}, "peephole=1 must be True or False")],
)
def test_options_that_do_not_exist(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CellError, match=message):
        MDLSTM(**arguments)


def test_a_cell_of_a_grid_is_not_one_of_a_sequence() -> None:
    assert "mdlstm" not in cells.list()
    assert not issubclass(MDLSTM, cells.Cell)
    assert MDLSTM("leaky").trace() is MDLSTM("leaky").trace()


def test_a_cell_that_cannot_be_hashed() -> None:
    class Own(GridCell):
        h = State()
        __hash__ = None  # type: ignore[assignment]

        def step(self, x: Expr, h_up: Expr, h_left: Expr) -> dict[str, Expr]:
            return {"h": tanh(linear("h", x, h_up, h_left))}

    with pytest.raises(CellError, match=r"declare its options with @dataclass\(frozen=True\)"):
        Own().trace()
    assert Own().memory() == {}
