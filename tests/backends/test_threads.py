"""Threads: those of one call, and calls of several Python threads.

`make sanitize-threads` runs them on a core that is watched for races.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise import GRU, LSTM
from gatewise.backends import cpu
from tests.backends.layer_pairs import CELLS, further, normal, states
from tests.backends.plans import core

RAGGED = [9, 0, 1, 4, 9, 7, 2, 9, 3]
# Products before, in and after the loop; several stages; rows; turns that reach back; numbers for all units.
NAMES = ["lstm", "layer-norm", "lstmp", "gru-cho", "lstm-1997", "slstm", "phased", "gru-d", "ea-lstm"]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def outcome(layer: Any, dtype: torch.dtype, lengths: list[int] | None) -> list[Tensor]:
    """Output and all gradients; output without gradients."""
    more = further(layer, 9, len(RAGGED), dtype)
    x = normal(9, len(RAGGED), 3, seed=1, dtype=dtype).requires_grad_()
    output, _ = layer(x, states(layer, len(RAGGED), dtype), lengths=lengths, **more)
    gradients = torch.autograd.grad(output.sin().sum(), [x, *layer.parameters()], allow_unused=True)
    with torch.no_grad():
        plain, _ = layer(x, lengths=lengths, **more)
    return [output, *(value for value in gradients if value is not None), plain]


@pytest.mark.parametrize("by_units", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_threads_change_no_bit(name: str, bidirectional: bool, by_units: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By sequences and by units, both directions at once; more threads than there are processors."""
    execute, counts = core().run, []

    def run(
        plans: Any,
        ports: Any,
        backwards: Any,
        steps: int,
        rows: int,
        lengths: Any,
        count: int,
        units: bool,
        *packed: Any,
    ) -> None:
        counts.append(count)
        execute(plans, ports, backwards, steps, rows, lengths, count, by_units, *packed)

    class Core:
        Plan = core().Plan

    Core.run = staticmethod(run)  # type: ignore[attr-defined]
    monkeypatch.setattr(cpu, "core", Core)
    monkeypatch.setattr(cpu, "WORTH_A_THREAD", 1)
    layer = CELLS[name](dtype=torch.float32, backend="cpu", bidirectional=bidirectional)
    for lengths in (None, RAGGED):
        found = []
        for count in (1, 2, 3, 4):
            torch.set_num_threads(count)
            found.append(outcome(layer, torch.float32, lengths))
        for other in found[1:]:
            for want, got in zip(found[0], other, strict=True):
                assert torch.equal(want, got)
    assert set(counts) == {1, 2, 3, 4}


@pytest.mark.parametrize("rows", [1, 5, 40])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_as_many_threads_as_the_work_is_worth_change_no_bit(rows: int, bidirectional: bool) -> None:
    torch.manual_seed(0)
    one = LSTM(30, 70, 2, bidirectional=bidirectional, backend="cpu")
    data = torch.randn(40, rows, 30, requires_grad=True)
    found = []
    for count in (1, 2, 3, 4):
        torch.set_num_threads(count)
        for lengths in (None, [40 - 7 * b % 40 for b in range(rows)]):
            output = one(data, lengths=lengths)[0]
            found.append([output, *torch.autograd.grad(output.sin().sum(), [data, *one.parameters()])])
    for k, more in enumerate(found):
        for want, got in zip(found[k % 2], more, strict=True):
            assert torch.equal(want, got)


@pytest.mark.parametrize("batch", [1, 6])
@pytest.mark.parametrize("name", ["lstm", "layer-norm", "gru-cho", "slstm"])
def test_streams_with_threads_change_no_bit(name: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "WORTH_A_THREAD", 1)
    layer = CELLS[name](dtype=torch.float32, backend="cpu").requires_grad_(False)
    x = normal(9, batch, 3, seed=1, dtype=torch.float32)
    found = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        stream = layer.stream(batch=batch)
        found.append(torch.cat([torch.stack([stream.step(now).clone() for now in x[:4]]), stream.feed(x[4:])]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("make", [lambda: LSTM(8, 40, 2, peephole=True, bidirectional=True), lambda: GRU(8, 40, 2)])
def test_several_python_threads_train_one_layer(make: Any) -> None:
    """As DataParallel does: forward and backward at the same time, each on its part of the batch."""
    torch.manual_seed(0)
    one = make()
    one.backend = "cpu"
    inputs = [torch.randn(30, 6, 8, generator=torch.Generator().manual_seed(k)) for k in range(6)]

    def train(data: Tensor) -> list[Tensor]:
        output, _ = one(data, lengths=[30, 3, 0, 17, 30, 8])
        return [output.detach(), *torch.autograd.grad(output.sin().sum(), list(one.parameters()))]

    torch.set_num_threads(2)
    want = [train(data) for data in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for expected, found in zip(want, pool.map(train, inputs), strict=True):
                for a, b in zip(expected, found, strict=True):
                    assert torch.equal(a, b)


def test_a_layer_is_made_ready_by_several_threads_at_once() -> None:
    """The first calls of a new layer: all of them find or make the same plans."""
    torch.manual_seed(0)
    x = torch.randn(5, 3, 8)
    for _ in range(5):
        one = LSTM(8, 16, peephole=True, backend="cpu")
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _, one=one: one(x)[0].detach(), range(8)))
        assert all(torch.equal(other, found[0]) for other in found)
