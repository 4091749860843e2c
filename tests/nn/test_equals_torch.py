"""The layers against torch.nn.LSTM, GRU and RNN: outputs and all gradients, on every backend."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

from gatewise.nn import LSTM
from tests.nn.stacks import KINDS, Case, cases, compare, leaves, parts, state, torch_one_by_one
from tests.tolerance import assert_close

# torch says this once in a process, of its own layer as of ours.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

BACKENDS = ["reference", "torch"]
DTYPES = [torch.float64, torch.float32]
quick = settings(derandomize=True, deadline=None, max_examples=40)
PLAINS = {
    "LSTM": Case(3, 5, 2, True, True, 2, (7, 0, 4), 7, True, torch.float64, 11),
    "GRU": Case(3, 5, 2, True, True, 0, (7, 0, 4), 7, True, torch.float64, 11, "GRU"),
    "RNN": Case(3, 5, 2, True, True, 0, (7, 0, 4), 7, True, torch.float64, 11, "RNN"),
}
PLAIN = PLAINS["LSTM"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@quick
@given(data=st.data())
def test_dense(kind: str, backend: str, dtype: torch.dtype, data: st.DataObject) -> None:
    case = data.draw(cases(kind, dtype)).without_lengths()
    ours, theirs = case.layers(backend)
    mine, other = leaves(case.data(), ours, case.with_hx), leaves(case.data(), theirs, case.with_hx)
    compare(ours(mine["x"], state(mine)), theirs(other["x"], state(other)), mine, other, case)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@quick
@given(data=st.data())
def test_lengths_with_nan_for_padding(kind: str, backend: str, dtype: torch.dtype, data: st.DataObject) -> None:
    case = data.draw(cases(kind, dtype))
    ours, theirs = case.layers(backend)
    drawn = case.data()
    poisoned = drawn["x"].clone()
    for b, length in enumerate(case.lengths):
        poisoned[length:, b] = torch.tensor([float("nan"), float("inf"), -float("inf")], dtype=dtype)[b % 3]
    mine, other = leaves({**drawn, "x": poisoned}, ours, case.with_hx), leaves(drawn, theirs, case.with_hx)
    hx = state(other) if case.with_hx else state({name: torch.zeros_like(value) for name, value in drawn.items()})
    expected = torch_one_by_one(theirs, other["x"], hx, case.lengths)
    got = ours(mine["x"], state(mine), lengths=list(case.lengths))
    for b, length in enumerate(case.lengths):
        assert (got[0][length:, b] == 0).all()
    compare(got, expected, mine, other, case)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@quick
@given(data=st.data())
def test_packed(kind: str, backend: str, enforce_sorted: bool, data: st.DataObject) -> None:
    case = data.draw(cases(kind, torch.float64, zero_lengths=False))
    lengths = sorted(case.lengths, reverse=True) if enforce_sorted else list(case.lengths)
    ours, theirs = case.layers(backend)
    mine, other = leaves(case.data(), ours, case.with_hx), leaves(case.data(), theirs, case.with_hx)
    got, got_state = ours(pack_padded_sequence(mine["x"], lengths, enforce_sorted=enforce_sorted), state(mine))
    want, want_state = theirs(pack_padded_sequence(other["x"], lengths, enforce_sorted=enforce_sorted), state(other))
    assert torch.equal(got.batch_sizes, want.batch_sizes)
    for indices in ("sorted_indices", "unsorted_indices"):
        a, b = getattr(got, indices), getattr(want, indices)
        assert a is b is None or (a is not None and b is not None and torch.equal(a, b))
    compare((got.data, got_state), (want.data, want_state), mine, other, case)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", PLAINS.values(), ids=PLAINS)
def test_batch_first_non_contiguous(case: Case, backend: str) -> None:
    ours, theirs = case.layers(backend, batch_first=True)
    drawn = case.data()
    wide = {**drawn, "x": drawn["x"].transpose(0, 1).repeat_interleave(2, dim=2)}
    mine, other = leaves(wide, ours, True), leaves(wide, theirs, True)
    strided = mine["x"][:, :, ::2]
    assert not strided.is_contiguous()
    compare(ours(strided, state(mine)), theirs(other["x"][:, :, ::2], state(other)), mine, other, case)
    ragged, final = ours(strided, state(mine), lengths=torch.tensor(case.lengths))
    want, want_final = torch_one_by_one(time_major(theirs), drawn["x"], state(drawn), case.lengths)
    compare(
        (ragged, final),
        (want.transpose(0, 1), want_final),
        dict(ours.named_parameters()),
        dict(theirs.named_parameters()),
        case,
    )


def time_major(theirs: torch.nn.RNNBase) -> torch.nn.RNNBase:
    """The same layer and parameters without batch_first."""
    other = copy.copy(theirs)
    other.batch_first = False
    return other


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("with_hx", [True, False])
@pytest.mark.parametrize("case", PLAINS.values(), ids=PLAINS)
def test_unbatched(case: Case, backend: str, with_hx: bool) -> None:
    ours, theirs = case.layers(backend, batch_first=True)
    one = {name: value[:, 0] for name, value in case.data().items()}
    mine, other = leaves(one, ours, with_hx), leaves(one, theirs, with_hx)
    compare(ours(mine["x"], state(mine)), theirs(other["x"], state(other)), mine, other, case)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", PLAINS.values(), ids=PLAINS)
def test_empty_batch(case: Case, backend: str) -> None:
    ours, theirs = case.layers(backend)
    x = torch.zeros(7, 0, 3, dtype=torch.float64)
    got, want = ours(x), theirs(x)
    assert got[0].shape == want[0].shape
    assert [part.shape for part in parts(got[1])] == [part.shape for part in parts(want[1])]
    assert ours(x, lengths=[])[0].shape == want[0].shape


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", PLAINS.values(), ids=PLAINS)
def test_all_sequences_empty(case: Case, backend: str) -> None:
    ours, _ = case.layers(backend)
    hx = state(case.data())
    x = torch.full((7, 3, 3), float("nan"), dtype=torch.float64, requires_grad=True)
    output, final = ours(x, hx, lengths=[0, 0, 0])
    assert output.shape == (7, 3, 2 * case.states["h"])
    assert (output == 0).all()
    for got, want in zip(parts(final), parts(hx), strict=True):
        assert torch.equal(got, want)
    (output.sum() + sum(part.sum() for part in parts(final))).backward()
    assert x.grad is not None
    assert (x.grad == 0).all()
    for weight in ours.parameters():
        assert weight.grad is not None
        assert (weight.grad == 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("case", PLAINS.values(), ids=PLAINS)
def test_half_precision_near_double(case: Case, backend: str, dtype: torch.dtype) -> None:
    ours, _ = case.layers(backend)
    drawn = case.data()
    want, _ = ours(drawn["x"], state(drawn), lengths=case.lengths)
    half = {name: value.to(dtype) for name, value in drawn.items()}
    got, final = ours.to(dtype)(half["x"], state(half), lengths=case.lengths)
    assert got.dtype == parts(final)[0].dtype == dtype
    assert_close(got, want.to(dtype), case.steps)


@pytest.mark.parametrize("kind", KINDS)
def test_backends_agree_on_long_sequences(kind: str) -> None:
    case = Case(4, 8, 1, True, False, 0, (500,) * 3, 500, False, torch.float32, 3, kind)
    ours, theirs = case.layers("reference")
    mine, other = leaves(case.data(), ours, False), leaves(case.data(), theirs, False)
    compare(ours(mine["x"]), theirs(other["x"]), mine, other, case)


def test_reference_is_differentiable_twice() -> None:
    layer = LSTM(2, 3, 1, bidirectional=True, dtype=torch.float64, backend="reference")
    x = torch.randn(4, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda value: layer(value, lengths=[4, 2])[0], (x,))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", PLAINS.values(), ids=PLAINS)
def test_dropout_of_everything_equals_torch(case: Case, backend: str) -> None:
    # The only probability whose result does not depend on random numbers: the second layer sees zeros.
    ours, theirs = case.layers(backend, dropout=1.0)
    drawn = case.data()
    x, hx = drawn["x"], state(drawn)
    assert_close(ours(x, hx)[0], theirs(x, hx)[0], case.steps)
    assert not torch.equal(ours(x, hx)[0], ours.eval()(x, hx)[0])


def test_dropout_drops_the_named_share() -> None:
    torch.manual_seed(4)
    layer = LSTM(1, 1, 2, bias=False, dropout=0.25, backend="reference")
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            weight.zero_()
            # The first layer gives 0.38 at every step; the second shows which of them arrived.
            if name.startswith("weight_ih"):
                weight[[0, 2, 3]] = 20.0
    output, _ = layer(torch.ones(1, 20000, 1))
    dropped = (output == 0).double().mean().item()
    assert abs(dropped - 0.25) < 0.015
    assert (layer.eval()(torch.ones(1, 100, 1))[0] > 0.7).all()


OWN: dict[str, dict[str, Any]] = {"LSTM": {"proj_size": 2}, "GRU": {}, "RNN": {"nonlinearity": "relu"}}


@pytest.mark.parametrize("kind", KINDS)
def test_same_random_numbers_and_state_dict_both_ways(kind: str) -> None:
    ours_of, theirs_of = KINDS[kind]
    choices: list[dict[str, Any]] = [{}, {"num_layers": 2, "bidirectional": True, **OWN[kind]}, {"bias": False}]
    for arguments in choices:
        torch.manual_seed(5)
        theirs = theirs_of(3, 5, **arguments)
        torch.manual_seed(5)
        ours = ours_of(3, 5, **arguments)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for name, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value)
        with torch.no_grad():
            for weight in ours.parameters():
                weight += 1
        theirs.load_state_dict(ours.state_dict())
        assert torch.equal(theirs.get_parameter("weight_hh_l0"), ours.get_parameter("weight_hh_l0"))
        assert [[w.shape for w in ws] for ws in ours.all_weights] == [
            [w.shape for w in ws] for ws in theirs.all_weights
        ]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", PLAINS.values(), ids=PLAINS)
def test_lengths_equal_packing(case: Case, backend: str) -> None:
    ours, _ = case.layers(backend)
    x = case.data()["x"]
    sequences = [x[:4, 0], x[:6, 1], x[:1, 2]]
    packed, packed_state = ours(pack_sequence(sequences, enforce_sorted=False))
    padded, final = ours(x, lengths=[4, 6, 1])
    again = pack_padded_sequence(padded, [4, 6, 1], enforce_sorted=False)
    assert_close(again.data, packed.data, 7)
    for got, want in zip(parts(final), parts(packed_state), strict=True):
        assert_close(got, want, 7)
