"""How well texts were read: error rates, what was taken for what, and whether confidences can be trusted.

Legend: S sequences, M bins.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatewise.data.text import Vocabulary
from gatewise.errors import DataError
from gatewise.tasks.error_rates import error_rate, matched, word_error_rate

BINS = 10


def transcription_metrics(
    references: Sequence[str], hypotheses: Sequence[str], confidences: np.ndarray, vocabulary: Vocabulary
) -> dict[str, Any]:
    """Metrics by their usual names.

    Args:
        references: what is said `[S]`.
        hypotheses: what was read `[S]`.
        confidences: the probability of each `[S]`.
        vocabulary: what texts are made of.

    Returns:
        "cer" (edits for each character) and "wer" (for each word), or of tokens, such as phones, "per" (edits
        for each symbol); "text_error" (the share of texts with any error); "calibration_error" (see `calibration`);
        "sequences" (S).

    >>> vocabulary = Vocabulary.fit(["to be"])
    >>> found = transcription_metrics(["to be", "to be"], ["to bee", "to be"], np.array([0.5, 0.5]), vocabulary)
    >>> found["cer"], found["wer"], found["text_error"], found["calibration_error"]
    (0.1, 0.25, 0.5, 0.0)
    """
    pairs = [(parts(a, vocabulary), parts(b, vocabulary)) for a, b in zip(references, hypotheses, strict=True)]
    rate = error_rate([a for a, _ in pairs], [b for _, b in pairs])
    rates = (
        {"per": rate} if vocabulary.unit == "tokens" else {"cer": rate, "wer": word_error_rate(references, hypotheses)}
    )
    right = np.array([a == b for a, b in pairs])
    return {
        **rates,
        "text_error": float((~right).mean()),
        "calibration_error": calibration(confidences, right).error,
        "sequences": len(pairs),
    }


def parts(text: str, vocabulary: Vocabulary) -> list[str]:
    """What errors of a text are counted in: its tokens, else its characters, in the vocabulary's form of text."""
    written = vocabulary.form(text)
    return written.split() if vocabulary.unit == "tokens" else list(written)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Confidences beside how often they were right, in bins of equal width.

    Attributes:
        confidence: their mean in each bin that has any `[M]`.
        accuracy: the share of texts without error there `[M]`.
        count: how many there are `[M]`.
        error: the mean distance of the two, weighted by how many there are: the expected calibration error (Guo,
            Pleiss, Sun & Weinberger 2017, eq. 3).
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    error: float


def calibration(confidences: np.ndarray, right: np.ndarray, bins: int = BINS) -> Calibration:
    """How far confidences are from how often they are right.

    Args:
        confidences: from 0 to 1 `[S]`.
        right: whether each text is without error `[S]`.
        bins: M at most.

    Raises:
        DataError: there are none.

    >>> calibration(np.array([0.9, 0.9, 0.1]), np.array([True, False, False])).error
    0.3
    """
    if len(confidences) == 0:
        raise DataError("calibration: there are no confidences")
    places = np.minimum((confidences * bins).astype(np.int64), bins - 1)
    count = np.bincount(places, minlength=bins)
    used = count > 0
    confidence = np.bincount(places, confidences, bins)[used] / count[used]
    accuracy = np.bincount(places, right.astype(np.float64), bins)[used] / count[used]
    error = float(np.abs(confidence - accuracy) @ count[used] / count.sum())
    return Calibration(confidence, accuracy, count[used], round(error, 12))


def confusions(references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]) -> Counter[tuple[str, str]]:
    """How often each symbol was read as which, with the fewest edits; "" stands for a missing partner.

    >>> sorted(confusions(["abc"], ["xbcc"]).items())
    [(('', 'c'), 1), (('a', 'x'), 1), (('b', 'b'), 1), (('c', 'c'), 1)]
    """
    found: Counter[tuple[str, str]] = Counter()
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        for a, b in matched(reference, hypothesis):
            found["" if a is None else reference[a], "" if b is None else hypothesis[b]] += 1
    return found
