import numpy as np
import pytest

from gatewise.data.images import columns, crop_to_ink, normalise_line, stretch_contrast
from gatewise.errors import ConfigurationError, DataError


def line_of(height, width, rows, places, ink=1.0):
    line = np.zeros((height, width), np.float32)
    line[rows, places] = ink
    return line


def test_contrast_goes_from_the_median_to_the_darkest():
    line = np.full((4, 5), 0.2, np.float32)
    line[0, :4] = [0.1, 0.3, 0.4, 0.6]
    stretched = stretch_contrast(line)
    np.testing.assert_allclose(stretched[0], [0, 0.25, 0.5, 1, 0], atol=1e-6)
    assert (stretched[1:] == 0).all()
    assert (stretch_contrast(np.full((4, 5), 0.7)) == 0).all()
    assert stretch_contrast(line).dtype == np.float32


def test_cropping_keeps_what_is_written():
    line = line_of(40, 60, slice(10, 30), slice(20, 50))
    line[5, 5] = 0.2  # dirt
    assert crop_to_ink(line).shape == (20, 30)
    assert (crop_to_ink(line) == 1).all()
    blank = np.zeros((10, 10), np.float32)
    assert crop_to_ink(blank).shape == (10, 10)


@pytest.mark.parametrize(("row", "top"), [(0, 0), (20, 16), (39, 30)])
def test_cropping_keeps_a_quarter_of_the_height_of_a_dash(row, top):
    line = line_of(40, 60, row, slice(20, 50))
    cropped = crop_to_ink(line)
    assert cropped.shape == (10, 30)
    assert np.flatnonzero(cropped.any(axis=1)) == [row - top]


def test_a_line_of_the_height_keeps_its_pixels():
    line = np.random.default_rng(0).random((32, 50)).astype(np.float32)
    np.testing.assert_array_equal(normalise_line(line, contrast=False, crop=False), line)


@pytest.mark.parametrize(("height", "width"), [(16, 45), (64, 180), (7, 20)])
def test_heights_keep_proportions_and_the_mean(height, width):
    line = line_of(32, 90, slice(8, 24), slice(30, 60))
    scaled = normalise_line(line, height, crop=False)
    assert scaled.shape == (height, width)
    assert scaled.dtype == np.float32
    assert scaled.mean() == pytest.approx(line.mean(), rel=0.03)
    assert 0 <= scaled.min() <= scaled.max() <= 1


def test_a_smaller_line_counts_every_pixel():
    stripes = np.zeros((64, 64), np.float32)
    stripes[::2] = 1
    np.testing.assert_allclose(normalise_line(stripes, 8, contrast=False, crop=False), 0.5, atol=0.07)


def test_columns_are_the_steps_and_rows_the_features():
    line = np.arange(20, dtype=np.float32).reshape(4, 5) / 20
    steps = columns(line)
    assert steps.shape == (5, 4)
    np.testing.assert_array_equal(steps[2], line[:, 2])
    assert steps.flags.c_contiguous


@pytest.mark.parametrize("function", [columns, stretch_contrast, crop_to_ink, normalise_line])
@pytest.mark.parametrize(
    ("line", "part"),
    [
        (np.zeros((5, 5), np.uint8), "uint8"),
        (np.zeros(5), "[5]"),
        ([[0.0]], "list"),
        (np.full((5, 5), np.nan), "nan"),
        (np.full((5, 5), 1.5), "1.5"),
        (np.zeros((5, 3)), "3 pixels wide"),
    ],
)
def test_what_is_no_line(function, line, part):
    with pytest.raises(DataError) as caught:
        function(line)
    assert part in str(caught.value)


def test_lines_that_would_become_too_wide_and_heights_that_are_too_small():
    with pytest.raises(DataError, match="80,000 wide at a height of 32"):
        normalise_line(np.zeros((4, 10_000), np.float32))
    with pytest.raises(ConfigurationError, match="at least 4 pixels, got 2"):
        normalise_line(np.zeros((8, 10), np.float32), 2)
