"""Ragged sequences: many of different lengths in one flat array, for classification and labelling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from gatewise.data.columns import LARGEST, numeric_column, series_codes
from gatewise.data.table import first_index, require_column
from gatewise.data.timeline import read_times, show_time
from gatewise.errors import DataError


@dataclass(frozen=True, eq=False)
class Ragged:
    """S sequences of X channels, each as long as it is.

    `values` `[N, X]`, float32 or float64, NaN where missing: sequence i is the rows `offsets[i]:offsets[i+1]`.
    `offsets` int64 `[S+1]`. `labels` `[S]` (text or whole numbers) and `channels` (X names), where known. `ids` `[S]`,
    and `groups` `[S]` of sequences that belong together, where they come from a table.

    >>> data = Ragged.from_arrays([np.zeros((3, 2)), np.ones((5, 2))], labels=["still", "moving"])
    >>> len(data), data.lengths, data.n_channels
    (2, array([3, 5]), 2)
    """

    values: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray | None = None
    channels: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.offsets) - 1
        if self.values.ndim != 2 or self.values.dtype not in (np.float32, np.float64):
            raise DataError(
                f"values must be float32 or float64 [N, X]; got {self.values.dtype} {list(self.values.shape)}"
            )
        if count < 0 or self.offsets[0] != 0 or self.offsets[-1] != len(self.values):
            raise DataError(f"offsets must run from 0 to the {len(self.values)} rows of values; got {self.offsets}")
        for name, given, wanted in (
            ("labels", self.labels, count),
            ("channels", self.channels, self.values.shape[1]),
            ("ids", self.ids, count),
            ("groups", self.groups, count),
        ):
            if given is not None and len(given) != wanted:
                raise DataError(f"expected {wanted} {name}, got {len(given)}")
        empty = self.lengths == 0
        if empty.any():
            raise DataError(f"{self._name(first_index(empty))} is empty: every sequence needs at least one time step")
        infinite = np.isinf(self.values)
        if infinite.any():
            row, channel = (int(i) for i in np.argwhere(infinite)[0])
            at = int(np.searchsorted(self.offsets, row, side="right")) - 1
            raise DataError(
                f"{self._name(at)}, time step {row - self.offsets[at] + 1}, {self._channel(channel)}: "
                f"{self.values[row, channel]} is not a finite number; use NaN for a missing value"
            )
        large = np.abs(self.values) > (LARGEST if self.values.dtype == np.float64 else np.inf)
        if large.any():
            row, channel = (int(i) for i in np.argwhere(large)[0])
            at = int(np.searchsorted(self.offsets, row, side="right")) - 1
            raise DataError(
                f"{self._name(at)}, time step {row - self.offsets[at] + 1}, {self._channel(channel)}: "
                f"{self.values[row, channel]:g} is too large to compute with; expected at most {LARGEST:g} in size"
            )

    @classmethod
    def from_arrays(
        cls, sequences: Any, labels: Any = None, channels: Sequence[str] | None = None, dtype: Any = None
    ) -> "Ragged":
        """From a list of arrays `[T, X]` (or `[T]`: one channel), or one array `[S, T, X]` (or `[S, T]`).

        The values become float64, or float32 if all arrays are; `dtype` asks for one of them. Raises `DataError` for no
        sequence, an empty one, channel counts that differ, values that are no numbers, and infinite ones.
        """
        if isinstance(sequences, np.ndarray) and sequences.dtype != object and sequences.ndim < 2:
            raise DataError(
                f"expected a list of arrays [T, X] or one array [S, T, X]; got one array {list(sequences.shape)}: "
                "put a single sequence into a list"
            )
        if not hasattr(sequences, "__len__"):
            raise DataError(f"expected a list of arrays [T, X], got an object of type {type(sequences).__name__}")
        parts = [_as_sequence(sequence, i) for i, sequence in enumerate(sequences)]
        if not parts:
            raise DataError("got no sequences: expected a list of arrays [T, X] with at least one")
        width = parts[0].shape[1]
        for i, part in enumerate(parts):
            if part.shape[1] != width:
                raise DataError(
                    f"sequence {i} has {part.shape[1]} channels and sequence 0 has {width}: all need the same"
                )
        values = np.concatenate(parts) if dtype is None else np.concatenate(parts).astype(dtype)
        offsets = np.append(0, np.cumsum([len(part) for part in parts])).astype(np.int64)
        return cls(values, offsets, as_labels(labels), None if channels is None else tuple(channels))

    @classmethod
    def from_table(
        cls,
        table: pa.Table,
        id: str,
        time: str | None = None,
        channels: Sequence[str] | None = None,
        label: str | None = None,
        group: str | None = None,
    ) -> "Ragged":
        """From a table in long format: one row a time step, `id` naming its sequence.

        The sequences come in order of first appearance; their rows are sorted by `time`, or stay in order without it.
        `channels` defaults to all other columns. Raises `DataError` for a missing column, a repeated time stamp, text
        in a channel, and a label or group that is missing or changes within a sequence; with row (from 1) and value.
        """
        named = [id, *(name for name in (time, label, group) if name is not None)]
        if channels is None:
            channels = tuple(name for name in table.column_names if name not in named)
        roles = [(id, "id"), (time, "time"), (label, "label"), (group, "group")]
        for name, role in [*roles, *((name, "channel") for name in channels)]:
            if name is not None:
                require_column(table, name, role)
        every = [*named, *channels]
        twice = [name for i, name in enumerate(every) if name in every[:i]]
        if twice:
            raise DataError(f'column "{twice[0]}" has two roles; a column has one')
        if not channels:
            raise DataError(f"the table has no column left for the channels beside {', '.join(named)}")
        if table.num_rows == 0:
            raise DataError("the table has no rows: at least one is needed")
        rows = sequence_rows(table, id, time)
        series, ids, order = rows.series, rows.ids, rows.order
        labels = None if label is None else _labels_of(table.column(label), "label", label, series, ids)
        groups = None if group is None else _labels_of(table.column(group), "group", group, series, ids)
        values = np.stack([numeric_column(table.column(name), name, "channel") for name in channels], axis=1)
        return cls(values[order], rows.offsets, labels, tuple(channels), ids, groups)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        """Sequence `i`, `[T, X]`, a view."""
        i = range(len(self))[i]
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Time steps of each sequence, int64 `[S]`."""
        return np.diff(self.offsets)

    @property
    def n_channels(self) -> int:
        """X, the channels of every sequence."""
        return self.values.shape[1]

    def select(self, indices: Any) -> "Ragged":
        """Some of the sequences, in the order given (whole numbers, or a mask `[S]`)."""
        chosen = self._chosen(indices)
        rows, offsets = self._rows(chosen)
        return Ragged(
            self.values[rows],
            offsets,
            None if self.labels is None else self.labels[chosen],
            self.channels,
            None if self.ids is None else tuple(self.ids[i] for i in chosen),
            None if self.groups is None else self.groups[chosen],
        )

    def pad(self, indices: Any) -> tuple[np.ndarray, np.ndarray]:
        """Some of the sequences side by side: `[T, B, X]`, zero after each one's end, and their lengths int64 `[B]`.

        T is the longest length. Missing values inside a sequence stay NaN.
        """
        chosen = self._chosen(indices)
        lengths = self.lengths[chosen]
        rows, offsets = self._rows(chosen)
        step = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        padded = np.zeros((lengths.max(initial=0), len(chosen), self.n_channels), self.values.dtype)
        padded[step, np.repeat(np.arange(len(chosen)), lengths)] = self.values[rows]
        return padded, lengths

    def _chosen(self, indices: Any) -> np.ndarray:
        indices = np.asarray(indices)
        return np.arange(len(self))[indices if indices.size else indices.astype(np.int64)]

    def _rows(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lengths = self.lengths[chosen]
        offsets = np.append(0, np.cumsum(lengths)).astype(np.int64)
        return np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], lengths), offsets

    def _name(self, i: int) -> str:
        return f"sequence {i}" if self.ids is None else f'sequence "{self.ids[i]}"'

    def _channel(self, i: int) -> str:
        return f"channel {i}" if self.channels is None else f'channel "{self.channels[i]}"'


@dataclass(frozen=True, eq=False)
class SequenceRows:
    """Which rows of a long table are which steps.

    `series` `[N]` numbers each row's sequence, `ids` names the sequences, `order` `[N]` are the rows in the order of
    sequences and their steps, of which sequence i has `offsets[i]:offsets[i+1]`.
    """

    series: np.ndarray
    ids: tuple[str, ...]
    order: np.ndarray
    offsets: np.ndarray


def sequence_rows(table: pa.Table, id: str, time: str | None = None) -> SequenceRows:
    """The rows of a long table as steps of sequences: these in order of first appearance, each sorted by `time`.

    Raises `DataError` for a row without id and for a repeated time stamp.
    """
    series, ids = series_codes(table.column(id), id)
    order = np.argsort(series, kind="stable")
    if time is not None:
        times = read_times(table.column(time), time)[0]
        order = np.lexsort((times, series))
        same = (np.diff(series[order]) == 0) & (times[order][1:] == times[order][:-1])
        if same.any():
            pair = order[first_index(same) :][:2]
            raise DataError(
                f'rows {min(pair) + 1} and {max(pair) + 1} have the same id "{ids[series[pair[0]]]}" and time '
                f"{show_time(times[pair[0]])}: every time step of a sequence must differ"
            )
    return SequenceRows(series, ids, order, np.searchsorted(series[order], np.arange(len(ids) + 1)).astype(np.int64))


def as_labels(labels: Any) -> np.ndarray | None:
    """Labels `[S]` as an array of text or whole numbers. Raises `DataError` for missing or other ones.

    >>> as_labels([True, False])
    array([1, 0])
    """
    if labels is None:
        return None
    array = np.asarray(labels)
    if array.ndim != 1:
        raise DataError(f"labels must be one-dimensional, one a sequence; got {list(array.shape)}")
    if array.dtype == object:
        missing = [i for i, value in enumerate(array) if value is None or value != value]
        if missing:
            raise DataError(f"label {missing[0]} is missing: every sequence needs one")
        other = [i for i, value in enumerate(array) if not isinstance(value, str)]
        if not other:
            return array.astype(str)
        try:
            array = np.asarray(array.tolist())
        except ValueError as error:
            raise DataError(f"labels must be text or whole numbers, one a sequence: {error}") from error
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.round(array))
        if not whole.all():
            i = int(whole.argmin())
            raise DataError(f"label {i} is {array[i]}: labels are text or whole numbers, and none may be missing")
        return array.astype(np.int64)
    if array.dtype.kind in "biu":
        return array.astype(np.int64)
    if array.dtype.kind in "UT":
        return array.astype(str)
    raise DataError(f"labels must be text or whole numbers; got {array.dtype}")


def _as_sequence(sequence: Any, i: int) -> np.ndarray:
    try:
        array = np.asarray(sequence)
        if array.dtype not in (np.float32, np.float64):
            if array.dtype.kind in "cMmSU":
                raise DataError(f"sequence {i} holds {array.dtype}: expected numbers [T, X]")
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"sequence {i} is not an array of numbers [T, X]: {error}") from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise DataError(f"sequence {i} must be [T, X] or [T]; got {list(array.shape)}")
    if len(array) == 0:
        raise DataError(f"sequence {i} is empty: every sequence needs at least one time step")
    return array


def _labels_of(column: pa.ChunkedArray, role: str, name: str, series: np.ndarray, ids: tuple[str, ...]) -> np.ndarray:
    """The one label (or group, as `role` says) of each sequence `[S]`."""
    if column.null_count:
        row = first_index(column.is_null())
        raise DataError(
            f'{role} column "{name}", row {row + 1}: the {role} of sequence "{ids[series[row]]}" is missing'
        )
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind)):
        column = column.cast(pa.string())
    values = column.to_numpy()
    first = np.unique(series, return_index=True)[1]
    differs = values != values[first][series]
    if differs.any():
        row = first_index(np.asarray(differs, bool))
        raise DataError(
            f'{role} column "{name}", row {row + 1}: "{values[row]}" differs from "{values[first][series[row]]}", the '
            f'{role} of sequence "{ids[series[row]]}" in row {first[series[row]] + 1}; a sequence has one {role}'
        )
    labels = as_labels(values[first])
    assert labels is not None
    return labels
