"""Times of several contenders in turn."""

import gc
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Call = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Plan:
    """How long and how often is measured.

    Attributes:
        most: repeats where calls are short.
        least: repeats where they are long.
        seconds: time for a point, which chooses between the two.
        sample: seconds that one sample takes at least; short calls are made several times in it.
        pause: seconds between samples, in which the threads of the contender before stop spinning.
    """

    most: int = 21
    least: int = 5
    seconds: float = 1.5
    sample: float = 2e-3
    pause: float = 0.0


@dataclass(frozen=True)
class Times:
    """What was measured.

    Attributes:
        seconds: of a call, for each contender, one number for each round.
        inner: how many calls make up a sample, for each contender.
    """

    seconds: Mapping[str, list[float]]
    inner: Mapping[str, int]


def interleaved(
    calls: Mapping[str, Call], plan: Plan, warmups: Mapping[str, int] | None = None, clock: Clock = time.perf_counter
) -> Times:
    """Rounds in which each contender is measured once, beginning with another one each time.

    Args:
        calls: what is timed, by name.
        plan: how long and how often.
        warmups: calls before the first round at least, where they are not 3.
        clock: seconds.
    """
    expected = {name: _warm(call, (warmups or {}).get(name, 3), clock) for name, call in calls.items()}
    inner = {name: max(1, math.ceil(plan.sample / max(seconds, 1e-9))) for name, seconds in expected.items()}
    one_round = sum(inner[name] * seconds + plan.pause for name, seconds in expected.items())
    repeats = max(plan.least, min(plan.most, int(plan.seconds / max(one_round, 1e-9))))
    found: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(repeats):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                if plan.pause:
                    time.sleep(plan.pause)
                found[name].append(_sample(calls[name], inner[name], clock))
    finally:
        if enabled:
            gc.enable()
    return Times(found, inner)


def _warm(call: Call, count: int, clock: Clock) -> float:
    """Seconds of a call, the shortest seen; `count` are made, of short ones more."""
    shortest, began, made = math.inf, clock(), 0
    while made < count or (made < 50 and clock() - began < 0.01):
        start = clock()
        call()
        shortest = min(shortest, clock() - start)
        made += 1
    return shortest


def _sample(call: Call, inner: int, clock: Clock) -> float:
    if inner > 1:
        call()  # what the contender before threw out of the caches comes back
    start = clock()
    for _ in range(inner):
        call()
    return (clock() - start) / inner
