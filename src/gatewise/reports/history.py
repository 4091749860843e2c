"""An estimator's training history as loss curves."""

from collections.abc import Mapping, Sequence
from typing import Any

from gatewise.reports.content import Curve, LossCurves
from gatewise.training.position import OF_EVERY_EPOCH


def loss_curves(history: Sequence[Mapping[str, Any]], loss: str = "Training loss") -> LossCurves | None:
    """The curves of the runs in an estimator's `history_`; None when no epoch was trained.

    >>> epochs = [{"loss": 2.0, "error": 0.5}, {"loss": 1.0, "error": 0.2}]
    >>> curves = loss_curves([{"name": "member 1", "best_epoch": 2, "epochs": epochs}])
    >>> curves.runs[0].validation, curves.validation
    ((0.5, 0.2), 'Validation error')
    """
    runs = [run for run in history if run["epochs"]]
    if not runs:
        return None
    names = [_monitored(run["epochs"][0]) for run in runs]
    curves = tuple(
        Curve(
            name=run["name"],
            training=tuple(row["loss"] for row in run["epochs"]),
            validation=() if name is None else tuple(row.get(name) for row in run["epochs"]),
            best_epoch=run["best_epoch"] or None,
        )
        for run, name in zip(runs, names, strict=True)
    )
    monitored = next((name for name in names if name is not None), "loss")
    return LossCurves(curves, loss=loss, validation=f"Validation {monitored.replace('_', ' ')}")


def _monitored(row: Mapping[str, float]) -> str | None:
    # What is not logged of every epoch is a validation metric, the monitored one first.
    return next((name for name in row if name not in OF_EVERY_EPOCH), None)
