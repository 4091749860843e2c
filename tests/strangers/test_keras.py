"""Layers of Keras, converted, against Keras itself: outputs and last states, padding masked, states given."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.convert import from_keras
from tests.convert.keras_on_torch import keras
from tests.tolerance import assert_close

# Keras's get_weights, of which numpy 2 asks an argument that its variables do not have.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

L = keras.layers
KINDS: dict[str, tuple[type, dict[str, Any]]] = {
    "LSTM": (L.LSTM, {}),
    "GRU": (L.GRU, {}),
    "GRU reset before": (L.GRU, {"reset_after": False}),
    "SimpleRNN": (L.SimpleRNN, {}),
    "SimpleRNN relu": (L.SimpleRNN, {"activation": "relu"}),
}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@settings(derandomize=True, deadline=None, max_examples=30)
@given(data=st.data())
def test_outputs_and_states(kind: str, bidirectional: bool, data: st.DataObject) -> None:
    made, options = KINDS[kind]
    inputs, hidden, steps = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7))
    lengths = data.draw(st.none() | st.lists(st.integers(1, steps), min_size=1, max_size=4))
    batch = len(lengths) if lengths else data.draw(st.integers(1, 3))
    use_bias, with_states = data.draw(st.booleans()), data.draw(st.booleans())
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    layer: Any = made(hidden, use_bias=use_bias, return_sequences=True, return_state=True, **options)
    if bidirectional:
        layer = L.Bidirectional(layer)
    layer.build((batch, steps, inputs))
    layer.set_weights([0.5 * normal(*weight.shape) for weight in layer.get_weights()])
    ours = from_keras(layer)

    x = normal(batch, steps, inputs)
    directions, names = 1 + bidirectional, ("h", "c") if kind == "LSTM" else ("h",)
    states = [normal(batch, hidden) for _ in range(directions) for _ in names] if with_states else None
    mask = None if lengths is None else np.arange(steps) < np.array(lengths)[:, None]
    want, *want_states = layer(x, initial_state=states, mask=mask)

    poisoned = torch.from_numpy(x.copy())
    for b, length in enumerate(lengths or []):
        poisoned[b, length:] = float("nan")
    hx: Any = None
    if states is not None:
        parts = [torch.from_numpy(np.stack(states[k :: len(names)])) for k in range(len(names))]
        hx = tuple(parts) if len(names) == 2 else parts[0]
    got, got_states = ours(poisoned, hx, lengths=lengths)

    assert isinstance(got, torch.Tensor)
    for b in range(batch):
        length = lengths[b] if lengths else steps  # beyond it, Keras repeats the output before, or gives 0
        assert_close(got[b, :length], want[b, :length], steps, "output")
    for k, part in enumerate(got_states if len(names) == 2 else (got_states,)):
        for direction in range(directions):
            assert_close(part[direction], want_states[direction * len(names) + k], steps, f"state {names[k]}")
