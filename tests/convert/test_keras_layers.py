"""Layers and arrays of Keras: round trips bit for bit, every option that is refused, every message."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.convert import from_keras
from gatewise.convert.weights import floats
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn import GRU, LSTM, RNN
from tests.convert.keras_on_torch import keras

# Keras's get_weights, of which numpy 2 asks an argument that its variables do not have.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

L = keras.layers
ORDERS = {LSTM: ("ifco", "ifco"), GRU: ("zrh", "rzh"), RNN: ("h", "h")}


def to_keras(layer: LSTM | GRU | RNN) -> list[np.ndarray]:
    """Keras's arrays of a layer of ours, in which b_hh is kept only where Keras has two biases."""
    theirs, ours = ORDERS[type(layer)]

    def rows(stored: torch.Tensor) -> np.ndarray:
        parts = dict(zip(ours, stored.detach().chunk(len(ours)), strict=True))
        return torch.cat([parts[gate] for gate in theirs]).numpy()

    found: list[np.ndarray] = []
    for w, u, *biases in layer.all_weights:
        found += [rows(w).T, rows(u).T]
        if biases:
            two = isinstance(layer, GRU) and layer.reset_after
            found.append(np.stack([rows(bias) for bias in biases]) if two else rows(biases[0]))
    return found


@st.composite
def arrays(draw: st.DrawFn) -> tuple[dict[str, Any], list[np.ndarray]]:
    kind = draw(st.sampled_from(["LSTM", "GRU", "SimpleRNN"]))
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind]
    x, h = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    reset_after, bias = draw(st.booleans()), draw(st.booleans())
    shapes: list[tuple[int, ...]] = [(x, gates * h), (h, gates * h)]
    if bias:
        shapes.append((2, gates * h) if kind == "GRU" and reset_after else (gates * h,))
    options: dict[str, Any] = {"kind": kind}
    if kind == "GRU" and (not bias or draw(st.booleans())):
        options["reset_after"] = reset_after
    if kind == "SimpleRNN":
        options["activation"] = draw(st.sampled_from(["tanh", "relu", None]))
    return options, [rng.standard_normal(shape).astype(dtype) for shape in shapes * draw(st.integers(1, 2))]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(drawn=arrays())
def test_arrays_there_and_back(drawn: tuple[dict[str, Any], list[np.ndarray]]) -> None:
    options, weights = drawn
    layer = from_keras(weights, **options)
    assert layer.batch_first
    assert layer.bidirectional == (len(weights) in (4, 6))
    if isinstance(layer, RNN):
        assert layer.nonlinearity == (options["activation"] or "tanh")
    again = to_keras(layer)
    assert len(again) == len(weights)
    for got, want in zip(again, weights, strict=True):
        assert got.dtype == want.dtype
        assert np.array_equal(got, want)


LAYERS: list[tuple[Any, str]] = [
    (L.LSTM(5), "LSTM(3, 5, batch_first=True)"),
    (L.LSTM(5, use_bias=False, return_sequences=True), "LSTM(3, 5, bias=False, batch_first=True)"),
    (L.GRU(5), "GRU(3, 5, batch_first=True)"),
    (L.GRU(5, reset_after=False, use_bias=False), "GRU(3, 5, bias=False, batch_first=True, reset_after=False)"),
    (L.SimpleRNN(5, activation="relu"), "RNN(3, 5, batch_first=True, nonlinearity='relu')"),
    (L.Bidirectional(L.GRU(5)), "GRU(3, 5, batch_first=True, bidirectional=True)"),
    (L.Bidirectional(L.LSTM(5), backward_layer=L.LSTM(5, go_backwards=True)), "LSTM(3, 5, batch_first=True, bidirecti"),
]


@pytest.mark.parametrize(("theirs", "words"), LAYERS)
def test_layers_bring_their_options_and_weights(theirs: Any, words: str) -> None:
    theirs.build((None, None, 3))
    ours = from_keras(theirs)
    assert repr(ours).startswith(words)
    for got, want in zip(to_keras(ours), theirs.get_weights(), strict=True):
        assert np.array_equal(got, want)


def identity(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            L.LSTM(5, activation="relu", name="a"),
            "Keras LSTM a has activation='relu', which cannot be .* expected 'tanh'",
        ),
        (L.GRU(5, activation=identity), "activation="),
        (L.SimpleRNN(5, activation="sigmoid"), "activation='sigmoid', .* expected 'tanh' or 'relu'"),
        (L.LSTM(5, recurrent_activation="hard_sigmoid"), "recurrent_activation='hard_sigmoid', .* expected 'sigmoid'"),
        (L.LSTM(5, activation=None), "activation='linear'"),
        (L.GRU(5, go_backwards=True), "go_backwards=True, .* reverse the input"),
        (L.LSTM(5, stateful=True), "stateful=True, .* passed in and returned"),
        (L.LSTM(5, dropout=0.1), "dropout=0.1, .* its masks differ from gate to gate"),
        (L.SimpleRNN(5, recurrent_dropout=0.1), "recurrent_dropout=0.1, .* for the weights alone give get_weights"),
        (L.Bidirectional(L.LSTM(5), merge_mode="sum", name="b"), "Bidirectional b has merge_mode='sum'"),
        (L.Bidirectional(L.LSTM(5), merge_mode=None), "merge_mode=None"),
        (
            L.Bidirectional(L.LSTM(5, go_backwards=True), backward_layer=L.LSTM(5)),
            "LSTM .* has go_backwards=True, .* reverse the input",
        ),
        (
            L.Bidirectional(L.GRU(5), backward_layer=L.GRU(5, go_backwards=True, reset_after=False), name="c"),
            "directions of Bidirectional c differ: .*reset_after=True.* forwards, .*reset_after=False.* backwards",
        ),
        (L.RNN(L.LSTMCell(5)), r"takes LSTM, GRU or SimpleRNN of Keras, .* got keras\..*RNN"),
        (L.Bidirectional(L.RNN(L.LSTMCell(5))), r"got keras\..*RNN"),
        (torch.nn.LSTM(3, 5), r"got torch\.nn\.modules\.rnn\.LSTM"),
        (np.zeros(3), r"got numpy\.ndarray"),
    ],
)
def test_options_that_no_layer_has(layer: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        from_keras(layer)


def test_a_layer_without_weights() -> None:
    with pytest.raises(DataError, match="layer empty has no weights yet: call it once, or its build"):
        from_keras(L.LSTM(5, name="empty"))


def test_directions_of_different_sizes() -> None:
    layer = L.Bidirectional(L.LSTM(5), backward_layer=L.LSTM(4, go_backwards=True))
    layer.build((None, None, 3))
    with pytest.raises(DataError, match="the two directions of LSTM differ in size"):
        from_keras(layer)


K, U, B = np.zeros((3, 15)), np.zeros((5, 15)), np.zeros(15)


@pytest.mark.parametrize(
    ("given", "options", "error", "message"),
    [
        ([K, U, B], {}, ConfigurationError, "needs the Keras class they belong to: kind= is missing"),
        ([K, U, B], {"kind": "LSTMs"}, ConfigurationError, 'kind="LSTMs" is not known; did you mean "LSTM"'),
        ([K, U], {"kind": "GRU"}, ConfigurationError, "GRU without biases do not tell reset_after"),
        ([K, U, B], {"kind": "GRU", "reset_after": True}, ConfigurationError, "a GRU with reset_after=False"),
        ([K, U], {"kind": "LSTM", "reset_after": True}, ConfigurationError, "something of a GRU, but kind is 'LSTM'"),
        ([K, U], {"kind": "LSTM", "activation": "relu"}, ConfigurationError, "expected none: only that of a SimpleRNN"),
        ([K, U], {"kind": "SimpleRNN", "activation": "elu"}, ConfigurationError, "expected 'tanh' or 'relu'"),
        (L.LSTM(5), {"kind": "LSTM"}, ConfigurationError, "kind='LSTM' goes with a list of weights"),
        (L.GRU(5), {"reset_after": True}, ConfigurationError, "reset_after=True goes with a list"),
        ([], {"kind": "LSTM"}, DataError, "got 0 arrays"),
        ([K] * 5, {"kind": "LSTM"}, DataError, "one LSTM, or of two, one after the other; got 5 arrays"),
        (
            [K, U],
            {"kind": "LSTM"},
            DataError,
            r"recurrent kernel of LSTM to be \[H, G\*H\] with G=4 and H=5, got \[5, 15\]",
        ),
        ([K, K, B], {"kind": "GRU"}, DataError, r"recurrent kernel of GRU to be .* H=3, got \[3, 15\]"),
        ([U[0], U, B], {"kind": "GRU"}, DataError, r"the kernel of GRU to be \[X, G\*H\] .* got \[15\]"),
        ([K, U, B[:14]], {"kind": "GRU"}, DataError, r"the bias of GRU to be \[G\*H\] .* got \[14\]"),
        ([K, U, np.zeros((3, 15))], {"kind": "GRU"}, DataError, r"the bias of GRU to be \[2, G\*H\] .* got \[3, 15\]"),
        ([K, U, B.astype("f")], {"kind": "GRU"}, DataError, "one precision, got torch.float32 and torch.float64"),
        (
            [K.astype(int), U, B],
            {"kind": "GRU"},
            DataError,
            "the kernel of GRU to hold floating-point numbers, got int64",
        ),
        ([torch.zeros(3, 15, dtype=torch.int32), U, B], {"kind": "GRU"}, DataError, "numbers, got torch.int32"),
        (
            [[[1.0], [1.0, 2.0]], U, B],
            {"kind": "GRU"},
            DataError,
            "the kernel of GRU to be an array of numbers, got list",
        ),
    ],
)
def test_weights_that_do_not_fit(given: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        from_keras(given, **options)


def test_arrays_of_any_kind() -> None:
    rng = np.random.default_rng(0)
    plain = [rng.standard_normal(shape) for shape in ((3, 15), (5, 15), (15,))]
    want = from_keras(plain, kind="GRU")
    strange = [
        torch.from_numpy(plain[0].copy()),
        np.asfortranarray(plain[1]).astype(">f8"),
        plain[2].tolist(),
    ]
    got = from_keras(strange, kind="GRU")
    assert all(torch.equal(a, b) for a, b in zip(got.parameters(), want.parameters(), strict=True))
    assert not any(np.shares_memory(weight.detach().numpy(), array) for weight in want.parameters() for array in plain)


def test_bfloat16_arrays_keep_their_bits() -> None:
    bits = torch.tensor([1.0, -2.5, 3e38]).to(torch.bfloat16)
    import ml_dtypes  # numpy has none; Keras and ONNX bring this one

    assert torch.equal(floats(bits.view(torch.int16).numpy().view(ml_dtypes.bfloat16), "it"), bits)
