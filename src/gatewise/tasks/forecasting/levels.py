"""The level and the size of each series, by which targets are standardised.

Legend: S series, T rows of one series.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from gatewise.data.blocks import Spread, blocks
from gatewise.data.panel import Panel
from gatewise.data.timeline import show_time
from gatewise.errors import DataError

MOST_LOG = 700.0  # its exponential is near the largest number there is; no forecast is infinite


@dataclass(frozen=True, eq=False)
class Levels:
    """Mean and standard deviation of each series' target `[S, 2]`, or of its logarithm."""

    values: np.ndarray
    log: bool

    @classmethod
    def of(cls, panel: Panel, log: bool, ends: np.ndarray, known: Mapping[str, tuple[float, float]]) -> "Levels":
        """As `known` by id, else from each series' rows before `ends` `[S]`.

        Raises:
            DataError: the log of a value that is not positive is needed.
        """
        if log:
            _check_positive(panel)
        level = np.empty((len(panel), 2))
        for i, (name, a, b) in enumerate(zip(panel.ids, panel.offsets[:-1], ends, strict=True)):
            if name in known:
                level[i] = known[name]
                continue
            own = Spread.of(_known(panel, log, int(a), int(b)))
            mean, scale = float(own.mean), float(own.deviation)
            level[i] = mean, scale if scale > 1e-12 * max(1.0, abs(mean)) else max(abs(mean), 1.0)
        return cls(level, log)

    def standard(self, i: int, values: np.ndarray) -> np.ndarray:
        """Targets of series `i` standardised, in double precision."""
        mean, scale = self.values[i]
        return ((np.log(values) if self.log else values) - mean) / scale

    def in_units(self, z: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Standardised values `[O, ...]` of the series `[O]` in the target's own units."""
        mean, scale = (v.reshape(-1, *(1,) * (z.ndim - 1)) for v in self.values[series].T)
        value = z * scale + mean
        return np.exp(np.minimum(value, MOST_LOG)) if self.log else value


def fill(values: np.ndarray, known: np.ndarray, before: float | None = None) -> np.ndarray:
    """Missing values of one series `[T]` carry the last known one forward; the array itself where none is missing.

    Before the first known one stands `before`, or where that is None the first known one; 0 where none is known.
    """
    if known.all():
        return values
    last = np.where(known, np.arange(len(values), dtype=np.int32), np.int32(-1))
    np.maximum.accumulate(last, out=last)
    if before is None:
        before = float(values[np.argmax(known)]) if known.any() else 0.0
    return np.where(last >= 0, values[np.maximum(last, 0, out=last)], before)


def first_known(panel: Panel) -> np.ndarray:
    """How many rows of each series come before its first known target `[S]`."""
    found = np.zeros(len(panel), np.int64)
    for i in range(len(panel)):
        known = ~np.isnan(panel.target[panel.series(i)])
        found[i] = np.argmax(known) if known.any() else 0
    return found


def _known(panel: Panel, log: bool, begin: int, end: int) -> Iterator[np.ndarray]:
    for part in blocks(begin, end):
        values = panel.target[part]
        values = values[~np.isnan(values)]
        yield np.log(values) if log else values


def _check_positive(panel: Panel) -> None:
    bad = np.flatnonzero(panel.target <= 0)
    if not len(bad):
        return
    row = int(bad[0])
    name = panel.ids[int(np.searchsorted(panel.offsets, row, side="right")) - 1]
    of = f' of series "{name}"' if panel.roles.id else ""
    raise DataError(
        f'column "{panel.roles.target}" holds {panel.target[row]:g} at {panel.roles.time or "step"} '
        f"{show_time(panel.times[row])}{of}, but this model was trained on positive values and forecasts their "
        "logarithm; correct the value, or train anew with such values"
    )
