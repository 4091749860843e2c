import os
import stat

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from gatewise.data import read_table, require_column, table_columns, write_table
from gatewise.errors import DataError


@pytest.fixture
def file(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def message(source):
    with pytest.raises(DataError) as error:
        read_table(source)
    return str(error.value)


def test_csv_types_and_missing_values(file):
    table = read_table(file("t,a,b,c\n2024-01-01,1,x,\n2024-01-02,NA,,2.5\n2024-01-03,nan,NA,null\n"))
    assert table.column("a").to_pylist() == [1, None, None]
    assert table.column("b").to_pylist() == ["x", "", "NA"]  # text stays as it is; "" counts as missing later
    assert table.column("c").to_pylist() == [None, 2.5, None]
    assert pa.types.is_date(table.schema.field("t").type)


def test_a_type_found_late_in_a_large_file_still_counts(file):
    rows = ["a,b"] + [f"{i},{i}" for i in range(300_000)] + ["1.5,x"]
    table = read_table(file("\n".join(rows)))
    assert table.num_rows == 300_001
    assert table.column("a").type == pa.float64()
    assert table.column("b")[-1].as_py() == "x"


def test_byte_order_mark_crlf_tabs_semicolons_and_quotes(file):
    expected = {"a": [1, 2], "b c": ["x,y", "z"]}
    assert read_table(file('\ufeffa,b c\r\n1,"x,y"\r\n2,z\r\n')).to_pydict() == expected
    assert read_table(file('a\t"b c"\n1\tx,y\n2\tz\n', "data.tsv")).to_pydict() == expected
    assert read_table(file('a;"b c"\n1;x,y\n2;z\n')).to_pydict() == expected
    assert read_table(file('a\t"b c"\n1\tx,y\n2\tz\n')).to_pydict() == expected
    assert table_columns(read_table(file("a, b\n1, 2\n"))) == ("a", "b")


def test_a_blank_line_in_a_single_column_is_a_missing_value(file):
    assert read_table(file("a\n1\n\n3\n")).column("a").to_pylist() == [1, None, 3]
    assert read_table(file("a,b\n1,2\n\n3,4\n")).num_rows == 2


def test_parquet_round_trip(tmp_path):
    table = pa.table({"a": [1.5, None], "b": ["x", "y"]})
    for name in ("t.parquet", "t.pq"):
        write_table(table, tmp_path / name)
        assert read_table(str(tmp_path / name)).equals(table)


def test_frames_of_other_libraries():
    expected = {"a": [1.0, None], "b": ["x", "y"]}
    for frame in (pd.DataFrame(expected), pl.DataFrame(expected), pl.LazyFrame(expected), pa.table(expected)):
        table = read_table(frame)
        assert table.to_pydict() == expected
        assert table.schema.field("b").type == pa.string()
    categories = read_table(pd.DataFrame({"b": pd.Categorical(["x", "y", "x"])}))
    assert categories.column("b").to_pylist() == ["x", "y", "x"]


def test_a_pandas_index_with_a_meaning_becomes_a_column():
    days = pd.date_range("2024-01-01", periods=3)
    assert table_columns(read_table(pd.DataFrame({"a": [1, 2, 3]}, index=days))) == ("time", "a")
    months = pd.DataFrame({"a": [1, 2]}, index=pd.period_range("2024-01", periods=2, freq="M"))
    assert str(read_table(months).column("time")[1].as_py()).startswith("2024-02-01")
    assert table_columns(read_table(pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 6], name="step")))) == ("step", "a")
    assert table_columns(read_table(pd.DataFrame({"a": [1, 2, 3]})[1:])) == ("a",)


def test_a_pandas_index_named_like_a_column_is_refused():
    days = pd.date_range("2024-01-01", periods=2)
    assert 'both named "time"' in message(pd.DataFrame({"time": [1, 2]}, index=days))
    assert 'both named "a"' in message(pd.DataFrame({"a": [1, 2]}, index=pd.Index([1, 2], name="a")))


def test_missing_file_suggests_the_nearest(file):
    path = file("a\n1\n", "airline.csv")
    text = message(path.with_name("airlines.csv"))
    assert "no file" in text
    assert 'did you mean "airline.csv"' in text
    assert "folder" in message(path.parent / "nowhere" / "x.csv")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["is empty"]),
        ("\n\n", ["only blank lines"]),
        ("a,b\n", ["header (a, b)", "no rows"]),
        ("1949-01-01,112\n1949-02-01,118\n", ["no header", "1949-01-01,112"]),
        ("a,b,a\n1,2,3\n", ['"a" (columns 1, 3)', "rename"]),
        ('a,b\n"1,2\n3,4\n', ["row 1", "quotation mark is not closed"]),
        ("a,,c\n1,2,3\n", ["no name for column 2"]),
        ("a,b\n1,2\n3,4,5\n6\n", ["row 2", "expected 2 fields, got 3", "'3,4,5'", "2 rows in all"]),
        (b"a,b\n1,x\n2,\xff\xfe\n", ["row 2", 'column "b"', "UTF-8"]),
        (b"\xff\xfea\x00,\x00b\x00\n\x00", ["UTF-16", "save it as UTF-8"]),
        (b"a,\xe9t\xe9\n1,2\n", ["not UTF-8", "header"]),
        (b"PK\x03\x04\x00\x00\n", ["not text", "zero byte"]),
    ],
)
def test_csv_errors(file, content, parts):
    text = message(file(content))
    assert "data.csv" in text
    for part in parts:
        assert part in text


def test_other_sources_that_are_no_tables(tmp_path, file):
    assert "is a folder" in message(tmp_path)
    text = message(file("a\n1\n", "data.xlsx"))
    assert "must end in one of .csv, .tsv, .parquet, .pq" in text
    assert "not a readable Parquet file" in message(file("a,b\n1,2\n", "data.parquet"))
    assert "type int" in message(3)
    assert "type dict" in message({"a": [1]})
    assert "more than once" in message(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    assert "mixes types" in message(pd.DataFrame({"a": ["x", 1]}))
    assert "no columns" in message(pa.table({}))
    assert "more than once" in message(pa.table([[1], [2]], names=["a", "a"]))


def test_require_column_names_role_and_nearest():
    table = pa.table({"month": ["1949-01"], "passengers": [112]})
    assert require_column(table, "passengers", "target").to_pylist() == [112]
    with pytest.raises(DataError, match=r'no column "passenger".*target.*did you mean "passengers"'):
        require_column(table, "passenger", "target")


def test_csv_is_written_with_brief_times(tmp_path):
    stamps = pa.array([0, 31 * 86_400_000_000], pa.timestamp("us"))
    clock = pa.array([0, 1_800_000_000], pa.timestamp("us"))
    fine = pa.array([0, 1], pa.timestamp("us"))
    write_table(pa.table({"day": stamps, "clock": clock, "fine": fine, "x": [1.5, None]}), tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == "day,clock,fine,x"
    assert lines[2] == "1970-02-01,1970-01-01 00:30:00,1970-01-01 00:00:00.000001,"
    assert read_table(tmp_path / "t.csv").column("x").to_pylist() == [1.5, None]


def test_a_written_table_replaces_the_old_one_whole_or_not_at_all(tmp_path):
    path = tmp_path / "t.csv"
    umask = os.umask(0o027)
    try:
        write_table(pa.table({"a": [1]}), path)
    finally:
        after = os.umask(umask)
    assert after == 0o027
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    nested = pa.table({"a": [{"b": 1}]})  # CSV cannot hold it: the write fails half-way
    with pytest.raises(DataError, match=r'cannot write ".*t\.csv"'):
        write_table(nested, path)
    assert read_table(path).to_pydict() == {"a": [1]}
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_places_that_cannot_be_written(tmp_path):
    table = pa.table({"a": [1]})
    for path, part in ((tmp_path / "t.xls", "must end in"), (tmp_path / "no" / "t.csv", "does not exist")):
        with pytest.raises(DataError, match=part):
            write_table(table, path)
    with pytest.raises(DataError, match="too long"):
        write_table(table, tmp_path / ("x" * 300 + ".csv"))
    assert "too long" in message(tmp_path / ("x" * 300 + ".csv"))
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DataError, match="it is a folder"):
        write_table(table, tmp_path / "d.csv")


def test_parquet_column_names_are_checked(tmp_path):
    pa_parquet.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "t.parquet")
    assert "more than once" in message(tmp_path / "t.parquet")
