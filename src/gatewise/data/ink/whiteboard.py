"""Strokes as the IAM On-Line Handwriting Database has them: Liwicki & Bunke (2005), "IAM-OnDB"."""

from pathlib import Path

from gatewise.data.ink.files import read_content
from gatewise.data.ink.ink import Ink
from gatewise.data.ink.xml import local_name, parse_xml
from gatewise.errors import DataError

ROOT = "WhiteboardCaptureSession"


def read_whiteboard(path: str | Path) -> Ink:
    """Read the XML of a captured whiteboard: each `Stroke` with its `Point` elements, x, y (downwards) and time in s.

    Raises:
        DataError: the file is missing, empty, too large, no XML or not of this form, declares entities, or has no
            strokes; the message has the stroke and the point.
        ConfigurationError: the package defusedxml is not installed.
    """
    path = Path(path)
    return parse_whiteboard(read_content(path, "a captured whiteboard as XML"), f'"{path}"')


def parse_whiteboard(content: bytes, where: str = "XML") -> Ink:
    """As `read_whiteboard`, of the content of a file; `where` stands for it in messages."""
    root = parse_xml(content, where)
    if local_name(root) != ROOT:
        raise DataError(f"{where} has the root element <{local_name(root)}>: expected <{ROOT}>")
    strokes = []
    for number, stroke in enumerate((part for part in root.iter() if local_name(part) == "Stroke"), 1):
        points = []
        for place, point in enumerate((part for part in stroke if local_name(part) == "Point"), 1):
            try:
                points.append([float(point.attrib[name]) for name in ("x", "y", "time")])
            except (KeyError, ValueError) as error:
                raise DataError(
                    f"{where}, stroke {number}, point {place}: expected numbers x, y and time, got {dict(point.attrib)}"
                ) from error
        strokes.append(points)
    if not strokes:
        raise DataError(f"{where} has no strokes: expected at least one <Stroke>")
    try:
        return Ink.from_strokes(strokes)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
