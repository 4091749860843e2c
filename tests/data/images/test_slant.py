import math

import numpy as np
import pytest

from gatewise.data.images import deskew, deslant, skew_angle, slant_angle


def strokes(slant=0.0, skew=0.0, count=12):
    """Strokes of 30 rows on a base line, three with descenders, all on the right, as they are without resampling."""
    line = np.zeros((160, 400), np.float32)
    for number in range(count):
        foot = 40 + 25 * number
        base = 90 - math.tan(math.radians(skew)) * (foot - 180)
        for up in np.arange(-18 if number in (6, 9, 10) else 0, 30, 0.25):
            x, y = foot + up * math.tan(math.radians(slant)), base - up
            line[round(y), round(x) : round(x) + 3] = 1
    return line


@pytest.mark.parametrize("skew", [-9, -3, 0, 2, 7, 12])
def test_skew_is_found_in_spite_of_descenders_and_taken_out(skew):
    line = strokes(skew=skew)
    assert skew_angle(line) == pytest.approx(skew, abs=0.35)
    level = deskew(line)
    assert abs(skew_angle(level)) < 0.5
    assert level.sum() == pytest.approx(line.sum(), rel=0.02)


@pytest.mark.parametrize("slant", [-30, -10, 0, 15, 40])
def test_slant_is_found_and_taken_out(slant):
    line = strokes(slant=slant)
    assert slant_angle(line) == pytest.approx(slant, abs=2)
    upright = deslant(line)
    assert abs(slant_angle(upright)) <= 2
    assert upright.shape[0] == line.shape[0]
    assert upright.sum() == pytest.approx(line.sum(), rel=0.02)


def test_a_known_shear_moves_each_row_by_its_height():
    line = np.zeros((5, 12), np.float32)
    line[np.arange(5), 8 - np.arange(5)] = 1  # leaning right by 45 degrees, its foot at column 4 of the bottom row
    upright = deslant(line, 45)
    np.testing.assert_allclose(upright[:, 8], 1, atol=1e-5)
    assert upright.sum() == pytest.approx(5)
    mirrored = deslant(np.ascontiguousarray(line[:, ::-1]), -45)
    np.testing.assert_allclose(mirrored[:, 7], 1, atol=1e-5)


def test_columns_with_gaps_are_no_upright_strokes():
    bars = np.zeros((40, 80), np.float32)
    bars[35, 5:25] = 1
    bars[5, 35:55] = 1  # which a shear of 45 degrees would put above the other
    assert slant_angle(bars) == 0


def test_level_and_blank_lines_stay_as_they_are():
    blank = np.zeros((20, 30), np.float32)
    assert deskew(blank) is blank
    assert deslant(blank) is blank
    dot = blank.copy()
    dot[5, 5] = 1
    assert skew_angle(dot) == slant_angle(dot) == 0


def test_what_is_too_steep_is_no_base_line():
    steep = np.zeros((40, 60), np.float32)
    steep[39 - np.arange(40), np.arange(40)] = 1
    assert skew_angle(steep) == 0
