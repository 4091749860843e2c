"""A labeller's configuration in the model folder: what is needed to rebuild it, and nothing else."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from gatewise.tasks.labelling.parameters import OUTPUTS


class LabellerConfig(BaseModel):
    """The task's part of `config.json`; unknown keys and other types are refused.

    Attributes:
        parameters: the constructor's arguments; class weights as pairs (label, weight).
        classes: the labels, sorted, text or whole numbers; None of values.
        counts: labelled steps of each class, or of values one number.
        channels: channel names, where known.
        mean: of each channel on the training part.
        scale: its standard deviation there.
        difference_scale: the standard deviation of its scaled first differences there.
        masked: whether mask channels follow the channels.
        value_mean: the mean of each value; None of classes.
        value_scale: its standard deviation.
        error_mean: of anomalies: the mean error of each channel.
        error_precision: of anomalies: the inverse of the errors' covariance.
        threshold: of anomalies: of the alarm.
        notes: what was found, in sentences.
        history: the run, as in `history_`.
        validation: as in `validation_`.
        interrupted: whether training was asked to stop early.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    parameters: dict[str, Any]
    classes: list[str] | list[int] | None
    counts: list[int]
    channels: list[str] | None
    mean: list[float]
    scale: list[float]
    difference_scale: list[float]
    masked: bool
    value_mean: list[float] | None
    value_scale: list[float] | None
    error_mean: list[float] | None
    error_precision: list[list[float]] | None
    threshold: float | None
    notes: list[str]
    history: list[dict[str, Any]]
    validation: dict[str, float]
    interrupted: bool

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        output = self.parameters.get("output")
        if output not in OUTPUTS:
            raise ValueError(f"the parameter output is {output!r}")
        if (self.classes is None) == (output == "labels"):
            raise ValueError(f"classes do not fit output={output!r}")
        if self.classes is not None and (len(self.classes) < 2 or self.classes != sorted(set(self.classes))):
            raise ValueError("classes must be at least two different labels, sorted")
        if len(self.counts) != (1 if self.classes is None else len(self.classes)):
            raise ValueError(f"{len(self.counts)} counts do not fit the classes")
        width = len(self.mean)
        if width == 0 or {len(self.scale), len(self.difference_scale)} != {width}:
            raise ValueError("mean, scale and difference_scale must hold one number a channel")
        if self.channels is not None and len(self.channels) != width:
            raise ValueError(f"{len(self.channels)} channel names for {width} channels")
        if not all(value > 0 for value in (*self.scale, *self.difference_scale, *(self.value_scale or [1.0]))):
            raise ValueError("every scale must be above 0")
        values = None if self.value_mean is None or self.value_scale is None else len(self.value_mean)
        if (values is None) == (output != "labels") or (values and len(self.value_scale or []) != values):
            raise ValueError(f"value_mean and value_scale do not fit output={output!r}")
        surprise = (self.error_mean, self.error_precision, self.threshold)
        if any((part is None) == (output == "anomalies") for part in surprise):
            raise ValueError(f"error_mean, error_precision and threshold do not fit output={output!r}")
        rows = [*(self.error_precision or []), self.error_mean or [0.0] * width]
        if {len(row) for row in rows} != {width} or len(rows) not in (1, width + 1):
            raise ValueError("error_mean and error_precision must hold one number, and one row, a channel")
        return self
