"""The IAM On-Line Handwriting Database (Liwicki & Bunke 2005): lines on a whiteboard, for which one has to register.

ascii/a01/a01-000/a01-000u.txt            what is written on a form; a line each after "CSR:"
lineStrokes/a01/a01-000/a01-000u-01.xml   strokes of a line
trainset.txt, ...                         the lists of task t1, in the folder itself or in one in it; may be missing
"""

from pathlib import Path

from gatewise.data.corpora.lines import WrittenLine, parted, refuse
from gatewise.errors import DataError

# Task IAM-OnDB-t1. The corpus names the final test set testset_f, and a second validation set testset_t.
TASK = {
    "train": "trainset.txt",
    "validation": "testset_v.txt",
    "validation2": "testset_t.txt",
    "test": "testset_f.txt",
}
# Strokes for which the corpus has no transcription.
UNKNOWN = ("a08-551z-08", "a08-551z-09", "z01-000z-")
BEGIN = "CSR:"


def read_iam_ondb(root: str | Path, task: str | Path | None = None) -> dict[str, tuple[WrittenLine, ...]]:
    """The lines of IAM-OnDB in the parts "train", "validation", "validation2" and "test" of task t1, or all in "all".

    A line is a file of strokes, which `read_ink` reads, with the line of the same number after "CSR:" in the text of
    its form. Left out are strokes that the corpus is known to have no text for: lines 8 and 9 of a08-551z, and form
    z01-000z. Lines whose form no list names belong to no part.

    Args:
        root: the folder that has `ascii` and `lineStrokes` in it.
        task: the folder with trainset.txt, testset_v.txt, testset_t.txt and testset_f.txt; without it they are looked
            for in `root` and the folders in it.

    Raises:
        DataError: there are no such folders, or no strokes in them; strokes without a text, all of them listed; lists
            that are missing, in several folders, or name what is not there.
    """
    root = Path(root)
    for name in ("lineStrokes", "ascii"):
        if not (root / name).is_dir():
            raise DataError(
                f'no folder "{root / name}": expected the folder of IAM-OnDB that has lineStrokes/ and ascii/ in it'
            )
    texts: dict[Path, list[str] | None] = {}
    lines: list[WrittenLine] = []
    faults: list[str] = []
    for strokes in sorted((root / "lineStrokes").glob("*/*/*.xml")):
        name = strokes.stem
        if name.startswith(UNKNOWN):
            continue
        form, _, number = name.rpartition("-")
        place = strokes.relative_to(root).as_posix()
        if not number.isdecimal() or int(number) < 1:
            faults.append(f'"{place}": the name does not end in the number of a line')
            continue
        transcription = root / "ascii" / strokes.parent.relative_to(root / "lineStrokes") / f"{form}.txt"
        if transcription not in texts:
            texts[transcription] = _read_lines(transcription)
        written = texts[transcription]
        if written is None:
            faults.append(f'"{place}": no file "{transcription.relative_to(root).as_posix()}" with a line "{BEGIN}"')
        elif int(number) > len(written):
            faults.append(f'"{place}": line {int(number)} of {len(written)} lines after "{BEGIN}"')
        else:
            lines.append(WrittenLine(strokes, written[int(number) - 1], name))
    refuse(f'"{root}"', faults, "files of strokes")
    if not lines:
        raise DataError(f'"{root / "lineStrokes"}" has no strokes: expected files such as a01/a01-000/a01-000u-01.xml')
    return parted(lines, root, task, TASK)


def _read_lines(path: Path) -> list[str] | None:
    """The lines of a form that are not empty; None where there is no file, or no "CSR:" in it."""
    if not path.is_file():
        return None
    rows = [row.strip() for row in path.read_text(encoding="latin-1").splitlines()]
    if BEGIN not in rows:
        return None
    return [row for row in rows[rows.index(BEGIN) + 1 :] if row]
