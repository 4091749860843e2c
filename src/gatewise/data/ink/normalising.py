"""Ink of one size: level, upright, its base line at 0 and the height of its small letters 1.

After Liwicki & Bunke (2005), "Handwriting recognition of whiteboard notes", section 3, as Graves et al. (2009) use it.
"""

import math

import numpy as np

from gatewise.data.ink.ink import Ink
from gatewise.data.ink.resampling import resample
from gatewise.data.slopes import median_slope

MOST_SKEW = 15.0  # degrees; strokes that come to more have no base line by which it could be told
MOST_SLANT = 45.0
STEP = 2.0  # degrees of a bin of the histogram of angles
UPRIGHT = 20.0  # degrees: the standard deviation of the weights that favour upright strokes
ROUNDS = 3
FEWEST = 3  # tops, and bottoms, below which no slope is told from them


def ink_slant(ink: Ink) -> float:
    """The angle of the long strokes to upright ones in degrees, positive where they lean to the right.

    The most frequent direction of the pen between -45 and 45 degrees: of a histogram in steps of 2 degrees, weighted by
    the length written and by a Gaussian about upright (standard deviation 20 degrees), so that long horizontal strokes
    do not count, and smoothed by 1/4, 1/2, 1/4. Ink without length in these directions has 0.
    """
    steps = np.concatenate([np.diff(stroke[:, :2], axis=0) for stroke in ink.strokes])
    lengths = np.hypot(*steps.T)
    moving = lengths > 0
    right, up = steps[moving, 0], -steps[moving, 1]
    angles = np.degrees(np.arctan2(np.where(up < 0, -right, right), np.abs(up)))
    edges = np.arange(-MOST_SLANT, MOST_SLANT + STEP / 2, STEP)  # 0 is the middle of a bin
    weights = lengths[moving] * np.exp(-0.5 * (angles / UPRIGHT) ** 2)
    histogram, _ = np.histogram(angles, edges, weights=weights)
    smooth = np.convolve(histogram, [0.25, 0.5, 0.25], mode="same")
    if not smooth.any():
        return 0.0
    middles = (edges[:-1] + edges[1:]) / 2
    best = np.flatnonzero(np.isclose(smooth, smooth.max(), rtol=1e-9))
    return float(middles[best[np.argmin(np.abs(middles[best]))]])


def base_lines(ink: Ink, *, level: bool = False) -> tuple[float, float, float]:
    """The slope of the writing, and where its base line and its corpus line cross x = 0.

    The corpus line is that of the tops of small letters. Bottoms are the places where a stroke turns upwards or ends
    below, tops where it turns downwards or ends above. Two lines of one slope go through them: first that of
    `median_slope`, each at the median height; then, three times, by least squares through what lies no further from its
    line than twice the median distance, so that descenders, ascenders and middles of letters do not count.

    Args:
        ink: what the pen wrote.
        level: take the slope as 0.

    Returns:
        slope, base, corpus: at x the lines are at y = base + slope x and y = corpus + slope x. With less than three
        bottoms or three tops, or where more than 15 degrees come out, the slope is 0; without any, base and corpus are
        the bottom and the top of the ink.
    """
    bottoms, tops = _turns(ink)
    if not len(bottoms):
        return 0.0, ink.bounds[3], ink.bounds[1]
    if len(bottoms) < FEWEST or len(tops) < FEWEST:
        level = True
    lines = _parallels(bottoms, tops, level)
    if abs(math.degrees(math.atan(lines[0]))) > MOST_SKEW:
        lines = _parallels(bottoms, tops, True)
    return lines


def normalise_ink(ink: Ink, *, level: bool = True, upright: bool = True) -> Ink:
    """The ink turned level, sheared upright and scaled: base line at y = 0, corpus line at -1, left end at x = 0.

    Where corpus and base line are one (less than a tenth of the ink's height apart), the whole ink becomes 1 high; a
    dash or a dot 1 wide, or stays as small as it is.

    Args:
        ink: what the pen wrote.
        level: turn it by the slope of `base_lines`.
        upright: shear it by `ink_slant`.

    Deviation: the papers also scale the width by an estimate of the number of letters, and a line part by part.
    """
    if level:
        slope = base_lines(_smooth(ink))[0]
        angle = math.atan(slope)
        ink = ink.moved([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    if upright:
        ink = ink.moved([[1, math.tan(math.radians(ink_slant(_smooth(ink))))], [0, 1]])
    _, base, corpus = base_lines(_smooth(ink), level=True)
    left, top, right, bottom = ink.bounds
    if base - corpus < 0.1 * (bottom - top):
        base, corpus = bottom, top
    size = (base - corpus) or (right - left) or 1.0
    return ink.moved([[1 / size, 0], [0, 1 / size]], [-left / size, -base / size])


def _smooth(ink: Ink) -> Ink:
    """The ink at a fiftieth of its height, so that neither slow parts nor the hand's tremor count more than others."""
    left, top, right, bottom = ink.bounds
    extent = max(bottom - top, (right - left) / 100)
    return resample(ink, max(extent / 50, ink.length / 100_000)) if extent > 0 else ink


def _turns(ink: Ink) -> tuple[np.ndarray, np.ndarray]:
    """Bottoms and tops, `[n, 2]` each."""
    bottoms, tops = [], []
    for stroke in ink.strokes:
        places = stroke[:, :2]
        moving = np.concatenate([[True], np.diff(places[:, 1]) != 0])
        places = places[moving]
        if len(places) < 2:
            continue
        falling = np.diff(places[:, 1]) > 0
        before = np.concatenate([[not falling[0]], falling])
        after = np.concatenate([falling, [not falling[-1]]])
        bottoms.append(places[before & ~after])
        tops.append(places[~before & after])
    if not bottoms:
        return np.empty((0, 2)), np.empty((0, 2))
    return np.concatenate(bottoms), np.concatenate(tops)


def _parallels(bottoms: np.ndarray, tops: np.ndarray, level: bool) -> tuple[float, float, float]:
    """Lines of one slope through bottoms and tops: first by medians, then by least squares through what is near."""
    slope = 0.0 if level else median_slope((bottoms[:, 0], bottoms[:, 1]), (tops[:, 0], tops[:, 1]))
    base, corpus = (float(np.median(part[:, 1] - slope * part[:, 0])) for part in (bottoms, tops))
    for _ in range(ROUNDS):
        bottoms, tops = _near(bottoms, slope, base), _near(tops, slope, corpus)
        if not level:
            # each set about its own middle, so that one slope is left
            x = np.concatenate([part[:, 0] - part[:, 0].mean() for part in (bottoms, tops)])
            y = np.concatenate([part[:, 1] - part[:, 1].mean() for part in (bottoms, tops)])
            slope = float(x @ y / (x @ x)) if x @ x > 0 else 0.0
        base, corpus = (float((part[:, 1] - slope * part[:, 0]).mean()) for part in (bottoms, tops))
    return slope, base, corpus


def _near(places: np.ndarray, slope: float, offset: float) -> np.ndarray:
    distances = np.abs(places[:, 1] - slope * places[:, 0] - offset)
    return places[distances <= 2 * np.median(distances) + 1e-12]
