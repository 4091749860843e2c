"""Cuts fits at random moments, goes on with them, and compares with fits that nothing cut; one JSON line a task.

    OMP_NUM_THREADS=1 python -m tests.long.cuts [--count 50] [--seed 0] [--task forecast]

A moment is a loss, a part of a validation, or the making of a network between two runs; each fit is cut in turn by
SIGTERM, and by an exception that nothing handles, which saves as little as `kill -9`. Compared are SHA-256 of the
weights, of the log, of what was found and noted, and at each run's end of the optimiser, the weights in training, their
averages and the random states. Each task is also fitted under a time limit, by a clock of which a second is a loss.
Exits with 1 if anything differs.
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

from tests.resuming import LIMITS, TASKS, Whole, differences


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="cuts of each task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--task", choices=sorted(TASKS), action="append")
    options = parser.parse_args()
    failed = 0
    for name in options.task or TASKS:
        for limits in ({}, LIMITS[name]):
            task = TASKS[name](**limits)
            whole, rng, wrong = Whole.of(task), random.Random(options.seed), []
            for number in range(options.count):
                at, how = rng.randint(1, whole.moments), ("signal", "kill")[number % 2]
                with tempfile.TemporaryDirectory() as folder:
                    found = differences(whole, task, Path(folder) / "run", at, how)
                if found:
                    wrong.append({"moment": at, "how": how, "differs": found})
            failed += len(wrong)
            row = {"task": name, "limits": limits, "moments": whole.moments, "cuts": options.count, "wrong": wrong}
            print(json.dumps(row), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
