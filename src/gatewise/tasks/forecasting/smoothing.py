"""Smoothed seasons: where a forecast starts, as in exponential smoothing of several seasons (Taylor 2003).

A season's course is smoothed over its cycles: at each row a share of what is new, the rest of what stood there one
cycle before. What a value deviates from the course one cycle before is smoothed by the next, shorter season, and so on;
what is left at the end fades from the newest row on. Deviations from Taylor's method: seasons are smoothed one after
the other, the longest first, instead of by one common error, and the level is what the shortest season carries.

Legend: T rows of one series.
"""

import numpy as np


def smooth(
    values: np.ndarray, m: int, share: float, *, course: np.ndarray | None = None, deviation: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The smoothed course of a season of `m` rows over `values` float32 `[T]`, and the deviations from the course one
    cycle before `[T]`; 0 in the first cycle, of which nothing was known. With share 1 the course is the values.

    They are written to `course` and `deviation` where these are given; with a share below 1 the deviations may take the
    place of the values.

    >>> course, deviation = smooth(np.array([1.0, 2.0, 3.0, 2.0], np.float32), 2, 0.5)
    >>> course.tolist(), deviation.tolist()
    ([1.0, 2.0, 2.0, 2.0], [0.0, 0.0, 2.0, 0.0])
    """
    deviation = np.empty_like(values) if deviation is None else deviation
    if share == 1.0:
        deviation[:m] = 0.0
        np.subtract(values[m:], values[:-m], out=deviation[m:])
        return values, deviation
    course = np.empty_like(values) if course is None else course
    state = values[:m].copy()
    course[:m], deviation[:m] = state, 0.0
    for low in range(m, len(values), m):
        new, apart = values[low : low + m], deviation[low : low + m]
        np.subtract(new, state[: len(new)], out=apart)
        state[: len(new)] += np.float32(share) * apart
        course[low : low + m] = state[: len(new)]
    return course, deviation


def damping(cycles: float, m: int) -> float:
    """What a deviation keeps from step to step so that it fades to a third in so many cycles of `m` steps."""
    return float(np.exp(-1.0 / (cycles * m))) if cycles else 0.0
