"""One case at one point: first whether everything is right, then how long it takes."""

import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from benchmarks.speed.accuracy import errors, limits, objection
from benchmarks.speed.case import Case, Comparison, Contender, Settings
from benchmarks.speed.load import Load
from benchmarks.speed.points import Point
from benchmarks.speed.ratios import paired, spread
from benchmarks.speed.timing import Clock, Plan, Times, interleaved

CLOCKS: Mapping[str, Clock] = {"wall": time.perf_counter, "processor": time.process_time}
FULL, QUICK = Plan(), Plan(most=5, least=3, seconds=0.3)
PAUSE = 2e-3  # between samples where there are several threads: idle ones spin for about so long


def measure(case: Case, point: Point, settings: Settings) -> dict[str, Any]:
    """A line of results: errors, times, and the ratio of each comparison or why it is refused.

    Raises:
        ConfigurationError: a layer cannot run with the backend asked for.
    """
    contenders = case.contenders(point, settings)
    names = {each.name for each in contenders}
    clock = CLOCKS[settings.clock]
    with _mode(case):
        prepared = {each.name: _seconds(each) for each in contenders if each.prepare is not None}
        found = {each.name: errors(each.task.values(), each.standard.truth) for each in contenders}
        allowed = {each.name: limits(each.standard, each.bound) for each in contenders}
        objections = {name: objection(found[name], allowed[name]) for name in found}
        right = [each for each in contenders if objections[each.name] is None and settings.timed]
        plan = QUICK if settings.quick else FULL
        if settings.threads > 1:
            plan = Plan(plan.most, plan.least, plan.seconds, plan.sample, PAUSE)
        calls, load = {each.name: each.task.call for each in right}, Load()
        times = interleaved(calls, plan, {each.name: each.warmups for each in right}, clock) if right else Times({}, {})
        others = load.others()
    return {
        "kind": "point",
        "case": case.name,
        "threads": settings.threads,
        "point": str(point),
        "repeats": max(map(len, times.seconds.values()), default=0),
        "inner": dict(times.inner),
        "us": {name: round(1e6 * spread(values).median, 3) for name, values in times.seconds.items()},
        "backends": {each.name: each.backend for each in contenders if each.backend is not None},
        "errors": {name: _finite(max(values.values())) for name, values in found.items()},
        "of_allowed": {
            name: _finite(max(value / allowed[name][key] for key, value in values.items()))
            for name, values in found.items()
        },
        "prepared_seconds": prepared,
        "others": others,
        "ratios": dict(_ratios(case, names, objections, times.seconds, settings.timed)),
    }


def _ratios(
    case: Case,
    names: Set[str],
    objections: Mapping[str, str | None],
    seconds: Mapping[str, Sequence[float]],
    timed: bool,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is known of each comparison whose contenders are there."""
    for comparison in case.comparisons:
        if comparison.ours in names and not names.isdisjoint(comparison.rivals):
            reason = refusal(comparison, objections)
            if reason is not None:
                yield comparison.name, {"refused": reason}
            elif timed:
                yield comparison.name, ratio(comparison, names, seconds)


def refusal(comparison: Comparison, objections: Mapping[str, str | None]) -> str | None:
    """Why there is no ratio: what is wrong with one that takes part; or None."""
    for name in comparison.contenders:
        if objections.get(name) is not None:
            return f"{name}: {objections[name]}"
    return None


def ratio(comparison: Comparison, names: Set[str], seconds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The time of the fastest rival that is there over ours, with its quartiles."""
    rivals = {name: spread(seconds[name]).median for name in comparison.rivals if name in names}
    fastest = min(rivals, key=rivals.__getitem__)
    found = paired(seconds[fastest], seconds[comparison.ours]).scaled(comparison.scale)
    return {
        "rival": fastest,
        "ratio": round(found.median, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
    }


def _mode(case: Case) -> AbstractContextManager[object]:
    return nullcontext() if case.training else torch.inference_mode()


def _seconds(contender: Contender) -> float:
    began = time.perf_counter()
    assert contender.prepare is not None
    contender.prepare()
    return round(time.perf_counter() - began, 2)


def _finite(value: float) -> float | None:
    """Rounded; None stands for infinity, which JSON does not have."""
    return float(f"{value:.2e}") if value < float("inf") else None
