"""What a labeller is trained on: sequences, the targets of their steps, and what is held out.

Legend: N steps of all sequences, K classes, V values of a step, P spans.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from gatewise.data import Ragged, Standardizer
from gatewise.errors import DataError
from gatewise.tasks.classification.inputs import Columns, Preparation
from gatewise.tasks.classification.labels import read_groups
from gatewise.tasks.classification.parameters import class_weights
from gatewise.tasks.labelling.inputs import LabelledSteps, read_steps
from gatewise.tasks.labelling.parameters import label_columns
from gatewise.tasks.labelling.spans import hold_out, lengths_of, rows_of
from gatewise.tasks.labelling.targets import MISSING, find_classes, read_marks, read_values

if TYPE_CHECKING:
    from gatewise.tasks.labelling.labeller import Labeller


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Sequences to train on.

    Attributes:
        sequences: the sequences.
        targets: class numbers int64 `[N]`, -1 for none; or standardised values float32 `[N, V]`, NaN for none.
        classes: the labels `[K]`, sorted; None of values.
        counts: labelled steps of each class `[K]`; of values one number, the steps with any.
        scale: mean and standard deviation of the values `[V]`; None of classes.
        weights: of the classes in the loss `[K]`, or None.
        groups: group numbers `[S]`, or None.
        preparation: how sequences become inputs, from the training part.
        training: spans to train on `[P, 2]`.
        validation: spans to validate on, maybe none.
        notes: what was found, in sentences.
    """

    sequences: Ragged
    targets: np.ndarray
    classes: np.ndarray | None
    counts: np.ndarray
    scale: Standardizer | None
    weights: Tensor | None
    groups: np.ndarray | None
    preparation: Preparation
    training: np.ndarray
    validation: np.ndarray
    notes: tuple[str, ...]

    @classmethod
    def read(cls, model: "Labeller", X: Any, y: Any, groups: Any, columns: Columns) -> "TrainingSet":
        """What `Labeller.fit` was given, as the model's parameters have it.

        Raises:
            DataError: it cannot be trained on.
            ConfigurationError: a class weight does not fit the classes, or groups were given twice.
        """
        anomalies = model.output == "anomalies"
        # Anomalies need no marks, but marks that were named have to be there.
        needed = None if anomalies and model.label is None else True
        given = read_steps(X, y, columns, label_columns(model), labelled=needed,
                           grouped=groups is None, part="train")  # fmt: skip
        sequences = given.sequences
        numbers = read_groups(groups, sequences, model.group)
        if numbers is None and sequences.groups is not None:  # the speakers of a corpus
            numbers = np.unique(sequences.groups, return_inverse=True)[1]
        classes = weights = None
        if model.output == "labels":
            assert given.labels is not None
            classes, targets = find_classes(given.labels)
            counts = np.bincount(targets[targets != MISSING], minlength=len(classes))
            weights = class_weights(model.class_weight, classes, counts)
        else:
            targets = _values(given, anomalies)
            counts = np.array([int((~np.isnan(targets)).any(1).sum())])
        training, validation, held = hold_out(
            sequences.offsets,
            numbers,
            targets if classes is not None else None,
            share=model.validation,
            seed=model.seed,
        )
        known = np.asarray(targets != MISSING if classes is not None else ~np.isnan(targets).all(1))
        training, validation = _labelled(training, known), _labelled(validation, known)
        if not len(training):
            raise DataError("no step of the training part has a label: label some, or set validation=0")
        if classes is not None:
            _check_classes(targets[rows_of(training)], classes)
        part = _selected(sequences, training)
        preparation = Preparation.fit(part, np.arange(len(part)))
        masked = bool(np.isnan(sequences.values).any())
        preparation = Preparation(preparation.scaler, preparation.difference_scale, masked, sequences.channels)
        scale = None
        if anomalies:
            scale = preparation.scaler
        elif classes is None:
            scale = Standardizer.fit(targets[rows_of(training)])
        if scale is not None:
            targets = scale.transform(targets).astype(np.float32)
        notes = [_describe(sequences, known, anomalies, classes)]
        if len(validation):
            notes.append(f"Held out to choose the best epoch: {held}.")
        else:
            notes.append(f"Held out: {held}. Training runs to its last epoch, without early stopping.")
            if model.validation:
                warnings.warn(notes[-1], UserWarning, stacklevel=3)
        return cls(sequences, targets, classes, counts, scale, weights, numbers, preparation, training, validation,
                   tuple(notes))  # fmt: skip

    @property
    def content(self) -> tuple[Any, ...]:
        """All of it that training depends on, beside the model's parameters."""
        return self.sequences, self.targets, self.classes, self.groups

    @property
    def size(self) -> str:
        """How much it is, in words."""
        return f"{len(self.sequences)} sequences of {len(self.sequences.values)} steps in all"


def _values(given: LabelledSteps, anomalies: bool) -> np.ndarray:
    """What is to be predicted `[N, V]`: values that were given, or where anomalies are marked the others."""
    if not anomalies:
        assert given.labels is not None
        return read_values(given.labels)
    values = given.sequences.values.astype(np.float64)
    if given.labels is not None:
        values[read_marks(given.labels) == 1] = np.nan
    return values


def _labelled(spans: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The spans with any label; without one there is nothing to learn from, or to be judged by."""
    return spans[[bool(known[start:end].any()) for start, end in spans]] if len(spans) else spans


def _check_classes(targets: np.ndarray, classes: np.ndarray) -> None:
    gone = np.setdiff1d(np.arange(len(classes)), targets)
    if len(gone):
        raise DataError(
            f'the label "{classes[gone[0]]}" occurs only in what is held out for validation: give more sequences with '
            "it, or set validation=0"
        )


def _selected(sequences: Ragged, spans: np.ndarray) -> Ragged:
    offsets = np.append(0, np.cumsum(lengths_of(spans))).astype(np.int64)
    return Ragged(sequences.values[rows_of(spans)], offsets, channels=sequences.channels)


def _describe(sequences: Ragged, known: np.ndarray, anomalies: bool, classes: np.ndarray | None) -> str:
    lengths, missing = sequences.lengths, int(np.isnan(sequences.values).sum())
    what = "" if classes is None else f", {len(classes)} classes"
    text = (
        f"{len(sequences)} sequences of {lengths.min()} to {lengths.max()} steps, {sequences.n_channels} channels{what}"
    )
    if missing:
        text += f"; {missing} missing values, masked"
    if unlabelled := int((~known).sum()):
        why = "marked as anomalies, or without a value" if anomalies else "without a label"
        text += f"; {unlabelled} of {len(known)} steps are {why}, and are not learnt from"
    return text + "."
