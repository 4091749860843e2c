"""Texts, from files or as they are."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatewise.errors import DataError, nearest

SUFFIX = ".txt"


def read_texts(source: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts, and what messages call each.

    Args:
        source: a text file; a folder, with all files in it, at any depth, whose names end in `.txt`; or a sequence of
            texts.

    Raises:
        DataError: nothing there; a file that is empty or not UTF-8, all of these; or an element that is no text.
    """
    if isinstance(source, (str, os.PathLike)):
        files = _files(Path(source))
        return _read(files), tuple(map(str, files))
    if not isinstance(source, Sequence):
        raise DataError(f"expected a text file, a folder of them, or a list of texts; got {type(source).__name__}")
    if not len(source):
        raise DataError("expected at least one text, got none")
    for number, text in enumerate(source):
        if not isinstance(text, str):
            raise DataError(f"text {number} is {type(text).__name__}; expected a list of texts")
    return tuple(source), tuple(f"text {number}" for number in range(len(source)))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        near = (entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else ()
        raise DataError(
            f'"{str(path)[:80]}" is neither a file nor a folder: {nearest(path.name[:80], near)}. '
            "(Texts themselves are given as a list of texts.)"
        )
    found = sorted(entry for entry in path.rglob(f"*{SUFFIX}") if entry.is_file())
    if not found:
        raise DataError(f'the folder "{path}" has no file ending in {SUFFIX} in it')
    return found


def _read(files: Sequence[Path]) -> tuple[str, ...]:
    texts, faults = [], []
    for file in files:
        try:
            text = file.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            faults.append(f'"{file}" is not UTF-8 text: byte {error.start}, {error.reason}')
            continue
        except OSError as error:
            faults.append(f'"{file}" cannot be read: {error.strerror}')
            continue
        if not text.strip():
            faults.append(f'"{file}" is empty')
        texts.append(text)
    if faults:
        more = f"; and {len(faults) - 20} more" if len(faults) > 20 else ""
        raise DataError("; ".join(faults[:20]) + more)
    return tuple(texts)
