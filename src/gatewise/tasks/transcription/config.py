"""A transcriber's configuration in the model folder: what is needed to rebuild it, and nothing else."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from gatewise.errors import ModelFolderError
from gatewise.tasks.folder import ModelFolder
from gatewise.tasks.transcription.frontends import Inputs


class TranscriberConfig(BaseModel):
    """The task's part of `config.json`; unknown keys and other types are refused.

    Attributes:
        parameters: the constructor's arguments.
        backbone: the network's name.
        subsampling: how many frames become one step.
        inputs: the kind of the front end.
        front_end: its values.
        vocabulary: the values of the vocabulary.
        mean: of each feature of the training part.
        scale: what features are divided by.
        trained_on: how many sequences.
        notes: what was found, in sentences.
        history: the runs, as in `history_`.
        validation: as in `validation_`.
        interrupted: whether training was asked to stop early.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    parameters: dict[str, Any]
    backbone: str
    subsampling: int
    inputs: Inputs
    front_end: dict[str, Any]
    vocabulary: dict[str, Any]
    mean: list[float]
    scale: list[float]
    trained_on: int
    notes: list[str]
    history: list[dict[str, Any]]
    validation: dict[str, float]
    interrupted: bool

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        if len(self.mean) != len(self.scale) or not self.mean:
            raise ValueError(f"{len(self.mean)} means for {len(self.scale)} scales")
        if not all(value > 0 for value in self.scale):
            raise ValueError("every scale must be above 0")
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
