"""Threads: those of one call, calls of several Python threads, and processes that were forked.

`make sanitize-threads` runs the first two on a core that is watched for races.
"""

import os
import subprocess
import sys
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
        plans: Any, ports: Any, backwards: Any, steps: int, rows: int, lengths: Any, count: int, units: bool
    ) -> None:
        counts.append(count)
        execute(plans, ports, backwards, steps, rows, lengths, count, by_units)

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


# ------------------------------------------------------------------------------------------------------------ processes


def in_a_process(code: str, **environment: str) -> str:
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


SHARED = """
import os, torch
from gatewise import LSTM
from gatewise.backends import cpu
torch.set_num_threads(3)
def threads():
    return len(os.listdir("/proc/self/task"))
def loaded():
    lines = open("/proc/self/maps").read().splitlines()
    files = {os.path.realpath(line.split()[-1]) for line in lines if ".so" in line}
    return [file for file in files if any(name in file for name in ("gomp", "iomp", "libomp"))]
layer = LSTM(64, 128, peephole=True, backend="cpu").requires_grad_(False)
x = torch.randn(50, 30, 64)
a = torch.randn(500, 500)
torch.exp(a)  # torch's own threads are there
before = threads()
layer(x)
print(len(loaded()), before, threads())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_core_takes_torchs_threads() -> None:
    """One OpenMP in the process, and no thread more than torch had."""
    libraries, before, after = map(int, in_a_process(SHARED).split())
    assert libraries == 1
    assert before >= 3
    assert after == before


# Sizes for which torch's own operations take one thread: they would wait as well.
FORKED = """
import multiprocessing, torch
from gatewise import LSTM
torch.manual_seed(0)
torch.set_num_threads(2)
layer = LSTM(64, 128, peephole=True, backend="cpu")
x = torch.randn(20, 8, 64)
def train():
    layer.zero_grad()
    output = layer(x)[0]
    output.sum().backward()
    return float(output.detach().double().sum()), float(layer.weight_hh_l0.grad[0].double().sum())
def work(queue):
    queue.put(train())
want = train()
context = multiprocessing.get_context("fork")
queue = context.SimpleQueue()
children = [context.Process(target=work, args=(queue,)) for _ in range(3)]
for child in children:
    child.start()
found = [queue.get() for _ in children]
for child in children:
    child.join()
    assert child.exitcode == 0, child.exitcode
assert found == [want] * 3, (found, want)
assert train() == want
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_process_that_was_forked_after_threads_ran_does_not_wait_for_them() -> None:
    """OpenMP's threads do not go along into a child: it computes with one thread, the same bits."""
    assert in_a_process(FORKED).strip() == "done"


LOADED = """
import torch
from gatewise import LSTM
torch.manual_seed(0)
torch.set_num_threads(2)
layer = LSTM(64, 128, peephole=True, backend="cpu").requires_grad_(False)
data = torch.randn(8, 50, 64)
class Hidden(torch.utils.data.Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, k):
        return layer(data[k].unsqueeze(1).expand(50, 30, 64))[0][-1, 0]
want = torch.stack([Hidden()[k] for k in range(8)])
loader = torch.utils.data.DataLoader(Hidden(), batch_size=4, num_workers=2, multiprocessing_context="fork")
assert torch.equal(torch.cat(list(loader)), want)
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_layer_in_the_workers_of_a_data_loader() -> None:
    assert in_a_process(LOADED).strip() == "done"
