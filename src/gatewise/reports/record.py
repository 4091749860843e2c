"""Records: frozen dataclasses that turn into plain JSON values and back, and refuse keys they do not know."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from gatewise.errors import ConfigurationError, nearest


class Record:
    """Base of frozen dataclasses whose fields are strings, numbers, tuples, mappings and other records.

    >>> from gatewise.reports import Metric
    >>> Metric("RMSE").to_dict()
    {'name': 'RMSE', 'better': 'lower'}
    >>> Metric.from_dict({"name": "accuracy", "better": "higher"})
    Metric(name='accuracy', better='higher')
    """

    def to_dict(self) -> dict[str, Any]:
        """The record as values that `json.dumps` takes: tuples become lists, keys of mappings become strings."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The record that `to_dict` wrote.

        Raises:
            ConfigurationError: an unknown or missing key, or a value of the wrong kind; the message says where.
        """
        return _record(cls, values, cls.__name__)


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return value


def _record(cls: Any, values: Any, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"{where}: expected an object with named entries, got {type(values).__name__}")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            raise ConfigurationError(f'{where}: unknown key "{key}"; {nearest(str(key), fields)}')
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ConfigurationError(f'{where}: the key "{name}" is missing')
    hints = get_type_hints(cls)
    return cls(**{key: _typed(hints[key], value, f"{where}.{key}") for key, value in values.items()})


def _typed(hint: Any, value: Any, where: str) -> Any:
    """`value`, as read from JSON, as the type that `hint` names."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(arguments, value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise _wrong("a list", value, where)
        if arguments[-1] is Ellipsis:
            return tuple(_typed(arguments[0], entry, f"{where}[{k}]") for k, entry in enumerate(value))
        if len(value) != len(arguments):
            raise _wrong(f"{len(arguments)} entries", value, where)
        return tuple(
            _typed(argument, entry, f"{where}[{k}]")
            for k, (argument, entry) in enumerate(zip(arguments, value, strict=True))
        )
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise _wrong("an object", value, where)
        return {
            _key(arguments[0], key, where): _typed(arguments[1], entry, f"{where}.{key}")
            for key, entry in value.items()
        }
    if origin is Literal:
        if value not in arguments:
            raise _wrong("one of " + ", ".join(f'"{choice}"' for choice in arguments), value, where)
        return value
    if dataclasses.is_dataclass(hint):
        return _record(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise _wrong(hint.__name__, value, where)
    return value


def _union(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and types.NoneType in arguments:
        return None
    choices = [argument for argument in arguments if argument is not types.NoneType]
    for choice in choices:
        if isinstance(choice, type) and type(value) is choice:
            return value
    if len(choices) > 1:
        raise _wrong(" or ".join(choice.__name__ for choice in choices), value, where)
    return _typed(choices[0], value, where)


def _key(hint: Any, key: str, where: str) -> Any:
    if hint is not float:
        return key
    try:
        return float(key)
    except ValueError:
        raise _wrong("a number as key", key, where) from None


def _wrong(expected: str, value: Any, where: str) -> ConfigurationError:
    shown = repr(value)
    return ConfigurationError(f"{where}: expected {expected}, got {shown if len(shown) <= 60 else shown[:57] + '...'}")
