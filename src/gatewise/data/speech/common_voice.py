"""The folder of one language of Mozilla's Common Voice (Ardila et al. 2020).

en/train.tsv, dev.tsv, test.tsv   a row for each recording: client_id, path, sentence, ...
en/clips/common_voice_en_1.mp3    recordings
"""

from pathlib import Path

from gatewise.data.speech.utterance import Utterance
from gatewise.errors import DataError, nearest

FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
COLUMNS = ("client_id", "path", "sentence")
SHOWN = 20


def read_common_voice(root: str | Path) -> dict[str, tuple[Utterance, ...]]:
    """The utterances of "train", "validation" (dev.tsv) and "test", in the order of their tables.

    Args:
        root: the folder of one language, which has the tables and clips in it.

    Raises:
        DataError: a table is missing, empty, or has not the columns client_id, path and sentence; rows without a
            sentence or with a recording that is not there, all of them by their lines.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f'no folder "{root}": expected that of one language of Common Voice, such as "en"')
    return {part: _read(root, root / name) for part, name in FILES.items()}


def _read(root: Path, table: Path) -> tuple[Utterance, ...]:
    if not table.is_file():
        languages = [entry.name for entry in sorted(root.iterdir()) if (entry / table.name).is_file()]
        where = f"; expected the folder of one language: {', '.join(languages)}" if languages else ""
        raise DataError(f'no file "{table}"{where}')
    try:
        # Quotation marks are a part of sentences: rows are not quoted.
        lines = table.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f'"{table}" is not UTF-8 text: byte {error.start} {error.reason}') from error
    header = lines[0].rstrip("\r").split("\t")
    for column in COLUMNS:
        if column not in header:
            raise DataError(f'"{table}" has no column {column}: {nearest(column, header)}')
    utterances: list[Utterance] = []
    faults: list[str] = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        fields = line.rstrip("\r").split("\t")
        if len(fields) != len(header):
            faults.append(f"line {number}: {len(fields)} fields, where the header has {len(header)}")
            continue
        row = dict(zip(header, fields, strict=True))
        # Early releases name recordings without their suffix.
        name = row["path"] if Path(row["path"]).suffix else row["path"] + ".mp3"
        recording = root / "clips" / name
        if not row["sentence"].strip():
            faults.append(f"line {number}: no sentence")
        elif not row["path"] or not recording.is_file():
            faults.append(f'line {number}: no file "clips/{name}"')
        else:
            utterances.append(Utterance(recording, row["sentence"], row["client_id"]))
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise DataError(f'"{table}": {len(faults)} rows cannot be used: {"; ".join(faults[:SHOWN])}{more}')
    if not utterances:
        raise DataError(f'"{table}" has no rows')
    return tuple(utterances)
