"""The ways in which people write time stamps, and how each is read: vectorised, strict, independent of the locale."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

# arrow makes its compute functions at import, where a type checker cannot see them
pc: Any = pyarrow.compute

_CLOCK = (
    r"(?:[ T]+(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?: ?(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?)?"
)
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
_YEAR, _MONTH, _DAY, _SHORT = r"(?P<year>\d{4})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})", r"(?P<short>\d{2})"
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_NAMES = pa.array([*(name[:3] for name in _MONTHS), *_MONTHS, "sept"])
_NAME_NUMBERS = np.array([*range(1, 13), *range(1, 13), 9])
MICROSECONDS = {"hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000}


@dataclass(frozen=True)
class TimeFormat:
    """One way to write a time stamp: its name for messages, its pattern, and whether day and month could be swapped."""

    name: str
    pattern: str
    swappable: bool = False


@dataclass(frozen=True)
class Stamps:
    """Text read by one format: times `[N]` (datetime64[us], UTC where zoned), which are valid, which carry a zone."""

    times: np.ndarray
    valid: np.ndarray
    zoned: np.ndarray


FORMATS = (
    TimeFormat("YYYY-MM-DD", f"{_YEAR}-{_MONTH}-{_DAY}{_CLOCK}"),
    TimeFormat("YYYY/MM/DD", f"{_YEAR}/{_MONTH}/{_DAY}{_CLOCK}"),
    TimeFormat("YYYY.MM.DD", rf"{_YEAR}\.{_MONTH}\.{_DAY}{_CLOCK}"),
    TimeFormat("YYYYMMDD", rf"{_YEAR}(?P<month>\d{{2}})(?P<day>\d{{2}}){_CLOCK}"),
    TimeFormat("YYYY-MM", rf"{_YEAR}[-/.M](?P<month>\d{{1,2}})"),
    TimeFormat("MM/YYYY", rf"(?P<month>\d{{1,2}})[-/.]{_YEAR}"),
    TimeFormat("YYYY-Qn", rf"{_YEAR}[- ]?[Qq](?P<quarter>[1-4])"),
    TimeFormat("Qn YYYY", rf"[Qq](?P<quarter>[1-4])[- /]?{_YEAR}"),
    TimeFormat("DD.MM.YYYY", rf"{_DAY}\.{_MONTH}\.{_YEAR}{_CLOCK}"),
    TimeFormat("DD.MM.YY", rf"{_DAY}\.{_MONTH}\.{_SHORT}{_CLOCK}"),
    TimeFormat("DD/MM/YYYY or MM/DD/YYYY", f"{_DAY}/{_MONTH}/{_YEAR}{_CLOCK}", swappable=True),
    TimeFormat("DD-MM-YYYY or MM-DD-YYYY", f"{_DAY}-{_MONTH}-{_YEAR}{_CLOCK}", swappable=True),
    TimeFormat("DD/MM/YY or MM/DD/YY", f"{_DAY}/{_MONTH}/{_SHORT}{_CLOCK}", swappable=True),
    TimeFormat("DD Mon YYYY", f"{_DAY}[- /.]+{_NAME}[- /,]*{_YEAR}{_CLOCK}"),
    TimeFormat("DD-Mon-YY", f"{_DAY}[- /]{_NAME}[- /]{_SHORT}{_CLOCK}"),
    TimeFormat("Mon DD, YYYY", rf"{_NAME}[- ]{_DAY}(?:, ?|[- ]){_YEAR}{_CLOCK}"),
    TimeFormat("Mon YYYY", f"{_NAME}[- /,]*{_YEAR}"),
    TimeFormat("YYYY", _YEAR),
)
EXAMPLES = "1949-01, 2024-01-31, 2024-01-31 13:30, 2024/01/31, 31.01.2024, 31 Jan 2024, 2024-Q1"


def formats_of(text: str) -> list[TimeFormat]:
    """The formats that read this one value as an existing moment, in order of preference."""
    value = pa.array([text])
    return [f for f in FORMATS if any(read_format(f, value, day_first=d).valid[0] for d in (True, False))]


def readable_share(texts: list[str]) -> float:
    """The share of `texts` that the format which reads most of them reads."""
    values = pa.array(texts)
    return float(max(read_format(f, values, day_first=d).valid.mean() for f in FORMATS for d in (True, False)))


def read_format(form: TimeFormat, text: pa.Array | pa.ChunkedArray, day_first: bool = True) -> Stamps:
    """Read a column of text `[N]` by one format; values that do not fit or exist (30 February) are invalid."""
    count = len(text)
    found = pc.extract_regex(pc.utf8_trim_whitespace(text), f"^{form.pattern}$")
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    if isinstance(found, pa.ChunkedArray):  # no chunk at all
        found = pa.array([], found.type)
    valid = np.asarray(pc.is_valid(found))
    parts = dict(zip((field.name for field in found.type), found.flatten(), strict=True))

    def number(name: str, missing: int) -> np.ndarray:
        if name not in parts:
            return np.full(count, missing, np.int64)
        digits = pc.if_else(pc.equal(parts[name], ""), str(missing), pc.fill_null(parts[name], str(missing)))
        return np.asarray(pc.cast(digits, pa.int64()))

    year, month, day = _year(parts, number), _month(parts, number), number("day", 1)
    if form.swappable and not day_first:
        month, day = day, month
    hour, minute, second = number("hour", 0), number("minute", 0), number("second", 0)
    if "half" in parts:
        half = pc.fill_null(pc.utf8_lower(parts["half"]), "")
        morning, evening = (np.asarray(pc.equal(half, letter)) for letter in "ap")
        valid &= ~((morning | evening) & ((hour < 1) | (hour > 12)))
        hour = np.where(morning | evening, hour % 12 + 12 * evening, hour)
    valid &= (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60) & (year > 0)
    months = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]")
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    valid &= (day >= 1) & (day <= length)
    clock = hour * MICROSECONDS["hour"] + minute * MICROSECONDS["minute"] + second * MICROSECONDS["second"]
    times = (
        months.astype("datetime64[us]")
        + (day - 1) * np.timedelta64(86_400_000_000, "us")
        + (clock + _fraction(parts, count)).astype("timedelta64[us]")
    )
    shift, zoned = _zone(parts, count)
    return Stamps(times - shift, valid, zoned)


def _year(parts: dict[str, pa.Array], number) -> np.ndarray:
    if "short" not in parts:
        return number("year", 0)
    short = number("short", 0)
    return short + np.where(short < 69, 2000, 1900)  # the POSIX reading of years in two digits


def _month(parts: dict[str, pa.Array], number) -> np.ndarray:
    if "quarter" in parts:
        return 3 * number("quarter", 1) - 2
    if "name" not in parts:
        return number("month", 1)
    known = pc.index_in(pc.fill_null(pc.utf8_lower(parts["name"]), ""), _NAMES)
    index = np.asarray(pc.fill_null(known, -1))
    return np.where(index >= 0, _NAME_NUMBERS[index], 0)


def _fraction(parts: dict[str, pa.Array], count: int) -> np.ndarray:
    if "fraction" not in parts:
        return np.zeros(count, np.int64)
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.fill_null(parts["fraction"], ""), 6, "0"), 0, 6)
    return np.asarray(pc.cast(digits, pa.int64()))


def _zone(parts: dict[str, pa.Array], count: int) -> tuple[np.ndarray, np.ndarray]:
    shift = np.zeros(count, "timedelta64[us]")
    if "zone" not in parts:
        return shift, np.zeros(count, bool)
    zones = pc.dictionary_encode(pc.fill_null(parts["zone"], ""))
    minutes = np.array([_zone_minutes(zone) for zone in zones.dictionary.to_pylist()], np.int64)
    names = np.array([zone != "" for zone in zones.dictionary.to_pylist()], bool)
    indices = np.asarray(zones.indices)
    if count:
        shift = (minutes[indices] * MICROSECONDS["minute"]).astype("timedelta64[us]")
    return shift, names[indices] if count else np.zeros(0, bool)


def _zone_minutes(zone: str) -> int:
    if zone in ("", "Z", "UTC", "GMT"):
        return 0
    digits = zone[1:].replace(":", "")
    return (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 60 + int(digits[2:] or 0))
