"""A look into the cell: heat maps of gates and cell state over time, under the input they answer to."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gatewise.reports.canvas import COLOURS, SERIES, Size, line, new_axes, new_figure, place, value_axis
from gatewise.reports.content import GATES, CellTrace, Values
from gatewise.reports.timeline import labels

# White to deep blue, and white to deep orange (told apart by colour-blind readers), at even steps of strength; in the
# dark the style sheet turns lightness over and keeps the hue, so that 0 stays near the page's colour.
BLUE = ((255, 255, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107))
ORANGE = ((255, 255, 255), (253, 219, 172), (241, 163, 64), (199, 101, 10), (109, 48, 4))
MISSING = (128, 128, 128)
GAP, TOP, BOTTOM, LEFT = 28, 24, 38, 46


def state_limit(trace: CellTrace) -> float:
    """Where the diverging scale of the cell state ends, on both sides of 0."""
    return max((abs(value) for row in trace.gates["c"] for value in row if value is not None), default=0.0) or 1.0


def inputs_as_lines(trace: CellTrace) -> bool:
    """Whether the input is drawn as lines; with many channels it's a heat map."""
    return len(trace.input_names) <= len(SERIES)


def paint(trace: CellTrace, size: Size) -> Figure:
    """Draws a trace."""
    steps, units = len(trace.inputs), len(trace.units)
    map_height = float(np.clip(8 * units, 48, 168))
    heights = [92.0, *(map_height for _ in trace.gates)]
    figure = new_figure(size.width, TOP + sum(heights) + GAP * len(trace.gates) + BOTTOM)
    top = TOP
    for k, (name, height) in enumerate(zip(("input", *trace.gates), heights, strict=True)):
        axes = place(new_axes(figure), LEFT, top, size.width - 10, top + height)
        if name == "input":
            _input(axes, trace)
        else:
            heat_map(axes, colours(_array(trace.gates[name])) if name != "c" else _state_colours(trace))
            _unit_ticks(axes, trace.units, height)
        title = "input" if name == "input" else f"{GATES[name]} {name}"
        axes.text(0, 1 + 7 / height, title, transform=axes.transAxes, color=COLOURS["ink"], fontsize=12)
        axes.set_xlim(-0.5, steps - 0.5)
        _step_ticks(axes, trace, size, labelled=k == len(heights) - 1)
        top += height + GAP
    return figure


def _input(axes: Axes, trace: CellTrace) -> None:
    columns: list[Values] = list(zip(*trace.inputs, strict=True))
    if not inputs_as_lines(trace):
        heat_map(axes, _standardised_colours(trace.inputs))
        _unit_ticks(axes, tuple(range(len(columns))), 92)
        return
    for colour, column in zip(SERIES, columns, strict=False):
        line(axes, range(len(column)), column, colour, linewidth=1.6)
    axes.margins(y=0.08)
    value_axis(axes, 3)


def heat_map(axes: Axes, colours: NDArray[np.uint8]) -> None:
    """An image [units, T, 3]; `none` keeps one pixel a value and leaves the scaling to the browser."""
    axes.imshow(colours, aspect="auto", interpolation="none", origin="upper")
    for spine in axes.spines.values():
        spine.set_visible(True)


def _state_colours(trace: CellTrace) -> NDArray[np.uint8]:
    return colours(_array(trace.gates["c"]) / state_limit(trace))


def _standardised_colours(rows: tuple[Values, ...]) -> NDArray[np.uint8]:
    """Each channel about its own mean, full colour at two standard deviations."""
    values = _array(rows)
    known = np.where(np.isnan(values), 0.0, values)
    count = np.maximum((~np.isnan(values)).sum(axis=1, keepdims=True), 1)
    mean = known.sum(axis=1, keepdims=True) / count
    centred = values - mean
    deviation = np.sqrt(np.where(np.isnan(centred), 0.0, centred**2).sum(axis=1, keepdims=True) / count)
    return colours(centred / np.where(deviation > 0, 2 * deviation, 1.0))


def colours(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values [units, T] on the scale from -1 over 0 to 1 as pixels [units, T, 3]; gates use its upper half."""
    strength = np.clip(np.nan_to_num(np.abs(values), nan=0.0), 0, 1)
    scales = [_scale(strength, stops) for stops in (BLUE, ORANGE)]
    pixels = np.where((values < 0)[..., None], scales[1], scales[0])
    pixels[np.isnan(values)] = MISSING
    return np.rint(pixels).astype(np.uint8)


def _scale(strength: NDArray[np.float64], stops: tuple[tuple[int, int, int], ...]) -> NDArray[np.float64]:
    places = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(strength, places, [stop[k] for stop in stops]) for k in range(3)], axis=-1)


def gradient(*scales: tuple[tuple[int, int, int], ...]) -> str:
    """Stops of a CSS gradient along the given scales, one after the other."""
    return ", ".join(f"rgb({r} {g} {b})" for scale in scales for r, g, b in scale)


def _array(rows: tuple[Values, ...]) -> NDArray[np.float64]:
    """[T, units] with None to [units, T] with NaN."""
    return np.array(rows, dtype=np.float64).T


def _unit_ticks(axes: Axes, units: tuple[int, ...], height: float) -> None:
    every = max(1, int(np.ceil(13 * len(units) / height)))
    rows = range(0, len(units), every)
    axes.set_yticks(list(rows), [str(units[row]) for row in rows], fontsize=10)


def _step_ticks(axes: Axes, trace: CellTrace, size: Size, labelled: bool) -> None:
    steps = len(trace.inputs)
    names = labels(trace.times) if trace.times else [str(step) for step in range(steps)]
    room = (size.width - LEFT) / (7.5 * max(map(len, names)) + 14)
    every = max(1, int(np.ceil(steps / max(room, 1))))
    for nice in (1, 2, 5, 10, 12, 20, 24, 48, 50, 96, 100, 168, 200, 500, 1000):
        if nice >= every:
            every = nice
            break
    shown = range(0, steps, every)
    axes.set_xticks(list(shown), [names[step] for step in shown] if labelled else [""] * len(shown))
    drawn = size.width - 10 - LEFT
    for step, label in zip(shown, axes.get_xticklabels(), strict=True):
        # A long label at an end turns inward rather than leave the figure.
        centre, half = LEFT + drawn * (step + 0.5) / steps, 3.75 * len(names[step])
        label.set_horizontalalignment("left" if centre < half else "right" if centre + half > size.width else "center")
    if labelled and not trace.times:
        axes.set_xlabel("time step", labelpad=2)
