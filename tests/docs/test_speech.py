"""The page on speech: its code and commands run, and print what the page says."""

from pathlib import Path

import pytest

from tests.docs.pages import run_page


def test_code_and_commands_do_what_the_page_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_page("speech.md", capsys) == 5
