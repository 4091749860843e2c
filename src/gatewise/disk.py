"""Files and folders that are there whole or not at all, whatever ends the process: a signal, a full disk, the power.

Each is written under another name beside its place, flushed to the disk and renamed; then the folder above is flushed,
since a rename lives there. What fails leaves what was there before. Every call of the system that can fail is one of
the functions at the top, so that tests can make any of them fail.
"""

import io
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

SUFFIX = ".tmp"  # of the names under which things are written; they begin with a dot
MOST_OF_A_NAME = 200  # characters of the goal's name that are in them: systems allow 255 bytes


def create_file(path: Path) -> int:
    """Make a file, which must not be there, with the permissions that any new file gets; a descriptor to write it."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def make_folder(path: Path) -> None:
    """Make a folder, which must not be there."""
    path.mkdir()


def write(descriptor: int, content: bytes | memoryview) -> None:
    """Write all of it."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def flush(descriptor: int) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk."""
    os.fsync(descriptor)


def rename(old: Path, new: Path) -> None:
    """Rename in one step; an existing file or empty folder is replaced."""
    os.replace(old, new)


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it; it is gone under its name before the first file is."""
    aside = _temporary(path)
    rename(path, aside)
    shutil.rmtree(aside)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes its place under `path` on leaving; where that raises, nothing has changed.

    Raises:
        OSError: it cannot be written.
    """
    temporary = _temporary(path)
    descriptor = create_file(temporary)
    try:
        try:
            with io.BufferedWriter(_Sink(descriptor)) as sink:
                yield sink
            flush(descriptor)
        finally:
            os.close(descriptor)
        rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    flush_folder(path.parent)


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what was there. Raises `OSError`."""
    with new_file(path) as sink:
        sink.write(content)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files whole; it takes the place of one that is there, or leaves that as it was.

    Raises:
        OSError: it cannot be written.
    """
    temporary = _temporary(path)
    make_folder(temporary)
    try:
        for name, content in files.items():
            descriptor = create_file(temporary / name)
            try:
                write(descriptor, content)
                flush(descriptor)
            finally:
                os.close(descriptor)
        flush_folder(temporary)
        _put_in_place(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    flush_folder(path.parent)


def flush_folder(path: Path) -> None:
    """Make a folder's entries durable; without this a crash may forget a rename."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flush(descriptor)
    finally:
        os.close(descriptor)


def is_temporary(path: Path) -> bool:
    """Whether something has a name under which it was still being written."""
    return path.name.startswith(".") and path.name.endswith(SUFFIX)


def _temporary(path: Path) -> Path:
    # Beside its goal and so on the same file system, where a rename is one step.
    return path.with_name(f".{path.name[:MOST_OF_A_NAME]}.{secrets.token_hex(4)}{SUFFIX}")


def _put_in_place(temporary: Path, folder: Path) -> None:
    if not folder.exists() or not any(folder.iterdir()):
        rename(temporary, folder)  # an empty folder may be replaced in one step
        return
    aside = _temporary(folder)
    rename(folder, aside)
    try:
        rename(temporary, folder)
    except BaseException:
        os.replace(aside, folder)
        raise
    shutil.rmtree(aside)


class _Sink(io.RawIOBase):
    """A descriptor as a stream that writes by `write`; closing the stream leaves the descriptor open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        view = memoryview(content).cast("B")
        write(self._descriptor, view)
        return len(view)
