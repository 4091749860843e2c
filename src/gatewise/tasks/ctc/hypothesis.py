"""What decoders find."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Hypothesis:
    """A sequence of labels that may have been meant.

    Attributes:
        labels: without blanks and repeats.
        score: what hypotheses are ranked by: `log_prob`, plus the language model's part and the bonus.
        log_prob: the logarithm of the labels' probability, in nats: of a beam the sum over the alignments that it has
            kept, otherwise that of the best alignment.
        starts: the step at which each label begins in the best alignment (of a beam: of those that it has kept).
        ends: the step after its last.
        words: the words, where there is a lexicon; "<unk>" for one that it does not have.
        complete: whether the last word ends, where there is a lexicon.
    """

    labels: tuple[int, ...]
    score: float
    log_prob: float
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    words: tuple[str, ...] | None = None
    complete: bool = True


def unpack(packed: Sequence[np.ndarray], words: Sequence[str] | None) -> list[list[Hypothesis]]:
    """The hypotheses of each sequence, as the core gives them out.

    Args:
        packed: how many each sequence has; of each score, logarithm, whether it is complete, numbers of labels and of
            words; labels, starts, ends; entries of the lexicon, -1 for the unknown word.
        words: the word of each entry; None if there is no lexicon.
    """
    counts, scores, log_probs, complete, n_labels, n_words, labels, starts, ends, entries = (
        column.tolist() for column in packed
    )
    spans, spoken = _slices(n_labels), _slices(n_words)
    spelled: list[str] = list(words or ())
    hypotheses = (
        Hypothesis(
            labels=tuple(labels[span]),
            score=score,
            log_prob=log_prob,
            starts=tuple(starts[span]),
            ends=tuple(ends[span]),
            words=None if words is None else tuple("<unk>" if k < 0 else spelled[k] for k in entries[said]),
            complete=bool(whole),
        )
        for score, log_prob, whole, span, said in zip(scores, log_probs, complete, spans, spoken, strict=True)
    )
    return [[next(hypotheses) for _ in range(count)] for count in counts]


def _slices(lengths: Sequence[int]) -> Iterator[slice]:
    start = 0
    for length in lengths:
        yield slice(start, start + length)
        start += length
