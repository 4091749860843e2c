"""A classifier in its model folder, and back."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import torch

from gatewise.data import Standardizer
from gatewise.data.sequences import as_labels
from gatewise.errors import ConfigurationError, ModelFolderError
from gatewise.tasks.classification.card import model_card
from gatewise.tasks.classification.committee import Committee, Member
from gatewise.tasks.classification.config import ClassifierConfig
from gatewise.tasks.classification.inputs import Preparation
from gatewise.tasks.classification.network import ClassifierNetwork
from gatewise.tasks.classification.parameters import STRUCTURE, check_parameters, member_options
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

if TYPE_CHECKING:
    from gatewise.tasks.classification.classifier import Classifier

    Model = TypeVar("Model", bound=Classifier)

TASK = "classify"

ADDED: Mapping[str, Any] = {"batch_frames": None}  # parameters that folders of before do not have


def save_classifier(
    model: "Classifier",
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
    metrics: Mapping[str, Any] | None,
    extra: Mapping[str, bytes | str] | None,
) -> Path:
    """Write the model folder of a fitted classifier."""
    committee = model.committee_
    parameters = kept_parameters(model)
    preparation = committee.members[0].preparation
    scalers = [member.preparation.scaler for member in committee.members]
    config = {
        "parameters": parameters,
        "classes": model.classes_.tolist(),
        "counts": model.class_counts_.tolist(),
        "channels": None if preparation.channels is None else list(preparation.channels),
        "mean": [scaler.mean.tolist() for scaler in scalers],
        "scale": [scaler.scale.tolist() for scaler in scalers],
        "difference_scale": [member.preparation.difference_scale.tolist() for member in committee.members],
        "masked": preparation.masked,
        "notes": list(model.notes_),
        "history": committee.history,
        "validation": model.validation_,
        "interrupted": model.interrupted_,
    }
    scores = {**({"validation": model.validation_} if model.validation_ else {}), **(metrics or {})}
    return write_folder(
        path,
        task=TASK,
        weights=_modules([member.network for member in committee.members]).state_dict(),
        config=config,
        metrics=scores,
        card=model_card(model, scores),
        overwrite=overwrite,
        extra=extra,
    )


def load_classifier(kind: "type[Model]", source: str | os.PathLike[str] | ModelFolder) -> "Model":
    """The classifier in a model folder, on the CPU if its device is not there."""
    folder = source if isinstance(source, ModelFolder) else read_folder(source)
    if folder.task != TASK:
        raise ModelFolderError(f'{folder.path} holds a model of the task "{folder.task}", expected "{TASK}"')
    config = ClassifierConfig.read(folder)
    model = kind(**given_parameters(kind, config.parameters, folder))
    try:
        check_parameters(model, device=False)
    except ConfigurationError as error:
        raise ModelFolderError(f"{folder.path / 'config.json'} was altered: {error}") from error
    model.classes_, model.class_counts_ = np.asarray(config.classes), np.asarray(config.counts)
    channels = None if config.channels is None else tuple(config.channels)
    preparations = [
        Preparation(Standardizer(np.asarray(mean), np.asarray(scale)), np.asarray(difference), config.masked, channels)
        for mean, scale, difference in zip(config.mean, config.scale, config.difference_scale, strict=True)
    ]
    options = member_options(model)
    layers = weight_numbers(folder, "members.0.lstm.weight_ih_l")
    check_sizes(
        folder,
        {
            "num_layers": (options.num_layers, layers),
            "hidden_size": (options.hidden_size, weight_shape(folder, "members.0.lstm.weight_hh_l0")[-1]),
        },
    )
    networks = [options.network(preparation, len(config.classes), 0) for preparation in preparations]
    modules = _modules(networks)
    check_weights(folder, modules.state_dict())
    modules.load_state_dict(folder.weights)
    modules.to(model.device if torch.cuda.is_available() else "cpu").eval()
    members = tuple(Member(*pair) for pair in zip(networks, preparations, strict=True))
    model.committee_ = Committee(members, config.history)
    model.n_features_in_ = preparations[0].n_channels
    model.notes_, model.validation_ = tuple(config.notes), config.validation
    model.interrupted_ = config.interrupted
    model.structure_ = structure(model, STRUCTURE)
    return model


def _modules(networks: list[ClassifierNetwork]) -> torch.nn.ModuleDict:
    """The networks under the names their weights have in the file."""
    return torch.nn.ModuleDict({"members": torch.nn.ModuleList(networks)})


class _Weighted(Protocol):
    """An estimator with class weights and channels."""

    class_weight: Any
    channels: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]: ...


def kept_parameters(model: _Weighted) -> dict[str, Any]:
    """An estimator's parameters as the folder's configuration keeps them."""
    parameters = model.get_params(deep=False)
    if isinstance(model.class_weight, Mapping):
        # Pairs, because the keys of a JSON object are always text.
        parameters["class_weight"] = [[_plain(label), float(w)] for label, w in model.class_weight.items()]
    if model.channels is not None:
        parameters["channels"] = list(model.channels)
    return parameters


def given_parameters(kind: Callable[[], _Weighted], kept: Mapping[str, Any], folder: ModelFolder) -> dict[str, Any]:
    """The way back from what `kept_parameters` gave. Raises `ModelFolderError` for parameters of another kind."""
    parameters = {**ADDED, **kept}
    wrong = sorted(parameters.keys() ^ kind().get_params(deep=False).keys())
    if wrong:
        raise ModelFolderError(
            f"{folder.path / 'config.json'} does not fit this version: the parameters {', '.join(wrong)} are unknown "
            "or missing. Copy the folder again, or train again."
        )
    weights = parameters["class_weight"]
    if isinstance(weights, list):
        if not all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str | int) for pair in weights):
            raise ModelFolderError(
                f"{folder.path / 'config.json'} was altered: class_weight is {weights}, expected pairs of a label and "
                "its weight. Copy the folder again."
            )
        parameters["class_weight"] = dict(weights)
    return parameters


def _plain(label: Any) -> str | int:
    found = as_labels([label])
    assert found is not None
    return found[0].item()
