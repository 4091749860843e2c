import math

import numpy as np
import pytest

from gatewise.data.ink import INK_FEATURES, Ink, delayed_strokes, ink_features, normalise_ink
from gatewise.errors import ConfigurationError


def features(strokes, spacing=1.0):
    found = ink_features(Ink.from_strokes(strokes), spacing=spacing, normalise=False)
    assert found.dtype == np.float32
    return dict(zip(INK_FEATURES, found.T, strict=True))


# Right by 4, then up by 4: points at x = 0 ... 4, then y = 1 ... 4 above the base line.
CORNER = [[[0, 0], [4, 0], [4, -4]]]


def test_there_are_25():
    assert len(INK_FEATURES) == len(set(INK_FEATURES)) == 25
    assert ink_features(Ink.from_strokes(CORNER)).shape[1] == 25


def test_places_and_lifts():
    found = features([*CORNER, [[6, 0]]])
    assert found["pen_lift"].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert found["y"].tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4, 0]
    x = [0, 1, 2, 3, 4, 4, 4, 4, 4, 6]
    # at a spacing of 1 the mean is over two points to either side
    wanted = [x[i] - np.mean(x[max(0, i - 2) : i + 3]) for i in range(10)]
    np.testing.assert_allclose(found["x"], wanted, atol=1e-6)


def test_directions_and_turns():
    found = features(CORNER)
    assert found["direction_cos"].tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert found["direction_sin"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert found["curvature_cos"].tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1]
    assert found["curvature_sin"].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]  # to the left
    right = features([[[0, 0], [4, 0], [4, 4]]])
    assert right["curvature_sin"].tolist() == [0, 0, 0, 0, -1, 0, 0, 0, 0]


def test_the_vicinity():
    found = features(CORNER)
    # of point 4, the corner: points 1 to 7, 3 wide and 3 high, 6 along
    assert found["aspect"][4] == 0
    assert found["slope_cos"][4] == pytest.approx(math.sqrt(0.5))
    assert found["slope_sin"][4] == pytest.approx(math.sqrt(0.5))
    assert found["curliness"][4] == 2
    distances = np.array([0, 1, 2, 3, 2, 1, 0]) / math.sqrt(2)
    assert found["linearity"][4] == pytest.approx(np.mean(distances**2))
    # of point 0: points 0 to 3, on a level line; of point 2: points 0 to 5
    assert [found[name][0] for name in ("aspect", "slope_cos", "slope_sin", "curliness", "linearity")] == [
        -1,
        1,
        0,
        1,
        0,
    ]
    assert found["aspect"][2] == pytest.approx((1 - 4) / 5)
    assert found["curliness"][2] == pytest.approx(5 / 4)
    assert found["linearity"][2] == pytest.approx((1 + 4 + 9 + 16) / 17 / 6)  # the line to (4, 1) has length sqrt(17)
    # of the last: points 5 to 8, upright
    assert [found[name][8] for name in ("aspect", "slope_cos", "slope_sin", "curliness", "linearity")] == [
        1,
        0,
        1,
        1,
        0,
    ]


def test_a_vicinity_that_ends_where_it_began():
    found = features([[[0, 0], [3, 0], [0, 0]]])
    # of point 3, where the pen turns back: points 0 to 6
    assert [found[name][3] for name in ("slope_cos", "slope_sin", "curliness")] == [0, 0, 2]
    assert found["linearity"][3] == pytest.approx(np.mean(np.square([0, 1, 2, 3, 2, 1, 0])))
    np.testing.assert_allclose([found["curvature_cos"][3], found["curvature_sin"][3]], [-1, 0], atol=1e-12)


def test_dots_have_no_direction():
    found = features([[[2, -1]]])
    for name, value in {"direction_cos": 0, "curvature_cos": 1, "aspect": 0, "slope_cos": 0, "curliness": 0}.items():
        assert found[name].tolist() == [value]
    assert found["pen_lift"].tolist() == [1]
    assert found["y"].tolist() == [1]


def test_speed_is_that_of_the_pen_before_resampling():
    # 3 units in 1 s, then 1 unit in 1 s: at the middle point 4 units in 2 s
    found = features([[[0, 0, 5], [3, 0, 6], [4, 0, 7]], [[9, 0, 8]]])
    np.testing.assert_allclose(found["speed"], [3, 3 - 1 / 3, 3 - 2 / 3, 2, 1, 0])
    assert features([[[0, 0, 5], [3, 0, 5]]])["speed"].tolist() == [0, 0, 0, 0]
    assert features(CORNER)["speed"].tolist() == [0] * 9


BAR = [[[0, 0], [0, -4]], [[2, 0], [4, 0]]]


@pytest.mark.parametrize(
    ("added", "delayed"),
    [
        ([[-1, -5], [1, -5]], True),  # above and back
        ([[-1, -5], [1, -3.9]], False),  # it reaches down among what is written
        ([[3, -5], [5.5, -5]], False),  # it goes on to the right
        ([[0.5, -5], [1.5, -5]], False),  # nothing is below it
        ([[-1, 3], [1, 3]], False),  # below
    ],
)
def test_delayed_strokes(added, delayed):
    assert delayed_strokes(Ink.from_strokes([*BAR, added])).tolist() == [False, False, delayed]


def test_hats_are_on_delayed_strokes_and_on_what_is_below():
    found = features([*BAR, [[-1, -5], [1, -5]], [[6, 0], [6, -2]]])
    assert found["hat"].tolist() == [1] * 5 + [0] * 3 + [1] * 3 + [0] * 3


def test_ascenders_and_descenders_count_length():
    stroke = [[[0, 0.5], [0, -2]], [[0.4, -0.5]], [[3, -0.5]]]
    for spacing in (0.1, 0.05):
        found = features(stroke, spacing)
        # above 1.1 of the base line there is 0.9, below -0.1 there is 0.4; a point more or less at the ends
        for at in (0, -2):
            assert found["ascenders"][at] == pytest.approx(0.9, abs=1.5 * spacing)
            assert found["descenders"][at] == pytest.approx(0.4, abs=1.5 * spacing)
        assert found["ascenders"][-1] == found["descenders"][-1] == 0


def test_the_map_shows_where_ink_is():
    points = [[0, 0], [0.5, -0.5], [0.5, -0.6], [-0.5, 0.1], [0.1, 0.5], [3, 0]]
    found = features([[point] for point in points])
    cells = {name: found[name][0] for name in INK_FEATURES if name.startswith("map_")}
    assert cells == {
        "map_above_left": 0,
        "map_above_middle": 0,
        "map_above_right": 2,
        "map_beside_left": 1,
        "map_beside_middle": 1,
        "map_beside_right": 0,
        "map_below_left": 0,
        "map_below_middle": 1,
        "map_below_right": 0,
    }


def test_maps_do_not_depend_on_how_many_are_made_at_a_time(monkeypatch):
    rng = np.random.default_rng(0)
    ink = Ink.from_strokes([rng.random((40, 2)).cumsum(axis=0) * [0.3, 0.02] for _ in range(20)])
    found = ink_features(ink, normalise=False)
    assert len(found) > 600
    monkeypatch.setattr("gatewise.data.ink.features.CHUNK", 7)
    np.testing.assert_array_equal(found, ink_features(ink, normalise=False))


def test_size_slant_and_place_make_little_difference():
    letters = [
        [[20 * i, 0], [20 * i, -18 if i % 4 == 1 else -10], [20 * i + 8, -10], [20 * i + 8, 0]] for i in range(8)
    ]
    plain = Ink.from_strokes(letters)
    other = plain.moved([[0.03, -0.01], [0, 0.03]], [70, 5])
    one, two = ink_features(plain), ink_features(other)
    assert abs(len(one) - len(two)) <= 8
    np.testing.assert_allclose(one.mean(axis=0), two.mean(axis=0), atol=0.1)
    np.testing.assert_array_equal(one, ink_features(normalise_ink(plain), normalise=False))


def test_a_spacing_that_cannot_be():
    with pytest.raises(ConfigurationError, match="positive, got -1"):
        ink_features(Ink.from_strokes(CORNER), spacing=-1)
