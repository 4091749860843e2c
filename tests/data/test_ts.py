import numpy as np
import pytest

from gatewise.data import read_ts
from gatewise.errors import DataError

TWO = """# any comment
@problemName Strokes
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true up down
@data
1,2,3:-1,?,-3:up

0.5,1e2:4,NaN:down
"""


@pytest.fixture
def read(tmp_path):
    def from_text(text):
        path = tmp_path / "Strokes.ts"
        path.write_text(text)
        return read_ts(path)

    return from_text


def test_ragged_channels_labels_and_missing_values(read):
    data = read(TWO)
    assert data.labels is not None
    assert data.labels.tolist() == ["up", "down"]
    assert data.offsets.tolist() == [0, 3, 5]
    np.testing.assert_array_equal(data.values, [[1, -1], [2, np.nan], [3, -3], [0.5, 4], [100, np.nan]])


def test_one_channel_without_labels_and_keys_in_any_case(read):
    data = read(
        "@PROBLEMNAME x\n@univariate TRUE\n@EqualLength true\n@seriesLength 2\n@classlabel false\n@DATA\n1,2\n3, 4\n"
    )
    assert data.labels is None
    assert data.values.ravel().tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("0.5,1e2", "0.5,1x2", ["line 12", "channel 0", "time step 2", '"1x2"']),
        ("0.5,1e2", "0.5,inf", ["line 12", "infinite"]),
        ("0.5,1e2", "0.5,", ["line 12", '""']),
        ("0.5,1e2:", "0.5:", ["line 12", "[1, 2]"]),
        ("0.5,1e2:4,NaN", "4,NaN", ["line 12", "1 channels", "header says 2"]),
        (":down\n", ":dwn\n", ["line 12", '"dwn"', 'did you mean "down"']),
        ("@dimensions 2", "@dimensions two", ["line 6", "whole number", '"two"']),
        ("@dimensions 2", "@dimension 3", ["line 10", "2 channels", "header says 3"]),
        ("@equalLength", "@equallenght", ["line 7", "@equallenght", 'did you mean "equalLength"']),
        ("@missing true", "@missing yes", ["line 4", "true or false", '"yes"']),
        ("@missing true", "missing true", ["line 4", "header line"]),
        ("@timeStamps false", "@timeStamps true", ["line 9", "time stamps"]),
        ("@classLabel true up down", "@targetLabel true", ["line 9", "regression"]),
        ("@classLabel true up down", "@classLabel true", ["line 8", "followed by the labels"]),
        ("@equalLength false", "@equalLength true\n@seriesLength 3", ["line 13", "2 time steps", "header says 3"]),
        ("@data\n", "", ["line 9", "header line"]),
        (TWO[TWO.index("1,2,3") :], "", ["no sequences after @data"]),
        (TWO[TWO.index("@data") :], "", ["no line @data"]),
    ],
)
def test_malformed_files_name_the_line(read, old, new, parts):
    assert old in TWO
    with pytest.raises(DataError) as error:
        read(TWO.replace(old, new, 1))
    assert "Strokes.ts" in str(error.value)
    for part in parts:
        assert part in str(error.value)


def test_channel_counts_must_agree_without_a_header_that_says_them(read):
    with pytest.raises(DataError, match="line 4: 1 channels, where the first sequence has 2"):
        read("@classLabel true a\n@data\n1:2:a\n3:a\n")
    with pytest.raises(DataError, match='line 3: expected values and a class label separated by ":"'):
        read("@classLabel true a\n@data\n1,2,3\n")


def test_files_that_are_not_there_or_not_text(tmp_path):
    (tmp_path / "Strokes_TRAIN.ts").write_text(TWO)
    with pytest.raises(DataError, match=r'did you mean "Strokes_TRAIN\.ts"'):
        read_ts(tmp_path / "Strokes_TRIAN.ts")
    with pytest.raises(DataError, match="folder"):
        read_ts(tmp_path / "no" / "x.ts")
    (tmp_path / "b.ts").write_bytes(b"@problemName \xff\xfe\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_ts(tmp_path / "b.ts")
