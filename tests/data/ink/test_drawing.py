import numpy as np
import pytest
from defusedxml import ElementTree
from PIL import Image

from gatewise.data.images import read_line
from gatewise.data.ink import Ink, ink_image, ink_svg, write_png, write_svg
from gatewise.errors import ConfigurationError

CROSS = Ink.from_strokes([[[0, 0], [20, 0]], [[10, -10], [10, 10]]], "a<b")


def test_an_image_shows_strokes_where_they_are():
    image = ink_image(CROSS, 32, pen=2)
    assert image.shape == (32, 32)
    assert image.dtype == np.float32
    assert 0 == image.min() < image.max() == 1
    # two strokes, 28 long and 2 wide with half discs at their ends, cross in a square of 2 x 2
    assert image.sum() == pytest.approx(2 * (28 * 2 + np.pi) - 4, rel=0.05)
    np.testing.assert_allclose(image, image[::-1], atol=0.15)
    np.testing.assert_allclose(image, image[:, ::-1], atol=0.15)
    assert image[16, 4] > 0.9
    assert image[4, 16] > 0.9
    assert image[4, 4] == 0
    assert image[0].max() == image[:, 0].max() == 0


def test_up_is_up():
    image = ink_image(Ink.from_strokes([[[0, 0], [10, 0], [10, 10]]]), 32)
    assert image[2, 5] > 0.9
    assert image[20, 29] > 0.9
    assert image[28, 3] == 0


def test_dots_and_dashes_stay_small():
    dot = ink_image(Ink.from_strokes([[[5, 5]]]), 32, pen=4)
    assert dot.shape == (32, 6)
    assert dot.sum() == pytest.approx(np.pi * 4, rel=0.1)
    assert np.flatnonzero(dot.any(axis=1)).tolist() == [14, 15, 16, 17]
    dash = ink_image(Ink.from_strokes([[[0, 0], [1e6, 0]]]), 32, pen=2)
    assert 2800 <= dash.shape[1] <= 2804
    assert np.flatnonzero(dash.any(axis=1)).tolist() == [15, 16]


def test_a_written_image_is_read_as_it_was(tmp_path):
    write_png(CROSS, tmp_path / "line.png", 48)
    np.testing.assert_allclose(read_line(tmp_path / "line.png"), ink_image(CROSS, 48), atol=1 / 500)
    with Image.open(tmp_path / "line.png") as image:
        assert image.mode == "L"


def test_svg(tmp_path):
    write_svg(CROSS, tmp_path / "line.svg", pen=2)
    assert (tmp_path / "line.svg").read_text() == ink_svg(CROSS, 2)
    root = ElementTree.parse(tmp_path / "line.svg").getroot()
    assert root is not None
    assert root.get("viewBox") == "-2 -12 24 24"
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title") == "a<b"
    assert [path.get("d") for path in root.iter(f"{space}path")] == ["M0 0 L20 0", "M10 -10 L10 10"]
    assert 'd="M5 5 L5 5"' in ink_svg(Ink.from_strokes([[[5, 5]]]))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"height": 7}, "at least 8"),
        ({"pen": 0}, "positive"),
        ({"pen": float("nan")}, "positive"),
        ({"pen": 40}, "half"),
    ],
)
def test_drawings_that_cannot_be(options, part):
    with pytest.raises(ConfigurationError, match=part):
        ink_image(CROSS, **options)
    with pytest.raises(ConfigurationError, match="positive"):
        ink_svg(CROSS, -1)
