"""What is done with a generator: `gatewise generate`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.cli.output import print_facts, print_json
from gatewise.errors import DataError, ModelFolderError

if TYPE_CHECKING:
    from gatewise.tasks import Generator


def generate(model: Path, prompt: str | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Print what a generator writes after a prompt, as it is drawn; or write it to a file."""
    from gatewise.cli.trained import check_file
    from gatewise.data.table import SUFFIXES
    from gatewise.tasks import Generator, load

    generator = load(model)
    if not isinstance(generator, Generator):
        raise ModelFolderError(f'{model} holds no generator: generate takes a model of "gatewise train generate"')
    events = generator.unit == "events"
    if out is not None:
        check_file(out, SUFFIXES if events else (".txt",))
    begun: Any = _frames(generator, prompt) if events else prompt
    if out is None and not as_json:
        _print(generator, begun, generator.stream(begun, **options))
        return
    found = generator.generate(begun, **options)
    if out is not None:
        _write(out, found if events else (prompt or "") + found)
    if as_json:
        written: Any = [list(frame) for frame in found] if events else found
        place = {} if out is None else {"out": str(out)}
        print_json(
            {"task": "generate", "model": str(model), **place, "prompt": prompt or "", **options, "written": written}
        )
    else:
        print_facts({"written": str(out), "symbols" if not events else "frames": str(len(found))})


def _frames(generator: "Generator", prompt: str | None) -> list[Any]:
    """The frames of a table."""
    from gatewise.tasks.generation import read_events

    if prompt is None:
        return []
    found = read_events(prompt, generator.events, generator.piece)
    first, *others = found.frames
    if others:
        raise DataError(f'"{prompt}" holds {len(found.frames)} pieces, expected the beginning of one')
    return list(first)


def _print(generator: "Generator", begun: Any, stream: Iterator[Any]) -> None:
    if generator.unit == "events":
        for frame in stream:
            print(" ".join(frame), flush=True)
        return
    print(begun or "", end="", flush=True)
    for symbol in stream:
        print(symbol, end="", flush=True)
    print()


def _write(out: Path, found: Any) -> None:
    import pyarrow as pa

    from gatewise.data.table import write_table
    from gatewise.disk import write_file

    if isinstance(found, str):
        write_file(out, found.encode())
    else:
        write_table(pa.table({"events": [" ".join(frame) for frame in found]}), out)
