"""The generator's parameters, checked when it is fitted."""

from typing import TYPE_CHECKING

import numpy as np

from gatewise.errors import ConfigurationError, nearest
from gatewise.tasks.arguments import check_column, is_count, is_number
from gatewise.tasks.device import check_device, check_seed
from gatewise.tasks.generation.network import make_cell
from gatewise.training import TrainingOptions

if TYPE_CHECKING:
    from gatewise.tasks.generation.generator import Generator

UNITS = ("characters", "pieces", "events")
STRUCTURE = ("unit", "cell", "hidden_size", "num_layers", "pieces", "alphabet", "transpose", "joint_units")
# name -> the least value, and whether None is one
COUNTS = {
    "hidden_size": (1, False),
    "num_layers": (1, False),
    "pieces": (1, True),
    "transpose": (0, False),
    "joint_units": (0, False),
    "streams": (1, False),
    "chunk": (1, False),
    "reach": (1, True),
    "threads": (1, True),
}
SHARES = ("dropout", "validation", "average_decay")


def check_parameters(model: "Generator", *, device: bool = True) -> None:
    """Refuse parameters that cannot be meant, with `ConfigurationError`; `device` whether it must be there, too."""
    if model.unit not in UNITS:
        raise ConfigurationError(f'unit is "{model.unit}", {nearest(str(model.unit), UNITS)}')
    for name, (least, optional) in COUNTS.items():
        value = getattr(model, name)
        if not (value is None and optional) and not is_count(value, least):
            raise ConfigurationError(f"{name} is {value!r}, expected a whole number of at least {least}")
    for name in SHARES:
        value = getattr(model, name)
        if not is_number(value) or not 0 <= value < 1:
            raise ConfigurationError(f"{name} is {value!r}, expected a number from 0 to below 1")
    if not isinstance(model.progress, (bool, np.bool_)):
        raise ConfigurationError(f"progress is {model.progress!r}, expected True or False")
    if model.reach is not None and model.reach < model.chunk:
        raise ConfigurationError(
            f"reach is {model.reach}, chunk is {model.chunk}: gradients reach back over a chunk at least"
        )
    if (model.pieces is None) != (model.unit != "pieces"):
        raise ConfigurationError(
            f'pieces is {model.pieces!r} with unit="{model.unit}": unit="pieces" takes their number'
        )
    if model.alphabet is not None and not isinstance(model.alphabet, str):
        raise ConfigurationError(f"alphabet is {model.alphabet!r}, expected text or None")
    for name in ("events", "piece"):
        check_column(name, getattr(model, name), optional=True)
    for name, value in (("transpose", model.transpose), ("events", model.events), ("piece", model.piece)):
        if value and model.unit != "events":
            raise ConfigurationError(f'{name} is {value!r}, which is for unit="events"; here unit="{model.unit}"')
    make_cell(model.cell)
    training_options(model)
    check_seed(model.seed)
    if device:
        check_device(model.device)


def training_options(model: "Generator") -> TrainingOptions:
    """The loop's options. Raises `ConfigurationError` where one is out of range."""
    return TrainingOptions(
        max_epochs=model.max_epochs,
        max_minutes=model.max_minutes,
        learning_rate=model.learning_rate,
        weight_decay=model.weight_decay,
        patience=model.patience,
        warmup=0.02,
        average_decay=model.average_decay,
        accumulate=model.accumulate,
        precision=model.precision,
        seed=model.seed,
    )
