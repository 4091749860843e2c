"""What `checkpoint_every=` saves and costs: memory and time of a training step, a process for each line of JSON.

    python -m benchmarks.segments [--steps 1000 10000] [--hidden 128] [--batch 8] [--threads 1] [--repeats 5]

Memory is the peak of resident memory above what the process held with layer, input and gradient made (the kernel's
`VmHWM`; Linux only): output, what is saved, gradients, and what the backward needs. Time is the median of the repeats
after a first step. Before that, the gradients are compared with those of the layer that saves everything.
"""

import argparse
import json
import multiprocessing
import re
import statistics
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.case import Settings
from benchmarks.speed.machine import machine
from gatewise import LSTM

EVERY: tuple[Any, ...] = (None, "sqrt", 10, 1000)


def status(field: str) -> int:
    """A field of the process's status in bytes."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1_024


def gradients(layer: LSTM, x: torch.Tensor, outer: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(layer(x)[0], [x, *layer.parameters()], outer))


def measure(options: argparse.Namespace, steps: int, every: Any, backend: str, result: Connection) -> None:
    """In a process of its own: peak memory and time, and the error against the layer that saves everything."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    layer = LSTM(options.hidden, options.hidden, backend=backend, checkpoint_every=every)
    first = torch.randn(3, options.batch, options.hidden, requires_grad=True)
    gradients(layer, first, torch.ones_like(first))  # what is loaded at the first call is no part of a call's memory
    x = torch.randn(steps, options.batch, options.hidden, requires_grad=True)
    outer = torch.ones(steps, options.batch, options.hidden)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM back to what is resident now
    found = gradients(layer, x, outer)
    peak = status("VmHWM") - before
    layer.checkpoint_every = None
    want = gradients(layer, x, outer)
    layer.checkpoint_every = every
    error = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, want, strict=True))
    del found, want
    seconds = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        gradients(layer, x, outer)
        seconds.append(time.perf_counter() - start)
    ms = {"ms": round(1e3 * statistics.median(seconds), 2), "fastest": round(1e3 * min(seconds), 2)}
    result.send({"peak_mb": round(peak / 1e6, 2), **ms, "error": float(f"{error:.2g}")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--backends", nargs="+", default=["cpu", "reference"])
    options = parser.parse_args()
    print(json.dumps(machine(Settings(threads=options.threads))))
    context = multiprocessing.get_context("spawn")
    for backend in options.backends:
        for steps in options.steps:
            for every in EVERY:
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=measure, args=(options, steps, every, backend, sender))
                process.start()
                sender.close()
                line = receiver.recv()
                process.join()
                at = {"backend": backend, "T": steps, "B": options.batch, "H": options.hidden}
                print(json.dumps({**at, "checkpoint_every": every, **line}), flush=True)


if __name__ == "__main__":
    main()
