"""What each comparison came to, in numbers and in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.speed.case import Target
from benchmarks.speed.ratios import geometric_mean
from benchmarks.speed.registry import COMPARISONS
from benchmarks.speed.results import Results


@dataclass(frozen=True)
class Row:
    """A comparison with one number of threads.

    Attributes:
        name: of the comparison.
        threads: how many.
        target: what it should reach, where something was set.
        ratios: the medians by point.
        highs: their upper quartiles.
        refused: points at which something was not right.
        reasons: why there are no times: reason -> points.
    """

    name: str
    threads: int
    target: Target | None
    ratios: dict[str, float]
    highs: dict[str, float]
    refused: tuple[str, ...]
    reasons: dict[str, list[str]]

    @property
    def mean(self) -> float | None:
        """The geometric mean over the points."""
        return geometric_mean(self.ratios.values()) if self.ratios else None

    @property
    def worst(self) -> str | None:
        """The point with the smallest ratio."""
        return min(self.ratios, key=self.ratios.__getitem__) if self.ratios else None

    def verdict(self) -> str:
        """Whether the target is reached, and by how much it is not."""
        parts = [f"refused at {', '.join(self.refused)}"] if self.refused else []
        parts += [f"not measured{_where(points, self.ratios)}: {reason}" for reason, points in self.reasons.items()]
        if self.target is None:
            return "; ".join(parts) or "no target"
        if not self.ratios:
            return "; ".join(parts) or "not measured"
        missed = [part for part in (self._floor(self.target), self._mean(self.target)) if part]
        if missed:
            return "; ".join([*missed, *parts])
        mean, stretch = self.mean, self.target.stretch
        reached = mean is not None and stretch is not None and mean >= stretch
        return "; ".join(["reached, the stretch too" if reached else "reached", *parts])

    def _floor(self, target: Target) -> str | None:
        below = {point: ratio for point, ratio in self.ratios.items() if ratio < target.floor}
        if not below:
            return None
        worst = min(below, key=below.__getitem__)
        clear = sum(self.highs[point] < target.floor for point in below)
        beyond = "" if clear == len(below) else f" ({clear} beyond the quartiles)"
        most = "by" if len(below) == 1 else "most by"
        return (
            f"**floor missed** at {len(below)} of {len(self.ratios)} points{beyond}, "
            f"{most} {_short_of(below[worst], target.floor)} at {worst}"
        )

    def _mean(self, target: Target) -> str | None:
        mean = self.mean
        if target.mean is None or mean is None or mean >= target.mean:
            return None
        return f"**geomean missed** by {_short_of(mean, target.mean)}"


def summarise(results: Results) -> list[Row]:
    """A row for each comparison and number of threads that was asked for, in the registry's order."""
    rows: list[Row] = []
    for name, (case, comparison) in COMPARISONS.items():
        for threads in dict.fromkeys(line["threads"] for line in (*results.points, *results.skipped)):
            found = [
                (line["point"], line["ratios"][name])
                for line in results.at(case.name, threads)
                if name in line["ratios"]
            ]
            reasons = results.reasons(case.name, threads)
            if found or reasons:
                rows.append(
                    Row(
                        name,
                        threads,
                        comparison.targets.get(threads),
                        {point: ratio["ratio"] for point, ratio in found if "ratio" in ratio},
                        {point: ratio["high"] for point, ratio in found if "ratio" in ratio},
                        tuple(point for point, ratio in found if "refused" in ratio),
                        reasons,
                    )
                )
    return rows


def table(rows: Iterable[Row]) -> list[str]:
    """The summary in Markdown."""
    lines = [
        "| comparison | threads | points | geomean | smallest | floor / geomean / stretch | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        worst = row.worst
        mean = "" if row.mean is None else f"**{row.mean:.2f}**"
        smallest = "" if worst is None else f"{row.ratios[worst]:.2f} at {worst}"
        lines.append(
            f"| {row.name} | {row.threads} | {len(row.ratios)} | {mean} | {smallest} | {_target(row.target)} | "
            f"{row.verdict()} |"
        )
    return lines


def _target(target: Target | None) -> str:
    if target is None:
        return ""
    values = (target.floor, target.mean, target.stretch)
    return " / ".join("–" if value is None else f"{value:g}" for value in values)


def _short_of(value: float, wanted: float) -> str:
    return f"{1 - value / wanted:.1%}"


def _where(points: list[str], measured: dict[str, float]) -> str:
    """The points, where others were measured."""
    return f" at {', '.join(points)}" if measured else ""
