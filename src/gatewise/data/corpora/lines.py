"""A written line of a corpus, and the parts into which a task of the corpus puts its lines."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewise.disk import write_file
from gatewise.errors import DataError

ALL = "all"  # the one part, where no task parts the lines
SHOWN = 20  # faults that a message lists before it only counts


@dataclass(frozen=True)
class WrittenLine:
    """A line that somebody wrote.

    Attributes:
        path: of its image or its strokes.
        text: what is written.
        name: by which the corpus knows it, such as "a01-000u-00".
        writer: who wrote it, by a name; None where the corpus's files do not tell.
    """

    path: Path
    text: str
    name: str
    writer: str | None = None

    @property
    def form(self) -> str:
        """The name of the form that it stands on, such as "a01-000u"."""
        return self.name.rpartition("-")[0]


def write_line_manifest(path: str | Path, lines: Sequence[WrittenLine]) -> None:
    """Write a table of lines, a row each: path (relative to the table's folder), text, name, writer.

    Args:
        path: of the table, a CSV file.
        lines: at least one.

    Raises:
        DataError: there are no lines.
        OSError: it cannot be written.
    """
    path = Path(path)
    if not lines:
        raise DataError(f'"{path}": expected at least one line for a manifest')
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "text", "name", "writer"])
    for line in lines:
        place = Path(os.path.relpath(line.path.resolve(), path.resolve().parent)).as_posix()
        rows.writerow([place, line.text, line.name, line.writer or ""])
    write_file(path, table.getvalue().encode())


def parted(
    lines: Sequence[WrittenLine], root: Path, task: str | Path | None, files: Mapping[str, str]
) -> dict[str, tuple[WrittenLine, ...]]:
    """Lines in the parts of a task, in their own order; all in "all", where there is no task.

    A task is a folder with a list for each part: names of forms or of lines, separated by white space.

    Args:
        lines: of the corpus.
        root: the corpus's folder.
        task: the folder of the lists; None for `root` or the one folder in it that has them.
        files: the name of each part's list.

    Raises:
        DataError: lists are missing, or in several folders; a name in them is not in the corpus, or in two parts.
    """
    folder = _task_folder(root, Path(task) if task is not None else None, tuple(files.values()))
    if folder is None:
        return {ALL: tuple(lines)}
    known = {line.name for line in lines} | {line.form for line in lines}
    part_of: dict[str, str] = {}
    faults: list[str] = []
    for part, file in files.items():
        for name in _read_text(folder / file).split():
            if name not in known:
                faults.append(f'{file}: "{name}" is not in the corpus')
            elif part_of.setdefault(name, part) != part:
                faults.append(f'{file}: "{name}" is in the part {part_of[name]} already')
    refuse(f'"{folder}"', faults, "names of its lists")
    parts: dict[str, list[WrittenLine]] = {part: [] for part in files}
    for line in lines:
        part = part_of.get(line.name, part_of.get(line.form))
        if part is not None:
            parts[part].append(line)
    return {part: tuple(found) for part, found in parts.items()}


def refuse(where: str, faults: Sequence[str], what: str) -> None:
    """Raise a `DataError` that lists all faults, if there are any."""
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise DataError(f"{where}: {len(faults)} {what} cannot be used: {'; '.join(faults[:SHOWN])}{more}")


def _task_folder(root: Path, task: Path | None, files: Sequence[str]) -> Path | None:
    """The folder that has a task's lists."""
    if task is None:
        places = [root, *sorted(entry for entry in root.iterdir() if entry.is_dir())]
        found = [place for place in places if any((place / file).is_file() for file in files)]
        if len(found) > 1:
            names = ", ".join(f'"{place}"' for place in found)
            raise DataError(f"{names} all have lists of a task: choose one by task=")
        if not found:
            return None
        task = found[0]
    missing = [file for file in files if not (task / file).is_file()]
    if missing:
        raise DataError(f'"{task}" has no {", ".join(missing)}: expected the lists of a task, {", ".join(files)}')
    return task


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f'"{path}" is not UTF-8 text: byte {error.start} {error.reason}') from error
