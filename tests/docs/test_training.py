"""The page on training: its commands run, one after the other, and print what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
BLOCK = re.compile(r"```(?P<kind>\w*)\n(?P<body>.*?)```", re.DOTALL)
END = "--- end of block ---"


def blocks() -> list[tuple[str, str]]:
    return [(match["kind"], match["body"]) for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]


def test_the_commands_print_what_the_page_says(tmp_path: Path) -> None:
    commands = [body for kind, body in blocks() if kind == "sh"]
    said = [body for kind, body in blocks() if kind == "text"]
    assert len(commands) == len(said) >= 7
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e"], input=f"\necho '{END}'\n".join([*commands, ""]), cwd=tmp_path, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    printed = done.stdout.split(END + "\n")
    for command, expected, found in zip(commands, said, printed, strict=False):
        pattern = re.escape(expected).replace(r"\.\.\.", ".*")
        assert re.fullmatch(pattern, found, re.DOTALL), f"{command}\nprinted:\n{found}\nthe page says:\n{expected}"
    assert done.returncode == 0
    assert len(printed) == len(said) + 1


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, body in blocks():
        if kind == "python":
            for _ in range(2):  # the same call, begun and gone on with
                exec(compile(body, str(PAGE), "exec"), {"__name__": "page"})
    assert sorted(path.name for path in (tmp_path / "airline").iterdir()) == [
        "checkpoint-000001", "checkpoint-000002", "lock", "log.jsonl",
    ]  # fmt: skip
