import datetime
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from gatewise.data import Frequency, Panel, Roles, airline, airline_path, check_target, read_table
from gatewise.errors import DataError

HOUR = 3_600_000_000


def hours(*numbers, start=datetime.datetime(2024, 1, 1)):
    return [start + datetime.timedelta(hours=n) for n in numbers]


def message(table, roles, **options):
    with pytest.raises(DataError) as error:
        Panel.from_table(table, roles, **options)
    return str(error.value)


def role_of(role: str, value: Any) -> Roles:
    options: dict[str, Any] = {role: value}
    return Roles("y", **options)


def notes(panel):
    return "\n".join(panel.notes)


@pytest.fixture
def shops():
    """Two shops over hours, in no order: rows of b come first, a's are reversed."""
    return pa.table(
        {
            "shop": ["b", "b", "a", "a", "a"],
            "at": hours(0, 1, 12, 11, 10),
            "sales": [5.0, None, 3.0, 2.0, 1.0],
            "open": [True, False, True, True, None],
            "weather": ["sun", "rain", None, "", "rain"],
            "city": ["Ulm", "Ulm", "Bonn", "", "Bonn"],
            "size": [70, 70, None, 90, 90],
        }
    )


SHOPS = Roles("sales", id="shop", past=("open", "weather"), static=("city", "size"))


def test_airline_ships_and_is_a_monthly_panel():
    assert airline_path().name == "airline.csv"
    panel = Panel.from_table(airline(), Roles("passengers"))
    assert (panel.ids, len(panel), panel.offsets.tolist()) == (("",), 1, [0, 144])
    assert panel.frequency == Frequency("month", 1, 1)
    assert panel.roles.time == "month"
    assert panel.target.sum() == 40363
    assert panel.target[[0, -1]].tolist() == [112, 432]
    assert panel.times[-1] == np.datetime64("1960-12-01")
    assert panel.future_times(0, 2).tolist() == [datetime.datetime(1961, 1, 1), datetime.datetime(1961, 2, 1)]
    assert 'column "month"' in notes(panel)
    assert "month" in panel.notes[-1]


def test_long_format_is_sorted_by_series_and_time(shops):
    panel = Panel.from_table(shops, SHOPS)
    assert panel.ids == ("b", "a")
    assert panel.offsets.tolist() == [0, 2, 5]
    assert panel.lengths.tolist() == [2, 3]
    assert panel.times.tolist() == hours(0, 1, 10, 11, 12)
    np.testing.assert_array_equal(panel.target, [5, np.nan, 1, 2, 3])
    np.testing.assert_array_equal(panel.numeric["open"], [1, 0, np.nan, 1, 1])
    assert panel.categories == {"weather": ("rain", "sun"), "city": ("Bonn", "Ulm")}
    assert panel.categorical["weather"].tolist() == [2, 1, 1, 0, 0]
    assert panel.categorical["weather"].dtype == np.int32
    assert panel.static_categorical["city"].tolist() == [2, 1]
    assert panel.static_numeric["size"].tolist() == [70, 90]
    assert panel.series(1) == slice(2, 5)
    assert panel.observed_lengths.tolist() == [1, 3]
    assert panel.frequency.name == "hour"
    for part in ('column "at"', "sorted", "hour", '"sales" lacks 1 of 5', '"weather" lacks 2 of 5'):
        assert part in notes(panel)


def test_row_order_does_not_matter(shops):
    whole = Panel.from_table(shops, SHOPS)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(5)
        panel = Panel.from_table(shops.take(order), SHOPS)
        same = panel.select([panel.ids.index(i) for i in whole.ids])
        np.testing.assert_array_equal(same.target, whole.target)
        np.testing.assert_array_equal(same.categorical["weather"], whole.categorical["weather"])
        np.testing.assert_array_equal(same.static_numeric["size"], whole.static_numeric["size"])
        assert same.times.tolist() == whole.times.tolist()


def test_prediction_with_the_codes_and_the_frequency_of_training(shops):
    panel = Panel.from_table(shops, SHOPS)
    later = pa.table(
        {
            "shop": ["a"],
            "at": hours(20),
            "open": [1],
            "weather": ["hail"],
            "city": ["Bonn"],
            "size": [90.0],
        }
    )
    again = Panel.from_table(
        later, panel.roles, frequency=panel.frequency, categories=panel.categories, require_target=False
    )
    assert np.isnan(again.target).tolist() == [True]
    assert again.categorical["weather"].tolist() == [0]
    assert again.static_categorical["city"].tolist() == [1]
    assert again.categories == panel.categories
    assert '"weather" lacks 1 of 1' in notes(again)
    text = message(later, panel.roles, frequency=panel.frequency, categories=panel.categories)
    assert 'no column "sales"' in text
    # a column that was numeric in training cannot turn into categories
    text = message(
        later.set_column(2, "open", pa.array(["yes"])), panel.roles, frequency=panel.frequency,
        categories=panel.categories, require_target=False,
    )  # fmt: skip
    assert 'column "open" (past), row 1: "yes" is not a number' in text
    # and categories stay categories where their values look like numbers, or are all missing
    blank = later.set_column(3, "weather", pa.nulls(1))
    again = Panel.from_table(
        blank, panel.roles, frequency=panel.frequency, categories=panel.categories, require_target=False
    )
    assert again.categorical["weather"].tolist() == [0]


def test_rows_beyond_the_target_stay():
    table = pa.table({"t": hours(*range(5)), "y": [1.0, None, 3.0, None, None], "x": [0, 1, 2, 3, 4]})
    panel = Panel.from_table(table, Roles("y", future=("x",)))
    assert len(panel.times) == 5
    assert panel.observed_lengths.tolist() == [3]
    assert panel.numeric["x"].tolist() == [0, 1, 2, 3, 4]
    assert panel.future_times(0, 2).tolist() == hours(3, 4)


def test_cutting_panels(shops):
    panel = Panel.from_table(shops, SHOPS)
    assert panel.head(1).times.tolist() == hours(0, 10)
    assert panel.head([2, 1]).offsets.tolist() == [0, 2, 3]
    assert panel.tail([0, 2]).times.tolist() == hours(11, 12)
    assert panel.head([0, 9]).lengths.tolist() == [0, 3]
    assert panel.slice_rows([0, 1], [1, 2]).target.tolist() == [5, 2]
    only = panel.until(1, 2)
    assert (only.ids, only.target.tolist(), only.static_numeric["size"].tolist()) == (("a",), [1, 2], [90])
    turned = panel.select([1, 0])
    assert turned.ids == ("a", "b")
    assert turned.offsets.tolist() == [0, 3, 5]
    assert turned.times.tolist() == hours(10, 11, 12, 0, 1)
    assert turned.static_categorical["city"].tolist() == [1, 2]


class TestTimeColumn:
    def test_the_usual_name_wins(self):
        table = pa.table({"born": hours(0, 0), "Date": hours(0, 1), "y": [1, 2]})
        assert Panel.from_table(table, Roles("y")).roles.time == "Date"

    def test_the_only_one_with_times_is_taken(self):
        table = pa.table({"name": ["x", "y"], "wann": ["2024-01", "2024-02"], "y": [1, 2]})
        assert Panel.from_table(table, Roles("y")).roles.time == "wann"

    def test_several_have_to_be_told_apart(self):
        table = pa.table({"born": hours(0, 1), "died": hours(1, 2), "y": [1, 2]})
        text = message(table, Roles("y"))
        assert "born, died" in text
        assert "--time" in text

    def test_numbers_count_under_a_usual_name_where_they_increase(self):
        years = pa.table({"year": [1949, 1950], "n": [1, 2], "y": [1, 2]})
        assert Panel.from_table(years, Roles("y")).roles.time == "year"
        parts = pa.table({"month": [1, 1], "y": [1, 2]})
        panel = Panel.from_table(parts, Roles("y"))
        assert panel.roles.time is None
        assert panel.times.tolist() == [0, 1]
        assert panel.frequency.name == "step"
        assert "No column holds a time" in notes(panel)

    def test_a_column_called_date_that_is_none_is_an_error(self):
        table = pa.table({"Date": ["week 1", "week 2"], "y": [1, 2]})
        assert 'time column "Date", row 1: "week 1" is not a time stamp' in message(table, Roles("y"))

    def test_without_a_time_each_series_counts_its_own_rows(self):
        table = pa.table({"id": [1, 2, 1, 2, 1], "y": [1, 2, 3, 4, 5]})
        panel = Panel.from_table(table, Roles("y", id="id"))
        assert panel.times.tolist() == [0, 1, 2, 0, 1]
        assert panel.target.tolist() == [1, 3, 5, 2, 4]
        assert panel.ids == ("1", "2")

    def test_one_unreadable_stamp_is_reported_not_skipped(self):
        texts = [f"2024-01-{day:02}" for day in range(1, 31)]
        texts[16] = "2024-01-1x"
        text = message(pa.table({"date": texts, "y": list(range(30))}), Roles("y"))
        assert "row 17" in text
        assert '"2024-01-1x"' in text


class TestDuplicates:
    table = pa.table(
        {"t": hours(1, 0, 1, 2), "y": [4.0, 1.0, 8.0, 3.0], "x": [None, 1.0, 6.0, 2.0], "c": ["p", "q", "r", "p"]}
    )
    roles = Roles("y", past=("x", "c"))

    def test_are_refused_with_their_rows_and_a_hint(self):
        text = message(self.table, self.roles)
        assert "1 duplicate time stamp: rows 1 and 3 (2024-01-01 01:00)" in text
        assert "--id" in text
        assert "--duplicates" in text
        several = self.table.append_column("shop", pa.array(["a", "a", "b", "a"]))
        assert "--id (perhaps shop)" in message(several, self.roles)
        assert "--id" not in message(several.set_column(4, "s", pa.array(["a"] * 4)), Roles("y", id="s"))

    @pytest.mark.parametrize(
        ("choice", "y", "x", "c"),
        [("first", 4, np.nan, "p"), ("last", 8, 6, "r"), ("mean", 6, 6, "p")],
    )
    def test_are_merged_as_asked(self, choice, y, x, c):
        panel = Panel.from_table(self.table, self.roles, duplicates=choice)
        np.testing.assert_array_equal(panel.target, [1, y, 3])
        np.testing.assert_array_equal(panel.numeric["x"], [1, x, 2])
        assert panel.categories["c"][panel.categorical["c"][1] - 1] == c
        assert f"1 row with a time stamp seen before merged ({choice})" in notes(panel)


class TestGaps:
    table = pa.table(
        {
            "t": hours(0, 1, 4, 5, 6, 7, 8, 9, 10, 12),
            "y": [0.0, 1.0, 4.0, None, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0],
            "c": ["p", "q", "r", "p", "p", "p", "p", "p", "q", "p"],
        }
    )
    roles = Roles("y", past=("c",))

    def test_are_refused_with_their_rows(self):
        text = message(self.table, self.roles)
        assert "3 time stamps missing in 2 places" in text
        assert "2 between rows 2 (2024-01-01 01:00) and 3 (2024-01-01 04:00)" in text
        assert "1 between rows 9" in text
        assert "--gaps mask" in text

    def test_mask_inserts_missing_values(self):
        panel = Panel.from_table(self.table, self.roles, gaps="mask")
        assert panel.times.tolist() == hours(*range(13))
        nan = np.nan
        np.testing.assert_array_equal(panel.target, [0, 1, nan, nan, 4, nan, 6, 7, 8, 9, 10, nan, 12])
        assert panel.categorical["c"].tolist() == [1, 2, 0, 0, 3, 1, 1, 1, 1, 1, 2, 0, 1]
        assert "3 missing time stamps in 2 places inserted" in notes(panel)
        assert '"y" lacks 1 of 13' in notes(panel)

    def test_interpolate_fills_only_the_inserted_rows(self):
        panel = Panel.from_table(self.table, self.roles, gaps="interpolate")
        np.testing.assert_allclose(panel.target, [0, 1, 2, 3, 4, np.nan, 6, 7, 8, 9, 10, 11, 12])
        assert panel.categorical["c"].tolist() == [1, 2, 2, 2, 3, 1, 1, 1, 1, 1, 2, 2, 1]

    def test_each_series_has_its_own_gaps(self):
        table = pa.table(
            {
                "id": ["b"] * 4 + ["a"] * 4,
                "t": hours(0, 1, 3, 4, 10, 11, 12, 14),
                "y": [0.0, 1.0, None, 4.0, 10.0, 11.0, 12.0, None],
            }
        )
        panel = Panel.from_table(table, Roles("y", id="id"), gaps="interpolate")
        assert panel.offsets.tolist() == [0, 5, 10]
        assert panel.times.tolist() == hours(0, 1, 2, 3, 4, 10, 11, 12, 13, 14)
        # beyond the last known value nothing is made up
        np.testing.assert_allclose(panel.target, [0, 1, 2, np.nan, 4, 10, 11, 12, np.nan, np.nan])
        assert 'series "b"' in message(table, Roles("y", id="id"))

    def test_calendar_months(self):
        table = pa.table({"t": ["2024-01", "2024-02", "2024-04", "2024-05"], "y": [1, 2, 4, 5]})
        panel = Panel.from_table(table, Roles("y"), gaps="interpolate")
        assert panel.times[2] == np.datetime64("2024-03-01")
        assert panel.target.tolist() == [1, 2, 3, 4, 5]

    def test_a_stray_stamp_far_away_does_not_fill_the_memory(self):
        table = pa.table({"t": [*hours(0, 1, 2), datetime.datetime(2924, 1, 1)], "y": [1, 2, 3, 4]})
        text = message(table, Roles("y"), gaps="mask")
        assert "too many" in text
        assert "rows 3" in text
        assert "2924-01-01" in text

    def test_off_the_grid(self):
        table = pa.table({"t": [*hours(0, 1, 2, 3), datetime.datetime(2024, 1, 1, 4, 20)], "y": [1, 2, 3, 4, 5]})
        text = message(table, Roles("y"), gaps="mask")
        assert "row 5" in text
        assert "2024-01-01 04:20" in text
        assert "hour" in text
        text = message(table, Roles("y"), frequency=Frequency("step"))
        assert "step" in text
        assert "dates" in text

    def test_local_days_that_are_no_days_in_utc_are_explained(self):
        midnights = [datetime.datetime(2024, 3, day) for day in (29, 30, 31)] + [datetime.datetime(2024, 4, 1)]
        local = pa.array(midnights, pa.timestamp("us"))
        berlin = pa.compute.assume_timezone(local, "Europe/Berlin")  # pyright: ignore[reportAttributeAccessIssue]
        text = message(pa.table({"t": berlin, "y": [1, 2, 3, 4]}), Roles("y"))
        assert "row 4" in text
        assert "Europe/Berlin" in text
        assert "UTC" in text


class TestColumns:
    def table(self, **columns):
        length = len(next(iter(columns.values())))
        return pa.table({"t": hours(*range(length)), "y": list(range(length)), **columns})

    def test_text_in_a_numeric_column(self):
        values = ["1.5", "NA", "", "abc", "2", "x"]
        text = message(pa.table({"t": hours(*range(6)), "y": values}), Roles("y"))
        assert 'column "y" (target), row 4: "abc" is not a number (and 1 more like it)' in text
        text = message(self.table(x=["1", "2", "3,5", "4"]), Roles("y", past=("x",)))
        assert 'column "x" (past), row 3: "3,5" is not a number' in text
        assert "with a point" in text

    def test_a_target_of_numbers_written_as_text_is_read(self):
        panel = Panel.from_table(pa.table({"t": hours(0, 1, 2), "y": ["1", "-2.5e1", "nan"]}), Roles("y"))
        np.testing.assert_array_equal(panel.target, [1, -25, np.nan])

    def test_text_of_numbers_only_is_categories_for_a_covariate(self):
        panel = Panel.from_table(self.table(store=["007", "7", "007"]), Roles("y", past=("store",)))
        assert panel.categories == {"store": ("007", "7")}

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ([1, 2, None], pa.int32()),
            ([1, 2, None], pa.decimal128(5, 2)),
            ([1, 2, None], pa.float32()),
            ([1, 2, None], None),
        ],
    )
    def test_numbers_of_every_type(self, values, kind):
        panel = Panel.from_table(self.table(x=pa.array(values, kind)), Roles("y", past=("x",)))
        np.testing.assert_array_equal(panel.numeric["x"], [1, 2, np.nan])

    def test_all_missing_covariate_is_kept_as_missing(self):
        panel = Panel.from_table(self.table(x=pa.nulls(3)), Roles("y", past=("x",)))
        assert np.isnan(panel.numeric["x"]).all()

    def test_infinite_values(self):
        text = message(self.table(x=[1.0, float("inf"), float("-inf")]), Roles("y", future=("x",)))
        assert 'column "x" (future), row 2: inf is not a finite number (and 1 more like it)' in text
        text = message(pa.table({"t": hours(0, 1), "y": ["1", "-inf"]}), Roles("y"))
        assert "row 2: -inf" in text

    def test_types_that_are_no_numbers(self):
        text = message(self.table(x=hours(0, 1)), Roles("y", time="t", past=("x",)))
        assert 'column "x" holds timestamp[us]: as past it must hold numbers' in text

    def test_static_values_must_not_change(self):
        text = message(self.table(x=[1, None, 1, 2]), Roles("y", static=("x",)))
        assert 'static column "x", row 4' in text
        text = message(self.table(x=["a", "", "b"]), Roles("y", static=("x",)))
        assert 'static column "x", row 3' in text

    def test_missing_ids(self):
        text = message(self.table(x=["a", "", "b"]), Roles("y", id="x"))
        assert 'id column "x", row 2' in text
        assert "row 2" in message(self.table(x=[1, None, 2]), Roles("y", id="x"))

    def test_unknown_columns_suggest_the_nearest(self):
        for role in ("past", "future", "static"):
            text = message(self.table(weather=[1, 2]), role_of(role, ("wether",)))
            assert f'no column "wether" (asked for as {role}): did you mean "weather"' in text
        for role in ("time", "id"):
            assert f"asked for as {role}" in message(self.table(x=[1, 2]), role_of(role, "xx"))
        assert "asked for as target" in message(self.table(x=[1, 2]), Roles("yy"))

    def test_a_whole_column_is_a_view_that_nothing_can_write_through(self):
        values = np.array([1.0, 2.0, 3.0])
        panel = Panel.from_table(pa.table({"t": hours(0, 1, 2), "y": pa.array(values)}), Roles("y"))
        assert np.shares_memory(panel.target, values)
        with pytest.raises(ValueError, match="read-only"):
            panel.target[0] = 9


def test_roles_are_told_apart():
    wrong: list[dict[str, Any]] = [
        {"past": ("y",)},
        {"time": "y"},
        {"past": ("x",), "future": ("x",)},
        {"past": ("x", "x")},
    ]
    for options in wrong:
        with pytest.raises(DataError, match="a column has one role"):
            Roles("y", **options)
    with pytest.raises(DataError, match='sequence of column names, got the text "x"'):
        Roles("y", past="x")  # pyright: ignore[reportArgumentType]
    assert Roles("y", time="t", past=["x"]).names == ("y", "t", "x")  # pyright: ignore[reportArgumentType]


def test_unknown_choices_and_empty_tables():
    table = pa.table({"t": hours(0, 1), "y": [1, 2]})
    assert 'gaps is one of error, mask, interpolate; got "drop"' in message(table, Roles("y"), gaps="drop")
    assert "duplicates is one of" in message(table, Roles("y"), duplicates="sum")
    assert "no rows" in message(table.slice(0, 0), Roles("y"))
    assert "two different time stamps" in message(table.slice(0, 1), Roles("y"))


def test_check_target():
    def panel(values):
        return Panel.from_table(pa.table({"t": hours(0, 1, 2), "y": pa.array(values, pa.float64())}), Roles("y"))

    check_target(panel([1, None, 2]))
    with pytest.raises(DataError, match='"y" has no value in any of its 3 rows'):
        check_target(panel([None, None, None]), "y")
    with pytest.raises(DataError, match='"y" is constant: all 2 values are 7'):
        check_target(panel([7, None, 7]))


def test_day_first_is_passed_on(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("date,y\n01/02/2024,1\n01/03/2024,2\n")
    assert "row 1" in message(read_table(path), Roles("y"))
    assert Panel.from_table(read_table(path), Roles("y"), day_first=True).frequency.name == "month"
    assert Panel.from_table(read_table(path), Roles("y"), day_first=False).frequency.name == "day"


def test_many_rows_and_series_stay_fast():
    count, series = 1_000, 300
    table = pa.table(
        {
            "id": np.repeat(np.arange(series), count),
            "t": np.tile(np.datetime64("2024-01-01", "us") + np.arange(count) * np.timedelta64(HOUR, "us"), series),
            "y": np.random.default_rng(0).normal(size=count * series),
        }
    ).take(np.random.default_rng(1).permutation(count * series))
    begun = time.process_time()
    panel = Panel.from_table(table, Roles("y", id="id"))
    assert len(panel) == series
    assert time.process_time() - begun < 10  # about 0.3 s; a loop over rows would take far longer
