"""Ink as a picture: SVG for pages, PNG for eyes, and lines for readers of images."""

import io
import math
import xml.sax.saxutils as escape
from pathlib import Path

import numpy as np

from gatewise.data.images.pillow import pillow
from gatewise.data.ink.ink import Ink
from gatewise.disk import write_file
from gatewise.errors import ConfigurationError

FINER = 4  # times as many pixels each way are drawn, then averaged, so that slanted strokes have soft edges
WIDEST = 100  # times as wide as high at most: a dash alone is not blown up until it fills the height
PEN = 1 / 16  # of the height


def ink_svg(ink: Ink, pen: float | None = None) -> str:
    """The strokes as an SVG document, black; its view fits them and the pen.

    Args:
        ink: what is drawn.
        pen: how wide the pen is, in units of x and y; None is a sixteenth of the ink's height.

    Raises:
        ConfigurationError: the pen's width is not positive and finite.
    """
    left, top, right, bottom = ink.bounds
    if pen is None:
        pen = PEN * max(bottom - top, (right - left) / WIDEST) or 1.0
    _check_pen(pen)
    view = " ".join(f"{value:.6g}" for value in (left - pen, top - pen, right - left + 2 * pen, bottom - top + 2 * pen))
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}">']
    if ink.text is not None:
        lines.append(f"  <title>{escape.escape(ink.text)}</title>")
    lines.append(
        f'  <g fill="none" stroke="black" stroke-width="{pen:.6g}" stroke-linecap="round" stroke-linejoin="round">'
    )
    for stroke in ink.strokes:
        (x, y), *others = stroke[:, :2].tolist()
        # A path of no length still shows the pen's round tip, where it goes to its own beginning.
        path = " ".join(f"{x:.6g} {y:.6g}" for x, y in others or [(x, y)])
        lines.append(f'    <path d="M{x:.6g} {y:.6g} L{path}"/>')
    return "\n".join([*lines, "  </g>", "</svg>", ""])


def ink_image(ink: Ink, height: int = 64, pen: float | None = None) -> np.ndarray:
    """The strokes as a line, float32 `[height, width]`: 1 for ink, 0 for paper, soft at the edges.

    The ink with the width of the pen and a pixel of paper around it fills the height; where that would make it wider
    than 100 times the height, it fills this width and stands in the middle of the height.

    Args:
        ink: what is drawn.
        height: pixels.
        pen: how wide the pen is, in pixels; None is a sixteenth of the height.

    Raises:
        ConfigurationError: the height is below 8, the pen not positive or wider than half the height, or pillow, which
            draws, not installed.

    >>> ink_image(Ink.from_strokes([[[0, 0], [10, 0]], [[5, -5], [5, 5]]]), 16).shape
    (16, 16)
    """
    if height < 8:
        raise ConfigurationError(f"the height of a drawing must be at least 8 pixels, got {height}")
    pen = PEN * height if pen is None else pen
    _check_pen(pen)
    if pen > height / 2:
        raise ConfigurationError(f"the pen must be at most half as wide as the height of {height} pixels, got {pen:g}")
    left, top, right, bottom = ink.bounds
    room = height - pen - 2
    extent = max(bottom - top, (right - left) / WIDEST)
    scale = room / extent if extent > 0 else 1.0
    width = math.ceil((right - left) * scale + pen + 2)
    above = 1 + pen / 2 + (room - (bottom - top) * scale) / 2

    canvas = pillow().new("L", (width * FINER, height * FINER))
    draw = pillow("ImageDraw").Draw(canvas)
    reach = max(0.0, pen * FINER / 2 - 0.5)  # from the middle to the middle of the outermost pixel
    for stroke in ink.strokes:
        places = (stroke[:, :2] - (left, top)) * scale + (1 + pen / 2, above)
        # pillow's whole numbers are the middles of pixels
        points = [(x, y) for x, y in (places * FINER - 0.5).tolist()]
        if len(points) > 1:
            draw.line(points, fill=255, width=max(1, round(pen * FINER)), joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)
    fine = np.asarray(canvas, np.float32).reshape(height, FINER, width, FINER)
    return fine.mean(axis=(1, 3)) / np.float32(255)


def write_svg(ink: Ink, path: str | Path, pen: float | None = None) -> None:
    """Write `ink_svg` to a file, whole or not at all. Raises what it raises, and `OSError`."""
    write_file(Path(path), ink_svg(ink, pen).encode())


def write_png(ink: Ink, path: str | Path, height: int = 64, pen: float | None = None) -> None:
    """Write `ink_image` to a file, black on white, whole or not at all. Raises what it raises, and `OSError`."""
    levels = 255 - np.rint(ink_image(ink, height, pen) * 255).astype(np.uint8)
    content = io.BytesIO()
    pillow().fromarray(levels).save(content, "PNG")
    write_file(Path(path), content.getvalue())


def _check_pen(pen: float) -> None:
    if not (pen > 0 and math.isfinite(pen)):
        raise ConfigurationError(f"the pen's width must be positive, got {pen}")
