"""Windows: all runs of a fixed length inside the series of a panel, as views on its arrays."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gatewise.errors import DataError


@dataclass(frozen=True, eq=False)
class Windows:
    """The index of all windows of `length` rows inside series with `offsets` `[S+1]`, starting every `stride` rows.

    No window crosses the border of a series; series shorter than `length` have none. Nothing but the series' counts is
    stored, whatever the number of windows. Raises `DataError` for a length or stride below 1.

    >>> windows = Windows(np.array([0, 4, 6]), length=3)
    >>> len(windows), windows[1]
    (2, slice(1, 4, None))
    >>> windows.gather(np.arange(6.0), [0, 1])
    array([[0., 1.],
           [1., 2.],
           [2., 3.]])
    """

    offsets: np.ndarray
    length: int
    stride: int = 1

    def __post_init__(self) -> None:
        for name, value in (("length", self.length), ("stride", self.stride)):
            if value < 1:
                raise DataError(f"a window's {name} must be at least 1; got {value}")

    @cached_property
    def firsts(self) -> np.ndarray:
        """The number of windows before each series, int64 `[S+1]`; the last entry counts them all."""
        room = np.diff(self.offsets) - self.length
        counts = np.where(room >= 0, room // self.stride + 1, 0)
        return np.append(0, np.cumsum(counts)).astype(np.int64)

    def __len__(self) -> int:
        return int(self.firsts[-1])

    def __getitem__(self, k: int) -> slice:
        """The rows of window `k`."""
        begin = int(self.starts(range(len(self))[k]))
        return slice(begin, begin + self.length)

    def series_of(self, k: Any) -> np.ndarray:
        """The series of windows `k` (any shape)."""
        k = np.asarray(k, np.int64)
        if k.size and (k.min() < 0 or k.max() >= len(self)):
            wrong = k.min() if k.min() < 0 else k.max()
            raise IndexError(f"there are {len(self)} windows; got the index {wrong}")
        return np.searchsorted(self.firsts, k, side="right") - 1

    def starts(self, k: Any) -> np.ndarray:
        """The first row of windows `k` (any shape), int64."""
        series = self.series_of(k)
        return np.asarray(self.offsets)[series] + (np.asarray(k, np.int64) - self.firsts[series]) * self.stride

    def gather(self, array: np.ndarray, k: Any) -> np.ndarray:
        """Windows `k` `[B]` of an array `[N, ...]` side by side: `[length, B, ...]`; only these B are copied.

        Raises `DataError` if the array does not have the N rows the windows are about.
        """
        if len(array) != self.offsets[-1]:
            raise DataError(f"these windows are about {self.offsets[-1]} rows; the array has {len(array)}")
        starts = self.starts(k)
        if not len(starts):
            return np.empty((self.length, 0, *array.shape[1:]), array.dtype)
        # [length, N - length + 1, ...] without a copy: going down or going right is one row on
        view = np.lib.stride_tricks.as_strided(
            array,
            (self.length, len(array) - self.length + 1, *array.shape[1:]),
            (array.strides[0], *array.strides),
            writeable=False,
        )
        return view[:, starts]
