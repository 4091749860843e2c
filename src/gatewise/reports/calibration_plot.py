"""A reliability diagram: how often texts were right beside how sure the model was of them."""

from matplotlib.figure import Figure

from gatewise.reports.calibration import CalibrationBins
from gatewise.reports.canvas import COLOURS, Size, new_axes, new_figure, place, value_axis

HEIGHT = 280
SMALLEST, LARGEST = 5.0, 15.0  # diameters of dots


def paint(bins: CalibrationBins, size: Size) -> Figure:
    """Draws a dot for each bin, its area by how many texts it has, and its distance from where it would be right."""
    figure = new_figure(size.width, HEIGHT)
    axes = new_axes(figure)
    axes.plot([0, 1], [0, 1], color=COLOURS["muted"], linewidth=1, linestyle=(0, (4, 3)))
    most = max(bins.count)
    for x, y, count in zip(bins.confidence, bins.accuracy, bins.count, strict=True):
        assert x is not None
        assert y is not None
        axes.plot([x, x], [x, y], color=COLOURS["contrast"], linewidth=1.6)
        across = max(SMALLEST, LARGEST * (count / most) ** 0.5)
        axes.plot([x], [y], "o", color=COLOURS["accent"], markersize=across, markeredgecolor=COLOURS["surface"])
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.04)
    width = value_axis(axes)
    axes.set_xlabel("confidence", labelpad=2)
    place(axes, 10 + width, 8, size.width - 8, HEIGHT - 40)
    return figure
