"""Strings of 3 to 8 real digits as a pen wrote them, not segmented: by them readers of ink are measured.

PenDigits (Alimoglu & Alpaydin 1996; 10,992 digits, 8 points each at even distances, drawn into a square of 100) in
the order of `default_rng(0).permutation`; the first 70 % make training strings, the rest test strings, so that no test
digit was seen in training (as in `classification.py`; the writers are not known, so they are on both sides).

Digits stand beside one another, y downwards, each with its own width, size, slant, height above the line, distance to
the one before (negative ones overlap) and trembling of each point, drawn uniformly from the ranges below. Where the pen
was lifted does not tell where a digit ends: in a fifth of the cases it goes on from one digit to the next, and a
quarter of the digits are cut in two strokes somewhere, since PenDigits does not tell where its writers lifted the pen.

    python -m benchmarks.data.pen_strings OUT --train 8000 --test 1000

writes the folders OUT/train and OUT/test: an InkML file for each string, and manifest.csv with the columns path and
text.
"""

import argparse
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.data.folders import Entry, write_lines
from benchmarks.data.packages import member
from gatewise.data.ink import Ink, format_inkml

SIDE = 100.0  # of the square of a digit
LENGTHS = (3, 9)  # a range of integers(low, high): the high end is left out
WIDTHS = (0.5, 0.9)  # of a digit, in its height: PenDigits stretched each to a square
SIZES = (0.8, 1.2)
SLANTS = (-15.0, 15.0)  # degrees; of the string
LEANINGS = (-7.0, 7.0)  # more of each digit
HEIGHTS = (-12.0, 12.0)  # above the line
GAPS = (-15.0, 35.0)  # between the boxes of neighbours
TREMBLING = (-1.5, 1.5)  # of each point, each way
JOINED, CUT = 0.2, 0.25

TRAIN, TEST = 0, 1  # the second number of a generator's seed: no test string is drawn like a training string


@dataclass(frozen=True, eq=False)
class Digits:
    """S digits as a pen wrote them.

    Attributes:
        points: float64 `[S, 8, 2]`, x and y, y downwards, from 0 to 100.
        labels: int64 `[S]`, 0 to 9.
    """

    points: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class PenString:
    """A string of digits.

    Attributes:
        ink: its strokes, and its digits as text.
        text: its digits.
        sources: int64, which of PenDigits they are.
    """

    ink: Ink
    text: str
    sources: np.ndarray


@cache
def digits() -> Digits:
    """All of PenDigits, in the order of its file."""
    rows = [line.split(",") for line in member("pendigits").decode().splitlines() if line and line[0] != "@"]
    table = np.array(rows, np.float64)
    points = table[:, :16].reshape(-1, 8, 2)
    return Digits(points * (1, -1) + (0, SIDE), table[:, 16].astype(np.int64))


@cache
def split() -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the digits that make training strings, and of those that make test strings."""
    order = np.random.default_rng(0).permutation(len(digits().labels))
    train, test = np.split(order, [len(order) * 7 // 10])
    return train, test


def training_strings(seed: int = 0) -> Iterator[PenString]:
    """Training strings without end, the same for the same seed."""
    rng = np.random.default_rng([seed, TRAIN])
    while True:
        yield _string(split()[0], rng)


def held_out_strings(count: int = 1000) -> list[PenString]:
    """The test strings, always the same; fewer are the first of them."""
    rng = np.random.default_rng([0, TEST])
    return [_string(split()[1], rng) for _ in range(count)]


def _string(pool: np.ndarray, rng: np.random.Generator) -> PenString:
    sources = rng.choice(pool, rng.integers(*LENGTHS))
    slant = rng.uniform(*SLANTS)
    strokes: list[np.ndarray] = []
    right = 0.0
    for number, source in enumerate(sources):
        points = _varied(digits().points[source], slant, rng)
        points[:, 0] += right - points[:, 0].min() + (rng.uniform(*GAPS) if number else 0.0)
        right = points[:, 0].max()
        if number and rng.random() < JOINED:
            points = np.concatenate([strokes.pop(), points])
        if rng.random() < CUT:
            # at least two points of this digit before the cut, and after it
            at = len(points) - int(rng.integers(2, 7))
            strokes += [points[:at], points[at:]]
        else:
            strokes.append(points)
    text = "".join(str(label) for label in digits().labels[sources])
    return PenString(Ink.from_strokes([np.round(stroke, 2) for stroke in strokes], text), text, sources)


def _varied(points: np.ndarray, slant: float, rng: np.random.Generator) -> np.ndarray:
    """A digit as this string has it: on the line y = 0, before it is moved to its place along it."""
    size, width = rng.uniform(*SIZES), rng.uniform(*WIDTHS)
    lean = math.tan(math.radians(slant + rng.uniform(*LEANINGS)))
    x, y = points[:, 0] * width * size, (points[:, 1] - SIDE) * size
    moved = np.column_stack([x - lean * y, y - rng.uniform(*HEIGHTS)])
    return moved + rng.uniform(*TREMBLING, size=moved.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write strings of digits as folders of ink.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=8000, help="how many training strings")
    parser.add_argument("--test", type=int, default=1000, help="how many test strings")
    parser.add_argument("--seed", type=int, default=0, help="of the training strings")
    arguments = parser.parse_args()
    parts = {
        "train": itertools.islice(training_strings(arguments.seed), arguments.train),
        "test": held_out_strings(arguments.test),
    }
    for name, strings in parts.items():
        entries = (Entry(format_inkml(string.ink).encode(), string.text) for string in strings)
        write_lines(arguments.out / name, ".inkml", entries)


if __name__ == "__main__":
    main()
