"""The tests of layers once more, on the reference; those of cells run on it where they stand."""

import torch

from gatewise import LSTM
from tests.backends import again

first = again.first("reference")
# Without what takes long: derivatives of derivatives are those of the reference on every backend.
WITHOUT = (*again.OF_THE_ORDER, "test_gradients_of_gradients", "test_sequences_longer_than_16_bits_count")
globals().update(again.tests(again.LAYERS, WITHOUT))


def test_the_reference_is_the_first_to_be_tried() -> None:
    assert "backend: reference (the first of" in LSTM(3, 4).explain(torch.zeros(5, 2, 3))
