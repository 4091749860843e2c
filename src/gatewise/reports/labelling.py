"""The report of a labeller, from what it offers in public."""

from typing import Any

import numpy as np

from gatewise.reports.content import CellTrace, ConfusionMatrix, Report
from gatewise.reports.history import loss_curves
from gatewise.reports.scores import metrics_table
from gatewise.reports.track import Track
from gatewise.tasks.labelling import Labeller
from gatewise.tasks.labelling.card import SAYS, reach
from gatewise.tasks.labelling.inputs import LabelledSteps
from gatewise.tasks.labelling.targets import numbers_of, read_marks, read_values

SHOWN, STEPS, CHANNELS = 4, 800, 6  # sequences that are drawn, steps and channels of each


def labelling_report(labeller: Labeller, X: Any = None, y: Any = None, *, scored: bool = True) -> Report:
    """How a fitted labeller was trained, and with data how it does on them.

    Args:
        labeller: fitted.
        X: sequences in any form `Labeller` takes; None for a report of the training alone.
        y: labels of their steps; may be left out where X brings labels. Without any there are no scores of X.
        scored: whether X is scored; what the model was trained on is only shown.

    Raises:
        DataError: X or y do not fit the model.
    """
    steps = None if X is None else labeller.sequences(X, y)
    scores, where = labeller.validation_, "what was held out of the training data"
    confusion = None
    if steps is not None and scored and (steps.labels is not None or labeller.output == "anomalies"):
        scores, where = labeller.evaluate(steps), f"{len(steps.sequences)} sequences given to this report"
        if labeller.output == "labels":
            labels, counts = labeller.confusion(steps)
            confusion = ConfusionMatrix(tuple(str(label) for label in labels), tuple(map(tuple, counts.tolist())))
    return Report(
        title=f"{labeller.output.capitalize()} over time",
        task="label",
        metrics=metrics_table(scores, labeller.baseline_name_),
        subtitle=f"Measured on {where}." if scores else "Nothing was held out of the training, so there are no scores.",
        facts=_facts(labeller),
        notes=tuple(labeller.notes_),
        history=loss_curves(labeller.history_, loss="Training loss"),
        confusion=confusion,
        cell=None if steps is None else _cell(labeller, steps),
        tracks=() if steps is None else _tracks(labeller, steps),
    )


def _facts(labeller: Labeller) -> tuple[tuple[str, str], ...]:
    return (
        ("Says", SAYS[labeller.output]),
        ("From", reach(labeller)),
        ("Labelled steps in training", f"{int(labeller.counts_.sum()):,}"),
        ("Channels", str(labeller.n_features_in_)),
        ("Model", f"LSTM, layers: {labeller.num_layers}, units: {labeller.hidden_size}"),
        ("Seed", str(labeller.seed)),
    )


def _cell(labeller: Labeller, steps: LabelledSteps) -> CellTrace:
    found = {name: values[:STEPS] for name, values in labeller.observe(steps).items()}
    gates = {name: found[name].tolist() for name in ("i", "f", "o", "c")}
    title = f"First layer, forward, over {_name(steps, 0)}"
    return CellTrace.most_active(title, _numbers(found["input"]), _channels(steps), gates)


def _tracks(labeller: Labeller, steps: LabelledSteps) -> tuple[Track, ...]:
    count = min(SHOWN, len(steps.sequences))
    shown = steps.sequences.select(np.arange(count))
    output = labeller.output
    told = labeller.anomaly_scores(shown) if output == "anomalies" else labeller.predict(shown)
    classes = labeller.classes_ if output == "labels" else np.array([])
    truth = None
    if steps.labels is not None:
        read = {"labels": lambda y: numbers_of(y, classes), "values": lambda y: read_values(y)[:, 0]}
        truth = read.get(output, read_marks)(steps.labels)
    tracks = []
    for i in range(count):
        part = slice(steps.of(i).start, min(steps.of(i).stop, steps.of(i).start + STEPS))
        said, known = told[i][:STEPS], None if truth is None else truth[part]
        more: dict[str, Any] = {}
        if output == "labels":
            numbers = {label: number for number, label in enumerate(classes)}
            more = {"labels": tuple(classes), "predicted": [numbers[label] for label in said]}
            more |= {} if known is None else {"truth": known}
        else:
            more = {"values": (said if said.ndim == 1 else said[:, 0]).tolist()}
            if output == "anomalies":
                more["threshold"] = labeller.surprise_.threshold
                if known is not None:
                    marks = np.where(np.isnan(known), -1, np.where(known == 1, 1, -1)).astype(int)
                    more |= {"labels": ("normal", "anomaly"), "truth": marks}
            elif known is not None:
                more["true_values"] = _column(known)
        name = _name(steps, i)
        tracks.append(
            Track(
                name if len(steps.sequences[i]) <= STEPS else f"{name}, its first {STEPS} steps",
                tuple(tuple(row) for row in _numbers(steps.sequences[i][:STEPS, :CHANNELS])),
                _channels(steps)[:CHANNELS],
                {"labels": "label", "values": "value", "anomalies": "score"}[output],
                **more,
            )
        )
    return tuple(tracks)


def _name(steps: LabelledSteps, i: int) -> str:
    ids = steps.sequences.ids
    return f"sequence {i}" if ids is None else f'sequence "{ids[i]}"'


def _channels(steps: LabelledSteps) -> tuple[str, ...]:
    return steps.sequences.channels or tuple(f"channel {k}" for k in range(steps.sequences.n_channels))


def _numbers(values: np.ndarray) -> list[list[float | None]]:
    return [_column(row) for row in values]


def _column(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
