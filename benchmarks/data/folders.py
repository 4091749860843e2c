"""Folders of lines for the command line: a file for each line, and manifest.csv with the columns path and text."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewise.data.images.pillow import pillow
from gatewise.disk import write_folder


@dataclass(frozen=True)
class Entry:
    """The content of a line's file, and what is written on it."""

    content: bytes
    text: str


def write_lines(folder: Path, suffix: str, entries: Iterable[Entry]) -> None:
    """Write a folder of lines, named by their numbers, whole or not at all; one that is there is replaced."""
    files, manifest = {}, io.StringIO(newline="")
    rows = csv.writer(manifest, lineterminator="\n")
    rows.writerow(["path", "text"])
    for number, entry in enumerate(entries):
        name = f"{number:05}{suffix}"
        files[name] = entry.content
        rows.writerow([name, entry.text])
    files["manifest.csv"] = manifest.getvalue().encode()
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_folder(folder, files)


def png(image: np.ndarray) -> bytes:
    """A line, 1 for ink and 0 for paper, as a PNG in black on white."""
    content = io.BytesIO()
    pillow().fromarray(255 - np.rint(image * 255).astype(np.uint8)).save(content, "PNG")
    return content.getvalue()
