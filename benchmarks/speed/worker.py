"""What measures with one number of threads, in a process of its own: JSON lines on standard output.

Started by `benchmarks.speed`: OpenMP reads its number of threads once, before anything runs.
"""

import argparse
import gc
import json
import time
import warnings
from collections.abc import Mapping
from typing import Any

import torch

from benchmarks.speed.case import Settings
from benchmarks.speed.machine import machine
from benchmarks.speed.measurement import CLOCKS, measure
from benchmarks.speed.selection import Selection
from gatewise.errors import ConfigurationError


def main() -> None:
    parser = argparse.ArgumentParser(description="measures with one number of threads; started by benchmarks.speed")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no point is begun after these")
    parser.add_argument("--clock", default="wall", choices=list(CLOCKS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--points", nargs="*", default=[])
    options = parser.parse_args()
    # The scripted loop is a rival as long as torch has it.
    warnings.filterwarnings("ignore", message=r"`torch\.jit\.script", category=DeprecationWarning)
    warnings.filterwarnings("ignore", message="dynamo_pgo force disabled", category=UserWarning)
    torch.set_num_threads(options.threads)
    settings = Settings(options.threads, options.seed, options.quick, options.clock, not options.check)
    selection = Selection(tuple(options.cases), tuple(options.points), options.quick)
    _emit({"kind": "machine", **machine(settings)})
    began = time.monotonic()
    reasons: dict[str, str | None] = {}
    for case, point in selection.jobs(options.threads):
        if case.name not in reasons:
            reasons[case.name] = case.missing()
        skipped = {"kind": "skipped", "case": case.name, "threads": options.threads, "point": str(point)}
        if (reason := reasons[case.name]) is not None:
            _emit({**skipped, "reason": reason})
        elif time.monotonic() - began > options.seconds:
            _emit({**skipped, "reason": "the time given had run out"})
        else:
            try:
                _emit(measure(case, point, settings))
            except ConfigurationError as error:
                _emit({**skipped, "reason": str(error)})
            gc.collect()


def _emit(line: Mapping[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
