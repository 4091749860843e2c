"""Strokes as JSON: what a page or an app that catches a pen sends without much ado."""

import json
from pathlib import Path
from typing import Any, NoReturn

from gatewise.data.ink.files import read_content
from gatewise.data.ink.ink import Ink
from gatewise.disk import write_file
from gatewise.errors import DataError

EXPECTED = '{"strokes": [[[x, y], ...], ...]} with points [x, y] or [x, y, t], t in seconds, and perhaps "text"'


def read_json(path: str | Path) -> Ink:
    """Read strokes from a JSON file.

    The file has an object with `strokes` and perhaps `text`, or the list of strokes alone. A stroke is a list of points
    `[x, y]` or `[x, y, t]`, t in seconds, or an object of three (or two) lists, `{"x": [...], "y": [...], "t": [...]}`.

    Raises:
        DataError: the file is missing, empty, too large or no JSON of that form; the message has the line, or the
            stroke and the point.
    """
    path = Path(path)
    return parse_json(read_content(path, "strokes as JSON"), f'"{path}"')


def parse_json(content: bytes, where: str = "JSON") -> Ink:
    """As `read_json`, of the content of a file; `where` stands for it in messages.

    >>> parse_json(b'[[[0, 0], [3, 4]], {"x": [5], "y": [5]}]').length
    5.0
    """
    try:
        found = json.loads(content, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 text: byte {error.start} {error.reason}") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{where}, line {error.lineno}, column {error.colno}: {error.msg}; expected JSON") from error
    except RecursionError as error:
        raise DataError(f"{where} is nested too deep: expected {EXPECTED}") from error
    except ValueError as error:  # NaN, Infinity, or whole numbers of thousands of digits
        raise DataError(f"{where} has a number that is none to compute with: {error}") from error
    text = None
    if isinstance(found, dict):
        unknown = sorted(set(found) - {"strokes", "text"})
        if "strokes" not in found or unknown:
            keys = ", ".join(f'"{key}"' for key in sorted(found)) or "no keys"
            raise DataError(f"{where} has an object with {keys}: expected {EXPECTED}")
        found, text = found["strokes"], found.get("text")
        if not (text is None or isinstance(text, str)):
            raise DataError(f"{where}: expected text as a string, got {json.dumps(text)[:40]}")
    if not isinstance(found, list):
        raise DataError(f"{where} has {_kind(found)} where the strokes should be: expected {EXPECTED}")
    try:
        return Ink.from_strokes((_as_points(stroke, number) for number, stroke in enumerate(found, 1)), text)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def format_json(ink: Ink) -> str:
    """Ink as a JSON document; numbers so that they are read as the same ones."""
    content: dict[str, Any] = {"strokes": [stroke.tolist() for stroke in ink.strokes]}
    if ink.text is not None:
        content["text"] = ink.text
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(ink: Ink, path: str | Path) -> None:
    """Write `format_json` to a file, whole or not at all. Raises `OSError`."""
    write_file(Path(path), format_json(ink).encode())


def _as_points(stroke: Any, number: int) -> list[list[float]]:
    if isinstance(stroke, dict):
        names = [name for name in ("x", "y", "t") if name in stroke]
        lists = [stroke[name] for name in names]
        if names[:2] != ["x", "y"] or len(stroke) != len(names) or not all(isinstance(part, list) for part in lists):
            raise DataError(f'stroke {number}: expected lists "x", "y" and perhaps "t", got {", ".join(stroke)}')
        lengths = [len(part) for part in lists]
        if len(set(lengths)) > 1:
            raise DataError(
                f"stroke {number}: the lists {', '.join(names)} have {lengths} numbers, expected equally many"
            )
        stroke = [list(point) for point in zip(*lists, strict=True)]
    if not isinstance(stroke, list):
        raise DataError(f"stroke {number} is {_kind(stroke)}: expected a list of points")
    for place, point in enumerate(stroke, 1):
        if not isinstance(point, list) or len(point) not in (2, 3):
            raise DataError(
                f"stroke {number}, point {place}: expected [x, y] or [x, y, t], got {json.dumps(point)[:40]}"
            )
        if len(point) != len(stroke[0]):
            raise DataError(
                f"stroke {number}, point {place}: {len(point)} numbers, where the first point has {len(stroke[0])}"
            )
        for value in point:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise DataError(f"stroke {number}, point {place}: expected numbers, got {json.dumps(value)[:40]}")
    return stroke


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a string", type(None): "null"}.get(type(value), "a single value")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name}, expected finite ones")
