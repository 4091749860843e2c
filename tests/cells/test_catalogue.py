import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gatewise
from gatewise.cells import Cell, catalogue
from gatewise.errors import CellError

MODULE = '''
"""A module."""

from gatewise.cells.cell import Cell, State
from gatewise.cells.gru import GRU
from gatewise.equations import linear


class {name}(Cell):
    """A cell
    of this test.

    Doe, J.-A., van der Roe, R. M. & Poe, E. (1999), On Cells, Journal of Cells 1(2), 3-4.

    Deviations: none.

    >>> {name}().trace().output
    'h'
    """

    h = State()

    def step(self, x, h):
        """One step."""
        return {{"h": linear("h", x, h)}}


class _Hidden({name}):
    """Not for the catalogue."""
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules belong to `gatewise.cells`."""
    monkeypatch.setattr(gatewise.cells, "__path__", [*gatewise.cells.__path__, str(tmp_path)])
    catalogue._found.cache_clear()
    yield tmp_path
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(f"gatewise.cells.{path.stem}", None)
        if hasattr(gatewise.cells, path.stem):
            delattr(gatewise.cells, path.stem)
    catalogue._found.cache_clear()


def test_one_more_cell_is_one_more_class_and_no_other_edit(folder: Path) -> None:
    (folder / "unheard_of.py").write_text(MODULE.format(name="AnotherCaseLSTM"), encoding="utf-8")
    importlib.invalidate_caches()
    assert gatewise.cells.list()[0] == "another-case"  # by name, not by module
    cell = gatewise.cells.get("another-case")
    assert cell is gatewise.cells.AnotherCaseLSTM
    assert "AnotherCaseLSTM" in dir(gatewise.cells)
    entry = gatewise.cells.entry("another-case")
    assert entry.summary == "A cell of this test."
    assert entry.reference == "Doe, van der Roe & Poe (1999)"
    assert entry.notes[1:] == ("Deviations: none.",)
    assert len([name for name in gatewise.cells.list() if gatewise.cells.get(name) is gatewise.cells.GRU]) == 1
    assert not any("hidden" in name for name in gatewise.cells.list())


def test_a_variant_can_name_its_paper_in_its_first_line(folder: Path) -> None:
    before, _, after = MODULE.format(name="Variant").partition('"""A cell')
    example = after[after.index("\n\n    >>>") :]
    docstring = '"""Nothing new: variant N of Doe & Roe (1998), Another Paper.'
    (folder / "variant.py").write_text(before + docstring + example, encoding="utf-8")
    importlib.invalidate_caches()
    entry = gatewise.cells.entry("variant")
    assert (entry.reference, entry.notes) == ("Doe & Roe (1998)", ())


def test_two_cells_of_one_name_are_refused(folder: Path) -> None:
    (folder / "twice.py").write_text(MODULE.format(name="Janet"), encoding="utf-8")
    importlib.invalidate_caches()
    with pytest.raises(CellError, match='called "janet" in the catalogue: JANET and Janet; set catalogue_name'):
        gatewise.cells.list()


def test_the_names() -> None:
    names = gatewise.cells.list()
    ours = {"ea-lstm", "elman", "gru", "gru-cho", "gru-d", "janet", "lstm", "lstmp", "mgu", "multiplicative", "phased",
            "slstm"}  # fmt: skip
    assert ours <= set(names)
    assert sorted(names) == [*names]


@pytest.mark.parametrize("name", gatewise.cells.list())
def test_every_cell_traces_and_cites_its_paper(name: str) -> None:
    cell, entry = gatewise.cells.get(name), gatewise.cells.entry(name)
    assert cell().trace().updates
    assert entry.cell is cell
    assert entry.name == name
    assert entry.summary.endswith(".")
    assert entry.authors, f"the docstring of {cell.__name__} does not begin its second paragraph with a paper"
    assert entry.year is not None
    assert 1989 < entry.year < 2100


@pytest.mark.parametrize("name", gatewise.cells.list())
def test_every_cell_is_an_attribute_and_found_by_its_class_name(name: str) -> None:
    cell = gatewise.cells.get(name)
    assert issubclass(cell, Cell)
    assert getattr(gatewise.cells, cell.__name__) is cell
    assert gatewise.cells.get(cell.__name__) is cell


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(CellError, match=r'no published cell "Jannet"; did you mean "janet"\? There is: .*mgu'):
        gatewise.cells.get("Jannet")
    with pytest.raises(AttributeError, match="has no attribute 'Jannet'"):
        _ = gatewise.cells.Jannet


def test_the_catalogue_imports_no_torch() -> None:
    code = "import sys, gatewise; print(len(gatewise.cells.list()) > 9, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
