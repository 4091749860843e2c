"""Classification metrics, by their usual names."""

import numpy as np


def classification_metrics(targets: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Metrics of predicted probabilities `[S, K]` for true class numbers `[S]`.

    Returns:
        "accuracy"; "balanced_accuracy", the mean recall of the classes that occur; "f1_macro", the mean over the
        classes that occur or are predicted of 2 TP / (2 TP + FP + FN); "log_loss", the mean of -ln p(true class) in
        nats, with p at least 1e-15.

    >>> metrics = classification_metrics(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))
    >>> {name: round(value, 3) for name, value in metrics.items()}
    {'accuracy': 0.667, 'balanced_accuracy': 0.75, 'f1_macro': 0.667, 'log_loss': 0.415}
    """
    counts = confusion_counts(targets, probabilities.argmax(1), probabilities.shape[1])
    hits, true, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    occurs, named = true > 0, true + predicted > 0
    chosen = probabilities[np.arange(len(targets)), targets]
    return {
        "accuracy": float(hits.sum() / len(targets)),
        "balanced_accuracy": float((hits[occurs] / true[occurs]).mean()),
        "f1_macro": float((2 * hits[named] / (true + predicted)[named]).mean()),
        "log_loss": float(-np.log(np.maximum(chosen, 1e-15)).mean()),
    }


def confusion_counts(targets: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often class k was predicted as class j: int64 `[K, K]`, true rows by predicted columns.

    >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    return np.bincount(targets * classes + predicted, minlength=classes * classes).reshape(classes, classes)
