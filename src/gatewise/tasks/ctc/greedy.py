"""Best path decoding: the likeliest label of every step.

Legend: T steps, B batch, V labels with the blank among them.
"""

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import DataError
from gatewise.tasks.ctc.hypothesis import Hypothesis
from gatewise.tasks.ctc.options import check_blank, check_nats
from gatewise.tasks.ctc.outputs import not_numbers, read_outputs
from gatewise.tasks.ctc.pairs import Lengths


def greedy(
    logits: Tensor, lengths: Lengths | None = None, *, blank: int = 0, blank_penalty: float = 0.0
) -> list[Hypothesis]:
    """The labels of each sequence's likeliest alignment (Graves et al. 2006, section 3.2, best path decoding).

    The likeliest alignment need not be one of the likeliest labels, whose probability is a sum: see `BeamDecoder`.

    Args:
        logits: `[T, B, V]`, or `[T, V]` for one sequence; logarithms of probabilities do as well.
        lengths: how many steps each sequence has; None for all T.
        blank: the number of the blank.
        blank_penalty: what a blank costs, in nats; see `ctc_loss`.

    Returns:
        A hypothesis of each sequence; score and logarithm of probability are those of the alignment.

    Raises:
        DataError: logits or lengths do not fit, or a sequence has steps without probabilities.
        ConfigurationError: the blank is no label, or its penalty no number.

    >>> logits = torch.eye(3)[[1, 1, 0, 1, 2, 0]]
    >>> greedy(logits)[0].labels, greedy(logits)[0].starts
    ((1, 1, 2), (0, 3, 4))
    """
    outputs = read_outputs(logits, lengths, who="greedy")
    steps, batch, _ = outputs.logits.shape
    found = [GreedyStream(blank=blank, blank_penalty=blank_penalty) for _ in range(batch)]
    best, scores = _best_path(outputs.logits, blank, blank_penalty)
    real = np.arange(steps)[:, None] < outputs.lengths
    bad = np.argwhere((real & np.isnan(scores)).T)
    if len(bad):
        raise not_numbers(*map(int, bad[0]))
    for b, stream in enumerate(found):
        stream._take(best[: outputs.lengths[b], b], scores[: outputs.lengths[b], b])
    return [stream.best() for stream in found]


class GreedyStream:
    """Best path decoding of one sequence whose steps come bit by bit.

    Args:
        blank: the number of the blank.
        blank_penalty: what a blank costs, in nats; see `ctc_loss`.

    Attributes:
        steps: how many steps it has seen.

    >>> stream = GreedyStream()
    >>> stream.feed(torch.eye(3)[[1]])
    >>> stream.feed(torch.eye(3)[[1, 0, 1]])
    >>> stream.best().labels
    (1, 1)
    """

    def __init__(self, *, blank: int = 0, blank_penalty: float = 0.0) -> None:
        self.blank = blank
        self.blank_penalty = check_nats(blank_penalty, "blank_penalty", who="GreedyStream")
        self.steps = 0
        self._last = blank
        self._labels: list[int] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._score = 0.0

    def feed(self, logits: Tensor) -> None:
        """Take the next steps, any number of them.

        Args:
            logits: `[T, V]`.

        Raises:
            DataError: the logits do not fit, or a step has no probabilities; none is then taken.
        """
        if isinstance(logits, Tensor) and logits.dim() != 2:
            raise DataError(f"GreedyStream: expected logits [T, V] of one sequence, got {list(logits.shape)}")
        outputs = read_outputs(logits, None, who="GreedyStream")
        best, scores = _best_path(outputs.logits, self.blank, self.blank_penalty)
        bad = np.flatnonzero(np.isnan(scores[:, 0]))
        if len(bad):
            raise not_numbers(0, self.steps + int(bad[0]))
        self._take(best[:, 0], scores[:, 0])

    def _take(self, best: np.ndarray, scores: np.ndarray) -> None:
        """Take steps by their likeliest labels `[T]` and the logarithms of their probabilities `[T]`."""
        for label, score in zip(best.tolist(), scores.tolist(), strict=True):
            if label != self.blank:
                if label != self._last:
                    self._labels.append(label)
                    self._starts.append(self.steps)
                    self._ends.append(0)
                self._ends[-1] = self.steps + 1
            self._last = label
            self._score += score
            self.steps += 1

    def best(self) -> Hypothesis:
        """The labels so far; only the last one may still grow longer."""
        return Hypothesis(tuple(self._labels), self._score, self._score, tuple(self._starts), tuple(self._ends))


def _best_path(logits: np.ndarray, blank: int, blank_penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest label of each step, the first of equals, and the logarithm of its probability; NaN without one."""
    check_blank(blank, logits.shape[2], who="greedy")
    check_nats(blank_penalty, "blank_penalty", who="greedy")
    log_probs = torch.from_numpy(logits).double().log_softmax(2)
    log_probs[:, :, blank] -= blank_penalty
    scores, best = log_probs.max(dim=2)
    return best.numpy(), scores.numpy()
