"""The folder of a run: how many checkpoints stay, which one is taken, who owns it, and a disk that fails."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.faults import ERRORS, calls, failing

from gatewise.errors import CheckpointError, CheckpointWarning
from gatewise.training import RunDirectory


def write(run: RunDirectory, number: int, keep: int = 2) -> Path:
    return run.write({"number": number}, {"weight": torch.full((3,), float(number))}, keep)


def names(run: RunDirectory) -> list[str]:
    return sorted(path.name for path in run.path.iterdir())


def test_the_newest_stay(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "deep" / "run") as run:
        assert run.newest() is None
        for number in range(1, 6):
            write(run, number, keep=3)
        assert list(run.checkpoints()) == [3, 4, 5]
        found = run.newest()
        assert found is not None
        assert (found.path.name, found.state) == ("checkpoint-000005", {"number": 5})
        run.discard()
    assert not run.path.exists()


def test_the_newest_good_one_is_taken_and_that_is_said(tmp_path: Path) -> None:
    with RunDirectory(tmp_path) as run:
        for number in range(1, 4):
            write(run, number, keep=3)
        (run.path / "checkpoint-000003" / "tensors.safetensors").write_bytes(b"")
        (run.path / "checkpoint-000002" / "state.json").unlink()
        with pytest.warns(CheckpointWarning, match=r"000003.* is truncated .*000002 is not a whole .*000001\.$"):
            found = run.newest()
        assert found is not None
        assert found.state == {"number": 1}
        # What could not be read is left alone, and does not count among those that stay.
        write(run, 4, keep=2)
        write(run, 5, keep=2)
        assert list(run.checkpoints()) == [2, 3, 4, 5]


def test_where_none_is_good_none_is_taken(tmp_path: Path) -> None:
    with RunDirectory(tmp_path) as run:
        path = write(run, 1)
        (path / "state.json").write_text("{}")
        with pytest.raises(CheckpointError, match=r"not of a training checkpoint.* There is no other checkpoint in"):
            run.newest()


def test_what_a_killed_process_was_writing_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".checkpoint-000007.0a1b2c3d.tmp").mkdir()
    (tmp_path / ".log.jsonl.0a1b2c3d.tmp").write_text("half")
    (tmp_path / "notes.txt").write_text("mine")
    with RunDirectory(tmp_path) as run:
        assert names(run) == ["lock", "notes.txt"]
        run.discard()
    assert names(run) == ["notes.txt"]


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    with (
        RunDirectory(tmp_path),
        pytest.raises(CheckpointError, match=rf"is in use by process {os.getpid()} of .*one owner at a time"),
    ):
        RunDirectory(tmp_path).own()
    with RunDirectory(tmp_path):
        pass


def test_another_process_is_refused_until_it_dies(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from gatewise.training.lock import Lock\n"
        "Lock(Path(sys.argv[1])).acquire(); print('owned', flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "owned\n"
        with pytest.raises(CheckpointError, match=f"in use by process {owner.pid} "):
            RunDirectory(tmp_path).own()
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
    assert (tmp_path / "lock").exists()
    with RunDirectory(tmp_path):
        pass


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(CheckpointError, match=r"Cannot keep checkpoints in .*(File exists|Not a directory)"):
            RunDirectory(path).own()


@pytest.mark.parametrize("call", ["mkdir", "open", "ftruncate"])
@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_place_that_cannot_be_written_is_refused(
    call: str, error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "mkdir") if call == "mkdir" else (os, call)), refuse)
        with pytest.raises(CheckpointError) as caught:
            RunDirectory(tmp_path / "run").own()
    assert str(caught.value) == f"Cannot keep checkpoints in {tmp_path / 'run'}: {os.strerror(error)}."
    with RunDirectory(tmp_path / "run"):
        pass


def test_no_failing_call_costs_the_checkpoints_there_are(tmp_path: Path) -> None:
    """Whichever call fails, it is an error, and what is read afterwards is the old checkpoint, or the new one whole."""
    with RunDirectory(tmp_path / "done") as run:
        write(run, 1)
        made = calls(lambda: write(run, 2))
    assert set(made) == {"create_file", "make_folder", "write", "flush", "rename"}
    for at in range(1, len(made) + 1):
        for error in ERRORS:
            with RunDirectory(tmp_path / f"{at}-{error}") as run:
                old = write(run, 1)
                with failing(at, error), pytest.raises(OSError, match=os.strerror(error)):
                    write(run, 2)
                found = run.newest()
                assert found is not None
                assert found.state["number"] == (2 if at == len(made) else 1)
                assert old.exists()
                assert not [name for name in names(run) if name.endswith(".tmp")]
                write(run, 3)
                after = run.newest()
                assert after is not None
                assert after.state["number"] == 3


def test_an_old_checkpoint_that_stays_is_said(tmp_path: Path) -> None:
    with RunDirectory(tmp_path) as run:
        write(run, 1)
        made = calls(lambda: write(run, 2))
        with failing(len(made) + 1, ERRORS[1]), pytest.warns(CheckpointWarning, match="could not be removed: .*000001"):
            write(run, 3)
        assert list(run.checkpoints()) == [1, 2, 3]
