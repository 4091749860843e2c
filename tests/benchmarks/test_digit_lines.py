import csv
import hashlib
import itertools

import numpy as np
import pytest

from benchmarks.data import archives, digit_lines
from benchmarks.data.folders import Entry, png, write_lines
from gatewise.data.images import read_line


@pytest.fixture
def stand_ins(monkeypatch):
    """A hundred digits that are told by their ink: digit k is a filled square of level 100 + its number."""
    images = np.zeros((100, 28, 28), np.uint8)
    images[:, 4:24, 4:24] = np.arange(100, 200)[:, None, None]
    digits = digit_lines.Digits(images, np.arange(100) // 10)
    monkeypatch.setattr(digit_lines, "digits", lambda: digits)
    digit_lines.split.cache_clear()
    yield digits
    digit_lines.split.cache_clear()


def test_training_and_test_lines_share_no_digit(stand_ins):
    train, test = digit_lines.split()
    order = np.random.default_rng(0).permutation(100)
    assert train.tolist() == order[:80].tolist()
    assert test.tolist() == order[80:].tolist()
    for line in itertools.islice(digit_lines.training_lines(), 200):
        assert set(line.sources) <= set(train)
    for line in digit_lines.held_out_lines(200):
        assert set(line.sources) <= set(test)


def test_lines_are_as_the_protocol_says(stand_ins):
    gaps, shifts, lengths = set(), set(), set()
    for line in itertools.islice(digit_lines.training_lines(), 400):
        levels = np.rint(line.image * 255).astype(int) - 100
        assert line.image.shape[0] == 32
        assert line.text == "".join(str(source // 10) for source in line.sources)
        starts = [int(np.flatnonzero((levels == source).any(axis=0))[0]) - 4 for source in line.sources]
        if len(set(line.sources)) == len(line.sources):
            gaps |= set(np.diff(starts) - 28)
            tops = [int(np.flatnonzero((levels == source).any(axis=1))[0]) - 4 for source in line.sources]
            shifts |= {top - 2 for top in tops}
        assert starts[0] == 4
        assert line.image.shape[1] == starts[-1] + 28 + 4 or len(set(line.sources)) < len(line.sources)
        lengths.add(len(line.text))
    assert gaps == set(range(-4, 7))
    assert shifts == set(range(-3, 4))
    assert lengths == set(range(3, 9))


def test_lines_are_the_same_for_the_same_seed(stand_ins):
    def texts(seed):
        return [line.text for line in itertools.islice(digit_lines.training_lines(seed), 20)]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)
    assert [line.text for line in digit_lines.held_out_lines(5)] == [
        line.text for line in digit_lines.held_out_lines(9)[:5]
    ]


def test_written_lines_are_read_as_they_were(stand_ins, tmp_path):
    lines = digit_lines.held_out_lines(3)
    write_lines(tmp_path / "out" / "test", ".png", (Entry(png(line.image), line.text) for line in lines))
    with (tmp_path / "out" / "test" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["00000.png", "00001.png", "00002.png"]
    assert [row["text"] for row in rows] == [line.text for line in lines]
    for row, line in zip(rows, lines, strict=True):
        np.testing.assert_array_equal(read_line(tmp_path / "out" / "test" / row["path"]), line.image)


def test_archives_are_kept_only_with_the_sha256_they_should_have(tmp_path, capfd):
    good = archives.Archive("a 1", hashlib.sha256(b"abc\n").hexdigest(), ".tgz", ("sh", "-c", "echo abc > a.tgz"))
    path = archives.fetched(good, tmp_path)
    assert path.read_text() == "abc\n"
    assert capfd.readouterr().err == "fetching a 1\n"
    assert archives.fetched(good, tmp_path) == path
    assert capfd.readouterr().err == ""
    path.write_text("other")
    with pytest.raises(SystemExit, match=r"is not a 1.*Delete it"):
        archives.fetched(good, tmp_path)
    bad = archives.Archive("b 2", "0" * 64, ".tgz", ("sh", "-c", "echo abc > b.tgz"))
    with pytest.raises(SystemExit, match=r"b 2: got sha256 .* not kept"):
        archives.fetched(bad, tmp_path)
    gone = archives.Archive("c 3", "0" * 64, ".tgz", ("false",))
    with pytest.raises(SystemExit, match="c 3 did not come"):
        archives.fetched(gone, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
