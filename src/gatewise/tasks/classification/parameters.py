"""The classifier's parameters, checked when it is fitted."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import ConfigurationError, nearest
from gatewise.tasks.arguments import check_column, check_columns, is_count, is_number
from gatewise.tasks.classification.committee import MemberOptions
from gatewise.tasks.device import check_device, check_seed

if TYPE_CHECKING:
    from gatewise.tasks.classification.classifier import Classifier

COUNTS = {"hidden_size": 1, "num_layers": 1, "members": 1, "batch_size": 1, "batch_frames": 1, "threads": 1}
STRUCTURE = ("hidden_size", "num_layers", "bidirectional", "members", "channels")
MAY_BE_NONE = ("batch_size", "batch_frames", "threads", "patience", "max_minutes", "id", "time", "label", "group")
SHARES = ("dropout", "label_smoothing", "validation", "average_decay", "swa_from")
SIZES = ("mixing", "scaling", "noise")


def check_parameters(model: "Classifier", *, device: bool = True) -> None:
    """Refuse parameters that cannot be meant, with `ConfigurationError`; `device` whether it must be there, too."""
    for name, least in COUNTS.items():
        value = getattr(model, name)
        if value is None and name in MAY_BE_NONE:
            continue
        if not is_count(value, least):
            raise ConfigurationError(f"{name} is {value!r}, expected a whole number of at least {least}")
    for name in SHARES:
        value = getattr(model, name)
        if not is_number(value) or not 0 <= value < 1:
            raise ConfigurationError(f"{name} is {value!r}, expected a number from 0 to below 1")
    for name in SIZES:
        value = getattr(model, name)
        if not is_number(value) or not 0 <= value < np.inf:
            raise ConfigurationError(f"{name} is {value!r}, expected a number of at least 0")
    for name in ("bidirectional", "progress"):
        if not isinstance(getattr(model, name), (bool, np.bool_)):
            raise ConfigurationError(f"{name} is {getattr(model, name)!r}, expected True or False")
    for name in ("id", "time", "label", "group"):
        check_column(name, getattr(model, name), optional=True)
    if model.channels is not None:
        check_columns("channels", model.channels)
    weight = model.class_weight
    if isinstance(weight, str) and weight != "balanced":
        raise ConfigurationError(f'class_weight is "{weight}", {nearest(weight, ["balanced"])}; or None, or a dict')
    # The loop's own options are checked where they are defined.
    member_options(model).training(batches=1, seed=0, minutes=model.max_minutes)
    check_seed(model.seed)
    if device:
        check_device(model.device)


def member_options(model: "Classifier") -> MemberOptions:
    """The parameters that each member is made with."""
    return MemberOptions(**{field.name: getattr(model, field.name) for field in fields(MemberOptions)})


def class_weights(given: str | Mapping[Any, float] | None, classes: np.ndarray, counts: np.ndarray) -> Tensor | None:
    """Weights of the classes in the loss, float32 `[K]`.

    Args:
        given: None; "balanced": S / (K * count), as scikit-learn does; or label -> weight, 1 where not named.
        classes: the labels `[K]`.
        counts: their sequences `[K]`.

    Raises:
        ConfigurationError: a label that does not occur, or a weight that is not a finite number above 0.

    >>> class_weights("balanced", np.array(["a", "b"]), np.array([30, 10]))
    tensor([0.6667, 2.0000])
    """
    if given is None:
        return None
    if isinstance(given, str):
        return torch.as_tensor(counts.sum() / (len(classes) * counts), dtype=torch.float32)
    if not isinstance(given, Mapping):
        raise ConfigurationError(f'class_weight is {given!r}, expected None, "balanced" or a dict label -> weight')
    weights = np.ones(len(classes))
    known = classes.tolist()
    for label, weight in given.items():
        if label not in known:
            raise ConfigurationError(
                f"class_weight names the class {label!r}, which does not occur: "
                f"{nearest(str(label), [str(name) for name in known])}"
            )
        if not is_number(weight) or not 0 < weight < np.inf:
            raise ConfigurationError(f"class_weight of {label!r} is {weight!r}, expected a number above 0")
        weights[known.index(label)] = weight
    return torch.as_tensor(weights, dtype=torch.float32)
