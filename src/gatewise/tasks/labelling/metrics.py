"""Metrics of labels and values over time. Legend: T steps of a sequence, N steps of all, K classes, V values of a step.

Steps without a true label count nowhere: they are left out of both the truth and what was predicted.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from gatewise.tasks.error_rates import edits

OVERLAPS = (0.10, 0.25, 0.50)


def segments(labels: np.ndarray) -> list[tuple[int, int, int]]:
    """The longest stretches of one label, as (label, first step, step after the last), of class numbers `[T]`.

    >>> segments(np.array([3, 3, 1]))
    [(3, 0, 2), (1, 2, 3)]
    """
    cuts = (
        np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1, [len(labels)]]) if len(labels) else np.zeros(1, int)
    )
    return [(int(labels[a]), int(a), int(b)) for a, b in pairwise(cuts)]


def segment_metrics(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """How well segments were found, whatever their borders: metrics of Lea et al. (2017).

    Args:
        pairs: of each sequence true and predicted class numbers `[T]`.

    Returns:
        "edit": 1 less the edit distance between the labels of the segments over the larger count of segments, the mean
        over sequences. "f1_10", "f1_25", "f1_50": the F1 of segments. A predicted segment is right if its overlap with
        a true one of its label, their intersection over their union, reaches 10, 25 or 50 %; a true segment is found
        once. Hits are counted over all sequences together, as Farha & Gall (2019) do; Lea et al. average over them.

    Lea, Flynn, Vidal, Reiter & Hager 2017, Temporal Convolutional Networks for Action Segmentation and Detection,
    section 4 (the edit score is of Lea, Reiter, Vidal & Hager 2016).

    >>> segment_metrics([(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 1]))])
    {'edit': 1.0, 'f1_10': 1.0, 'f1_25': 1.0, 'f1_50': 1.0}
    """
    scores: list[float] = []
    hits, true_count, found_count = np.zeros(len(OVERLAPS), int), 0, 0
    for truth, predicted in pairs:
        true, found = segments(truth), segments(predicted)
        if not true:
            continue
        distance = edits([label for label, *_ in true], [label for label, *_ in found]).distance
        scores.append(1 - distance / max(len(true), len(found)))
        hits += [_hits(true, found, overlap) for overlap in OVERLAPS]
        true_count, found_count = true_count + len(true), found_count + len(found)
    total = max(true_count + found_count, 1)
    named = {f"f1_{round(100 * overlap)}": float(2 * n / total) for overlap, n in zip(OVERLAPS, hits, strict=True)}
    return {"edit": float(np.mean(scores)) if scores else 0.0, **named}


def _hits(true: Sequence[tuple[int, int, int]], found: Sequence[tuple[int, int, int]], overlap: float) -> int:
    starts, ends = np.array([t[1] for t in true]), np.array([t[2] for t in true])
    names, taken = np.array([t[0] for t in true]), np.zeros(len(true), bool)
    hits = 0
    for name, start, end in found:
        common = np.minimum(end, ends) - np.maximum(start, starts)
        ratio = common / (np.maximum(end, ends) - np.minimum(start, starts)) * (names == name)
        best = int(ratio.argmax())
        if ratio[best] >= overlap and not taken[best]:
            taken[best] = True
            hits += 1
    return hits


def event_metrics(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """How well events were found, whatever their borders.

    An event is a longest stretch of marked steps. A true event is found if an alarm is raised in it, an alarm (a
    longest stretch of alarmed steps) is right if it touches a true event (Hundman et al. 2018, section 4.2).

    Args:
        pairs: of each sequence what is marked and what was alarmed, bool `[T]`.

    Returns:
        "event_precision" (1 without alarms), "event_recall" (1 without events), "event_f1", "events" and "alarms".

    >>> event_metrics([(np.array([0, 1, 1, 0, 1], bool), np.array([1, 0, 1, 0, 0], bool))])
    {'event_precision': 0.5, 'event_recall': 0.5, 'event_f1': 0.5, 'events': 2.0, 'alarms': 2.0}
    """
    found = right = events = alarms = 0
    for truth, alarmed in pairs:
        true = [(a, b) for label, a, b in segments(truth.astype(int)) if label]
        raised = [(a, b) for label, a, b in segments(alarmed.astype(int)) if label]
        found += sum(bool(alarmed[a:b].any()) for a, b in true)
        right += sum(bool(truth[a:b].any()) for a, b in raised)
        events, alarms = events + len(true), alarms + len(raised)
    precision, recall = right / alarms if alarms else 1.0, found / events if events else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"event_precision": precision, "event_recall": recall, "event_f1": f1,
            "events": float(events), "alarms": float(alarms)}  # fmt: skip


def value_metrics(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Metrics of values `[N]` or `[N, V]`, over all that are known.

    Returns:
        "rmse", "mae", in the units of the values; "r2", 1 less the squared errors over those of the truth's own mean,
        the mean over the V values (0 of one that is constant).

    >>> value_metrics(np.array([0.0, 2.0, np.nan]), np.array([0.0, 1.0, 5.0]))
    {'rmse': 0.7071067811865476, 'mae': 0.5, 'r2': 0.5}
    """
    truth, predicted = truth.reshape(len(truth), -1), predicted.reshape(len(truth), -1)
    errors = (predicted - truth)[~np.isnan(truth)]
    r2 = []
    for column in range(truth.shape[1]):
        known = ~np.isnan(truth[:, column])
        true = truth[known, column]
        spread = ((true - true.mean()) ** 2).sum() if known.any() else 0.0
        r2.append(1 - ((predicted[known, column] - true) ** 2).sum() / spread if spread > 0 else 0.0)
    return {
        "rmse": float(np.sqrt((errors**2).mean())), "mae": float(np.abs(errors).mean()), "r2": float(np.mean(r2)),
    }  # fmt: skip
