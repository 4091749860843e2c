"""The page on forecasts: its code runs, and its commands are commands."""

import re
from pathlib import Path

import pytest

from gatewise.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "forecast.md"
BLOCK = re.compile(r"```(?P<kind>\w*)\n(?P<body>.*?)```", re.DOTALL)
AIRLINE = Path(__file__).parents[2] / "src" / "gatewise" / "data" / "airline.csv"


def blocks(kind: str) -> list[str]:
    return [match["body"] for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8")) if match["kind"] == kind]


def test_the_code_prints_three_scores(capsys: pytest.CaptureFixture[str]) -> None:
    (body,) = blocks("python")
    exec(compile(body, str(PAGE), "exec"), {"__name__": "page"})
    mape, coverage, baseline = map(float, capsys.readouterr().out.split())
    assert 0 <= coverage <= 1
    assert mape < baseline


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "airline.csv").write_bytes(AIRLINE.read_bytes())
    for line in blocks("sh")[0].splitlines():
        program, *argv = line.split()
        assert program == "gatewise"
        assert main([*argv, *(("--members", "1", "--max-epochs", "2") if argv[0] == "train" else ())]) == 0
    assert (tmp_path / "next-year.csv").read_text().splitlines()[0] == "month,forecast,q0.1,q0.5,q0.9"
