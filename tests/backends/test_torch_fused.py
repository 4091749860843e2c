"""The two ways in which the torch backend runs sequences of different lengths."""

from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise.backends import torch_fused
from gatewise.nn import LSTM
from tests.tolerance import assert_close


def layer(**more: Any) -> LSTM:
    torch.manual_seed(0)
    return LSTM(3, 5, backend="torch", **more)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of the two ways each call takes."""
    taken: list[str] = []
    for name in ("_run_padded", "run_packed"):
        original = getattr(torch_fused, name)

        def spy(*args, original=original, name=name):
            taken.append(name)
            return original(*args)

        monkeypatch.setattr(torch_fused, name, spy)
    return taken


def test_padded_where_it_is_the_faster_one(calls: list[str]) -> None:
    x, hx = normal(8, 3, 3), (normal(2, 3, 5), normal(2, 3, 5))
    layer()(x, lengths=[8, 4, 2])
    layer(bidirectional=True)(x, lengths=[8, 4, 2])
    layer(num_layers=2)(x, hx, lengths=[8, 4, 2])
    assert calls == ["_run_padded"] * 3
    calls.clear()
    layer()(x, lengths=[3, 1, 1])  # mostly padding
    layer(bidirectional=True)(x, hx, lengths=[8, 4, 2])  # h would not stand still in the backward direction's padding
    layer().double()(x.double(), lengths=[8, 4, 2])  # not run by oneDNN
    assert calls == ["run_packed"] * 3
    calls.clear()
    layer()(x, lengths=[8, 8, 8])
    assert calls == []


@pytest.mark.parametrize("lengths", [[8, 0, 5], [1, 0, 2]])
def test_an_empty_sequence_hands_its_state_through_on_both_ways(lengths: list[int], calls: list[str]) -> None:
    x, h, c = normal(8, 3, 3), normal(2, 3, 5), 2 * normal(2, 3, 5)
    _, final = layer(num_layers=2)(x, (h, c), lengths=lengths)
    assert calls == ["_run_padded" if sum(lengths) > 8 else "run_packed"]
    assert torch.equal(final[0][:, 1], h[:, 1])
    assert torch.equal(final[1][:, 1], c[:, 1])


@pytest.mark.parametrize("scale", [1.0, 1e5])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_stand_still_through_long_padding(bidirectional: bool, scale: float, calls: list[str]) -> None:
    """Also with weights so large that a weaker switch would be overruled."""
    lstm = LSTM(3, 5, 2, bidirectional=bidirectional, backend="torch")
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in lstm.parameters():
            weight.copy_(scale * torch.randn(weight.shape, generator=generator) / 3)
    x = normal(1500, 4, 3).requires_grad_()
    output, (h, c) = lstm(x, lengths=[1500, 3, 1500, 0])
    assert calls == ["_run_padded"]
    alone, (h_alone, c_alone) = lstm(x[:3, 1:2])
    assert_close(output[:3, 1:2], alone, 3)
    assert_close(h[:, 1:2], h_alone, 3)
    assert_close(c[:, 1:2], c_alone, 3)
    assert (h[:, 3] == 0).all()
    assert (c[:, 3] == 0).all()
    if scale == 1.0:
        weights = list(lstm.parameters())
        got = torch.autograd.grad(output[:, 1].sum() + c[:, 1].sum() + h[:, 1].sum(), [x, *weights])
        want = torch.autograd.grad(alone.sum() + c_alone.sum() + h_alone.sum(), [x, *weights])
        assert (got[0][3:, 1] == 0).all()
        for mine, other in zip(got, want, strict=True):
            assert_close(mine, other, 3)


def test_dropout_between_layers_of_a_padded_call(calls: list[str]) -> None:
    torch.manual_seed(4)
    lstm = LSTM(1, 1, 2, bias=False, dropout=0.25, backend="torch")
    with torch.no_grad():
        for name, weight in lstm.named_parameters():
            weight.zero_()
            # The first layer gives 0.38 at every step; the second shows which of them arrived.
            if name.startswith("weight_ih"):
                weight[[0, 2, 3]] = 20.0
    x = torch.ones(2, 20000, 1)
    output, _ = lstm(x, lengths=[2] * 10000 + [1] * 10000)
    dropped = (output[0] == 0).double().mean().item()
    assert abs(dropped - 0.25) < 0.015
    assert (lstm.eval()(x, lengths=[2] * 10000 + [1] * 10000)[0][0] > 0.7).all()
    assert calls == ["_run_padded"] * 3  # layer by layer in training, where dropout comes between
