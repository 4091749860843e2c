import numpy as np
import pytest

from gatewise.data.ink import Ink
from gatewise.errors import DataError


def test_measures():
    ink = Ink.from_strokes([[[1, 2], [4, 6]], [[-3, 5]], [[0, 0], [0, 1], [0, 0]]])
    assert ink.n_points == 6
    assert ink.length == 7
    assert ink.bounds == (-3, 0, 4, 6)
    assert ink.ends.tolist() == [1, 2, 5]
    assert ink.points.shape == (6, 2)
    assert not ink.has_time
    assert ink.strokes[0].dtype == np.float64


def test_a_stroke_is_a_copy_that_nobody_writes_to():
    own = np.zeros((2, 2))
    ink = Ink((own,))
    own += 1
    assert ink.strokes[0].max() == 0
    with pytest.raises(ValueError, match="read-only"):
        ink.strokes[0][0, 0] = 1


def test_places_move_and_time_does_not():
    ink = Ink.from_strokes([[[1, 2, 10], [3, 4, 11]]], "a").moved([[0, 1], [-1, 0]], [5, 6])
    np.testing.assert_array_equal(ink.strokes[0], [[7, 5, 10], [9, 3, 11]])
    assert ink.text == "a"


@pytest.mark.parametrize(
    ("strokes", "parts"),
    [
        ([], ["at least one stroke"]),
        ([[[0, 0]], []], ["stroke 2 has no points"]),
        ([[0, 0]], ["stroke 1 is [2]", "[n, 2]"]),
        ([[[0, 0, 0, 0]]], ["[1, 4]"]),
        ([[[0, 0]], [[0, "x"]]], ["stroke 2 is no list of points"]),
        ([[[0, 0], [1]]], ["stroke 1 is no list of points"]),
        ([[[0, 10**400]]], ["stroke 1 is no list of points"]),
        ([5], ["stroke 1 has no points"]),
        ([[[0, 0]], [[0, 0], [0, np.nan]]], ["stroke 2, point 2: y is nan"]),
        ([[[0, 0, 2e9]]], ["stroke 1, point 1: t is 2e+09"]),
        ([[[0, 0]], [[0, 0, 0]]], ["stroke 2 has time stamps and stroke 1 has none"]),
        ([[[0, 0, 0]], [[0, 0]]], ["stroke 1 has time stamps and stroke 2 has none"]),
    ],
)
def test_what_is_no_ink(strokes, parts):
    with pytest.raises(DataError) as caught:
        Ink.from_strokes(strokes)
    for part in parts:
        assert part in str(caught.value)
