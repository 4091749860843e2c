"""Nodes of ONNX, converted, against onnxruntime: outputs and last states of LSTM, GRU and RNN."""

from typing import Any

import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gatewise.convert import Backwards, from_onnx
from tests.convert.onnx_models import INPUTS, model, node

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def run(whole: Any, fed: dict[str, Tensor]) -> list[Tensor]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # it warns of every initial state that is a constant
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [
        torch.from_numpy(value) for value in session.run(None, {name: value.numpy() for name, value in fed.items()})
    ]


def error(got: Tensor, want: Tensor) -> float:
    """The largest difference; infinite where shapes differ or something is not a number."""
    if got.shape != want.shape or not bool(got.isfinite().all()):
        return float("inf")
    return float((got - want).abs().max()) if got.numel() else 0.0


@st.composite
def cases(draw: st.DrawFn, operator: str) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]]:
    """Constants, what is fed, and attributes."""
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    d, g = 2 if direction == "bidirectional" else 1, GATES[operator]
    x, h, t, b = (draw(st.integers(1, most)) for most in (5, 6, 8, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))

    def normal(*shape: int, scale: float = 0.5) -> Tensor:
        return scale * torch.randn(shape, generator=generator)

    shapes: dict[str, tuple[int, ...]] = {"W": (d, g * h, x), "R": (d, g * h, h)}
    optional: dict[str, tuple[int, ...]] = {"B": (d, 2 * g * h), "initial_h": (d, b, h)}
    attributes: dict[str, Any] = {"direction": direction, "hidden_size": h}
    if operator == "LSTM":
        optional |= {"initial_c": (d, b, h), "P": (d, 3 * h)}
        attributes["input_forget"] = draw(st.integers(0, 1))
    elif operator == "GRU":
        attributes["linear_before_reset"] = draw(st.integers(0, 1))
    else:
        attributes["activations"] = [draw(st.sampled_from(["Tanh", "Relu"]))] * d
    shapes |= {name: shape for name, shape in optional.items() if draw(st.booleans())}
    constants = {name: normal(*shapes[name]) for name in INPUTS if name in shapes}
    fed = {"x": normal(t, b, x, scale=1.0)}
    if draw(st.booleans()):
        lengths = draw(st.lists(st.integers(0, t), min_size=b, max_size=b))
        fed["sequence_lens"] = torch.tensor(lengths, dtype=torch.int32)
    return constants, fed, attributes


@pytest.mark.parametrize("operator", GATES)
@settings(derandomize=True, deadline=None, max_examples=200)
@given(data=st.data())
def test_outputs_and_states(operator: str, data: st.DataObject) -> None:
    constants, fed, attributes = data.draw(cases(operator))
    whole = model([node(operator, {*constants, *fed}, **attributes)], constants, fed)
    wanted, *want_states = run(whole, fed)
    want = wanted.transpose(1, 2).flatten(2)  # [T, D, B, H] -> [T, B, D*H]

    found = from_onnx(whole)
    inner = found.layer.layer if isinstance(found.layer, Backwards) else found.layer
    inner.backend = data.draw(st.sampled_from(["auto", "reference"]))
    assert found.fed == tuple(name for name in fed if name != "x")
    lengths = fed.get("sequence_lens")
    x = fed["x"].clone()
    for b, length in enumerate([] if lengths is None else lengths.tolist()):
        x[length:, b] = float("nan")
    with torch.no_grad():
        got, states = found.layer(x, found.hx, lengths=lengths)
    assert isinstance(got, Tensor)
    assert error(got, want) <= 1e-5
    parts = states if isinstance(states, tuple) else (states,)
    # Of an empty sequence onnxruntime says that its states are 0; here they are those it began with.
    some = torch.ones(x.shape[1], dtype=torch.bool) if lengths is None else lengths > 0
    for part, want_part in zip(parts, want_states, strict=True):
        assert error(part[:, some], want_part[:, some]) <= 1e-5
        assert (want_part[:, ~some] == 0).all()
