"""Points at even distances, however fast the pen went."""

import math
from dataclasses import replace

import numpy as np

from gatewise.data.ink.ink import Ink
from gatewise.errors import ConfigurationError, DataError

MOST_POINTS = 1_000_000  # of one ink: a page has some ten thousand


def resample(ink: Ink, spacing: float) -> Ink:
    """The same strokes with points at even distances along each, first and last points kept.

    A stroke of length l becomes `round(l / spacing)` equal steps, at least one; one without length becomes one point.
    Places and time stamps are interpolated linearly along the stroke.

    Args:
        ink: what the pen wrote.
        spacing: the distance wished between points, in units of x and y.

    Raises:
        ConfigurationError: the spacing is not positive.
        DataError: there would be more than a million points.

    >>> resample(Ink.from_strokes([[[0, 0], [3, 4]]]), 1).points[:3]
    array([[0. , 0. ],
           [0.6, 0.8],
           [1.2, 1.6]])
    """
    check_spacing(ink, spacing)
    return replace(ink, strokes=tuple(resample_stroke(stroke, spacing) for stroke in ink.strokes))


def check_spacing(ink: Ink, spacing: float) -> None:
    """Refuse a spacing that is not positive or makes too many points. Raises as `resample`."""
    if not (spacing > 0 and math.isfinite(spacing)):
        raise ConfigurationError(f"the spacing between points must be positive, got {spacing}")
    if ink.length / spacing > MOST_POINTS:
        raise DataError(
            f"ink of length {ink.length:g} at a spacing of {spacing:g} would have more than {MOST_POINTS:,} points: "
            "choose a larger spacing"
        )


def resample_stroke(stroke: np.ndarray, spacing: float) -> np.ndarray:
    """A stroke `[n, 2 + k]` as `[m, 2 + k]`, m points at even distances; the first two columns are x and y."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke[:, :2], axis=0).T))])
    if way[-1] == 0:
        return stroke[:1].copy()
    moved = np.concatenate([[True], np.diff(way) > 0])  # where the pen rests, its first point counts
    goal = np.linspace(0, way[-1], max(1, round(way[-1] / spacing)) + 1)
    found = np.stack([np.interp(goal, way[moved], column[moved]) for column in stroke.T], axis=1)
    found[-1] = stroke[-1]
    return found
