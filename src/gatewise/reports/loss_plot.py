"""Loss and validation metric over epochs, for one run or an ensemble."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gatewise.reports.canvas import COLOURS, SERIES, line, new_axes, new_figure, place, value_axis
from gatewise.reports.content import Curve, Values

WIDTH, HEIGHT = 410, 250


def paint(runs: Sequence[Curve], curves: Sequence[Values]) -> Figure:
    """Draws one curve of each run, with a dot at the epoch that was kept."""
    figure = new_figure(WIDTH, HEIGHT)
    axes = new_axes(figure)
    for k, (run, curve) in enumerate(zip(runs, curves, strict=True)):
        colour = run_colour(k, len(runs))
        line(axes, range(1, len(curve) + 1), curve, colour, linewidth=1.7, alpha=1 if len(runs) <= len(SERIES) else 0.5)
        best = None if run.best_epoch is None else curve[run.best_epoch - 1]
        if run.best_epoch is not None and best is not None:
            axes.plot(
                [run.best_epoch],
                [best],
                "o",
                color=colour,
                markersize=8,
                markeredgecolor=COLOURS["surface"],
                markeredgewidth=2,
            )
    known = [value for curve in curves for value in curve if value is not None]
    # Over more than a decade a linear axis shows only the first epochs.
    label_width = value_axis(axes, logarithmic=bool(known) and min(known) > 0 and max(known) > 10 * min(known))
    last = max((len(curve) for curve in curves), default=1)
    axes.set_xlim(min(1, last - 1), last + max(0.02 * last, 0.2))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    place(axes, 10 + label_width, 8, WIDTH - 8, HEIGHT - 40)
    axes.set_xlabel("epoch", labelpad=2)
    return figure


def run_colour(k: int, count: int) -> str:
    """The stand-in colour of run `k` of `count`: runs beyond the palette share one colour."""
    return SERIES[k] if 1 < count <= len(SERIES) else COLOURS["accent"]
