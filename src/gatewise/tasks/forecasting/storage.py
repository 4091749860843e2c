"""A forecaster in a model folder: what is written, and what is read back."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from gatewise.errors import ConfigurationError, DataError, ModelFolderError
from gatewise.tasks.folder import (
    CONFIG,
    ModelFolder,
    check_sizes,
    check_weights,
    weight_numbers,
    weight_shape,
    write_folder,
)
from gatewise.tasks.forecasting.config import ForecasterConfig
from gatewise.tasks.forecasting.fitted import Fitted
from gatewise.tasks.forecasting.linear import Linear
from gatewise.tasks.forecasting.network import ForecastNetwork
from gatewise.tasks.forecasting.objective import Scales
from gatewise.tasks.forecasting.parameters import STRUCTURE, check_parameters, read_roles
from gatewise.tasks.forecasting.widths import Widths
from gatewise.tasks.structure import structure

if TYPE_CHECKING:
    from gatewise.tasks.forecasting.forecaster import Forecaster

Model = TypeVar("Model", bound="Forecaster")
TASK = "forecast"
ADDED: dict[str, Any] = {"conformal": None}  # what older models were fitted without


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
    config = ForecasterConfig.read(folder)
    known = set(model.get_params())
    parameters = {**ADDED, **config.parameters}
    if set(parameters) != known:
        wrong = ", ".join(sorted(set(parameters) ^ known))
        raise ModelFolderError(
            f"{folder.path / CONFIG} does not fit this version: the parameters {wrong} are unknown or missing. "
            "Copy the folder again, or train again."
        )
    model.set_params(**parameters)
    try:
        check_parameters(model, device=False)
        model.roles_ = replace(read_roles(model), time=config.time)
    except (ConfigurationError, DataError) as error:
        raise ModelFolderError(f"{folder.path / CONFIG} was altered: {error}. Copy the folder again.") from error
    model.frequency_, model.categories_ = config.frequency.step(), config.categories
    model.baseline_season_, model.naive_error_ = config.baseline_season, config.naive_error
    model.trained_until_, model.notes_ = config.trained_until, config.notes
    model.rows_, model.series_ = config.rows, config.series
    model.history_, model.interrupted_ = config.history, False
    model.validation_ = folder.metrics.get("validation", {})
    model.recipe_ = config.fitted_recipe()
    model.fitted_ = _fitted(model, config, folder)
    model.structure_ = structure(model, STRUCTURE)
    return model


def _fitted(model: "Forecaster", config: ForecasterConfig, folder: ModelFolder) -> Fitted:
    """The parts that forecasts are made with, once their sizes are those of the weights."""
    recipe, statistics = config.fitted_recipe(), config.fitted_statistics()
    counts = {name: len(values) for name, values in config.categories.items()}
    numeric = [n for n in recipe.covariates if n not in counts and n not in statistics.channels]
    stray = set(recipe.covariates) - set(model.roles_.names)
    if numeric or stray:
        name = min(stray or numeric)
        raise ModelFolderError(
            f'{folder.path / CONFIG} was altered: nothing is known of the covariate "{name}". Copy the folder again.'
        )
    widths = Widths.of(recipe, model.roles_, counts, statistics.channels, statistics.missing, statistics.yearly)
    horizon, levels, hidden = model.horizon, len(model.quantiles), model.hidden_size
    # Before networks are made of them: what was altered may be of any size.
    check_sizes(
        folder,
        {
            "row features": (statistics.rows.shape[1], widths.row),
            "head features": (statistics.head.shape[1], widths.head),
            "networks": (config.networks, weight_numbers(folder, "members.")),
            "num_layers": (model.num_layers, weight_numbers(folder, "members.0.lstm.weight_ih_l")),
            "horizon": (horizon, weight_shape(folder, "linear.bias")[0]),
            "edges of the band": (len(recipe.band) or horizon, horizon),
            "hidden_size": (hidden, weight_shape(folder, "members.0.lstm.weight_hh_l0")[-1]),
        },
    )
    categories = tuple(count for name, count in counts.items() if name in recipe.covariates)
    networks = [
        ForecastNetwork(
            widths.row, widths.head, widths.of_future, categories, horizon, levels, recipe.season == 0, hidden,
            model.num_layers, model.dropout,
        ).eval()
        for _ in range(config.networks)
    ]  # fmt: skip
    shapes = {
        "linear.weight": torch.empty(horizon, widths.head + widths.lead),
        "linear.bias": torch.empty(horizon),
        "scales.change": torch.empty(horizon),
        "scales.quantiles": torch.empty(horizon, levels),
    }
    modules = torch.nn.ModuleDict({"members": torch.nn.ModuleList(networks)})
    check_weights(folder, {**shapes, **modules.state_dict()})
    weights = folder.weights
    modules.load_state_dict({name: weights[name] for name in modules.state_dict()})
    linear = Linear(weights["linear.weight"], weights["linear.bias"])
    scales = Scales(weights["scales.change"], weights["scales.quantiles"])
    return Fitted(recipe, statistics, linear, scales, tuple(networks))


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
