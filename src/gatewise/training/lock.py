"""One owner of a folder at a time, by a lock that ends with its process."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from gatewise.errors import CheckpointError

NAME = "lock"


class Lock:
    """Owns a folder from `acquire` to `release`, or while entered.

    The lock is the kernel's (flock on the file `lock`): it ends when its process does, however that ends, so that a
    file left behind stops nobody. What the file holds only says who it was.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def acquire(self) -> Self:
        """Take the lock, or say who has it.

        Raises:
            CheckpointError: another process (or another fit in this one) owns the folder, or it cannot be written.
        """
        import fcntl  # of POSIX alone; only who keeps checkpoints needs it

        path = self._folder / NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise CheckpointError(f"Cannot keep checkpoints in {self._folder}: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(descriptor, 100).decode(errors="replace").strip()
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise CheckpointError(f"Cannot lock {path}: {error.strerror}.") from error
            raise CheckpointError(
                f"{self._folder} is in use by {owner or 'another process'}: a run has one owner at a time. Wait for it "
                "to end, or stop it; or train into another folder."
            ) from error
        # Whoever owned the folder before may have removed it between the two calls.
        if not path.exists() or not os.path.samestat(os.fstat(descriptor), path.stat()):
            os.close(descriptor)
            raise CheckpointError(f"{self._folder} was removed by its owner just now; try again.")
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} of {os.uname().nodename}\n".encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise CheckpointError(f"Cannot keep checkpoints in {self._folder}: {error.strerror}.") from error
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Give the folder back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self if self._descriptor is not None else self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
