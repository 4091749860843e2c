"""Labels and values of steps as a network is trained on them. Legend: N steps, K classes, V values of a step."""

from typing import Any

import numpy as np

from gatewise.data.sequences import as_labels
from gatewise.errors import DataError, nearest
from gatewise.tasks.classification.labels import label_numbers, show_labels

MISSING = -1


def known_steps(labels: np.ndarray) -> np.ndarray:
    """Which steps have a label, bool `[N]`: None, NaN and empty text are no labels."""
    if labels.ndim != 1:
        raise DataError(f"labels are {list(labels.shape)}, expected one a step; several values need output='values'")
    if labels.dtype.kind == "f":
        return ~np.isnan(labels)
    if labels.dtype.kind in "UTS":
        return labels != ""
    if labels.dtype == object:
        return np.array([not (value is None or value != value or value == "") for value in labels], bool)
    return np.ones(len(labels), bool)


def find_classes(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels that occur `[K]`, sorted, and each step's class number `[N]`, -1 where it has no label.

    Raises:
        DataError: no label, one label alone, or labels that are continuous numbers.

    >>> find_classes(np.array(["b", "", "a"]))
    (array(['a', 'b'], dtype='<U1'), array([ 1, -1,  0]))
    """
    known = known_steps(labels)
    if not known.any():
        raise DataError("no step has a label: there is nothing to train on")
    found = _labels(labels[known])
    classes, inverse = np.unique(found, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"every labelled step has the label {show_labels(classes)}: at least two labels are needed")
    numbers = np.full(len(labels), MISSING)
    numbers[known] = inverse
    return classes, numbers


def numbers_of(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Class numbers `[N]` of labels that training knew, -1 where there is none.

    Raises:
        DataError: labels that training never saw.
    """
    known = known_steps(labels)
    numbers = np.full(len(labels), MISSING)
    if known.any():
        unique, inverse = np.unique(_labels(labels[known]), return_inverse=True)
        found = label_numbers(unique, classes)
        if (found < 0).any():
            unseen = unique[found < 0]
            hint = nearest(str(unseen[0]), [str(label) for label in classes])
            raise DataError(
                f"labels never seen in training: {show_labels(unseen)} (in {(found[inverse] < 0).sum()} of "
                f"{known.sum()} labelled steps); {hint}. Empty these labels, or train with some of them."
            )
        numbers[known] = found[inverse]
    return numbers


def read_values(labels: np.ndarray) -> np.ndarray:
    """Values `[N, V]`, float64, NaN where missing. Raises `DataError` for what is no finite number."""
    try:
        values = np.array([np.nan if v is None or v == "" else v for v in labels], np.float64) if (
            labels.dtype == object or labels.dtype.kind in "UT") else labels.astype(np.float64)  # fmt: skip
    except (ValueError, TypeError) as error:
        raise DataError(f"output='values' needs numbers: {error}. For classes train with output='labels'.") from error
    if np.isinf(values).any():
        step = int(np.argwhere(np.isinf(values))[0][0])
        raise DataError(f"the value of step {step} of all sequences is not finite; use NaN for a missing one")
    if np.isnan(values).all():
        raise DataError("no step has a value: there is nothing to train on")
    return values.reshape(len(values), -1)


def read_marks(labels: np.ndarray) -> np.ndarray:
    """Which steps are marked as anomalies: 1, 0, or NaN where that is not known, `[N]`. Raises `DataError`.

    >>> read_marks(np.array([0, 1, 0]))
    array([0., 1., 0.])
    """
    values = read_values(labels)
    known = values[~np.isnan(values)]
    if values.shape[1] != 1 or not np.isin(known, (0, 1)).all():
        raise DataError("labels of anomalies are one number a step, 1 in an anomaly and 0 elsewhere; found others")
    return values[:, 0]


def _labels(known: np.ndarray) -> np.ndarray:
    if known.dtype.kind == "f" and (known != np.round(known)).any():
        value = known[known != np.round(known)][0]
        raise DataError(
            f"labels are continuous values ({value:g}), expected classes: text or whole numbers. "
            "To predict values train with output='values' (--output values)."
        )
    found: Any = as_labels(known)
    return found
