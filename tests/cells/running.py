"""Running a cell on random numbers, to be compared with a loop in numpy that knows nothing of our code."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from gatewise.backends import reference
from gatewise.cells import Cell

Array = NDArray[np.float64]
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


def run(
    cell: Cell, inputs: Mapping[str, Array], p: Mapping[str, Array], states: Mapping[str, Array] | None = None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """States and observed values over time, and the last states, from the reference backend."""
    step = cell.trace()

    def tensors(values: Mapping[str, Array]) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(np.array(value)) for name, value in values.items()}

    outputs, final = reference.run(
        step,
        tensors(inputs),
        tensors(p),
        None if states is None else tensors(states),
        sequences=[*step.states, *step.observed],
    )
    return {k: v.numpy() for k, v in outputs.items()}, {k: v.numpy() for k, v in final.items()}


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def assert_equal(got: Array, want: Array, what: str = "value") -> None:
    """Equal shapes, and no difference above 1e-12 of the larger of 1 and the largest value; NaN is equal to nothing."""
    assert got.shape == want.shape, f"{what}: {got.shape}, expected {want.shape}"
    error = np.abs(got - want).max() / max(1.0, np.abs(want).max())
    assert error <= 1e-12, f"{what}: error {error:.2e}"
