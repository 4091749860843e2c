"""Nodes of ONNX: round trips bit for bit, every way to give and choose a node, every message."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from torch import Tensor

from gatewise.convert import Backwards, Imported, from_onnx
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn import GRU, LSTM, RNN
from tests.convert.onnx_models import exported, model, node


@st.composite
def layers(draw: st.DrawFn) -> LSTM | GRU | RNN | Backwards:
    kind = draw(st.sampled_from([LSTM, GRU, RNN]))
    options: dict[str, Any] = {
        LSTM: {"peephole": draw(st.booleans()), "coupled": draw(st.booleans())},
        GRU: {"reset_after": draw(st.booleans())},
        RNN: {"nonlinearity": draw(st.sampled_from(["tanh", "relu"]))},
    }[kind]
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    dtype = draw(st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16]))
    layer = kind(
        draw(st.integers(1, 4)),
        draw(st.integers(1, 5)),
        bias=draw(st.booleans()),
        bidirectional=direction == "bidirectional",
        dtype=dtype,
        **options,
    )
    return Backwards(layer) if direction == "reverse" else layer


def states(layer: LSTM | GRU | RNN | Backwards, batch: int) -> Any:
    inner = layer.layer if isinstance(layer, Backwards) else layer
    shape = (1 + inner.bidirectional, batch, inner.hidden_size)
    parts = tuple(torch.randn(shape).to(inner.all_weights[0][0].dtype) for _ in range(2))
    return parts if isinstance(inner, LSTM) else parts[0]


def flat(hx: Any) -> list[Tensor]:
    return list(hx) if isinstance(hx, tuple) else [hx]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(layer=layers(), batch=st.integers(0, 3))
def test_round_trip(layer: LSTM | GRU | RNN | Backwards, batch: int) -> None:
    hx = states(layer, batch) if batch else None
    found = from_onnx(exported(layer, hx))
    assert repr(found.layer) == repr(layer)
    assert list(found.layer.state_dict()) == list(layer.state_dict())
    for name, value in layer.state_dict().items():
        assert torch.equal(found.layer.state_dict()[name], value)
        assert found.layer.state_dict()[name].dtype == value.dtype
    assert found.fed == ()
    assert found.lengths is None
    if hx is None:
        assert found.hx is None
    else:
        for got, want in zip(flat(found.hx), flat(hx), strict=True):
            assert torch.equal(got, want)
    # and again, so that both ways are exact
    assert exported(found.layer, found.hx) == exported(layer, hx)


def test_from_a_path_bytes_and_a_model(tmp_path: Path) -> None:
    layer = LSTM(3, 5, peephole=True)
    whole = exported(layer)
    file = tmp_path / "model.onnx"
    onnx.save_model(whole, file)
    external = tmp_path / "external.onnx"
    onnx.save_model(exported(layer), external, save_as_external_data=True, size_threshold=0)
    for given_as in (whole, whole.SerializeToString(), file, str(file), external):
        found = from_onnx(given_as)
        assert isinstance(found, Imported)
        assert all(torch.equal(a, b) for a, b in zip(found.layer.parameters(), layer.parameters(), strict=True))


def weights(layer: LSTM | GRU | RNN) -> dict[str, Tensor]:
    return {tensor.name: from_proto(tensor) for tensor in exported(layer).graph.initializer}


def from_proto(tensor: onnx.TensorProto) -> Tensor:
    return torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())


PLAIN = weights(LSTM(3, 5))
X = {"x": torch.zeros(4, 2, 3)}


def single(
    operator: str = "LSTM", constants: dict[str, Tensor] = PLAIN, fed: dict[str, Tensor] = X, **attributes: Any
) -> onnx.ModelProto:
    return model([node(operator, {*constants, *fed}, "the one", **attributes)], constants, fed)


def test_nodes_by_name_and_number() -> None:
    first, second = LSTM(3, 5), GRU(3, 4)
    one, two = exported(first), exported(second)
    for tensor in two.graph.initializer:
        tensor.name += "2"
    two.graph.node[0].input[1:] = [f"{name}2" for name in two.graph.node[0].input[1:]]
    two.graph.node[0].output[:] = ["z", "z_h"]
    two.graph.node[0].name = "second"
    relu = helper.make_node("Relu", ["y"], ["positive"])
    one.graph.node.extend([relu, two.graph.node[0]])
    one.graph.initializer.extend(two.graph.initializer)
    assert isinstance(from_onnx(one, 0).layer, LSTM)
    for chosen in (1, "second"):
        found = from_onnx(one, chosen).layer
        assert all(torch.equal(a, b) for a, b in zip(found.parameters(), second.parameters(), strict=True))
    listing = r'0: LSTM without name that gives "y", 1: GRU "second"'
    with pytest.raises(ConfigurationError, match=f"several recurrent nodes; choose one by node=: {listing}"):
        from_onnx(one)
    with pytest.raises(ConfigurationError, match=r'no recurrent node "secnd"; did you mean "second"'):
        from_onnx(one, "secnd")
    for wrong in (2, -1, True, 1.0):
        with pytest.raises(
            ConfigurationError, match=rf"node={wrong} must be a name, or a number from 0 to 1: {listing}"
        ):
            from_onnx(one, wrong)  # type: ignore[arg-type]
    one.graph.node[0].name = "second"
    with pytest.raises(ConfigurationError, match='several recurrent nodes are named "second"; choose by number'):
        from_onnx(one, "second")


def test_constants_behind_constant_and_identity_nodes() -> None:
    whole = single()
    w, r = whole.graph.initializer[:2]
    del whole.graph.initializer[:2]
    whole.graph.node.insert(0, helper.make_node("Constant", [], ["W0"], value=w))
    whole.graph.node.insert(1, helper.make_node("Identity", ["W0"], ["W"]))
    whole.graph.node.insert(2, helper.make_node("Constant", [], ["R"], value=r))
    layer = from_onnx(whole).layer
    want = from_onnx(single()).layer
    assert all(torch.equal(a, c) for a, c in zip(layer.parameters(), want.parameters(), strict=True))


def test_what_is_fed_is_named() -> None:
    lengths = torch.tensor([4, 2], dtype=torch.int32)
    state = torch.ones(1, 2, 5)
    found = from_onnx(single(fed={**X, "sequence_lens": lengths, "initial_h": state, "initial_c": state}))
    assert found.fed == ("sequence_lens", "initial_h", "initial_c")
    assert found.hx is found.lengths is None
    constants = {**PLAIN, "sequence_lens": lengths, "initial_c": state}
    found = from_onnx(single(constants=constants))
    assert found.fed == ()
    assert found.lengths is not None
    assert found.lengths.tolist() == [4, 2]
    h, c = flat(found.hx)
    assert torch.equal(h, torch.zeros(1, 2, 5))
    assert torch.equal(c, state)
    with pytest.raises(DataError, match="initial_h is computed by the graph, but initial_c is a constant"):
        from_onnx(single(constants=constants, fed={**X, "initial_h": state}))


def test_layout_with_the_batch_first() -> None:
    h, c = torch.randn(2, 2, 1, 5)  # [B, D, H] each
    found = from_onnx(single(constants={**PLAIN, "initial_h": h, "initial_c": c}, layout=1))
    want = from_onnx(single(constants={**PLAIN, "initial_h": h.transpose(0, 1), "initial_c": c.transpose(0, 1)}))
    assert found.layer.batch_first
    x = torch.randn(4, 2, 3)
    assert torch.equal(found.layer(x.transpose(0, 1), found.hx)[0].transpose(0, 1), want.layer(x, want.hx)[0])


def test_activations_by_any_spelling_and_with_numbers_they_do_not_take() -> None:
    found = from_onnx(single(activations=["SIGMOID", "tanh", "Tanh"], activation_alpha=[0.1, 0.1, 0.1]))
    assert repr(found.layer) == "LSTM(3, 5)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (single(clip=3.0), r'the node LSTM "the one" has clip=3.0; no cell here clips'),
        (
            single(activations=["HardSigmoid", "Tanh", "Tanh"]),
            "has activations HardSigmoid, Tanh, Tanh, which no layer",
        ),
        (single(activations=["Sigmoid", "Tanh"]), "expected Sigmoid, Tanh, Tanh$"),
        (
            single(
                "RNN", weights(RNN(3, 5, bidirectional=True)), direction="bidirectional", activations=["Tanh", "Relu"]
            ),
            "activations Tanh, Relu, which no layer here has; expected Tanh, Tanh, or Relu in every direction",
        ),
        (single("GRU", weights(GRU(3, 5)), activations=["Sigmoid", "Relu"]), "expected Sigmoid, Tanh$"),
        (single(direction="backward"), r'direction="backward"; expected "forward", "reverse" or'),
        (single(layout=2), "layout=2; expected 0 or 1"),
        (single(input_forget=2), "input_forget=2; expected 0 or 1"),
        (single("GRU", weights(GRU(3, 5)), linear_before_reset=3), "linear_before_reset=3; expected 0 or 1"),
        (single(colour="red"), 'has the attribute "colour", which ONNX does not define'),
        (3, r"takes a path, bytes, or an onnx\.ModelProto, got int"),
    ],
)
def test_attributes_that_no_layer_has(given: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        from_onnx(given)


@pytest.mark.parametrize(
    ("constants", "attributes", "message"),
    [
        ({"W": PLAIN["W"][:, :19]}, {}, r"expected W to be \[D, G\*H, X\] with D=1, G=4 and H=5, got \[1, 19, 3\]"),
        ({"W": PLAIN["W"][0]}, {}, r"expected W to be .* got \[20, 3\]"),
        ({"R": PLAIN["R"][:, :, :4]}, {}, r"expected W to be .* H=4, got \[1, 20, 3\]"),
        ({"B": PLAIN["B"][:, :20]}, {}, r"expected B to be \[D, 2\*G\*H\] .* got \[1, 20\]"),
        ({"P": torch.zeros(1, 10)}, {}, r"expected P to be \[D, 3\*H\] .* got \[1, 10\]"),
        ({}, {"direction": "bidirectional"}, r"expected W to be .* with D=2"),
        ({}, {"hidden_size": 6}, r"says hidden_size=6, but its R is \[1, 20, 5\], of H=5"),
        ({"B": PLAIN["B"].double()}, {}, "all weights in one precision, got torch.float32 and torch.float64"),
        (
            {"W": PLAIN["W"].int()},
            {},
            'expected W of the node LSTM "the one" to hold floating-point numbers, got int32',
        ),
        (
            {"initial_h": torch.zeros(1, 2, 4)},
            {},
            r"expected initial_h to be \[D, B, H\] with D=1 and H=5, got \[1, 2, 4\]",
        ),
        ({"initial_h": torch.zeros(1, 2, 5)}, {"layout": 1}, r"initial_h to be \[B, D, H\] .* got \[1, 2, 5\]"),
        (
            {"initial_h": torch.zeros(1, 2, 5).half()},
            {},
            "initial_h is torch.float16, but its weights are torch.float32",
        ),
        (
            {"initial_h": torch.zeros(1, 2, 5), "initial_c": torch.zeros(1, 3, 5)},
            {},
            "initial_h and initial_c are of batches of different sizes",
        ),
        (
            {"sequence_lens": torch.zeros(1, 2)},
            {},
            r"sequence_lens to be whole numbers \[B\], got float32 of shape \[1, 2\]",
        ),
    ],
)
def test_inputs_that_do_not_fit(constants: dict[str, Tensor], attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_onnx(single(constants={**PLAIN, **constants}, **attributes))


def test_weights_that_are_no_constants() -> None:
    less = {name: value for name, value in PLAIN.items() if name != "R"}
    with pytest.raises(DataError, match=r'expected R \("R"\) to be a constant, but it is an input of the graph; fold'):
        from_onnx(single(constants=less, fed={**X, "R": PLAIN["R"]}))
    whole = single(constants={**less, "R0": PLAIN["R"]}, fed={**X, "R": PLAIN["R"]})
    whole.graph.node.insert(0, helper.make_node("Neg", ["R0"], ["R"]))
    with pytest.raises(DataError, match="it is computed by a node Neg"):
        from_onnx(whole)
    with pytest.raises(DataError, match='the node LSTM "the one" has no R'):
        from_onnx(single(constants=less))


def test_models_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.onnx cannot be read: No such file"):
        from_onnx(tmp_path / "absent.onnx")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        from_onnx(tmp_path)
    halved = tmp_path / "halved.onnx"
    onnx.save_model(single(), halved, save_as_external_data=True, size_threshold=0, location="weights.bin")
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(DataError, match=r"halved\.onnx cannot be read as an ONNX model: .*weights\.bin"):
        from_onnx(halved)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"PK not a model")
    with pytest.raises(DataError, match=r"broken\.onnx cannot be read as an ONNX model"):
        from_onnx(broken)
    with pytest.raises(DataError, match="expected the bytes of an ONNX model, got 4 others"):
        from_onnx(b"\xff\xff\xff\xff")
    with pytest.raises(DataError, match="the main graph of the model has no LSTM, GRU or RNN node"):
        from_onnx(b"")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'gatewise\[onnx\]'"):
        from_onnx("model.onnx")


def test_nothing_foreign_is_imported_before_it_is_needed() -> None:
    code = "import sys, gatewise; gatewise.convert.from_onnx; print({'onnx', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@settings(derandomize=True, deadline=None, max_examples=60)
@given(data=st.data())
def test_backwards_is_the_backward_direction(data: st.DataObject) -> None:
    torch.manual_seed(0)
    kind = data.draw(st.sampled_from([LSTM, GRU, RNN]))
    batch_first = data.draw(st.booleans())
    both = kind(3, 4, bidirectional=True, batch_first=batch_first, dtype=torch.float64)
    alone = kind(3, 4, batch_first=batch_first, dtype=torch.float64)
    alone.load_state_dict(
        {name.removesuffix("_reverse"): value for name, value in both.state_dict().items() if "reverse" in name}
    )
    steps = data.draw(st.integers(1, 6))
    given_lengths = data.draw(st.none() | st.lists(st.integers(0, steps), min_size=1, max_size=4))
    batch = len(given_lengths) if given_lengths else 2
    x = torch.randn(steps, batch, 3, dtype=torch.float64)
    for b, length in enumerate(given_lengths or []):
        x[length:, b] = float("nan")
    shaped = x.transpose(0, 1) if batch_first else x
    want, want_states = both(shaped, lengths=given_lengths)
    got, got_states = Backwards(alone)(shaped, lengths=given_lengths)
    assert isinstance(want, Tensor)
    assert isinstance(got, Tensor)
    assert torch.allclose(got, want[..., 4:], rtol=0, atol=1e-12)
    for a, b in zip(flat(got_states), flat(want_states), strict=True):
        assert torch.allclose(a, b[1:], rtol=0, atol=1e-12)


def test_backwards_takes_every_form_of_input() -> None:
    torch.manual_seed(0)
    for batch_first in (False, True):
        layer = Backwards(GRU(3, 4, batch_first=batch_first))
        x = torch.randn(5, 2, 3)
        shaped = x.transpose(0, 1) if batch_first else x
        want, h = layer(shaped, lengths=[5, 2])
        packed = torch.nn.utils.rnn.pack_padded_sequence(shaped, torch.tensor([5, 2]), batch_first)
        got, packed_h = layer(packed)
        again, _ = torch.nn.utils.rnn.pad_packed_sequence(got, batch_first)
        assert torch.allclose(again, want, rtol=0, atol=1e-6)
        assert torch.allclose(packed_h, h, rtol=0, atol=1e-6)
        one, one_h = layer(x[:2, 1])
        column = want[1, :2] if batch_first else want[:2, 1]
        assert torch.allclose(one, column, rtol=0, atol=1e-6)
        assert torch.allclose(one_h, h[:, 1], rtol=0, atol=1e-6)
