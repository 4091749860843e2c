"""A forecaster in a model folder: what is written, and what is read back."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gatewise.data.timeline import Frequency
from gatewise.errors import ModelFolderError
from gatewise.tasks.folder import ModelFolder, write_folder
from gatewise.tasks.forecasting.fitting import Fitted
from gatewise.tasks.forecasting.linear import Linear
from gatewise.tasks.forecasting.network import ForecastNetwork
from gatewise.tasks.forecasting.objective import Scales
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.statistics import Statistics

if TYPE_CHECKING:
    from gatewise.tasks.forecasting.forecaster import Forecaster

Model = TypeVar("Model", bound="Forecaster")
TASK = "forecast"
KEYS = (
    "parameters", "recipe", "statistics", "frequency", "categories", "time", "baseline_season", "naive_error",
    "trained_until", "rows", "series", "networks", "notes", "history",
)  # fmt: skip


def write(
    model: "Forecaster", path: str | Path, scores: Mapping[str, Any], overwrite: bool, extra: Mapping[str, bytes | str]
) -> Path:
    """Write a fitted forecaster; see `Forecaster.save`."""
    fitted = model.fitted_
    weights = {
        "linear.weight": fitted.linear.weight,
        "linear.bias": fitted.linear.bias,
        "scales.change": fitted.scales.change,
        "scales.quantiles": fitted.scales.quantiles,
    }
    for k, member in enumerate(fitted.members):
        weights |= {f"members.{k}.{name}": value.cpu() for name, value in member.state_dict().items()}
    config = {
        "parameters": {name: list(v) if isinstance(v, tuple) else v for name, v in model.get_params().items()},
        "recipe": fitted.recipe.to_dict(),
        "statistics": fitted.statistics.to_dict(),
        "frequency": model.frequency_.to_dict(),
        "categories": {name: list(values) for name, values in model.categories_.items()},
        "time": model.roles_.time,
        "baseline_season": model.baseline_season_,
        "naive_error": model.naive_error_,
        "trained_until": model.trained_until_,
        "rows": model.rows_,
        "series": model.series_,
        "networks": len(fitted.members),
        "notes": list(model.notes_),
        "history": model.history_,
    }
    card = _card(model, scores)
    return write_folder(
        path, task=TASK, weights=weights, config=config, metrics=scores, card=card, overwrite=overwrite, extra=extra
    )


def read(model: Model, folder: ModelFolder) -> Model:
    """Fill an unfitted forecaster from a folder; see `Forecaster.load`."""
    if folder.task != TASK:
        raise ModelFolderError(f'{folder.path} holds a model of the task "{folder.task}", not of "{TASK}"')
    config, weights = folder.config, folder.weights
    if set(config) != set(KEYS):
        unlike = ", ".join(sorted(set(config) ^ set(KEYS)))
        raise ModelFolderError(
            f"{folder.path}: config.json has unknown keys or lacks some ({unlike}); copy the model anew, "
            "or upgrade gatewise"
        )
    parameters, known = config["parameters"], set(model.get_params())
    if set(parameters) != known:
        wrong = ", ".join(sorted(set(parameters) ^ known))
        raise ModelFolderError(f"{folder.path}: config.json has or lacks the parameters {wrong} of this version")
    model.set_params(**parameters)
    model.frequency_ = Frequency.from_dict(config["frequency"])
    model.categories_ = {name: tuple(values) for name, values in config["categories"].items()}
    model.roles_ = replace(model._roles(), time=config["time"])
    model.baseline_season_, model.naive_error_ = config["baseline_season"], config["naive_error"]
    model.trained_until_, model.notes_ = config["trained_until"], tuple(config["notes"])
    model.rows_, model.series_ = config["rows"], config["series"]
    model.history_, model.interrupted_ = config["history"], False
    model.validation_ = folder.metrics.get("validation", {})
    model.recipe_ = Recipe.from_dict(config["recipe"])
    statistics = Statistics.from_dict(config["statistics"])
    members = []
    for k in range(config["networks"]):
        own = {n.removeprefix(f"members.{k}."): v for n, v in weights.items() if n.startswith(f"members.{k}.")}
        future = own["future.weight"].shape[1] if "future.weight" in own else 0
        categories = tuple(len(v) for n, v in model.categories_.items() if n in model.recipe_.covariates)
        network = ForecastNetwork(
            statistics.rows.shape[1], statistics.head.shape[1], future, categories, model.horizon,
            len(model.quantiles), model.recipe_.season == 0, model.hidden_size, model.num_layers, model.dropout,
        )  # fmt: skip
        network.load_state_dict(own)
        members.append(network.eval())
    linear = Linear(weights["linear.weight"], weights["linear.bias"])
    scales = Scales(weights["scales.change"], weights["scales.quantiles"])
    model.fitted_ = Fitted(model.recipe_, statistics, linear, scales, tuple(members))
    return model


def _card(model: "Forecaster", scores: Mapping[str, Any]) -> str:
    lines = [
        f"# Forecasts of {model.target}",
        "",
        f"A gatewise forecaster: {model.horizon} steps (each a {model.frequency_.name}) ahead, "
        f"{len(model.fitted_.members)} LSTM networks of {model.hidden_size} cells on a linear part.",
        f"Trained on {model.rows_} rows of {model.series_} series up to {model.trained_until_}, seed {model.seed}.",
        "",
        "## What was found",
        *(f"- {note}" for note in model.notes_),
        "",
        "## Scores",
    ]
    for name, values in scores.items():
        lines += [f"- {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in values.items() if isinstance(v, float))]
    return "\n".join([*lines, "", "Use: `gatewise predict <this folder> DATA --out FILE`", ""])
