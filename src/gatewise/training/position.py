"""Where a run is: everything of it that is a number, and what came of it in the end."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gatewise.errors import CheckpointError

Stopped = Literal["patience", "max_epochs", "max_minutes", "interrupted"]


# What is logged of every epoch: its number; the mean loss of its batches; the learning rate of its last step; the
# largest and the mean norm of its gradients before clipping; the mean norm of some of its updates, spread over it,
# each over that of the weights; and its seconds.
OF_EVERY_EPOCH = (
    "epoch", "loss", "learning_rate", "gradient_norm", "gradient_norm_mean", "update_ratio", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingResult:
    """What a training run was.

    Attributes:
        history: one dict an epoch: those of `OF_EVERY_EPOCH`, and the validation metrics.
        best_epoch: the epoch whose weights were kept, from 1; 0 when it was interrupted before its first step.
        best_value: the monitored metric of that epoch; NaN when nothing was validated.
        stopped: why training ended.
    """

    history: tuple[dict[str, float], ...]
    best_epoch: int
    best_value: float
    stopped: Stopped

    def to_dict(self) -> dict[str, Any]:
        """Its fields as JSON types."""
        return {**asdict(self), "history": list(self.history), "best_value": _number(self.best_value)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From what `to_dict` returned. Raises `CheckpointError` if it is something else."""
        found = _checked(_Result, values)
        value = math.nan if found.best_value is None else found.best_value
        return cls(tuple(found.history), found.best_epoch, value, found.stopped)


@dataclass
class Position:
    """Where a run is.

    Attributes:
        step: steps taken.
        epoch: the epoch under way, from 1.
        losses: of its batches so far.
        trained: whether its batches are done, or were cut; what is left of it is its validation.
        norms: of its gradients before clipping.
        ratios: of its updates to the weights, where they were measured.
        learning_rate: of the last step, or that to come.
        waiting: batches whose gradients were summed for a step to come.
        scale: what losses are multiplied with before their gradient is taken.
        scaled: batches since the scale was changed.
        parts: into how many parts a batch is divided, so that it fits into memory.
        averaged: how many epochs are in the uniform average of the weights, the newest of them `averaged_until`.
        began: the clock when the run began.
        epoch_began: the clock when the epoch did.
        history: see `TrainingResult`; so are `best_epoch` and `best_value`.
    """

    began: float
    epoch_began: float
    step: int = 0
    epoch: int = 1
    losses: list[float] = field(default_factory=list)
    trained: bool = False
    norms: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    learning_rate: float = 0.0
    waiting: int = 0
    scale: float = 1.0
    scaled: int = 0
    parts: int = 1
    averaged: int = 0
    averaged_until: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = math.nan

    def next_epoch(self, now: float) -> None:
        """Begin the epoch after this one."""
        self.epoch += 1
        self.epoch_began, self.trained = now, False
        self.losses, self.norms, self.ratios = [], [], []

    def row(self, metrics: Mapping[str, float], now: float) -> dict[str, float]:
        """What is logged of the epoch."""
        return {
            "epoch": self.epoch,
            "loss": _mean(self.losses),
            "learning_rate": self.learning_rate,
            "gradient_norm": max(self.norms),
            "gradient_norm_mean": _mean(self.norms),
            "update_ratio": _mean(self.ratios),
            **metrics,
            "seconds": now - self.epoch_began,
        }

    def to_dict(self) -> dict[str, Any]:
        """Its fields as JSON types."""
        return {**asdict(self), "best_value": _number(self.best_value)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From what `to_dict` returned. Raises `CheckpointError` if it is something else."""
        found = _checked(_Position, values)
        value = math.nan if found.best_value is None else found.best_value
        return cls(**{**found.model_dump(), "best_value": value})


Count = Annotated[int, Field(ge=0)]
Strict = ConfigDict(extra="forbid", strict=True)
Kind = TypeVar("Kind", bound=BaseModel)


class _Result(BaseModel):
    model_config = Strict

    history: list[dict[str, int | float]]
    best_epoch: Count
    best_value: float | None
    stopped: Stopped


class _Position(BaseModel):
    model_config = Strict

    began: float
    epoch_began: float
    step: Count
    epoch: Annotated[int, Field(ge=1)]
    losses: list[float]
    trained: bool
    norms: list[float]
    ratios: list[float]
    learning_rate: float
    waiting: Count
    scale: Annotated[float, Field(gt=0)]
    scaled: Count
    parts: Annotated[int, Field(ge=1)] = 1  # checkpoints of before do not have it
    averaged: Count
    averaged_until: Count
    history: list[dict[str, int | float]]
    best_epoch: Count
    best_value: float | None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _checked(kind: type[Kind], values: dict[str, Any]) -> Kind:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(f"the state of a run was altered: {where}: {first['msg']}") from error
