"""What a classifier is trained on: sequences with their classes, and the validation part of each member."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from gatewise.data import Ragged
from gatewise.tasks.classification.inputs import Columns, describe, read_sequences
from gatewise.tasks.classification.labels import class_numbers, read_groups, read_labels
from gatewise.tasks.classification.parameters import class_weights
from gatewise.tasks.classification.split import validation_parts

if TYPE_CHECKING:
    from gatewise.tasks.classification.classifier import Classifier


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """S sequences to train on.

    Attributes:
        sequences: the sequences.
        classes: the labels `[K]`, sorted.
        targets: class numbers `[S]`.
        groups: group numbers `[S]`, or None.
        weights: of the classes in the loss `[K]`, or None.
        parts: the validation part of each member, all empty where `validated` is False.
        validated: whether members are validated.
        notes: what was found, in sentences.
    """

    sequences: Ragged
    classes: np.ndarray
    targets: np.ndarray
    groups: np.ndarray | None
    weights: Tensor | None
    parts: list[np.ndarray]
    validated: bool
    notes: tuple[str, ...]

    @classmethod
    def read(cls, model: "Classifier", X: Any, y: Any, groups: Any, columns: Columns) -> "TrainingSet":
        """What `Classifier.fit` was given, as the model's parameters have it.

        Raises:
            DataError: it cannot be trained on.
            ConfigurationError: a class weight does not fit the classes, or groups were given twice.
        """
        sequences = read_sequences(X, columns, labelled=y is None, grouped=groups is None)
        labels = read_labels(y, sequences, "fit")
        numbers = read_groups(groups, sequences, model.group)
        classes, targets = class_numbers(labels)
        weights = class_weights(model.class_weight, classes, np.bincount(targets))
        parts, why = validation_parts(targets, numbers, share=model.validation, members=model.members, seed=model.seed)
        notes = [describe(sequences, len(classes))]
        if why is None:
            of = "each class" if numbers is None else "the groups"
            notes.append(f"Each member holds out {model.validation:.0%} of {of} to choose its best epoch.")
        else:
            notes.append(f"No validation part ({why}): every member trains to its last epoch, without early stopping.")
            if model.validation:
                warnings.warn(notes[-1], UserWarning, stacklevel=3)
        return cls(sequences, classes, targets, numbers, weights, parts, why is None, tuple(notes))

    @property
    def content(self) -> tuple[Any, ...]:
        """All of it that training depends on, beside the model's parameters."""
        return self.sequences, self.classes, self.targets, self.groups

    @property
    def size(self) -> str:
        """How much it is, in words."""
        return f"{len(self.sequences)} sequences of {len(self.sequences.values)} steps in all"
