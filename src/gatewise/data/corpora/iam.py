"""The IAM Handwriting Database (Marti & Bunke 2002): scanned lines, for which one has to register.

lines.txt (or ascii/lines.txt)      a row for each line: name, segmentation, grey level, ..., transcription
lines/a01/a01-000u/a01-000u-00.png  images of lines
forms.txt (or ascii/forms.txt)      a row for each form: name, writer, ...; may be missing
trainset.txt, ...                   the lists of a task, in the folder itself or in one beside `lines`; may be missing
"""

from pathlib import Path

from gatewise.data.corpora.lines import WrittenLine, parted, refuse
from gatewise.errors import DataError

# The large writer-independent text line recognition task, by which most results are given.
TASK = {
    "train": "trainset.txt",
    "validation": "validationset1.txt",
    "validation2": "validationset2.txt",
    "test": "testset.txt",
}
FIELDS = 8  # before the transcription


def read_iam(root: str | Path, task: str | Path | None = None) -> dict[str, tuple[WrittenLine, ...]]:
    """The lines of IAM in the parts "train", "validation", "validation2" and "test" of its task, or all in "all".

    The transcription is as the corpus has it, its `|` between words and marks as spaces. Lines whose segmentation into
    words went wrong ("err") are lines like others. Lines that no list names belong to no part.

    Args:
        root: the folder that has `lines` in it.
        task: the folder with trainset.txt, validationset1.txt, validationset2.txt and testset.txt; without it they are
            looked for in `root` and the folders in it.

    Raises:
        DataError: there is no such folder, lines.txt or folder of lines; rows that are malformed, or whose image is not
            there, all of them listed; lists that are missing, in several folders, or name what is not there.
    """
    root = Path(root)
    if not (root / "lines").is_dir():
        raise DataError(f'no folder "{root / "lines"}": expected the folder of IAM that has lines/ and lines.txt in it')
    table = _table(root, "lines.txt")
    if table is None:
        raise DataError(f'neither "{root / "lines.txt"}" nor "{root / "ascii" / "lines.txt"}" is there')
    writers = _read_writers(_table(root, "forms.txt"))
    lines: list[WrittenLine] = []
    faults: list[str] = []
    for number, row in _rows(table):
        fields = row.split(None, FIELDS)
        if len(fields) <= FIELDS or fields[0].count("-") != 2:
            faults.append(f'row {number}: expected a name, {FIELDS - 1} fields and a transcription, got "{row[:40]}"')
            continue
        name, text = fields[0], " ".join(fields[FIELDS].replace("|", " ").split())
        form = name.rpartition("-")[0]
        image = root / "lines" / form.partition("-")[0] / form / f"{name}.png"
        if not image.is_file():
            faults.append(f'row {number}: no file "{image.relative_to(root).as_posix()}"')
        else:
            lines.append(WrittenLine(image, text, name, writers.get(form)))
    refuse(f'"{table}"', faults, "rows")
    if not lines:
        raise DataError(f'"{table}" has no rows')
    return parted(lines, root, task, TASK)


def _table(root: Path, name: str) -> Path | None:
    return next((path for path in (root / name, root / "ascii" / name) if path.is_file()), None)


def _rows(path: Path) -> list[tuple[int, str]]:
    """Rows that are no comments, with their numbers."""
    text = path.read_text(encoding="latin-1")
    return [(i, row) for i, row in enumerate(text.splitlines(), 1) if row.strip() and not row.startswith("#")]


def _read_writers(table: Path | None) -> dict[str, str]:
    if table is None:
        return {}
    writers = {}
    for number, row in _rows(table):
        fields = row.split()
        if len(fields) < 2:
            raise DataError(f'"{table}", row {number}: expected a form and its writer, got "{row[:40]}"')
        writers[fields[0]] = fields[1]
    return writers
