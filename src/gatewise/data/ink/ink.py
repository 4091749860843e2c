"""What a pen wrote."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from gatewise.errors import DataError

LARGEST = 1e9  # coordinates beyond this are no places on paper; their squares still have room


@dataclass(frozen=True, eq=False)
class Ink:
    """Strokes of a pen, in the order in which they were written; each is what was written before the pen was lifted.

    Attributes:
        strokes: each float64 `[n, 2]` or `[n, 3]`, n points x, y and, all strokes or none, t. x grows to the right and
            y downwards, as in images, in any unit; t is in seconds from any beginning. They cannot be written to.
        text: what is written, where it is known.

    Raises:
        DataError: there is no stroke, a stroke without points, one of another shape, one with time stamps beside one
            without, or a number that is not finite or beyond 1e9.

    >>> ink = Ink.from_strokes([[[0, 0], [3, 4]], [[5, 5]]])
    >>> len(ink.strokes), ink.n_points, ink.has_time, ink.length
    (2, 3, False, 5.0)
    """

    strokes: tuple[np.ndarray, ...]
    text: str | None = None

    def __post_init__(self) -> None:
        strokes = tuple(_as_stroke(stroke, number) for number, stroke in enumerate(self.strokes, 1))
        if not strokes:
            raise DataError("expected ink with at least one stroke, got none")
        for number, stroke in enumerate(strokes, 1):
            if stroke.shape[1] != strokes[0].shape[1]:
                timed, untimed = (1, number) if strokes[0].shape[1] == 3 else (number, 1)
                raise DataError(f"stroke {timed} has time stamps and stroke {untimed} has none: expected all or none")
        object.__setattr__(self, "strokes", strokes)

    @classmethod
    def from_strokes(cls, strokes: Iterable[ArrayLike], text: str | None = None) -> "Ink":
        """From strokes of any kind that numpy makes arrays of, lists of points for instance. Raises as `Ink`."""
        return cls(tuple(_as_stroke(stroke, number) for number, stroke in enumerate(strokes, 1)), text)

    @property
    def has_time(self) -> bool:
        """Whether points have time stamps."""
        return self.strokes[0].shape[1] == 3

    @property
    def n_points(self) -> int:
        """How many points all strokes have together."""
        return sum(len(stroke) for stroke in self.strokes)

    @property
    def points(self) -> np.ndarray:
        """All points one after the other, float64 `[N, 2]` or `[N, 3]`."""
        return np.concatenate(self.strokes)

    @property
    def ends(self) -> np.ndarray:
        """Which of `points` is the last one of its stroke: int64, one for each stroke."""
        return np.cumsum([len(stroke) for stroke in self.strokes]) - 1

    @property
    def length(self) -> float:
        """How far the pen went on paper, in units of x and y."""
        return float(sum(np.hypot(*np.diff(stroke[:, :2], axis=0).T).sum() for stroke in self.strokes))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom: the least x and y, and the largest."""
        points = self.points
        left, top = points[:, :2].min(axis=0)
        right, bottom = points[:, :2].max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def moved(self, matrix: object, offset: object = (0.0, 0.0)) -> "Ink":
        """The ink with every place p put at `matrix @ p + offset`; time stamps and text stay."""
        turn, shift = np.asarray(matrix, np.float64), np.asarray(offset, np.float64)
        return replace(
            self,
            strokes=tuple(
                np.concatenate([stroke[:, :2] @ turn.T + shift, stroke[:, 2:]], axis=1) for stroke in self.strokes
            ),
        )


def _as_stroke(given: ArrayLike, number: int) -> np.ndarray:
    try:
        stroke = np.array(given, np.float64)  # a copy, so that nobody else can change it
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"stroke {number} is no list of points [x, y] or [x, y, t]: {error}") from error
    if len(stroke.shape) == 0 or stroke.size == 0:
        raise DataError(f"stroke {number} has no points: expected at least one")
    if stroke.ndim != 2 or stroke.shape[1] not in (2, 3):
        raise DataError(
            f"stroke {number} is {list(stroke.shape)}: expected [n, 2], points x, y, or [n, 3], points x, y, t"
        )
    wrong = np.argwhere(~(np.abs(stroke) <= LARGEST))
    if len(wrong):
        point, column = (int(i) for i in wrong[0])
        raise DataError(
            f"stroke {number}, point {point + 1}: {'xyt'[column]} is {stroke[point, column]:g}, expected a finite "
            f"number of at most {LARGEST:g} in size"
        )
    stroke.setflags(write=False)
    return stroke
