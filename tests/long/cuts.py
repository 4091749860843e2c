"""Cuts fits at random moments, goes on with them, and compares with fits that nothing cut; one JSON line a task.

    OMP_NUM_THREADS=1 python -m tests.long.cuts [--count 50] [--seed 0] [--task forecast] [--workers 2]

A moment is a loss, a part of a validation, or the making of a network between two runs; each fit is cut in turn by
SIGTERM, and by an exception that nothing handles, which saves as little as `kill -9`. Compared are SHA-256 of the
weights, of the log, of what was found and noted, and at each run's end of the optimiser, the weights in training, their
averages and the random states. Each task is also fitted under a time limit, by a clock of which a second is a loss.
With `--workers N` each fit is that of N processes on this machine, of which one, drawn at random, is cut.
Exits with 1 if anything differs.
"""

import argparse
import json
import random
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tests.resuming import DIVISIBLE, LIMITS, TASKS, Task, Whole, differences
from tests.resuming_teams import team_differences, whole_team

HOW: tuple[Literal["signal", "kill"], ...] = ("signal", "kill")


def cut_alone(task: Task, count: int, rng: random.Random) -> tuple[int, list[dict[str, Any]]]:
    """Cuts fits of one process so many times: the moments of a whole one, and what was wrong."""
    whole, wrong = Whole.of(task), []
    for number in range(count):
        at, how = rng.randint(1, whole.moments), HOW[number % 2]
        with tempfile.TemporaryDirectory() as folder:
            found = differences(whole, task, Path(folder) / "run", at, how)
        if found:
            wrong.append({"moment": at, "how": how, "differs": found})
    return whole.moments, wrong


def cut_teams(task: Task, count: int, rng: random.Random, size: int) -> tuple[int, list[dict[str, Any]]]:
    """The same with fits of several workers, of which one is cut; the moments are those of the first worker."""
    whole, wrong = whole_team(task, size), []
    for number in range(count):
        who, how = rng.randrange(size), HOW[number % 2]
        at = rng.randint(1, whole[who].moments)
        with tempfile.TemporaryDirectory() as folder:
            found = team_differences(whole, task, Path(folder) / "run", who, at, how)
        if found:
            wrong.append({"worker": who, "moment": at, "how": how, "differs": found})
    return whole[0].moments, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="cuts of each task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--task", choices=sorted(TASKS), action="append")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    cut = cut_alone if options.workers == 1 else partial(cut_teams, size=options.workers)
    failed = 0
    for name in options.task or (TASKS if options.workers == 1 else DIVISIBLE):
        for limits in ({}, LIMITS[name]):
            moments, wrong = cut(TASKS[name](**limits), options.count, random.Random(options.seed))
            failed += len(wrong)
            row = {
                "task": name, "workers": options.workers, "limits": limits, "moments": moments, "cuts": options.count,
                "wrong": wrong,
            }  # fmt: skip
            print(json.dumps(row), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
