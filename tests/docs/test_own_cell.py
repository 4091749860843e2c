"""The tutorial on writing a cell: its code runs, prints what the page says, and one file is all that a cell takes."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import gatewise.cells
from gatewise.cells import catalogue
from gatewise.testing import check_cell
from tests.cells.running import assert_equal, draw, normal, run, sigmoid
from tests.cli.program import Program

PAGE = Path(__file__).parents[2] / "docs" / "own-cell.md"
BLOCK = re.compile(r"```(?P<kind>[^\n]*)\n(?P<body>.*?)```", re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return [(match["kind"], match["body"]) for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]


def test_the_code_runs_and_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    names = {"__name__": "tutorial"}
    printed = ""
    compared = 0
    for kind, body in blocks():
        if kind == "python":
            capsys.readouterr()
            exec(compile(body, str(PAGE), "exec"), names)
            printed = capsys.readouterr().out
        elif kind == "text":
            pattern = re.escape(body).replace(r"\.\.\.", ".*")
            assert re.fullmatch(pattern, printed), f"printed:\n{printed}\nthe page says:\n{body}"
            compared += 1
    assert compared >= 6


def test_the_cell_has_ten_lines() -> None:
    first = next(body for kind, body in blocks() if kind == "python")
    equations = first[first.index("@dataclass") :]
    assert len([line for line in equations.splitlines() if line.strip()]) <= 10


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file of the last section, in a folder of the package, and nothing else."""
    ((kind, body),) = [(kind, body) for kind, body in blocks() if kind.startswith("python file=")]
    (tmp_path / kind.partition("=")[2]).write_text(body, encoding="utf-8")
    monkeypatch.setattr(gatewise.cells, "__path__", [*gatewise.cells.__path__, str(tmp_path)])
    catalogue._found.cache_clear()
    yield
    catalogue._found.cache_clear()


def test_one_file_makes_a_published_cell(published: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert "ugrnn" in gatewise.cells.list()
    entry = gatewise.cells.entry("ugrnn")
    assert (entry.reference, entry.cell.__name__) == ("Collins, Sohl-Dickstein & Sussillo (2017)", "UGRNN")
    assert check_cell(gatewise.cells.UGRNN).cell == "UGRNN()"
    program = Program(capsys)
    assert "ugrnn" in program("cells").out
    assert "  g = sigmoid(W_g @ x + b_g + U_g @ h)" in program("cells", "ugrnn").out.splitlines()
    assert "## ugrnn" in program("cells", "--markdown").out
    layer = gatewise.Recurrent(entry.cell(), 3, 4, recurrent_dropout=0.5, forget_bias=2.0)
    assert (layer.get_parameter("b_g_l0") == 2).all()
    assert layer(torch.zeros(5, 2, 3))[0].shape == (5, 2, 4)


def test_it_equals_the_paper(published: None) -> None:
    cell = gatewise.cells.get("ugrnn")()
    p, x, h = draw(cell), normal(5, 2, 3), normal(2, 4, seed=2)
    outputs, _ = run(cell, {"x": x}, p, {"h": h})
    for t in range(5):
        c = np.tanh(h @ p["U_z"].T + x[t] @ p["W_z"].T + p["b_z"])
        g = sigmoid(h @ p["U_g"].T + x[t] @ p["W_g"].T + p["b_g"])
        h = g * h + (1 - g) * c
        assert_equal(outputs["h"][t], h)
