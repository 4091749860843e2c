"""The published cells, found rather than listed: every public cell class in the modules of `gatewise.cells`.

One more published cell is one more class, in a module of its own or beside its family. Its docstring is its entry: the
first line says what it is, and the next paragraph begins with its paper, `Surname, I. & Surname, I. (year), Title, ...`
(or the first line names the paper, as in "variant NIG of Greff et al. (2017)").
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from gatewise.cells.cell import Cell
from gatewise.errors import CellError, nearest

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|\d+")
_PAPER = re.compile(r"\s*(?P<authors>[^()]+?) \((?P<year>\d{4})\), ")
_MENTION = re.compile(r"(?P<authors>[A-Z]\w+(?: et al\.|(?:, [A-Z]\w+)* & [A-Z]\w+)?) \((?P<year>\d{4})\)")
_INITIALS = re.compile(r",(?: [A-Z]\.|-[A-Z]\.)+")


@dataclass(frozen=True)
class Entry:
    """What the catalogue tells of a cell, taken from its docstring.

    Attributes:
        name: in the catalogue.
        cell: the class.
        summary: what it is, in one line.
        authors: of its paper: surnames, "et al." after the first where there are more than three; empty if unknown.
        year: of its paper; None if unknown.
        notes: the paragraphs that follow, up to the first example: the paper, deviations, states, options.
    """

    name: str
    cell: type[Cell]
    summary: str
    authors: str
    year: int | None
    notes: tuple[str, ...]

    @property
    def reference(self) -> str:
        """Authors and year."""
        return f"{self.authors} ({self.year})" if self.year else self.authors


def list() -> tuple[str, ...]:
    """The names of all published cells, in alphabetical order.

    >>> import gatewise
    >>> "gru-cho" in gatewise.cells.list()
    True
    """
    return tuple(_found())


def get(name: str) -> type[Cell]:
    """The class of a published cell, by its name in the catalogue or the name of the class.

    Raises:
        CellError: there is no such cell; the message says which are.

    >>> import gatewise
    >>> gatewise.cells.get("janet")(beta=0.5).trace().output
    'h'
    """
    found = _found()
    if name in found:
        return found[name]
    by_class = {cell.__name__: cell for cell in found.values()}
    if name in by_class:
        return by_class[name]
    raise CellError(f'There is no published cell "{name}"; {nearest(name.lower(), found)}')


def entry(name: str) -> Entry:
    """The catalogue's entry of a cell, by its name.

    Raises:
        CellError: there is no such cell; the message says which are.

    >>> entry("mgu").reference
    'Zhou et al. (2016)'
    """
    cell = get(name)
    summary, *paragraphs = re.split(r"\n\s*\n", (inspect.getdoc(cell) or "").partition("\n>>> ")[0].strip())
    paper = (_PAPER.match(paragraphs[0]) if paragraphs else None) or _MENTION.search(summary)
    return Entry(
        name=_name(cell),
        cell=cell,
        summary=" ".join(summary.split()),
        authors=_surnames(paper["authors"]) if paper else "",
        year=int(paper["year"]) if paper else None,
        notes=tuple(paragraphs),
    )


@cache
def _found() -> Mapping[str, type[Cell]]:
    package = import_module("gatewise.cells")
    found: dict[str, type[Cell]] = {}
    for information in iter_modules(package.__path__):
        module = import_module(f"gatewise.cells.{information.name}")
        for key, value in vars(module).items():
            if key.startswith("_") or not inspect.isclass(value) or not issubclass(value, Cell):
                continue
            if inspect.isabstract(value):  # `Cell` itself, or the common half of several cells
                continue
            name = _name(value)
            if found.setdefault(name, value) is not value:
                raise CellError(
                    f'Two cells are called "{name}" in the catalogue: {found[name].__name__} and {value.__name__}; '
                    'set catalogue_name = "..." in one of them'
                )
    return dict(sorted(found.items()))


def _name(cell: type[Cell]) -> str:
    """The class attribute `catalogue_name`, else the words of the class's name without a final LSTM.

    >>> [_name(type(name, (Cell,), {})) for name in ("GRUCho", "PhasedLSTM", "LSTM")]
    ['gru-cho', 'phased', 'lstm']
    """
    declared = vars(cell).get("catalogue_name")  # not inherited: a subclass is a cell of its own
    if declared is not None:
        return str(declared)
    words = _WORDS.findall(cell.__name__)
    if len(words) > 1 and words[-1] == "LSTM":
        words.pop()
    return "-".join(words).lower()


def _surnames(authors: str) -> str:
    """The surnames of authors written with initials.

    >>> _surnames("Zhou, G.-B., Wu, J. & van der Meer, Z.-H.")
    'Zhou, Wu & van der Meer'
    """
    names = _INITIALS.sub("", " ".join(authors.split()))
    first, *others = re.split(r", | & ", names)
    return f"{first} et al." if len(others) > 2 else names
