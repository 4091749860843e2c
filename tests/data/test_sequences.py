import numpy as np
import pyarrow as pa
import pytest

from gatewise.data import Ragged
from gatewise.data.sequences import as_labels
from gatewise.errors import DataError


def message(make, *arguments, **options):
    with pytest.raises(DataError) as error:
        make(*arguments, **options)
    return str(error.value)


@pytest.fixture
def ragged():
    rng = np.random.default_rng(0)
    return Ragged.from_arrays([rng.normal(size=(n, 2)) for n in (3, 1, 4)], labels=["a", "b", "a"], channels=["x", "y"])


def test_arrays_in_any_shape():
    assert Ragged.from_arrays([[1, 2, 3], [4]]).values.tolist() == [[1], [2], [3], [4]]
    cube = np.arange(24).reshape(2, 3, 4)
    data = Ragged.from_arrays(cube)
    assert (len(data), data.n_channels, data.lengths.tolist()) == (2, 4, [3, 3])
    np.testing.assert_array_equal(data[1], cube[1])
    assert Ragged.from_arrays(np.zeros((2, 5))).values.shape == (10, 1)
    assert Ragged.from_arrays([np.zeros((2, 1), np.float32)]).values.dtype == np.float32
    assert Ragged.from_arrays([np.zeros((2, 1), np.float32), np.zeros((2, 1))]).values.dtype == np.float64
    assert Ragged.from_arrays([np.zeros(2)], dtype=np.float32).values.dtype == np.float32
    assert Ragged.from_arrays([[True, False]]).values.tolist() == [[1], [0]]
    objects = np.empty(2, object)
    objects[:] = [np.zeros((2, 3)), np.zeros((1, 3))]
    assert Ragged.from_arrays(objects).lengths.tolist() == [2, 1]


def test_padding_is_time_major_zero_after_the_end_and_keeps_missing_values(ragged):
    values = ragged.values.copy()
    values[0, 1] = np.nan
    data = Ragged(values, ragged.offsets)
    padded, lengths = data.pad([1, 0])
    assert padded.shape == (3, 2, 2)
    assert lengths.tolist() == [1, 3]
    np.testing.assert_array_equal(padded[:, 1], data[0])
    np.testing.assert_array_equal(padded[:1, 0], data[1])
    assert (padded[1:, 0] == 0).all()
    assert np.isnan(padded[0, 1, 1])
    assert data.pad([])[0].shape == (0, 0, 2)


def test_select_by_number_and_by_mask(ragged):
    part = ragged.select([2, 0])
    np.testing.assert_array_equal(part[0], ragged[2])
    np.testing.assert_array_equal(part[1], ragged[0])
    assert part.labels is not None
    assert part.labels.tolist() == ["a", "a"]
    assert part.channels == ("x", "y")
    assert len(ragged.select(np.array([True, False, True]))) == 2
    np.testing.assert_array_equal(ragged[-1], ragged[2])
    with pytest.raises(IndexError):
        ragged[3]
    with pytest.raises(IndexError):
        ragged.select([3])


@pytest.mark.parametrize(
    ("sequences", "parts"),
    [
        ([], ["no sequences"]),
        ([np.zeros((2, 2)), np.zeros((0, 2))], ["sequence 1 is empty"]),
        ([np.zeros((2, 2)), np.zeros((2, 3))], ["sequence 1 has 3 channels", "sequence 0 has 2"]),
        ([np.zeros((2, 2)), np.array([[0, 1], [2, np.inf]])], ["sequence 1, time step 2, channel 1", "inf"]),
        ([np.zeros((2, 2, 2))], ["sequence 0 must be [T, X]", "[2, 2, 2]"]),
        ([np.zeros(2), ["a", "b"]], ["sequence 1 holds"]),
        ([np.zeros(2), [[1, 2], [3]]], ["sequence 1 is not an array of numbers"]),
        ([np.zeros(2), None], ["sequence 1"]),
        (np.zeros(3), ["one array [3]", "into a list"]),
        (5, ["type int"]),
    ],
)
def test_wrong_sequences(sequences, parts):
    text = message(Ragged.from_arrays, sequences)
    for part in parts:
        assert part in text


def test_counts_must_agree():
    arrays = [np.zeros((2, 2)), np.zeros((1, 2))]
    assert "expected 2 labels, got 1" in message(Ragged.from_arrays, arrays, labels=["a"])
    assert "expected 2 channels, got 3" in message(Ragged.from_arrays, arrays, channels=["a", "b", "c"])
    assert "offsets must run from 0 to the 3 rows" in message(Ragged, np.zeros((3, 1)), np.array([0, 2]))
    assert "float32 or float64" in message(Ragged, np.zeros((3, 1), int), np.array([0, 3]))


def test_labels():
    for given, wanted in (
        (["b", "a"], ["b", "a"]),
        ([1, 2], [1, 2]),
        ([1.0, 2.0], [1, 2]),
        (np.array(["x", "yy"], object), ["x", "yy"]),
        (np.array([1, 2], object), [1, 2]),
    ):
        labels = as_labels(given)
        assert labels is not None
        assert labels.tolist() == wanted
        assert labels.dtype.kind in "Ui"
    assert "label 1 is missing" in message(as_labels, ["a", None])
    assert "label 1 is nan" in message(as_labels, [1.0, float("nan")])
    assert "label 0 is 0.5" in message(as_labels, [0.5, 1.0])
    assert "one-dimensional" in message(as_labels, [["a"], ["b"]])
    assert "text or whole numbers" in message(as_labels, np.array(["2024-01-01"], "datetime64[D]"))


class TestTable:
    table = pa.table(
        {
            "who": ["b", "a", "b", "a", "a"],
            "t": [2, 3, 1, 1, 2],
            "x": [20.0, 3.0, 10.0, None, 2.0],
            "y": [2, 3, 1, 1, 2],
            "kind": ["no", "yes", "no", "yes", "yes"],
        }
    )

    def test_rows_are_gathered_and_sorted(self):
        data = Ragged.from_table(self.table, "who", time="t", label="kind")
        assert (data.ids, data.channels, data.offsets.tolist()) == (("b", "a"), ("x", "y"), [0, 2, 5])
        assert data.labels is not None
        assert data.labels.tolist() == ["no", "yes"]
        np.testing.assert_array_equal(data.values, [[10, 1], [20, 2], [np.nan, 1], [2, 2], [3, 3]])
        assert data.select([1]).ids == ("a",)

    def test_without_a_time_rows_keep_their_order(self):
        data = Ragged.from_table(self.table, "who", channels=["y"])
        assert data.labels is None
        assert data.values[:, 0].tolist() == [2, 1, 3, 1, 2]

    def test_whole_number_labels(self):
        table = self.table.set_column(4, "kind", pa.array([0, 1, 0, 1, 1]))
        labels = Ragged.from_table(table, "who", label="kind", channels=["y"]).labels
        assert labels is not None
        assert labels.tolist() == [0, 1]
        assert labels.dtype == np.int64

    def test_a_label_that_changes_or_is_missing(self):
        changed = self.table.set_column(4, "kind", pa.array(["no", "yes", "no", "no", "yes"]))
        text = message(Ragged.from_table, changed, "who", label="kind", channels=["y"])
        assert 'row 4: "no" differs from "yes"' in text
        assert 'sequence "a" in row 2' in text
        missing = self.table.set_column(4, "kind", pa.array(["no", None, "no", "no", "yes"]))
        text = message(Ragged.from_table, missing, "who", label="kind", channels=["y"])
        assert 'row 2: the label of sequence "a" is missing' in text

    def test_wrong_tables(self):
        assert 'did you mean "who"' in message(Ragged.from_table, self.table, "whom")
        assert "asked for as label" in message(Ragged.from_table, self.table, "who", label="kinds")
        assert 'column "kind" (channel), row 1: "no"' in message(Ragged.from_table, self.table, "who", time="t")
        assert '"x" has two roles' in message(Ragged.from_table, self.table, "who", channels=["x", "x"])
        text = message(Ragged.from_table, self.table.select(["who", "t"]), "who", time="t")
        assert "no column left" in text
        assert "no rows" in message(Ragged.from_table, self.table.slice(0, 0), "who", channels=["y"])
        twice = self.table.set_column(1, "t", pa.array([1, 3, 1, 1, 2]))
        text = message(Ragged.from_table, twice, "who", time="t", channels=["x"])
        assert "rows 1 and 3" in text
        infinite = self.table.set_column(2, "x", pa.array([1.0, float("inf"), 2.0, 3.0, 4.0]))
        assert 'column "x" (channel), row 2: inf' in message(Ragged.from_table, infinite, "who", channels=["x"])
