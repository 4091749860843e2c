"""The folder of a run: its checkpoints, its log, and the lock of the one process that owns it."""

import json
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from gatewise import disk
from gatewise.errors import CheckpointError, CheckpointWarning
from gatewise.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from gatewise.training.lock import NAME as LOCK
from gatewise.training.lock import Lock

LOG = "log.jsonl"
CHECKPOINT = re.compile(r"checkpoint-(\d{6,})")


class RunDirectory:
    """A run's folder, owned from `own` to `release`, or while entered."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = Lock(self.path)
        self._unread: set[int] = set()  # checkpoints that could not be read

    def own(self) -> Self:
        """Make the folder where there is none, lock it, and clear away what a killed process was writing.

        Raises:
            CheckpointError: it cannot be made or written, or belongs to another process.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"Cannot keep checkpoints in {self.path}: {error.strerror}.") from error
        self._lock.acquire()
        try:
            for entry in self.path.iterdir():
                if disk.is_temporary(entry):
                    _remove(entry)
        except OSError as error:
            self._lock.release()
            raise CheckpointError(f"Cannot clear {error.filename} away: {error.strerror}.") from error
        return self

    def release(self) -> None:
        """Give the folder back."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self.own()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def checkpoints(self) -> dict[int, Path]:
        """The checkpoints by number, whole or damaged, the oldest first."""
        found = {}
        for entry in self.path.iterdir():
            if match := CHECKPOINT.fullmatch(entry.name):
                found[int(match[1])] = entry
        return dict(sorted(found.items()))

    def newest(self) -> Checkpoint | None:
        """The newest good checkpoint, with a `CheckpointWarning` where newer ones are not good; None without any.

        Raises:
            CheckpointError: there are checkpoints, and none is good.
        """
        wrong: list[str] = []
        for number, path in reversed(self.checkpoints().items()):
            try:
                found = read_checkpoint(path)
            except CheckpointError as error:
                wrong.append(str(error))
                self._unread.add(number)
                continue
            if wrong:
                text = f"{'. '.join(wrong)}. Taken is the newest good checkpoint instead, {path.name}."
                warnings.warn(text, CheckpointWarning, stacklevel=2)
            return found
        if wrong:
            raise CheckpointError(
                f"{'. '.join(wrong)}. There is no other checkpoint in {self.path}: copy the folder again, or train "
                "into another one."
            )
        return None

    def write(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor], keep: int) -> Path:
        """Write the next checkpoint, then remove all but the newest `keep`; what could not be read is left alone.

        Raises:
            OSError: the disk refuses; the checkpoints there are stay.
        """
        there = self.checkpoints()
        number = max(there, default=0) + 1
        path = self.path / f"checkpoint-{number:06d}"
        write_checkpoint(path, state, tensors)
        readable = [n for n in there if n not in self._unread]
        for old in readable[: max(len(readable) + 1 - keep, 0)]:
            try:
                disk.remove_folder(there[old])
            except OSError as error:
                text = f"An old checkpoint could not be removed: {there[old]}: {error.strerror}."
                warnings.warn(text, CheckpointWarning, stacklevel=2)
        return path

    def write_log(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the whole log: one JSON line an epoch. Raises `OSError`."""
        disk.write_file(self.path / LOG, "".join(map(_line, rows)).encode())

    def append_log(self, row: Mapping[str, Any]) -> None:
        """Add a line to the log. Raises `OSError`."""
        descriptor = os.open(self.path / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            disk.write(descriptor, _line(row).encode())
        finally:
            os.close(descriptor)

    def discard(self, *others: str) -> None:
        """Remove what is the run's (and the files called `others`), and the folder if nothing else is in it.

        Raises:
            OSError: something cannot be removed.
        """
        for path in self.checkpoints().values():
            disk.remove_folder(path)
        for name in (LOG, *others, LOCK):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):  # something of someone else's is in it
            self.path.rmdir()


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
