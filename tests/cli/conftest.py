"""A folder of one's own, the program, and one trained model of each task."""

import shutil
from pathlib import Path

import pytest

from gatewise.cli import main
from tests.cli.program import TINY, Program, sales, waves, write


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gatewise(here: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    """The program, in an empty folder."""
    return Program(capsys)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sales.csv, waves.ts and the models trained on them, `sales` and `waves`. Copied, never changed."""
    folder = tmp_path_factory.mktemp("trained")
    write(folder / "sales.csv", sales())
    write(folder / "waves.ts", waves())
    paths = {name: str(folder / name) for name in ("sales.csv", "waves.ts", "sales", "waves")}
    forecast = ("--target", "sales", "--horizon", "3", "--future", "rain", "--holdout", "3")
    assert main(["train", "forecast", paths["sales.csv"], *forecast, *TINY, "--out", paths["sales"], "--quiet"]) == 0
    assert main(["train", "classify", paths["waves.ts"], *TINY, "--out", paths["waves"], "--quiet"]) == 0
    return folder


@pytest.fixture
def models(trained: Path, here: Path) -> Path:
    """The current folder, with copies of the trained models and their data."""
    shutil.copytree(trained, here, dirs_exist_ok=True)
    return here
