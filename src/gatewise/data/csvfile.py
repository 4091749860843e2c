"""CSV files, plain or compressed with gzip, read strictly: every message names the file, the row and the column."""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as pa_csv

from gatewise.errors import DataError

# arrow makes its compute functions at import, where a type checker cannot see them
pc: Any = pyarrow.compute

GZIP = ".gz"
CODE = r"^[+-]?0\d|^[+-]?\d{19}"  # as a number it would lose its zeros, or its last digits


def read_csv(path: Path, delimiter: str, codes: Collection[str]) -> pa.Table:
    """The table in a CSV file; see `read_table`. Fields lie between `delimiter`, or what the header has in its place.

    Raises:
        DataError: the file is not gzip although it is named so, is undecodable or ragged, or has no header.
    """
    header = _header(path)
    if delimiter not in header:
        delimiter = next((other for other in ";\t," if other in header), delimiter)
    fields = [field.strip() for field in next(csv.reader([header], delimiter=delimiter))]
    if all(_is_value(field) for field in fields):
        raise DataError(
            f'"{path}" has no header: its first line is "{header[:80]}"; put a line with the column names above it'
        )
    check_names(fields, f'"{path}"')
    # a blank line is a missing value where there is one column, and nothing where there are more
    parse = _parse(delimiter, ignore_empty_lines=len(fields) > 1)
    try:
        table = _codes_as_text(path, parse, _read(path, parse), codes)
    except pa.ArrowInvalid as error:
        raise _invalid(path, delimiter, error) from error
    except OSError as error:
        if path.suffix.lower() != GZIP:
            raise
        raise _not_gzip(path, error) from error
    for name in table.column_names:
        if pa.types.is_binary(table.schema.field(name).type):
            raise _undecodable(path, name, table.column(name))
    return table.rename_columns([name.strip() for name in table.column_names])


def check_names(names: list[str], where: str) -> None:
    """That there are column names, each once and none empty. Raises `DataError`."""
    if not names:
        raise DataError(f"{where} has no columns: at least one is needed")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        places = ", ".join(str(i) for i, name in enumerate(names, 1) if name == twice[0])
        raise DataError(
            f'{where} has {len(twice)} column names more than once: "{twice[0]}" (columns {places}); rename them'
        )
    if "" in names:
        raise DataError(f"{where} has no name for column {names.index('') + 1}: give every column one")


def _read(path: Path, parse: pa_csv.ParseOptions) -> pa.Table:
    """The table with inferred types, without the text of the whole file in memory beside it.

    Arrow infers a column's type from all its values and holds their text until then. Types that fit the first block
    and every later value are those it would infer; where a later value does not fit, it has to infer after all.
    """
    with pa_csv.open_csv(_open(path), parse_options=parse) as reader:
        types = {field.name: field.type for field in reader.schema if not pa.types.is_null(field.type)}
    try:
        convert = pa_csv.ConvertOptions(column_types=types)
        return pa_csv.read_csv(_open(path), parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid:
        return pa_csv.read_csv(_open(path), parse_options=parse)


def _codes_as_text(path: Path, parse: pa_csv.ParseOptions, table: pa.Table, codes: Collection[str]) -> pa.Table:
    """The table with those columns of `codes` as written which would lose digits as numbers: 007 is not 7."""
    for k, field in enumerate(table.schema):
        if field.name.strip() not in codes or not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            continue
        convert = pa_csv.ConvertOptions(include_columns=[field.name], column_types={field.name: pa.string()})
        with pa_csv.open_csv(_open(path), parse_options=parse, convert_options=convert) as reader:
            if any(pc.any(pc.match_substring_regex(batch.column(0), CODE)).as_py() for batch in reader):
                text = pa_csv.read_csv(_open(path), parse_options=parse, convert_options=convert)
                table = table.set_column(k, field.name, text.column(0))
    return table


def _open(path: Path) -> pa.NativeFile:
    # arrow would know compressed files by their names as well, but not in capitals
    return pa.input_stream(str(path), compression="gzip" if path.suffix.lower() == GZIP else None)


def _parse(delimiter: str, ignore_empty_lines: bool = True) -> pa_csv.ParseOptions:
    return pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=ignore_empty_lines)


def _header(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix.lower() == GZIP else path.open("rb") as file:
            line = next((line for line in file if line.strip()), b"")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _not_gzip(path, error) from error
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f'"{path}" is written in UTF-16: save it as UTF-8')
    try:
        header = line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f'"{path}" is not UTF-8 text: byte {error.start} of its header {error.reason}; save it as UTF-8'
        ) from error
    if not header.strip():
        raise DataError(f'"{path}" holds only blank lines: expected a table with a header line and at least one row')
    if "\0" in header:
        raise DataError(f'"{path}" is not text: its header holds a zero byte; expected UTF-8 text')
    return header


def _is_value(field: str) -> bool:
    """Whether a header field reads as a number or a date, which a column name hardly does."""
    for parse in (float, date.fromisoformat, datetime.fromisoformat):
        try:
            parse(field)
        except ValueError:
            continue
        return True
    return False


def _not_gzip(path: Path, error: Exception) -> DataError:
    return DataError(
        f'"{path}" is not a whole gzip file, as its name says: {error}. Copy it again, or name it as what it is'
    )


def _invalid(path: Path, delimiter: str, error: pa.ArrowInvalid) -> DataError:
    wrong: list[pa_csv.InvalidRow] = []

    def remember(row: pa_csv.InvalidRow) -> str:
        wrong.append(row)
        return "skip"

    # rows are numbered only when read by one thread, so the slow reading happens only to tell where it went wrong
    parse = pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember)
    try:
        pa_csv.read_csv(_open(path), read_options=pa_csv.ReadOptions(use_threads=False), parse_options=parse)
    except pa.ArrowInvalid:
        return DataError(f'"{path}" is not a readable CSV file: {error}')
    if not wrong:
        return DataError(f'"{path}" is not a readable CSV file: {error}')
    first = wrong[0]
    return DataError(
        f'"{path}", row {first.number - 1} (counted under the header): expected {first.expected_columns} fields, '
        f"got {first.actual_columns} in {first.text[:80]!r}"
        + (" (a quotation mark is not closed)" if first.text.count('"') % 2 else "")
        + (f"; {len(wrong)} rows in all do not fit the header" if len(wrong) > 1 else "")
    )


def _undecodable(path: Path, name: str, column: pa.ChunkedArray) -> DataError:
    for row, value in enumerate(column.to_pylist(), 1):
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            return DataError(
                f'"{path}", row {row}, column "{name}": {value[:40]!r} is not UTF-8 text; save the file as UTF-8'
            )
    return DataError(f'"{path}", column "{name}" holds bytes, not text; save the file as UTF-8')
