"""Results as they are written: JSON lines of three kinds, and of `benchmarks.speed.scaling` a fourth.

- `machine`: where, with what, how many threads; before the lines of a number of threads.
- `point`: a case at a point: `us` a call by contender, `ratios` by comparison, errors.
- `skipped`: a case that did not run at a point, and why.
- `scaling`: time and memory at one size.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]
NOISY = 0.1  # share of the machine that others take, beyond which it is said what that means


def counted(threads: int) -> str:
    """A number of threads in words.

    >>> counted(1), counted(2)
    ('1 thread', '2 threads')
    """
    return f"{threads} thread" if threads == 1 else f"{threads} threads"


@dataclass(frozen=True)
class Results:
    """Lines by kind, in the order in which they were measured."""

    machines: tuple[Line, ...]
    points: tuple[Line, ...]
    skipped: tuple[Line, ...]
    scaling: tuple[Line, ...]

    def at(self, case: str, threads: int) -> list[Line]:
        """What was measured of a case with a number of threads."""
        return [line for line in self.points if line["case"] == case and line["threads"] == threads]

    def reasons(self, case: str, threads: int) -> dict[str, list[str]]:
        """Why a case did not run: reason -> points."""
        found: dict[str, list[str]] = {}
        for line in self.skipped:
            if line["case"] == case and line["threads"] == threads:
                found.setdefault(line["reason"], []).append(line["point"])
        return found

    @property
    def others(self) -> str | None:
        """A sentence on how busy others kept the machine; None where it is not known."""
        shares = sorted(line["others"] for line in self.points if line["others"] is not None)
        if not shares:
            return None
        middle = shares[len(shares) // 2]
        noisy = ": on a quieter machine ratios would differ, floors most of all" if middle > NOISY else ""
        return (
            f"Other processes took {middle:.0%} of the machine at half of the points or more, {shares[-1]:.0%} at the "
            f"busiest{noisy}."
        )

    @property
    def refused(self) -> list[str]:
        """What was not right, one sentence for each ratio that is refused."""
        return [
            f"refused: {name} at {line['point']}, {counted(line['threads'])}: {found['refused']}"
            for line in self.points
            for name, found in line["ratios"].items()
            if "refused" in found
        ]


def gathered(lines: Iterable[Line]) -> Results:
    """Lines sorted by kind.

    Raises:
        ValueError: a line is of no known kind.
    """
    kinds: dict[str, list[Line]] = {"machine": [], "point": [], "skipped": [], "scaling": []}
    for line in lines:
        kind = line.get("kind")
        if kind not in kinds:
            raise ValueError(f'expected lines of the kinds {", ".join(kinds)}, got "{kind}"')
        kinds[kind].append(line)
    return Results(*(tuple(kinds[kind]) for kind in ("machine", "point", "skipped", "scaling")))


def read(*paths: Path) -> Results:
    """Results out of files.

    Raises:
        ValueError: a line is no JSON, or of no known kind.
    """
    return gathered(json.loads(text) for path in paths for text in path.read_text("utf-8").splitlines() if text)
