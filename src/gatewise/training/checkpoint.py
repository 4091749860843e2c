"""One checkpoint on the disk: a folder of two files, JSON for numbers and words, safetensors for tensors."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gatewise import disk
from gatewise.checksum import sha256
from gatewise.errors import CheckpointError
from gatewise.sealed import seal, unseal

FORMAT = 1
KIND = "training checkpoint"
STATE, TENSORS = "state.json", "tensors.safetensors"


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
    head = seal(KIND, FORMAT, {"state": state, "sha256": {TENSORS: sha256(content)}})
    disk.write_folder(path, {TENSORS: content, STATE: head})


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
    head = unseal(folder / STATE, text, KIND, FORMAT)
    if head.keys() != {"state", "sha256"} or head["sha256"] != {TENSORS: sha256(content)}:
        raise CheckpointError(
            f"{folder / TENSORS} ({len(content)} bytes) is truncated or altered: its sha256 is not {STATE}'s"
        )
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise CheckpointError(f"{folder / TENSORS} is not a safetensors file: {error}") from error
    return Checkpoint(folder, head["state"], tensors)
