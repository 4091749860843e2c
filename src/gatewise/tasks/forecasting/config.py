"""A forecaster's configuration in the model folder: what is needed to rebuild it, checked before it is used."""

import json
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gatewise.data.timeline import Frequency
from gatewise.errors import DataError, ModelFolderError
from gatewise.tasks.folder import ModelFolder
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.statistics import Statistics

Strict = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
Scale = Annotated[float, Field(gt=0)]
Rows = Annotated[list[list[float]], Field(min_length=2, max_length=2)]
Count = Annotated[int, Field(ge=0)]
Names = tuple[str, ...]
Periods = tuple[Annotated[int, Field(ge=2)], ...]


class RecipeConfig(BaseModel):
    """What `Recipe.to_dict` writes."""

    model_config = Strict

    log: bool
    seasons: tuple[tuple[Annotated[int, Field(ge=2)], Annotated[float, Field(gt=0, le=1)]], ...]
    periods: Periods
    calendar: Periods
    lags: Annotated[int, Field(ge=1)]
    penalty: Scale
    covariates: Names
    weights: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]
    spread: Scale
    epochs: Count
    damping: Annotated[float, Field(ge=0, le=1)]
    band: tuple[float, ...] = ()  # older models have none

    @model_validator(mode="after")
    def _periods_agree(self) -> Self:
        lengths = [period for period, _ in self.seasons]
        if not {*lengths, *self.calendar} <= set(self.periods) or lengths != sorted(set(lengths), reverse=True):
            raise ValueError("seasons and calendar must be among the periods, seasons the longest first")
        return self

    def fitted(self) -> Recipe:
        """The recipe."""
        return Recipe.from_dict(self.model_dump())


class StatisticsConfig(BaseModel):
    """What `Statistics.to_dict` writes."""

    model_config = Strict

    level: dict[str, tuple[float, Scale]]
    floor: float
    channels: dict[str, tuple[float, Scale, float | None]]
    rows: Rows
    head: Rows
    step: Scale
    missing: bool
    yearly: bool

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        for mean, scale in (self.rows, self.head):
            if len(mean) != len(scale) or not all(value > 0 for value in scale):
                raise ValueError("rows and head must hold a mean and a scale above 0 for each feature")
        return self


class FrequencyConfig(BaseModel):
    """What `Frequency.to_dict` writes."""

    model_config = Strict

    unit: str
    count: int
    day: int | None

    @model_validator(mode="after")
    def _is_a_frequency(self) -> Self:
        self.step()
        return self

    def step(self) -> Frequency:
        """The frequency. Raises `ValueError` if it is none."""
        try:
            return Frequency.from_dict(self.model_dump())
        except DataError as error:
            raise ValueError(str(error)) from error


class ForecasterConfig(BaseModel):
    """The task's part of `config.json`; unknown keys and other types are refused.

    Attributes:
        parameters: the constructor's arguments.
        recipe: what validation chose.
        statistics: what features are standardised with.
        frequency: the step between rows.
        categories: of each categorical covariate.
        time: the time column that was found, or None.
        baseline_season: of the naive forecast, in steps; 0 for the newest value.
        naive_error: its mean absolute error on training rows.
        trained_until: the last time stamp of training.
        rows: with a known target, of all series.
        series: how many.
        networks: how many members.
        notes: what was found, in sentences.
        history: the runs, as in `history_`.
    """

    model_config = Strict

    parameters: dict[str, Any]
    recipe: RecipeConfig
    statistics: StatisticsConfig
    frequency: FrequencyConfig
    categories: dict[str, Names]
    time: str | None
    baseline_season: Count
    naive_error: Annotated[float, Field(ge=0)]
    trained_until: str
    rows: Count
    series: Count
    networks: Annotated[int, Field(ge=1)]
    notes: Names
    history: list[dict[str, Any]]

    @model_validator(mode="after")
    def _last_row_is_a_time(self) -> Self:
        text = self.trained_until
        try:
            until = np.datetime64(text.replace(" ", "T")) if self.frequency.step().is_calendar else int(text)
        except ValueError as error:
            raise ValueError(f'trained_until is "{text}", expected a time stamp') from error
        if np.isnat(until) if isinstance(until, np.datetime64) else False:
            raise ValueError(f'trained_until is "{text}", expected a time stamp')
        return self

    def fitted_recipe(self) -> Recipe:
        """The recipe."""
        return self.recipe.fitted()

    def fitted_statistics(self) -> Statistics:
        """The statistics."""
        return Statistics.from_dict(self.statistics.model_dump())

    @classmethod
    def read(cls, folder: ModelFolder) -> Self:
        """From a model folder. Raises `ModelFolderError` if its configuration was altered."""
        try:
            # As JSON, whose lists may stand for tuples, and nothing else for anything.
            return cls.model_validate_json(json.dumps(folder.config))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            raise ModelFolderError(
                f"{folder.path}/config.json was altered: {where + ': ' if where else ''}{what}. "
                "Copy the folder again, or train again."
            ) from error
