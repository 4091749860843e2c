"""A recording over time, and under it how likely its symbols were."""

import numpy as np
from matplotlib.figure import Figure

from gatewise.reports.canvas import COLOURS, SERIES, Size, line, new_axes, new_figure, place, value_axis
from gatewise.reports.cell_plot import colours, heat_map
from gatewise.reports.reading import Reading

LEFT, RIGHT, TOP, BOTTOM, GAP, CURVES = 34, 10, 6, 38, 8, 110


def colour_of(k: int) -> str:
    """The stand-in colour of curve `k`."""
    return SERIES[k % len(SERIES)]


def place_of(reading: Reading, frame: float, size: Size) -> float:
    """Where a frame begins, as a share of the figure's width."""
    drawn = size.width - LEFT - RIGHT
    return (LEFT + drawn * frame / len(reading.picture)) / size.width


def paint(reading: Reading, size: Size) -> Figure:
    """Draws a reading."""
    pixels = np.array(reading.picture, np.float64).T
    steps = len(reading.picture)
    drawn = size.width - LEFT - RIGHT
    # As wide as it is, an image keeps its proportions; what is flat or steep becomes neither a line nor a page.
    height = float(np.clip(drawn * len(pixels) / steps, 56, 120))
    figure = new_figure(size.width, TOP + height + GAP + CURVES + BOTTOM)
    picture = place(new_axes(figure), LEFT, TOP, size.width - RIGHT, TOP + height)
    heat_map(picture, colours(pixels[::-1] if reading.upright else pixels))
    picture.set_xlim(-0.5, steps - 0.5)
    picture.set_xticks([])
    picture.set_yticks([])
    axes = place(new_axes(figure), LEFT, TOP + height + GAP, size.width - RIGHT, TOP + height + GAP + CURVES)
    # In the middle of the frames that each step is of.
    x = [reading.stride * step + (reading.stride - 1) / 2 for step in range(len(reading.posteriors))]
    columns = list(zip(*reading.posteriors, strict=True))
    line(axes, x, columns[0], COLOURS["muted"], linewidth=1, alpha=0.6)
    for k, column in enumerate(columns[1:]):
        line(axes, x, column, colour_of(k), linewidth=1.6)
    axes.set_ylim(-0.02, 1.05)
    value_axis(axes, 2)
    axes.set_xlim(-0.5, steps - 0.5)
    if reading.seconds:
        every = _nice(steps * reading.seconds / (4 if size.narrow else 10))
        ticks = np.arange(0, steps * reading.seconds, every)
        axes.set_xticks(list(ticks / reading.seconds - 0.5), [f"{tick:g}" for tick in ticks])
        axes.set_xlabel("seconds", labelpad=2)
    else:
        axes.set_xlabel("frame", labelpad=2)
    return figure


def _nice(value: float) -> float:
    """The number of 1, 2 or 5 times a power of ten from which on ticks have room."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value))
