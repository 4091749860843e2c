"""Long sequences on the disk, read piece by piece: files of any length in memory that does not grow with them.

Legend: N steps in a file, X values of a step.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gatewise.data.blocks import blocks
from gatewise.errors import DataError, nearest

PARQUET, ARROW = (".parquet", ".pq"), (".arrow", ".feather")
SUFFIXES = (".npy", *PARQUET, *ARROW)
SCANNED = 1 << 16  # rows that are looked at together for the beginnings of sequences

Read = Callable[[int, int], np.ndarray]  # steps [start, stop)


class Steps(Protocol):
    """N steps, each an array of one shape: a number, X values, a label."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, ...)`."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is read."""
        ...

    def reader(self) -> Read:
        """A function that reads steps `[start, stop)`, `[stop - start, ...]`; cheap where these only ever grow.

        What it gives is not to be written to.
        """
        ...


class ArraySteps:
    """Steps in memory, or in memory that torch or NumPy have mapped themselves."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.shape, self.dtype = values.shape, values.dtype

    def reader(self) -> Read:
        """See `Steps`."""
        return lambda start, stop: self.values[start:stop]


class NpySteps:
    """Steps in a `.npy` file, `[N, ...]`.

    They are read at their place in the file, not mapped: mapped pages that were read count as the process's memory
    until the system wants them back, so that it would seem to grow with the file.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                version = np.lib.format.read_magic(file)
                head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                self.shape, fortran, self.dtype = head(file)
            except ValueError as error:
                raise DataError(f'"{path}" is not a readable .npy file: {error}') from error
            self._begins = file.tell()
        if fortran and len(self.shape) > 1:
            raise DataError(f'"{path}" is in column order; expected rows one after the other (numpy.ascontiguousarray)')
        if self.dtype.hasobject or not self.shape:
            raise DataError(f'"{path}" holds {list(self.shape)} of {self.dtype}; expected an array of numbers [N, ...]')
        self.path = path
        self._row = self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))
        wanted, found = self._begins + self.shape[0] * self._row, path.stat().st_size
        if found < wanted:
            raise DataError(f'"{path}" is truncated: {found} bytes, expected {wanted} for {list(self.shape)}')

    def reader(self) -> Read:
        """See `Steps`."""
        each = int(np.prod(self.shape[1:], dtype=np.int64))

        def read(start: int, stop: int) -> np.ndarray:
            wanted = (stop - start) * each
            found = np.fromfile(self.path, self.dtype, wanted, offset=self._begins + start * self._row)
            if len(found) != wanted:
                raise DataError(f'"{self.path}" became shorter while it was read')
            return found.reshape(stop - start, *self.shape[1:])

        return read


class TableSteps:
    """Columns of numbers of a Parquet or Arrow (IPC) file, `[N, X]`, or `[N]` of one column that was named.

    A reader holds one row group (of Arrow, one batch) at a time: files of 10,000 to 100,000 rows in each are meant.

    Args:
        path: the file.
        columns: which; None for all that hold numbers.
        kind: what they become; by default float32.
    """

    def __init__(self, path: Path, columns: Sequence[str] | str | None = None, kind: Any = np.float32) -> None:
        self.path, self.dtype = path, np.dtype(kind)
        # Opened once for all readers: each file would hold what is said of all row groups.
        (self._group, schema), sizes = _opened(path), _sizes(path)
        numbers = [field.name for field in schema if _is_number(field.type)]
        self._columns = [columns] if isinstance(columns, str) else list(numbers if columns is None else columns)
        for name in self._columns:
            if name not in schema.names:
                raise DataError(f'"{path}" has no column "{name}": {nearest(name, schema.names)}')
            if name not in numbers:
                raise DataError(f'"{path}": column "{name}" holds {schema.field(name).type}, expected numbers')
        if not self._columns:
            raise DataError(f'"{path}" has no column of numbers; there is: {", ".join(schema.names)}')
        self._ends = np.cumsum(sizes, dtype=np.int64)
        self._single = isinstance(columns, str)
        rows = int(self._ends[-1]) if len(self._ends) else 0
        self.shape = (rows,) if self._single else (rows, len(self._columns))

    def reader(self) -> Read:
        """See `Steps`."""
        held: tuple[int, np.ndarray] = (-1, np.empty(0))

        def read(start: int, stop: int) -> np.ndarray:
            nonlocal held
            parts = []
            while True:
                number = int(np.searchsorted(self._ends, start, side="right")) if start < stop else max(held[0], 0)
                if held[0] != number:
                    held = (number, self._values(self._group(number, self._columns), number))
                first = int(self._ends[number]) - len(held[1])
                part = held[1][start - first : stop - first] if start < stop else held[1][:0]
                parts.append(part)
                start += len(part)
                if start >= stop:
                    return parts[0] if len(parts) == 1 else np.concatenate(parts)

        return read

    def _values(self, table: pa.Table, number: int) -> np.ndarray:
        found = np.empty((table.num_rows, len(self._columns)), self.dtype)
        for place, name in enumerate(self._columns):
            column = table.column(name)
            if column.null_count:
                row = int(np.flatnonzero(column.is_null().to_numpy())[0]) + int(self._ends[number]) - table.num_rows
                raise DataError(f'"{self.path}", row {row + 1}, column "{name}" is empty; expected a number')
            found[:, place] = column.to_numpy()
        return found[:, 0] if self._single else found


def open_steps(source: Any, columns: Sequence[str] | str | None = None) -> Steps:
    """Steps in an array or a file, of which only what is asked for is read.

    Args:
        source: an array `[N, ...]`, or the path of a `.npy`, `.parquet`, `.pq`, `.arrow` or `.feather` file.
        columns: of a table, which; None for all that hold numbers.

    Raises:
        DataError: no such file, of another kind, damaged, or not of numbers.

    >>> steps = open_steps(np.arange(10.0))
    >>> steps.reader()(3, 5)
    array([3., 4.])
    """
    if isinstance(source, np.ndarray):
        if not source.ndim or source.dtype.hasobject:
            raise DataError(f"expected an array of numbers [N, ...], got {list(source.shape)} of {source.dtype}")
        return ArraySteps(source)
    path = _file(source)
    if path.suffix.lower() == ".npy":
        return NpySteps(path)
    return TableSteps(path, columns)


def sequence_starts(source: Any, column: str) -> np.ndarray:
    """Where sequences begin in a table, whose rows have the same value in `column` for the same sequence: int64 `[S]`.

    The column is read a piece at a time; what is kept are the S places.

    Raises:
        DataError: no such file or column; or a sequence goes on after another one has begun.
    """
    path = _file(source)
    group, schema = _opened(path)
    if column not in schema.names:
        raise DataError(f'"{path}" has no column "{column}" of sequences: {nearest(column, schema.names)}')
    found, last, row, seen = [], None, 0, set()
    for number in range(len(_sizes(path))):
        names = group(number, [column]).column(column)
        for part in blocks(0, len(names), SCANNED):
            values = names.slice(part.start, part.stop - part.start).to_pylist()
            for value in values:
                if row == 0 or value != last:
                    if value in seen:
                        raise DataError(
                            f'"{path}", row {row + 1}: sequence {value!r} of column "{column}" goes on after another '
                            "has begun; sort the rows so that each sequence is in one place"
                        )
                    seen.add(value)
                    found.append(row)
                    last = value
                row += 1
    return np.array(found, np.int64)


def _file(source: Any) -> Path:
    if not isinstance(source, (str, os.PathLike)):
        raise DataError(f"expected an array or the path of a file, got {type(source).__name__}")
    path = Path(source)
    if not path.is_file():
        near = (entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else ()
        raise DataError(f'no file "{path}": {nearest(path.name, near)}')
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f'cannot read "{path}" step by step: the name must end in one of {", ".join(SUFFIXES)}')
    return path


Group = Callable[[int, list[str]], pa.Table]


def _opened(path: Path) -> tuple[Group, pa.Schema]:
    """A function that reads some columns of a row group (of Arrow, a batch), and the schema."""
    if path.suffix.lower() in PARQUET:
        try:
            file = pq.ParquetFile(path, memory_map=False, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f'"{path}" is not a readable Parquet file: {error}') from error
        return (lambda k, names: file.read_row_group(k, columns=names, use_threads=False)), file.schema_arrow
    try:
        batches = pa.ipc.open_file(pa.OSFile(str(path)))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f'"{path}" is not a readable Arrow file: {error}') from error

    def group(k: int, names: list[str]) -> pa.Table:
        return pa.Table.from_batches([batches.get_batch(k)]).select(names)

    return group, batches.schema


def _sizes(path: Path) -> list[int]:
    """The rows of each group."""
    if path.suffix.lower() in PARQUET:
        metadata = pq.read_metadata(path)
        return [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    batches = pa.ipc.open_file(pa.OSFile(str(path)))  # the format does not say it in one place
    return [batches.get_batch(k).num_rows for k in range(batches.num_record_batches)]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
