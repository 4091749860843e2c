"""Columns of a table as arrays: numbers, categories, series, and the search for the one that holds the time."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from gatewise.data.table import first_index, is_text
from gatewise.data.timeformats import readable_share
from gatewise.errors import DataError

# arrow makes its compute functions at import, where a type checker cannot see them
pc: Any = pyarrow.compute

MISSING_TEXT = pa.array(["", "na", "n/a", "nan", "null", "#n/a"])
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?inf(inity)?$"
TIME_NAMES = (
    "time", "date", "datetime", "date_time", "timestamp", "time_stamp", "ds", "ts", "month", "day", "period",
    "year", "quarter", "week", "hour", "step", "t", "index",
)  # fmt: skip
SURE_NAMES = TIME_NAMES[:7]
LOOKED_AT = 50
LARGEST = 1e140  # sums of squares of more would overflow double precision


def numeric_column(column: pa.ChunkedArray, name: str, role: str) -> np.ndarray:
    """A column as float64 `[N]`, NaN where it is missing; true is 1. A view of the column where it holds just that.

    Raises `DataError` with row (from 1) and value for text that is no number and for infinite values.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(pa.string()) if is_text(kind) else column.cast(kind.value_type)
        kind = column.type
    if is_text(kind):
        column = _numbers_in_text(column, name, role)
    elif pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    elif not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    ):
        raise DataError(f'column "{name}" holds {kind}: as {role} it must hold numbers')
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    # of a column with nulls a copy with NaN in their place; else a view, which nothing may write to
    values = column.cast(pa.float64(), safe=False).to_numpy()
    infinite = np.isinf(values)
    if infinite.any():
        row = first_index(infinite)
        raise DataError(
            f'column "{name}" ({role}), row {row + 1}: {values[row]} is not a finite number'
            f"{_in_all(int(infinite.sum()))}; replace it, or leave the field empty if it is missing"
        )
    large = (values > LARGEST) | (values < -LARGEST)
    if large.any():
        row = first_index(large)
        raise DataError(
            f'column "{name}" ({role}), row {row + 1}: {values[row]:g} is too large to compute with'
            f"{_in_all(int(large.sum()))}; expected at most {LARGEST:g} in size. Correct it, or change the unit"
        )
    return values


def is_categorical(column: pa.ChunkedArray) -> bool:
    """Whether a column holds categories: text most of which is no number (text among numbers is a mistake)."""
    if not is_text(column.type):
        return False
    present = _present(column.cast(pa.string()))
    if not len(present):
        return False
    numbers = pc.sum(pc.match_substring_regex(present, NUMBER, ignore_case=True)).as_py()
    return 2 * numbers <= len(present) or numbers == len(present)


def encode_categories(column: pa.ChunkedArray, known: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes int32 `[N]` (0: missing or unknown, k: the k-th category) and the categories, sorted or as `known`."""
    text = column.cast(pa.string())
    text = pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), pa.scalar(None, pa.string()), text)
    categories = tuple(sorted(pc.unique(text.drop_null()).to_pylist())) if known is None else tuple(known)
    index = pc.index_in(text, pa.array(categories, pa.string()), skip_nulls=True)
    return np.array(pc.add(pc.fill_null(index, -1), 1).cast(pa.int32()).to_numpy(), np.int32), categories


def series_codes(column: pa.ChunkedArray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The series of each row, int64 `[N]`, and their ids as text in order of first appearance.

    Raises `DataError` for a row without an id.
    """
    text = column.cast(pa.string())
    ids = pc.unique(text)
    if any(not (value or "").strip() for value in ids.to_pylist()):
        empty = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(text), ""), True)
        raise DataError(
            f'id column "{name}", row {first_index(empty) + 1}: the id is missing; every row must name its series'
        )
    return pc.index_in(text, ids).cast(pa.int64()).to_numpy(), tuple(ids.to_pylist())


def constant_in_series(
    values: np.ndarray, missing: np.ndarray, series: np.ndarray, count: int, name: str
) -> np.ndarray:
    """Reduce `values` `[N]` of a static column to one per series `[S]`, skipping `missing` ones.

    Series without any keep the value that marks a missing one. Raises `DataError` for a row that differs within its
    series.
    """
    present = np.flatnonzero(~missing)
    with_value, first = np.unique(series[present], return_index=True)
    blank = np.nan if values.dtype.kind == "f" else 0
    reduced = np.full(count, blank, values.dtype)
    reduced[with_value] = values[present[first]]
    differs = values[present] != reduced[series[present]]
    if differs.any():
        row = int(present[first_index(differs)])
        raise DataError(
            f'static column "{name}", row {row + 1}: its value differs from an earlier row of the same series; '
            "a static column holds one value a series (use past or future for one that changes)"
        )
    return reduced


def find_time_column(table: pa.Table, taken: Collection[str]) -> str | None:
    """The column, not among `taken`, that holds the time: the usual name first, else the only one with time stamps.

    Whole numbers count only under a usual name and where they increase. Raises `DataError` where several columns could
    be meant.
    """
    free = [name for name in table.column_names if name not in taken]
    found = sorted((name for name in free if _holds_times(table.column(name))), key=_rank)
    if not found:
        numbers = [n for n in free if _rank(n) < len(TIME_NAMES) and _counts_up(table.column(n))]
        # a column called "date" that cannot be read as one is worth an error, which reading it will give
        sure = [n for n in free if n.strip().lower() in SURE_NAMES and not _is_number(table.column(n).type)]
        return min(numbers or sure, key=_rank, default=None)
    if len(found) > 1 and _rank(found[0]) == len(TIME_NAMES):
        raise DataError(
            f"several columns could hold the time: {', '.join(found)}; say which with --time (time= in Python)"
        )
    return found[0]


def _rank(name: str) -> int:
    name = name.strip().lower()
    return TIME_NAMES.index(name) if name in TIME_NAMES else len(TIME_NAMES)


def _holds_times(column: pa.ChunkedArray) -> bool:
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    if not is_text(column.type):
        return False
    some = column.cast(pa.string()).slice(0, 100 * LOOKED_AT).drop_null().unique()[:LOOKED_AT].to_pylist()
    some = [text for text in some if text.strip()]
    # one unreadable stamp among many is to be reported as such, not to make the column something else
    return len(some) > 0 and readable_share(some) > 0.8


def _is_number(kind: pa.DataType) -> bool:
    return (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    )


def _counts_up(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_integer(column.type) or column.null_count:
        return False
    return bool((np.diff(column.cast(pa.int64()).to_numpy()) > 0).all())


def _present(text: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.utf8_trim_whitespace(text.drop_null())
    return text.filter(pc.invert(pc.is_in(pc.utf8_lower(text), MISSING_TEXT)))


def _numbers_in_text(column: pa.ChunkedArray, name: str, role: str) -> pa.ChunkedArray:
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    text = pc.if_else(pc.is_in(pc.utf8_lower(text), MISSING_TEXT), pa.scalar(None, pa.string()), text)
    wrong = pc.fill_null(pc.invert(pc.match_substring_regex(text, NUMBER, ignore_case=True)), False)
    if pc.any(wrong).as_py():
        row = first_index(wrong)
        value = column[row].as_py()
        hint = (
            "write decimals with a point" if "," in value else "correct it, or leave the field empty if it is missing"
        )
        raise DataError(
            f'column "{name}" ({role}), row {row + 1}: "{value}" is not a number'
            f"{_in_all(pc.sum(wrong).as_py())}; {hint}"
        )
    return text.cast(pa.float64())


def _in_all(count: int) -> str:
    return f" (and {count - 1} more like it)" if count > 1 else ""
