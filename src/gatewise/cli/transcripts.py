"""What is done with a transcriber: texts are read, scored and aligned."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.cli.output import print_facts, print_json, print_note
from gatewise.errors import DataError, ModelFolderError

if TYPE_CHECKING:
    import pyarrow as pa

    from gatewise.tasks import Transcriber

CONFUSIONS = 10  # that are told of


def transcribe(transcriber: "Transcriber", model: Path, given: Sequence[Path], out: Path | None, as_json: bool) -> None:
    """Print the texts of recordings, or write them to a table."""
    import pyarrow as pa

    from gatewise.cli.trained import warnings_on_stderr
    from gatewise.data.table import write_table

    names, sources = _recordings(transcriber, given)
    with warnings_on_stderr():
        found = transcriber.transcribe(sources)
    rows = [
        {"recording": name, "text": one.text, "confidence": one.confidence}
        for name, one in zip(names, found, strict=True)
    ]
    if out is not None:
        write_table(pa.Table.from_pylist(rows), out)
    if as_json:
        place = {} if out is None else {"out": str(out)}
        print_json({"task": "transcribe", "model": str(model), **place, "recordings": rows})
    elif out is not None:
        print_facts({"predictions": str(out), "rows": str(len(rows)), "columns": "recording, text, confidence"})
    else:
        print_facts({row["recording"]: row["text"] for row in rows})


def evaluate_transcriber(transcriber: "Transcriber", data: Path, as_json: bool) -> dict[str, Any]:
    """Its metrics on recordings with their texts; with what was taken for what, and how confidences are calibrated."""
    compared = transcriber.compare(data)
    metrics = compared.metrics()
    names, counts = compared.confusion()
    pairs = sorted(
        (
            (int(counts[i, j]), a, b)
            for i, a in enumerate(names)
            for j, b in enumerate(names)
            if i != j and counts[i, j]
        ),
        key=lambda pair: -pair[0],
    )
    if not as_json:
        if pairs:
            print_note("most frequent errors: " + "; ".join(_error(*pair) for pair in pairs[:CONFUSIONS]))
        return metrics
    found = compared.calibration()
    return {
        **metrics,
        "confusions": [{"said": a, "read": b, "count": count} for count, a, b in pairs],
        "calibration": {"confidence": found.confidence, "accuracy": found.accuracy, "count": found.count},
    }


def align(model: Path, recording: Path, text: str, out: Path | None, as_json: bool) -> None:
    """Print where in a recording the symbols of its text are, or write it to a table."""
    import pyarrow as pa

    from gatewise.cli.trained import check_file, warnings_on_stderr
    from gatewise.data.table import SUFFIXES, write_table
    from gatewise.tasks import Transcriber, load

    if out is not None:
        check_file(out, SUFFIXES)
    transcriber = load(model)
    if not isinstance(transcriber, Transcriber):
        raise ModelFolderError(f'{model} holds no transcriber: align takes a model of "gatewise train transcribe"')
    if text.endswith(".txt") and Path(text).is_file():
        text = Path(text).read_text(encoding="utf-8-sig")
    _, sources = _recordings(transcriber, [recording])
    with warnings_on_stderr():
        (symbols,) = transcriber.align(sources, [text])
    length = transcriber.front_end_.seconds
    rows = []
    for symbol in symbols:
        seconds = {} if length is None else {"begins": symbol.start * length, "ends": symbol.end * length}
        span = {"start": symbol.start, "end": symbol.end}
        rows.append({"symbol": symbol.text, **span, **seconds, "confidence": symbol.confidence})
    table = pa.Table.from_pylist(rows)
    if out is not None:
        write_table(table, out)
    if as_json:
        print_json({"model": str(model), "recording": str(recording), "symbols": rows})
    elif out is not None:
        print_facts({"alignment": str(out), "rows": str(len(rows)), "columns": ", ".join(table.column_names)})
    else:
        _print_rows(table)


def _recordings(transcriber: "Transcriber", given: Sequence[Path]) -> tuple[list[str], Any]:
    """Names and sources: of a manifest or a folder all that it tells of, else the files themselves."""
    from gatewise.data import read_transcripts

    suffixes = transcriber.front_end_.suffixes
    names: list[str] = []
    sources: list[Any] = []
    for path in given:
        found = read_transcripts(path, suffixes, text=False)
        if found.are_strokes and len(given) > 1:
            raise DataError(f'"{path}" has strokes in it: give it alone')
        if found.are_strokes:
            return list(found.names), found
        wrong = [name for source, name in zip(found.sources, found.names, strict=True)
                 if Path(source).suffix.lower() not in suffixes]  # fmt: skip
        if wrong:
            raise DataError(f'"{wrong[0]}" is no recording that this model reads: expected {", ".join(suffixes)}')
        names += found.names
        sources += found.sources
    return names, sources


def _error(count: int, said: str, read: str) -> str:
    if not said:
        return f'"{read}" too much ({count})'
    return f'"{said}" left out ({count})' if not read else f'"{said}" read as "{read}" ({count})'


def _print_rows(table: "pa.Table") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table()
    for name in table.column_names:
        shown.add_column(name, justify="left" if name == "symbol" else "right")
    for row in table.to_pylist():
        values = (f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values())
        shown.add_row(*map(Text, values))
    Console(highlight=False).print(shown)
