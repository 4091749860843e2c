"""The page on lines of handwriting: its code runs and prints what the page says."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "handwriting.md"
BLOCK = re.compile(r"```(?P<kind>[^\n]*)\n(?P<body>.*?)```", re.DOTALL)


def test_the_code_runs_and_prints_what_the_page_says(capsys):
    names = {"__name__": "page"}
    printed = ""
    compared = 0
    for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if match["kind"] == "python":
            exec(compile(match["body"], str(PAGE), "exec"), names)
            printed = capsys.readouterr().out
        elif match["kind"] == "text":
            assert printed == match["body"]
            compared += 1
    assert compared == 4
