"""A transcriber in its model folder, and back."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from gatewise.data import Standardizer
from gatewise.data.text import Vocabulary
from gatewise.errors import ConfigurationError, DataError, ModelFolderError
from gatewise.tasks.folder import (
    ModelFolder,
    check_sizes,
    check_weights,
    read_folder,
    weight_numbers,
    weight_shape,
    write_folder,
)
from gatewise.tasks.structure import structure
from gatewise.tasks.transcription.backbones import SUBSAMPLINGS, backbone
from gatewise.tasks.transcription.card import model_card
from gatewise.tasks.transcription.config import TranscriberConfig
from gatewise.tasks.transcription.frontends import front_end
from gatewise.tasks.transcription.networks import Network, network_of
from gatewise.tasks.transcription.parameters import STRUCTURE, check_parameters

if TYPE_CHECKING:
    from gatewise.tasks.transcription.transcriber import Transcriber

    Model = TypeVar("Model", bound=Transcriber)

TASK = "transcribe"

ADDED: Mapping[str, Any] = {"batch_frames": None}  # parameters that folders of before do not have


def save_transcriber(
    model: "Transcriber",
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
    metrics: Mapping[str, Any] | None,
    extra: Mapping[str, bytes | str] | None,
) -> Path:
    """Write the model folder of a fitted transcriber."""
    config = {
        "parameters": model.get_params(deep=False),
        "backbone": model.backbone_,
        "subsampling": model.subsampling_,
        "inputs": model.front_end_.kind,
        "front_end": model.front_end_.to_dict(),
        "vocabulary": model.vocabulary_.to_dict(),
        "mean": model.scaler_.mean.tolist(),
        "scale": model.scaler_.scale.tolist(),
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


def load_transcriber(kind: "type[Model]", source: str | os.PathLike[str] | ModelFolder) -> "Model":
    """The transcriber in a model folder, on the CPU if its device is not there."""
    folder = source if isinstance(source, ModelFolder) else read_folder(source)
    if folder.task != TASK:
        raise ModelFolderError(f'{folder.path} holds a model of the task "{folder.task}", expected "{TASK}"')
    config = TranscriberConfig.read(folder)
    where = folder.path / "config.json"
    parameters = {**ADDED, **config.parameters}
    wrong = sorted(parameters.keys() ^ kind().get_params(deep=False).keys())
    if wrong:
        raise ModelFolderError(
            f"{where} does not fit this version: the parameters {', '.join(wrong)} are unknown or missing. Copy the "
            "folder again, or train again."
        )
    model = kind(**parameters)
    try:
        check_parameters(model, device=False)
        found = backbone(config.backbone, model.hidden_size, model.num_layers)
        model.front_end_ = front_end(config.inputs, config.front_end)
        model.vocabulary_ = Vocabulary.from_dict(config.vocabulary)
    except (ConfigurationError, DataError) as error:
        raise ModelFolderError(f"{where} was altered: {error}") from error
    if config.subsampling not in SUBSAMPLINGS:
        raise ModelFolderError(f"{where} was altered: subsampling is {config.subsampling}. Copy the folder again.")
    layers, units = "lstm.weight_ih_l", "lstm.weight_hh_l0"
    if found.levels:
        layers, units = "front.lstm.", f"front.lstm.{len(found.levels)}.vectors"
    check_sizes(
        folder,
        {
            "layers": (found.num_layers, weight_numbers(folder, layers)),
            "hidden units": (found.hidden_size, weight_shape(folder, units)[-1]),
            "symbols and the blank": (len(model.vocabulary_), weight_shape(folder, "linear.weight")[0]),
        },
    )
    model.backbone_, model.subsampling_ = config.backbone, config.subsampling
    model.scaler_ = Standardizer(np.asarray(config.mean), np.asarray(config.scale))
    network = make_network(model)
    check_weights(folder, network.state_dict())
    network.load_state_dict(folder.weights)
    model.network_ = network.to(model.device if torch.cuda.is_available() else "cpu").eval()
    model.n_features_in_ = len(config.mean)
    model.trained_on_ = config.trained_on
    model.notes_, model.validation_ = tuple(config.notes), config.validation
    model.history_, model.interrupted_ = config.history, config.interrupted
    model.structure_ = structure(model, STRUCTURE)
    return model


def make_network(model: "Transcriber") -> Network:
    """A new network of a model's sizes on the CPU, its weights drawn from its seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(model.seed)
        return network_of(
            torch.from_numpy(model.scaler_.mean.astype(np.float32)),
            torch.from_numpy(model.scaler_.scale.astype(np.float32)),
            len(model.vocabulary_),
            backbone(model.backbone_, model.hidden_size, model.num_layers),
            subsampling=model.subsampling_,
            look_ahead=model.look_ahead,
            dropout=model.dropout,
        )
