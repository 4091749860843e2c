"""A fingerprint of data: equal for equal data, and for no others."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from gatewise.data.blocks import blocks

AT_ONCE = 1 << 20  # elements of an array that is not contiguous, so that no second copy of it is made


def fingerprint(value: Any) -> str:
    """The SHA-256 of all that a value holds: arrays, text, numbers, None, in mappings, sequences and dataclasses.

    >>> same = fingerprint({"x": np.arange(3.0)}) == fingerprint({"x": np.arange(6.0)[::2] / 2})
    >>> same, fingerprint(np.arange(3)) == fingerprint(np.arange(3.0))
    (True, False)
    """
    digest = hashlib.sha256()
    _add(digest, value)
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    """Takes a value in, with its kind and length before it, so that no two values give the same bytes."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        _mark(digest, f"array {value.dtype.str} {value.shape}")
        if value.flags.c_contiguous:
            digest.update(_bytes(value))
        else:
            for part in blocks(0, len(value), AT_ONCE):
                digest.update(_bytes(np.ascontiguousarray(value[part])))
    elif is_dataclass(value) and not isinstance(value, type):
        _add(digest, {field.name: getattr(value, field.name) for field in fields(value)})
    elif isinstance(value, Mapping):
        _mark(digest, f"mapping {len(value)}")
        for name, part in value.items():
            _add(digest, name)
            _add(digest, part)
    elif isinstance(value, list | tuple | np.ndarray):
        _mark(digest, f"sequence {len(value)}")
        for part in value:
            _add(digest, part)
    elif value is None or isinstance(value, str | int | float | np.generic):
        _mark(digest, f"{type(value).__name__} {value}")
    else:
        raise TypeError(f"no fingerprint is defined of the type {type(value).__name__}")


def _mark(digest: Any, text: str) -> None:
    content = text.encode(errors="surrogatepass")
    digest.update(f"{len(content)}:".encode() + content)


def _bytes(array: np.ndarray) -> Any:
    return array.reshape(-1).view(np.uint8).data  # no copy; of any kind of element
