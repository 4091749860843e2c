"""The page on generating: its code and commands run, and print what the page says."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from tests.cli.program import Program
from tests.docs.test_transcribe import BLOCK, as_said

PAGE = Path(__file__).parents[2] / "docs" / "generate.md"


def test_code_and_commands_do_what_the_page_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gatewise, names, printed, compared = Program(capsys), {"__name__": "page"}, "", 0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        kind, body = match["kind"], match["body"]
        if kind == "python":
            capsys.readouterr()
            exec(compile(body, str(PAGE), "exec"), names)
            printed = capsys.readouterr().out
        elif kind == "text":
            as_said(body, printed)
            compared += 1
        elif kind == "console":
            for command, said in re.findall(r"^\$ gatewise ([^\n]*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE):
                argv = shlex.split(command)
                # The training itself is the page's Python.
                found = gatewise(*argv, *(["--dry-run"] if argv[0] == "train" else []))
                assert found.code == 0, found
                if said:
                    as_said(said, found.out)
                compared += 1
    torch.set_num_threads(threads)
    assert compared == 13
