"""A generator in its model folder, and back."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from gatewise.errors import CellError, ConfigurationError, DataError, ModelFolderError
from gatewise.tasks.folder import (
    ModelFolder,
    check_sizes,
    check_weights,
    read_folder,
    weight_shape,
    write_folder,
)
from gatewise.tasks.generation.card import model_card
from gatewise.tasks.generation.config import GeneratorConfig
from gatewise.tasks.generation.fitting import make_network
from gatewise.tasks.generation.parameters import STRUCTURE, check_parameters
from gatewise.tasks.generation.symbols import symbols_of
from gatewise.tasks.structure import structure

if TYPE_CHECKING:
    from gatewise.tasks.generation.generator import Generator

    Model = TypeVar("Model", bound=Generator)

TASK = "generate"


def save_generator(
    model: "Generator",
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
    metrics: Mapping[str, Any] | None,
    extra: Mapping[str, bytes | str] | None,
) -> Path:
    """Write the model folder of a fitted generator."""
    config = {
        "parameters": model.get_params(deep=False),
        "kind": model.symbols_.kind,
        "symbols": model.symbols_.to_dict(),
        "frequencies": model.frequencies_.tolist(),
        "trained_on": model.trained_on_,
        "notes": list(model.notes_),
        "history": model.history_,
        "validation": model.validation_,
        "interrupted": model.interrupted_,
    }
    scores = {**({"validation": model.validation_} if model.validation_ else {}), **(metrics or {})}
    return write_folder(
        path,
        task=TASK,
        weights=model.network_.state_dict(),
        config=config,
        metrics=scores,
        card=model_card(model, scores),
        overwrite=overwrite,
        extra=extra,
    )


def load_generator(kind: "type[Model]", source: str | os.PathLike[str] | ModelFolder) -> "Model":
    """The generator in a model folder, on the CPU if its device is not there."""
    folder = source if isinstance(source, ModelFolder) else read_folder(source)
    if folder.task != TASK:
        raise ModelFolderError(f'{folder.path} holds a model of the task "{folder.task}", expected "{TASK}"')
    config = GeneratorConfig.read(folder)
    where = folder.path / "config.json"
    wrong = sorted(config.parameters.keys() ^ kind().get_params(deep=False).keys())
    if wrong:
        raise ModelFolderError(
            f"{where} does not fit this version: the parameters {', '.join(wrong)} are unknown or missing. Copy the "
            "folder again, or train again."
        )
    model = kind(**config.parameters)
    try:
        check_parameters(model, device=False)
        model.symbols_ = symbols_of(config.kind, config.symbols)
    except (CellError, ConfigurationError, DataError) as error:
        raise ModelFolderError(f"{where} was altered: {error}") from error
    if (config.kind == "events") != (model.unit == "events"):
        raise ModelFolderError(f'{where} was altered: it writes {config.kind}, but unit is "{model.unit}".')
    outputs, width = weight_shape(folder, "linear.weight")
    joint = model.joint_units if model.unit == "events" else 0
    layers = {name.rpartition("_l")[2] for name in folder.weights if name.startswith("rnn.")}
    sizes = {
        "symbols and joint units": (model.symbols_.size + joint, outputs),
        "frequencies": (len(config.frequencies), model.symbols_.size),
        "layers": (model.num_layers, len(layers)),
    }
    if model.cell != "lstmp":  # whose outputs are a projection
        sizes["hidden units"] = (model.hidden_size, width)
    check_sizes(folder, sizes)
    model.frequencies_ = np.asarray(config.frequencies)
    network = make_network(model)
    check_weights(folder, network.state_dict())
    network.load_state_dict(folder.weights)
    model.network_ = network.to(model.device if torch.cuda.is_available() else "cpu").eval()
    model.trained_on_ = config.trained_on
    model.notes_, model.validation_ = tuple(config.notes), config.validation
    model.history_, model.interrupted_ = config.history, config.interrupted
    model.structure_ = structure(model, STRUCTURE)
    return model
