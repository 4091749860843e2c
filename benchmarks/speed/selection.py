"""What of the registry is run, in which order, and about how long it will take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.speed.case import Case
from benchmarks.speed.contenders import COMPILED, COMPILED_STEP, EAGER, SCRIPTED
from benchmarks.speed.measurement import FULL, QUICK
from benchmarks.speed.points import Point, quick
from benchmarks.speed.registry import CASES

LOOPS = frozenset({EAGER, SCRIPTED, COMPILED_STEP, COMPILED})


@dataclass(frozen=True)
class Selection:
    """What is asked for.

    Attributes:
        cases: names; all where empty.
        points: in their written form; all of each case where empty.
        quick: few points and repeats.
    """

    cases: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    quick: bool = False

    def jobs(self, threads: int) -> list[tuple[Case, Point]]:
        """Cases and points for a number of threads, in order.

        Raises:
            ValueError: there is no such case, or none of the cases has such a point.
        """
        unknown = [name for name in self.cases if name not in CASES]
        if unknown:
            raise ValueError(f"there is no case {unknown[0]}; there is: {', '.join(CASES)}")
        wanted = {Point.parse(text) for text in self.points}
        chosen = [CASES[name] for name in self.cases] if self.cases else list(CASES.values())
        nowhere = wanted - {point for case in chosen for point in case.points}
        if nowhere:
            raise ValueError(f"no case chosen has the point {min(nowhere)}; --list shows what there is")
        return [(case, point) for case in chosen if threads in case.threads for point in self._points(case, wanted)]

    def _points(self, case: Case, wanted: set[Point]) -> Sequence[Point]:
        if wanted:
            return [point for point in case.points if point in wanted]
        return quick(case.points) if self.quick else case.points

    def seconds(self, jobs: Iterable[tuple[Case, Point]]) -> float:
        """About how long they take."""
        return sum(self.job_seconds(case, point) for case, point in jobs)

    def job_seconds(self, case: Case, point: Point) -> float:
        """About how long one takes; it only has to be right in proportion, for the progress bar."""
        plan = QUICK if self.quick else FULL
        names = {name for comparison in case.comparisons for name in comparison.contenders}
        passes = 3 if case.training else 1
        once = passes * (point.operations / 3e10 + 3e-6 * point.steps + 1e-4)
        loops = len(names & LOOPS) * (once + 3e-4 * point.steps)
        one_round = (len(names) - len(names & LOOPS)) * once + loops
        truth = passes * (point.operations / 1e10 + 2e-4 * point.steps)
        extra = case.seconds(point) if not self.quick else 0.3
        return extra + 2 * truth + max(plan.seconds, plan.least * one_round) + 3 * one_round
