"""Time and memory of a layer at one size, in a process of its own."""

import re
import resource
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.speed.load import Load
from benchmarks.speed.points import Point
from gatewise import LSTM

CONTENDERS: Mapping[str, Callable[[int, int], nn.Module]] = {"gatewise": LSTM, "torch.nn.LSTM": nn.LSTM}
MOST_BYTES, MOST_SECONDS = 6e9, 60.0


@dataclass(frozen=True)
class Size:
    """A point of a sweep, in one of the modes, by one of the contenders."""

    sweep: str
    contender: str
    training: bool
    point: Point
    threads: int

    def line(self, **found: Any) -> dict[str, Any]:
        """A line of results."""
        mode = "training" if self.training else "inference"
        at = {"sweep": self.sweep, "contender": self.contender, "mode": mode, "threads": self.threads}
        return {"kind": "scaling", **at, "point": str(self.point), **found}

    def too_large(self) -> str | None:
        """Why the size is left out, by an estimate that is generous; or None."""
        batch, steps, hidden = self.point
        # In training: input, outputs, their gradients, the gates and theirs, states, and what is packed for products.
        vectors, copies, passes = (24, 5, 3) if self.training else (10, 3, 1)
        needed = 4.0 * (vectors * batch * steps * hidden + copies * 8 * hidden**2)
        takes = 3 * passes * (self.point.operations / 2e10 + 2e-5 * steps)
        if needed > MOST_BYTES:
            return f"would need about {needed / 1e9:.0f} GB"
        return f"would take about {takes:.0f} s" if takes > MOST_SECONDS else None


def measure(size: Size, result: Connection) -> None:
    """In a process of its own: `ms` of a call and the peak of memory, sent through the connection."""
    torch.set_num_threads(size.threads)
    _steps(size, Point(1, 2, 8))()  # what torch and the core load at their first call is no part of the size
    most = int(1.5 * MOST_BYTES) + _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (most, most))  # an estimate too low ends this process, not another
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM back to what is resident now
    call = _steps(size, size.point)
    seconds, load = [], Load()
    # Of growth, a disturbance says nothing: the shortest of several calls counts.
    while len(seconds) < 3 or (len(seconds) < 9 and sum(seconds) < 2):
        inner = 1 if not seconds else max(1, int(5e-3 / seconds[-1]))
        start = time.perf_counter()
        for _ in range(inner):
            call()
        seconds.append((time.perf_counter() - start) / inner)
    peak = (_status("VmHWM") - before) / 1e6
    result.send({"ms": float(f"{1e3 * min(seconds):.5g}"), "peak_mb": round(peak, 2), "others": load.others()})


def _steps(size: Size, point: Point) -> Callable[[], object]:
    """One forward (and backward) of a new layer on a new input."""
    batch, steps, hidden = point
    torch.manual_seed(0)
    layer = CONTENDERS[size.contender](hidden, hidden)
    x = torch.randn(steps, batch, hidden, requires_grad=size.training)
    gradient = torch.ones(steps, batch, hidden) if size.training else None

    def call() -> None:
        layer.zero_grad()
        x.grad = None
        with _mode(size.training):
            output, _ = layer(x)
        if gradient is not None:
            output.backward(gradient)

    return call


def _mode(training: bool) -> AbstractContextManager[object]:
    return nullcontext() if training else torch.inference_mode()


def _status(field: str) -> int:
    """A field of the process's status in bytes."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1_024
