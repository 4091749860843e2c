import math

import numpy as np
import pytest

from gatewise.data.ink import Ink, base_lines, ink_slant, normalise_ink, resample
from gatewise.errors import ConfigurationError, DataError


def writing(slant=0.0, skew=0.0, size=1.0, place=(0.0, 0.0)):
    """Twelve letters on a base line: arches 10 high, every fourth with an ascender, every fourth with a descender."""
    strokes = []
    for number in range(12):
        x = 20.0 * number
        top, bottom = (-18 if number % 4 == 1 else -10), (9 if number % 4 == 3 else 0)
        strokes.append([[x, bottom], [x, top], [x, -10], [x + 8, -10], [x + 8, 0]])
    lean, angle = math.tan(math.radians(slant)), math.radians(skew)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return Ink.from_strokes(strokes).moved(size * turn @ [[1, -lean], [0, 1]], place)


def test_points_at_even_distances():
    ink = resample(Ink.from_strokes([[[0, 0, 0], [0, 0, 1], [3, 0, 2], [3, 4, 6]], [[9, 9, 7], [9, 9, 8]]]), 1)
    np.testing.assert_allclose(
        ink.strokes[0],
        # the pen rested at the beginning, whose first time stamp counts
        [[0, 0, 0], [1, 0, 2 / 3], [2, 0, 4 / 3], [3, 0, 2], [3, 1, 3], [3, 2, 4], [3, 3, 5], [3, 4, 6]],
    )
    np.testing.assert_array_equal(ink.strokes[1], [[9, 9, 7]])


@pytest.mark.parametrize(("spacing", "steps"), [(3, 3), (4, 2), (4.9, 2), (6, 2), (100, 1)])
def test_steps_come_out_even_and_ends_stay(spacing, steps):
    stroke = resample(Ink.from_strokes([[[0, 0], [6, 8]]]), spacing).strokes[0]
    assert len(stroke) == steps + 1
    np.testing.assert_allclose(np.hypot(*np.diff(stroke, axis=0).T), 10 / steps)
    np.testing.assert_array_equal(stroke[[0, -1]], [[0, 0], [6, 8]])


def test_spacings_that_cannot_be():
    ink = Ink.from_strokes([[[0, 0], [6, 8]]])
    with pytest.raises(ConfigurationError, match="positive, got 0"):
        resample(ink, 0)
    with pytest.raises(DataError, match="1,000,000 points"):
        resample(ink, 1e-6)


@pytest.mark.parametrize("slant", [-32, -10, 0, 16, 30])
def test_slant_is_found(slant):
    assert ink_slant(writing(slant)) == pytest.approx(slant, abs=2)


def test_slant_does_not_depend_on_the_way_the_pen_goes():
    up = [[0, 0], [3, -10]]
    for stroke in (up, up[::-1]):
        assert ink_slant(Ink.from_strokes([stroke])) == pytest.approx(math.degrees(math.atan(0.3)), abs=1)


def test_long_flat_strokes_do_not_make_a_slant():
    assert ink_slant(Ink.from_strokes([[[0, 0], [0, -30]], [[0, -40], [30, -72]]])) == 0


def test_only_dots_and_dashes_have_no_slant():
    assert ink_slant(Ink.from_strokes([[[0, 0], [10, 0]], [[5, 5]]])) == 0


@pytest.mark.parametrize("skew", [-10, -3, 0, 4, 12])
def test_base_and_corpus_lines_in_spite_of_ascenders_and_descenders(skew):
    slope, base, corpus = base_lines(writing(skew=skew, place=(0, 50)))
    assert slope == pytest.approx(-math.tan(math.radians(skew)), abs=0.01)
    assert base == pytest.approx(50, abs=1)
    assert corpus == pytest.approx(50 - 10 / math.cos(math.radians(skew)), abs=1)


def test_steep_or_short_ink_is_taken_as_level():
    assert base_lines(writing(skew=30))[0] == 0
    assert base_lines(Ink.from_strokes([[[0, 0], [10, -10], [12, 0]]]))[0] == 0
    assert base_lines(Ink.from_strokes([[[0, 3], [10, 3]]])) == (0, 3, 3)


@pytest.mark.parametrize(("slant", "skew"), [(0, 0), (20, 0), (-16, 5), (12, -8)])
@pytest.mark.parametrize(("size", "place"), [(1, (0, 0)), (0.01, (-5, 900))])
def test_everything_comes_to_one_form(slant, skew, size, place):
    ink = normalise_ink(writing(slant, skew, size, place))
    plain = writing(size=0.1)
    for one, other in zip(ink.strokes, plain.strokes, strict=True):
        np.testing.assert_allclose(one, other, atol=0.35)
    assert ink.bounds[0] == pytest.approx(0, abs=1e-9)
    slope, base, corpus = base_lines(ink, level=True)
    assert (slope, base, corpus) == pytest.approx((0, 0, -1), abs=0.02)


def test_time_and_text_stay_and_parts_can_be_left_out():
    timed = Ink(tuple(np.column_stack([stroke, np.arange(5)]) for stroke in writing(20, 6).strokes), "text")
    ink = normalise_ink(timed, level=False, upright=False)
    assert ink.text == "text"
    assert ink.strokes[3][:, 2].tolist() == [0, 1, 2, 3, 4]
    assert ink_slant(ink) == pytest.approx(ink_slant(timed))


def test_without_small_letters_the_whole_ink_is_1_high():
    ripples = [[0.1 * i, -0.2 * (i % 2)] for i in range(60)]
    ink = normalise_ink(Ink.from_strokes([ripples, [[3, 0], [3, -10]]]), level=False, upright=False)
    assert ink.bounds == pytest.approx((0, -1, 0.59, 0), abs=0.01)


@pytest.mark.parametrize(
    ("strokes", "bounds"),
    [
        ([[[5, 5]]], (0, 0, 0, 0)),
        ([[[5, 5], [7, 5]]], (0, 0, 1, 0)),
        ([[[5, 5], [5, 15]]], (0, -1, 0, 0)),
    ],
)
def test_dots_dashes_and_bars(strokes, bounds):
    assert normalise_ink(Ink.from_strokes(strokes)).bounds == pytest.approx(bounds, abs=1e-9)
