"""All that a checkpoint holds of a fit, and how that becomes JSON and tensors."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from gatewise.errors import CheckpointError, TrainingError
from gatewise.training.about import About
from gatewise.training.checkpoint import Checkpoint
from gatewise.training.journal import Part

# Tensors of a run that are poison where they are not finite; what objectives gather may be anything.
FINITE = ("module", "optimizer", "average", "best")


@dataclass
class RunRecord:
    """A run: what it is, and its state or what stays of it."""

    signature: dict[str, Any]
    part: Part

    @property
    def history(self) -> list[dict[str, float]]:
        """One dict an epoch."""
        values = self.part.values
        return values["result"]["history"] if "result" in values else values["history"]


@dataclass
class Record:
    """A fit so far.

    Attributes:
        about: what it is of.
        seconds: that it has taken, those of the processes that died for nothing left out.
        readings: of the clock, outside of runs, in their order.
        decisions: by name, of JSON types.
        finished: the runs that are, in their order.
        under_way: the run that is.
    """

    about: About
    seconds: float = 0.0
    readings: list[float] = field(default_factory=list)
    decisions: dict[str, Any] = field(default_factory=dict)
    finished: list[RunRecord] = field(default_factory=list)
    under_way: RunRecord | None = None

    def runs(self) -> Iterator[tuple[str, RunRecord]]:
        """All runs, each with the beginning of the names of its tensors."""
        for number, run in enumerate(self.finished):
            yield f"{number}.", run
        if self.under_way is not None:
            yield "under_way.", self.under_way

    def rows(self) -> list[dict[str, Any]]:
        """The log: one dict an epoch, with the name of its run."""
        return [{"run": run.signature["name"], **row} for _, run in self.runs() for row in run.history]

    def to_checkpoint(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """State and tensors.

        Raises:
            TrainingError: a weight is not finite: this state is not to be kept.
        """
        tensors: dict[str, Tensor] = {}
        for prefix, run in self.runs():
            for name, tensor in run.part.tensors.items():
                kind, _, of = name.partition(".")
                if kind in FINITE and tensor.is_floating_point() and not tensor.isfinite().all():
                    raise TrainingError(
                        f'{run.signature["name"]}: {kind} "{of}" holds values that are not finite, so no checkpoint '
                        "is made of this state. Lower learning_rate or clip_norm."
                    )
                tensors[prefix + name] = tensor
        state = _State(
            about=self.about,
            seconds=self.seconds,
            readings=self.readings,
            decisions=self.decisions,
            finished=[_Run(signature=run.signature, values=run.part.values) for run in self.finished],
            under_way=None
            if self.under_way is None
            else _Run(signature=self.under_way.signature, values=self.under_way.part.values),
        )
        return state.model_dump(), tensors

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint) -> "Record":
        """The fit in a checkpoint.

        Raises:
            CheckpointError: its state is no fit's.
        """
        try:
            state = _State.model_validate(checkpoint.state)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise CheckpointError(f"{checkpoint.path} was altered: {where}: {first['msg']}.") from error

        def run(of: _Run, prefix: str) -> RunRecord:
            own = {name.removeprefix(prefix): t for name, t in checkpoint.tensors.items() if name.startswith(prefix)}
            return RunRecord(of.signature, Part(of.values, own))

        return cls(
            state.about,
            state.seconds,
            state.readings,
            state.decisions,
            [run(of, f"{number}.") for number, of in enumerate(state.finished)],
            None if state.under_way is None else run(state.under_way, "under_way."),
        )


class _Run(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    signature: dict[str, Any]
    values: dict[str, Any]


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    about: About
    seconds: float
    readings: list[float]
    decisions: dict[str, Any]
    finished: list[_Run]
    under_way: _Run | None
