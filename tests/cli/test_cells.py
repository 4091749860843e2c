"""`gatewise cells`: the catalogue and its entries."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gatewise.cells as catalogue
from tests.cli.program import Program


def test_the_catalogue_shows_every_cell_with_its_paper(gatewise: Program) -> None:
    outcome = gatewise("cells")
    assert (outcome.code, outcome.err) == (0, "")
    rows = [[part.strip() for part in line.split("│")] for line in outcome.out.splitlines() if "│" in line]
    assert [row[1] for row in rows if row[1]] == [*catalogue.list()]
    assert "Elman (1990)" in outcome.out
    assert "Simple recurrent network" in outcome.out


def test_the_catalogue_as_json(gatewise: Program) -> None:
    outcome = gatewise("cells", "--json")
    assert (outcome.code, outcome.err, outcome.out.count("\n")) == (0, "", 1)
    cells = json.loads(outcome.out)["cells"]
    assert [cell["name"] for cell in cells] == [*catalogue.list()]
    [mgu] = [cell for cell in cells if cell["name"] == "mgu"]
    assert mgu == {
        "name": "mgu",
        "class": "MGU",
        "summary": "Minimal gated unit: a GRU whose reset and update gates are one gate.",
        "authors": "Zhou et al.",
        "year": 2016,
    }


@pytest.mark.parametrize("name", ["phased", "PhasedLSTM"])
def test_a_cell_shows_what_it_is_made_of(name: str, gatewise: Program) -> None:
    outcome = gatewise("cells", name)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("phased: LSTM whose units are open")
    headings = ["Equations", "Inputs", "States", "Parameters", "Stages", "Options", "Reference and notes"]
    assert [line for line in lines[1:] if line and not line.startswith(" ")] == headings
    for expected in (
        "  i = sigmoid(W_i @ x + b_i + U_i @ h + p_i * c)",
        "  time []",
        "  h [H] (output)",
        "  [H, X]: W_i, W_f, W_z, W_o",
        "  leak = 0.001",
    ):
        assert expected in lines
    assert "\n  Neil, D., Pfeiffer, M. & Liu, S.-C. (2016), Phased LSTM: Accelerating" in outcome.out
    assert "  c [H], initially" not in outcome.out
    assert ">>>" not in outcome.out


def test_a_cell_as_json(gatewise: Program) -> None:
    outcome = gatewise("cells", "slstm", "--json")
    assert (outcome.code, outcome.err, outcome.out.count("\n")) == (0, "", 1)
    cell = json.loads(outcome.out)
    step = catalogue.SLSTM().trace()
    assert cell["class"] == "SLSTM"
    assert cell["options"] == {"forget_gate": "sigmoid", "bias": True}
    assert cell["inputs"] == {"x": ["X"]}
    assert cell["states"]["m"] == {"shape": ["H"], "initial": "-inf"}
    assert cell["states"]["n"] == {"shape": ["H"], "initial": 0.0}
    assert cell["output"] == "h"
    assert {name: tuple(shape) for name, shape in cell["parameters"].items()} == {
        name: parameter.shape for name, parameter in step.parameters.items()
    }
    assert cell["equations"][-1] == "h' = o * (c' / n')"
    assert cell["equations"][0] == "s1 = W_i @ x + b_i + U_i @ h"
    assert cell["latex"] == step.latex()
    assert cell["notes"][0].startswith("Beck, M., Pöppel, K.,")


def test_a_time_stamp_has_no_width_in_json(gatewise: Program) -> None:
    assert json.loads(gatewise("cells", "phased", "--json").out)["inputs"] == {"x": ["X"], "time": []}


def test_infinite_initial_values_are_told(gatewise: Program) -> None:
    assert "  m [H], initially -inf\n" in gatewise("cells", "slstm").out


def test_latex_and_nothing_else(gatewise: Program) -> None:
    outcome = gatewise("cells", "gru", "--latex")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == catalogue.GRU().trace().latex() + "\n"


def test_latex_of_which_cell(gatewise: Program) -> None:
    outcome = gatewise("cells", "--latex")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: --latex needs a cell: gatewise cells NAME --latex\n"


def test_an_unknown_cell_suggests_the_nearest(gatewise: Program) -> None:
    outcome = gatewise("cells", "jannet", "--json")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith('error: There is no published cell "jannet"; did you mean "janet"? There is: ')
    assert outcome.err.count("\n") == 1


def test_cells_import_no_torch() -> None:
    code = (
        "import sys; from gatewise.cli import main\n"
        "codes = [main([*argv.split()]) for argv in ('cells', 'cells gru', 'cells gru --json', 'cells gru --latex', "
        "'cells grue')]\n"
        "print(codes, sorted({'torch', 'sklearn', 'pyarrow', 'matplotlib'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[0, 0, 0, 0, 2] []"


DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_all_cells_is_up_to_date(gatewise: Program) -> None:
    outcome = gatewise("cells", "--markdown")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (DOCS / "cells.md").read_text(encoding="utf-8"), "gatewise cells --markdown > docs/cells.md"


def test_the_page_shows_of_each_cell_what_it_is(gatewise: Program) -> None:
    page = gatewise("cells", "--markdown").out
    sections = page.split("\n## ")[1:]
    assert [section.splitlines()[0] for section in sections] == [*catalogue.list()]
    for name, section in zip(catalogue.list(), sections, strict=True):
        step = catalogue.get(name)().trace()
        assert step.latex() in section
        for parameter in step.parameters:
            assert f"`{parameter}`" in section
        assert section.count("```mermaid") == 1
        assert re.search(r"\(\d{4}\)", section), "no paper"
        # Boxes are connected, and every box that is pointed to exists.
        made = set(re.findall(r"(\w+)\[", section))
        assert set(re.findall(r"--> (\w+)", section)) <= made


def test_the_page_is_of_all_cells_or_not_at_all(gatewise: Program) -> None:
    outcome = gatewise("cells", "gru", "--markdown")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--markdown prints all cells as one page" in outcome.err
