"""A disk that fails: one chosen call of the system that writing takes raises an error."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from gatewise import disk

CALLS = ("create_file", "make_folder", "write", "flush", "rename")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)


@contextmanager
def failing(at: int, error: int) -> Iterator[list[str]]:
    """Within, call number `at` (from 1; 0 for none) raises; yields the names of the calls that were made.

    A write that fails has written half of its bytes by then, as on a disk that becomes full.
    """
    made: list[str] = []

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any) -> Any:
            made.append(name)
            if len(made) != at:
                return call(*args)
            if name == "write":
                content = memoryview(args[1])
                os.write(args[0], content[: len(content) // 2])
            raise OSError(error, os.strerror(error))

        return wrapped

    with mock.patch.multiple(disk, **{name: counted(name, getattr(disk, name)) for name in CALLS}):
        yield made


def calls(action: Callable[[], Any]) -> list[str]:
    """The names of the calls that an action makes on a disk that does not fail."""
    with failing(0, 0) as made:
        action()
    return made
