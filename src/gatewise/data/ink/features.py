"""Ink as a sequence: what a network is given of each point."""

import numpy as np

from gatewise.data.ink.ink import Ink
from gatewise.data.ink.normalising import normalise_ink
from gatewise.data.ink.resampling import check_spacing, resample_stroke

INK_FEATURES = (
    "pen_lift",
    "hat",
    "speed",
    "x",
    "y",
    "direction_cos",
    "direction_sin",
    "curvature_cos",
    "curvature_sin",
    "aspect",
    "slope_cos",
    "slope_sin",
    "curliness",
    "linearity",
    "ascenders",
    "descenders",
    *(f"map_{row}_{column}" for row in ("above", "beside", "below") for column in ("left", "middle", "right")),
)

# Lengths in heights of small letters.
MOVING = 2.0  # to either side, along the strokes: over this the mean of x is taken
VICINITY = 3  # points to either side
BEYOND = 0.1  # what lies further above the corpus line or below the base line is an ascender or a descender
WITHIN = 0.5  # to either side: where ascenders and descenders count
CELL = 0.5  # a side of a cell of the map
CHUNK = 64  # points whose map is made at a time


def ink_offsets(ink: Ink) -> np.ndarray:
    """Pen movements, float32 `[T, 3]` for T points: how far x and y moved since the point before, and pen_lift.

    pen_lift is 1 at the last point of each stroke, after which the pen was lifted, else 0; the first point has moved by
    0. The raw input of Graves et al. (2008) and Graves (2013), less time; scale and spacing are those of the ink, so
    that `normalise_ink` and `resample` should come before.

    >>> ink_offsets(Ink.from_strokes([[[0, 0], [1, 2]], [[5, 5]]]))
    array([[0., 0., 0.],
           [1., 2., 1.],
           [4., 3., 1.]], dtype=float32)
    """
    places = ink.points[:, :2]
    moves = np.diff(places, axis=0, prepend=places[:1])
    lifts = np.zeros((len(places), 1))
    lifts[ink.ends] = 1
    return np.concatenate([moves, lifts], axis=1).astype(np.float32)


def ink_features(ink: Ink, *, spacing: float = 0.1, normalise: bool = True) -> np.ndarray:
    """The 25 features of each point, float32 `[T, 25]`, in the order of `INK_FEATURES`.

    They are those of Graves et al. (2009, section III-A; Liwicki & Bunke 2006 describe them at more length). Points are
    those of `resample`; lengths are in heights of small letters, angles are counted with y upwards, and the vicinity of
    a point are the three points before and after it in its stroke, where they exist.

    - pen_lift: 1 at the last point of a stroke, else 0.
    - hat: 1 where a delayed stroke (the dot of an i, the bar of a t) stands above, and in it; see `delayed_strokes`.
    - speed: of the pen before resampling, a second; 0 without time stamps, and where the clock did not go forward.
    - x: less its mean over the points within 2 along the strokes to either side (a high-pass filter).
    - y: above the base line.
    - direction_cos, direction_sin: of the segment that begins at the point; at the end of a stroke, of the one before.
    - curvature_cos, curvature_sin: of the turn from the segment before to the one after, positive to the left; 1 and 0
      at the ends of strokes.
    - aspect: (height - width) / (height + width) of the vicinity.
    - slope_cos, slope_sin: of the straight line from the vicinity's first point to its last.
    - curliness: the length of the vicinity's strokes over the larger of its height and width.
    - linearity: the mean squared distance of the vicinity's points to that straight line.
    - ascenders, descenders: how much is written within 0.5 to the left and right, more than 0.1 above the corpus line,
      or below the base line.
    - map_above_left, ... map_below_right: how much is written in each of 3 x 3 square cells of 0.5 around the point.

    Where a direction, slope or ratio has no length to be told from, its numbers are 0.

    Deviations: delayed strokes are marked and not removed; ascenders, descenders and the map count length (points times
    spacing) instead of points, so that they do not depend on the spacing; sizes that the papers leave open are those
    above.

    Args:
        ink: what the pen wrote.
        spacing: between points, in heights of small letters.
        normalise: first bring the ink to one size by `normalise_ink`; False for ink that has it already.

    Raises:
        ConfigurationError: the spacing is not positive.
        DataError: there would be more than a million points.
    """
    if normalise:
        ink = normalise_ink(ink)
    check_spacing(ink, spacing)
    strokes = [resample_stroke(_with_speed(stroke), spacing) for stroke in ink.strokes]
    table = np.concatenate(strokes)
    x, y, speed = table[:, 0], -table[:, 1], table[:, 2]
    lengths = [len(stroke) for stroke in strokes]
    lifts = np.zeros(len(table))
    lifts[np.cumsum(lengths) - 1] = 1
    delayed = delayed_strokes(Ink(tuple(stroke[:, :2] for stroke in strokes)))
    local = np.concatenate([_local_features(stroke[:, 0], -stroke[:, 1]) for stroke in strokes])
    own = np.stack([lifts, _hats(x, np.repeat(delayed, lengths), lengths), speed, _less_mean(x, spacing), y], axis=1)
    return np.concatenate([own, local, _surroundings(x, y, spacing)], axis=1).astype(np.float32)


def delayed_strokes(ink: Ink) -> np.ndarray:
    """Which strokes were added above what had been written before: bool, one for each stroke.

    A stroke is delayed when its middle lies left of the right end of the strokes before it, and all of it above all of
    their points that lie within its own width (at least one does).
    """
    delayed = np.zeros(len(ink.strokes), bool)
    for number in range(1, len(ink.strokes)):
        before = np.concatenate([stroke[:, :2] for stroke in ink.strokes[:number]])
        x, y = ink.strokes[number][:, 0], ink.strokes[number][:, 1]
        under = before[(before[:, 0] >= x.min()) & (before[:, 0] <= x.max())]
        back = (x.min() + x.max()) / 2 < before[:, 0].max()
        delayed[number] = back and len(under) > 0 and y.max() < under[:, 1].min()
    return delayed


def _with_speed(stroke: np.ndarray) -> np.ndarray:
    """x, y and speed `[n, 3]`: over the points before and after, or the one of them that there is."""
    speed = np.zeros(len(stroke))
    if stroke.shape[1] == 3 and len(stroke) > 1:
        way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke[:, :2], axis=0).T))])
        before = np.maximum(np.arange(len(stroke)) - 1, 0)
        after = np.minimum(np.arange(len(stroke)) + 1, len(stroke) - 1)
        seconds = stroke[after, 2] - stroke[before, 2]
        speed = np.where(seconds > 0, (way[after] - way[before]) / np.where(seconds > 0, seconds, 1), 0)
    return np.column_stack([stroke[:, :2], speed])


def _local_features(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Direction, curvature, aspect, slope, curliness, linearity `[n, 9]` of a stroke; y upwards."""
    count = len(x)
    places = np.stack([x, y], axis=1)
    steps = np.diff(places, axis=0)
    lengths = np.hypot(*steps.T)
    direction = _unit(np.concatenate([steps, steps[-1:]])) if count > 1 else np.zeros((1, 2))
    curvature = np.tile([1.0, 0.0], (count, 1))
    if count > 2:
        one, two = direction[:-2], direction[1:-1]
        curvature[1:-1, 0] = (one * two).sum(axis=1)
        curvature[1:-1, 1] = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]

    first = np.maximum(np.arange(count) - VICINITY, 0)
    last = np.minimum(np.arange(count) + VICINITY, count - 1)
    offsets = np.arange(-VICINITY, VICINITY + 1)
    around = np.clip(np.arange(count)[:, None] + offsets, first[:, None], last[:, None])
    real = (np.arange(count)[:, None] + offsets == around).astype(np.float64)  # others repeat an end
    vicinity = places[around]
    extent = vicinity.max(axis=1) - vicinity.min(axis=1)
    total, larger = extent.sum(axis=1), extent.max(axis=1)
    aspect = np.where(total > 0, (extent[:, 1] - extent[:, 0]) / np.where(total > 0, total, 1), 0)
    way = np.concatenate([[0.0], np.cumsum(lengths)])
    curliness = np.where(larger > 0, (way[last] - way[first]) / np.where(larger > 0, larger, 1), 0)
    slope = _unit(places[last] - places[first])
    away = vicinity - places[first][:, None]
    along = (away * slope[:, None]).sum(axis=2)
    squared = (away**2).sum(axis=2) - along**2  # where the straight line has no length, the distance to its one point
    linearity = (np.maximum(squared, 0) * real).sum(axis=1) / real.sum(axis=1)
    return np.column_stack([direction, curvature, aspect, slope, curliness, linearity])


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.hypot(*vectors.T)[:, None]
    return np.where(lengths > 0, vectors / np.where(lengths > 0, lengths, 1), 0)


def _hats(x: np.ndarray, delayed: np.ndarray, lengths: list[int]) -> np.ndarray:
    hats = delayed.copy()
    start = 0
    for length in lengths:
        if delayed[start]:
            own = x[start : start + length]
            hats[:start] |= (x[:start] >= own.min()) & (x[:start] <= own.max())
        start += length
    return hats.astype(np.float64)


def _less_mean(x: np.ndarray, spacing: float) -> np.ndarray:
    """x less the mean of the points around it, as many as `MOVING` is long; fewer near the ends."""
    reach = max(1, round(MOVING / spacing))
    first = np.maximum(np.arange(len(x)) - reach, 0)
    stop = np.minimum(np.arange(len(x)) + reach + 1, len(x))
    sums = np.concatenate([[0.0], np.cumsum(x)])
    return x - (sums[stop] - sums[first]) / (stop - first)


def _surroundings(x: np.ndarray, y: np.ndarray, spacing: float) -> np.ndarray:
    """Ascenders, descenders and the map `[T, 11]`, in lengths written."""
    order = np.argsort(x, kind="stable")  # so that what is near a chunk of points lies side by side
    x, y = x[order], y[order]
    above, below = y > 1 + BEYOND, y < -BEYOND
    found = np.empty((len(x), 11))
    for start in range(0, len(x), CHUNK):
        part = slice(start, min(start + CHUNK, len(x)))
        first = np.searchsorted(x, x[part.start] - 1.5 * CELL)
        stop = np.searchsorted(x, x[part.stop - 1] + 1.5 * CELL, side="right")
        near = slice(first, stop)
        right, up = x[near] - x[part, None], y[near] - y[part, None]
        beside = np.abs(right) <= WITHIN
        found[order[part], 0] = (beside & above[near]).sum(axis=1)
        found[order[part], 1] = (beside & below[near]).sum(axis=1)
        columns = np.floor(right / CELL + 1.5).astype(np.int64)
        rows = np.floor(1.5 - up / CELL).astype(np.int64)
        inside = (columns >= 0) & (columns < 3) & (rows >= 0) & (rows < 3)
        of, other = np.nonzero(inside)
        cells = of * 9 + rows[of, other] * 3 + columns[of, other]
        found[order[part], 2:] = np.bincount(cells, minlength=9 * len(right)).reshape(-1, 9)
    return found * spacing
