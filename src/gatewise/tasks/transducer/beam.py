"""Beam search of a transducer: the likeliest sequences of labels.

Legend: T steps, B batch.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc.hypothesis import Hypothesis
from gatewise.tasks.ctc.options import check_count, check_nats, check_weight
from gatewise.tasks.ctc.outputs import not_numbers
from gatewise.tasks.ctc.pairs import Lengths
from gatewise.tasks.language import LabelModel, LabelNGram
from gatewise.tasks.transducer.network import State, Transducer

Labels = tuple[int, ...]


@dataclass
class _Prefix:
    """What is known of a sequence of labels.

    Attributes:
        labels: itself.
        steps: at which each was written when the prefix was first made.
        written: the joint network's features after it, `[J]`; None as long as nobody asked.
        state: of the prediction network after it.
        fused: what the language model and the bonus add to its score.
        model_state: of the language model after it.
        follows: what the language model says of the labels after it, `[V]`; None as long as nobody asked.
    """

    labels: Labels
    steps: tuple[int, ...]
    written: Tensor | None = None
    state: State = None
    fused: float = 0.0
    model_state: Any = None
    follows: np.ndarray | None = None


@dataclass(frozen=True)
class _Fusion:
    """What is added to the logarithm of a prefix's probability.

    Attributes:
        model: the language model; None for none.
        weight: of it.
        bonus: for each label.
    """

    model: LabelModel[Any] | None
    weight: float
    bonus: float

    def begin(self, labels: int) -> tuple[Any, np.ndarray]:
        """The model's state before the first label, and what it says of it `[V]`."""
        if self.model is None:
            return None, np.zeros(labels)
        state, row = self.model.begin()
        return state, self._checked([state], np.asarray(row, np.float64)[None], labels)

    def after(self, state: Any, label: int, labels: int) -> tuple[Any, np.ndarray]:
        """The model's state after one more label, and what it says of the next `[V]`."""
        if self.model is None:
            return None, np.zeros(labels)
        states, rows = self.model.advance([state], [label])
        return states[0], self._checked(states, np.asarray(rows, np.float64), labels)

    def _checked(self, states: Sequence[Any], rows: np.ndarray, labels: int) -> np.ndarray:
        if len(states) != 1 or rows.shape != (1, labels) or np.isnan(rows).any():
            raise DataError(
                f"transducer_beam: the language model was asked about one prefix; expected a state and scores "
                f"{[1, labels]} without NaN, got {len(states)} states and scores {list(rows.shape)}"
            )
        return self.weight * rows[0]


@torch.no_grad()
def transducer_beam(
    transducer: Transducer,
    x: Tensor,
    lengths: Lengths | None = None,
    *,
    width: int = 8,
    n_best: int = 1,
    most_per_step: int = 10,
    language_model: LabelModel[Any] | None = None,
    weight: float = 1.0,
    bonus: float = 0.0,
) -> list[list[Hypothesis]]:
    """The output sequence beam search of Graves (2012, section 2.6, algorithm 1).

    A prefix has one probability, the sum over the alignments that lead to it; prefixes of the beam that begin others of
    it give them the probability of the labels in between. Hypotheses are ranked by their probability, where the paper
    divides its logarithm by the number of labels. The module should be in evaluation mode.

    A language model joins by shallow fusion, in each step of the search, so that prefixes are ranked by

        ln p(labels | input) + weight * ln p(labels) + bonus * number of labels,

    and at the end with the probability that nothing follows. A step of the input is done when no prefix that may still
    write in it is better, as it stands, than `width` that have taken the blank; with a bonus one that is worse by then
    may have become better by more labels.

    Args:
        transducer: the network.
        x: inputs `[T, B, X]`.
        lengths: how many steps each has; None for all T.
        width: how many prefixes survive a step.
        n_best: how many hypotheses of each sequence are returned, best first; `width` at most.
        most_per_step: labels that a step may write at most.
        language_model: over labels, such as `LabelNGram`; None for none.
        weight: of the language model.
        bonus: for each label; positive for longer hypotheses, which a language model makes rarer.

    Returns:
        Hypotheses of each sequence. `log_prob` is the sum over the alignments that were kept.

    Raises:
        DataError: inputs that do not fit; a step without probabilities; a language model that does not fit, or that
            allows none of the hypotheses.
        ConfigurationError: an option is out of range, or the language model was told another blank.
    """
    who = "transducer_beam"
    check_count(width, "width", who=who)
    check_count(n_best, "n_best", who=who)
    check_count(most_per_step, "most_per_step", who=who)
    check_weight(weight, who=who)
    check_nats(bonus, "bonus", who=who)
    if isinstance(language_model, LabelNGram) and language_model.blank != transducer.blank:
        raise ConfigurationError(
            f"{who}: the transducer's blank is {transducer.blank}, but the language model was told "
            f"{language_model.blank}"
        )
    # At a weight of 0 what it forbids is not forbidden either.
    fusion = _Fusion(language_model if weight else None, weight, bonus)
    heard, kept = transducer.hear(x, lengths)
    return [
        _Search(transducer, fusion, heard[:end, b], b, width, most_per_step).run(min(n_best, width))
        for b, end in enumerate(kept.tolist())
    ]


class _Search:
    """The search over one sequence, of features `[T, J]`."""

    def __init__(
        self,
        transducer: Transducer,
        fusion: _Fusion,
        heard: Tensor,
        sequence: int,
        width: int,
        most_per_step: int,
    ) -> None:
        self.transducer, self.fusion, self.heard, self.sequence = transducer, fusion, heard, sequence
        self.width, self.most_per_step = width, most_per_step
        output, state = transducer.prediction.begin(1)
        model_state, follows = fusion.begin(transducer.joint.labels)
        first = _Prefix((), (), transducer.joint.written(output)[0], state, 0.0, model_state, follows)
        self.known: dict[Labels, _Prefix] = {(): first}

    def run(self, most: int) -> list[Hypothesis]:
        beam: dict[Labels, float] = {(): 0.0}
        for t in range(len(self.heard)):
            beam = self._step(t, beam)
            # What neither is in the beam nor begins a prefix of it would be made anew, if ever.
            self.known = {labels[:end]: self.known[labels[:end]] for labels in beam for end in range(len(labels) + 1)}
        found = []
        for labels, log_prob in beam.items():
            prefix = self.known[labels]
            score = log_prob + prefix.fused + float(self._follows(prefix)[self.transducer.blank])
            ends = tuple(step + 1 for step in prefix.steps)
            if score > -math.inf or self.fusion.model is None:
                found.append(Hypothesis(labels, score, log_prob, prefix.steps, ends))
        if not found:
            raise DataError(
                f"transducer_beam: the language model allows none of the hypotheses of sequence {self.sequence}: a "
                "larger width keeps more of them"
            )
        return sorted(found, key=lambda one: (-one.score, one.labels))[:most]

    def _step(self, t: int, beam: dict[Labels, float]) -> dict[Labels, float]:
        """The prefixes that survive a step, with the logarithms of their probabilities."""
        rows: dict[Labels, np.ndarray] = {}

        def row(labels: Labels) -> np.ndarray:
            if labels not in rows:
                rows[labels] = self._log_probs(t, self.known[labels])
            return rows[labels]

        # Of all prefixes as they came into the step, so that what a prefix gives is not given on twice.
        totals = {}
        for labels, log_prob in beam.items():
            parts, between, place = [log_prob], 0.0, len(labels)
            for start in range(place - 1, max(place - 1 - self.most_per_step, -1), -1):
                if labels[:start] in beam:
                    between += sum(row(labels[:end])[labels[end]] for end in range(start, place))
                    parts.append(beam[labels[:start]] + between)
                    place = start
            totals[labels] = _log_sum(parts)
        order = count()
        # By their scores, with the logarithms of their probabilities behind them.
        open_prefixes = [
            (-(log_prob + self.known[labels].fused), next(order), labels, 0, log_prob)
            for labels, log_prob in totals.items()
        ]
        heapq.heapify(open_prefixes)
        closed: dict[Labels, float] = {}
        while open_prefixes:
            best = -open_prefixes[0][0]
            # Stop once `width` prefixes that took the blank are better than any that may still write.
            if sum(self._score(labels, log_prob) > best for labels, log_prob in closed.items()) >= self.width:
                break
            _, _, labels, fresh, log_prob = heapq.heappop(open_prefixes)
            log_probs = row(labels)
            closed[labels] = log_prob + log_probs[self.transducer.blank]
            if fresh == self.most_per_step:
                continue
            prefix = self.known[labels]
            follows = self._follows(prefix)
            for label in np.flatnonzero(np.isfinite(log_probs + follows)).tolist():
                longer = (*labels, label)
                # One that came into the step has the probability of this way already.
                if label == self.transducer.blank or longer in totals:
                    continue
                fused = prefix.fused + float(follows[label]) + self.fusion.bonus
                self.known.setdefault(longer, _Prefix(longer, (*prefix.steps, t), fused=fused))
                after = log_prob + log_probs[label]
                heapq.heappush(open_prefixes, (-(after + fused), next(order), longer, fresh + 1, after))
        kept = heapq.nsmallest(self.width, closed.items(), key=lambda entry: (-self._score(*entry), entry[0]))
        return dict(kept)

    def _score(self, labels: Labels, log_prob: float) -> float:
        """What a prefix is ranked by."""
        return log_prob + self.known[labels].fused

    def _follows(self, prefix: _Prefix) -> np.ndarray:
        """What the language model adds for each label after a prefix, and in the blank's place for its end: `[V]`."""
        if prefix.follows is None:
            before = self.known[prefix.labels[:-1]]
            found = self.fusion.after(before.model_state, prefix.labels[-1], self.transducer.joint.labels)
            prefix.model_state, prefix.follows = found
        return prefix.follows

    def _log_probs(self, t: int, prefix: _Prefix) -> np.ndarray:
        """Of all labels at a step after a prefix: float64 `[V]`."""
        if prefix.written is None:
            before = self.known[prefix.labels[:-1]]
            last = torch.tensor([prefix.labels[-1]], device=self.heard.device)
            output, prefix.state = self.transducer.prediction.step(last, before.state)
            prefix.written = self.transducer.joint.written(output)[0]
        found = self.transducer.joint(self.heard[t], prefix.written).double().log_softmax(0).cpu().numpy()
        if np.isnan(found).any():
            raise not_numbers(self.sequence, t)
        return found


def _log_sum(values: list[float]) -> float:
    highest = max(values)
    if highest == -math.inf:
        return highest
    return highest + math.log(math.fsum(math.exp(value - highest) for value in values))
