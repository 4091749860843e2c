"""Fits by several workers, one of which is cut at a chosen moment: in the end all have to be as if nothing had been."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatewise.errors import TrainingError, TrainingInterrupted
from gatewise.training import Checkpoints
from tests.resuming import Cut, Killed, Seen, Task, outcome, watched
from tests.training.teams import together

# What a cut may end a worker with: the cut itself, being told to stop, or that another one is gone.
ENDS = (Killed, TrainingInterrupted, TrainingError)


@dataclass(frozen=True)
class Worker:
    """What one worker has of a fit: its outcome or what ended it, the ends of its runs (see `Seen`), its moments."""

    outcome: dict[str, str]
    ended: str
    runs: dict[str, str]
    moments: int


def fitted(
    task: Task, size: int, cuts: Callable[[int], Cut], checkpoints: Checkpoints | None, clock: float
) -> list[Worker]:
    """A fit by so many workers, each with its cut."""

    def work(rank: int) -> Worker:
        seen, cut = Seen(seconds=clock), cuts(rank)
        found, ended = {}, ""
        try:
            with watched(seen, cut):
                found = outcome(task(checkpoints))
        except ENDS as error:
            ended = repr(error)
        return Worker(found, ended, seen.runs, cut.moments)

    found = together(work, size, seconds=300)
    assert all(isinstance(one, Worker) for one in found), found
    return found


def whole_team(task: Task, size: int) -> list[Worker]:
    """A fit by so many workers that nothing cut.

    Raises:
        AssertionError: a worker's fit did not come to its end.
    """
    found = fitted(task, size, lambda rank: Cut(), None, 0.0)
    assert not any(one.ended for one in found), found
    return found


def team_differences(
    whole: list[Worker], task: Task, directory: Path, who: int, at: int, how: Literal["signal", "kill"]
) -> list[str]:
    """What is not as in `whole` once worker `who` was cut at a moment and all went on; nothing is what should be."""
    size, checkpoints = len(whole), Checkpoints(directory, every=3)
    first = fitted(task, size, lambda rank: Cut(at, how) if rank == who else Cut(), checkpoints, 0.0)
    # A request within the last validation comes too late to stop anything: the fit is done.
    if not any(one.ended for one in first) and how == "kill":
        return [f"the fit was over before moment {at}"]
    found = first
    if any(one.ended for one in first):
        found = fitted(task, size, lambda rank: Cut(), checkpoints, 1e6)  # another process, another clock
    wrong: list[str] = []
    for rank, (before, after, should) in enumerate(zip(first, found, whole, strict=True)):
        runs = before.runs | after.runs  # what had ended before the cut is not run again
        if after.ended:
            wrong.append(f"worker {rank}: {after.ended}")
        wrong += [
            f"worker {rank}: {name}" for name, value in should.outcome.items() if after.outcome.get(name) != value
        ]
        wrong += [f"worker {rank}: {name}" for name, value in should.runs.items() if runs.get(name) != value]
    return wrong
