"""The forecaster's parameters, checked when it is fitted."""

from typing import TYPE_CHECKING, get_args

from gatewise.data.grid import Duplicates, Gaps
from gatewise.data.panel import Roles
from gatewise.errors import ConfigurationError, DataError, nearest
from gatewise.tasks.arguments import check_column, check_columns, is_count, is_number, is_sequence
from gatewise.tasks.device import check_device, check_seed
from gatewise.training import TrainingOptions

if TYPE_CHECKING:
    from gatewise.tasks.forecasting.forecaster import Forecaster

COUNTS = {"horizon": 1, "hidden_size": 1, "num_layers": 1, "members": 1, "max_epochs": 1, "patience": 1}
STRUCTURE = (
    "target", "horizon", "time", "id", "past", "future", "static", "quantiles", "hidden_size", "num_layers", "members",
    "conformal",
)  # fmt: skip
WARM_UP = 0.1  # the part of all steps over which the learning rate rises


def check_parameters(model: "Forecaster", *, device: bool = True) -> None:
    """Refuse parameters that cannot be meant, with `ConfigurationError`; `device` whether it must be there, too."""
    for name, least in COUNTS.items():
        value = getattr(model, name)
        if not is_count(value, least):
            raise ConfigurationError(f"{name} is {value!r}, expected a whole number of at least {least}")
    if model.threads is not None and not is_count(model.threads, 1):
        raise ConfigurationError(f"threads is {model.threads!r}, expected a whole number of at least 1 or None")
    if not is_number(model.dropout) or not 0 <= model.dropout < 1:
        raise ConfigurationError(f"dropout is {model.dropout!r}, expected a probability from 0 to below 1")
    _check_quantiles(model)
    _check_conformal(model)
    if model.validation is not None and (not is_number(model.validation) or not 0 < model.validation < 1):
        raise ConfigurationError(f"validation is {model.validation!r}, expected a share between 0 and 1 or None")
    periods = () if model.periods is None else model.periods
    if not is_sequence(periods) or not all(is_count(m, 2) for m in periods):
        raise ConfigurationError(
            f"periods are {model.periods!r}, expected a sequence of whole numbers of at least 2 (steps), or None"
        )
    for name, allowed in (("gaps", get_args(Gaps)), ("duplicates", get_args(Duplicates))):
        value = getattr(model, name)
        if value not in allowed:
            raise ConfigurationError(f'{name} is "{value}", {nearest(str(value), allowed)}')
    # The loop's own options are checked where they are defined, before any work.
    training_options(model)
    check_seed(model.seed)
    if device:
        check_device(model.device)


def training_options(model: "Forecaster") -> TrainingOptions:
    """Options of the loop that all runs of a fit share. Raises `ConfigurationError`."""
    return TrainingOptions(
        max_epochs=model.max_epochs,
        max_minutes=model.max_minutes,
        learning_rate=model.learning_rate,
        weight_decay=model.weight_decay,
        average_decay=model.average_decay,
        swa_from=model.swa_from,
        accumulate=model.accumulate,
        precision=model.precision,
        patience=model.patience,
        warmup=WARM_UP,
    )


def read_roles(model: "Forecaster") -> Roles:
    """Which column plays which part. Raises `ConfigurationError`, and `DataError` for a column in two roles."""
    for name in ("target", "time", "id"):
        check_column(name, getattr(model, name), optional=name != "target")
    for name in ("past", "future", "static"):
        check_columns(name, getattr(model, name))
    return Roles(model.target, model.time, model.id, tuple(model.past), tuple(model.future), tuple(model.static))


def check_names(model: "Forecaster", roles: Roles) -> None:
    """Refuse an id or time column named like a column of the forecasts, with `DataError`."""
    own = ("forecast", "origin", "lead", "truth", "baseline", *(f"q{level:g}" for level in model.quantiles))
    for role, name in (("id", roles.id), ("time", roles.time)):
        if name in own:
            raise DataError(
                f'the {role} column is named "{name}", which is a column of the forecasts; rename it (forecasts '
                f"have the columns {', '.join(own)})"
            )


def _check_quantiles(model: "Forecaster") -> None:
    if not is_sequence(model.quantiles):
        raise ConfigurationError(f"quantiles are {model.quantiles!r}, expected a sequence of levels between 0 and 1")
    levels = list(model.quantiles)
    if any(not is_number(q) or not 0 < q < 1 for q in levels) or levels != sorted(set(levels)):
        raise ConfigurationError(f"quantiles are {levels}, expected increasing levels between 0 and 1")
    if len({f"{q:g}" for q in levels}) < len(levels):
        raise ConfigurationError(f"quantiles are {levels}, expected levels that differ in their first six digits")


def _check_conformal(model: "Forecaster") -> None:
    if model.conformal is None:
        return
    if not is_number(model.conformal) or not 0 < model.conformal < 1:
        raise ConfigurationError(f"conformal is {model.conformal!r}, expected a coverage between 0 and 1 or None")
    levels = list(model.quantiles)
    if len(levels) < 2 or abs(levels[-1] - levels[0] - model.conformal) > 1e-9:
        low = (1 - model.conformal) / 2
        raise ConfigurationError(
            f"conformal is {model.conformal:g}, which the outermost quantiles have to enclose; the quantiles are "
            f"{levels}, expected for instance {[round(q, 6) for q in (low, 0.5, 1 - low)]}"
        )
