"""Reading ink from a file of any of the forms that are known."""

from collections.abc import Callable
from pathlib import Path

from gatewise.data.ink.files import read_content
from gatewise.data.ink.ink import Ink
from gatewise.data.ink.inkml import parse_inkml
from gatewise.data.ink.json_strokes import parse_json
from gatewise.data.ink.unipen import parse_unipen
from gatewise.data.ink.whiteboard import ROOT, parse_whiteboard
from gatewise.data.ink.xml import local_name, parse_xml
from gatewise.errors import DataError


def read_ink(path: str | Path) -> Ink:
    """Read ink: InkML (.inkml, .xml), JSON (.json), UNIPEN (.unipen, .upen, .dat) or captured whiteboards (.xml).

    Raises:
        DataError: the file has another suffix, or is not as `read_inkml`, `read_json`, `read_unipen` and
            `read_whiteboard` expect it.
        ConfigurationError: XML, and the package defusedxml is not installed.
    """
    path = Path(path)
    parse = PARSERS.get(path.suffix.lower())
    if parse is None:
        raise DataError(f'"{path}" has the suffix "{path.suffix}": expected ink as {", ".join(PARSERS)}')
    return parse(read_content(path, "ink"), f'"{path}"')


def _parse_xml(content: bytes, where: str) -> Ink:
    whiteboard = local_name(parse_xml(content, where)) == ROOT
    return parse_whiteboard(content, where) if whiteboard else parse_inkml(content, where)


PARSERS: dict[str, Callable[[bytes, str], Ink]] = {
    ".inkml": parse_inkml,
    ".xml": _parse_xml,
    ".json": parse_json,
    ".unipen": parse_unipen,
    ".upen": parse_unipen,
    ".dat": parse_unipen,
}
