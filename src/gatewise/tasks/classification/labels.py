"""Labels and groups of sequences: read, checked, and turned into the numbers a network knows."""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning

from gatewise.data import Ragged
from gatewise.data.sequences import as_labels
from gatewise.errors import ConfigurationError, DataError, nearest


def read_labels(y: Any, sequences: Ragged, purpose: str) -> np.ndarray:
    """Labels `[S]`, text or whole numbers: `y`, or those that came with the sequences.

    Raises:
        DataError: there are none, they are of another number than the sequences, or one is missing.
    """
    if y is None and sequences.labels is None:
        raise DataError(
            f"{purpose} requires y to be passed, but the target y is None and X brings no labels: give y, one label a "
            "sequence, or a table with a label column"
        )
    labels = sequences.labels if y is None else as_labels(_classes(y))
    assert labels is not None
    if len(labels) != len(sequences):
        raise DataError(
            f"expected one label a sequence: got {len(labels)} labels for {len(sequences)} sequences. "
            "Check that X and y hold the same sequences in the same order."
        )
    return labels


def read_groups(groups: Any, sequences: Ragged, column: str | None) -> np.ndarray | None:
    """Group numbers `[S]`: of `groups`, else of those that came with the sequences from `column`, else None.

    Raises:
        DataError: they are of another number than the sequences, or are missing although a column was named.
        ConfigurationError: both were given.
    """
    if groups is not None and column is not None:
        raise ConfigurationError(f'groups were given, and a column of groups as well ("{column}"): give one of them')
    if column is not None and sequences.groups is None:
        raise DataError(f'the sequences come without groups, so there is no column "{column}": give a table, or groups')
    if groups is None and column is None:
        return None
    names = as_labels(np.asarray(groups)) if column is None else sequences.groups
    assert names is not None
    if len(names) != len(sequences):
        raise DataError(f"expected one group a sequence: got {len(names)} groups for {len(sequences)} sequences")
    return np.unique(names, return_inverse=True)[1]


def class_numbers(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes `[K]`, sorted, and the class number of each label `[S]`. Raises `DataError` for one class only."""
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise DataError(
            f"all {len(labels)} sequences have the one label {show_label(classes[0])}: "
            "a classifier needs sequences of at least two classes (1 class given)"
        )
    return classes, numbers


def label_numbers(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Class numbers `[S]`, -1 for labels that are none of `classes` `[K]`; 7 and "7" are the same, as file readers
    differ.

    >>> label_numbers(np.array(["7", "8"]), np.array([6, 7]))
    array([ 1, -1])
    """
    known = {str(label): number for number, label in enumerate(classes)}
    return np.array([known.get(str(label), -1) for label in labels])


def known_numbers(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Class numbers `[S]` of labels that are all among `classes` `[K]`. Raises `DataError`."""
    numbers = label_numbers(labels, classes)
    if (numbers < 0).any():
        unseen = np.unique(labels[numbers < 0])
        hint = nearest(str(unseen[0]), [str(label) for label in classes])
        raise DataError(
            f"labels never seen in training: {show_labels(unseen)} ({(numbers < 0).sum()} of {len(labels)} "
            f"sequences); {hint}. Leave these sequences out, or train with some of them."
        )
    return numbers


def show_label(label: Any) -> str:
    """A label as messages show it: text in quotes."""
    return f'"{label}"' if isinstance(label, str) else str(label)


def show_labels(labels: np.ndarray) -> str:
    """The first ten labels, for a message."""
    return ", ".join(show_label(label) for label in labels[:10]) + (", ..." if len(labels) > 10 else "")


def _classes(y: Any) -> np.ndarray:
    """y as an array; a column `[S, 1]` as `[S]`, with scikit-learn's warning."""
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected; it is read as one label a row.",
            DataConversionWarning,
            stacklevel=4,
        )
        array = array[:, 0]
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array != np.round(array)).any():
        value = array[array != np.round(array)][0]
        raise DataError(f"y holds continuous values ({value:g}), expected classes: text or whole numbers")
    return array
