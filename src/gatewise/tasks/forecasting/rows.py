"""Rows of a panel: which series each is of, and samples of many of them.

Legend: N rows of all series, S series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Places:
    """Rows (of any shape) with, of the same shape, the series each is of, its first row and the row after its last."""

    rows: Tensor
    series: Tensor
    starts: Tensor
    ends: Tensor


class Axis:
    """The rows of a panel, as its `offsets` `[S+1]` divide them into series; nothing is kept a row."""

    def __init__(self, offsets: np.ndarray) -> None:
        self._offsets = torch.tensor(offsets, dtype=torch.int64)

    def places(self, rows: Tensor) -> Places:
        """Where the rows are."""
        series = torch.searchsorted(self._offsets, rows.contiguous(), right=True) - 1
        return Places(rows, series, self._offsets[series], self._offsets[series + 1])


def sample(ranges: Sequence[Sequence[int] | np.ndarray], most: int) -> tuple[np.ndarray, np.ndarray]:
    """About evenly spread rows of `ranges`, one a series: at most `most` rows, int64 and sorted, and their series.

    All of them where they are few. Of many, one is drawn at random from each of `most` equal parts: every k-th row
    would be the same hour of each day where k is a multiple of 24.

    >>> sample([range(0, 3), range(10, 12)], most=9)
    (array([ 0,  1,  2, 10, 11]), array([0, 0, 0, 1, 1]))
    """
    ends = np.cumsum([len(part) for part in ranges], dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    if total <= most:
        chosen = np.arange(total)
    else:
        drawn = np.random.default_rng(0).random(most)
        chosen = np.unique(((np.arange(most) + drawn) * (total / most)).astype(np.int64)).clip(max=total - 1)
    series = np.searchsorted(ends, chosen, side="right")
    rows = np.empty(len(chosen), np.int64)
    borders = np.flatnonzero(np.diff(series, prepend=-1, append=len(ranges)))
    for low, high in pairwise(borders):
        i = int(series[low])
        at, part = chosen[low:high] - (ends[i] - len(ranges[i])), ranges[i]
        rows[low:high] = part.start + part.step * at if isinstance(part, range) else np.asarray(part)[at]
    return rows, series
