"""Upright writing on level lines: skew and slant, measured and taken out.

Skew is the angle of the base line; slant is that of the letters' long strokes. Both in degrees.
"""

import math

import numpy as np

from gatewise.data.images.lines import WRITTEN, check_line
from gatewise.data.images.pillow import pillow
from gatewise.data.slopes import median_slope

MOST_SKEW = 15.0  # a few letters have no base line by which more could be told
MOST_SLANT = 45
ROUNDS = 5  # after which the columns that count hardly change any more


def skew_angle(line: np.ndarray) -> float:
    """The angle of the base line in degrees; positive where the writing climbs.

    The slope of the regression line through the lowest written pixel (ink of at least 0.25) of each column (Marti &
    Bunke 2001, section 3). Descenders and arches are no part of the base line, so the first line is that of
    `median_slope`, and five regressions follow, each without the columns that lie further from the line before than
    twice the median distance. A line without ink has 0, as has one for which more than 15 degrees come out, which is no
    base line.

    Raises:
        DataError: this is no line.

    >>> line = np.zeros((40, 100), np.float32)
    >>> for x in range(100):
    ...     line[30 - x // 10, x] = 1
    >>> round(skew_angle(line), 1)
    5.7
    """
    written = check_line(line) >= WRITTEN
    places = np.flatnonzero(written.any(axis=0))
    lowest = written.shape[0] - 1 - np.argmax(written[::-1, places], axis=0)
    if len(places) < 2:
        return 0.0
    slope = median_slope((places, lowest))
    offset = float(np.median(lowest - slope * places))
    for _ in range(ROUNDS):
        distances = np.abs(lowest - (slope * places + offset))
        kept = distances <= max(1.0, 2 * float(np.median(distances)))  # a row is what a contour of pixels is exact to
        if np.ptp(places[kept]) == 0:
            break
        slope, offset = np.polyfit(places[kept], lowest[kept], 1)
    angle = -math.degrees(math.atan(slope))
    return angle if abs(angle) <= MOST_SKEW else 0.0


def slant_angle(line: np.ndarray) -> float:
    """The angle between the letters' long strokes and upright ones in degrees; positive where they lean to the right.

    The method of Vinciarelli & Luettin (2001): of the whole angles from -45 to 45, the one whose shear makes the most
    of upright strokes, that is, the largest sum of squared heights over the columns in which all pixels from the
    highest written one to the lowest are written. Of equal ones the smallest angle counts.

    Raises:
        DataError: this is no line.
    """
    written = check_line(line) >= WRITTEN
    rows, places = np.nonzero(written)
    best, angle = -1, 0
    for candidate in sorted(range(-MOST_SLANT, MOST_SLANT + 1), key=abs):
        score = _upright_strokes(rows, places, written.shape[0], math.tan(math.radians(candidate)))
        if score > best:
            best, angle = score, candidate
    return float(angle)


def deskew(line: np.ndarray, angle: float | None = None) -> np.ndarray:
    """The line turned about its middle until its base line is level, float32 `[height, width]`; larger as needed.

    Args:
        line: 1 for ink, 0 for paper.
        angle: in degrees; None stands for `skew_angle`.

    Raises:
        DataError: this is no line.
        ConfigurationError: pillow, which resamples, is not installed.
    """
    line = check_line(line)
    angle = skew_angle(line) if angle is None else angle
    if angle == 0:
        return line
    images = pillow()
    turned = images.fromarray(np.ascontiguousarray(line)).rotate(-angle, images.Resampling.BILINEAR, expand=True)
    return np.clip(np.asarray(turned), 0, 1)


def deslant(line: np.ndarray, angle: float | None = None) -> np.ndarray:
    """The line sheared until its long strokes stand upright, float32 `[height, width]`; wider as needed.

    Args:
        line: 1 for ink, 0 for paper.
        angle: in degrees; None stands for `slant_angle`.

    Raises:
        DataError: this is no line.
        ConfigurationError: pillow, which resamples, is not installed.
    """
    line = check_line(line)
    angle = slant_angle(line) if angle is None else angle
    if angle == 0:
        return line
    height, width = line.shape
    shear = math.tan(math.radians(angle))
    # The bottom row stays where it is; a row above it moves left by its height times the shear, all of it right of 0.
    overhang = math.ceil(abs(shear) * (height - 1))
    moved = overhang if shear > 0 else 0
    images = pillow()
    upright = images.fromarray(np.ascontiguousarray(line)).transform(
        (width + overhang, height),
        images.Transform.AFFINE,
        # pillow reads the pixel for (x, y) from (x + b y + c, y), counted at the middles of pixels
        (1, -shear, shear * (height - 0.5) - moved, 0, 1, 0),
        images.Resampling.BILINEAR,
    )
    return np.clip(np.asarray(upright), 0, 1)


def _upright_strokes(rows: np.ndarray, places: np.ndarray, height: int, shear: float) -> int:
    moved = np.rint(places - shear * (height - 1 - rows)).astype(np.int64)
    if not len(moved):
        return 0
    moved -= moved.min()
    sheared = np.zeros((height, int(moved.max()) + 1), bool)
    sheared[rows, moved] = True
    counts = sheared.sum(axis=0)
    extents = height - np.argmax(sheared, axis=0) - np.argmax(sheared[::-1], axis=0)
    whole = (counts > 0) & (counts == extents)
    return int((counts[whole].astype(np.int64) ** 2).sum())
