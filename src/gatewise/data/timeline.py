"""Time lines: time stamps read from a column, and the regular step between them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute

from gatewise.data.blocks import blocks
from gatewise.data.table import first_index, is_text
from gatewise.data.timeformats import EXAMPLES, TimeFormat, formats_of, read_format
from gatewise.errors import DataError

# arrow makes its compute functions at import, where a type checker cannot see them
pc: Any = pyarrow.compute

MICROSECOND = 1
MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
UNIT_NAMES = {
    WEEK: "week",
    DAY: "day",
    HOUR: "hour",
    MINUTE: "minute",
    SECOND: "second",
    MILLISECOND: "millisecond",
    MICROSECOND: "microsecond",
}
MONTH_NAMES = {12: "year", 3: "quarter", 1: "month"}

Unit = Literal["microsecond", "business day", "month", "step"]


def parse_times(column: pa.ChunkedArray, name: str, *, day_first: bool | None = None) -> np.ndarray:
    """Time stamps of a column: `[N]` datetime64[us], or int64 where the column counts steps.

    Takes time stamps, dates, whole numbers, and text in one format throughout (ISO 8601, `1949-01`, `2024/01/31`,
    `31.01.2024 13:30`, `31 Jan 2024`, `2024-Q1` and the like). Whole numbers are dates if all of them read as
    YYYYMMDD, otherwise steps. Time stamps with a zone come out in UTC. `day_first` says whether `01/02/2024` is the
    first of February; without it a column that can be read both ways is refused.

    Raises `DataError` for a missing or unreadable time stamp, with its row (from 1) and value.

    >>> parse_times(pa.chunked_array([["1949-01", "1949-02"]]), "month")
    array(['1949-01-01T00:00:00.000000', '1949-02-01T00:00:00.000000'], dtype='datetime64[us]')
    """
    return read_times(column, name, day_first=day_first)[0]


def read_times(
    column: pa.ChunkedArray, name: str, *, day_first: bool | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """As `parse_times`, with notes on what a reader should know of how the column was read."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(cast(pa.DictionaryType, kind).value_type)
        kind = column.type
    if column.null_count:
        raise DataError(_missing(name, first_index(column.is_null())))
    if pa.types.is_timestamp(kind):
        return _from_stamps(column, name)
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us")).to_numpy(), ()
    if pa.types.is_integer(kind):
        return _from_integers(column.cast(pa.int64()))
    if pa.types.is_floating(kind):
        values = column.to_numpy()
        broken = ~np.isfinite(values) | (values != np.round(values)) | (np.abs(values) > 2**53)
        if broken.any():
            row = first_index(broken)
            raise DataError(
                f'time column "{name}", row {row + 1}: expected a whole number or a time, got {values[row]}'
            )
        return _from_integers(pa.chunked_array([values.astype(np.int64)]))
    if is_text(kind):
        return _from_text(column, name, day_first)
    raise DataError(
        f'time column "{name}" holds {kind}: expected dates, time stamps, whole numbers or text such as {EXAMPLES}'
    )


def _missing(name: str, row: int) -> str:
    return f'time column "{name}", row {row + 1}: the time stamp is missing; fill it in or take the row out'


def _from_stamps(column: pa.ChunkedArray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    stamp = cast(pa.TimestampType, column.type)
    try:
        times = column.cast(pa.timestamp("us", stamp.tz)).cast(pa.timestamp("us")).to_numpy()
    except pa.ArrowInvalid as error:
        raise DataError(f'time column "{name}" is finer than a microsecond, or beyond its range: {error}') from error
    if stamp.tz is None:
        return times, ()
    if stamp.tz not in ("UTC", "Etc/UTC", "Z", "+00:00"):
        times = column.cast(pa.timestamp("us", "UTC")).to_numpy().astype("datetime64[us]")
    return times, (f'The times of "{name}" carry a time zone ({stamp.tz}) and are taken in UTC.',)


def _from_integers(column: pa.ChunkedArray) -> tuple[np.ndarray, tuple[str, ...]]:
    values = column.to_numpy()
    if len(values) and values.min() >= 1800_01_01 and values.max() <= 2200_12_31:
        stamps = read_format(_COMPACT, column.cast(pa.string()))
        if stamps.valid.all():
            return stamps.times, ("Whole numbers in the time column are read as dates, YYYYMMDD.",)
    return values, ()


_COMPACT = TimeFormat("YYYYMMDD", r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})")


def _from_text(column: pa.ChunkedArray, name: str, day_first: bool | None) -> tuple[np.ndarray, tuple[str, ...]]:
    column = column.cast(pa.string())
    empty = pc.equal(pc.utf8_trim_whitespace(column), "")
    if pc.any(empty).as_py():
        raise DataError(_missing(name, first_index(empty)))
    if not len(column):
        return np.array([], "datetime64[us]"), ()
    first = cast(str, column[0].as_py())
    forms = formats_of(first)
    if not forms:
        raise DataError(
            f'time column "{name}", row 1: "{first}" is not a time stamp; expected one such as {EXAMPLES}, '
            "in one format throughout"
        )
    form = forms[0]
    orders = (True, False) if form.swappable and day_first is None else (day_first is not False,)
    readings = [read_format(form, column, day_first=order) for order in orders]
    whole = [reading for reading in readings if reading.valid.all()]
    if not whole:
        reading = max(readings, key=lambda r: int(r.valid.argmin()))
        row = int(reading.valid.argmin())
        raise DataError(
            f'time column "{name}", row {row + 1}: "{column[row].as_py()}" is not a time stamp of the form '
            f'{form.name}, which row 1 ("{first}") has; expected one format throughout'
        )
    if len(whole) == 2 and not np.array_equal(whole[0].times, whole[1].times):
        row = first_index(whole[0].times != whole[1].times)
        raise DataError(
            f'time column "{name}", row {row + 1}: "{column[row].as_py()}" can be read with the day first or the month '
            "first, and no row tells which; write dates as YYYY-MM-DD, or say day_first=True or day_first=False"
        )
    times, zoned = whole[0].times, whole[0].zoned
    if zoned.any() and not zoned.all():
        row = first_index(zoned != zoned[0])
        raise DataError(
            f'time column "{name}", row {row + 1}: "{column[row].as_py()}" {"has" if zoned[row] else "lacks"} a time '
            f'zone and row 1 ("{first}") {"lacks" if zoned[row] else "has"} one; give all of them a zone, or none'
        )
    return times, ((f'The times of "{name}" carry a time zone and are taken in UTC.',) if zoned.any() else ())


@dataclass(frozen=True)
class Frequency:
    """The regular step of a time line: `count` units.

    Months are calendar months; `day` is the day of the month on which their stamps lie (31: the last one, None: each
    stamp keeps its own). Business days are Monday to Friday. A step is a whole number without a unit.

    >>> month = Frequency.infer(np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[us]"))
    >>> month.name, str(month.add(np.datetime64("2024-03-31"), 1)), month.seasonal_periods()
    ('month', '2024-04-30T00:00:00.000000', (12,))
    """

    unit: Unit
    count: int = 1
    day: int | None = None

    def __post_init__(self) -> None:
        units = ("microsecond", "business day", "month", "step")
        if self.unit not in units:
            raise DataError(f'a frequency\'s unit is one of {", ".join(units)}; got "{self.unit}"')
        if self.count < 1:
            raise DataError(f"a frequency counts at least 1 {self.unit}; got {self.count}")
        if self.day is not None and not (self.unit == "month" and 1 <= self.day <= 31):
            raise DataError(f"a frequency's day is 1 to 31 and goes with months; got {self.day} with {self.unit}")

    @classmethod
    def infer(cls, times: np.ndarray, offsets: np.ndarray | None = None) -> "Frequency":
        """The frequency of sorted `times` `[N]`: calendar months where they fit, else the most common difference.

        `offsets` `[S+1]` mark the series within `times`; differences are taken inside each. Raises `DataError` where no
        series has two different time stamps.
        """
        borders = np.zeros(max(len(times) - 1, 0), bool)
        if offsets is not None:
            inner = np.asarray(offsets)[1:-1]
            borders[inner[(inner > 0) & (inner < len(times))] - 1] = True
        apart = ~borders & (times[1:] > times[:-1])
        if not apart.any():
            raise DataError("the frequency cannot be told: no series has two different time stamps; give more rows")
        if times.dtype.kind != "M":
            return cls("step", _most_common(times, apart))
        times = times.astype("datetime64[us]", copy=False)
        day = _day_of_months(times)
        if day is not None:
            return cls("month", _most_common(times, apart, lambda part: part.astype("datetime64[M]")), day)
        common = _most_common(times, apart)
        if common == DAY and _skips_weekends(times, apart):
            return cls("business day")
        return cls("microsecond", common)

    @property
    def name(self) -> str:
        """What a person calls it: `month`, `30 minutes`, `business day`, `step`."""
        if self.unit == "month":
            size, word = next((s, w) for s, w in MONTH_NAMES.items() if self.count % s == 0)
        elif self.unit == "microsecond":
            size, word = next((s, w) for s, w in UNIT_NAMES.items() if self.count % s == 0)
        else:
            size, word = 1, self.unit
        many = self.count // size
        return word if many == 1 else f"{many} {word}s"

    @property
    def is_calendar(self) -> bool:
        """Whether its time stamps are moments (datetime64), not whole numbers."""
        return self.unit != "step"

    def add(self, times: Any, k: Any) -> np.ndarray:
        """`times` moved by `k` steps (either a scalar or an array, broadcast): datetime64[us], or int64 for steps."""
        k = np.asarray(k, np.int64) * self.count
        if self.unit == "step":
            return np.asarray(times, np.int64) + k
        times = np.asarray(times, "datetime64[us]")
        if self.unit == "microsecond":
            return times + k.astype("timedelta64[us]")
        days = times.astype("datetime64[D]")
        clock = times - days
        if self.unit == "business day":
            return np.busday_offset(days, k, roll="forward").astype("datetime64[us]") + clock
        months = days.astype("datetime64[M]")
        day = (days - months).astype(np.int64) + 1
        if self.day is not None:
            day = np.where(day == np.minimum(self.day, _month_length(months)), self.day, day)
        months = months + k
        return (months.astype("datetime64[D]") + (np.minimum(day, _month_length(months)) - 1)).astype(
            "datetime64[us]"
        ) + clock

    def position(self, start: Any, times: Any) -> np.ndarray:
        """How many steps each of `times` lies after `start`: int64. Raises `DataError` for a time between two steps."""
        steps, on_grid = self.locate(start, times)
        if not on_grid.all():
            wrong = np.broadcast_to(np.asarray(times), on_grid.shape)[~on_grid].flat[0]
            raise DataError(f"{show_time(wrong)} does not lie a whole number of steps ({self.name}) from the start")
        return steps

    def locate(self, start: Any, times: Any) -> tuple[np.ndarray, np.ndarray]:
        """The steps of `position`, rounded down, and which of `times` lie exactly on a step."""
        if self.unit == "step":
            apart = np.asarray(times, np.int64) - np.asarray(start, np.int64)
        else:
            start, times = np.asarray(start, "datetime64[us]"), np.asarray(times, "datetime64[us]")
            if self.unit == "microsecond":
                apart = (times - start).astype(np.int64)
            elif self.unit == "business day":
                apart = np.busday_count(start.astype("datetime64[D]"), times.astype("datetime64[D]"))
            else:
                apart = (times.astype("datetime64[M]") - start.astype("datetime64[M]")).astype(np.int64)
        steps = np.asarray(apart // self.count)
        return steps, np.asarray(self.add(start, steps) == times)

    def seasonal_periods(self) -> tuple[int, ...]:
        """Natural lengths of a season in steps, shortest first: (24, 168) for an hour; () where none is natural."""
        if self.unit == "business day":
            return (5, 261) if self.count == 1 else ()
        if self.unit == "month":
            return _whole(self.count, 12)
        if self.unit == "step":
            return ()
        if self.count == WEEK or self.count == 2 * WEEK:
            return (52 * WEEK // self.count,)
        if self.count == DAY:
            return (7, 365)
        if self.count >= 5 * MINUTE:
            return _whole(self.count, DAY, WEEK)
        if self.count >= MINUTE:
            return _whole(self.count, HOUR, DAY)
        if self.count >= SECOND:
            return _whole(self.count, MINUTE, HOUR)
        return ()

    def to_dict(self) -> dict[str, str | int | None]:
        """Its fields, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Frequency":
        """The frequency that `to_dict` wrote; unknown and missing keys raise `DataError`."""
        if set(fields) != {"unit", "count", "day"}:
            raise DataError(f"a frequency is written with the keys unit, count, day; got {', '.join(sorted(fields))}")
        return cls(**fields)


def show_time(time: Any) -> str:
    """A time stamp as briefly as it can be written: `1949-01-01`, `2024-01-31 13:30`, `7`.

    >>> show_time(np.datetime64("2024-01-31T13:30:00.000000"))
    '2024-01-31 13:30'
    """
    time = np.asarray(time)
    if time.dtype.kind != "M":
        return str(int(time))
    for unit in ("D", "m", "s", "us"):
        if time.astype(f"datetime64[{unit}]") == time:
            return str(time.astype(f"datetime64[{unit}]")).replace("T", " ")
    return str(time)


def _most_common(
    times: np.ndarray, apart: np.ndarray, read: Callable[[np.ndarray], np.ndarray] = lambda part: part
) -> int:
    """The most common difference (of those the smallest) between neighbours `[N-1]` that are `apart`, as `read`."""
    found: Counter[int] = Counter()
    for part in blocks(0, len(apart)):
        differences = np.diff(read(times[part.start : part.stop + 1]))[apart[part]].astype(np.int64)
        for value, count in zip(*np.unique(differences, return_counts=True), strict=True):
            found[int(value)] += int(count)
    return max(found, key=lambda value: (found[value], -value))


def _month_length(months: np.ndarray) -> np.ndarray:
    return ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)


def _day_of_months(times: np.ndarray) -> int | None:
    """The day of the month on which all times `[N]` lie (31: the last one), at one time of day; else None."""
    clock = times[0] - times[0].astype("datetime64[D]")
    latest, always_last = 0, True
    for part in blocks(0, len(times)):
        days = times[part].astype("datetime64[D]")
        if (times[part] - days != clock).any():
            return None
        day, length = _days_and_lengths(days)
        latest, always_last = max(latest, int(day.max())), always_last and bool((day == length).all())
    last = 31 if always_last else latest
    for part in blocks(0, len(times)):
        day, length = _days_and_lengths(times[part].astype("datetime64[D]"))
        if (day != np.minimum(last, length)).any():
            return None
    return last


def _days_and_lengths(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The day of the month of each of `days`, from 1, and how many days its month has."""
    months = days.astype("datetime64[M]")
    return (days - months).astype(np.int64) + 1, _month_length(months)


def _skips_weekends(times: np.ndarray, apart: np.ndarray) -> bool:
    skipped = False
    for part in blocks(0, len(apart)):
        days = times[part.start : part.stop + 1].astype("datetime64[D]")
        if not np.is_busday(days).all():
            return False
        friday_to_monday = (np.diff(days).astype(np.int64) == 3) & (np.busday_count(days[:-1], days[1:]) == 1)
        skipped = skipped or bool((friday_to_monday & apart[part]).any())
    return skipped


def _whole(step: int, *seasons: int) -> tuple[int, ...]:
    return tuple(season // step for season in seasons if season % step == 0 and season // step > 1)
