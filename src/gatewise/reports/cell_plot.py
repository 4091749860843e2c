"""A look into the cell: heat maps of gates and cell state over time, under the input they answer to."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gatewise.reports.canvas import COLOURS, SERIES, Size, line, new_axes, new_figure, place, value_axis
from gatewise.reports.content import GATES, CellTrace, Values
from gatewise.reports.timeline import labels

POSITIVE, NEGATIVE = (31, 119, 190), (214, 106, 20)  # blue and orange, told apart by colour-blind readers
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
            _map(axes, _gate_colours(trace.gates[name]) if name != "c" else _state_colours(trace))
            _unit_ticks(axes, trace.units, height)
        title = "input" if name == "input" else f"{name}  {GATES[name]}"
        axes.text(0, 1 + 7 / height, title, transform=axes.transAxes, color=COLOURS["ink"], fontsize=12)
        axes.set_xlim(-0.5, steps - 0.5)
        _step_ticks(axes, trace, size, labelled=k == len(heights) - 1)
        top += height + GAP
    return figure


def _input(axes: Axes, trace: CellTrace) -> None:
    columns: list[Values] = list(zip(*trace.inputs, strict=True))
    if not inputs_as_lines(trace):
        _map(axes, _standardised_colours(trace.inputs))
        _unit_ticks(axes, tuple(range(len(columns))), 92)
        return
    for colour, column in zip(SERIES, columns, strict=False):
        line(axes, range(len(column)), column, colour, linewidth=1.6)
    axes.margins(y=0.08)
    value_axis(axes, 3)


def _map(axes: Axes, colours: NDArray[np.uint8]) -> None:
    """An image [units, T, 4]; `none` keeps one pixel a value and leaves the scaling to the browser."""
    axes.imshow(colours, aspect="auto", interpolation="none", origin="upper")
    for spine in axes.spines.values():
        spine.set_visible(True)


def _gate_colours(rows: tuple[Values, ...]) -> NDArray[np.uint8]:
    """Nothing at 0, full colour at 1: the page shines through, so the scale is right in light and in dark."""
    values = _array(rows)
    return _coloured(np.broadcast_to(POSITIVE, (*values.shape, 3)), values)


def _state_colours(trace: CellTrace) -> NDArray[np.uint8]:
    return _diverging(_array(trace.gates["c"]) / state_limit(trace))


def _standardised_colours(rows: tuple[Values, ...]) -> NDArray[np.uint8]:
    """Each channel about its own mean, full colour at two standard deviations."""
    values = _array(rows)
    known = np.where(np.isnan(values), 0.0, values)
    count = np.maximum((~np.isnan(values)).sum(axis=1, keepdims=True), 1)
    mean = known.sum(axis=1, keepdims=True) / count
    centred = values - mean
    deviation = np.sqrt(np.where(np.isnan(centred), 0.0, centred**2).sum(axis=1, keepdims=True) / count)
    return _diverging(centred / np.where(deviation > 0, 2 * deviation, 1.0))


def _diverging(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return _coloured(np.where((values < 0)[..., None], NEGATIVE, POSITIVE), np.abs(values))


def _coloured(colours: NDArray[np.integer], strength: NDArray[np.float64]) -> NDArray[np.uint8]:
    """[units, T, 4] pixels; missing values are fully transparent."""
    alpha = np.clip(np.nan_to_num(strength, nan=0.0), 0, 1)
    return np.concatenate([colours, np.rint(255 * alpha)[..., None]], axis=-1).astype(np.uint8)


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
    if labelled and not trace.times:
        axes.set_xlabel("time step", labelpad=2)
