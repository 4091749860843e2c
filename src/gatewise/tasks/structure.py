"""Parameters that a fitted estimator is made of: to change one takes another fit."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gatewise.errors import ConfigurationError


class _Estimator(Protocol):
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...


def structure(model: _Estimator, names: Sequence[str]) -> dict[str, Any]:
    """The parameters called `names` as they are now, sequences as tuples."""
    values = model.get_params(deep=False)
    return {name: _plain(values[name]) for name in names}


def check_structure(model: _Estimator, fitted: Mapping[str, Any]) -> None:
    """Refuse to use a model of which a parameter was set after `fit`; `fitted` is its `structure` of then.

    Raises:
        ConfigurationError: the parameter, its value and that of the fit.
    """
    for name, value in structure(model, tuple(fitted)).items():
        if value != fitted[name]:
            raise ConfigurationError(
                f"{name} was set to {_show(value)} after fit, but the model was fitted with {_show(fitted[name])}: "
                f"call fit again, or set_params({name}={_show(fitted[name])})"
            )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str) or not hasattr(value, "__len__") else tuple(value)


def _show(value: Any) -> str:
    return repr(list(value)) if isinstance(value, tuple) else repr(value)
