"""Prefix beam search in plain Python: what the search of the compiled core means, and what runs where there is none.

Graves (2012, section 7.5) and Hannun, Maas, Jurafsky & Ng (2014), algorithm 1. A prefix is a sequence of labels; its
probability is the sum over all alignments that lead to it, in two parts: of those that end in a blank, and of those
that end in its last label. Only the latter need a blank before that label comes once more.

Legend: V labels with the blank among them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gatewise.tasks.ctc.hypothesis import Hypothesis
from gatewise.tasks.ctc.listening import Listener

NOTHING = -math.inf  # the logarithm of 0
Labels = tuple[int, ...]


class Path(NamedTuple):
    """The best alignment to a prefix in one of its parts: its logarithm, and the steps [start, end) of each label."""

    score: float
    spans: tuple[tuple[int, int], ...] = ()


@dataclass
class Entry:
    """A prefix in the beam.

    Attributes:
        blank: logarithm of the probability of alignments that end in a blank.
        label: of those that end in the prefix's last label.
        blank_path: the best of the former.
        label_path: the best of the latter.
        heard: what the language model remembers of the prefix.
        language: what it has brought, weighted, with the bonus.
    """

    blank: float
    label: float
    blank_path: Path
    label_path: Path
    heard: Any
    language: float

    @property
    def total(self) -> float:
        """Logarithm of the prefix's probability."""
        return log_add(self.blank, self.label)

    @property
    def path(self) -> Path:
        """The best alignment."""
        return self.blank_path if self.blank_path.score >= self.label_path.score else self.label_path


class PrefixBeam:
    """The search over one sequence, step by step.

    Attributes:
        width: how many prefixes survive a step.
        blank: the number of the blank.
        penalty: what a blank costs, in nats.
        listener: the language model, and which labels may follow.
        steps: how many steps it has seen.
        entries: the prefixes of the beam, best first.
    """

    def __init__(self, width: int, blank: int, penalty: float, listener: Listener) -> None:
        self.width = width
        self.blank = blank
        self.penalty = penalty
        self.listener = listener
        self.steps = 0
        start = Entry(0.0, NOTHING, Path(0.0), Path(NOTHING), listener.begin(), 0.0)
        self.entries: dict[Labels, Entry] = {(): start}

    def step(self, log_probs: Sequence[float]) -> None:
        """Take one step, of logarithms of probabilities `[V]`."""
        found = {prefix: self._stay(prefix, log_probs) for prefix in self.entries}
        order: dict[Labels, int] = {prefix: k * (len(log_probs) + 1) for k, prefix in enumerate(self.entries)}
        for k, (prefix, entry) in enumerate(self.entries.items()):
            for label, y in enumerate(log_probs):
                longer = (*prefix, label)
                if label == self.blank or longer in self.entries:
                    continue
                probability = (entry.blank if prefix[-1:] == (label,) else entry.total) + y
                heard = self.listener.hear(entry.heard, label) if probability > NOTHING else None
                if heard is None:
                    continue
                gain, state = heard
                found[longer] = Entry(
                    blank=NOTHING,
                    label=probability,
                    blank_path=Path(NOTHING),
                    label_path=self._longer(prefix, label, y),
                    heard=state,
                    language=entry.language + gain,
                )
                order[longer] = k * (len(log_probs) + 1) + label + 1
        self.steps += 1
        ranked = sorted(found, key=lambda prefix: (-found[prefix].total - found[prefix].language, order[prefix]))
        self.entries = {prefix: found[prefix] for prefix in ranked[: self.width] if found[prefix].total > NOTHING}

    def _stay(self, prefix: Labels, log_probs: Sequence[float]) -> Entry:
        """The prefix after a blank, after its last label once more, or after that label on the prefix before it."""
        entry = self.entries[prefix]
        blank = log_probs[self.blank] - self.penalty
        label, label_path = NOTHING, Path(NOTHING)
        if prefix:
            y = log_probs[prefix[-1]]
            label = entry.label + y
            *before, (start, _) = entry.label_path.spans or ((0, 0),)
            label_path = Path(entry.label_path.score + y, (*before, (start, self.steps + 1)))
            shorter = self.entries.get(prefix[:-1])
            if shorter is not None:
                same = prefix[-2:-1] == prefix[-1:]
                label = log_add(label, (shorter.blank if same else shorter.total) + y)
                through = self._longer(prefix[:-1], prefix[-1], y)
                if through.score > label_path.score:
                    label_path = through
        return Entry(
            blank=entry.total + blank,
            label=label,
            blank_path=Path(entry.path.score + blank, entry.path.spans),
            label_path=label_path,
            heard=entry.heard,
            language=entry.language,
        )

    def _longer(self, prefix: Labels, label: int, y: float) -> Path:
        entry = self.entries[prefix]
        path = entry.blank_path if prefix[-1:] == (label,) else entry.path
        return Path(path.score + y, (*path.spans, (self.steps, self.steps + 1)))

    def best(self, most: int, finished: bool) -> list[Hypothesis]:
        """The best hypotheses.

        Args:
            most: how many.
            finished: whether nothing follows, so that the sentence, and its last word, ends here.
        """
        hypotheses: list[Hypothesis] = []
        for prefix, entry in self.entries.items():
            complete, gain, word = self.listener.end(entry.heard) if finished else (True, 0.0, None)
            words = self.listener.words(entry.heard)
            hypotheses.append(
                Hypothesis(
                    labels=prefix,
                    score=entry.total + (entry.language + gain),
                    log_prob=entry.total,
                    starts=tuple(start for start, _ in entry.path.spans),
                    ends=tuple(end for _, end in entry.path.spans),
                    words=words if words is None or word is None else (*words, word),
                    complete=complete,
                )
            )
        possible = (hypothesis for hypothesis in hypotheses if hypothesis.score > NOTHING)
        return sorted(possible, key=lambda h: (not h.complete, -h.score))[:most]


def log_add(a: float, b: float) -> float:
    """ln(e^a + e^b)."""
    high, low = max(a, b), min(a, b)
    return high if low == NOTHING else high + math.log1p(math.exp(low - high))


__all__ = ["Entry", "PrefixBeam", "log_add"]
