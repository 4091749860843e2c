"""The tests of cells and layers once more, in the compiled core."""

import torch

from gatewise import LSTM
from tests.backends import again

first = again.first("cpu")
# Without those whose every layer goes to the core anyhow, and which take long.
WITHOUT = (*again.OF_THE_ORDER, "test_gradients_of_gradients", "test_sequences_longer_than_16_bits_count")
globals().update(again.tests((*again.LAYERS, *again.CELLS), WITHOUT))


def test_the_core_is_the_first_to_be_tried() -> None:
    assert "backend: cpu (the first of" in LSTM(3, 4).explain(torch.zeros(5, 2, 3))
