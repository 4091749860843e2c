"""Processes: one OpenMP in each, and those that were forked after threads ran."""

import os
import subprocess
import sys

import pytest


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


STREAMED = """
import os, torch
from gatewise import LSTM
from gatewise.errors import ConfigurationError
torch.manual_seed(0)
torch.set_num_threads(2)
layer = LSTM(256, 256, peephole=True, backend="cpu").requires_grad_(False)
x = torch.randn(3, 16, 256)
stream = layer.stream(batch=16)
want = [stream.step(now).clone() for now in x]
stream.reset()
assert torch.equal(stream.step(x[0]), want[0])
child = os.fork()
if child == 0:
    try:
        stream.step(x[1])
    except ConfigurationError as error:
        assert "call refresh()" in str(error)
        stream.refresh()
        os._exit(0 if torch.equal(stream.step(x[1]), want[1]) and torch.equal(stream.step(x[2]), want[2]) else 1)
    os._exit(2)
assert os.waitpid(child, 0)[1] == 0
assert torch.equal(stream.step(x[1]), want[1])
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_stream_in_a_process_that_was_forked_asks_to_be_refreshed() -> None:
    assert in_a_process(STREAMED).strip() == "done"
