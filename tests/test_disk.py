"""Files and folders are there whole or not at all, whichever call of the system fails."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewise import disk
from tests.faults import ERRORS, calls, failing


def content(path: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


ACTIONS: dict[str, Callable[[Path], None]] = {
    "new file": lambda here: disk.write_file(here / "new", b"whole" * 3),
    "file again": lambda here: disk.write_file(here / "file", b"whole" * 3),
    "new folder": lambda here: disk.write_folder(here / "new", {"a": b"1", "b": b"22"}),
    "folder again": lambda here: disk.write_folder(here / "folder", {"a": b"1", "b": b"22"}),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_call_that_fails_changes_nothing_or_all(action: str, tmp_path: Path) -> None:
    def place(name: str) -> Path:
        here = tmp_path / name
        (here / "folder").mkdir(parents=True)
        (here / "folder" / "old").write_bytes(b"before")
        (here / "file").write_bytes(b"before")
        return here

    done = place("done")
    before = content(done)
    made = calls(lambda: ACTIONS[action](done))
    after = content(done)
    assert made.count("flush") >= 2  # of the file and of the folder above it
    assert after != before
    for at in range(1, len(made) + 1):
        for error in ERRORS:
            here = place(f"{at}-{error}")
            with failing(at, error), pytest.raises(OSError, match=os.strerror(error)):
                ACTIONS[action](here)
            # The last call makes the rename durable: by then it has been done.
            assert content(here) == (after if at == len(made) else before), (at, made[at - 1])
            assert [p.name for p in here.iterdir() if disk.is_temporary(p)] == []


def test_a_file_that_is_not_finished_leaves_no_trace(tmp_path: Path) -> None:
    def stop_halfway() -> None:
        with disk.new_file(tmp_path / "half") as sink:
            sink.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_halfway()
    assert list(tmp_path.iterdir()) == []


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        disk.write_file(tmp_path / "file", b"")
        disk.write_folder(tmp_path / "folder", {"inner": b""})
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"file": 0o640, "folder": 0o750, "inner": 0o640}


def test_a_long_name_is_written(tmp_path: Path) -> None:
    disk.write_file(tmp_path / ("n" * 250), b"here")
    assert (tmp_path / ("n" * 250)).read_bytes() == b"here"


def test_a_folder_is_removed(tmp_path: Path) -> None:
    disk.write_folder(tmp_path / "folder", {"a": b"1"})
    disk.remove_folder(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []
