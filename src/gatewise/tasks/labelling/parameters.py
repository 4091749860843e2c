"""The labeller's parameters, checked when it is fitted, and the options of the loop that follow from them."""

from typing import TYPE_CHECKING

import numpy as np

from gatewise.errors import ConfigurationError, nearest
from gatewise.tasks.arguments import check_column, check_columns, is_count, is_number
from gatewise.tasks.classification.committee import default_epochs
from gatewise.tasks.device import check_device, check_seed
from gatewise.training import TrainingOptions

if TYPE_CHECKING:
    from gatewise.tasks.labelling.labeller import Labeller

OUTPUTS = ("labels", "values", "anomalies")
COUNTS = {"hidden_size": 1, "num_layers": 1, "stretch": 2, "batch_size": 1, "batch_frames": 1, "threads": 1,
          "look_ahead": 0}  # fmt: skip
STRUCTURE = ("hidden_size", "num_layers", "output", "look_ahead", "channels")
MAY_BE_NONE = ("batch_size", "batch_frames", "threads", "look_ahead")
SHARES = ("dropout", "label_smoothing", "validation", "average_decay", "swa_from")


def check_parameters(model: "Labeller", *, device: bool = True) -> None:
    """Refuse parameters that cannot be meant, with `ConfigurationError`; `device` whether it must be there, too."""
    if model.output not in OUTPUTS:
        raise ConfigurationError(f'output is "{model.output}", {nearest(str(model.output), OUTPUTS)}')
    for name, least in COUNTS.items():
        value = getattr(model, name)
        if not (value is None and name in MAY_BE_NONE) and not is_count(value, least):
            raise ConfigurationError(f"{name} is {value!r}, expected a whole number of at least {least}")
    for name in SHARES:
        value = getattr(model, name)
        if not is_number(value) or not 0 <= value < 1:
            raise ConfigurationError(f"{name} is {value!r}, expected a number from 0 to below 1")
    if not is_number(model.noise) or not 0 <= model.noise < np.inf:
        raise ConfigurationError(f"noise is {model.noise!r}, expected a number of at least 0")
    if not is_number(model.alarm) or not 0 < model.alarm < 1:
        raise ConfigurationError(f"alarm is {model.alarm!r}, expected a number between 0 and 1")
    if not isinstance(model.progress, bool | np.bool_):
        raise ConfigurationError(f"progress is {model.progress!r}, expected True or False")
    for name in ("id", "time", "group"):
        check_column(name, getattr(model, name), optional=True)
    if model.label is not None and not isinstance(model.label, str):
        check_columns("label", model.label)
    if model.channels is not None:
        check_columns("channels", model.channels)
    weight = model.class_weight
    if isinstance(weight, str) and weight != "balanced":
        raise ConfigurationError(f'class_weight is "{weight}", {nearest(weight, ["balanced"])}; or None, or a dict')
    if model.output != "labels" and weight is not None:
        raise ConfigurationError(f'class_weight is for output="labels", and output is "{model.output}"')
    if model.output == "anomalies" and model.look_ahead is not None:
        raise ConfigurationError(
            f"look_ahead is {model.look_ahead}, but anomalies are found by predicting each step from those before it: "
            "leave look_ahead out"
        )
    if model.output == "anomalies" and model.validation == 0:
        raise ConfigurationError("validation is 0, but anomalies are judged by the errors on a validation part")
    # The loop's own options are checked where they are defined.
    training_options(model, batches=1)
    check_seed(model.seed)
    if device:
        check_device(model.device)


def training_options(model: "Labeller", batches: int) -> TrainingOptions:
    """Options of the loop for epochs of so many batches."""
    return TrainingOptions(
        max_epochs=default_epochs(batches) if model.max_epochs is None else model.max_epochs,
        max_minutes=model.max_minutes,
        learning_rate=model.learning_rate,
        weight_decay=model.weight_decay,
        patience=model.patience,
        warmup=0.05,
        average_decay=model.average_decay,
        swa_from=model.swa_from,
        accumulate=model.accumulate,
        precision=model.precision,
        seed=int(model.seed),
    )


def delay_of(model: "Labeller") -> int | None:
    """The delay of the model's network: see `LabellerNetwork`."""
    return -1 if model.output == "anomalies" else model.look_ahead


def label_columns(model: "Labeller") -> tuple[str, ...]:
    """The columns of labels or values that were named."""
    return () if model.label is None else (model.label,) if isinstance(model.label, str) else tuple(model.label)
