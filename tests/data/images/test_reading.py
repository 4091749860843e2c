import io
import struct
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from gatewise.data.images import read_line
from gatewise.errors import ConfigurationError, DataError

# Ink of four strengths on paper; more paper than ink.
INK = np.zeros((6, 12), np.uint8)
INK[2, 3:7] = [255, 204, 102, 51]
GREY = 255 - INK
WANTED = INK.astype(np.float32) / np.float32(255)


def colour(levels):
    return np.repeat(levels[..., None], 3, axis=2)


@pytest.fixture
def save(tmp_path):
    def to_file(image, name="line.png", **options):
        path = tmp_path / name
        image.save(path, **options)
        return path

    return to_file


@pytest.mark.parametrize("name", ["line.png", "line.tif"])
@pytest.mark.parametrize(
    "image",
    [
        pytest.param(lambda: Image.fromarray(GREY), id="8-bit"),
        pytest.param(lambda: Image.fromarray(GREY.astype(np.uint16) * 257), id="16-bit"),
        pytest.param(lambda: Image.fromarray(colour(GREY)), id="RGB"),
        pytest.param(lambda: Image.fromarray(GREY).convert("P"), id="palette"),
        pytest.param(lambda: Image.fromarray(np.dstack([GREY, np.full_like(GREY, 255)]), "LA"), id="LA"),
    ],
)
def test_depths_and_palettes_come_to_the_same(save, image, name):
    np.testing.assert_array_equal(read_line(save(image(), name)), WANTED)


def png(samples, colours):
    """A PNG of 16 bits a sample, which pillow does not write in colours."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colours, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("samples", "colours"),
    [
        pytest.param(colour(GREY), 2, id="RGB"),
        pytest.param(np.dstack([GREY, np.full_like(GREY, 255)]), 4, id="LA"),
        pytest.param(np.dstack([np.zeros((6, 12, 3), np.uint8), INK]), 6, id="RGBA"),
    ],
)
def test_colours_of_16_bits(tmp_path, samples, colours):
    path = tmp_path / "line.png"
    path.write_bytes(png(samples.astype(np.uint16) * 257, colours))
    np.testing.assert_array_equal(read_line(path), WANTED)


def test_ink_levels_are_exact_from_either_side(save):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    dark, light = read_line(save(Image.fromarray(255 - levels)), ink="dark"), read_line(levels, ink="light")
    np.testing.assert_array_equal(dark, levels.astype(np.float32) / 255)
    np.testing.assert_array_equal(light, levels.astype(np.float32) / 255)
    assert dark.dtype == np.float32


def test_transparency_shows_white_paper(save):
    # black everywhere, more or less opaque: what stands on it is its opacity
    rgba = np.dstack([np.zeros((6, 12, 3), np.uint8), INK])
    np.testing.assert_array_equal(read_line(save(Image.fromarray(rgba, "RGBA"))), WANTED)
    np.testing.assert_allclose(read_line(rgba), WANTED, atol=1e-6)


def test_a_transparent_colour_of_a_palette_is_paper(save):
    palette = Image.fromarray((INK > 0).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 0, 0, 0])  # black on black
    np.testing.assert_array_equal(read_line(save(palette, transparency=0)), (INK > 0).astype(np.float32))


def test_cmyk_and_bilevel(save):
    cmyk = np.zeros((6, 12, 4), np.uint8)
    cmyk[..., 3] = INK
    np.testing.assert_array_equal(read_line(save(Image.fromarray(cmyk, "CMYK"), "line.tif")), WANTED)
    bilevel = read_line(save(Image.fromarray(GREY == 255), "bilevel.png"))
    np.testing.assert_array_equal(bilevel, (INK > 0).astype(np.float32))


def test_jpeg_with_the_cameras_note_on_how_it_was_held(save):
    upright = np.full((32, 64), 255, np.uint8)
    upright[8:24, 40:48] = 0
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored image has to be turned clockwise by 90 degrees
    stored = Image.fromarray(np.rot90(upright).copy())
    line = read_line(save(stored, "line.jpg", quality=95, exif=exif))
    np.testing.assert_allclose(line, (255 - upright) / 255, atol=0.1)
    turned_cmyk = Image.fromarray(colour(upright)).convert("CMYK")
    np.testing.assert_allclose(read_line(save(turned_cmyk, "cmyk.jpg", quality=95)), (255 - upright) / 255, atol=0.1)


def test_light_ink_is_recognised_or_stated():
    np.testing.assert_array_equal(read_line(INK), WANTED)
    np.testing.assert_array_equal(read_line(INK, ink="light"), WANTED)
    np.testing.assert_allclose(read_line(INK, ink="dark"), 1 - WANTED, atol=1e-7)


def test_of_two_halves_the_brighter_is_paper():
    halves = np.repeat(np.array([[0, 255]], np.uint8), 8, axis=0).repeat(4, axis=1)
    assert read_line(halves)[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("paper", [2, 250])
def test_noise_alone_is_not_taken_for_ink(paper):
    noise = paper + np.random.default_rng(0).integers(-2, 3, (20, 40))
    assert read_line(noise.astype(np.uint8)).max() < 0.05


@pytest.mark.parametrize("kind", [np.bool_, np.uint16, np.float32, np.float64])
def test_arrays_of_other_types(kind):
    bright = GREY == 255
    array = bright * (np.iinfo(kind).max if kind is np.uint16 else 1)
    np.testing.assert_array_equal(read_line(array.astype(kind)), (~bright).astype(np.float32))


def test_colours_count_by_their_brightness():
    image = np.ones((4, 4, 3))
    image[0, 0] = [1, 0, 0]
    assert read_line(image)[0, 0] == pytest.approx(1 - 0.299)


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (np.zeros(5), ["[height, width]", "[5]"]),
        (np.zeros((5, 5, 2)), ["[5, 5, 2]"]),
        (np.zeros((3, 50)), ["50 pixels wide and 3 high", "at least 4"]),
        (np.zeros((50, 0)), ["0 pixels wide"]),
        (np.zeros((5, 100_001), np.uint8), ["100001 pixels wide", "100,000"]),
        (np.zeros((5, 5), np.int64), ["int64"]),
        (np.full((5, 5), 2.0), ["pixel [0, 0]", "2.0", "from 0 to 1"]),
        (np.array([[0.5, np.nan, 0, 0]] * 4), ["pixel [0, 1]", "nan"]),
    ],
)
def test_arrays_that_are_no_image_of_a_line(array, parts):
    with pytest.raises(DataError) as caught:
        read_line(array)
    for part in parts:
        assert part in str(caught.value)


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_line(path)
    assert path.name in str(caught.value)
    return str(caught.value)


def test_missing_folder_empty_and_foreign_files(tmp_path, save):
    save(Image.fromarray(GREY), "line_01.png")
    assert 'did you mean "line_01.png"' in refusal(tmp_path / "line_1.png")
    assert "its folder does not exist" in refusal(tmp_path / "no" / "line.png")
    (tmp_path / "x.png").mkdir()
    assert "is a folder" in refusal(tmp_path / "x.png")
    (tmp_path / "empty.png").touch()
    assert "0 bytes" in refusal(tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("not an image")
    assert "neither PNG nor JPEG nor TIFF" in refusal(tmp_path / "text.png")
    assert "neither PNG nor JPEG nor TIFF" in refusal(save(Image.fromarray(GREY), "line.bmp"))


def test_sizes_that_no_line_has(save):
    assert "1 pixels wide" in refusal(save(Image.new("L", (1, 40))))
    assert "20000 high" in refusal(save(Image.new("1", (10, 20_000))))
    assert "pixels in all" in refusal(save(Image.new("1", (10_000, 8_000))))
    assert "too many pixels" in refusal(save(Image.new("1", (20_000, 10_000))))


def test_several_pages_and_32_bits(save):
    page = Image.fromarray(GREY)
    assert "2 pages" in refusal(save(page, "pages.tif", save_all=True, append_images=[page]))
    assert "32 bits" in refusal(save(Image.fromarray(GREY.astype(np.float32)), "float.tif"))
    assert "32 bits" in refusal(save(Image.fromarray(GREY.astype(np.int32)), "int.tif"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_damaged_files_are_refused_in_one_sentence_or_read(tmp_path, kind):
    whole = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (20, 30), np.uint8)
    Image.fromarray(noise).save(whole, kind, **({"compression": "tiff_adobe_deflate"} if kind == "TIFF" else {}))
    content, path = whole.getvalue(), tmp_path / "damaged"
    refused = read = 0
    rng = np.random.default_rng(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pillow also warns of some damage
        for trial in range(300):
            damaged = bytearray(content)
            if trial % 2:
                damaged = damaged[: rng.integers(1, len(content))]
            else:
                for at in rng.integers(0, len(content), 3):
                    damaged[at] = rng.integers(256)
            path.write_bytes(damaged)
            try:
                line = read_line(path)
            except DataError as error:
                refused += str(path) in str(error)
            else:
                read += 1
                assert line.dtype == np.float32
                assert 0 <= line.min() <= line.max() <= 1
    assert refused + read == 300
    assert refused >= 150


def test_without_pillow_the_message_says_how_to_install_it(monkeypatch, tmp_path):
    (tmp_path / "line.png").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'gatewise\[image\]'"):
        read_line(tmp_path / "line.png")


def test_an_unknown_kind_of_ink():
    with pytest.raises(ConfigurationError, match="'blue'"):
        read_line(GREY, ink="blue")  # pyright: ignore[reportArgumentType]
