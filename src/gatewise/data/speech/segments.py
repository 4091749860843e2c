"""What is said when: stretches of a recording with their labels, and the label of each frame.

Legend: T frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from gatewise.data.audio.features import SpeechFeatures
from gatewise.disk import write_file
from gatewise.errors import DataError, nearest


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording.

    Attributes:
        start: its first sample.
        end: the sample after its last.
        label: what is said, such as a phone.
    """

    start: int
    end: int
    label: str


def read_segments(path: str | Path) -> tuple[Segment, ...]:
    """Read a file in TIMIT's format for phones: a line for each segment, `first-sample sample-after-the-last label`.

    Raises:
        DataError: the file is missing, or has no segments; a line, by its number, is malformed, ends before it begins,
            or ends before the one above.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f'no file "{path}": expected lines "start end label"')
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f'"{path}" is not UTF-8 text: byte {error.start} {error.reason}') from error
    segments: list[Segment] = []
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 3 or not (fields[0].isdigit() and fields[1].isdigit()):
            raise DataError(f'"{path}", line {number}: expected "start end label" in samples, got "{line[:60]}"')
        segment = Segment(int(fields[0]), int(fields[1]), fields[2])
        if segment.end <= segment.start or (segments and segment.end <= segments[-1].end):
            raise DataError(
                f'"{path}", line {number}: "{line[:60]}" ends before '
                + ("it begins" if segment.end <= segment.start else "the segment above does")
            )
        segments.append(segment)
    if not segments:
        raise DataError(f'"{path}" has no segments: expected lines "start end label"')
    return tuple(segments)


def write_segments(path: str | Path, segments: Sequence[Segment]) -> None:
    """Write segments so that `read_segments` reads them. Raises `OSError` if that cannot be."""
    text = "".join(f"{segment.start} {segment.end} {segment.label}\n" for segment in segments)
    write_file(Path(path), text.encode())


def framewise(
    segments: Sequence[Segment], frames: int, features: SpeechFeatures, labels: Sequence[str], name: str = "recording"
) -> np.ndarray:
    """The label of each frame: that of the segment in which the frame's middle lies.

    A middle between two segments, as in corpora with gaps, has the label of the one that follows. The last segment may
    end up to a window before the recording does.

    Args:
        segments: in order of their ends.
        frames: T, as many as `features` gave.
        features: the recipe of the frames.
        labels: of which the numbers are given.
        name: what stands for the recording in messages.

    Returns:
        Numbers of labels, from 0 on: int64 `[T]`.

    Raises:
        DataError: segments end more than a window before the last frame does, or have labels that are not among those.

    >>> segments = [Segment(0, 320, "sil"), Segment(320, 900, "ah")]
    >>> framewise(segments, 4, SpeechFeatures(), ["ah", "sil"])  # middles at 200, 360, 520, 680
    array([1, 0, 0, 0])
    """
    if not segments:
        raise DataError(f'"{name}" has no segments')
    if any(after.end <= before.end for before, after in pairwise(segments)):
        raise DataError(f'"{name}": segments have to be in the order of their ends')
    numbers = {label: number for number, label in enumerate(labels)}
    unknown = {segment.label: None for segment in segments if segment.label not in numbers}
    if unknown:
        raise DataError(
            f'"{name}": {", ".join(unknown)} among {len(numbers)} labels: {nearest(next(iter(unknown)), labels)}'
        )
    end = (frames - 1) * features.hop_length + features.frame_length
    if frames and end - segments[-1].end > features.frame_length:
        raise DataError(
            f'"{name}": its {frames} frames end at sample {end}, but its segments at {segments[-1].end}; they are of '
            "another recording, or of another rate"
        )
    middles = np.arange(frames) * features.hop_length + features.frame_length // 2
    places = np.searchsorted([segment.end for segment in segments], middles, side="right")
    found = np.array([numbers[segment.label] for segment in segments], np.int64)
    return found[np.minimum(places, len(segments) - 1)]
