"""A checkpoint comes back as written, and every damage to it is one clear message."""

import json
from pathlib import Path

import pytest
import torch

from gatewise.errors import CheckpointError
from gatewise.sealed import seal
from gatewise.training.checkpoint import KIND, STATE, TENSORS, read_checkpoint, write_checkpoint

TENSOR = torch.arange(6.0).reshape(2, 3)
WRITTEN = {"weight": TENSOR, "same": TENSOR, "turned": TENSOR.T, "seed": torch.get_rng_state(), "none": torch.zeros(0)}


def written(path: Path) -> Path:
    write_checkpoint(path, {"seconds": 0.1 + 0.2, "epoch": 3}, WRITTEN)
    return path


def test_it_comes_back_bit_for_bit(tmp_path: Path) -> None:
    found = read_checkpoint(written(tmp_path / "checkpoint"))
    assert found.state == {"seconds": 0.1 + 0.2, "epoch": 3}
    assert found.tensors.keys() == WRITTEN.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in WRITTEN.items())
    assert sorted(p.name for p in found.path.iterdir()) == [STATE, TENSORS]


@pytest.mark.parametrize("name", [STATE, TENSORS])
def test_truncated_or_altered_anywhere(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "checkpoint")
    whole = (path / name).read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 2):
        (path / name).write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=rf"{name} .*truncated or altered"):
            read_checkpoint(path)
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        (path / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        if json_equal(whole, (path / name).read_bytes()):
            continue  # layout, not content
        with pytest.raises(CheckpointError, match=rf"{name}"):
            read_checkpoint(path)


def json_equal(first: bytes, second: bytes) -> bool:
    try:
        return json.loads(first) == json.loads(second)
    except ValueError:
        return False


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "checkpoint")
    (path / TENSORS).unlink()
    with pytest.raises(CheckpointError, match=f"not a whole checkpoint: {TENSORS} missing"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError, match=f"{STATE} and {TENSORS} missing"):
        read_checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (seal(KIND, 2, {}), r"has format 2, written by gatewise .*: upgrade gatewise"),
        (seal("training run", 1, {}), 'has no "kind" that says so|not of a training checkpoint'),
        (b'{"hidden_size": 3}', "not of a training checkpoint"),
        (b"[]", "not of a training checkpoint"),
        (b'{"kind": "training checkpoint", "format": 1}', "its keys are not those of format 1"),
        (seal(KIND, 0, {}), "its keys are not those of format 1"),
        (seal(KIND, 1, {"state": {}}), "tensors.safetensors .* is truncated or altered"),
    ],
)
def test_foreign_and_newer_ones_are_refused(tmp_path: Path, head: bytes, message: str) -> None:
    path = written(tmp_path / "checkpoint")
    (path / STATE).write_bytes(head)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)
