"""Time and memory against T, H and B: a process for each size, one line of JSON each, and the exponents of growth.

    python -m benchmarks.speed.scaling [--threads 1] [--quick] [--out runs/scaling.jsonl]

Memory is the peak of resident memory above what the process held before it made layer and input (the kernel's `VmHWM`;
Linux only). Sizes that would take too much memory or time are left out, and say so. Ends with 1 if time or memory grow
faster than T.
"""

import argparse
import json
import multiprocessing
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.speed.case import Settings
from benchmarks.speed.footprint import CONTENDERS, MOST_SECONDS, Size, measure
from benchmarks.speed.machine import machine
from benchmarks.speed.points import Point, points
from benchmarks.speed.ratios import slope
from benchmarks.speed.results import Line

OUT = Path("runs/scaling.jsonl")
SWEEPS: Mapping[str, tuple[Point, ...]] = {
    "T": points(*(f"8/{steps}/64" for steps in (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000))),
    "H": points(*(f"8/32/{hidden}" for hidden in (32, 64, 128, 256, 512, 1_024, 2_048))),
    "B": points(*(f"{batch}/32/128" for batch in (1, 4, 16, 64, 256, 1_024))),
}
ASYMPTOTIC = 4  # the exponent is that of so many largest sizes
LINEAR = 1.15  # exponents of T up to here count as linear


def run(sizes: Sequence[Size]) -> Iterable[dict[str, Any]]:
    """A line for each size, one after the other."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.speed.footprint"])
    for size in track(sizes, "scaling", console=Console(stderr=True)):
        if (reason := size.too_large()) is not None:
            yield size.line(reason=reason)
            continue
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=measure, args=(size, sender))
        process.start()
        sender.close()
        process.join(2 * MOST_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            yield size.line(reason=f"stopped after {2 * MOST_SECONDS:.0f} s")
        elif process.exitcode:
            yield size.line(reason=f"its process failed (exit code {process.exitcode})")
        else:
            yield size.line(**receiver.recv())


@dataclass(frozen=True)
class Growth:
    """How time and memory grow along a sweep.

    Attributes:
        sweep: T, H or B.
        contender: whose.
        mode: inference or training.
        time: the exponent of the sweep's size that the time follows.
        memory: that of the memory.
    """

    sweep: str
    contender: str
    mode: str
    time: float
    memory: float

    def __str__(self) -> str:
        grown = f"time grows as {self.sweep}^{self.time:.2f}, memory as {self.sweep}^{self.memory:.2f}"
        return f"{self.contender}, {self.mode}: {grown}"

    @property
    def linear(self) -> bool:
        """Whether neither grows faster than the size."""
        return self.time <= LINEAR and self.memory <= LINEAR


def growth(lines: Iterable[Line]) -> list[Growth]:
    """The exponents of each sweep with at least three sizes measured."""
    series: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        if "ms" in line:
            series.setdefault((line["sweep"], line["contender"], line["mode"]), []).append(line)
    found: list[Growth] = []
    for (sweep, contender, mode), measured in series.items():
        largest = sorted(measured, key=lambda line: along(sweep, line))[-ASYMPTOTIC:]
        if len(largest) >= 3:
            sizes = [along(sweep, line) for line in largest]
            time_of, memory_of = ([max(line[key], 1e-3) for line in largest] for key in ("ms", "peak_mb"))
            found.append(Growth(sweep, contender, mode, slope(sizes, time_of), slope(sizes, memory_of)))
    return found


def along(sweep: str, line: Line) -> int:
    """The size that a sweep varies."""
    return Point.parse(line["point"])["BTH".index(sweep)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sweeps", nargs="+", choices=list(SWEEPS), default=list(SWEEPS))
    parser.add_argument("--quick", action="store_true", help="leave out the largest size of each sweep and every other")
    parser.add_argument("--out", type=Path, default=OUT, help=f"JSON lines, {OUT} by default")
    options = parser.parse_args()
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
    sizes = [
        Size(sweep, contender, training, point, options.threads)
        for sweep in options.sweeps
        for point in (SWEEPS[sweep][:-1:2] if options.quick else SWEEPS[sweep])
        for training in (False, True)
        for contender in CONTENDERS
    ]
    lines: list[Line] = [{"kind": "machine", **machine(Settings(options.threads, quick=options.quick))}]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    part = options.out.with_name(options.out.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(json.dumps(lines[0]) + "\n")
        for line in run(sizes):
            lines.append(line)
            file.write(json.dumps(line) + "\n")
            file.flush()
            print(json.dumps(line))
    part.replace(options.out)
    steeper: list[str] = []
    for each in growth(lines):
        print(each)
        if each.sweep == "T" and each.contender == "gatewise" and not each.linear:
            steeper.append(f"not linear: {each}")
    if steeper:
        raise SystemExit("\n".join(steeper))


if __name__ == "__main__":
    main()
