"""An utterance: a recording with what is said in it."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewise.data.speech.segments import Segment
from gatewise.disk import write_file
from gatewise.errors import DataError


@dataclass(frozen=True)
class Utterance:
    """A recording and what a corpus says of it.

    Attributes:
        path: of the audio file.
        text: what is said.
        speaker: who says it, by a name.
        segments: its phones and their samples; none where the corpus has no times.
    """

    path: Path
    text: str
    speaker: str
    segments: tuple[Segment, ...] = ()

    @property
    def phones(self) -> tuple[str, ...]:
        """The labels of its segments."""
        return tuple(segment.label for segment in self.segments)


def write_manifest(
    path: str | Path,
    utterances: Sequence[Utterance],
    phones: Sequence[Sequence[str]] = (),
    *,
    folded: Sequence[Sequence[str]] = (),
) -> None:
    """Write a table of utterances, a row each: path (relative to the table's folder), text, phones, speaker.

    Where no utterance has phones, the table has no such column.

    Args:
        path: of the table, a CSV file.
        utterances: at least one.
        phones: of each utterance, where not those of its segments.
        folded: of each utterance, phones out of a smaller set: a column "folded".

    Raises:
        DataError: no utterances; not phones for each.
        OSError: it cannot be written.
    """
    if not utterances:
        raise DataError(f'"{path}": expected at least one utterance for a manifest')
    for given in (phones, folded):
        if given and len(given) != len(utterances):
            raise DataError(f'"{path}": expected phones for each of {len(utterances)} utterances, got {len(given)}')
    path = Path(path)
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    said = phones or [utterance.phones for utterance in utterances]
    columns = {"phones": said if any(said) else (), "folded": folded}
    columns = {name: list(map(" ".join, column)) for name, column in columns.items() if column}
    rows.writerow(["path", "text", *columns, "speaker"])
    for number, utterance in enumerate(utterances):
        place = Path(os.path.relpath(utterance.path.resolve(), path.resolve().parent)).as_posix()
        rows.writerow([place, utterance.text, *(column[number] for column in columns.values()), utterance.speaker])
    write_file(path, table.getvalue().encode())
