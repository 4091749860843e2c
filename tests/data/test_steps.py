"""Long sequences in files: what is read is what is there, whatever the file and however it is cut."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from gatewise.data.steps import open_steps, sequence_starts
from gatewise.errors import DataError

VALUES = np.random.default_rng(0).normal(size=(103, 3)).astype(np.float32)
NAMES = ["a"] * 40 + ["b"] * 1 + ["c"] * 62


def table() -> pa.Table:
    columns = {name: VALUES[:, k] for k, name in enumerate("xyz")}
    return pa.table({"run": NAMES, **columns})


def parquet(path: Path) -> Path:
    pq.write_table(table(), path / "steps.parquet", row_group_size=17)
    return path / "steps.parquet"


def arrow(path: Path) -> Path:
    with pa.OSFile(str(path / "steps.arrow"), "wb") as sink, pa.ipc.new_file(sink, table().schema) as writer:
        writer.write_table(table(), max_chunksize=17)
    return path / "steps.arrow"


def feather(path: Path) -> Path:
    pyarrow.feather.write_feather(table(), str(path / "steps.feather"), chunksize=30)
    return path / "steps.feather"


def npy(path: Path) -> Path:
    np.save(path / "steps.npy", VALUES)
    return path / "steps.npy"


@pytest.mark.parametrize("make", [parquet, arrow, feather, npy, lambda path: VALUES])
def test_every_stretch_is_read_as_it_stands(make: Callable[[Path], Any], tmp_path: Path) -> None:
    steps = open_steps(make(tmp_path))
    assert (steps.shape, steps.dtype) == (VALUES.shape, np.float32)
    read = steps.reader()
    for start, stop in [(0, 5), (5, 5), (5, 40), (30, 103), (102, 103), (0, 103), (17, 34)]:
        assert np.array_equal(read(start, stop), VALUES[start:stop])


def test_one_column_is_a_number_a_step(tmp_path: Path) -> None:
    steps = open_steps(parquet(tmp_path), "y")
    assert steps.shape == (103,)
    assert np.array_equal(steps.reader()(10, 60), VALUES[10:60, 1])
    assert np.array_equal(open_steps(arrow(tmp_path), ["z", "x"]).reader()(3, 50), VALUES[3:50, [2, 0]])


@pytest.mark.parametrize("make", [parquet, arrow])
def test_sequences_begin_where_their_name_changes(make: Callable[[Path], Path], tmp_path: Path) -> None:
    assert sequence_starts(make(tmp_path), "run").tolist() == [0, 40, 41]


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    path = npy(tmp_path)
    with pytest.raises(DataError, match=r'no file ".*step\.npy": did you mean "steps\.npy"'):
        open_steps(tmp_path / "step.npy")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match=r"is truncated: \d+ bytes, expected \d+ for \[103, 3\]"):
        open_steps(path)
    path.write_bytes(b"no array")
    with pytest.raises(DataError, match=r"is not a readable \.npy file"):
        open_steps(path)
    np.save(path, np.asfortranarray(VALUES))
    with pytest.raises(DataError, match="in column order"):
        open_steps(path)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        open_steps(tmp_path / "x.parquet")
    (tmp_path / "x.arrow").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a readable Arrow file"):
        open_steps(tmp_path / "x.arrow")
    (tmp_path / "x.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match=r"must end in one of \.npy, \.parquet"):
        open_steps(tmp_path / "x.csv")
    with pytest.raises(DataError, match=r'no column "w": There is: run, x, y, z'):
        open_steps(parquet(tmp_path), ["w"])
    with pytest.raises(DataError, match='column "run" holds string, expected numbers'):
        open_steps(parquet(tmp_path), ["run"])
    pq.write_table(pa.table({"x": [1.0, None, 3.0]}), tmp_path / "gap.parquet")
    with pytest.raises(DataError, match=r'gap\.parquet", row 2, column "x" is empty'):
        open_steps(tmp_path / "gap.parquet").reader()(0, 2)
    pq.write_table(pa.table({"run": ["a", "b", "a"]}), tmp_path / "mixed.parquet")
    with pytest.raises(DataError, match="row 3: sequence 'a' of column \"run\" goes on after another has begun"):
        sequence_starts(tmp_path / "mixed.parquet", "run")
