"""The command line run in this process, and small data for it."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from gatewise.cli import main

TINY = ("--members", "1", "--max-epochs", "2", "--hidden-size", "4", "--threads", "1")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


class Program:
    """`gatewise`, as if from a shell in the current folder."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: str) -> Outcome:
        self._capsys.readouterr()
        code = main(argv)
        printed = self._capsys.readouterr()
        return Outcome(code, printed.out, printed.err)


def sales(rows: int = 40) -> list[str]:
    """A daily series as CSV lines with a header: day, sales (a wave and a little noise), rain, weather."""
    rng = np.random.default_rng(0)
    lines = ["day,sales,rain,weather"]
    for k in range(rows):
        value = 50 + 10 * np.sin(2 * np.pi * k / 7) + rng.normal()
        day = date(2024, 1, 1) + timedelta(days=k)
        lines.append(f"{day},{value:.2f},{rng.uniform():.2f},{('sun', 'rain')[k % 2]}")
    return lines


def shops(rows: int = 30) -> list[str]:
    """The series of two shops in one table: shop, city, day, sales."""
    lines = ["shop,city,day,sales"]
    for shop, city in (("a", "Bonn"), ("b", "Graz")):
        lines += [f"{shop},{city},{','.join(line.split(',')[:2])}" for line in sales(rows)[1:]]
    return lines


def waves(count: int = 24, channels: int = 2, labels: str = "slow fast") -> list[str]:
    """Sequences of two kinds as the lines of a .ts file."""
    lines = [
        "@problemName waves",
        "@univariate false",
        f"@dimensions {channels}",
        f"@classLabel true {labels}",
        "@data",
    ]
    for k in range(count):
        steps = np.arange(8 + k % 5)
        rate = (0.3, 1.5)[k % 2]
        values = [",".join(f"{v:.3f}" for v in np.sin(rate * steps + k + c)) for c in range(channels)]
        lines.append(":".join([*values, labels.split()[k % 2]]))
    return lines


def strokes(count: int = 24) -> list[str]:
    """The same as CSV lines in long format: stroke, step, x, y, letter."""
    lines = ["stroke,step,x,y,letter"]
    for k, line in enumerate(waves(count)[5:]):
        x, y, label = line.split(":")
        pairs = zip(x.split(","), y.split(","), strict=True)
        lines += [f"s{k},{t},{a},{b},{label}" for t, (a, b) in enumerate(pairs)]
    return lines


def write(path: str | Path, lines: list[str] | str | bytes) -> None:
    if isinstance(lines, bytes):
        Path(path).write_bytes(lines)
    else:
        Path(path).write_text(lines if isinstance(lines, str) else "\n".join(lines) + "\n", encoding="utf-8")


def changed(lines: list[str], row: int, old: str, new: str) -> list[str]:
    """The lines with `old` replaced in data row `row` (from 1, under the header)."""
    assert old in lines[row], f"{old} is not in {lines[row]}"
    return [*lines[:row], lines[row].replace(old, new), *lines[row + 1 :]]


def column(lines: list[str], name: str, values: list[str]) -> list[str]:
    """The lines with one column's values replaced (repeated to the end)."""
    at = lines[0].split(",").index(name)
    rows = [line.split(",") for line in lines]
    for k, row in enumerate(rows[1:]):
        row[at] = values[k % len(values)]
    return [",".join(row) for row in rows]
