"""The layer against torch.nn.LSTM: outputs and all gradients, on every backend."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

from gatewise.nn import LSTM
from tests.nn.stacks import Case, cases, compare, leaves, torch_one_by_one
from tests.tolerance import assert_close

# torch says this once in a process, of its own layer as of ours.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

BACKENDS = ["reference", "torch"]
DTYPES = [torch.float64, torch.float32]
quick = settings(derandomize=True, deadline=None, max_examples=40)
PLAIN = Case(3, 5, 2, True, True, 2, (7, 0, 4), 7, True, torch.float64, 11)


def initial(named: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor] | None:
    return (named["h0"], named["c0"]) if "h0" in named else None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@quick
@given(data=st.data())
def test_dense(backend: str, dtype: torch.dtype, data: st.DataObject) -> None:
    case = data.draw(cases(dtype)).without_lengths()
    ours, theirs = case.layers(backend)
    x, h, c = case.data()
    mine, other = leaves(x, h, c, ours, case.with_hx), leaves(x, h, c, theirs, case.with_hx)
    compare(ours(mine["x"], initial(mine)), theirs(other["x"], initial(other)), mine, other, case)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@quick
@given(data=st.data())
def test_lengths_with_nan_for_padding(backend: str, dtype: torch.dtype, data: st.DataObject) -> None:
    case = data.draw(cases(dtype))
    ours, theirs = case.layers(backend)
    x, h, c = case.data()
    poisoned = x.clone()
    for b, length in enumerate(case.lengths):
        poisoned[length:, b] = torch.tensor([float("nan"), float("inf"), -float("inf")], dtype=dtype)[b % 3]
    mine, other = leaves(poisoned, h, c, ours, case.with_hx), leaves(x, h, c, theirs, case.with_hx)
    state = initial(other) or (torch.zeros_like(h), torch.zeros_like(c))
    expected = torch_one_by_one(theirs, other["x"], state, case.lengths)
    got = ours(mine["x"], initial(mine), lengths=list(case.lengths))
    for b, length in enumerate(case.lengths):
        assert (got[0][length:, b] == 0).all()
    compare(got, expected, mine, other, case)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("enforce_sorted", [True, False])
@quick
@given(data=st.data())
def test_packed(backend: str, enforce_sorted: bool, data: st.DataObject) -> None:
    case = data.draw(cases(torch.float64, zero_lengths=False))
    lengths = sorted(case.lengths, reverse=True) if enforce_sorted else list(case.lengths)
    ours, theirs = case.layers(backend)
    x, h, c = case.data()
    mine, other = leaves(x, h, c, ours, case.with_hx), leaves(x, h, c, theirs, case.with_hx)
    got, got_state = ours(pack_padded_sequence(mine["x"], lengths, enforce_sorted=enforce_sorted), initial(mine))
    want, want_state = theirs(pack_padded_sequence(other["x"], lengths, enforce_sorted=enforce_sorted), initial(other))
    assert torch.equal(got.batch_sizes, want.batch_sizes)
    for indices in ("sorted_indices", "unsorted_indices"):
        a, b = getattr(got, indices), getattr(want, indices)
        assert a is b is None or (a is not None and b is not None and torch.equal(a, b))
    compare((got.data, got_state), (want.data, want_state), mine, other, case)


@pytest.mark.parametrize("backend", BACKENDS)
def test_batch_first_non_contiguous(backend: str) -> None:
    case = PLAIN
    ours, theirs = case.layers(backend, batch_first=True)
    x, h, c = case.data()
    wide = x.transpose(0, 1).repeat_interleave(2, dim=2)
    mine, other = leaves(wide, h, c, ours, True), leaves(wide, h, c, theirs, True)
    strided = mine["x"][:, :, ::2]
    assert not strided.is_contiguous()
    compare(ours(strided, initial(mine)), theirs(other["x"][:, :, ::2], initial(other)), mine, other, case)
    ragged, state = ours(strided, initial(mine), lengths=torch.tensor(case.lengths))
    want, want_state = torch_one_by_one(theirs_time_major(theirs), x, (h, c), case.lengths)
    compare(
        (ragged, state),
        (want.transpose(0, 1), want_state),
        dict(ours.named_parameters()),
        dict(theirs.named_parameters()),
        case,
    )


def theirs_time_major(theirs: torch.nn.LSTM) -> torch.nn.LSTM:
    """The same layer and parameters without batch_first."""
    other = copy.copy(theirs)
    other.batch_first = False
    return other


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("with_hx", [True, False])
def test_unbatched(backend: str, with_hx: bool) -> None:
    ours, theirs = PLAIN.layers(backend, batch_first=True)
    x, h, c = (value[:, 0] for value in PLAIN.data())
    mine, other = leaves(x, h, c, ours, with_hx), leaves(x, h, c, theirs, with_hx)
    compare(ours(mine["x"], initial(mine)), theirs(other["x"], initial(other)), mine, other, PLAIN)


@pytest.mark.parametrize("backend", BACKENDS)
def test_empty_batch(backend: str) -> None:
    ours, theirs = PLAIN.layers(backend)
    x = torch.zeros(7, 0, 3, dtype=torch.float64)
    got, want = ours(x), theirs(x)
    assert got[0].shape == want[0].shape
    assert [part.shape for part in got[1]] == [part.shape for part in want[1]]
    assert ours(x, lengths=[])[0].shape == want[0].shape


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_sequences_empty(backend: str) -> None:
    ours, _ = PLAIN.layers(backend)
    _, h, c = PLAIN.data()
    x = torch.full((7, 3, 3), float("nan"), dtype=torch.float64, requires_grad=True)
    output, final = ours(x, (h, c), lengths=[0, 0, 0])
    assert output.shape == (7, 3, 4)
    assert (output == 0).all()
    assert torch.equal(final[0], h)
    assert torch.equal(final[1], c)
    (output.sum() + final[0].sum() + final[1].sum()).backward()
    assert x.grad is not None
    assert (x.grad == 0).all()
    for weight in ours.parameters():
        assert weight.grad is not None
        assert (weight.grad == 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_near_double(backend: str, dtype: torch.dtype) -> None:
    ours, _ = PLAIN.layers(backend)
    x, h, c = PLAIN.data()
    want, _ = ours(x, (h, c), lengths=PLAIN.lengths)
    got, state = ours.to(dtype)(x.to(dtype), (h.to(dtype), c.to(dtype)), lengths=PLAIN.lengths)
    assert got.dtype == state[0].dtype == dtype
    assert_close(got, want.to(dtype), PLAIN.steps)


def test_backends_agree_on_long_sequences() -> None:
    torch.manual_seed(0)
    ours, theirs = LSTM(4, 8, backend="reference"), torch.nn.LSTM(4, 8)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(500, 3, 4)
    case = Case(4, 8, 1, True, False, 0, (500,) * 3, 500, False, torch.float32, 3)
    mine, other = leaves(x, x, x, ours, False), leaves(x, x, x, theirs, False)
    compare(ours(mine["x"]), theirs(other["x"]), mine, other, case)


def test_reference_is_differentiable_twice() -> None:
    layer = LSTM(2, 3, 1, bidirectional=True, dtype=torch.float64, backend="reference")
    x = torch.randn(4, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda value: layer(value, lengths=[4, 2])[0], (x,))


def test_dropout_of_everything_equals_torch() -> None:
    # The only probability whose result does not depend on random numbers: the second layer sees zeros.
    for backend in BACKENDS:
        ours, theirs = PLAIN.layers(backend, dropout=1.0)
        x, h, c = PLAIN.data()
        assert_close(ours(x, (h, c))[0], theirs(x, (h, c))[0], PLAIN.steps)
        assert not torch.equal(ours(x, (h, c))[0], ours.eval()(x, (h, c))[0])


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


def test_same_random_numbers_and_state_dict_both_ways() -> None:
    choices: list[dict[str, Any]] = [{}, {"num_layers": 2, "bidirectional": True, "proj_size": 2}, {"bias": False}]
    for arguments in choices:
        torch.manual_seed(5)
        theirs = torch.nn.LSTM(3, 5, **arguments)
        torch.manual_seed(5)
        ours = LSTM(3, 5, **arguments)
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
def test_lengths_equal_packing(backend: str) -> None:
    ours, _ = PLAIN.layers(backend)
    x, *_ = PLAIN.data()
    sequences = [x[:4, 0], x[:6, 1], x[:1, 2]]
    packed, packed_state = ours(pack_sequence(sequences, enforce_sorted=False))
    padded, state = ours(x, lengths=[4, 6, 1])
    again = pack_padded_sequence(padded, [4, 6, 1], enforce_sorted=False)
    assert_close(again.data, packed.data, 7)
    assert_close(state[0], packed_state[0], 7)
    assert_close(state[1], packed_state[1], 7)
