"""A sequence over time, and under it what is said of its steps."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatewise.reports.canvas import COLOURS, SERIES, Size, line, new_axes, new_figure, place, value_axis
from gatewise.reports.track import Track

LEFT, RIGHT, TOP, BOTTOM, GAP = 52, 10, 6, 38, 8
SIGNAL, BAND, CURVE = 110, 20, 110


def colour_of(k: int) -> str:
    """The stand-in colour of channel or label `k`; beyond six they come again, lighter (see `_alpha`)."""
    return SERIES[k % len(SERIES)]


def paint(track: Track, size: Size) -> Figure:
    """Draws a track."""
    bands = [("true", track.truth)] if track.truth else []
    bands += [("said", track.predicted)] if track.predicted else []
    under = (BAND + GAP) * len(bands) + (CURVE + GAP if track.values else 0)
    figure = new_figure(size.width, TOP + SIGNAL + GAP + under + BOTTOM)
    steps, right = len(track.signal), size.width - RIGHT
    axes = place(new_axes(figure), LEFT, TOP, right, TOP + SIGNAL)
    for k, column in enumerate(zip(*track.signal, strict=True)):
        line(axes, range(steps), _scaled(column), colour_of(k), linewidth=1, alpha=_alpha(k))
    axes.set_ylim(-0.05, 1.05)
    axes.set_yticks([])
    top = TOP + SIGNAL + GAP
    every = [axes]
    for name, numbers in bands:
        axes = place(new_axes(figure), LEFT, top, right, top + BAND)
        _band(axes, numbers)
        axes.set_yticks([0.5], [name])
        every.append(axes)
        top += BAND + GAP
    if track.values:
        axes = place(new_axes(figure), LEFT, top, right, top + CURVE)
        if track.true_values:
            line(axes, range(steps), track.true_values, COLOURS["contrast"], linewidth=1.2)
        line(axes, range(steps), track.values, COLOURS["accent"], linewidth=1.2)
        if track.threshold is not None:
            axes.axhline(track.threshold, color=COLOURS["muted"], linewidth=1, linestyle="--")
        value_axis(axes, 3)
        every.append(axes)
    for axes in every:
        axes.set_xlim(-0.5, steps - 0.5)
    for axes in every[:-1]:
        axes.set_xticks([])
    every[-1].set_xlabel("step", labelpad=2)
    return figure


def _band(axes: Axes, numbers: Sequence[int]) -> None:
    """A stretch of colour for each segment; steps without a label stay empty."""
    start = 0
    for number, steps in groupby(numbers):
        count = len(list(steps))
        if number >= 0:
            axes.axvspan(start - 0.5, start + count - 0.5, color=colour_of(number), alpha=_alpha(number), linewidth=0)
        start += count
    axes.set_ylim(0, 1)


def _alpha(k: int) -> float:
    return float(max(0.35, 1.0 - 0.25 * (k // len(SERIES))))


def _scaled(column: Sequence[float | None]) -> list[float | None]:
    known = [value for value in column if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    spread = high - low if high > low else 1.0
    return [None if value is None else float(np.float64(value - low) / spread) for value in column]
