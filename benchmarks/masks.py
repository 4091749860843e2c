"""Dropout masks on the CPU: the compiled core against torch's own dropout, and against the definition in torch.

    python benchmarks/masks.py [--repeats 61] [--threads 1 2]

Each repeat makes a mask, scales it and multiplies a tensor with it; torch's dropout does the same. Interleaved repeats,
medians of times, quartiles of paired ratios, one JSON line for each point. Nothing is printed for a point whose mask is
not in every bit the one that the definition draws.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from gatewise.backends import cpu
from gatewise.nn.masks import Draw
from runner import emit, machine

POINTS = [(1, 1, 16), (1, 32, 64), (50, 16, 32), (100, 64, 100), (100, 64, 128), (100, 128, 512)]  # T, B, w
RATE = 0.5


def defined(call: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The call without the core, so that the definition draws."""

    def run() -> Tensor:
        core, cpu.core = cpu.core, None
        try:
            return call()
        finally:
            cpu.core = core

    return run


def measure(shape: tuple[int, int, int], dtype: torch.dtype, repeats: int, threads: int) -> None:
    torch.set_num_threads(threads)
    steps, batch, width = shape
    x = torch.randn(shape, dtype=dtype)
    draw = Draw(torch.tensor(7), torch.arange(batch))

    def core() -> Tensor:
        return x * draw.moving(0, steps, width, RATE, x, scale=True)

    calls = {
        "core": core,
        "torch dropout": lambda: torch.nn.functional.dropout(x, RATE),
        "definition": defined(core),
    }
    if not torch.equal(calls["core"](), calls["definition"]()):
        raise SystemExit(f"{shape}, {dtype}: the core's mask is not the one that is defined")
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begin)
    line: dict[str, object] = {"T": steps, "B": batch, "w": width, "dtype": str(dtype).removeprefix("torch.")}
    for name, found in times.items():
        line[f"{name}, ms"] = round(1000 * statistics.median(found), 4)
    for name in ("torch dropout", "definition"):
        ratios = [theirs / ours for theirs, ours in zip(times[name], times["core"], strict=True)]
        line[f"{name} / core"] = [round(quartile, 2) for quartile in statistics.quantiles(ratios, n=4)]
    emit({**line, "level": cpu.core.level() if cpu.core is not None else None, **machine(threads)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=61)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    if cpu.core is None:
        raise SystemExit("the compiled core is not there: install with a C++ compiler")
    for threads in options.threads:
        for shape in POINTS:
            measure(shape, torch.float32, options.repeats, threads)
        for dtype in (torch.float64, torch.bfloat16):
            measure((100, 64, 128), dtype, options.repeats, threads)


if __name__ == "__main__":
    main()
