"""The bytes of a file, with a word on what is wrong where there are none."""

from pathlib import Path

from gatewise.errors import DataError, nearest

MOST_BYTES = 64 * 1024 * 1024  # ink of a page is below one


def read_content(path: Path, what: str) -> bytes:
    """The bytes of a file.

    Args:
        path: of the file.
        what: what is expected of it, for messages.

    Raises:
        DataError: it is missing, a folder, empty, or larger than 64 MiB.
    """
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "is no file"
        near = (
            nearest(path.name, (entry.name for entry in path.parent.iterdir() if entry.suffix == path.suffix))
            if path.parent.is_dir()
            else "its folder does not exist"
        )
        raise DataError(f'"{path}" {found}: expected {what}; {near}')
    size = path.stat().st_size
    if size == 0:
        raise DataError(f'"{path}" is empty (0 bytes): expected {what}')
    if size > MOST_BYTES:
        raise DataError(f'"{path}" has {size:,} bytes: expected {what} of at most {MOST_BYTES:,}')
    return path.read_bytes()
