"""InkML: W3C (2011), "Ink Markup Language (InkML)"; reading what a pen wrote out of it, and writing it."""

import xml.sax.saxutils as escape
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gatewise.data.ink.files import read_content
from gatewise.data.ink.ink import Ink
from gatewise.data.ink.traces import SECONDS, Channel, TraceFormat, read_trace
from gatewise.data.ink.xml import children, local_name, parse_xml
from gatewise.disk import write_file
from gatewise.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAMESPACE = "http://www.w3.org/2003/InkML"
ID = "{http://www.w3.org/XML/1998/namespace}id"
TRUTHS = ("truth", "transcription")
MOST_NESTED = 50


@dataclass
class _Reading:
    """What is known while a document is read from its beginning to its end."""

    where: str
    named: dict[str, "Element"]
    strokes: list[list[list[float]]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)  # of the stroke that a trace's id stands for
    n_traces: int = 0
    text: str | None = None

    def referred(self, reference: str) -> "Element":
        found = self.named.get(reference.removeprefix("#"))
        if found is None:
            raise DataError(f'{self.where}: nothing has the id that "{reference}" refers to')
        return found


def read_inkml(path: str | Path) -> Ink:
    """Read an InkML file.

    Every trace of the file, in trace groups too, is a stroke, unless it was written with the pen up or stands in
    `definitions`; a trace that continues another (`continuation`, `priorRef`) goes on with its stroke. Channels are
    what the trace format in force says: of a trace's or group's context, of the document's `context` or `traceFormat`,
    or X and Y. Channel T, in ms unless it has other units, becomes t; other channels are left out. An orientation "-ve"
    is turned around. Brushes, canvases, mappings, views and time offsets change nothing. Text comes from the first
    `annotation` of type "truth" or "transcription" outside of groups.

    Raises:
        DataError: the file is missing, empty, too large, no XML or no InkML, declares entities, has no trace, refers to
            what it does not have, or has a trace that `read_trace` refuses; the message has the number of the trace.
        ConfigurationError: the package defusedxml is not installed.
    """
    path = Path(path)
    return parse_inkml(read_content(path, "InkML"), f'"{path}"')


def parse_inkml(content: bytes, where: str = "InkML") -> Ink:
    """As `read_inkml`, of the content of a file; `where` stands for it in messages."""
    root = parse_xml(content, where)
    if local_name(root) != "ink":
        raise DataError(f"{where} has the root element <{local_name(root)}>: expected <ink>, that is, InkML")
    named = {}
    for element in root.iter():
        for key in (ID, "id"):
            if key in element.attrib:
                named[element.attrib[key]] = element
    reading = _Reading(where, named)
    _read_parts(root, TraceFormat(), reading, 0)
    if not reading.strokes:
        raise DataError(f"{where} has no traces that were written with the pen down: expected at least one <trace>")
    try:
        return Ink.from_strokes(reading.strokes, reading.text)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def format_inkml(ink: Ink) -> str:
    """Ink as an InkML document; numbers so that they are read as the same ones, t in seconds."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<ink xmlns="{NAMESPACE}">', "  <traceFormat>"]
    lines += ['    <channel name="X" type="decimal"/>', '    <channel name="Y" type="decimal"/>']
    if ink.has_time:
        lines.append('    <channel name="T" type="decimal" units="s"/>')
    lines.append("  </traceFormat>")
    if ink.text is not None:
        lines.append(f'  <annotation type="truth">{escape.escape(ink.text)}</annotation>')
    for number, stroke in enumerate(ink.strokes):
        points = ", ".join(" ".join(repr(value) for value in point) for point in stroke.tolist())
        lines.append(f'  <trace xml:id="t{number}">{points}</trace>')
    return "\n".join([*lines, "</ink>", ""])


def write_inkml(ink: Ink, path: str | Path) -> None:
    """Write `format_inkml` to a file, whole or not at all. Raises `OSError`."""
    write_file(Path(path), format_inkml(ink).encode())


def _read_parts(parent: "Element", form: TraceFormat, reading: _Reading, depth: int) -> None:
    """Take in the traces of a document or of a group, in their order."""
    if depth > MOST_NESTED:
        raise DataError(f"{reading.where}: trace groups are nested more than {MOST_NESTED} deep")
    for part in parent:
        name = local_name(part)
        if name in ("context", "traceFormat", "inkSource"):
            form = _format_of(part, form, reading)
        elif name == "traceGroup":
            _read_parts(part, _format_referred(part, form, reading), reading, depth + 1)
        elif name == "trace":
            reading.n_traces += 1
            _read_trace(part, _format_referred(part, form, reading), reading)
        elif name == "annotation" and depth == 0 and part.get("type") in TRUTHS and reading.text is None:
            reading.text = (part.text or "").strip()


def _read_trace(trace: "Element", form: TraceFormat, reading: _Reading) -> None:
    where = f"{reading.where}, trace {reading.n_traces}"
    if trace.get("type") == "penUp":
        return
    points = read_trace(trace.text or "", form, where)
    number = len(reading.strokes)
    if trace.get("continuation") in ("middle", "end"):
        prior = (trace.get("priorRef") or "").removeprefix("#")
        if prior not in reading.numbers:
            raise DataError(f'{where} continues the trace "{prior}", which does not stand before it')
        number = reading.numbers[prior]
        reading.strokes[number] += points
    else:
        reading.strokes.append(points)
    identity = trace.get(ID, trace.get("id"))
    if identity is not None:
        reading.numbers[identity] = number


def _format_referred(element: "Element", form: TraceFormat, reading: _Reading) -> TraceFormat:
    """The format of a trace or group: that of the context it names, or the one in force."""
    reference = element.get("contextRef")
    if reference is None or reference == "#DefaultContext":
        return form
    return _format_of(reading.referred(reference), form, reading)


def _format_of(element: "Element", form: TraceFormat, reading: _Reading, depth: int = 0) -> TraceFormat:
    """The format that a context, ink source or trace format comes to; where it says nothing, the one in force."""
    if depth > 4:  # a context that refers to a context to a source to a format needs less
        raise DataError(f"{reading.where}: contexts refer to one another in a circle")
    if local_name(element) == "traceFormat":
        return _read_format(element, reading.where) if len(element) else form
    for key in ("contextRef", "inkSourceRef", "traceFormatRef"):
        reference = element.get(key)
        if reference is not None and reference != "#DefaultContext":
            form = _format_of(reading.referred(reference), form, reading, depth + 1)
    for name in ("inkSource", "traceFormat"):
        for child in children(element, name):
            form = _format_of(child, form, reading, depth + 1)
    return form


def _read_format(element: "Element", where: str) -> TraceFormat:
    intermittent = [
        channel for part in children(element, "intermittentChannels") for channel in children(part, "channel")
    ]
    regular = list(children(element, "channel"))
    for part in children(element, "regularChannels"):  # of drafts of the recommendation
        regular += children(part, "channel")
    try:
        return TraceFormat(tuple(_read_channel(channel, where) for channel in regular), len(intermittent))
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _read_channel(element: "Element", where: str) -> Channel:
    name = element.get("name")
    if not name:
        raise DataError(f"{where}: a channel of the trace format has no name")
    factor = -1.0 if element.get("orientation") == "-ve" else 1.0
    if name == "T":
        units = element.get("units", "ms")
        if units not in SECONDS:
            raise DataError(f'{where}: channel T is in "{units}", expected one of {", ".join(SECONDS)}')
        factor *= SECONDS[units]
    return Channel(name, factor)
