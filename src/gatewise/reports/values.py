"""Numbers of records: tuples of Python floats, whatever they came as."""

import math
from collections.abc import Iterable
from typing import Any

from gatewise.errors import ConfigurationError
from gatewise.reports.timeline import Times, read

Values = tuple[float | None, ...]


def _number(value: Any, where: str) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{where}: expected numbers, got {value!r}") from None
    return number if math.isfinite(number) else None


def numbers(values: Iterable[Any], where: str = "values") -> Values:
    """Any sequence or array of numbers as a tuple of floats, with None for what is missing or not finite.

    >>> numbers([1, float("nan"), None])
    (1.0, None, None)

    Raises:
        ConfigurationError: an entry that is no number.
    """
    return tuple(_number(value, where) for value in values)


def table(rows: Iterable[Iterable[Any]], where: str) -> tuple[Values, ...]:
    """Rows of numbers; raises as `numbers`."""
    return tuple(numbers(row, where) for row in rows)


def times_of(times: Iterable[Any], where: str) -> Times:
    """Times as text or whole numbers. Raises `ConfigurationError` for others."""
    kept = tuple(time if isinstance(time, str) else int(time) for time in times)
    read(kept, where)
    return kept


def same_length(expected: int, of: str, where: str, **parts: tuple[Any, ...]) -> None:
    """Refuse parts of another length than `of` has, with `ConfigurationError`."""
    for name, part in parts.items():
        if len(part) != expected:
            raise ConfigurationError(f"{where}: expected {expected} entries in {name}, as in {of}, got {len(part)}")
