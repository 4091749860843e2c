"""The regular grid under a panel: rows sorted by series and time, duplicates merged, gaps found or filled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gatewise.data.blocks import blocks
from gatewise.data.timeline import Frequency, show_time
from gatewise.errors import DataError

Gaps = Literal["error", "mask", "interpolate"]
Duplicates = Literal["error", "first", "last", "mean"]
SHOWN = 3
Rows = np.ndarray | range  # where rows stand in the table


@dataclass(frozen=True)
class Grid:
    """Where each row of a table goes in a panel of M rows.

    `order` `[N]` sorts the table's rows by series and time (None: they are sorted); `groups` `[G]` are the starts, in
    that order, of rows with the same series and time stamp (None: there are no such rows); `place` `[G]` is the panel
    row of each (None: no rows were inserted).
    """

    offsets: np.ndarray
    times: np.ndarray
    frequency: Frequency
    order: np.ndarray | None
    groups: np.ndarray | None
    place: np.ndarray | None
    gaps: Gaps
    duplicates: Duplicates
    notes: tuple[str, ...]

    @property
    def inserted(self) -> np.ndarray:
        """Which of the panel's rows `[M]` no row of the table stands behind."""
        mask = np.zeros(len(self.times), bool)
        if self.place is not None:
            mask[:] = True
            mask[self.place] = False
        return mask

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """A numeric column of the table `[N]` laid out on the grid `[M]`."""
        values = values if self.order is None else values[self.order]
        if self.groups is not None:
            values = self._mean(values, self.groups) if self.duplicates == "mean" else values[self._kept(len(values))]
        if self.place is None:
            return values
        laid = np.full(len(self.times), np.nan)
        laid[self.place] = values
        if self.gaps == "interpolate":
            self._interpolate(laid)
        return laid

    def codes(self, codes: np.ndarray) -> np.ndarray:
        """A column of category codes `[N]` on the grid `[M]`; of duplicates to be averaged the first stands."""
        codes = codes if self.order is None else codes[self.order]
        if self.groups is not None:
            codes = codes[self._kept(len(codes))]
        if self.place is None:
            return codes
        laid = np.zeros(len(self.times), codes.dtype)
        laid[self.place] = codes
        if self.gaps == "interpolate":
            # a series begins with a row of the table, so the nearest earlier row is one of the same series
            source = np.zeros(len(self.times), np.int64)
            source[self.place] = self.place
            laid = laid[np.maximum.accumulate(source)]
        return laid

    def _kept(self, count: int) -> np.ndarray:
        assert self.groups is not None
        return np.append(self.groups[1:], count) - 1 if self.duplicates == "last" else self.groups

    @staticmethod
    def _mean(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
        known = ~np.isnan(values)
        counts = np.add.reduceat(known.astype(np.int64), groups)
        sums = np.add.reduceat(np.where(known, values, 0.0), groups)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    def _interpolate(self, laid: np.ndarray) -> None:
        known, inserted = ~np.isnan(laid), self.inserted
        for begin, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            rows = slice(begin, end)
            at, wanted = np.flatnonzero(known[rows]), np.flatnonzero(inserted[rows])
            if len(at) and len(wanted):
                laid[rows][wanted] = np.interp(wanted, at, laid[rows][at], left=np.nan, right=np.nan)


def lay_grid(
    series: np.ndarray,
    times: np.ndarray,
    ids: Sequence[str],
    *,
    gaps: Gaps,
    duplicates: Duplicates,
    frequency: Frequency | None,
    named: bool,
    hint: str = "",
    said: Sequence[str] | None = (),
) -> Grid:
    """The grid of a table with rows of `series` `[N]` (codes) at `times` `[N]`; `ids` name the series.

    `named` says whether the ids come from the table, and `hint` how to tell several series apart if they do not; `said`
    is what to know of how the times were read (None: they were not, the rows were counted).

    Raises `DataError` for duplicate time stamps, gaps (where they are errors) and time stamps off the grid, with rows.
    """
    notes: list[str] = []
    order, series, times = _sort(series, times, notes)
    rows = range(len(times)) if order is None else order

    def of(row: int) -> str:
        return f' of series "{ids[series[row]]}"' if named else ""

    same = (series[1:] == series[:-1]) & (times[1:] == times[:-1])
    groups = None
    if same.any():
        if duplicates == "error":
            raise _duplicate_error(same, rows, times, of, hint)
        groups = np.flatnonzero(np.append(True, ~same))
        notes.append(f"{_count(same.sum(), 'row')} with a time stamp seen before merged ({duplicates}).")
        series, times, rows = series[groups], times[groups], np.asarray(rows)[groups]
    offsets = np.searchsorted(series, np.arange(len(ids) + 1)) if len(ids) > 1 else np.array([0, len(times)])
    inferred = frequency is None
    if frequency is None:
        frequency = Frequency.infer(times, offsets)
        if said is not None:
            notes.append(f"The time step, inferred, is {frequency.name}.")
    elif frequency.is_calendar != (times.dtype.kind == "M"):
        came = "dates" if times.dtype.kind == "M" else "whole numbers"
        raise DataError(f"the frequency is {frequency.name}, but the time column holds {came}")
    on_grid, missing = _locate(times, series, offsets, frequency)
    if not on_grid.all():
        raise _off_grid_error(on_grid, rows, times, offsets, series, of, frequency, inferred, said)
    place = None
    if missing is not None:
        total = int(missing.sum())
        if gaps == "error" or total > max(100_000, 20 * len(times)):
            raise _gap_error(missing, rows, times, of, frequency, gaps)
        filled = "their numbers interpolated" if gaps == "interpolate" else "as missing values"
        notes.append(
            f"{_count(total, 'missing time stamp')} in {_count((missing > 0).sum(), 'place')} inserted, {filled}."
        )
        place = np.arange(len(times)) + np.append(0, np.cumsum(missing))
        lengths = np.add.reduceat(np.append(missing, 0), offsets[:-1]) + np.diff(offsets)
        # the last row of a series carries no gap (missing is 0 there), so the sums stay inside each series
        starts, offsets = times[offsets[:-1]], np.append(0, np.cumsum(lengths))
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        times = frequency.add(np.repeat(starts, lengths), within)
    return Grid(offsets.astype(np.int64), times, frequency, order, groups, place, gaps, duplicates, tuple(notes))


def _locate(
    times: np.ndarray, series: np.ndarray, offsets: np.ndarray, frequency: Frequency
) -> tuple[np.ndarray, np.ndarray | None]:
    """Which rows `[N]` lie on their series' grid, and how many are missing after each `[N-1]`; None if none is."""
    on_grid, missing = np.empty(len(times), bool), None
    starts = times[offsets[:-1]]
    # Each block begins with the last row of the one before, so that no difference between neighbours is left out.
    for part in blocks(0, max(len(times) - 1, 1)):
        rows = slice(part.start, min(part.stop + 1, len(times)))
        steps, on_grid[rows] = frequency.locate(starts[series[rows]], times[rows])
        apart = np.where(np.diff(series[rows]) == 0, np.diff(steps) - 1, 0)
        if apart.any():
            missing = np.zeros(len(times) - 1, np.int64) if missing is None else missing
            missing[part] = apart
    return on_grid, missing


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _sort(series: np.ndarray, times: np.ndarray, notes: list[str]) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    ahead = (series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & (times[1:] >= times[:-1]))
    if ahead.all():
        return None, series, times
    order = np.lexsort((times, series))
    by_series = np.argsort(series, kind="stable")
    if not np.array_equal(order, by_series):
        notes.append("The rows were not in order of time and have been sorted.")
    return order, series[order], times[order]


def _duplicate_error(same: np.ndarray, rows: Rows, times: np.ndarray, of: Callable[[int], str], hint: str) -> DataError:
    found = np.flatnonzero(same)
    pairs = ", ".join(
        f"rows {min(rows[i : i + 2]) + 1} and {max(rows[i : i + 2]) + 1} ({show_time(times[i])}{of(i)})"
        for i in found[:SHOWN]
    )
    return DataError(
        f"{_count(len(found), 'duplicate time stamp')}: {pairs}{', ...' if len(found) > SHOWN else ''}; "
        f"{hint}keep one of them, or choose --duplicates first, last or mean"
    )


def _gap_error(
    missing: np.ndarray,
    rows: Rows,
    times: np.ndarray,
    of: Callable[[int], str],
    frequency: Frequency,
    gaps: Gaps,
) -> DataError:
    places = np.flatnonzero(missing)
    total = int(missing.sum())
    first = ", ".join(
        f"{missing[i]} between rows {rows[i] + 1} ({show_time(times[i])}) and {rows[i + 1] + 1} "
        f"({show_time(times[i + 1])}){of(i)}"
        for i in places[:SHOWN]
    )
    message = (
        f"{_count(total, 'time stamp')} missing in {_count(len(places), 'place')} (the frequency is "
        f"{frequency.name}): {first}{', ...' if len(places) > SHOWN else ''}; "
    )
    if gaps == "error":
        return DataError(message + "choose --gaps mask (missing values) or --gaps interpolate")
    return DataError(message + f"too many to insert beside {len(times)} rows; correct the time stamps around them")


def _off_grid_error(
    on_grid: np.ndarray,
    rows: Rows,
    times: np.ndarray,
    offsets: np.ndarray,
    series: np.ndarray,
    of: Callable[[int], str],
    frequency: Frequency,
    inferred: bool,
    said: Sequence[str] | None,
) -> DataError:
    i = int(on_grid.argmin())
    start = times[offsets[series[i]]]
    return DataError(
        f"row {rows[i] + 1}: {show_time(times[i])}{of(i)} lies between the regular time stamps, which "
        f"go on from {show_time(start)} in steps of {frequency.name} ({'inferred' if inferred else 'given'}); "
        f"{int((~on_grid).sum())} of {len(times)} rows do; bring the rows to a regular step (resample) or correct them"
        + "".join(f". {note}" for note in said or ())
    )
