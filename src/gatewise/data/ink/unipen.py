"""UNIPEN-like files: Guyon et al. (1994), "UNIPEN project of on-line data exchange and recognizer benchmarks"."""

from pathlib import Path

from gatewise.data.ink.files import read_content
from gatewise.data.ink.ink import Ink
from gatewise.errors import DataError

COORDINATES = ("X", "Y", "T", "P", "Z", "B", "RHO", "THETA", "PHI")
MILLISECOND = 1e-3


def read_unipen(path: str | Path) -> Ink:
    """Read the strokes of a UNIPEN-like file.

    Statements begin with a keyword that starts with a full stop. `.COORD` names the columns of points (X and Y where it
    is missing; T is in milliseconds, others are left out); each `.PEN_DOWN` begins a stroke, whose points follow, a
    line each or on one; points after `.PEN_UP` were not written. UNIPEN counts y upwards, Ink downwards: its sign is
    changed. If exactly one `.SEGMENT` has a label in quotation marks, it is the text. Other statements say nothing of
    the strokes and are passed over, but `.INCLUDE` is refused: other files are not followed.

    Raises:
        DataError: the file is missing, empty, too large, no text, has no strokes, or a line that is not as above; the
            message has the number of the line.
    """
    path = Path(path)
    return parse_unipen(read_content(path, "UNIPEN strokes"), f'"{path}"')


def parse_unipen(content: bytes, where: str = "UNIPEN") -> Ink:
    """As `read_unipen`, of the content of a file; `where` stands for it in messages.

    >>> parse_unipen(b".PEN_DOWN\\n1 2\\n3 4\\n.PEN_UP\\n9 9\\n").strokes
    (array([[ 1., -2.],
            [ 3., -4.]]),)
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # as old as the format is, so are its files
    columns: list[str] = ["X", "Y"]
    strokes: list[list[list[float]]] = []
    labels: list[str] = []
    down: bool | None = None  # None: in a statement that has no points
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{where}, line {number}"
        rest = line.strip()
        if rest.startswith("."):
            keyword, rest = [*rest.split(maxsplit=1), ""][:2]
            down = {".PEN_DOWN": True, ".PEN_UP": False}.get(keyword)
            if keyword == ".INCLUDE":
                raise DataError(f"{place}: .INCLUDE refers to another file, which is not followed; put it in its place")
            if keyword == ".COORD":
                if strokes:
                    raise DataError(f"{place}: .COORD has to stand before the first stroke")
                columns = _read_columns(rest, place)
            elif keyword == ".SEGMENT" and rest.count('"') >= 2:
                labels.append(rest[rest.index('"') + 1 : rest.rindex('"')])
            elif keyword == ".PEN_DOWN":
                _check_begun(strokes, place)
                strokes.append([])
        if down is not None and rest:
            points = _read_points(rest, columns, place)
            if down:
                strokes[-1] += points
    if not strokes:
        raise DataError(f"{where} has no strokes: expected .PEN_DOWN, followed by points, at least once")
    _check_begun(strokes, f"{where}, at its end")
    try:
        return Ink.from_strokes(strokes, labels[0] if len(labels) == 1 else None)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _check_begun(strokes: list[list[list[float]]], place: str) -> None:
    if strokes and not strokes[-1]:
        raise DataError(f"{place}: the .PEN_DOWN before has no points, expected at least one")


def _read_columns(text: str, place: str) -> list[str]:
    columns = text.upper().split()
    for name in columns:
        if name not in COORDINATES:
            raise DataError(f'{place}: unknown coordinate "{name}", expected some of {", ".join(COORDINATES)}')
    for name in ("X", "Y"):
        if columns.count(name) != 1:
            raise DataError(f"{place}: .COORD names {name} {columns.count(name)} times, expected once")
    return columns


def _read_points(text: str, columns: list[str], place: str) -> list[list[float]]:
    words = text.split()
    if len(words) % len(columns):
        raise DataError(f"{place}: {len(words)} numbers, expected {len(columns)} for each point ({' '.join(columns)})")
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise DataError(f"{place}: {error}; expected the numbers of a point, {' '.join(columns)}") from error
    points = []
    for start in range(0, len(numbers), len(columns)):
        found = dict(zip(columns, numbers[start : start + len(columns)], strict=True))
        point = [found["X"], -found["Y"]]
        points.append([*point, found["T"] * MILLISECOND] if "T" in found else point)
    return points
