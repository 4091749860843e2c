"""Kills trainings at random instants, while they train and while they save, until they are done all the same.

    OMP_NUM_THREADS=1 python -m tests.long.kills [--kills 200] [--terms 20] [--seed 0] [--task classify]

Each training runs in a process of its own and is ended by SIGKILL after a random time. Then its newest checkpoint has
to be readable, and to be at most one interval of steps behind; and the training goes on from it until the next kill,
and in the end has to be, bit for bit, one that was never killed. With `--terms` trainings are ended by SIGTERM instead:
each has to leave by itself with a checkpoint of its last step, and the time that takes is measured.

Prints one JSON line a task; exits with 1 if anything is wrong.
"""

import argparse
import json
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from gatewise.errors import TrainingInterrupted
from gatewise.tasks.classification.objective import ClassifyObjective
from gatewise.tasks.forecasting.objective import ForecastObjective
from gatewise.tasks.generation.objective import GenerateObjective
from gatewise.tasks.labelling.objective import LabelObjective
from gatewise.tasks.transcription.objective import TranscribeObjective
from gatewise.training import Checkpoints, RunDirectory
from tests.resuming import TASKS, Task, outcome

INTERVALS = (1, 1, 5)  # steps; with 1 most instants are within a write
INTERRUPTED = 130
# Enough epochs that there is something to kill.
LONGER: dict[str, dict[str, Any]] = {
    "forecast": {"max_epochs": 6, "patience": 6},
    "classify": {"max_epochs": 20, "patience": 20},
    "label": {"max_epochs": 30, "patience": 30},
    "transcribe": {"max_epochs": 20, "patience": 20},
    "generate": {"max_epochs": 12, "patience": 12, "accumulate": 1},  # what is counted here are losses
}


class Counter:
    """Steps that were begun, counted where a killed process leaves them readable."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)

    @property
    def value(self) -> int:
        return struct.unpack("q", self._memory[:8])[0]

    @value.setter
    def value(self, value: int) -> None:
        self._memory[:8] = struct.pack("q", value)


def child(task: Task, directory: Path, every: int, steps: Counter) -> int:
    """A process that fits; its number."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:

        def counted(loss: Callable[..., Any]) -> Callable[..., Any]:
            def count(*args: Any) -> Any:
                steps.value += 1
                return loss(*args)

            return count

        with (
            mock.patch.object(ForecastObjective, "loss", counted(ForecastObjective.loss)),
            mock.patch.object(ClassifyObjective, "loss", counted(ClassifyObjective.loss)),
            mock.patch.object(TranscribeObjective, "loss", counted(TranscribeObjective.loss)),
            mock.patch.object(GenerateObjective, "loss", counted(GenerateObjective.loss)),
            mock.patch.object(LabelObjective, "loss", counted(LabelObjective.loss)),
        ):
            model = task(Checkpoints(directory, every=every))
        (directory.parent / "outcome.json").write_text(json.dumps(outcome(model)))
        code = 0
    except TrainingInterrupted:
        code = INTERRUPTED
    finally:
        os._exit(code)


def ended(process: int) -> bool:
    """Whether a child has ended; it is waited for later."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def saved_steps(directory: Path) -> tuple[int, str | None]:
    """Steps in the newest checkpoint, and what is wrong with it."""
    if not directory.exists():
        return 0, None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = RunDirectory(directory).newest()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is what is looked for)
            return 0, f"{type(error).__name__}: {error}"
    if found is None:
        return 0, None
    steps = sum(run["values"]["steps"] for run in found.state["finished"])
    return steps + (found.state["under_way"] or {"values": {"step": 0}})["values"]["step"], None


def killed(task: Task, kills: int, rng: random.Random) -> dict[str, Any]:
    """Kills trainings so many times, and what was found."""
    whole = outcome(task())
    wrong: list[str] = []
    done = writing = most_lost = finished = 0
    while done < kills and not wrong:
        with tempfile.TemporaryDirectory() as folder:
            directory, every, steps = Path(folder) / "run", rng.choice(INTERVALS), Counter()
            longest, until = 0.5, 0.0
            while True:
                began = time.monotonic()
                steps.value, _ = saved_steps(directory)
                process = child(task, directory, every, steps)
                until = rng.uniform(0.0, longest)
                while time.monotonic() - began < until and not ended(process):
                    time.sleep(0.0005)
                over = ended(process)
                if not over:
                    os.kill(process, signal.SIGKILL)
                _, status = os.waitpid(process, 0)
                if over:
                    finished += 1
                    if os.waitstatus_to_exitcode(status) != 0:
                        wrong.append(f"the training ended with {os.waitstatus_to_exitcode(status)}")
                    elif json.loads((Path(folder) / "outcome.json").read_text()) != whole:
                        wrong.append("the outcome is another one")
                    break
                done += 1
                writing += directory.exists() and any(path.name.endswith(".tmp") for path in directory.iterdir())
                saved, what = saved_steps(directory)
                if what is not None:
                    wrong.append(what)
                    break
                most_lost = max(most_lost, steps.value - saved)
                if steps.value - saved > every:
                    wrong.append(f"{steps.value - saved} steps were lost, of an interval of {every}")
                longest *= 1.02  # so that a training comes to its end at last
    return {
        "kills": done,
        "within_a_write": writing,
        "finished": finished,
        "most_steps_lost": most_lost,
        "wrong": wrong,
    }


def terminated(task: Task, terms: int, rng: random.Random) -> dict[str, Any]:
    """Ends trainings by SIGTERM so many times, and what was found."""
    wrong: list[str] = []
    seconds: list[float] = []
    while len(seconds) < terms and not wrong:
        with tempfile.TemporaryDirectory() as folder:
            directory, steps = Path(folder) / "run", Counter()
            process = child(task, directory, 1_000_000, steps)
            while not steps.value:
                time.sleep(0.0005)
            time.sleep(rng.uniform(0.0, 0.3))
            if ended(process):
                os.waitpid(process, 0)
                continue
            before, began = steps.value, time.monotonic()
            os.kill(process, signal.SIGTERM)
            _, status = os.waitpid(process, 0)
            seconds.append(time.monotonic() - began)
            code = os.waitstatus_to_exitcode(status)
            saved, what = saved_steps(directory)
            if code not in (0, INTERRUPTED) or what is not None or saved != steps.value or steps.value > before + 1:
                wrong.append(f"exit code {code}, {saved} of {steps.value} steps saved ({before} at the signal): {what}")
    return {"terms": len(seconds), "most_seconds": round(max(seconds, default=0.0), 3), "wrong": wrong}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="of each task")
    parser.add_argument("--terms", type=int, default=20, help="of each task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--task", choices=sorted(TASKS), action="append")
    options = parser.parse_args()
    failed = 0
    for name in options.task or TASKS:
        task, rng = TASKS[name](**LONGER[name]), random.Random(options.seed)
        row = {"task": name}
        for found in (killed(task, options.kills, rng), terminated(task, options.terms, rng)):
            failed += len(found["wrong"])
            row |= {**found, "wrong": [*row.get("wrong", []), *found["wrong"]]}
        print(json.dumps(row), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
