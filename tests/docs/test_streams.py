"""The page on streams: its code runs and prints what the page says."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "streams.md"
BLOCK = re.compile(r"```(?P<kind>\w*)\n(?P<body>.*?)```", re.DOTALL)


def test_the_code_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    printed, compared = "", 0
    for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if match["kind"] == "python":
            assert printed == ""
            exec(compile(match["body"], str(PAGE), "exec"), names)
            printed = capsys.readouterr().out
        else:
            assert match["kind"] == "text"
            assert printed == match["body"]
            printed, compared = "", compared + 1
    assert compared == 8
