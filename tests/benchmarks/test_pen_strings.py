import csv
import itertools

import numpy as np
import pytest

from benchmarks.data import pen_strings
from benchmarks.data.folders import Entry, write_lines
from gatewise.data.ink import format_inkml, read_ink


@pytest.fixture
def stand_ins(monkeypatch):
    """A hundred digits, each a zigzag of its own, 100 wide and high."""
    points = np.random.default_rng(0).uniform(0, 100, (100, 8, 2))
    points[:, 0], points[:, 7] = 0, 100
    digits = pen_strings.Digits(points, np.arange(100) // 10)
    monkeypatch.setattr(pen_strings, "digits", lambda: digits)
    pen_strings.split.cache_clear()
    yield digits
    pen_strings.split.cache_clear()


@pytest.fixture
def still(monkeypatch):
    """Nothing varies: digits 50 wide and 100 high, 10 apart."""
    for name, value in {
        "WIDTHS": 0.5,
        "SIZES": 1.0,
        "SLANTS": 0.0,
        "LEANINGS": 0.0,
        "HEIGHTS": 0.0,
        "GAPS": 10.0,
        "TREMBLING": 0.0,
    }.items():
        monkeypatch.setattr(pen_strings, name, (value, value))


def test_y_is_turned_downwards(monkeypatch):
    monkeypatch.setattr(pen_strings, "member", lambda key: b"@relation\n" + b"0, 100, " * 7 + b"30, 0, 8\n")
    pen_strings.digits.cache_clear()
    digits = pen_strings.digits()
    pen_strings.digits.cache_clear()
    assert digits.labels.tolist() == [8]
    assert digits.points[0].tolist() == [[0, 0]] * 7 + [[30, 100]]


def test_training_and_test_strings_share_no_digit(stand_ins):
    train, test = pen_strings.split()
    order = np.random.default_rng(0).permutation(100)
    assert train.tolist() == order[:70].tolist()
    assert test.tolist() == order[70:].tolist()
    lengths = set()
    for string in itertools.islice(pen_strings.training_strings(), 200):
        assert set(string.sources) <= set(train)
        assert string.text == string.ink.text == "".join(str(source // 10) for source in string.sources)
        lengths.add(len(string.text))
    assert lengths == set(range(3, 9))
    for string in pen_strings.held_out_strings(200):
        assert set(string.sources) <= set(test)


def test_digits_stand_side_by_side(stand_ins, still):
    for string in itertools.islice(pen_strings.training_strings(), 50):
        points = string.ink.points.reshape(-1, 8, 2)
        assert len(points) == len(string.text)
        for number, (own, source) in enumerate(zip(points, string.sources, strict=True)):
            wanted = (stand_ins.points[source] - (0, 100)) * (0.5, 1) + (60 * number, 0)
            np.testing.assert_allclose(own, wanted, atol=0.006)


def test_where_the_pen_was_lifted_does_not_tell_where_a_digit_ends(stand_ins, still):
    joined = cut = places = total = 0
    for string in itertools.islice(pen_strings.training_strings(), 400):
        ends = set(string.ink.ends + 1)
        between = set(range(8, 8 * len(string.text), 8))
        joined += len(between - ends)
        places += len(between)
        inside = {end % 8 for end in ends} - {0}
        assert inside <= set(range(2, 7))
        cut += sum(end % 8 > 0 for end in ends)
        total += len(string.text)
    assert joined / places == pytest.approx(0.2, abs=0.04)
    assert cut / total == pytest.approx(0.25, abs=0.04)


def test_everything_varies_within_its_range(stand_ins):
    heights, overlaps = [], []
    for string in itertools.islice(pen_strings.training_strings(), 100):
        points = string.ink.points.reshape(-1, 8, 2)
        heights += list(np.ptp(points[:, [0, 7], 1], axis=1))
        overlaps += list(points[1:, :, 0].min(axis=1) - points[:-1, :, 0].max(axis=1))
    assert 77 <= min(heights) < 85
    assert 115 < max(heights) <= 123
    assert -20 < min(overlaps) < -10
    assert 30 < max(overlaps) <= 37


def test_strings_are_the_same_for_the_same_seed(stand_ins):
    def strings(seed):
        return [format_inkml(string.ink) for string in itertools.islice(pen_strings.training_strings(seed), 10)]

    assert strings(1) == strings(1)
    assert strings(1) != strings(2)
    few, more = pen_strings.held_out_strings(5), pen_strings.held_out_strings(9)
    assert [format_inkml(string.ink) for string in few] == [format_inkml(string.ink) for string in more[:5]]


def test_written_strings_are_read_as_they_were(stand_ins, tmp_path):
    strings = pen_strings.held_out_strings(3)
    entries = [Entry(format_inkml(string.ink).encode(), string.text) for string in strings]
    write_lines(tmp_path / "test", ".inkml", entries)
    with (tmp_path / "test" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, string in zip(rows, strings, strict=True):
        ink = read_ink(tmp_path / "test" / row["path"])
        assert row["text"] == ink.text == string.text
        np.testing.assert_array_equal(ink.points, string.ink.points)
