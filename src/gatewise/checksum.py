"""SHA-256 of what is written, by which damage and changes are found."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def sha256(content: bytes) -> str:
    """The SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def json_sha256(value: Mapping[str, Any]) -> str:
    """The SHA-256 of a mapping of JSON types, whatever the order and layout it is written in.

    >>> json_sha256({"a": 1, "b": 0.1}) == json_sha256({"b": 0.1, "a": 1})
    True
    """
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def names_sha256(folder: Path) -> str:
    """The SHA-256 of the names of all files in a folder, at any depth; of what is in them it says nothing."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sha256("\n".join(names).encode(errors="surrogateescape"))


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, read a piece at a time."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
