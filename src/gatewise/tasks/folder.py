"""The model folder: what a trained model is on disk.

A folder holds `model.safetensors` (weights), `config.json` (everything needed to rebuild the model), `metrics.json`
and `README.md` (the model card), and what a task adds, for instance a resolved configuration. Nothing in it is code,
nothing names code, nothing is pickled. A folder appears whole under its name or not at all.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from gatewise import disk
from gatewise.checksum import json_sha256, sha256
from gatewise.errors import ModelFolderError
from gatewise.version import __version__

FORMAT = 1
WEIGHTS, CONFIG, METRICS, CARD = "model.safetensors", "config.json", "metrics.json", "README.md"
FILES = (WEIGHTS, CONFIG, METRICS, CARD)
CONFIG_KEYS = ("format", "task", "gatewise", "sha256", "config")


@dataclass(frozen=True)
class ModelFolder:
    """A model folder as read and checked.

    Attributes:
        path: where it is.
        task: the task's name, for example "classify".
        weights: name -> tensor, on the CPU.
        config: the task's own configuration, of JSON types.
        metrics: the task's metrics, of JSON types.
        version: the gatewise version that wrote it.
    """

    path: Path
    task: str
    weights: dict[str, Tensor] = field(repr=False)
    config: dict[str, Any] = field(repr=False)
    metrics: dict[str, Any] = field(repr=False)
    version: str


def write_folder(
    path: str | os.PathLike[str],
    *,
    task: str,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    card: str,
    overwrite: bool = False,
    extra: Mapping[str, bytes | str] | None = None,
) -> Path:
    """Write a model folder, whole under its name or not at all.

    Args:
        path: the folder to make; its parent is made as well.
        task: the task's name.
        weights: name -> tensor.
        config: the task's configuration; JSON types and NumPy numbers.
        metrics: the task's metrics; JSON types and NumPy numbers.
        card: the text of `README.md`.
        overwrite: replace an existing model folder. Anything else that exists under that name is never touched.
        extra: further files, name -> content.

    Returns:
        The folder's path.

    Raises:
        ModelFolderError: the name is taken, or the parent is not a folder.
        OSError: the disk refuses, for instance because it is full; what was there before still is.
    """
    folder = Path(path)
    check_writable(folder, overwrite=overwrite)
    weights_bytes = save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
    metrics_bytes = _json(metrics)
    files: dict[str, bytes] = {
        WEIGHTS: weights_bytes,
        METRICS: metrics_bytes,
        CONFIG: _json(
            {
                "format": FORMAT,
                "task": task,
                "gatewise": __version__,
                "sha256": {
                    WEIGHTS: sha256(weights_bytes),
                    METRICS: sha256(metrics_bytes),
                    CONFIG: json_sha256(json.loads(_json(config))),
                },
                "config": config,
            }
        ),
        CARD: card.encode(),
    }
    for name, content in (extra or {}).items():
        if name in files or Path(name).name != name:
            raise ModelFolderError(f'"{name}" cannot be an extra file of a model folder: give a plain, free file name.')
        files[name] = content.encode() if isinstance(content, str) else content

    folder.parent.mkdir(parents=True, exist_ok=True)
    disk.write_folder(folder, files)
    return folder


def check_writable(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Whether `write_folder` may write here; asked before a long training, so that its result is not lost.

    Raises:
        ModelFolderError: the name is taken, or the parent is not a folder.
    """
    folder = Path(path)
    for parent in folder.absolute().parents:
        if parent.exists():
            if not parent.is_dir():
                raise ModelFolderError(f"Cannot write a model folder to {folder}: {parent} is not a folder.")
            break
    if not (folder.exists() or folder.is_symlink()):
        return
    if folder.is_dir() and not folder.is_symlink():
        if not any(folder.iterdir()):
            return
        if is_model_folder(folder):
            if overwrite:
                return
            raise ModelFolderError(
                f"{folder} already holds a trained model. Choose another folder, or overwrite it (--overwrite; in "
                "Python overwrite=True)."
            )
    raise ModelFolderError(
        f"{folder} exists and is not a gatewise model folder, so it is not replaced. Choose another folder."
    )


def is_model_folder(path: str | os.PathLike[str]) -> bool:
    """Whether the folder was written by `write_folder`, whole or damaged: its `config.json` says so."""
    try:
        config = json.loads((Path(path) / CONFIG).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and {"format", "task", "gatewise"} <= config.keys()


def read_folder(path: str | os.PathLike[str]) -> ModelFolder:
    """Read a model folder and check that it is whole.

    Raises:
        ModelFolderError: not a folder, a file missing, truncated or altered, a newer format, or unknown keys.
    """
    folder = Path(path)
    if not folder.exists():
        raise ModelFolderError(f"There is no model folder {folder}. Check the path, or train a model into it first.")
    if not folder.is_dir():
        raise ModelFolderError(f"{folder} is a file; expected a model folder, which holds {', '.join(FILES)}.")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ModelFolderError(
            f"{folder} is not a whole model folder: {', '.join(missing)} missing. "
            "Copy the folder again with all its files, or train again."
        )
    head = _read_object(folder / CONFIG)
    _check_head(folder, head)
    if json_sha256(head["config"]) != head["sha256"].get(CONFIG):
        raise ModelFolderError(
            f'{folder / CONFIG} is truncated or altered: what it holds under "config" does not have the sha256 it was '
            "written with. Copy the folder again, or train again."
        )
    contents = {name: (folder / name).read_bytes() for name in (WEIGHTS, METRICS)}
    for name, content in contents.items():
        if sha256(content) != head["sha256"].get(name):
            raise ModelFolderError(
                f"{folder / name} ({len(content)} bytes) is truncated or altered: its sha256 is not {CONFIG}'s. "
                "Copy the folder again, or train again."
            )
    try:
        weights = load_tensors(contents[WEIGHTS])
    except SafetensorError as error:
        raise ModelFolderError(f"{folder / WEIGHTS} is not a safetensors file: {error}.") from error
    return ModelFolder(folder, head["task"], weights, head["config"], _read_object(folder / METRICS), head["gatewise"])


def check_weights(folder: ModelFolder, expected: Mapping[str, Tensor]) -> None:
    """That the folder's weights have the names and shapes of the module rebuilt from its configuration.

    Raises:
        ModelFolderError: a weight missing, unexpected, or of another shape than the configuration makes it.
    """
    found = {name: tuple(tensor.shape) for name, tensor in folder.weights.items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise ModelFolderError(
                f"{folder.path / WEIGHTS} does not fit {CONFIG}: weight {name} has shape {found.get(name, 'none')}, "
                f"expected {wanted.get(name, 'none')}. One of the two was altered; copy the folder again."
            )


def check_sizes(folder: ModelFolder, sizes: Mapping[str, tuple[int, int]]) -> None:
    """That what the configuration says of sizes (name -> given, wanted) is what its other parts and the weights say.

    Asked before anything is made of such a size, which may be too large for any machine once it was altered.

    Raises:
        ModelFolderError: two of them differ.
    """
    for name, (given, wanted) in sizes.items():
        if given != wanted:
            raise ModelFolderError(
                f"{folder.path / CONFIG} was altered: it has {given} {name}, where its other parts and the weights "
                f"have {wanted}. Copy the folder again, or train again."
            )


def weight_numbers(folder: ModelFolder, prefix: str) -> int:
    """How many different numbers follow `prefix` in the names of the weights."""
    found = (re.match(r"\d+", name[len(prefix) :]) for name in folder.weights if name.startswith(prefix))
    return len({match[0] for match in found if match})


def weight_shape(folder: ModelFolder, name: str) -> tuple[int, ...]:
    """The shape of a weight, of one dimension at least. Raises `ModelFolderError` if it is missing."""
    shape = tuple(folder.weights[name].shape) if name in folder.weights else ()
    if not shape:
        raise ModelFolderError(f"{folder.path / WEIGHTS} lacks the weight {name}. Copy the folder again.")
    return shape


def _check_head(folder: Path, head: dict[str, Any]) -> None:
    where = folder / CONFIG
    number = head.get("format")
    if isinstance(number, bool) or not isinstance(number, int):
        raise ModelFolderError(f'{where} is not of a gatewise model: "format" is {number!r}, expected a whole number.')
    if number > FORMAT:
        raise ModelFolderError(
            f"{where} has format {number}, written by gatewise {head.get('gatewise')}; this version ({__version__}) "
            f"reads up to format {FORMAT}. Upgrade gatewise to load this model."
        )
    unknown, missing = sorted(head.keys() - set(CONFIG_KEYS)), sorted(set(CONFIG_KEYS) - head.keys())
    if number < 1 or unknown or missing:
        wrong = [f"unknown key {name}" for name in unknown] + [f"missing key {name}" for name in missing]
        raise ModelFolderError(f"{where} was altered: {', '.join(wrong) or f'format {number}'}. Copy the folder again.")
    for name, kind in (("task", str), ("gatewise", str), ("sha256", dict), ("config", dict)):
        if not isinstance(head[name], kind):
            raise ModelFolderError(f'{where} was altered: "{name}" is not of type {kind.__name__}.')


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise ModelFolderError(f"{path} is truncated or altered: not valid JSON ({error}). Copy it again.") from error
    if not isinstance(value, dict):
        raise ModelFolderError(f"{path} was altered: expected a JSON object, found {type(value).__name__}.")
    return value


def _json(value: object) -> bytes:
    # NaN is not JSON, and would be read back by no other program: a caller must say null instead.
    return (json.dumps(value, indent=2, default=_plain, allow_nan=False) + "\n").encode()


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, torch.dtype | Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong into a JSON file")
