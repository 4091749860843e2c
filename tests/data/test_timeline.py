import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.data import Frequency, parse_times
from gatewise.data.timeline import read_times
from gatewise.errors import DataError


def column(*values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


def parsed(*values, **options):
    return [str(t) for t in parse_times(column(*values), "when", **options).astype("datetime64[s]")]


def message(*values, **options):
    with pytest.raises(DataError) as error:
        parse_times(column(*values), "when", **options)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1949-01", "1949-01-01T00:00:00"),
        ("1949M01", "1949-01-01T00:00:00"),
        ("2024-03-31", "2024-03-31T00:00:00"),
        ("2024-3-1", "2024-03-01T00:00:00"),
        ("2024-03-31 13:30", "2024-03-31T13:30:00"),
        ("2024-03-31T13:30:15", "2024-03-31T13:30:15"),
        ("2024-03-31 13", "2024-03-31T13:00:00"),
        ("2024/03/31 13:30", "2024-03-31T13:30:00"),
        ("2024.03.31", "2024-03-31T00:00:00"),
        ("20240331", "2024-03-31T00:00:00"),
        ("31.03.2024", "2024-03-31T00:00:00"),
        ("31.3.24 06:05", "2024-03-31T06:05:00"),
        ("31/03/2024", "2024-03-31T00:00:00"),
        ("3/31/2024 1:05 PM", "2024-03-31T13:05:00"),
        ("3/31/2024 12:05 am", "2024-03-31T00:05:00"),
        ("3/31/99", "1999-03-31T00:00:00"),
        ("31-Mar-09", "2009-03-31T00:00:00"),
        ("31 March 2024", "2024-03-31T00:00:00"),
        ("Mar 31, 2024", "2024-03-31T00:00:00"),
        ("mar 2024", "2024-03-01T00:00:00"),
        ("03/2024", "2024-03-01T00:00:00"),
        ("2024Q2", "2024-04-01T00:00:00"),
        ("Q4 2024", "2024-10-01T00:00:00"),
        ("1949", "1949-01-01T00:00:00"),
        (" 2024-03-31 ", "2024-03-31T00:00:00"),
        ("2024-03-31T13:30:00Z", "2024-03-31T13:30:00"),
        ("2024-03-31 13:30:00+02:00", "2024-03-31T11:30:00"),
        ("2024-03-31 13:30:00-0530", "2024-03-31T19:00:00"),
    ],
)
def test_texts_people_write(text, moment):
    assert parsed(text) == [moment]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)))
def test_what_python_writes_is_read_back_exactly(moment):
    times = parse_times(column(moment.isoformat(" ")), "when")
    assert times[0].astype(datetime.datetime) == moment
    short = moment.replace(second=0, microsecond=0)
    assert parse_times(column(short.strftime("%d %b ") + f"{short.year:04} {short:%I:%M %p}"), "when")[0] == short


def test_other_types():
    days = [datetime.date(2024, 1, 31), datetime.date(2024, 2, 29)]
    assert parsed(*days) == ["2024-01-31T00:00:00", "2024-02-29T00:00:00"]
    stamps = column(0, 1_500_000_000, kind=pa.timestamp("ns"))
    assert parse_times(stamps, "when").astype(np.int64).tolist() == [0, 1_500_000]
    for steps in (column(3, 4, 5), column(3.0, 4.0, 5.0), column(3, 4, 5, kind=pa.uint8())):
        times = parse_times(steps, "when")
        assert times.dtype == np.int64
        assert times.tolist() == [3, 4, 5]
    assert parsed(20240131, 20240201) == ["2024-01-31T00:00:00", "2024-02-01T00:00:00"]
    assert parse_times(column(20240131, 20240132), "when").tolist() == [20240131, 20240132]
    assert parse_times(column("2024-01", "2024-02").dictionary_encode(), "when")[1] == np.datetime64("2024-02-01")


def test_zones_are_turned_to_utc_and_said():
    zoned = column(datetime.datetime(2024, 1, 1), kind=pa.timestamp("us", "Europe/Berlin"))
    times, notes = read_times(zoned, "when")
    assert times[0] == np.datetime64("2024-01-01T00:00")
    assert "UTC" in notes[0]
    assert "Europe/Berlin" in notes[0]
    berlin = column("2024-01-01 01:00:00+01:00", "2024-07-01 02:00:00+02:00")
    times, notes = read_times(berlin, "when")
    assert times.tolist() == [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 7, 1)]
    assert "UTC" in notes[0]
    text = message("2024-01-01 01:00Z", "2024-01-01 02:00")
    assert "row 2" in text
    assert "lacks a time zone" in text


def test_day_and_month_are_told_apart_by_the_column_or_asked_for():
    assert parsed("01/02/2024", "13/02/2024")[0] == "2024-02-01T00:00:00"
    assert parsed("01/02/2024", "01/13/2024")[0] == "2024-01-02T00:00:00"
    assert parsed("01/01/2024", "02/02/2024")[1] == "2024-02-02T00:00:00"  # the same either way
    text = message("01/01/2024", "01/02/2024")
    assert "row 2" in text
    assert '"01/02/2024"' in text
    assert "YYYY-MM-DD" in text
    assert parsed("01/02/2024", day_first=True) == ["2024-02-01T00:00:00"]
    assert parsed("01/02/2024", day_first=False) == ["2024-01-02T00:00:00"]
    assert "row 2" in message("12/01/2024", "13/01/2024", day_first=False)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (["2024-01-31", "2024-02-30"], ["row 2", '"2024-02-30"', "YYYY-MM-DD"]),
        (["2024-01-31", "31.01.2024"], ["row 2", '"31.01.2024"', "one format throughout"]),
        (["2024-01-31 25:00"], ["row 1", "25:00"]),
        (["2024-01-31 13:61"], ["row 1"]),
        (["2024-13"], ["row 1", "2024-13", "expected one such as"]),
        (["soon"], ["row 1", '"soon"', "1949-01"]),
        (["2024-01", None], ["row 2", "missing"]),
        (["2024-01", " "], ["row 2", "missing"]),
        ([1.0, 2.5], ["row 2", "2.5", "whole number"]),
        ([1.0, float("nan")], ["row 2", "nan"]),
        ([1, None], ["row 2", "missing"]),
        ([datetime.time(12, 30)], ["time", "dates"]),
        ([True, False], ["bool"]),
    ],
)
def test_unreadable_times_name_row_and_value(values, parts):
    text = message(*values)
    assert '"when"' in text
    for part in parts:
        assert part in text


def test_nanoseconds_are_refused_not_rounded():
    with pytest.raises(DataError, match="finer than a microsecond"):
        parse_times(column(1, 2, kind=pa.timestamp("ns")), "when")


def times(*texts):
    return np.array(texts, "datetime64[us]")


def spaced(step, count=40, start="2024-01-01"):
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(1, "us") * step


MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("step", "name", "periods"),
    [
        (1_000_000, "second", (60, 3600)),
        (MINUTE, "minute", (60, 1440)),
        (5 * MINUTE, "5 minutes", (288, 2016)),
        (15 * MINUTE, "15 minutes", (96, 672)),
        (30 * MINUTE, "30 minutes", (48, 336)),
        (60 * MINUTE, "hour", (24, 168)),
        (360 * MINUTE, "6 hours", (4, 28)),
        (7 * 60 * MINUTE, "7 hours", (24,)),
        (1440 * MINUTE, "day", (7, 365)),
        (2880 * MINUTE, "2 days", ()),
        (7 * 1440 * MINUTE, "week", (52,)),
        (14 * 1440 * MINUTE, "2 weeks", (26,)),
        (1_000, "millisecond", ()),
        (7, "7 microseconds", ()),
    ],
)
def test_regular_steps(step, name, periods):
    line = spaced(step)
    frequency = Frequency.infer(np.delete(line, [3, 4, 17]))  # gaps do not disturb it
    assert frequency == Frequency("microsecond", step)
    assert frequency.name == name
    assert frequency.seasonal_periods() == periods
    assert frequency.add(line[0], np.arange(40)).tolist() == line.tolist()
    assert frequency.position(line[0], line).tolist() == list(range(40))


@pytest.mark.parametrize(
    ("texts", "name", "count", "day", "periods"),
    [
        (["2024-01-01", "2024-02-01", "2024-03-01", "2024-05-01"], "month", 1, 1, (12,)),
        (["2024-01-31", "2024-02-29", "2024-03-31"], "month", 1, 31, (12,)),
        (["2023-12-30", "2024-01-30", "2024-02-29", "2024-03-30"], "month", 1, 30, (12,)),
        (["2024-01-15 06:00", "2024-02-15 06:00", "2024-03-15 06:00"], "month", 1, 15, (12,)),
        (["2024-03-31", "2024-06-30", "2024-09-30"], "quarter", 3, 31, (4,)),
        (["2024-01-01", "2024-03-01", "2024-05-01"], "2 months", 2, 1, (6,)),
        (["2020-01-01", "2021-01-01", "2022-01-01"], "year", 12, 1, ()),
        (["2020-02-29", "2024-02-29"], "4 years", 48, 31, ()),
    ],
)
def test_calendar_months(texts, name, count, day, periods):
    line = times(*texts)
    frequency = Frequency.infer(line)
    assert frequency == Frequency("month", count, day)
    assert (frequency.name, frequency.seasonal_periods()) == (name, periods)
    assert frequency.add(line[0], frequency.position(line[0], line)).tolist() == line.tolist()


def test_months_keep_their_end():
    end = Frequency("month", 1, 31)
    assert end.add(times("2024-02-29"), [1, 2]).tolist() == times("2024-03-31", "2024-04-30").tolist()
    thirtieth = Frequency("month", 1, 30)
    assert thirtieth.add(times("2023-02-28"), 1) == times("2023-03-30")
    own = Frequency("month", 1)
    assert own.add(times("2024-01-31"), [1, 2]).tolist() == times("2024-02-29", "2024-03-31").tolist()
    assert own.add(times("2024-03-31 12:00"), -1) == times("2024-02-29 12:00")
    assert Frequency("month", 1, 1).add(times("2023-11-01"), 14) == times("2025-01-01")


def test_business_days():
    week = times("2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-11")
    frequency = Frequency.infer(week)
    assert frequency == Frequency("business day")
    assert frequency.position(week[0], week).tolist() == [0, 1, 2, 3, 5]
    assert frequency.add(week[1], [1, -1, 5]).tolist() == times("2024-01-08", "2024-01-04", "2024-01-12").tolist()
    assert frequency.seasonal_periods() == (5, 261)
    with pytest.raises(DataError, match="2024-01-06"):
        frequency.position(week[0], times("2024-01-06"))
    assert Frequency.infer(week[:2]).name == "day"  # no weekend in it: nothing says business


def test_steps_and_several_series():
    assert Frequency.infer(np.array([0, 10, 20, 40])) == Frequency("step", 10)
    frequency = Frequency("step")
    assert (frequency.name, Frequency("step", 10).name, frequency.seasonal_periods()) == ("step", "10 steps", ())
    assert frequency.add(5, [1, 2]).tolist() == [6, 7]
    # the border between two series is no difference
    two = np.concatenate([spaced(MINUTE, 3), spaced(MINUTE, 3, "2025-01-01")])
    assert Frequency.infer(two, np.array([0, 3, 6])).name == "minute"
    singles = np.concatenate([spaced(MINUTE, 2), spaced(1_000_000, 3, "2024-01-01T00:01:01")])
    assert Frequency.infer(singles, np.array([0, 2, 3, 4, 5])).name == "minute"
    assert Frequency.infer(singles).name == "second"


def test_frequency_errors():
    for line in (times("2024-01-01"), times("2024-01-01", "2024-01-01"), np.array([], np.int64)):
        with pytest.raises(DataError, match="two different time stamps"):
            Frequency.infer(line)
    with pytest.raises(DataError, match=r"2024-01-01 00:20.*30 minutes"):
        Frequency("microsecond", 30 * MINUTE).position(times("2024-01-01"), times("2024-01-01 00:20"))
    with pytest.raises(DataError, match="2024-02-02"):
        Frequency("month", 1, 1).position(times("2024-01-01"), times("2024-02-02"))
    wrong: list[dict[str, Any]] = [{"unit": "fortnight"}, {"unit": "month", "count": 0}, {"unit": "step", "day": 3}]
    for fields in wrong:
        with pytest.raises(DataError, match="frequency"):
            Frequency(**fields)


def test_frequency_is_kept_in_files():
    for frequency in (Frequency("month", 3, 31), Frequency("microsecond", MINUTE), Frequency("business day")):
        assert Frequency.from_dict(frequency.to_dict()) == frequency
    with pytest.raises(DataError, match="unit, count, day"):
        Frequency.from_dict({"unit": "month", "count": 1})
    with pytest.raises(DataError, match="zone"):
        Frequency.from_dict({"unit": "month", "count": 1, "day": None, "zone": "UTC"})


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [Frequency("month", 1, 31), Frequency("month", 3, 1), Frequency("microsecond", 7), Frequency("step", 3)]
    ),
    st.integers(-300, 300),
)
def test_position_undoes_add(frequency, k):
    start = times("2024-01-31")[0] if frequency.day == 31 else times("2024-01-01")[0]
    start = 5 if frequency.unit == "step" else start
    assert frequency.position(start, frequency.add(start, k)) == k
