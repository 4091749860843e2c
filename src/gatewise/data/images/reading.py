"""Reading the image of a line, whatever its colours and depth, as ink on paper."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gatewise.data.images.pillow import pillow
from gatewise.errors import ConfigurationError, DataError, nearest

Ink = Literal["auto", "dark", "light"]

FORMATS = ("PNG", "JPEG", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")

FEWEST_PIXELS = 4  # a side: no writing fits into less
HIGHEST, WIDEST, MOST_PIXELS = 10_000, 100_000, 60_000_000  # 60 million pixels are 240 MB as float32

# ITU-R BT.601, by which pillow weighs red, green and blue too.
BRIGHTNESS = np.array([0.299, 0.587, 0.114])

# Below this part of the range from black to white there is no ink whose colour could be told.
FAINTEST = 0.1

# What pillow is known to raise while it decodes damaged files; files of other formats are an OSError too.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)


def read_line(source: str | os.PathLike[str] | np.ndarray, ink: Ink = "auto") -> np.ndarray:
    """Read the image of one line of writing as float32 `[height, width]`: 1 where there is ink, 0 where there is paper.

    Files are PNG, JPEG or TIFF: of 1, 8 or 16 bits, grey, of a palette, in RGB or CMYK. What is transparent shows white
    paper, colours count by their brightness, and a camera's note on how it was held is followed. Grey levels stay as
    they are; `stretch_contrast` makes faint writing black.

    Args:
        source: a file; or an array `[height, width]`, or `[height, width, 3 or 4]` for RGB or RGBA, of bool, uint8,
            uint16 or, from 0 to 1, floating point; 0 is black.
        ink: "dark" is ink that is darker than its paper, "light" brighter ink. "auto" takes for paper what covers more
            than half of the image, or the brighter half; an image of hardly any contrast has no ink.

    Raises:
        DataError: the file is missing, empty, damaged, not of these formats or of several pages; the image is smaller
            than 4 or larger than 10,000 x 100,000 pixels or 60 million in all; the array has another shape or type, or
            values that are not from 0 to 1.
        ConfigurationError: pillow is not installed, or `ink` is none of the three.

    >>> grey = np.full((8, 10), 255, np.uint8)
    >>> grey[2:6, 4] = 0
    >>> read_line(grey)[3]
    array([0., 0., 0., 0., 1., 0., 0., 0., 0., 0.], dtype=float32)
    """
    if ink not in ("auto", "dark", "light"):
        raise ConfigurationError(f'ink must be "auto", "dark" or "light", got {ink!r}')
    levels, white = _levels_of_array(source) if isinstance(source, np.ndarray) else _levels_of_file(Path(source))
    dark = ink == "dark" or (ink == "auto" and _is_dark_on_light(levels, white))
    # Turned over before they are divided, when they are whole numbers: k of 255 come out as k / 255 from either side.
    bright = levels.astype(np.float32)
    return (np.float32(white) - bright if dark else bright) / np.float32(white)


def _is_dark_on_light(levels: np.ndarray, white: float) -> bool:
    darkest, brightest = float(levels.min()), float(levels.max())
    middle = (darkest + brightest) / 2 if brightest - darkest >= FAINTEST * white else white / 2
    return float(np.median(levels)) >= middle


def check_size(height: int, width: int, where: str) -> None:
    """Refuse an image that is too small to hold writing, or too large to be one line of it.

    Raises:
        DataError: it is.
    """
    if min(height, width) < FEWEST_PIXELS:
        raise DataError(
            f"{where} is {width} pixels wide and {height} high: expected at least {FEWEST_PIXELS} each way, "
            "since no writing fits into less"
        )
    if height > HIGHEST or width > WIDEST or height * width > MOST_PIXELS:
        raise DataError(
            f"{where} is {width} pixels wide and {height} high: expected one line of writing, at most {WIDEST:,} wide, "
            f"{HIGHEST:,} high and {MOST_PIXELS:,} pixels in all; cut or scale it down first"
        )


def _levels_of_array(array: np.ndarray) -> tuple[np.ndarray, float]:
    """Brightness `[height, width]` and what white is in it."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise DataError(
            f"expected the image of a line as [height, width] or [height, width, 3 or 4], got {list(array.shape)}"
        )
    check_size(array.shape[0], array.shape[1], "the image")
    if array.dtype == np.bool_:
        levels, white = array.astype(np.uint8), 1.0
    elif array.dtype in (np.uint8, np.uint16):
        levels, white = array, float(np.iinfo(array.dtype).max)
    elif np.issubdtype(array.dtype, np.floating):
        levels, white = array, 1.0
        wrong = np.argwhere(~((array >= 0) & (array <= 1)))
        if len(wrong):
            at = tuple(int(i) for i in wrong[0])
            raise DataError(f"pixel {list(at)} of the image is {array[at]}: expected numbers from 0 to 1")
    else:
        raise DataError(f"expected an image of bool, uint8, uint16 or floating point from 0 to 1, got {array.dtype}")
    if levels.ndim == 3:
        grey = levels[..., :3] @ BRIGHTNESS
        if levels.shape[2] == 4:
            opacity = levels[..., 3] / white
            grey = opacity * grey + (1 - opacity) * white
        levels = np.clip(grey, 0, white)
    return levels, white


def _levels_of_file(path: Path) -> tuple[np.ndarray, float]:
    where = f'"{path}"'
    images = pillow()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is no file"
        there = (entry.name for entry in path.parent.glob("*") if entry.suffix.lower() in SUFFIXES)
        near = nearest(path.name, there) if path.parent.is_dir() else "its folder does not exist"
        raise DataError(f"{where} {what}: expected an image (PNG, JPEG or TIFF); {near}")
    if path.stat().st_size == 0:
        raise DataError(f"{where} is empty (0 bytes): expected an image (PNG, JPEG or TIFF)")
    try:
        with images.open(path, formats=FORMATS) as image:
            check_size(image.height, image.width, where)
            if image.format == "TIFF" and image.n_frames > 1:
                raise DataError(f"{where} has {image.n_frames} pages: expected one line; save each page as a file")
            image.load()
            return _levels_of_image(pillow("ImageOps").exif_transpose(image), where)
    except DataError:
        raise
    except (images.DecompressionBombError, images.DecompressionBombWarning) as error:
        raise DataError(f"{where} has too many pixels for one line of writing: {error}") from error
    except DAMAGED as error:
        raise DataError(
            f"{where} cannot be read as an image: it is damaged, or neither PNG nor JPEG nor TIFF ({error})"
        ) from error


def _levels_of_image(image: Any, where: str) -> tuple[np.ndarray, float]:
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16), 65535.0
    if image.mode in ("I", "F"):
        raise DataError(
            f"{where} has 32 bits a pixel, of which none is known to be white: save it as grey of 8 or 16 bits"
        )
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = pillow().new("RGBA", image.size, "white")
        image = pillow().alpha_composite(paper, image)
    if image.mode != "L":
        image = image.convert("RGB").convert("L")
    return np.asarray(image), 255.0
