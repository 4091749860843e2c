"""Layers from and to torch: every argument arrives, every parameter bit for bit, and what torch lacks is refused."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gatewise
from gatewise.cells import JANET
from gatewise.convert import from_torch, to_torch
from gatewise.errors import ConfigurationError
from gatewise.nn import GRU, LSTM, RNN, Recurrent

PAIRS: dict[str, tuple[Any, Any]] = {"LSTM": (nn.LSTM, LSTM), "GRU": (nn.GRU, GRU), "RNN": (nn.RNN, RNN)}
ARGUMENTS = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")


@st.composite
def arguments(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    hidden, layers = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    further: dict[str, st.SearchStrategy[Any]] = {
        "LSTM": st.fixed_dictionaries({"proj_size": st.integers(0, hidden - 1)}),
        "GRU": st.just({}),
        "RNN": st.fixed_dictionaries({"nonlinearity": st.sampled_from(["tanh", "relu"])}),
    }
    return {
        "input_size": draw(st.integers(1, 5)),
        "hidden_size": hidden,
        "num_layers": layers,
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "dropout": draw(st.sampled_from([0.0, 0.25])) if layers > 1 else 0.0,
        "bidirectional": draw(st.booleans()),
        "dtype": draw(st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])),
        **draw(further[kind]),
    }


def assert_same(got: nn.Module, want: nn.Module) -> None:
    assert list(got.state_dict()) == list(want.state_dict())
    for name, value in want.state_dict().items():
        assert got.state_dict()[name].dtype == value.dtype
        assert torch.equal(got.state_dict()[name], value)


@pytest.mark.parametrize("kind", PAIRS)
@settings(derandomize=True, deadline=None, max_examples=40)
@given(data=st.data())
def test_there_and_back(kind: str, data: st.DataObject) -> None:
    theirs_of, ours_of = PAIRS[kind]
    chosen = data.draw(arguments(kind))
    theirs = theirs_of(**chosen).train(data.draw(st.booleans()))
    before = torch.get_rng_state()
    ours = from_torch(theirs)
    again = to_torch(ours)
    assert torch.equal(torch.get_rng_state(), before)
    assert (type(ours), type(again)) == (ours_of, theirs_of)
    assert_same(ours, theirs)
    assert_same(again, theirs)
    names = [*ARGUMENTS, *({"LSTM": ["proj_size"], "RNN": ["nonlinearity"]}.get(kind, []))]
    for name in names:
        assert getattr(ours, name) == getattr(again, name) == getattr(theirs, name) == chosen[name]
    assert ours.training == again.training == theirs.training
    assert_same(from_torch(again), ours)


@pytest.mark.parametrize("kind", PAIRS)
def test_same_outputs(kind: str) -> None:
    theirs = PAIRS[kind][0](3, 5, 2, bidirectional=True, batch_first=True, dtype=torch.float64)
    x = torch.randn(2, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for got in (from_torch(theirs), to_torch(from_torch(theirs))):
        assert torch.allclose(got(x)[0], theirs(x)[0], rtol=0, atol=1e-12)


def test_copies_share_nothing_and_stay_frozen() -> None:
    theirs = nn.LSTM(3, 5)
    theirs.weight_hh_l0.requires_grad_(False)
    ours = from_torch(theirs)
    again = to_torch(ours)
    assert not ours.get_parameter("weight_hh_l0").requires_grad
    assert not again.get_parameter("weight_hh_l0").requires_grad
    assert ours.get_parameter("weight_ih_l0").requires_grad
    with torch.no_grad():
        for weight in theirs.parameters():
            weight += 1
    assert_same(again, ours)
    assert not torch.equal(theirs.weight_ih_l0, ours.get_parameter("weight_ih_l0"))


def test_on_the_device_where_they_are() -> None:
    ours = from_torch(nn.GRU(3, 5, device="meta"))
    assert {weight.device.type for weight in ours.parameters()} == {"meta"}
    assert {weight.device.type for weight in to_torch(ours).parameters()} == {"meta"}


def test_dropout_that_has_no_effect_is_kept_without_a_second_warning() -> None:
    with pytest.warns(UserWarning, match="dropout"):
        theirs = nn.LSTM(3, 5, dropout=0.5)
    ours = from_torch(theirs)
    assert ours.dropout == to_torch(ours).dropout == 0.5


def test_parametrised_weights_come_as_they_are() -> None:
    theirs = nn.utils.parametrizations.weight_norm(nn.LSTM(3, 5), "weight_hh_l0")
    ours = from_torch(theirs)
    assert torch.equal(ours.get_parameter("weight_hh_l0"), theirs.weight_hh_l0)
    assert torch.equal(to_torch(ours).weight_hh_l0, theirs.weight_hh_l0)


class Renamed(nn.LSTM):
    pass


class Rewritten(nn.LSTM):
    def forward(self, *args: Any) -> Any:
        return args


def test_a_subclass_unless_it_computes_something_else() -> None:
    assert type(from_torch(Renamed(3, 5))) is LSTM
    with pytest.raises(ConfigurationError, match=r"takes torch\.nn\.LSTM.* got Rewritten, whose forward is its own"):
        from_torch(Rewritten(3, 5))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (nn.Linear(3, 5), "got Linear"),
        (nn.LSTMCell(3, 5), "got LSTMCell"),
        (LSTM(3, 5), "got LSTM, which is one of ours already"),
    ],
)
def test_from_torch_takes_torchs(given: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        from_torch(given)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (LSTM(3, 6, peephole=True), r"torch\.nn\.LSTM has no peephole=True; only a layer without it"),
        (LSTM(3, 6, coupled=True), "coupled=True"),
        (LSTM(3, 6, forget_gate=False), "forget_gate=False"),
        (LSTM(3, 6, layer_norm=True, proj_size=2), "layer_norm=True"),
        (LSTM(3, 6, cells_per_block=2), "cells_per_block=2"),
        (LSTM(3, 6, gate_recurrence=True), "gate_recurrence=True"),
        (
            LSTM(3, 6, zoneout=0.1, recurrent_dropout=0.1),
            "has no zoneout, recurrent_dropout; only a layer without them",
        ),
        (GRU(3, 6, variational_dropout=0.1), r"torch\.nn\.GRU has no variational_dropout"),
        (RNN(3, 6, weight_dropout=0.1), r"torch\.nn\.RNN has no weight_dropout"),
        (LSTM(3, 6, clip_gradient=1.0), "clip_gradient"),
        (GRU(3, 6, learned_state=True), "learned_state=True"),
        (GRU(3, 6, reset_after=False), "reset_after=False"),
        (Recurrent(JANET(), 3, 6), r"to_torch takes gatewise\.LSTM, GRU or RNN, got Recurrent"),
        (nn.LSTM(3, 6), r"to_torch takes gatewise\.LSTM, GRU or RNN, got LSTM"),
    ],
)
def test_what_torch_lacks_is_refused(layer: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        to_torch(layer)


def test_how_a_layer_was_initialised_does_not_matter() -> None:
    assert_same(to_torch(ours := LSTM(3, 5, forget_bias=1.0, backend="reference")), ours)
    assert_same(to_torch(lagged := GRU(3, 5, expected_lag=20)), lagged)


def test_public_name() -> None:
    assert gatewise.convert.from_torch is from_torch
    assert "convert" in dir(gatewise)
