"""A classifier's configuration in the model folder: what is needed to rebuild it, and nothing else."""

from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from gatewise.errors import ModelFolderError
from gatewise.tasks.folder import ModelFolder

Schema = TypeVar("Schema", bound=BaseModel)


class ClassifierConfig(BaseModel):
    """The task's part of `config.json`; unknown keys and other types are refused.

    Attributes:
        parameters: the constructor's arguments; class weights as pairs (label, weight).
        classes: the labels, sorted, text or whole numbers.
        counts: training sequences of each class.
        channels: channel names, where known.
        mean: of each channel on the training part of each member.
        scale: its standard deviation there.
        difference_scale: the standard deviation of its scaled first differences there.
        masked: whether mask channels follow the channels.
        notes: what was found, in sentences.
        history: the runs, as in `history_`.
        validation: as in `validation_`.
        interrupted: whether training was asked to stop early.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    parameters: dict[str, Any]
    classes: list[str] | list[int]
    counts: list[int]
    channels: list[str] | None
    mean: list[list[float]]
    scale: list[list[float]]
    difference_scale: list[list[float]]
    masked: bool
    notes: list[str]
    history: list[dict[str, Any]]
    validation: dict[str, float]
    interrupted: bool

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        if len(self.classes) < 2 or self.classes != sorted(set(self.classes)):
            raise ValueError("classes must be at least two different labels, sorted")
        if len(self.counts) != len(self.classes):
            raise ValueError(f"{len(self.counts)} counts for {len(self.classes)} classes")
        tables = (self.mean, self.scale, self.difference_scale)
        widths = {len(row) for table in tables for row in table}
        if not self.mean or len({len(table) for table in tables}) != 1 or len(widths) != 1 or widths == {0}:
            raise ValueError("mean, scale and difference_scale must hold one number a channel and member")
        if self.channels is not None and {len(self.channels)} != widths:
            raise ValueError(f"{len(self.channels)} channel names for {widths.pop()} channels")
        if not all(value > 0 for row in (*self.scale, *self.difference_scale) for value in row):
            raise ValueError("every scale must be above 0")
        return self

    @classmethod
    def read(cls, folder: ModelFolder) -> Self:
        """From a model folder. Raises `ModelFolderError` if its configuration was altered."""
        return read_as(cls, folder)


def read_as(kind: type[Schema], folder: ModelFolder) -> Schema:
    """A folder's configuration by its schema. Raises `ModelFolderError` if it was altered."""
    try:
        return kind.model_validate(folder.config)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise ModelFolderError(
            f"{folder.path}/config.json was altered: {where + ': ' if where else ''}{what}. "
            "Copy the folder again, or train again."
        ) from error
