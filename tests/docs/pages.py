"""Pages whose Python and commands are run, one after the other, and compared with what the page says they print."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from tests.cli.program import Program

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```(?P<kind>[^\n]*)\n(?P<body>.*?)```", re.DOTALL)


def as_said(text: str, printed: str) -> None:
    pattern = re.escape(text).replace(r"\.\.\.", ".*")
    assert re.fullmatch(pattern, printed, re.DOTALL), f"printed:\n{printed}\nthe page says:\n{text}"


@contextmanager
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def run_page(name: str, capsys: pytest.CaptureFixture[str]) -> int:
    """Run a page in the current folder; how many outputs were compared. Trainings on the command line are dry runs."""
    page = DOCS / name
    gatewise, names, printed, compared = Program(capsys), {"__name__": "page"}, "", 0
    with one_thread():
        for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
            kind, body = match["kind"], match["body"]
            if kind == "python":
                capsys.readouterr()
                exec(compile(body, str(page), "exec"), names)
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
    return compared
