"""`gatewise cells`: the catalogue of published cells, and what one of them is made of."""

import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import Any

import gatewise.cells as catalogue
from gatewise.cells.catalogue import Entry
from gatewise.cli.cells_page import page
from gatewise.cli.output import print_json
from gatewise.equations import Step
from gatewise.equations.program import compile
from gatewise.errors import ConfigurationError

Section = tuple[str, Sequence[str]]


def show_cells(name: str | None, latex: bool, as_json: bool, markdown: bool = False) -> None:
    """Print the catalogue, or one cell.

    Raises:
        CellError: there is no cell of this name.
        ConfigurationError: LaTeX is asked for, but not of which cell; or the page of all cells, but of one.
    """
    if markdown:
        if name is not None or latex or as_json:
            raise ConfigurationError("--markdown prints all cells as one page; leave out the name and other options")
        print(page(), end="")
        return
    if name is None:
        if latex:
            raise ConfigurationError("--latex needs a cell: gatewise cells NAME --latex")
        entries = [catalogue.entry(known) for known in catalogue.list()]
        if as_json:
            print_json({"cells": [_summary(entry) for entry in entries]})
        else:
            _print_table(entries)
        return
    entry = catalogue.entry(name)
    step = entry.cell().trace()
    if as_json:
        print_json(_facts(entry, step))
    elif latex:
        print(step.latex())
    else:
        _print_sections(f"{entry.name}: {entry.summary}", _sections(entry, step))


def _summary(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "class": entry.cell.__name__,
        "summary": entry.summary,
        "authors": entry.authors,
        "year": entry.year,
    }


def _facts(entry: Entry, step: Step) -> dict[str, Any]:
    return _summary(entry) | {
        "notes": [" ".join(note.split()) for note in entry.notes],
        "options": {field.name: field.default for field in _options(entry)},
        "inputs": {name: [leaf.width] if leaf.width else [] for name, leaf in step.inputs.items()},
        "states": {
            name: {"shape": [leaf.width], "initial": _number(step.initial[name])} for name, leaf in step.states.items()
        },
        "output": step.output,
        "observed": {name: [expr.width] for name, expr in step.observed.items()},
        "parameters": {name: parameter.shape for name, parameter in step.parameters.items()},
        "equations": _equations(step),
        "latex": step.latex(),
        "stages": str(compile(step)).splitlines(),
    }


def _sections(entry: Entry, step: Step) -> list[Section]:
    """What is printed of one cell, in this order."""
    states = [
        f"{name} [{leaf.width}]"
        + ("" if step.initial[name] == 0 else f", initially {_number(step.initial[name])}")
        + (" (output)" if name == step.output else "")
        for name, leaf in step.states.items()
    ]
    return [
        ("Equations", _equations(step)),
        ("Inputs", [f"{name} [{leaf.width or ''}]" for name, leaf in step.inputs.items()]),
        ("States", states),
        ("Parameters", _by_shape(step)),
        ("Stages", str(compile(step)).splitlines()),
        ("Options", [f"{field.name} = {field.default!r}" for field in _options(entry)]),
        ("Reference and notes", "\n\n".join(entry.notes).splitlines()),
    ]


def _options(entry: Entry) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(entry.cell) if dataclasses.is_dataclass(entry.cell) else ()


def _equations(step: Step) -> list[str]:
    """The lines between the declarations and the parameters of a printed step."""
    return [line.strip() for line in str(step).splitlines()[1:-1]]


def _by_shape(step: Step) -> list[str]:
    """Parameters of one shape in one line."""
    named: dict[tuple[str, ...], list[str]] = {}
    for parameter in step.parameters.values():
        named.setdefault(parameter.shape, []).append(parameter.name)
    return [f"[{', '.join(shape)}]: {', '.join(names)}" for shape, names in named.items()]


def _number(value: float | str) -> float | str:
    """A number as it is, but an infinite one, which JSON has no word for, as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _print_table(entries: Sequence[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("cell", no_wrap=True)
    table.add_column("what it is")
    table.add_column("paper")
    for entry in entries:
        table.add_row(Text(entry.name, style="bold"), Text(entry.summary), Text(entry.reference))
    console = Console(file=sys.stdout, highlight=False)
    console.print(table)
    console.print("One of them: gatewise cells NAME", style="dim")


def _print_sections(title: str, sections: Sequence[Section]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    console.print(Text(title, style="bold"), soft_wrap=True)
    for heading, lines in sections:
        if lines:
            console.print()
            console.print(Text(heading, style="bold"))
            for line in lines:
                console.print(Text(f"  {line}".rstrip()), soft_wrap=True)
