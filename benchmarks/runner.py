"""What the benchmarks share: their options, the machine they ran on, a JSON line a seed and one that sums up."""

import argparse
import importlib.metadata
import json
import platform
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

Split = TypeVar("Split")


def machine(threads: int) -> dict[str, Any]:
    """Where and with what a number was measured."""
    return {
        "threads": threads,
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("gatewise", "torch", "numpy")},
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }


def emit(line: Mapping[str, Any], out: Path | None = None) -> None:
    """Print a JSON line, and append it to a file."""
    text = json.dumps(line)
    print(text, flush=True)
    if out is not None:
        with out.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def run(
    description: str,
    sets: Mapping[str, Callable[[], Split]],
    measure: Callable[[Split, int, int], dict[str, Any]],
    scores: tuple[str, ...],
) -> None:
    """Measure every set with every seed.

    Args:
        description: for `--help`.
        sets: name -> what reads it.
        measure: what was found on a set, with a seed and a number of threads.
        scores: those numbers of it that are summed up as mean and standard deviation over the seeds.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", choices=sorted(sets), default=list(sets))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="append the lines to this file as well")
    options = parser.parse_args()
    for name in options.sets:
        split, results = sets[name](), []
        for seed in range(options.seeds):
            found = measure(split, seed, options.threads)
            results.append(found)
            emit({"set": name, "seed": seed, **found, **machine(options.threads)}, options.out)
        summary: dict[str, Any] = {"set": name, "seeds": len(results)}
        for score in scores:
            values = [found[score] for found in results if score in found]
            if values:
                mean, deviation = statistics.mean(values), statistics.pstdev(values)
                summary[score] = {"mean": round(mean, 3), "std": round(deviation, 3)}
        emit(summary, options.out)
