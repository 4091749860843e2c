"""A forecast with its quantile bands over the truth and the baseline."""

from collections.abc import Sequence
from datetime import datetime

from matplotlib.dates import date2num
from matplotlib.figure import Figure

from gatewise.reports.canvas import COLOURS, Size, date_axis, line, new_axes, new_figure, place, value_axis
from gatewise.reports.content import ForecastPanel, Values
from gatewise.reports.timeline import read


def shown_history(panel: ForecastPanel) -> int:
    """How many of the last values of the history are drawn: trend and season, with room for the forecast.

    No more than the pixels of a line can tell apart.
    """
    return min(len(panel.history), max(min(3 * len(panel.times), 2000), 36))


def paint(panel: ForecastPanel, size: Size) -> Figure:
    """Draws a panel."""
    start = len(panel.history) - shown_history(panel)
    known = read((*panel.history_times[start:], *panel.times))
    x = _positions(known)
    cut = len(x) - len(panel.times)
    past, ahead = x[:cut], x[cut:]
    history = panel.history[start:]

    height = 300 if size.narrow else 340
    figure = new_figure(size.width, height)
    axes = new_axes(figure)
    pairs = panel.bands()
    for k, (low, high) in enumerate(pairs):
        lower, upper = (_floats(panel.quantiles[level]) for level in (low, high))
        axes.fill_between(ahead, lower, upper, color=COLOURS["accent"], alpha=min(0.16 + 0.08 * k, 0.6), linewidth=0)
        if len(ahead) == 1:
            axes.vlines(ahead, lower, upper, color=COLOURS["accent"], alpha=0.3, linewidth=8)
    dots = {"marker": "o", "markersize": 3.4} if len(ahead) <= 40 else {}
    line(axes, past, history, COLOURS["muted"], linewidth=1.3)
    if panel.baseline:
        line(axes, ahead, panel.baseline, COLOURS["contrast"], linewidth=1.6, linestyle=(0, (4, 2.5)))
    if any(value is not None for value in panel.truth):
        # What came continues what was: one line, from the last value of the history on.
        line(axes, past[-1:] + ahead, history[-1:] + panel.truth, COLOURS["ink"], linewidth=1.4)
        if dots:
            axes.plot(ahead, _floats(panel.truth), "o", color=COLOURS["ink"], markersize=3.4)
    line(axes, ahead, panel.forecast, COLOURS["accent"], linewidth=2.2, **dots)
    if past:
        axes.axvline((past[-1] + ahead[0]) / 2, color=COLOURS["muted"], linewidth=1, linestyle=(0, (1, 3)))

    span = x[-1] - x[0] or 1.0
    axes.set_xlim(x[0] - 0.01 * span, x[-1] + 0.015 * span)
    axes.margins(y=0.07)
    labels = value_axis(axes, 5)
    place(axes, 8 + labels, 8, size.width - 12, height - 44)
    if isinstance(known[0], datetime):
        date_axis(axes, size.narrow)
    return figure


def _positions(times: Sequence[datetime] | Sequence[int]) -> list[float]:
    return [float(date2num(time)) if isinstance(time, datetime) else float(time) for time in times]


def _floats(values: Values) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def coverage(panel: ForecastPanel) -> tuple[float, float, int, int] | None:
    """(low level, high level, values inside, values known) of the widest band; None without band or truth.

    >>> panel = ForecastPanel("s", (), (), (1, 2), (1, 1), truth=(1, 9), quantiles={0.1: (0, 0), 0.9: (2, 2)})
    >>> coverage(panel)
    (0.1, 0.9, 1, 2)
    """
    if not panel.bands():
        return None
    low, high = panel.bands()[0]
    bounds = zip(panel.truth, panel.quantiles[low], panel.quantiles[high], strict=False)
    inside = [a <= y <= b for y, a, b in bounds if y is not None and a is not None and b is not None]
    return (low, high, sum(inside), len(inside)) if inside else None


def mean_absolute_error(panel: ForecastPanel, values: Values) -> float | None:
    """Mean absolute error of `values` [leads] over the known truth; None where nothing is known."""
    errors = [abs(y - v) for y, v in zip(panel.truth, values, strict=False) if y is not None and v is not None]
    return sum(errors) / len(errors) if errors else None
