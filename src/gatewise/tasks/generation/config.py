"""A generator's configuration in the model folder: what is needed to rebuild it, and nothing else."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from gatewise.errors import ModelFolderError
from gatewise.tasks.folder import ModelFolder


class GeneratorConfig(BaseModel):
    """The task's part of `config.json`; unknown keys and other types are refused.

    Attributes:
        parameters: the constructor's arguments.
        kind: what it writes.
        symbols: the values of that.
        frequencies: of the symbols in the training part.
        trained_on: how much, in words.
        notes: what was found, in sentences.
        history: the runs, as in `history_`.
        validation: as in `validation_`.
        interrupted: whether training was asked to stop early.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    parameters: dict[str, Any]
    kind: Literal["text", "events"]
    symbols: dict[str, Any]
    frequencies: list[float]
    trained_on: str
    notes: list[str]
    history: list[dict[str, Any]]
    validation: dict[str, float]
    interrupted: bool

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if not self.frequencies or not all(0 < share < 1 for share in self.frequencies):
            raise ValueError("every frequency must be between 0 and 1")
        return self

    @classmethod
    def read(cls, folder: ModelFolder) -> Self:
        """From a model folder. Raises `ModelFolderError` if its configuration was altered."""
        try:
            return cls.model_validate(folder.config)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            raise ModelFolderError(
                f"{folder.path}/config.json was altered: {where + ': ' if where else ''}{what}. "
                "Copy the folder again, or train again."
            ) from error
