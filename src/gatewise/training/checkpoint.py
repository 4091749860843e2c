"""One checkpoint on the disk: a folder of two files, JSON for numbers and words, safetensors for tensors."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gatewise import disk
from gatewise.checksum import json_sha256, sha256
from gatewise.errors import CheckpointError
from gatewise.version import __version__

FORMAT = 1
KIND = "training checkpoint"  # what tells it from other folders of JSON and safetensors
STATE, TENSORS = "state.json", "tensors.safetensors"
HEAD = {"format": int, "kind": str, "gatewise": str, "sha256": dict, "state": dict}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as read and checked.

    Attributes:
        path: where it is.
        state: of JSON types.
        tensors: name -> tensor, on the CPU.
    """

    path: Path
    state: dict[str, Any] = field(repr=False)
    tensors: dict[str, Tensor] = field(repr=False)


def write_checkpoint(path: Path, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint under a free name, whole or not at all.

    Raises:
        OSError: the disk refuses.
    """
    # A tensor of its own each: safetensors refuses those that share memory.
    content = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
    head = {
        "format": FORMAT,
        "kind": KIND,
        "gatewise": __version__,
        "sha256": {TENSORS: sha256(content), "state": json_sha256(state)},
        "state": state,
    }
    text = json.dumps(head, indent=1, allow_nan=False) + "\n"
    disk.write_folder(path, {TENSORS: content, STATE: text.encode()})


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint and check that it is whole.

    Raises:
        CheckpointError: a file missing, truncated or altered, no checkpoint at all, or one of a newer format.
    """
    folder = Path(path)
    missing = [name for name in (STATE, TENSORS) if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{folder} is not a whole checkpoint: {' and '.join(missing)} missing")
    try:
        text, content = (folder / STATE).read_bytes(), (folder / TENSORS).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{error.filename} cannot be read: {error.strerror}") from error
    head = _head(folder / STATE, text)
    if sha256(content) != head["sha256"].get(TENSORS):
        raise CheckpointError(
            f"{folder / TENSORS} ({len(content)} bytes) is truncated or altered: its sha256 is not {STATE}'s"
        )
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise CheckpointError(f"{folder / TENSORS} is not a safetensors file: {error}") from error
    return Checkpoint(folder, head["state"], tensors)


def _head(path: Path, text: bytes) -> dict[str, Any]:
    try:
        head = json.loads(text)
    except ValueError as error:
        raise CheckpointError(
            f"{path} ({len(text)} bytes) is truncated or altered: not valid JSON ({error})"
        ) from error
    if not isinstance(head, dict) or head.get("kind") != KIND:
        raise CheckpointError(f'{path} is not of a checkpoint: it has no "kind" that says "{KIND}"')
    number = head.get("format")
    if isinstance(number, int) and not isinstance(number, bool) and number > FORMAT:
        raise CheckpointError(
            f"{path} has format {number}, written by gatewise {head.get('gatewise')}; this version ({__version__}) "
            f"reads up to format {FORMAT}: upgrade gatewise"
        )
    if head.keys() != HEAD.keys() or number != FORMAT or not all(isinstance(head[k], t) for k, t in HEAD.items()):
        raise CheckpointError(f"{path} was altered: its keys are not those of format {FORMAT}")
    if json_sha256(head["state"]) != head["sha256"].get("state"):
        raise CheckpointError(f"{path} is truncated or altered: its state does not have the sha256 it was written with")
    return head
