"""Recordings and what they say, as files: a manifest with a row for each, or a folder of pairs."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from gatewise.data.table import READABLE, read_table
from gatewise.errors import DataError, nearest

PATH, STROKES, TEXT = "path", "strokes", "text"  # the columns of a manifest
TRANSCRIPT = ".txt"
LISTED = 20  # what a message lists before it only counts


@dataclass(frozen=True, eq=False)
class Transcripts:
    """S recordings (images, sounds, strokes of a pen) with what they say.

    Attributes:
        sources: of each the path of its file, or its strokes as they stand in the manifest.
        texts: what each says; None where that is not known.
        names: what messages call each.
    """

    sources: tuple[Path | str, ...]
    texts: tuple[str, ...] | None
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sources)

    def first(self, count: int) -> "Transcripts":
        """The first `count` of them."""
        texts = None if self.texts is None else self.texts[:count]
        return Transcripts(self.sources[:count], texts, self.names[:count])

    @property
    def are_strokes(self) -> bool:
        """Whether sources are strokes instead of files."""
        return bool(self.sources) and isinstance(self.sources[0], str)


def read_transcripts(
    source: str | os.PathLike[str], suffixes: Iterable[str], *, text: bool | None = True, column: str = TEXT
) -> Transcripts:
    """The recordings that a file or a folder tells of.

    Args:
        source: a manifest, a table (`.csv`, `.tsv`, `.parquet`) with the columns `path` (relative to it) or `strokes`,
            and `text`; or a folder of pairs, `x.png` and `x.txt`, at any depth; or one file with a `.txt` beside it.
        suffixes: of the files that are recordings.
        text: whether their texts are wanted: True, False, or None for those that are there, if all are.
        column: of a manifest, that holds the texts.

    Raises:
        DataError: nothing there; a column missing; rows whose file is missing, all of them; recordings without text, or
            with an empty one, all of them.
    """
    path, kinds = Path(source), tuple(suffix.lower() for suffix in suffixes)
    if path.is_dir():
        return _read_folder(path, kinds, text)
    name = path.name.lower()
    if any(name.endswith(suffix) for suffix in READABLE):
        return _read_manifest(path, text, column)
    if not path.is_file():
        near = (entry.name for entry in path.parent.glob("*")) if path.parent.is_dir() else ()
        raise DataError(f'"{path}" is neither a file nor a folder; {nearest(path.name, near)}')
    return _pairs([path], path.parent, text)


def _read_manifest(path: Path, text: bool | None, column: str) -> Transcripts:
    table = read_table(path, (PATH, column))
    columns = [name for name in (PATH, STROKES) if name in table.column_names]
    if len(columns) != 1:
        raise DataError(
            f'"{path}" has {"both" if columns else "neither"} of the columns "{PATH}" and "{STROKES}": a manifest has '
            f'one of them, and "{TEXT}". {nearest(PATH, table.column_names)}'
        )
    given = _texts_of(table, columns[0])
    _refuse(path, [row for row, value in enumerate(given) if not value], f"no {columns[0]}", "fill in the rows")
    texts = None
    if text is not False and (text or column in table.column_names):
        if column not in table.column_names:
            raise DataError(f'"{path}" has no column "{column}": {nearest(column, table.column_names)}')
        texts = tuple(value or "" for value in _texts_of(table, column))
        empty = [row for row, value in enumerate(texts) if not value.strip()]
        _refuse(path, empty, "an empty text", "write what the recording says, or leave the row out")
    if columns[0] == STROKES:
        names = tuple(f"row {row + 1}" for row in range(len(given)))
        return Transcripts(tuple(str(value) for value in given), texts, names)
    files = tuple(path.parent / str(value) for value in given)
    missing = [f'row {row + 1} "{file}"' for row, file in enumerate(files) if not file.is_file()]
    if missing:
        raise DataError(
            f'{len(missing)} of {len(files)} rows of "{path}" name files that are not there: {_listed(missing)}. Paths '
            f'are relative to "{path.parent}"'
        )
    return Transcripts(files, texts, tuple(map(str, files)))


def _read_folder(folder: Path, suffixes: tuple[str, ...], text: bool | None) -> Transcripts:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
    if not files:
        raise DataError(
            f'"{folder}" holds no recordings: expected files that end in {", ".join(suffixes)}, or give a manifest '
            f'(a table with the columns "{PATH}" and "{TEXT}")'
        )
    return _pairs(files, folder, text)


def _pairs(files: list[Path], folder: Path, text: bool | None) -> Transcripts:
    """Files with the texts beside them."""
    names = tuple(map(str, files))
    if text is False:
        return Transcripts(tuple(files), None, names)
    beside = [file.with_suffix(TRANSCRIPT) for file in files]
    missing = [f'"{file}"' for file, other in zip(files, beside, strict=True) if not other.is_file()]
    if missing and text is None:
        return Transcripts(tuple(files), None, names)
    if missing:
        raise DataError(
            f'{len(missing)} of {len(files)} recordings in "{folder}" have no text: {_listed(missing)}. Expected a '
            f"file of the same name that ends in {TRANSCRIPT} beside each"
        )
    texts = tuple(_read_text(file) for file in beside)
    empty = [f'"{file}"' for file, value in zip(beside, texts, strict=True) if not value]
    if empty:
        raise DataError(f"{len(empty)} of {len(files)} texts are empty: {_listed(empty)}. Write what is said, or "
                        "take the recordings away")  # fmt: skip
    return Transcripts(tuple(files), texts, names)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise DataError(f'"{path}" is not UTF-8 text: {error}') from error


def _texts_of(table: pa.Table, name: str) -> list[Any]:
    return table.column(name).cast(pa.string()).to_pylist()


def _refuse(path: Path, rows: list[int], what: str, remedy: str) -> None:
    if rows:
        listed = _listed([str(row + 1) for row in rows])
        raise DataError(f'"{path}" has {what} in {len(rows)} rows: {listed}. Please {remedy}')


def _listed(found: list[str]) -> str:
    return ", ".join(found[:LISTED]) + (f" and {len(found) - LISTED} more" if len(found) > LISTED else "")
