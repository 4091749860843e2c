"""Weights on disk: safetensors files that are either whole or not there."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    """A detached copy of the module's state: name -> tensor, in the order of `state_dict`."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


@torch.no_grad()
def restore(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy a snapshot back into the module it was taken from."""
    for name, tensor in module.state_dict().items():
        tensor.copy_(weights[name])


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: a temporary name in the same folder, flushed to the disk, then renamed."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes a private file; a checkpoint is an ordinary one
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_checkpoint(path: Path, weights: Mapping[str, Tensor], *, epoch: int, metrics: Mapping[str, float]) -> None:
    """Write weights atomically as safetensors, with the epoch and its metrics (as JSON) in the file's metadata."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    metadata = {"format": "1", "epoch": str(epoch), "metrics": json.dumps(dict(metrics))}
    write_bytes(path, save(tensors, metadata=metadata))
