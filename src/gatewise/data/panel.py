"""Panels: one or many series over regular time, with their covariates, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from gatewise.data.columns import (
    constant_in_series,
    encode_categories,
    find_time_column,
    is_categorical,
    numeric_column,
    series_codes,
)
from gatewise.data.grid import Duplicates, Gaps, lay_grid
from gatewise.data.table import is_text, require_column
from gatewise.data.timeline import Frequency, read_times
from gatewise.errors import DataError


@dataclass(frozen=True)
class Roles:
    """Which column of a table plays which part.

    `target` is forecast. `time` holds the time stamps (None: found by itself) and `id` names the series of each row
    (None: one series). `past` covariates are known up to now, `future` ones also over the horizon, `static` ones hold
    one value a series. Raises `DataError` for a column in two roles.

    >>> Roles("load", time="hour", future=("holiday",)).future
    ('holiday',)
    """

    target: str
    time: str | None = None
    id: str | None = None
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("past", "future", "static"):
                if isinstance(value, str):
                    raise DataError(f'{field.name} takes a sequence of column names, got the text "{value}"')
                value = tuple(value)
                object.__setattr__(self, field.name, value)
            for name in (value,) if isinstance(value, str) else value or ():
                if name in seen:
                    other = (
                        f"as {seen[name]} and as {field.name}" if seen[name] != field.name else f"twice as {field.name}"
                    )
                    raise DataError(f'column "{name}" is named {other}; a column has one role')
                seen[name] = field.name

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that has a role."""
        single = (name for name in (self.target, self.time, self.id) if name is not None)
        return (*single, *self.past, *self.future, *self.static)


@dataclass(frozen=True, eq=False)
class Panel:
    """S series over N rows, sorted by series and time, each at regular steps without gaps.

    `offsets` int64 `[S+1]`: series i is the rows `offsets[i]:offsets[i+1]`. `times` `[N]`: datetime64[us], or int64
    steps. `numeric`: the target and the numeric past and future covariates, float64 `[N]`, NaN where missing.
    `categorical`: the other past and future covariates as int32 codes `[N]`, 0 where missing or unknown, k for the k-th
    of `categories`. `static_numeric`, `static_categorical`: the same per series `[S]`. `notes` say, for people, what
    was found and done.

    >>> table = pa.table({"month": ["1949-01", "1949-02", "1949-03"], "passengers": [112, 118, 132]})
    >>> panel = Panel.from_table(table, Roles("passengers"))
    >>> panel.roles.time, panel.frequency.name, panel.numeric["passengers"]
    ('month', 'month', array([112., 118., 132.]))
    """

    ids: tuple[str, ...]
    offsets: np.ndarray
    times: np.ndarray
    frequency: Frequency
    roles: Roles
    numeric: dict[str, np.ndarray]
    categorical: dict[str, np.ndarray]
    categories: dict[str, tuple[str, ...]]
    static_numeric: dict[str, np.ndarray]
    static_categorical: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()

    @classmethod
    def from_table(
        cls,
        table: pa.Table,
        roles: Roles,
        *,
        gaps: Gaps = "error",
        duplicates: Duplicates = "error",
        frequency: Frequency | None = None,
        categories: Mapping[str, Sequence[str]] | None = None,
        require_target: bool = True,
        day_first: bool | None = None,
    ) -> "Panel":
        """Read a table in long format: one row a time stamp and series, in any order.

        `gaps` says what to do about missing time stamps: refuse them, insert rows of missing values ("mask"), or insert
        rows with numbers interpolated over time and categories carried forward. Rows that exist stay, whatever they
        lack. `duplicates` says which row of the same series and time stands ("mean": numbers averaged, missing ones
        left out). At prediction give the `frequency` and the `categories` of training: columns named in `categories`
        are categorical and their unseen values get code 0, all others are numeric; `require_target=False` allows a
        table without the target. `day_first`: see `parse_times`.

        Raises `DataError` for a missing column, an unreadable, missing or duplicate time stamp, gaps, text in a numeric
        column, infinite values, and static values that change; with row (from 1) and value.
        """
        _check_option("gaps", gaps, Gaps)
        _check_option("duplicates", duplicates, Duplicates)
        for field in fields(roles):
            names = getattr(roles, field.name)
            for name in (names,) if isinstance(names, str) else names or ():
                if name != roles.target or require_target:
                    require_column(table, name, field.name)
        if table.num_rows == 0:
            raise DataError("the table has no rows: at least one is needed")
        roles, series, ids, times, notes, said = _axes(table, roles, day_first)
        grid = lay_grid(
            series, times, ids, gaps=gaps, duplicates=duplicates, frequency=frequency, named=roles.id is not None,
            hint=_id_hint(table, roles), said=said,
        )  # fmt: skip
        known = None if categories is None else dict(categories)
        numeric, categorical, found = {}, {}, {}
        for role, names in (("target", (roles.target,)), ("past", roles.past), ("future", roles.future)):
            for name in names:
                if name not in table.column_names:
                    numeric[name] = np.full(len(grid.times), np.nan)
                elif role != "target" and _as_categories(table.column(name), name, known):
                    codes, found[name] = encode_categories(table.column(name), known[name] if known else None)
                    categorical[name] = grid.codes(codes)
                else:
                    numeric[name] = grid.numbers(numeric_column(table.column(name), name, role))
        static_numeric, static_categorical = {}, {}
        for name in roles.static:
            column = table.column(name)
            if _as_categories(column, name, known):
                codes, found[name] = encode_categories(column, known[name] if known else None)
                static_categorical[name] = constant_in_series(codes, codes == 0, series, len(ids), name)
            else:
                values = numeric_column(column, name, "static")
                static_numeric[name] = constant_in_series(values, np.isnan(values), series, len(ids), name)
        panel = cls(
            ids, grid.offsets, grid.times, grid.frequency, roles, numeric, categorical, found,
            static_numeric, static_categorical,
        )  # fmt: skip
        return replace(panel, notes=(*notes, *grid.notes, *_missing_notes(panel, grid.inserted)))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Rows of each series, int64 `[S]`."""
        return np.diff(self.offsets)

    @property
    def target(self) -> np.ndarray:
        """The target, float64 `[N]`."""
        return self.numeric[self.roles.target]

    @cached_property
    def observed_lengths(self) -> np.ndarray:
        """Rows of each series up to the last known target, int64 `[S]`; what follows is there to be forecast."""
        found = np.zeros(len(self), np.int64)
        for i in range(len(self)):
            backwards = ~np.isnan(self.target[self.series(i)])[::-1]
            found[i] = len(backwards) - np.argmax(backwards) if backwards.any() else 0
        return found

    def series(self, i: int) -> slice:
        """The rows of series `i`."""
        return slice(int(self.offsets[i]), int(self.offsets[i + 1]))

    def slice_rows(self, begins: Any, ends: Any) -> "Panel":
        """The rows `begins[i]:ends[i]` of each series i, counted in the series (`[S]` or a scalar)."""
        ends = np.clip(np.broadcast_to(np.asarray(ends, np.int64), len(self)), 0, self.lengths)
        begins = np.clip(np.broadcast_to(np.asarray(begins, np.int64), len(self)), 0, ends)
        return self._rows(self.offsets[:-1] + begins, ends - begins)

    def head(self, n: Any) -> "Panel":
        """The first `n` rows of each series (`[S]` or a scalar)."""
        return self.slice_rows(0, n)

    def tail(self, n: Any) -> "Panel":
        """The last `n` rows of each series (`[S]` or a scalar)."""
        return self.slice_rows(np.maximum(self.lengths - np.asarray(n, np.int64), 0), self.lengths)

    def until(self, i: int, n: int) -> "Panel":
        """Series `i` alone, its first `n` rows."""
        return self.select([i]).head(n)

    def select(self, series: Sequence[int] | np.ndarray) -> "Panel":
        """Some of the series, in the order given."""
        chosen = np.asarray(series, np.int64)
        panel = self._rows(self.offsets[chosen], self.lengths[chosen])
        return replace(
            panel,
            ids=tuple(self.ids[i] for i in chosen),
            static_numeric={name: values[chosen] for name, values in self.static_numeric.items()},
            static_categorical={name: values[chosen] for name, values in self.static_categorical.items()},
        )

    def future_times(self, i: int, horizon: int) -> np.ndarray:
        """The `horizon` time stamps after the last known target of series `i`, `[horizon]`."""
        last = self.offsets[i] + max(int(self.observed_lengths[i]) - 1, 0)
        return self.frequency.add(self.times[last], np.arange(1, horizon + 1))

    def _rows(self, starts: np.ndarray, lengths: np.ndarray) -> "Panel":
        offsets = np.append(0, np.cumsum(lengths)).astype(np.int64)
        rows = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return replace(
            self,
            offsets=offsets,
            times=self.times[rows],
            numeric={name: values[rows] for name, values in self.numeric.items()},
            categorical={name: values[rows] for name, values in self.categorical.items()},
        )


def check_target(panel: Panel, name: str | None = None) -> None:
    """Refuse a target (or another numeric column `name`) nothing can be learned from: all missing, or constant.

    Raises `DataError`.
    """
    name = panel.roles.target if name is None else name
    values = panel.numeric[name]
    # fmin and fmax pass over missing values without a copy of the others.
    least, most = (float(f.reduce(values)) if len(values) else np.nan for f in (np.fmin, np.fmax))
    if np.isnan(least):
        raise DataError(f'column "{name}" has no value in any of its {len(values)} rows: nothing to learn from')
    if np.isinf(least) or np.isinf(most):
        raise DataError(f'column "{name}" holds infinite values: replace them, or leave them out as missing')
    if least == most:
        known = len(values) - int(np.isnan(values).sum())
        raise DataError(
            f'column "{name}" is constant: all {known} values are {least:g}; there is nothing to learn. '
            "Is it the right column?"
        )


def _check_option(name: str, value: str, allowed: Any) -> None:
    if value not in get_args(allowed):
        raise DataError(f'{name} is one of {", ".join(get_args(allowed))}; got "{value}"')


def _axes(
    table: pa.Table, roles: Roles, day_first: bool | None
) -> tuple[Roles, np.ndarray, tuple[str, ...], np.ndarray, list[str], tuple[str, ...] | None]:
    """The series and the time of each row of a table, the roles with the time column resolved, and the notes: all of
    them, and those on how the times were read (None: there is no time column).
    """
    notes: list[str] = []
    if roles.id is None:
        series, ids = np.broadcast_to(np.int64(0), table.num_rows), ("",)
    else:
        series, ids = series_codes(table.column(roles.id), roles.id)
    if roles.time is None:
        name = find_time_column(table, roles.names)
        if name is not None:
            roles = replace(roles, time=name)
            notes.append(f'The time is taken from column "{name}".')
    if roles.time is None:
        notes.append("No column holds a time: the rows are taken in their order, as steps 0, 1, 2, ...")
        if roles.id is None:
            return roles, series, ids, np.arange(table.num_rows), notes, None
        order = np.argsort(series, kind="stable")
        times = np.empty(table.num_rows, np.int64)
        starts = np.searchsorted(series[order], np.arange(len(ids)))
        times[order] = np.arange(table.num_rows) - starts[series[order]]
        return roles, series, ids, times, notes, None
    times, said = read_times(table.column(roles.time), roles.time, day_first=day_first)
    return roles, series, ids, times, [*notes, *said], said


def _as_categories(column: pa.ChunkedArray, name: str, known: Mapping[str, Sequence[str]] | None) -> bool:
    return is_categorical(column) if known is None else name in known


def _id_hint(table: pa.Table, roles: Roles) -> str:
    if roles.id is not None:
        return ""
    free = [name for name in table.column_names if name not in roles.names and is_text(table.schema.field(name).type)]
    like = f" (perhaps {', '.join(free[:3])})" if free else ""
    return f"if the table holds several series, name the column that tells them apart with --id{like}; otherwise "


def _missing_notes(panel: Panel, inserted: np.ndarray) -> list[str]:
    notes = []
    for name, values in panel.numeric.items():
        missing = int((np.isnan(values) & ~inserted).sum())
        if missing:
            notes.append(f'Column "{name}" lacks {missing} of {len(values)} values; they are masked.')
    for name, codes in panel.categorical.items():
        missing = int(((codes == 0) & ~inserted).sum())
        if missing:
            notes.append(
                f'Column "{name}" lacks {missing} of {len(codes)} values, or they are unknown; they have code 0.'
            )
    return notes
