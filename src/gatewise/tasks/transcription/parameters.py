"""The transcriber's parameters, checked when it is fitted."""

from typing import TYPE_CHECKING

import numpy as np

from gatewise.data.text.vocabulary import UNITS
from gatewise.errors import ConfigurationError, nearest
from gatewise.tasks.arguments import check_column, is_count, is_number
from gatewise.tasks.device import check_device, check_seed
from gatewise.tasks.transcription.backbones import SUBSAMPLINGS, backbone
from gatewise.tasks.transcription.frontends import INPUTS
from gatewise.training import TrainingOptions

if TYPE_CHECKING:
    from gatewise.tasks.transcription.transcriber import Transcriber

STRUCTURE = ("backbone", "hidden_size", "num_layers", "subsampling", "look_ahead", "inputs", "height", "unit", "pieces")
# name -> the least value, and whether None is one
COUNTS = {
    "hidden_size": (1, True),
    "num_layers": (1, True),
    "look_ahead": (0, False),
    "height": (4, False),
    "batch_size": (1, False),
    "batch_frames": (1, True),
    "beam": (1, False),
    "pieces": (1, True),
    "threads": (1, True),
}
SHARES = ("dropout", "validation", "average_decay")


def check_parameters(model: "Transcriber", *, device: bool = True) -> None:
    """Refuse parameters that cannot be meant, with `ConfigurationError`; `device` whether it must be there, too."""
    for name, (least, optional) in COUNTS.items():
        value = getattr(model, name)
        if not (value is None and optional) and not is_count(value, least):
            raise ConfigurationError(f"{name} is {value!r}, expected a whole number of at least {least}")
    for name in SHARES:
        value = getattr(model, name)
        if not is_number(value) or not 0 <= value < 1:
            raise ConfigurationError(f"{name} is {value!r}, expected a number from 0 to below 1")
    for name in ("augmentation", "blank_penalty"):
        value = getattr(model, name)
        if not is_number(value) or not 0 <= value < np.inf:
            raise ConfigurationError(f"{name} is {value!r}, expected a number of at least 0")
    if not isinstance(model.progress, (bool, np.bool_)):
        raise ConfigurationError(f"progress is {model.progress!r}, expected True or False")
    check_column("text", model.text, optional=True)
    if model.subsampling is not None and model.subsampling not in SUBSAMPLINGS:
        known = ", ".join(map(str, sorted(SUBSAMPLINGS)))
        raise ConfigurationError(f"subsampling is {model.subsampling!r}, expected one of {known} or None")
    if model.inputs is not None and model.inputs not in INPUTS:
        raise ConfigurationError(f'inputs is "{model.inputs}", {nearest(str(model.inputs), INPUTS)}')
    if model.unit not in UNITS:
        raise ConfigurationError(f'unit is "{model.unit}", {nearest(str(model.unit), UNITS)}')
    if (model.pieces is None) != (model.unit != "pieces"):
        raise ConfigurationError(
            f'pieces is {model.pieces!r} with unit="{model.unit}": unit="pieces" takes their number'
        )
    if model.backbone is not None:
        found = backbone(model.backbone)
        if model.look_ahead and (found.channels or found.bidirectional):
            raise ConfigurationError(
                f'look_ahead is {model.look_ahead}, but the backbone "{model.backbone}" '
                f'{"convolves" if found.channels else "reads in both directions"}: it is for streams, backbone="lstm"'
            )
    training_options(model)
    check_seed(model.seed)
    if device:
        check_device(model.device)


def training_options(model: "Transcriber") -> TrainingOptions:
    """The loop's options. Raises `ConfigurationError` where one is out of range."""
    return TrainingOptions(
        max_epochs=model.max_epochs,
        max_minutes=model.max_minutes,
        learning_rate=model.learning_rate,
        weight_decay=model.weight_decay,
        patience=model.patience,
        warmup=0.05,
        average_decay=model.average_decay,
        weight_noise=model.weight_noise,
        accumulate=model.accumulate,
        precision=model.precision,
        seed=model.seed,
    )
