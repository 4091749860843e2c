"""Running a cell on random numbers, to be compared with a loop in numpy that knows nothing of our code."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatewise.backends.scan import scan
from gatewise.cells import Cell

Array = NDArray[np.float64]
BACKEND = "reference"  # on which cells run here
SIZES = {"X": 3, "H": 4, "S": 2}
BATCH = 2


def normal(*shape: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def draw(cell: Cell) -> dict[str, Array]:
    """Random values of all parameters of a cell."""
    generator = np.random.default_rng(0)
    return {
        name: generator.standard_normal([SIZES[width] for width in parameter.shape])
        for name, parameter in cell.trace().parameters.items()
    }


def execute(
    cell: Cell, inputs: Mapping[str, Tensor], p: Mapping[str, Tensor], states: Mapping[str, Tensor] | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """States and observed values over time, and the last states; differentiable. By default states start as declared.

    Inputs are `[T, B, w]`, `[T, B, 1]` for one number a step.
    """
    step = cell.trace()
    if states is None:
        states = {
            name: torch.full((BATCH, SIZES[str(leaf.width)]), float(step.initial[name]), dtype=torch.float64)
            for name, leaf in step.states.items()
        }
    return scan(step, inputs, p, states, emit=[*step.states, *step.observed], backend=BACKEND)


def run(
    cell: Cell, inputs: Mapping[str, Array], p: Mapping[str, Array], states: Mapping[str, Array] | None = None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """`execute` on arrays."""
    found = execute(cell, tensors(inputs), tensors(p), None if states is None else tensors(states))
    outputs, final = ({name: value.numpy() for name, value in values.items()} for values in found)
    return outputs, final


def tensors(values: Mapping[str, Array], learned: bool = False) -> dict[str, Tensor]:
    return {name: torch.tensor(value, requires_grad=learned) for name, value in values.items()}


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def assert_equal(got: Array, want: Array, what: str = "value") -> None:
    """Equal shapes, and no difference above 1e-12 of the larger of 1 and the largest value; NaN is equal to nothing."""
    assert got.shape == want.shape, f"{what}: {got.shape}, expected {want.shape}"
    error = np.abs(got - want).max() / max(1.0, np.abs(want).max())
    assert error <= 1e-12, f"{what}: error {error:.2e}"
