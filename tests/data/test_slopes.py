import numpy as np
import pytest

from gatewise.data.slopes import median_slope


def test_a_quarter_of_the_points_may_lie_anywhere():
    x = np.arange(100.0)
    y = 3 * x - 7
    y[75:] = 1e6
    assert median_slope((x, y)) == pytest.approx(3)


def test_lines_have_one_slope_and_places_of_their_own():
    x = np.arange(10.0)
    assert median_slope((x, 0.5 * x), (x + 100, 0.5 * x - 40)) == pytest.approx(0.5)


def test_of_many_points_some_count():
    x = np.arange(5000.0)
    assert median_slope((x, -2 * x)) == pytest.approx(-2)


def test_points_above_one_another_have_no_slope():
    assert median_slope((np.zeros(4), np.arange(4.0))) == 0
    assert median_slope((np.zeros(1), np.zeros(1)), (np.zeros(0), np.zeros(0))) == 0
