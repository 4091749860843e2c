"""Lines of words in handwriting fonts, most of them joined-up: by them readers of connected writing are measured.

Words of 2 to 10 small letters out of Debian's wamerican-small, in the order of `default_rng(0).permutation`: the first
80 % make training lines, the rest test lines. Ten fonts make training lines; an eleventh, Dancing Script, only test
lines, so that there are two tests: known hands that write unknown words, and an unknown hand that does.

A line has 2 to 4 words and is 48 pixels high. Size, distance of words, slant, skew, place of the base line, a slow wave
of it, the ink's darkness and the paper's noise are drawn from the ranges below for each line. Fonts stand in for hands:
all copies of a letter are alike but for these, so that numbers on these lines do not tell what real writing would come
to.

    python -m benchmarks.data.cursive_lines OUT --train 8000 --test 500

writes the folders OUT/train, OUT/test and OUT/test-unknown-font: a PNG for each line, black on white, and manifest.csv
with the columns path and text. Needs apt-get and dpkg-deb; nothing is installed.
"""

import argparse
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import archives
from benchmarks.data.archives import Archive, debian
from benchmarks.data.folders import Entry, png, write_lines
from gatewise.data.images.pillow import pillow

WORDS = debian("wamerican-small", "2020.12.07-2", "bfebd3ce5f04a62f5fbeb6707ea1160e37d645754145138343009209f0deadb6")
DICTIONARY = "usr/share/dict/american-english-small"


@dataclass(frozen=True)
class Font:
    """A font file in a package of Debian."""

    package: Archive
    member: str


_SJFONTS = debian("fonts-sjfonts", "2.1-2", "f6fdb38cb13a7772ebbb03db21ca118125b136caa170e2a77b17d1f9f4c504f0")

FONTS = (
    Font(
        debian("fonts-breip", "1:0.5.1-3", "1f0ea903300b89cb55d107ee4a12be82118ada0384d8bd9db0aad8e1f8c1aa49"),
        "usr/share/fonts/truetype/breip/breipfont.ttf",
    ),
    Font(_SJFONTS, "usr/share/fonts/truetype/sjfonts/Delphine.ttf"),
    Font(_SJFONTS, "usr/share/fonts/truetype/sjfonts/SteveHand.ttf"),
    Font(
        debian("fonts-dkg-handwriting", "0.17-1", "82ee9beae0313e11761af7bb81f4c3fdc91ddd6122ab78490e1b103b9f502709"),
        "usr/share/fonts/truetype/fifthhorseman/dkg.ttf",
    ),
    Font(
        debian("fonts-havana", "1.0-4", "36abdb945fc21cb5a3f1a7a02c759cbf3bd75b42d747d3305ee68c518a108da8"),
        "usr/share/fonts/opentype/havana/Havana-Regular.otf",
    ),
    Font(
        debian("fonts-kaushanscript", "1.02-2.1", "ead16c3fe1fd47037f5afbb5dec765290fb14bff545051a5507ea60186019414"),
        "usr/share/fonts/opentype/kaushanscript/KaushanScript-Regular.otf",
    ),
    Font(
        debian("fonts-kristi", "20101220-1", "03cdbe9ca6cb5ea863ad652ea94313666f275de526c3cb01e252da93019001c2"),
        "usr/share/fonts/truetype/kristi/Kristi.ttf",
    ),
    Font(
        debian("fonts-leckerli-one", "20120409-1", "5667d604d3e28eb8be1c38f7601c8fcc2014e9dc25f841a3f210fc86ba18690b"),
        "usr/share/fonts/truetype/leckerli-one/LeckerliOne-Regular.ttf",
    ),
    Font(
        debian("fonts-lobster", "2.0-2.1", "9379824d3f3bc44844aa07cb9ad4e6bfd99a785e34668c5dba410947b715dc1b"),
        "usr/share/fonts/opentype/lobster/lobster.otf",
    ),
    Font(
        debian("fonts-rufscript", "010-6", "72a7300913e52795b7915ac5873eda633a80dcb49bb590711cde83b270b0f606"),
        "usr/share/fonts/truetype/rufscript/Rufscript010.ttf",
    ),
)
UNKNOWN = Font(
    debian("fonts-dancingscript", "1.2-2", "987b8182611e1f3d9e7b19a82787614470dd8c4ed894a4dedbebc2308703b216"),
    "usr/share/fonts/opentype/dancingscript/DancingScript-Regular.otf",
)

HEIGHT, MARGIN = 48, 4
BASE = 30  # the row of the base line
COUNTS = (2, 5)  # a range of integers(low, high): the high end is left out
SIZES = (10.0, 13.0)  # pixels: the height of small letters
SPACES = (0.7, 1.3)  # between words, in heights of small letters
SHEARS = (-0.15, 0.15)  # positive leans to the right
SKEWS = (-0.012, 0.012)  # rows a column; positive climbs
SHIFTS = (-2.0, 2.0)  # rows, of the base line
WAVES = (0.0, 1.0)  # rows: the height of the base line's wave
WAVELENGTHS = (80.0, 240.0)  # columns
DARKNESS = (0.6, 1.0)
NOISES = (0.0, 0.04)  # the standard deviation of a pixel

FINER = 2  # times as many pixels each way are drawn, then averaged
TRAIN, TEST, TEST_UNKNOWN = 0, 1, 2  # the second number of a generator's seed


@dataclass(frozen=True, eq=False)
class Line:
    """A line of words as an image.

    Attributes:
        image: float32 `[48, width]`, k / 255 with 1 for ink and 0 for paper.
        text: its words.
        font: in which it is written.
    """

    image: np.ndarray
    text: str
    font: Font


@cache
def split() -> tuple[np.ndarray, np.ndarray]:
    """The words of training lines, and those of test lines."""
    content = archives.unpacked(WORDS, DICTIONARY, archives.cache("debian")).read_text()
    words = np.array([word for word in content.split() if re.fullmatch("[a-z]{2,10}", word)])
    words = words[np.random.default_rng(0).permutation(len(words))]
    train, test = np.split(words, [len(words) * 8 // 10])
    return train, test


def training_lines(seed: int = 0) -> Iterator[Line]:
    """Training lines without end, the same for the same seed."""
    return _lines(split()[0], FONTS, np.random.default_rng([seed, TRAIN]))


def held_out_lines(count: int = 500, *, unknown_font: bool = False) -> list[Line]:
    """Test lines of test words in the fonts of training, or in the unknown one; always the same."""
    rng = np.random.default_rng([0, TEST_UNKNOWN if unknown_font else TEST])
    return list(itertools.islice(_lines(split()[1], (UNKNOWN,) if unknown_font else FONTS, rng), count))


def draw(words: Sequence[str], path: Path, rng: np.random.Generator) -> np.ndarray:
    """Words in a font as a line, float32 `[48, width]`, with all that varies drawn from the generator."""
    size = rng.uniform(*SIZES) * FINER
    font = _font(path, size)
    canvas, right = _written(words, font, rng.uniform(*SPACES, size=len(words) - 1) * size)
    base = (BASE + rng.uniform(*SHIFTS)) * FINER
    shear, skew = rng.uniform(*SHEARS), rng.uniform(*SKEWS)
    images = pillow()
    # pillow reads the pixel for (x, y) from where the matrix puts it; the base line was drawn at half the height
    moved = canvas.transform(
        (canvas.width, HEIGHT * FINER),
        images.Transform.AFFINE,
        (1, shear, -shear * base, skew, 1, canvas.height / 2 - base - skew * right / 2),
        images.Resampling.BILINEAR,
    )
    ink = _waved(np.asarray(moved, np.float32) / 255, rng)
    ink = ink.reshape(HEIGHT, FINER, -1, FINER).mean(axis=(1, 3))
    places = np.flatnonzero((ink > 0.1).any(axis=0))
    ink = np.pad(ink[:, places[0] : places[-1] + 1], ((0, 0), (MARGIN, MARGIN)))
    noisy = ink * rng.uniform(*DARKNESS) + rng.normal(0, 1, ink.shape) * rng.uniform(*NOISES)
    return np.rint(np.clip(noisy, 0, 1) * 255).astype(np.float32) / np.float32(255)


def _lines(words: np.ndarray, fonts: Sequence[Font], rng: np.random.Generator) -> Iterator[Line]:
    while True:
        font = fonts[int(rng.integers(len(fonts)))]
        chosen = [str(word) for word in rng.choice(words, rng.integers(*COUNTS))]
        path = archives.unpacked(font.package, font.member, archives.cache("debian"))
        yield Line(draw(chosen, path, rng), " ".join(chosen), font)


def _written(words: Sequence[str], font: Any, spaces: np.ndarray) -> tuple[Any, float]:
    """Words on an upright canvas, their base line at half its height, and where the last one ends."""
    lengths = [font.getlength(word) for word in words]
    start = 20.0 * FINER  # letters may begin left of where they stand, and lean out of the line
    right = start + sum(lengths) + spaces.sum()
    width = math.ceil((right + 20 * FINER) / FINER) * FINER
    canvas = pillow().new("L", (width, 2 * HEIGHT * FINER))
    pen = pillow("ImageDraw").Draw(canvas)
    for word, length, space in zip(words, lengths, [*spaces, 0.0], strict=True):
        pen.text((start, canvas.height / 2), word, fill=255, font=font, anchor="ls")
        start += length + space
    return canvas, right


def _waved(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = ink.shape
    length, begin = rng.uniform(*WAVELENGTHS) * FINER, rng.uniform(0, 2 * math.pi)
    down = rng.uniform(*WAVES) * FINER * np.sin(2 * math.pi * np.arange(width) / length + begin)
    rows = np.clip(np.arange(height)[:, None] + down, 0, height - 1)
    above = np.floor(rows).astype(np.int64)
    part = (rows - above).astype(np.float32)
    below = np.minimum(above + 1, height - 1)
    return (1 - part) * np.take_along_axis(ink, above, 0) + part * np.take_along_axis(ink, below, 0)


def _font(path: Path, size: float) -> Any:
    """A font in which small letters are so many pixels high; shaped letter by letter, alike on every machine."""
    fonts = pillow("ImageFont")
    return fonts.truetype(path, size * _size_for_letters(path), layout_engine=fonts.Layout.BASIC)


@cache
def _size_for_letters(path: Path) -> float:
    """The size of a font for each pixel of its small letters' height."""
    fonts = pillow("ImageFont")
    _, top, _, bottom = fonts.truetype(path, 200, layout_engine=fonts.Layout.BASIC).getbbox("xaeons")
    return 200 / (bottom - top)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write lines in handwriting fonts as folders of images.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=8000, help="how many training lines")
    parser.add_argument("--test", type=int, default=500, help="how many lines of each test")
    parser.add_argument("--seed", type=int, default=0, help="of the training lines")
    arguments = parser.parse_args()
    parts = {
        "train": itertools.islice(training_lines(arguments.seed), arguments.train),
        "test": held_out_lines(arguments.test),
        "test-unknown-font": held_out_lines(arguments.test, unknown_font=True),
    }
    for name, lines in parts.items():
        write_lines(arguments.out / name, ".png", (Entry(png(line.image), line.text) for line in lines))


if __name__ == "__main__":
    main()
