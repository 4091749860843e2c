"""Tables: files and data frames in, `pyarrow.Table` out; written whole or not at all."""

import csv
import io
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO, cast

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from gatewise import disk
from gatewise.data.csvfile import GZIP, check_names, read_csv
from gatewise.errors import DataError, nearest

# arrow makes its compute functions at import, where a type checker cannot see them
pc: Any = pyarrow.compute

DELIMITERS = {".csv": ",", ".tsv": "\t"}
PARQUET = (".parquet", ".pq")
SUFFIXES = (*DELIMITERS, *PARQUET)  # of what is written
READABLE = (*DELIMITERS, *(f"{suffix}{GZIP}" for suffix in DELIMITERS), *PARQUET)


def read_table(source: Any, codes: Collection[str] = ()) -> pa.Table:
    """A table from a file or from any data frame.

    `source` is a path to a `.csv`, `.tsv` (UTF-8, one header line; commas, semicolons or tabs between the fields),
    `.csv.gz`, `.tsv.gz`, `.parquet` or `.pq` file, or a pandas, polars or pyarrow table, or any other frame narwhals
    knows. In columns of numbers an empty field, `NA`, `NaN` or `null` is a missing value. A pandas index that carries a
    name or time stamps becomes a column. `codes` are the columns that name something, such as a series: they are read
    from text files as written where they would lose digits as numbers (007).

    Raises `DataError` for a missing, empty, undecodable or ragged file, a header that is missing or repeats a name, an
    unsupported file type and an object that is no table. Rows are numbered from 1, the first row under the header.

    >>> read_table(pa.table({"month": ["1949-01", "1949-02"], "passengers": [112, 118]})).num_rows
    2
    """
    if isinstance(source, (str, Path)):
        try:
            table, where = _read_file(Path(source), codes), f'"{source}"'
            # What the reading needed is larger than the table, and arrow would keep it for the next one.
            pa.default_memory_pool().release_unused()
        except OSError as error:
            raise DataError(f'cannot read "{source}": {error.strerror or error}') from error
    else:
        table, where = _from_frame(source), "the table"
    check_names(table.column_names, where)
    if table.num_rows == 0:
        raise DataError(
            f"{where} has a header ({', '.join(table.column_names[:20])}) but no rows: at least one is needed"
        )
    return _plain_text(table)


def table_like(table: pa.Table, given: Any) -> Any:
    """`table` in the library that `given` is of: pandas, polars, else Arrow.

    >>> table_like(pa.table({"x": [1]}), "data.csv").num_rows
    1
    """
    module = type(given).__module__.split(".")[0]
    if module == "pandas":
        return table.to_pandas()
    if module == "polars":
        import polars

        return polars.from_arrow(table)
    return table


def table_columns(table: pa.Table) -> tuple[str, ...]:
    """The column names of a table, in order.

    >>> table_columns(pa.table({"month": ["1949-01"], "passengers": [112]}))
    ('month', 'passengers')
    """
    return tuple(table.column_names)


def require_column(table: pa.Table, name: str, role: str) -> pa.ChunkedArray:
    """The column `name`, or a `DataError` that says which `role` asked for it and suggests the nearest name.

    >>> require_column(pa.table({"load": [112]}), "laod", "target")
    Traceback (most recent call last):
    gatewise.errors.DataError: no column "laod" (asked for as target): did you mean "load"? There is: load
    """
    if name not in table.column_names:
        raise DataError(f'no column "{name}" (asked for as {role}): {nearest(name, table.column_names)}')
    return table.column(name)


def write_table(table: pa.Table, path: str | Path) -> None:
    """Write a table to a `.csv`, `.tsv`, `.parquet` or `.pq` file: complete under its name, or not at all.

    Time stamps are written to CSV as briefly as they allow (`1949-01-01` when every one of a column is midnight).
    Raises `DataError` for an unsupported file type, a missing folder, and a path that is a folder.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f'cannot write "{path}": the name must end in one of {", ".join(SUFFIXES)}')
    try:
        if path.is_dir():
            raise DataError(f'cannot write "{path}": it is a folder; give the name of a file')
        if not path.parent.is_dir():
            raise DataError(f'cannot write "{path}": the folder "{path.parent}" does not exist; create it first')
        with disk.new_file(path) as sink:
            _write(table, path.suffix.lower(), sink)
    except OSError as error:
        raise DataError(f'cannot write "{path}": {error.strerror or error}') from error
    except pa.ArrowException as error:
        raise DataError(f'cannot write "{path}": {error}') from error


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text (plain, large, or as a dictionary of text)."""
    if pa.types.is_dictionary(kind):
        kind = cast(pa.DictionaryType, kind).value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _write(table: pa.Table, suffix: str, sink: BinaryIO) -> None:
    if suffix in PARQUET:
        pa_parquet.write_table(table, sink)
        return
    columns = [_brief_times(column) if pa.types.is_timestamp(column.type) else column for column in table.columns]
    # arrow would put every name into quotes
    header = io.StringIO()
    csv.writer(header, delimiter=DELIMITERS[suffix], lineterminator="\n").writerow(table.column_names)
    sink.write(header.getvalue().encode())
    options = pa_csv.WriteOptions(include_header=False, delimiter=DELIMITERS[suffix])
    pa_csv.write_csv(pa.table(columns, names=table.column_names), sink, options)


def _brief_times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    zone = column.type.tz
    for unit in (pa.date32(), pa.timestamp("s", zone)):
        brief = column.cast(unit, safe=False)
        if brief.cast(column.type).equals(column):
            return brief
    return column


def _read_file(path: Path, codes: Collection[str]) -> pa.Table:
    if path.is_dir():
        raise DataError(f'"{path}" is a folder: expected a file ending in one of {", ".join(READABLE)}')
    if not path.exists():
        raise DataError(f'no file "{path}": {_nearest_file(path)}')
    suffix = _readable_suffix(path.name)
    if suffix is None:
        raise DataError(f'cannot read "{path}": the name must end in one of {", ".join(READABLE)}')
    if path.stat().st_size == 0:
        raise DataError(f'"{path}" is empty: expected a table with a header line and at least one row')
    if suffix in PARQUET:
        try:
            # not read_table, which cannot read a file that repeats a column name, and so not say so
            return pa_parquet.ParquetFile(path).read()
        except (pa.ArrowException, OSError) as error:
            raise DataError(f'"{path}" is not a readable Parquet file: {error}') from error
    return read_csv(path, DELIMITERS[suffix.removesuffix(GZIP)], codes)


def _readable_suffix(name: str) -> str | None:
    return next((suffix for suffix in READABLE if name.lower().endswith(suffix)), None)


def _nearest_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f'the folder "{path.parent}" does not exist'
    return nearest(path.name, (entry.name for entry in path.parent.iterdir() if _readable_suffix(entry.name)))


def _from_frame(source: Any) -> pa.Table:
    if isinstance(source, pa.Table):
        return source
    try:
        return _arrow_from(nw.from_native(source, pass_through=True))
    except nw.exceptions.DuplicateError as error:
        raise DataError(f"the table has a column name more than once: {error}") from error
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"a column of the table mixes types that do not go together: {error}") from error


def _arrow_from(frame: Any) -> pa.Table:
    if not isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        raise DataError(
            f"expected a path or a table (pandas, polars, pyarrow, ...), got an object of type {type(frame).__name__}"
        )
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    index = nw.maybe_get_index(eager)
    if index is None:
        return eager.to_arrow()
    # pandas: time stamps often live in the index, which arrow would otherwise carry along without a usable name
    kind = type(index).__name__
    named = getattr(index, "names", [None]) != [None]
    native = eager.to_native()
    if kind in ("DatetimeIndex", "PeriodIndex") or named:
        if kind == "PeriodIndex":
            native = native.to_timestamp()
        if not named:
            native = native.rename_axis("time")
        taken = [name for name in native.index.names if name in native.columns]
        if taken:
            raise DataError(f'the index of the table and one of its columns are both named "{taken[0]}"; rename one')
        native = native.reset_index()
    return pa.Table.from_pandas(native, preserve_index=False)


def _plain_text(table: pa.Table) -> pa.Table:
    """The table with every text column as plain strings, whichever of arrow's text types it came in."""
    for i, field in enumerate(table.schema):
        if is_text(field.type) and not pa.types.is_string(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.string()))
    return table.replace_schema_metadata(None)


def first_index(mask: pa.ChunkedArray | np.ndarray) -> int:
    """The index of the first true value of a mask that has one."""
    if isinstance(mask, pa.ChunkedArray):
        return cast(int, pc.index(mask, pa.scalar(True)).as_py())
    return int(np.argmax(mask))
