"""Chorales by Bach as pitches on every quarter note: the four-part pieces among music21's files, read as MusicXML.

A piece becomes a list of frames, one a quarter note from its beginning (the upbeat included) to its end, each the
MIDI pitches that sound at that moment, without repeats. Pieces are brought to one tonality, as Boulanger-Lewandowski,
Bengio & Vincent (2012, section 6) do, who also have a frame a quarter note: moved by -6 to 5 semitones so that their
key has no sharps or flats, by the signature they begin with.

Of pieces that are the same the first by name is taken: a test is to hold nothing that was trained
on. Of 365 files with four parts 363 are left.

The split is a permutation of the pieces in the order of their names by `numpy.random.default_rng(0)`: the first 60 %
train, the next 20 % choose, the last 20 % test.
"""

import io
import zipfile
from fractions import Fraction
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml.ElementTree import fromstring

from benchmarks.data.packages import MUSIC21, members

FOLDER = "music21/corpus/bach/"
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SPLIT = (0.6, 0.8)

Piece = list[list[int]]


def chorales() -> dict[str, Piece]:
    """The four-part pieces by name (`bwv102.7`), in the order of their names."""
    found: dict[str, Piece] = {}
    known: set[tuple[tuple[int, ...], ...]] = set()
    for name, content in sorted(members(MUSIC21, FOLDER, (".mxl", ".xml")).items()):
        parts = fromstring(_xml(name, content)).findall("part")
        if len(parts) == 4:
            piece = frames(parts)
            shape = tuple(map(tuple, piece))
            if shape not in known:
                known.add(shape)
                found[name.removeprefix(FOLDER).rpartition(".")[0]] = piece
    return found


def split(pieces: dict[str, Piece]) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """Training, validation and test part."""
    order = np.random.default_rng(0).permutation(len(pieces))
    names = sorted(pieces)
    ends = [round(share * len(pieces)) for share in SPLIT]
    training, validation, test = ([pieces[names[k]] for k in part] for part in np.split(order, ends))
    return training, validation, test


def frames(parts: list[Element]) -> Piece:
    """The pitches that sound at the beginning of every quarter note, in ascending order, in the common tonality."""
    notes = [note for part in parts for note in _notes(part)]
    fifths = int(parts[0].findtext("measure/attributes/key/fifths") or 0)
    move = -((7 * fifths + 5) % 12 - 5)  # a fifth is 7 semitones; by -6 to 5
    length = max(end for _, end, _ in notes)
    found: list[set[int]] = [set() for _ in range(-(-length.numerator // length.denominator))]
    for start, end, pitch in notes:
        for quarter in range(-(-start.numerator // start.denominator), len(found)):
            if quarter >= end:
                break
            found[quarter].add(pitch + move)
    return [sorted(frame) for frame in found]


def _notes(part: Element) -> list[tuple[Fraction, Fraction, int]]:
    """Start and end in quarter notes, and the MIDI pitch, of every note of a part."""
    found, divisions, now, last = [], 1, Fraction(0), Fraction(0)
    for item in (item for measure in part.findall("measure") for item in measure):
        if item.tag == "attributes":
            divisions = int(item.findtext("divisions") or divisions)
        duration = Fraction(item.findtext("duration") or "0") / divisions
        if item.tag == "backup":
            now -= duration
        elif item.tag == "forward":
            now += duration
        elif item.tag == "note" and item.find("grace") is None:
            start = last if item.find("chord") is not None else now
            pitch = item.find("pitch")
            if pitch is not None:
                octave, alter = int(pitch.findtext("octave") or 0), int(pitch.findtext("alter") or 0)
                found.append((start, start + duration, 12 * (octave + 1) + STEPS[pitch.findtext("step") or ""] + alter))
            last, now = start, max(now, start + duration)
    return found


def _xml(name: str, content: bytes) -> bytes:
    if name.endswith(".xml"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        container = fromstring(archive.read("META-INF/container.xml"))
        root = next(entry for entry in container.iter() if entry.tag.endswith("rootfile"))
        return archive.read(root.attrib["full-path"])
