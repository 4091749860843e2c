import numpy as np
import pytest

from gatewise.data.images import GEOMETRIC_FEATURES, geometric_features
from gatewise.errors import DataError

# Rows from the top; places are row / 4.
DRAWING = """
.#..#.
.##.#.
..#...
..##..
#..#..
"""


def drawn(text):
    return np.array([[mark == "#" for mark in row] for row in text.split()], np.float32)


def feature(line, name):
    return geometric_features(line)[:, GEOMETRIC_FEATURES.index(name)]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("weight", [0.2, 0.4, 0.6, 0.4, 0.4, 0]),
        ("centre", [1, 0.125, 0.5, 0.875, 0.125, 0.5]),
        # two neighbouring rows lie 1/8 from their centre, three have their outer ones 1/4 from it
        ("spread", [0, 1 / 64, 2 / 3 / 16, 1 / 64, 1 / 64, 0]),
        ("upper", [1, 0, 0.25, 0.75, 0, 0.5]),
        ("lower", [1, 0.25, 0.75, 1, 0.25, 0.5]),
        # from row to row: upper 4 0 1 3 0 -, lower 4 1 3 4 1 -
        ("upper_slope", [-4, -1.5, 1.5, -0.5, -3, 0]),
        ("lower_slope", [-3, -0.5, 1.5, -1, -3, 0]),
        ("transitions", [0, 0, 0, 0, 0, 0]),
        ("density", [1, 1, 1, 1, 1, 0]),
    ],
)
def test_features_of_a_drawing(name, wanted):
    np.testing.assert_allclose(feature(drawn(DRAWING), name), wanted, atol=1e-6)


def test_gaps_are_transitions_and_thin_the_density():
    columns = drawn("#..# #..# .... ##.# .#.# ##.. ##.#")
    np.testing.assert_array_equal(feature(columns, "transitions"), [2, 0, 0, 2])
    np.testing.assert_allclose(feature(columns, "density"), [5 / 7, 1, 0, 5 / 7], atol=1e-6)
    single = drawn("#... .... #... .... #..# .... ....")
    np.testing.assert_array_equal(feature(single, "transitions"), [2, 0, 0, 0])


def test_faint_ink_weighs_but_is_not_written():
    line = np.zeros((5, 4), np.float32)
    line[4, 1] = 0.2
    features = geometric_features(line)
    np.testing.assert_allclose(features[1], [0.04, 1, 0, 0.5, 0.5, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(features[0], [0, 0.5, 0, 0.5, 0.5, 0, 0, 0, 0], atol=1e-6)


def test_places_do_not_depend_on_the_height():
    low, high = drawn("#... .... .... .... #..."), np.zeros((21, 4), np.float32)
    high[[0, 20], 0] = 1
    for name in ("centre", "spread", "upper", "lower", "transitions"):
        np.testing.assert_allclose(feature(low, name), feature(high, name), atol=1e-6)


def test_no_line():
    with pytest.raises(DataError, match="uint8"):
        geometric_features(np.zeros((5, 5), np.uint8))
