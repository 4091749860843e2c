"""How a cell of a grid is declared: a class with its states and the equations of one position."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gatewise.cells.cell import Observed, State, declarations
from gatewise.equations import Expr, Step
from gatewise.equations.grid import GridProgram, compile_grid, trace_grid
from gatewise.errors import CellError


class GridCell(ABC):
    """The equations of one position of a grid: subclass it, declare the states, write `step`.

    As `gatewise.cells.Cell`, but for two dimensions (Graves, Fernández & Schmidhuber 2007): `step` receives the input
    `x` [X] and, of every state `s` [H], `s_up`, its value at the position above, and `s_left`, at the one to the left;
    both are 0 beyond the border. It returns the value of every state at this position. The state `h` is given out.
    Matrices multiply `x`, `h_up` and `h_left` only; the other states go in unit by unit. A cell with options is a
    frozen dataclass whose fields are the options.

    >>> from gatewise.equations import linear, tanh
    >>> class Elman2D(GridCell):
    ...     h = State()
    ...
    ...     def step(self, x, h_up, h_left):
    ...         return {"h": tanh(linear("h", x, h_up, h_left))}
    >>> print(Elman2D().trace())
    Elman2D: x [X], h_up [H], h_left [H]; states h [H]; output h
      h' = tanh(W_h @ x + b_h + U_h @ h_up + V_h @ h_left)
    parameters: W_h [H, X], b_h [H], U_h [H, H], V_h [H, H]
    """

    @abstractmethod
    def step(self, *args: Any, **kwargs: Any) -> Mapping[str, Expr]:
        """The equations of one position; see the class."""

    def memory(self) -> Mapping[str, float]:
        """Biases that begin at a number, so that a cell keeps its state at first; none by default."""
        return {}

    def trace(self) -> Step:
        """The checked equations; traced once, then remembered.

        Raises:
            CellError: the cell's declarations or equations do not fit; the message shows what does not.
        """
        if type(self).__hash__ is None:
            raise CellError(f"{type(self).__name__} cannot be hashed: declare its options with @dataclass(frozen=True)")
        return _trace(self)

    def program(self) -> GridProgram:
        """What a kernel executes: net inputs, the pointwise step and its gradient.

        Raises:
            CellError: as `trace`.
        """
        return compile_grid(self.trace())


@lru_cache(maxsize=64)
def _trace(cell: GridCell) -> Step:
    name = type(cell).__name__
    states = declarations(type(cell), State)
    if "h" not in states:
        raise CellError(f'{name} must declare the state "h", which is given out: write `h = State()` in its class')
    for key, value in states.items():
        if value != State():
            raise CellError(f'{name}: the state "{key}" was declared as {value!r}; on a grid states are `State()`')
    return trace_grid(name, cell.step, tuple(states), tuple(declarations(type(cell), Observed)))
