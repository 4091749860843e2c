import gzip
import os
import stat

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
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


@pytest.mark.parametrize("late", ["1.5", "x", "", "2024-01-01"])
@pytest.mark.parametrize("early", ["", "1", "true", "2024-01-01", "2024-01-01 10:00:00", "10:30", "1.5", "x"])
def test_types_are_those_of_all_values(file, early, late):
    """However the first block of a file reads, the whole is read as if it were one block."""
    path = file("a,b\n" + f"{early},1\n" * 200_000 + f"{late},2\n")
    assert path.stat().st_size > 0
    whole = pa_csv.read_csv(path)
    assert read_table(path).schema == whole.schema
    assert read_table(path).equals(whole)


LONG = b"".join(
    b"%d,%d\n" % pair for pair in map(tuple, np.random.default_rng(0).integers(0, 10**9, (200_000, 2)).tolist())
)
CODED = "id,n,x\n100,007,1\n007,12,2\n12,3,3\n"


def test_codes_are_read_as_written_where_they_would_lose_digits(file):
    path = file(CODED)
    assert read_table(path).column("id").to_pylist() == [100, 7, 12]
    table = read_table(path, codes=("id", "x", "other"))
    assert table.column("id").to_pylist() == ["100", "007", "12"]
    assert table.column("n").to_pylist() == [7, 12, 3]
    assert table.column("x").to_pylist() == [1, 2, 3]
    assert table.column_names == ["id", "n", "x"]
    long = read_table(file("id,x\n12345678901234567891,1\n-5,2\n"), codes=("id",))
    assert long.column("id").to_pylist() == ["12345678901234567891", "-5"]
    late = read_table(file("id,x\n" + "1,2\n" * 400_000 + "01,3\n"), codes=("id",))
    assert late.column("id")[-1].as_py() == "01"
    assert pa.types.is_integer(read_table(file("id,x\n0,1\n10,2\n"), codes=("id",)).schema.field("id").type)


@pytest.mark.parametrize("name", ["data.csv.gz", "DATA.TSV.GZ"])
def test_compressed_text_is_read_as_what_it_holds(file, name):
    path = file(gzip.compress(CODED.encode()), name)
    assert read_table(path, codes=("id",)).equals(read_table(file(CODED), codes=("id",)))
    with pytest.raises(DataError, match=r"must end in one of \.csv, \.tsv, \.parquet, \.pq$"):
        write_table(read_table(path), path.with_name("out.csv.gz"))


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"a,b\n1,2\n", ["not a whole gzip file", "name it as what it is"]),
        (gzip.compress(CODED.encode())[:-12], ["not a whole gzip file", "Copy it again"]),
        (gzip.compress(b"a,b\n" + LONG)[:-200_000], ["not a whole gzip file"]),
        (gzip.compress(b"a,b\n1,2\n")[:-2] + b"xx", ["not a whole gzip file"]),
        (b"", ["is empty"]),
        (gzip.compress(b""), ["only blank lines"]),
        (gzip.compress(b"a,b\n1,2\n3,4,5\n"), ["row 2", "expected 2 fields, got 3"]),
        (gzip.compress(b"1,2\n3,4\n"), ["no header"]),
        (gzip.compress(b"a,b\n1,\xff\xfe\n"), ["row 1", 'column "b"', "UTF-8"]),
    ],
)
def test_compressed_files_that_cannot_be_read(file, content, parts):
    text = message(file(content, "data.csv.gz"))
    assert "data.csv.gz" in text
    for part in parts:
        assert part in text


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
    assert "must end in one of .csv, .tsv, .csv.gz, .tsv.gz, .parquet, .pq" in text
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
