import numpy as np
import pytest

from gatewise.data.ink import Ink, read_ink, read_json, read_unipen, write_json
from gatewise.errors import DataError


@pytest.fixture
def read(tmp_path):
    def from_text(text, name="line.json"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_ink(path)

    return from_text


def lists(ink):
    return [stroke.tolist() for stroke in ink.strokes]


@pytest.mark.parametrize(
    "text",
    [
        '{"strokes": [[[1, 2, 0], [3, 4.5, 0.1]], [[5, 6, 1]]], "text": "ü"}',
        '{"strokes": [{"x": [1, 3], "y": [2, 4.5], "t": [0, 0.1]}, [[5, 6, 1]]], "text": "ü"}',
    ],
)
def test_json(read, text):
    ink = read(text)
    assert lists(ink) == [[[1, 2, 0], [3, 4.5, 0.1]], [[5, 6, 1]]]
    assert ink.text == "ü"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"", ["0 bytes"]),
        ("[[[0, 0],\n[1 1]]]", ["line 2", "column 4", "expected JSON"]),
        (b'["\xff"]', ["not UTF-8"]),
        ("[" * 100_000, ["nested too deep"]),
        ("[[[0, NaN]]]", ["NaN", "expected finite"]),
        ("[[[0, 1" + "0" * 5000 + "]]]", ["none to compute with"]),
        ("[[[0, 1" + "0" * 400 + "]]]", ["stroke 1"]),
        ("5", ["a single value", '{"strokes"']),
        ('{"traces": []}', ['"traces"', '{"strokes"']),
        ('{"strokes": [[[0, 0]]], "label": "a"}', ['"label"']),
        ('{"strokes": [[[0, 0]]], "text": 5}', ["text as a string, got 5"]),
        ('{"strokes": null}', ["null"]),
        ("[]", ["at least one stroke"]),
        ("[[]]", ["stroke 1 has no points"]),
        ("[5]", ["stroke 1 is a single value"]),
        ("[[[0, 0]], [[0, 0], 5]]", ["stroke 2, point 2", "got 5"]),
        ("[[[0, 0], [0, 0, 0]]]", ["stroke 1, point 2", "3 numbers, where the first point has 2"]),
        ('[[[0, "1"]]]', ["stroke 1, point 1", '"1"']),
        ("[[[0, true]]]", ["got true"]),
        ('[{"x": [1]}]', ["stroke 1", 'lists "x", "y"']),
        ('[{"x": [1], "y": [1], "p": [1]}]', ["x, y, p"]),
        ('[{"x": [1, 2], "y": [1]}]', ["[2, 1] numbers"]),
        ("[[[0, 0]], [[0, 0, 0]]]", ["stroke 2 has time stamps"]),
    ],
)
def test_json_that_is_refused_in_one_sentence(read, text, parts):
    with pytest.raises(DataError) as caught:
        read(text)
    for part in ("line.json", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize("columns", [2, 3])
def test_what_is_written_is_read_again(tmp_path, columns):
    rng = np.random.default_rng(0)
    ink = Ink.from_strokes([rng.normal(size=(n, columns)) * 10.0**n for n in (1, 5, 3)], 'a < "b" & ü')
    write_json(ink, tmp_path / "line.json")
    again = read_json(tmp_path / "line.json")
    assert again.text == ink.text
    assert lists(again) == lists(ink)


UNIPEN = """.VERSION 1.0
.COMMENT Strokes of a test;
 a comment of two lines, 5 6
.COORD X Y T P
.HIERARCHY SENTENCE WORD
.SEGMENT WORD 0-1 OK "it's"
.PEN_DOWN
10 20 1000 5
12 22 1010 6
.PEN_UP
50 50 1100 0
.DT 100
.PEN_DOWN 30 20 1200 5
.COMMENT end
"""


def test_unipen(read):
    ink = read(UNIPEN, "line.unipen")
    assert ink.text == "it's"
    assert lists(ink) == [[[10, -20, 1], [12, -22, 1.01]], [[30, -20, 1.2]]]


def test_unipen_with_tabs_several_points_a_line_and_old_letters(read):
    ink = read(b'.COMMENT \xfc\n.SEGMENT A 0 OK "a"\n.SEGMENT B 1 OK "b"\n.PEN_DOWN\t1 2 3 4\n', "line.dat")
    assert lists(ink) == [[[1, -2], [3, -4]]]
    assert ink.text is None


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("12 22 1010 6", "12 22 1010", ["line 9", "3 numbers", "4 for each point (X Y T P)"]),
        ("12 22", "12 zz", ["line 9", "'zz'"]),
        ("12 22", "12 nan", ["stroke 1, point 2: y is nan"]),
        ("X Y T P", "X T P", ["line 4", "names Y 0 times"]),
        ("X Y T P", "X Y T Q", ["line 4", '"Q"', "X, Y, T, P"]),
        (".VERSION 1.0", ".INCLUDE other.dat", ["line 1", "not followed"]),
        (".DT 100", ".COORD X Y", ["line 12", "before the first stroke"]),
        ("10 20 1000 5\n12 22 1010 6\n", "", ["line 11", "has no points"]),
        (".PEN_DOWN 30 20 1200 5", ".PEN_DOWN", ["at its end", "has no points"]),
        (".PEN_DOWN", ".PEN", ["no strokes"]),
    ],
)
def test_unipen_that_is_refused_in_one_sentence(read, old, new, parts):
    assert old in UNIPEN
    with pytest.raises(DataError) as caught:
        read(UNIPEN.replace(old, new), "line.unipen")
    for part in ("line.unipen", *parts):
        assert part in str(caught.value)


def test_unipen_from_a_path(tmp_path):
    (tmp_path / "a.txt").write_text(UNIPEN)
    assert read_unipen(str(tmp_path / "a.txt")).n_points == 3
