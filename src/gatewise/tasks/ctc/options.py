"""What options of the loss and of decoders may be."""

import math
from typing import TypeGuard

import numpy as np

from gatewise.errors import ConfigurationError


def check_blank(blank: object, labels: int, *, who: str) -> int:
    """The number of the blank.

    Raises:
        ConfigurationError: not one of the V labels.
    """
    if isinstance(blank, bool) or not isinstance(blank, int | np.integer) or not 0 <= blank < labels:
        raise ConfigurationError(f"{who}: blank is {blank!r}, expected the number of a label, from 0 to {labels - 1}")
    return int(blank)


def check_nats(value: object, name: str, *, who: str) -> float:
    """A finite number of nats.

    Raises:
        ConfigurationError: something else.
    """
    if not is_number(value) or not -math.inf < value < math.inf:
        raise ConfigurationError(f"{who}: {name} is {value!r}, expected a finite number of nats")
    return float(value)


def check_weight(weight: object, *, who: str) -> float:
    """The weight of a language model.

    Raises:
        ConfigurationError: no finite number from 0 on.
    """
    if not is_number(weight) or not 0 <= weight < math.inf:
        raise ConfigurationError(f"{who}: weight is {weight!r}, expected a number from 0 on; 0 switches the model off")
    return float(weight)


def check_count(value: object, name: str, *, who: str) -> int:
    """A whole number from 1 on.

    Raises:
        ConfigurationError: something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value < 2**31:
        raise ConfigurationError(f"{who}: {name} is {value!r}, expected a whole number from 1 on")
    return int(value)


def is_number(value: object) -> TypeGuard[float]:
    """Whether something is a real number; True and False are none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
