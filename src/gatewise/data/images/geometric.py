"""Nine numbers for each column of a line, by which it was read before networks took pixels."""

import numpy as np

from gatewise.data.images.lines import WRITTEN, check_line

GEOMETRIC_FEATURES = (
    "weight",
    "centre",
    "spread",
    "upper",
    "lower",
    "upper_slope",
    "lower_slope",
    "transitions",
    "density",
)


def geometric_features(line: np.ndarray) -> np.ndarray:
    """The nine geometric features of each column: float32 `[T, 9]`, T = width.

    They are those of Marti & Bunke (2001, section 4) as Graves et al. (2009, section III-B) use them, in the order of
    `GEOMETRIC_FEATURES`. Written are pixels of at least 0.25 ink; places in a column go from 0, the top row, to 1, the
    bottom row, so that the numbers do not depend on the height.

    - weight: the mean ink of the column's pixels.
    - centre: the centre of gravity of its ink, a place.
    - spread: the second moment of its ink about this centre, in squared places.
    - upper, lower: the places of the uppermost and the lowermost written pixel.
    - upper_slope, lower_slope: how they change, in rows a column; half the difference of both neighbouring columns, or
      the difference to the one of them that is written; 0 where none is.
    - transitions: how often ink turns into paper between uppermost and lowermost, going down.
    - density: the part of the pixels from uppermost to lowermost that is written.

    Deviations: Marti & Bunke divide both moments by powers of the height instead of by the ink, and take the second one
    about the top; Graves et al. name them without formulas. A column without written pixels has 0.5 for both contours
    and 0 for slopes, transitions and density; without any ink it has centre 0.5 and spread 0. Neither paper says.

    Raises:
        DataError: this is no line.

    >>> line = np.zeros((5, 4), np.float32)
    >>> line[[1, 3], 2] = 1
    >>> geometric_features(line)[2].round(3)
    array([0.4  , 0.5  , 0.062, 0.25 , 0.75 , 0.   , 0.   , 1.   , 0.667], dtype=float32)
    """
    line = check_line(line).astype(np.float64)
    height = line.shape[0]
    places = np.arange(height)[:, None] / (height - 1)
    ink = line.sum(axis=0)
    inked = ink > 0
    amount = np.where(inked, ink, 1)
    centre = np.where(inked, (places * line).sum(axis=0) / amount, 0.5)
    spread = ((places - centre) ** 2 * line).sum(axis=0) / amount

    written = line >= WRITTEN
    count = written.sum(axis=0)
    some = count > 0
    upper = np.argmax(written, axis=0)
    lower = height - 1 - np.argmax(written[::-1], axis=0)
    transitions = (written[:-1] & ~written[1:]).sum(axis=0) - written[:-1].any(axis=0) * ~written[-1]
    features = (
        ink / height,
        centre,
        spread,
        np.where(some, upper / (height - 1), 0.5),
        np.where(some, lower / (height - 1), 0.5),
        _slopes(upper, some),
        _slopes(lower, some),
        transitions,
        np.where(some, count / (lower - upper + 1), 0),
    )
    return np.stack(features, axis=1).astype(np.float32)


def _slopes(rows: np.ndarray, some: np.ndarray) -> np.ndarray:
    """The mean of the differences to the neighbours that are written, of columns `[T]` that are written themselves."""
    differences = np.diff(rows)
    both = some[:-1] & some[1:]
    total, count = np.zeros(len(rows)), np.zeros(len(rows))
    for part in (slice(None, -1), slice(1, None)):  # to the one after, from the one before
        total[part] += np.where(both, differences, 0)
        count[part] += both
    return total / np.maximum(count, 1)
