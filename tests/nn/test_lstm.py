"""What the layer adds to torch's: arguments, forget bias, lengths, explain, observe; and its messages."""

import copy
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from gatewise.errors import ConfigurationError, DataError, GatewiseError
from gatewise.nn import LSTM, RNN
from tests.tolerance import assert_close


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer(**more: Any) -> LSTM:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"input_size": 3, "hidden_size": 5, "dtype": torch.float64}
    return LSTM(**{**arguments, **more})


def test_forget_bias_is_the_sum_of_torchs_two() -> None:
    torch.manual_seed(1)
    with_bias = LSTM(3, 5, 2, bidirectional=True, forget_bias=1.5)
    torch.manual_seed(1)
    without = LSTM(3, 5, 2, bidirectional=True)
    parameters = dict(with_bias.named_parameters())
    for name, weight in without.named_parameters():
        want = weight.detach().clone()
        if name.startswith("bias"):
            want[5:10] = 1.5 if name.startswith("bias_ih") else 0.0
        assert torch.equal(parameters[name], want)
    with_bias.reset_parameters()
    assert (with_bias.get_parameter("bias_ih_l1_reverse")[5:10] == 1.5).all()


def test_forget_bias_opens_the_forget_gate() -> None:
    x = torch.zeros(1, 1, 3, dtype=torch.float64)
    gates = layer(forget_bias=40.0).observe(x)
    assert (gates["f"] > 0.999).all()
    assert (gates["i"] < 0.9).all()


@pytest.mark.parametrize(
    "lengths",
    [
        [4, 0, 6],
        (4, 0, 6),
        np.array([4, 0, 6]),
        torch.tensor([4, 0, 6], dtype=torch.int32),
        torch.tensor([4, 9, 0, 9, 6])[::2],
        [torch.tensor(4), np.int64(0), 6],
    ],
)
def test_lengths_in_any_form(lengths: Any) -> None:
    x = seeded(6, 3, 3)
    want, _ = layer()(x, lengths=torch.tensor([4, 0, 6]))
    got, _ = layer()(x, lengths=lengths)
    assert torch.equal(got, want)
    assert (want[4:, 0] == 0).all()
    assert (want[:4, 0] != 0).all()


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([4, -1, 6], r"lengths\[1\] is -1; expected a number from 0 to T = 6"),
        ([4, 5, 7], r"lengths\[2\] is 7; expected a number from 0 to T = 6"),
        ([4, 5], r"one length for each of the 3 sequences of the batch, got \[2\]"),
        ([[4, 5, 6]], r"whole numbers, got \[\[4, 5, 6\]\]"),
        (torch.tensor([[4, 5, 6]]), r"one length for each .* got \[1, 3\]"),
        ([4.0, 5, 6], r"list or tensor of 3 whole numbers, got \[4.0, 5, 6\]"),
        (torch.tensor([4.0, 5, 6]), r"whole numbers, got torch.float32"),
        (torch.tensor([True, True, False]), r"whole numbers, got torch.bool"),
        ([True, True, False], r"whole numbers, got \[True"),
        (np.array([4.0, 5, 6]), r"whole numbers, got float64"),
        (np.array(["4", "5", "6"]), r"whole numbers, got <U1"),
        ("456", r"whole numbers, got '456'"),
        (6, r"whole numbers, got 6"),
    ],
)
def test_lengths_that_do_not_fit(lengths: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        layer()(seeded(6, 3, 3), lengths=lengths)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": 0}, "input_size=0 must be a whole number of at least 1"),
        ({"hidden_size": 2.0}, "hidden_size=2.0 must be a whole number"),
        ({"num_layers": True}, "num_layers=True must be a whole number"),
        ({"proj_size": 5}, "proj_size=5 must be smaller than hidden_size=5"),
        ({"proj_size": -1}, "proj_size=-1 must be a whole number of at least 0"),
        ({"dropout": 1.5}, "dropout=1.5 must be a probability"),
        ({"dtype": torch.int64}, "dtype=torch.int64 must be one of"),
        ({"bias": False, "forget_bias": 1.0}, "forget_bias=1.0 needs biases"),
        ({"forget_bias": float("nan")}, "forget_bias=nan must be a finite number"),
        ({"backend": "refrence"}, "backend='refrence' is not known; did you mean \"reference\""),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        layer(**arguments)


def test_dropout_without_effect_is_said() -> None:
    with pytest.warns(UserWarning, match="no effect with num_layers=1"):
        layer(dropout=0.5)


X = seeded(6, 2, 3)


@pytest.mark.parametrize(
    ("options", "call", "message"),
    [
        ({}, {"input": seeded(6, 2, 4)}, r"expected an input of shape \[T, B, 3\] or, for one .*got \[6, 2, 4\]"),
        ({"batch_first": True}, {"input": seeded(6, 2, 4)}, r"shape \[B, T, 3\]"),
        ({}, {"input": seeded(3)}, r"got \[3\]"),
        ({}, {"input": seeded(0, 2, 3)}, r"at least one time step, got an input of shape \[0, 2, 3\]"),
        (
            {"batch_first": True},
            {"input": seeded(2, 0, 3)},
            r"at least one time step, got an input of shape \[2, 0, 3\]",
        ),
        ({}, {"input": [[1.0]]}, r"Tensor or a PackedSequence, got list"),
        ({}, {"input": X.float()}, r"input is torch.float32 and the layer's parameters are torch.float64"),
        ({}, {"input": X.to("meta")}, r"input is on meta and the layer's parameters are on cpu"),
        ({}, {"input": X, "hx": seeded(1, 2, 5)}, r"pair of tensors \(h, c\), got Tensor"),
        ({}, {"input": X, "hx": (seeded(1, 3, 5), seeded(1, 2, 5))}, r"state h .* \[1, 2, 5\], got \[1, 3, 5\]"),
        ({"proj_size": 2}, {"input": X, "hx": (seeded(1, 2, 2), seeded(1, 2, 2))}, r"state c .* \[1, 2, 5\], got"),
        (
            {},
            {"input": X[:, 0], "hx": (seeded(1, 1, 5), seeded(1, 1, 5))},
            r"\[L\*D, width\] = \[1, 5\], got \[1, 1, 5\]",
        ),
        ({}, {"input": X, "hx": (seeded(1, 2, 5).float(), seeded(1, 2, 5))}, r"state h of hx is torch.float32"),
        ({}, {"input": pack_padded_sequence(X, [6, 3]), "lengths": [6, 3]}, r"lengths= was given with a PackedSeq"),
        ({}, {"input": pack_padded_sequence(seeded(6, 2, 4), [6, 3])}, r"packed data of shape \[N, 3\], got \[9, 4\]"),
    ],
)
def test_calls_that_do_not_fit(options: dict[str, Any], call: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        layer(**options)(**call)
    assert isinstance(caught.value, GatewiseError)


def test_explain_names_the_backend_and_the_others() -> None:
    text = layer(proj_size=2, backend="reference").explain(X, lengths=[6, 2])
    assert text.splitlines() == [
        "LSTMP of T=6, B=2, H=5, P=2, X=3, with lengths, float64 on cpu",
        "backend: reference (asked for by name)",
        "  cpu: could run the call; it was not asked for",
        "  torch: could run the call; it was not asked for",
        "  reference: runs the call",
    ]


def test_only_the_backend_of_that_name_is_torchs_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    original = torch.lstm
    monkeypatch.setattr(torch, "lstm", lambda *a: calls.append("torch") or original(*a))
    layer(backend="torch")(X)
    layer(backend="torch")(X, lengths=[3, 6])
    assert len(calls) == 2
    layer()(X)
    layer(backend="reference")(X)
    assert len(calls) == 2


@pytest.mark.parametrize("proj_size", [0, 2])
def test_observe_satisfies_the_cells_equations(proj_size: int) -> None:
    lstm = layer(num_layers=2, bidirectional=True, proj_size=proj_size)
    output, (h, c) = lstm(X, lengths=[6, 4])
    for reverse in (False, True):
        seen = lstm.observe(X, lengths=[6, 4], layer=1, reverse=reverse)
        assert list(seen) == ["i", "f", "z", "o", "c", "h"]
        assert not seen["f"].requires_grad
        width = proj_size or 5
        assert_close(seen["h"], output[..., width:] if reverse else output[..., :width], 6)
        last = [(0, 0), (0, 1)] if reverse else [(5, 0), (3, 1)]
        for t, b in last:
            assert_close(seen["c"][t, b], c[2 + reverse, b], 6)
            assert_close(seen["h"][t, b], h[2 + reverse, b], 6)
        before, after = (slice(1, 4), slice(0, 3)) if reverse else (slice(0, 3), slice(1, 4))
        assert_close(seen["c"][after], seen["f"][after] * seen["c"][before] + seen["i"][after] * seen["z"][after], 6)
        memory = seen["o"] * torch.tanh(seen["c"])
        if proj_size:
            suffix = "_l1_reverse" if reverse else "_l1"
            memory = memory @ lstm.get_parameter(f"weight_hr{suffix}").T
        assert_close(seen["h"][:4], memory[:4], 6)
        assert all((value[4:, 1] == 0).all() for value in seen.values())
        for gate in "ifo":
            assert ((seen[gate][:4] > 0) & (seen[gate][:4] < 1)).all()


def test_observe_takes_every_form_of_input() -> None:
    lstm = layer()
    want = lstm.observe(X, lengths=[3, 6])
    packed = lstm.observe(pack_padded_sequence(X, [3, 6], enforce_sorted=False))
    first = layer(batch_first=True).observe(X.transpose(0, 1), lengths=[3, 6])
    one = lstm.observe(X[:, 1])
    hx = (torch.zeros(1, 5, dtype=torch.float64), torch.ones(1, 5, dtype=torch.float64))
    for name, value in want.items():
        assert_close(packed[name], value, 6)
        assert_close(first[name], value, 6)
        assert_close(one[name], value[:, 1:], 6)
    assert not torch.equal(lstm.observe(X[:, 1], hx)["c"], one["c"])


def test_observe_without_dropout_in_training() -> None:
    lstm = layer(num_layers=2, dropout=0.9)
    assert lstm.training
    assert_close(lstm.observe(X, layer=1)["h"], lstm.eval()(X)[0], 6)


def test_observe_of_what_is_not_there() -> None:
    with pytest.raises(ConfigurationError, match="layer=1 must be a whole number from 0 to 0"):
        layer().observe(X, layer=1)
    with pytest.raises(ConfigurationError, match="bidirectional=True"):
        layer().observe(X, reverse=True)


def test_the_layer_keeps_no_state_and_can_be_copied() -> None:
    lstm = layer(forget_bias=1.0, num_layers=2)
    first, _ = lstm(X)
    again, _ = lstm(X)
    copied, _ = copy.deepcopy(lstm)(X)
    assert torch.equal(first, again)
    assert torch.equal(first, copied)
    assert set(lstm.state_dict()) == {name for name, _ in lstm.named_parameters()}


def test_state_handed_on_continues_the_sequence() -> None:
    for backend in ("reference", "torch"):
        lstm = layer(num_layers=2, backend=backend)
        whole, final = lstm(X)
        first, state = lstm(X[:2])
        second, last = lstm(X[2:], state)
        assert_close(torch.cat([first, second]), whole, 6)
        assert_close(last[0], final[0], 6)
        assert_close(last[1], final[1], 6)


def test_conversion_and_printing() -> None:
    lstm = LSTM(3, 5, 2, bidirectional=True, proj_size=2, forget_bias=1.0, backend="torch")
    assert repr(lstm) == "LSTM(3, 5, num_layers=2, bidirectional=True, proj_size=2, forget_bias=1.0, backend='torch')"
    assert lstm.double()(X)[0].dtype == torch.float64
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lstm.flatten_parameters()


def test_parametrised_weights_take_part() -> None:
    lstm = layer()
    weight = lstm.get_parameter("weight_hh_l0").detach().clone()
    torch.nn.utils.parametrizations.weight_norm(lstm, "weight_hh_l0")
    assert_close(lstm.all_weights[0][1], weight, 1)
    lstm(X)[0].sum().backward()
    assert lstm.get_parameter("parametrizations.weight_hh_l0.original0").grad is not None


def test_packed_output_keeps_its_type() -> None:
    packed = pack_padded_sequence(X, [3, 6], enforce_sorted=False)
    for backend in ("reference", "torch"):
        output, _ = layer(backend=backend)(packed)
        assert isinstance(output, PackedSequence)
        assert output.data.shape == (9, 5)


def test_a_parameter_that_is_a_negated_view() -> None:
    layer = RNN(1, 1, bias=False)
    x = torch.randn(4, 2, 1)
    layer.weight_ih_l0 = torch.nn.Parameter((1j * torch.ones(1, 1)).conj().imag)
    assert layer.weight_ih_l0.is_neg()
    got = layer(x)[0]
    layer.weight_ih_l0 = torch.nn.Parameter(torch.tensor([[-1.0]]))
    assert torch.equal(got, layer(x)[0])


def test_inputs_that_are_not_dense() -> None:
    layer, x = LSTM(3, 5), torch.randn(4, 2, 3)
    layer(x)  # a shape that is known
    with pytest.raises(
        DataError, match=r"LSTM.*: expected the input to be a dense tensor, got one of layout torch.sparse"
    ):
        layer(x.to_sparse())
    with pytest.raises(DataError, match="got a nested tensor: convert it"):
        layer(torch.nested.nested_tensor([x[:, 0], x[:2, 1]], layout=torch.jagged))


def test_an_input_at_an_odd_address() -> None:
    memory = bytearray(4 * 24 + 1)
    odd = torch.frombuffer(memory, dtype=torch.float32, offset=1, count=24).view(4, 2, 3)
    odd.copy_(torch.randn(4, 2, 3))
    layer = LSTM(3, 5, backend="cpu")
    want = layer(odd.clone())[0]
    assert torch.equal(layer(odd)[0], want)
    stream = layer.stream(batch=2)
    assert torch.equal(torch.stack([stream.step(now).clone() for now in odd]), want)
