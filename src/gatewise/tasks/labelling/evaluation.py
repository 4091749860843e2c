"""A labeller held against labels. Legend: N steps, K classes, V values of a step, X channels."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import average_precision_score

from gatewise.errors import DataError
from gatewise.tasks.classification.metrics import classification_metrics
from gatewise.tasks.labelling.inputs import LabelledSteps
from gatewise.tasks.labelling.metrics import event_metrics, segment_metrics, value_metrics
from gatewise.tasks.labelling.targets import MISSING, numbers_of, read_marks, read_values

if TYPE_CHECKING:
    from gatewise.tasks.labelling.labeller import Labeller


def evaluate_labels(model: "Labeller", steps: LabelledSteps, told: np.ndarray) -> dict[str, Any]:
    """Metrics of probabilities `[N, K]`. Raises `DataError` for labels that are unknown, or where there are none."""
    assert steps.labels is not None
    targets = numbers_of(steps.labels, model.classes_)
    known = targets != MISSING
    if not known.any():
        raise DataError("no step has a label to hold the model against")
    predicted = told.argmax(1)
    prior = np.broadcast_to(model.priors_, told.shape)[known]

    def segmental(said: np.ndarray) -> dict[str, float]:
        places = [np.arange(len(targets))[steps.of(i)] for i in range(len(steps.sequences))]
        return segment_metrics((targets[p[known[p]]], said[p[known[p]]]) for p in places)

    return {
        **classification_metrics(targets[known], told[known]),
        **segmental(predicted),
        "steps": int(known.sum()),
        "sequences": len(steps.sequences),
        "baseline": {
            **classification_metrics(targets[known], prior),
            **segmental(np.full(len(targets), model.counts_.argmax())),
        },
    }


def evaluate_values(model: "Labeller", steps: LabelledSteps, told: np.ndarray) -> dict[str, Any]:
    """Metrics of values `[N, V]`. Raises `DataError` for labels that are no numbers, or not V of them."""
    assert steps.labels is not None
    assert model.scale_ is not None
    truth = read_values(steps.labels)
    if truth.shape[1] != told.shape[1]:
        raise DataError(f"there are {truth.shape[1]} values a step, the model says {told.shape[1]}")
    mean = np.broadcast_to(model.scale_.mean, told.shape)
    return {
        **value_metrics(truth, told),
        "steps": int((~np.isnan(truth)).any(1).sum()),
        "sequences": len(steps.sequences),
        "baseline": value_metrics(truth, mean),
    }


def evaluate_anomalies(model: "Labeller", steps: LabelledSteps, told: np.ndarray) -> dict[str, Any]:
    """Metrics of scores `[N]`. Raises `DataError` for labels other than 0 and 1."""
    alarmed = told > model.surprise_.threshold
    found: dict[str, Any] = {"alarm_share": float(alarmed.mean())}
    if steps.labels is not None:
        marks = read_marks(steps.labels)
        known = ~np.isnan(marks)
        places = [np.arange(len(marks))[steps.of(i)] for i in range(len(steps.sequences))]
        pairs = [(marks[p[known[p]]] == 1, alarmed[p[known[p]]]) for p in places]
        found |= event_metrics(pairs)
        if (marks[known] == 1).any():
            found["average_precision"] = float(average_precision_score(marks[known] == 1, told[known]))
    return {**found, "steps": len(told), "sequences": len(steps.sequences)}
