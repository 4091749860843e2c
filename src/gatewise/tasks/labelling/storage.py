"""A labeller in its model folder, and back."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from gatewise.data import Standardizer
from gatewise.errors import ConfigurationError, ModelFolderError
from gatewise.tasks.classification.config import read_as
from gatewise.tasks.classification.inputs import Preparation
from gatewise.tasks.classification.storage import given_parameters, kept_parameters
from gatewise.tasks.folder import (
    ModelFolder,
    check_sizes,
    check_weights,
    read_folder,
    weight_numbers,
    weight_shape,
    write_folder,
)
from gatewise.tasks.labelling.card import model_card
from gatewise.tasks.labelling.config import LabellerConfig
from gatewise.tasks.labelling.fitting import new_network
from gatewise.tasks.labelling.parameters import STRUCTURE, check_parameters
from gatewise.tasks.labelling.surprise import Surprise
from gatewise.tasks.structure import structure

if TYPE_CHECKING:
    from gatewise.tasks.labelling.labeller import Labeller

    Model = TypeVar("Model", bound=Labeller)

TASK = "label"


def save_labeller(
    model: "Labeller",
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
    metrics: Mapping[str, Any] | None,
    extra: Mapping[str, bytes | str] | None,
) -> Path:
    """Write the model folder of a fitted labeller."""
    preparation = model.preparation_
    surprise = model.surprise_ if model.output == "anomalies" else None
    parameters = kept_parameters(model)
    if model.label is not None and not isinstance(model.label, str):
        parameters["label"] = list(model.label)
    config = {
        "parameters": parameters,
        "classes": model.classes_.tolist() if model.output == "labels" else None,
        "counts": model.counts_.tolist(),
        "channels": None if preparation.channels is None else list(preparation.channels),
        "mean": preparation.scaler.mean.tolist(),
        "scale": preparation.scaler.scale.tolist(),
        "difference_scale": preparation.difference_scale.tolist(),
        "masked": preparation.masked,
        "value_mean": None if model.scale_ is None else model.scale_.mean.tolist(),
        "value_scale": None if model.scale_ is None else model.scale_.scale.tolist(),
        "error_mean": None if surprise is None else surprise.mean.tolist(),
        "error_precision": None if surprise is None else surprise.precision.tolist(),
        "threshold": None if surprise is None else surprise.threshold,
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


def load_labeller(kind: "type[Model]", source: str | os.PathLike[str] | ModelFolder) -> "Model":
    """The labeller in a model folder, on the CPU if its device is not there."""
    folder = source if isinstance(source, ModelFolder) else read_folder(source)
    if folder.task != TASK:
        raise ModelFolderError(f'{folder.path} holds a model of the task "{folder.task}", expected "{TASK}"')
    config = read_as(LabellerConfig, folder)
    model = kind(**given_parameters(kind, config.parameters, folder))
    try:
        check_parameters(model, device=False)
    except ConfigurationError as error:
        raise ModelFolderError(f"{folder.path / 'config.json'} was altered: {error}") from error
    check_sizes(
        folder,
        {
            "num_layers": (model.num_layers, weight_numbers(folder, "lstm.weight_ih_l")),
            "hidden_size": (model.hidden_size, weight_shape(folder, "lstm.weight_hh_l0")[-1]),
        },
    )
    channels = None if config.channels is None else tuple(config.channels)
    scaler = Standardizer(np.asarray(config.mean), np.asarray(config.scale))
    model.preparation_ = Preparation(scaler, np.asarray(config.difference_scale), config.masked, channels)
    outputs = len(config.classes) if config.classes is not None else len(config.value_mean or [])
    network = new_network(model, model.preparation_, outputs)
    check_weights(folder, network.state_dict())
    network.load_state_dict(folder.weights)
    model.network_ = network.to(model.device if torch.cuda.is_available() else "cpu").eval()
    if config.classes is not None:
        model.classes_ = np.asarray(config.classes)
    model.counts_, model.n_features_in_ = np.asarray(config.counts), len(config.mean)
    model.scale_ = None
    if config.value_mean is not None:
        model.scale_ = Standardizer(np.asarray(config.value_mean), np.asarray(config.value_scale))
    if config.error_mean is not None and config.threshold is not None:
        model.surprise_ = Surprise(
            np.asarray(config.error_mean), np.asarray(config.error_precision), float(config.threshold)
        )
    model.history_, model.notes_ = config.history, tuple(config.notes)
    model.validation_, model.interrupted_ = config.validation, config.interrupted
    model.structure_ = structure(model, STRUCTURE)
    return model
