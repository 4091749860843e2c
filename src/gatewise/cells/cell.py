"""How a cell is declared: a class with its states and the equations of one step."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal, TypeVar

from gatewise.equations import Expr, Step, trace
from gatewise.equations.program import compile
from gatewise.errors import CellError, nearest


@dataclass(frozen=True)
class Input:
    """Declares an input of a cell: a vector `[width]` for each time step, or with width None one number.

    No gradient flows to an input with `differentiable=False` (a mask, a time stamp).
    """

    width: str | None = "X"
    differentiable: bool = True


@dataclass(frozen=True)
class State:
    """Declares a state of a cell: a vector `[width]` carried from step to step.

    Attributes:
        width: the symbolic width.
        initial: the value before the first step: a number (0 by default), or "learned" for a trained vector `[width]`.
        emitted: whether this state is what a layer gives out; None for the state named "h".
    """

    width: str = "H"
    initial: float | Literal["learned"] = 0.0
    emitted: bool | None = None


@dataclass(frozen=True)
class Observed:
    """Declares a value inside the step (a gate, for instance) that a layer can show over time."""


@dataclass(frozen=True)
class Uniform:
    """Initial values drawn uniformly between two numbers."""

    low: float
    high: float


@dataclass(frozen=True)
class LogUniform:
    """Initial values whose logarithm is drawn uniformly: between two positive numbers, every scale alike."""

    low: float
    high: float


Start = float | Uniform | LogUniform

Declaration = TypeVar("Declaration", Input, State, Observed)


class Cell(ABC):
    """The equations of one time step: subclass it, declare the states, write `step`.

    A cell with options is a frozen dataclass whose fields are the options. Class attributes:

    - `x = Input()` is declared already; further inputs and the states are declared the same way.
    - `candidate` names the observed value that is added to the state, which recurrent dropout drops; or None.
    - the state named `h`, or the one declared `State(emitted=True)`, is what a layer gives out.

    Symbolic widths are "X" (inputs), "H" (hidden units) and whatever else a cell uses; `widths` tells their sizes.

    `step` receives every input and every state (its value before the step) by name and returns a mapping with the new
    value of every state; values declared as `Observed` may be returned besides.

    >>> from gatewise.equations import linear, tanh
    >>> class Elman(Cell):
    ...     h = State()
    ...
    ...     def step(self, x, h):
    ...         return {"h": tanh(linear("h", x, h))}
    >>> print(Elman().trace())
    Elman: x [X]; states h [H]; output h
      h' = tanh(W_h @ x + b_h + U_h @ h)
    parameters: W_h [H, X], b_h [H], U_h [H, H]
    """

    candidate: ClassVar[str | None] = None
    x = Input()

    @abstractmethod
    def step(self, *args: Any, **kwargs: Any) -> Mapping[str, Expr]:
        """The equations of one time step; see the class."""

    def declared(self, kind: type[Declaration]) -> dict[str, Declaration]:
        """What this cell declares of one kind (`Input`, `State`, `Observed`), by name; options may change it."""
        return declarations(type(self), kind)

    def transformed(self, step: Step) -> Step:
        """The traced equations after a transform that belongs to the cell (see `gatewise.equations.transform`)."""
        return step

    def memory(self) -> Mapping[str, int]:
        """Biases by which the cell keeps its state: 1 for those that do when large, -1 when small; none by default.

        What `forget_bias` and `expected_lag` of a layer initialise.
        """
        return {}

    def start(self) -> Mapping[str, Start]:
        """How a layer starts parameters that it is not to draw as it draws matrices, by name; none by default."""
        return {}

    def widths(self, hidden_size: int) -> Mapping[str, int]:
        """Sizes of the symbolic widths that follow from H, for instance of memory blocks; none unless overridden.

        Raises:
            CellError: H does not suit the cell.
        """
        return {}

    def __str__(self) -> str:
        """The equations, the stages in which they run forward and backward, and what is saved between the two."""
        step = self.trace()
        return f"{step}\n{compile(step)}"

    def trace(self) -> Step:
        """The checked equations of this cell; traced once, then remembered.

        Raises:
            CellError: the cell's declarations or equations do not fit; the message shows what does not.
        """
        if type(self).__hash__ is None:
            raise CellError(f"{type(self).__name__} cannot be hashed: declare its options with @dataclass(frozen=True)")
        return _trace(self)


def declarations(cell: type, kind: type[Declaration]) -> dict[str, Declaration]:
    """What a cell's class and its bases declare of one kind, by name; a subclass can declare anew or (None) remove."""
    found: dict[str, Declaration] = {}
    for owner in reversed(cell.__mro__):
        for name, value in vars(owner).items():
            if isinstance(value, kind):
                found[name] = value
            elif name in found:
                del found[name]
    return found


@lru_cache(maxsize=256)
def _trace(cell: Cell) -> Step:
    return trace_anew(cell)


def trace_anew(cell: Cell) -> Step:
    """As `Cell.trace`, without remembering: calls `step` again.

    Raises:
        CellError: the cell's declarations or equations do not fit.
    """
    name = type(cell).__name__
    inputs, states = cell.declared(Input), cell.declared(State)
    if not states:
        raise CellError(f"{name} declares no state; write, for instance, `h = State()` in its class")
    emitted = [key for key, value in states.items() if value.emitted] or [
        key for key, value in states.items() if key == "h" and value.emitted is None
    ]
    if len(emitted) != 1:
        raise CellError(
            f"{name} must give out one state, but {' and '.join(emitted) or 'none'} of {', '.join(states)} would be: "
            'name it "h", or declare it with State(emitted=True)'
        )
    known = [*inputs, *states]
    arguments = inspect.signature(cell.step).parameters
    takes_any = any(argument.kind is argument.VAR_KEYWORD for argument in arguments.values())
    for argument in arguments.values():
        if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL):
            continue
        if argument.name not in known:
            raise CellError(
                f'{name}.step takes "{argument.name}", which is declared neither as a state nor as an input; '
                f"{nearest(argument.name, known)}"
            )
        if argument.kind is argument.POSITIONAL_ONLY:
            raise CellError(f'{name}.step takes "{argument.name}" by position only; its arguments are passed by name')
    missing = [key for key in known if key not in arguments]
    if missing and not takes_any:
        raise CellError(
            f"{name}.step does not take {', '.join(missing)}; its arguments must be the inputs and states: "
            f"{', '.join(known)}"
        )
    step = trace(
        name,
        cell.step,
        inputs={key: value.width for key, value in inputs.items()},
        states={key: value.width for key, value in states.items()},
        observed=tuple(cell.declared(Observed)),
        initial={key: value.initial for key, value in states.items()},
        undifferentiated=[key for key, value in inputs.items() if not value.differentiable],
        output=emitted[0],
    )
    return cell.transformed(step)
