"""Plots of results, as SVG: the same results give the same bytes."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.speed.registry import COMPARISONS
from benchmarks.speed.results import Line, Results
from benchmarks.speed.scaling import along

COLOURS = ("#2a6f97", "#c8553d")
WIDTH = 8.2  # inches
TICKS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
CLOSE_TICKS = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 2.5, 3, 4)  # where the axis spans less than a factor of 3


def ratios(results: Results, threads: int, panels: Sequence[tuple[str, ...]]) -> str | None:
    """Medians and quartiles over the points: a panel for each group of comparisons. None where there are no times."""
    measured = [[(name, _points(results, name, threads)) for name in names] for names in panels]
    shown = [[(name, found) for name, found in panel if found] for panel in measured]
    shown = [panel for panel in shown if panel]
    if not shown:
        return None
    longest = max(len(found) for panel in shown for _, found in panel)
    with _drawing():
        figure = Figure(figsize=(WIDTH, 1.2 + 0.17 * longest), layout="constrained")
        row = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, panel in zip(row, shown, strict=True):
            _panel(axes, panel)
        return _svg(figure)


def scaling(lines: Sequence[Line], sweep: str) -> str | None:
    """Time and memory along a sweep, ours and torch's. None where nothing was measured."""
    measured = [line for line in lines if line["sweep"] == sweep and "ms" in line]
    if not measured:
        return None
    with _drawing():
        figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
        for axes, key, label in zip(figure.subplots(1, 2), ("ms", "peak_mb"), ("ms a call", "peak, MB"), strict=True):
            for colour, contender in zip(COLOURS, dict.fromkeys(line["contender"] for line in measured), strict=False):
                for style, mode in (("-", "training"), ("--", "inference")):
                    series = [line for line in measured if (line["contender"], line["mode"]) == (contender, mode)]
                    sizes = [along(sweep, line) for line in series]
                    axes.plot(
                        sizes,
                        [line[key] for line in series],
                        style,
                        color=colour,
                        marker=".",
                        label=f"{contender}, {mode}",
                    )
            axes.set(xscale="log", yscale="log", xlabel=sweep, title=label)
            axes.minorticks_off()
            axes.grid(alpha=0.3)
        figure.axes[0].legend(frameon=False, fontsize=7)
        return _svg(figure)


def _points(results: Results, name: str, threads: int) -> list[tuple[str, float, float, float]]:
    case, _ = COMPARISONS[name]
    found = ((line["point"], line["ratios"].get(name, {})) for line in results.at(case.name, threads))
    return [(point, ratio["ratio"], ratio["low"], ratio["high"]) for point, ratio in found if "ratio" in ratio]


def _panel(axes: Axes, panel: Sequence[tuple[str, list[tuple[str, float, float, float]]]]) -> None:
    names = list(dict.fromkeys(point for _, found in panel for point, *_ in found))
    for number, (name, found) in enumerate(panel):
        places = [names.index(point) + 0.25 * number for point, *_ in found]
        middle = [ratio for _, ratio, _, _ in found]
        # Clipped at 0: a ratio is scaled and rounded apart from its quartiles.
        errors = [[max(0.0, m - low) for _, m, low, _ in found], [max(0.0, high - m) for _, m, _, high in found]]
        axes.errorbar(middle, places, xerr=errors, fmt="o", ms=3.5, lw=1, color=COLOURS[number % 2], label=name)
    axes.axvline(1, color="black", lw=0.8)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(FixedLocator(CLOSE_TICKS if high < 3 * low else TICKS))
    axes.set_xlim(low, high)
    axes.set_xlabel("the rival's time over ours")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=7)


@contextmanager
def _drawing() -> Iterator[None]:
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "gatewise",
                "font.size": 8,
                "axes.spines.top": False,
                "axes.spines.right": False,
            }
        )
        yield


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    return text.getvalue()
