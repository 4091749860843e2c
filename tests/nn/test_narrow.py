"""Weights stored in fewer bits: how they are rounded, and that the core computes with exactly those numbers."""

import copy
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gatewise import GRU, LSTM, Recurrent, cells
from gatewise.backends import cpu
from gatewise.errors import ConfigurationError
from gatewise.nn.narrow import rounded
from tests.backends.layer_pairs import FORMS, X, flat, normal, pair
from tests.tolerance import assert_close

FEW_BITS = ["fp32", "bf16", "int8"]


def matrix(*shape: int) -> Tensor:
    """Rows of very different sizes, one of them 0."""
    drawn = normal(*shape, seed=3, dtype=torch.float32) * torch.logspace(-12, 12, shape[0]).unsqueeze(1)
    drawn[shape[0] // 2] = 0
    return drawn


def equal(one: Any, other: Any) -> None:
    for a, b in zip(flat(one), flat(other), strict=True):
        assert torch.equal(a, b)


class TestRounding:
    def test_bf16_is_off_by_at_most_2_to_the_minus_8(self) -> None:
        given = matrix(40, 70)
        error = (rounded(given, "bf16").double() - given.double()).abs() / given.double().abs().clamp_min(1e-300)
        assert 0.9 * 2**-8 < error.max() <= 2**-8

    def test_int8_is_off_by_at_most_half_the_scale_and_exact_in_float32(self) -> None:
        given = matrix(40, 70)
        got = rounded(given, "int8").double()
        most = given.double().abs().amax(1, keepdim=True)
        scale = most / 127 * (1 + 2**-16)
        assert ((got - given.double()).abs() <= scale / 2).all()
        # Whole multiples of one number: its largest multiple is 127.
        used = most[:, 0] > 0
        exact = got[used].abs().amax(1, keepdim=True) / 127
        multiples = got[used] / exact
        assert torch.equal(multiples, multiples.round())
        assert torch.equal(exact.float().double(), exact)
        assert (got[~used] == 0).all()

    @pytest.mark.parametrize("weights", FEW_BITS)
    def test_what_is_rounded_stays(self, weights: str) -> None:
        once = rounded(matrix(40, 70), weights)
        assert torch.equal(rounded(once, weights), once)

    def test_rows_of_next_to_nothing_are_0(self) -> None:
        given = torch.tensor([[1e-38, 2e-38], [1e-20, 2e-20]])
        assert (rounded(given, "int8")[0] == 0).all()
        assert (rounded(given, "int8")[1] != 0).all()


@pytest.mark.parametrize("weights", FEW_BITS)
@pytest.mark.parametrize("name", FORMS)
class TestEveryForm:
    def test_the_core_computes_with_the_rounded_numbers(self, name: str, weights: str) -> None:
        made = pair(FORMS[name], torch.float32, num_layers=2, learned_state=True)[1]
        narrow = made.narrowed(weights)
        reference = copy.deepcopy(narrow)
        reference.backend = "reference"
        for parameter, before in zip(narrow.parameters(), made.parameters(), strict=True):
            want = rounded(before.detach(), weights) if before.dim() == 2 else before
            assert torch.equal(parameter, want)
        x = normal(9, 4, X, seed=1, dtype=torch.float32)
        for got, want in zip(flat(narrow(x)), flat(reference(x)), strict=True):
            assert_close(got, want, 9)

    def test_a_stream_gives_the_bits_of_the_whole(self, name: str, weights: str) -> None:
        made = pair(FORMS[name], torch.float32, num_layers=2)[1]
        narrow = made.narrowed(weights)
        x = normal(9, 3, X, seed=1, dtype=torch.float32)
        want, last = narrow(x)
        for stream in (made.stream(3, weights=weights), narrow.stream(3), narrow.stream(3, weights=weights)):
            assert stream.weights == weights
            steps = torch.stack([stream.step(now).clone() for now in x[:3]])
            assert torch.equal(torch.cat([steps, stream.feed(x[3:])]), want)
            equal(stream.state, last)


@pytest.mark.parametrize("weights", FEW_BITS)
@pytest.mark.parametrize(("width", "hidden", "batch"), [(1, 1, 1), (17, 33, 1), (5, 70, 40), (66, 131, 3), (9, 64, 13)])
def test_odd_sizes(width: int, hidden: int, batch: int, weights: str) -> None:
    torch.manual_seed(0)
    for kind in (LSTM, GRU):
        made = kind(width, hidden, backend="cpu")
        narrow, x = made.narrowed(weights), torch.randn(70, batch, width)
        want, _ = narrow(x)
        assert torch.equal(made.stream(batch, weights=weights).feed(x), want)
        stream = made.stream(batch, weights=weights)
        assert torch.equal(torch.stack([stream.step(now).clone() for now in x[:5]]), want[:5])
        narrow.backend = "reference"
        assert_close(want, narrow(x)[0], 70)


@pytest.mark.parametrize("weights", FEW_BITS)
def test_everything_a_call_can_ask_for(weights: str) -> None:
    torch.manual_seed(0)
    narrow = LSTM(3, 21, num_layers=2, bidirectional=True, zoneout=0.1, backend="cpu").narrowed(weights)
    reference = copy.deepcopy(narrow)
    reference.backend = "reference"
    x = torch.randn(9, 4, 3)
    hx = torch.randn(4, 4, 21), torch.randn(4, 4, 21)
    for call in (
        {"lengths": [9, 0, 3, 5]},
        {"resets": torch.rand(9, 4) < 0.3},
        {"return_states": "all", "lengths": [2, 9, 9, 1]},
    ):
        for got, want in zip(flat(narrow(x, hx, **call)), flat(reference(x, hx, **call)), strict=True):
            assert_close(got, want, 9)


@pytest.mark.parametrize("weights", FEW_BITS)
def test_threads_do_not_change_bits(weights: str) -> None:
    torch.manual_seed(0)
    narrow, before = LSTM(300, 400, bidirectional=True, backend="cpu").narrowed(weights), torch.get_num_threads()
    try:
        for x in (torch.randn(7, 1, 300), torch.randn(7, 21, 300)):
            found = []
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                found.append(narrow(x))
            equal(found[1], found[0])
            equal(found[2], found[0])
    finally:
        torch.set_num_threads(before)


def test_numbers_that_are_not_finite_stay_seen() -> None:
    torch.manual_seed(0)
    made = LSTM(3, 5, backend="cpu")
    with torch.no_grad():
        made.weight_hh_l0[2, 1] = float("nan")
    assert made.narrowed("fp32")(torch.ones(2, 1, 3))[0].isnan().any()
    for weights in ("bf16", "int8"):
        with pytest.raises(ConfigurationError, match="weight_hh_l0 has elements that are not finite"):
            made.narrowed(weights)
        # A stream rounds what it finds.
        assert made.stream(weights=weights).step(torch.ones(1, 3)).isnan().any()


class TestInferenceOnly:
    def test_gradients_are_refused(self) -> None:
        for backend in ("cpu", "reference"):
            made = LSTM(3, 5, backend=backend).narrowed("bf16")
            x = torch.randn(4, 2, 3)
            assert not made(x)[0].requires_grad
            message = "weights are stored as bf16 is for inference, and something given to it takes a gradient"
            with pytest.raises(ConfigurationError, match=message):
                made(x.requires_grad_())
            with torch.no_grad():
                made(x)
            made.requires_grad_(True)
            with pytest.raises(ConfigurationError, match=message):
                made(x.detach())
            with pytest.raises(ConfigurationError, match=message):
                made(x.detach(), lengths=[4, 2])

    def test_the_mode_and_the_parameters(self) -> None:
        made = LSTM(3, 5, zoneout=0.2).train()
        narrow = made.narrowed("int8")
        assert made.training
        assert not narrow.training
        assert not any(parameter.requires_grad for parameter in narrow.parameters())
        assert all(parameter.requires_grad for parameter in made.parameters())
        assert (made.weight_storage, narrow.weight_storage) == (None, "int8")
        assert repr(narrow) == "LSTM(3, 5, zoneout=0.2, weight_storage='int8')"
        assert repr(Recurrent(cells.JANET(), 3, 5).narrowed("int8")).endswith("weight_storage='int8')")

    def test_what_runs_it(self) -> None:
        narrow = LSTM(3, 5).narrowed("int8")
        told = narrow.explain(torch.randn(4, 2, 3))
        assert "float32 with weights stored as int8, on cpu" in told
        assert 'backend: cpu (the first of "auto" that can)' in told
        assert "torch: cannot: torch's fused calls store weights as they are given, not as int8" in told


class TestChanges:
    @pytest.mark.parametrize("weights", FEW_BITS)
    def test_packed_matrices_follow_the_parameters(self, weights: str) -> None:
        torch.manual_seed(0)
        one, other = LSTM(3, 5, backend="cpu"), LSTM(3, 5, backend="cpu")
        narrow, x = one.narrowed(weights), torch.randn(4, 2, 3)
        first = narrow(x)[0]
        packed = [call.scans.known["packed", 0][2] for call in narrow._compiled.values()]
        assert torch.equal(narrow(x)[0], first)
        assert [call.scans.known["packed", 0][2] for call in narrow._compiled.values()] == packed  # once, not again
        narrow.load_state_dict(other.state_dict())
        want = other.narrowed(weights)
        assert torch.equal(narrow.weight_hh_l0, want.weight_hh_l0)
        assert torch.equal(narrow(x)[0], want(x)[0])
        narrow.weight_hh_l0 = nn.Parameter(want.weight_hh_l0 * 2, requires_grad=False)
        doubled = narrow(x)[0]
        assert not torch.equal(doubled, want(x)[0])
        with torch.no_grad():
            narrow.weight_hh_l0.div_(2)
        assert torch.equal(narrow(x)[0], want(x)[0])

    def test_in_inference_mode_too(self) -> None:
        torch.manual_seed(0)
        with torch.inference_mode():
            made = LSTM(3, 5, backend="cpu")
            narrow, x = made.narrowed("bf16"), torch.randn(4, 2, 3)
            assert not narrow.weight_hh_l0.is_inference()
            first = narrow(x)[0]
            narrow.weight_hh_l0.mul_(2)
            assert not torch.equal(narrow(x)[0], first)
            narrow.weight_hh_l0.div_(2)
            assert torch.equal(narrow(x)[0], first)
            # Nobody counts what is written to a tensor that was made here.
            narrow.weight_hh_l0 = nn.Parameter(narrow.weight_hh_l0 * 1, requires_grad=False)
            assert torch.equal(narrow(x)[0], first)
            narrow.weight_hh_l0.mul_(2)
            assert not torch.equal(narrow(x)[0], first)

    def test_copies(self) -> None:
        narrow, x = LSTM(3, 5, backend="cpu").narrowed("int8"), torch.randn(4, 2, 3)
        want = narrow(x)[0]
        for again in (copy.deepcopy(narrow), pickle.loads(pickle.dumps(narrow)), narrow.narrowed("int8")):
            assert again.weight_storage == "int8"
            assert torch.equal(again(x)[0], want)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTM(3, 5).narrowed("fp4"), "weights='fp4' is not known; .*There is: bf16, fp32, int8"),
        (lambda: LSTM(3, 5).narrowed(None), "weights=None is not known"),
        (lambda: LSTM(3, 5, dtype=torch.float64).narrowed("int8"), "of float32 layers only, and weight_ih_l0 is"),
        (lambda: LSTM(3, 5).narrowed("int8").narrowed("bf16"), "are rounded already: begin with the layer"),
        (lambda: LSTM(3, 5).narrowed("int8").stream(weights="bf16"), "are rounded already: leave weights out"),
        (
            lambda: nn.utils.parametrizations.weight_norm(LSTM(3, 5), "weight_hh_l0").narrowed("int8"),
            "are computed from others: bake them in first",
        ),
        (lambda: LSTM(3, 5, backend="cpu").narrowed("int8").double()(torch.ones(1, 1, 3).double()), "in float32 only"),
    ],
)
def test_errors(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()


PROGRAM = """
import json, torch
from gatewise import GRU, LSTM
torch.manual_seed(0)
found = []
for kind, width, hidden, batch in ((LSTM, 17, 33, 1), (GRU, 5, 70, 5), (LSTM, 64, 64, 3)):
    made = kind(width, hidden, num_layers=2, backend="cpu")
    x = torch.randn(70, batch, width)
    for weights in (None, "bf16", "int8"):
        layer = made if weights is None else made.narrowed(weights)
        with torch.no_grad():
            want, _ = layer(x)
            layer.backend = "reference"
            error = (want - layer(x)[0]).abs().max().item()
            layer.backend = "cpu"
        stream = made.stream(batch, weights=weights)
        steps = torch.stack([stream.step(now).clone() for now in x[:4]])
        found.append([torch.equal(torch.cat([steps, stream.feed(x[4:])]), want), error])
print(json.dumps(found))
"""


@pytest.mark.parametrize("level", cpu.core.levels() if cpu.core is not None else [])
def test_every_level_of_this_processor(level: str) -> None:
    environment = {**os.environ, "GATEWISE_CPU_LEVEL": level}
    outcome = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True
    )
    found = json.loads(outcome.stdout)
    assert len(found) == 9
    assert all(equal and error < 2e-5 for equal, error in found), found
