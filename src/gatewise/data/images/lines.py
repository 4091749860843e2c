"""Lines of one height, and their columns over time."""

import math

import numpy as np

from gatewise.data.images.pillow import pillow
from gatewise.data.images.reading import FEWEST_PIXELS, check_size
from gatewise.errors import ConfigurationError, DataError

# A pixel of at least this much ink belongs to the writing; less is the soft edge of a stroke, or dirt.
WRITTEN = 0.25
# Cropping keeps at least this part of the height, so that a line of dashes does not become a line of bars.
KEPT_HEIGHT = 0.25
# Below this difference from the paper there is no ink to be made black.
FAINTEST = 0.1
MOST_COLUMNS = 32_768


def check_line(line: np.ndarray) -> np.ndarray:
    """A line as float32 `[height, width]`.

    Raises:
        DataError: it is not two-dimensional, of an impossible size, not floating point, or not from 0 to 1.
    """
    if not isinstance(line, np.ndarray) or line.ndim != 2 or not np.issubdtype(line.dtype, np.floating):
        found = f"{line.dtype} {list(line.shape)}" if isinstance(line, np.ndarray) else type(line).__name__
        raise DataError(
            f"expected a line as floating point [height, width], 1 for ink and 0 for paper, got {found}; "
            "read_line makes one of a file or an array"
        )
    check_size(line.shape[0], line.shape[1], "the line")
    if not (line.min() >= 0 and line.max() <= 1):  # false for NaN too
        raise DataError(f"expected a line of numbers from 0 (paper) to 1 (ink), got {line.min():g} to {line.max():g}")
    return line.astype(np.float32, copy=False)


def stretch_contrast(line: np.ndarray) -> np.ndarray:
    """The same line with its paper at 0 and its darkest ink at 1, float32 `[height, width]`.

    The paper is the median of all pixels; what is brighter becomes 0. A line without ink (all of it within 0.1 of its
    paper) becomes 0 everywhere.

    Raises:
        DataError: this is no line.
    """
    line = check_line(line)
    paper, darkest = np.median(line), line.max()
    if darkest - paper < FAINTEST:
        return np.zeros_like(line)
    return np.clip((line - paper) / (darkest - paper), 0, 1).astype(np.float32)


def crop_to_ink(line: np.ndarray) -> np.ndarray:
    """The part of a line with writing on it, float32 `[height, width]`, a view.

    Rows and columns before the first and after the last pixel of at least 0.25 ink are left out, but at least a quarter
    of the rows and 4 columns are kept. A line without ink stays whole.

    Raises:
        DataError: this is no line.
    """
    line = check_line(line)
    written = line >= WRITTEN
    rows, places = np.flatnonzero(written.any(axis=1)), np.flatnonzero(written.any(axis=0))
    if not len(rows):
        return line
    least = max(FEWEST_PIXELS, math.ceil(KEPT_HEIGHT * line.shape[0]))
    top, bottom = _at_least(int(rows[0]), int(rows[-1]) + 1, least, line.shape[0])
    left, right = _at_least(int(places[0]), int(places[-1]) + 1, FEWEST_PIXELS, line.shape[1])
    return line[top:bottom, left:right]


def normalise_line(line: np.ndarray, height: int = 32, *, contrast: bool = True, crop: bool = True) -> np.ndarray:
    """Bring a line to a height, its proportions kept: float32 `[height, width]`.

    Args:
        line: as `read_line` gives it.
        height: pixels.
        contrast: first put paper at 0 and ink at 1 (`stretch_contrast`).
        crop: then leave out what is around the writing (`crop_to_ink`).

    A line that already has the height keeps its pixels; others are resampled bilinearly, with all pixels that a smaller
    one covers counted.

    Raises:
        DataError: this is no line, or it would become wider than 32,768 pixels.
        ConfigurationError: the height is below 4, or pillow, which resamples, is not installed.

    >>> line = np.zeros((64, 200), np.float32)
    >>> line[20:36, 10:90] = 1
    >>> normalise_line(line).shape
    (32, 160)
    """
    if height < FEWEST_PIXELS:
        raise ConfigurationError(f"the height of lines must be at least {FEWEST_PIXELS} pixels, got {height}")
    line = check_line(line)
    if contrast:
        line = stretch_contrast(line)
    if crop:
        line = crop_to_ink(line)
    if line.shape[0] == height:
        return np.ascontiguousarray(line)
    width = max(FEWEST_PIXELS, round(line.shape[1] * height / line.shape[0]))
    if width > MOST_COLUMNS:
        raise DataError(
            f"a line {line.shape[1]} pixels wide and {line.shape[0]} high would be {width:,} wide at a height of "
            f"{height}: expected at most {MOST_COLUMNS:,}; cut it, or choose a smaller height"
        )
    images = pillow()
    scaled = images.fromarray(np.ascontiguousarray(line)).resize((width, height), images.Resampling.BILINEAR)
    return np.clip(np.asarray(scaled), 0, 1)


def columns(line: np.ndarray) -> np.ndarray:
    """A line as a sequence of its columns: float32 `[T, X]` with T = width and X = height; X = 0 is the top row.

    Raises:
        DataError: this is no line.
    """
    return np.ascontiguousarray(check_line(line).T)


def _at_least(start: int, stop: int, least: int, limit: int) -> tuple[int, int]:
    """The range grown about its middle to at least `least`, within 0 to `limit`."""
    length = max(stop - start, min(least, limit))
    start = min(max(0, start - (length - (stop - start)) // 2), limit - length)
    return start, start + length
