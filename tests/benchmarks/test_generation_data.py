"""Chorales out of MusicXML: frames of a made-up piece, and how pieces are parted."""

from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from benchmarks.data import canterbury, chorales


def note(pitch: str | None, duration: int, *marks: str) -> str:
    name = "<rest/>" if pitch is None else f"<pitch>{step(pitch)}<octave>{pitch[-1]}</octave></pitch>"
    return f"<note>{''.join(f'<{mark}/>' for mark in marks)}{name}<duration>{duration}</duration></note>"


def step(pitch: str) -> str:
    return f"<step>{pitch[0]}</step>" + {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(pitch[1], "")


def part(*measures: str, fifths: int = 0) -> Element:
    attributes = f"<attributes><divisions>2</divisions><key><fifths>{fifths}</fifths></key></attributes>"
    bars = (f"<measure>{'' if k else attributes}{measure}</measure>" for k, measure in enumerate(measures))
    return fromstring(f"<part>{''.join(bars)}</part>")


def test_frames_are_what_sounds_at_each_quarter_note() -> None:
    upper = part(note("C4", 2) + note("D4", 1) + note("E4", 1), note("F#4", 3) + note("G4", 1) + note(None, 2))
    lower = part(note("C3", 4), note("G3", 2) + note("E3", 2, "chord") + note("Bb2", 4))
    # Quarters: C4 C3; D4 C3; F#4 with G3 and E3; F#4 goes on over the half, with Bb2; a rest above Bb2.
    assert chorales.frames([upper, lower]) == [[48, 60], [48, 62], [52, 55, 66], [46, 66], [46]]


def test_voices_and_grace_notes() -> None:
    grace = "<note><grace/><pitch><step>A</step><octave>5</octave></pitch></note>"
    two = part(grace + note("C4", 4) + "<backup><duration>4</duration></backup>" + note(None, 2) + note("E4", 2))
    assert chorales.frames([two]) == [[60], [60, 64]]


def test_pieces_are_brought_to_one_tonality() -> None:
    for fifths, tonic in ((0, "C4"), (1, "G3"), (-1, "F4"), (2, "D4"), (-3, "Eb4"), (4, "E4"), (6, "F#4")):
        (frame,) = chorales.frames([part(note(tonic, 2), fifths=fifths)])
        assert frame == [60]


def test_the_split_is_of_whole_pieces_and_always_the_same() -> None:
    pieces = {f"p{k:02}": [[k]] for k in range(50)}
    parts = chorales.split(pieces)
    assert [len(part) for part in parts] == [30, 10, 10]
    assert sorted(piece[0][0] for part in parts for piece in part) == list(range(50))
    assert parts == chorales.split(dict(reversed(pieces.items())))


def test_a_tenth_of_each_text_is_the_test() -> None:
    training, test = canterbury.split({"a": "x" * 100, "b": "y" * 50})
    assert (training, test) == (["x" * 90, "y" * 45], ["x" * 10, "y" * 5])
