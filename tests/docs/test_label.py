"""The page on labelling: its code and commands run, as far as they need no corpus."""

import re
import shlex
from pathlib import Path

import pytest
from pyarrow import csv

from tests.cli.program import Program
from tests.docs.pages import BLOCK, DOCS, one_thread

PAGE = DOCS / "label.md"


def test_code_and_commands_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gatewise, names, commands = Program(capsys), {"__name__": "page"}, 0
    with one_thread():
        for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
            kind, body = match["kind"], match["body"]
            if kind == "python":
                exec(compile(body, str(PAGE), "exec"), names)
            elif "TIMIT" not in body:
                for command in re.findall(r"^gatewise ([^\n]*)$", body, re.MULTILINE):
                    done = gatewise(*shlex.split(command))
                    assert done.code == 0, done.err
                    commands += 1
    assert commands == 4
    told = csv.read_csv("labels.csv")
    assert told.column_names == ["sequence", "time", "label", "p_high", "p_low", "p_middle"]
    assert told.num_rows == 480
    report = (tmp_path / "levels" / "report.html").read_text()
    assert "Labelling report" in report
    assert "Sequences" in report
    done = gatewise("train", "label", "train.csv", "--channels", "x", "--label", "labl", "--out", "none")
    assert done.code == 2
    assert 'no column "labl"' in done.err
    assert not Path("none").exists()
