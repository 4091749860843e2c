"""Measures the speed of layers, each number of threads in a process of its own.

    python -m benchmarks.speed [--threads 1 2] [--cases inference training] [--points 32/32/128] [--quick]
    python -m benchmarks.speed --check | --list

Writes JSON lines (`benchmarks/speed/results.py` says what is in them) and prints the summary. Ends with 1 if a ratio
was refused because a contender did not compute what it should.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.speed.measurement import CLOCKS
from benchmarks.speed.registry import CASES
from benchmarks.speed.results import counted, gathered
from benchmarks.speed.selection import Selection
from benchmarks.speed.summary import summarise, table

OUT = Path("runs/speed.jsonl")
STARTING = 5.0  # seconds until a process measures


@dataclass(frozen=True)
class Run:
    """What is asked for on the command line."""

    selection: Selection
    threads: tuple[int, ...]
    seed: int
    clock: str
    budget: float | None  # seconds
    check: bool = False

    def worker(self, threads: int, seconds: float | None) -> tuple[list[str], dict[str, str]]:
        """Command and environment of the process that measures with a number of threads."""
        chosen = self.selection
        command = [sys.executable, "-m", "benchmarks.speed.worker", f"--threads={threads}", f"--seed={self.seed}"]
        command += [f"--clock={self.clock}"]
        command += [] if seconds is None else [f"--seconds={seconds}"]
        command += ["--quick"] if chosen.quick else []
        command += ["--check"] if self.check else []
        command += ["--cases", *chosen.cases, "--points", *chosen.points]
        counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        # Code that was compiled in a run before would make compiling look cheap.
        return command, {**os.environ, **counts, "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}

    def lines(self, threads: int, seconds: float | None) -> Iterator[dict[str, Any]]:
        """What that process says.

        Raises:
            SystemExit: it failed.
        """
        command, environment = self.worker(threads, seconds)
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, encoding="utf-8") as process:
            assert process.stdout is not None
            for text in process.stdout:
                if text.startswith("{"):
                    yield json.loads(text)
                else:
                    print(text, end="", file=sys.stderr)
        if process.returncode:
            raise SystemExit(f"the process with {counted(threads)} failed (exit code {process.returncode})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="numbers of threads")
    parser.add_argument("--cases", nargs="+", default=[], choices=list(CASES), metavar="CASE", help="all by default")
    parser.add_argument("--points", nargs="+", default=[], metavar="B/T/H", help="only these of each case")
    parser.add_argument("--quick", action="store_true", help="few points and repeats, nothing compiled")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall",
                        help="processor: the time that the process ran, for one thread on a busy machine")  # fmt: skip
    parser.add_argument("--budget", type=float, metavar="MINUTES", help="no point is begun after these")
    parser.add_argument("--out", type=Path, default=OUT, help=f"JSON lines, {OUT} by default")
    parser.add_argument("--check", action="store_true", help="say which results are not right, and measure no times")
    parser.add_argument("--list", action="store_true", help="say what would run and about how long it takes, and end")
    options = parser.parse_args()
    selection = Selection(tuple(options.cases), tuple(options.points), options.quick)
    if options.clock != "wall" and options.threads != [1]:
        parser.error("--clock processor adds up the times of all threads: use it with --threads 1")
    budget = None if options.budget is None else 60 * options.budget
    asked = Run(selection, tuple(dict.fromkeys(options.threads)), options.seed, options.clock, budget, options.check)
    try:
        jobs = {threads: selection.jobs(threads) for threads in asked.threads}
    except ValueError as error:
        parser.error(str(error))
    if options.list:
        for name in dict.fromkeys(case.name for found in jobs.values() for case, _ in found):
            print(f"{name}: {CASES[name].title}. {CASES[name].about}")
        for threads, found in jobs.items():
            print(f"{counted(threads)}: {len(found)} points, about {selection.seconds(found) / 60:.0f} minutes")
        return
    if options.check:
        check(asked)
    else:
        run(asked, options.out)


def check(asked: Run) -> None:
    """Compare all results with the truth, without times.

    Raises:
        SystemExit: a process failed, or something is not right.
    """
    with _progress() as progress:
        results = gathered(_measured(asked, progress))
    print(f"{len(results.points)} points compared, {len(results.skipped)} not")
    if results.refused:
        raise SystemExit("\n".join(results.refused))


def run(asked: Run, out: Path) -> None:
    """Measure, write, and print the summary.

    Raises:
        SystemExit: a process failed, or a ratio was refused.
    """
    lines: list[dict[str, Any]] = []
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    with part.open("w", encoding="utf-8") as file, _progress() as progress:
        for line in _measured(asked, progress):
            lines.append(line)
            file.write(json.dumps(line) + "\n")
            file.flush()
    part.replace(out)
    results = gathered(lines)
    print("\n".join(table(summarise(results))))
    print(f"\n{len(results.points)} points measured, {len(results.skipped)} not; {out}")
    if results.others is not None:
        print(results.others)
    if results.refused:
        raise SystemExit("\n".join(results.refused))


def _measured(asked: Run, progress: Progress) -> Iterator[dict[str, Any]]:
    selection, began = asked.selection, time.monotonic()
    total = sum(STARTING + selection.seconds(selection.jobs(threads)) for threads in asked.threads)
    bar = progress.add_task("", total=total)
    for turn, threads in enumerate(asked.threads):
        expected = {
            (case.name, str(point)): selection.job_seconds(case, point) for case, point in selection.jobs(threads)
        }
        left = None
        if asked.budget is not None:
            left = max(0.0, asked.budget - (time.monotonic() - began)) / (len(asked.threads) - turn)
        upcoming: Sequence[tuple[str, str]] = list(expected)
        progress.update(bar, description=_describe(threads, upcoming[0] if upcoming else None))
        for line in asked.lines(threads, left):
            if line["kind"] == "machine":
                progress.advance(bar, STARTING)
            else:
                done = (line["case"], line["point"])
                progress.advance(bar, expected[done])
                upcoming = upcoming[1:]
                progress.update(bar, description=_describe(threads, upcoming[0] if upcoming else None))
            yield line


def _describe(threads: int, job: tuple[str, str] | None) -> str:
    return f"{counted(threads)} " + ("" if job is None else f"{job[0]} {job[1]}")


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    return Progress(*columns, console=Console(stderr=True))


if __name__ == "__main__":
    main()
