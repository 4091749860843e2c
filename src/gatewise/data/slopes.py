"""The slope of points of which many do not lie on the line."""

import numpy as np

MOST_POINTS = 400  # of which every pair counts


def median_slope(*groups: tuple[np.ndarray, np.ndarray]) -> float:
    """The slope that groups of points have in common, each along a line of its own: the Theil-Sen estimate.

    It is the median of the slopes of all pairs of points of one group (Sen 1968), so that up to 29 % of the points may
    lie anywhere. Of more than 400 points of a group, 400 at even distances in their order count. Without two points of
    different x in a group it is 0.

    Args:
        groups: x and y `[n]` of the points of each line.

    >>> x = np.arange(5.0)
    >>> median_slope((x, 2 * x), (x, np.array([7, 9, 11, 13, -99])))
    2.0
    """
    slopes = []
    for x, y in groups:
        if len(x) > MOST_POINTS:
            kept = np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(np.int64)
            x, y = x[kept], y[kept]
        one, two = np.triu_indices(len(x), 1)
        run = x[two] - x[one]
        apart = run != 0
        slopes.append((y[two] - y[one])[apart] / run[apart])
    every = np.concatenate(slopes)
    return float(np.median(every)) if len(every) else 0.0
