"""Arguments that both estimators take, checked the same way."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gatewise.errors import ConfigurationError


def is_number(value: object) -> bool:
    """Whether a value is a number, which True is not."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def is_count(value: object, least: int) -> bool:
    """Whether a value is a whole number of at least `least`."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def check_column(name: str, value: object, *, optional: bool) -> None:
    """Refuse what names no column, with `ConfigurationError`."""
    if not isinstance(value, str) and not (optional and value is None):
        raise ConfigurationError(f"{name} is {value!r}, expected the name of a column{' or None' if optional else ''}")


def check_columns(name: str, value: Any) -> None:
    """Refuse what is no sequence of column names, with `ConfigurationError`.

    >>> check_columns("past", "rain")
    Traceback (most recent call last):
        ...
    gatewise.errors.ConfigurationError: past is 'rain', expected a sequence of column names: ['rain']
    """
    if isinstance(value, str):
        raise ConfigurationError(f"{name} is {value!r}, expected a sequence of column names: {[value]!r}")
    if not is_sequence(value) or not all(isinstance(column, str) for column in value):
        raise ConfigurationError(f"{name} is {value!r}, expected a sequence of column names")


def is_sequence(value: Any) -> bool:
    """Whether a value is a sequence of values (a list, a tuple, an array), not text."""
    return (isinstance(value, Sequence) and not isinstance(value, str)) or isinstance(value, np.ndarray)
