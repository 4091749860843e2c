"""JSON files that say what they are and hold the SHA-256 of what they say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewise.checksum import json_sha256
from gatewise.errors import CheckpointError
from gatewise.version import __version__

KEYS = {"format": int, "kind": str, "gatewise": str, "sha256": str, "content": dict}


def seal(kind: str, format: int, content: Mapping[str, Any]) -> bytes:
    """A file of a kind, in a numbered format, with this content of JSON types."""
    said = {"gatewise": __version__, "content": content}
    head = {"format": format, "kind": kind, "sha256": json_sha256(said), **said}
    return (json.dumps(head, indent=1, allow_nan=False) + "\n").encode()


def unseal(path: Path, text: bytes, kind: str, format: int) -> dict[str, Any]:
    """The content of a sealed file; `path` is where it came from.

    Raises:
        CheckpointError: it is truncated or altered, of another kind, or of a newer format.

    >>> unseal(Path("note.json"), seal("note", 1, {"for": "you"}), "note", 1)
    {'for': 'you'}
    """
    try:
        head = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{path} ({len(text)} bytes) is truncated or altered: not JSON ({error})") from error
    if not isinstance(head, dict) or head.get("kind") != kind:
        raise CheckpointError(f'{path} is not of a {kind}: it has no "kind" that says so')
    number = head.get("format")
    if isinstance(number, int) and not isinstance(number, bool) and number > format:
        raise CheckpointError(
            f"{path} has format {number}, written by gatewise {head.get('gatewise')}; this version ({__version__}) "
            f"reads up to format {format}: upgrade gatewise"
        )
    if head.keys() != KEYS.keys() or number != format or not all(isinstance(head[k], t) for k, t in KEYS.items()):
        raise CheckpointError(f"{path} was altered: its keys are not those of format {format}")
    if json_sha256({name: head[name] for name in ("gatewise", "content")}) != head["sha256"]:
        raise CheckpointError(f"{path} is truncated or altered: its content has not the sha256 it was written with")
    return head["content"]
