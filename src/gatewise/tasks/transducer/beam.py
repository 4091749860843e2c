"""Beam search of a transducer: the likeliest sequences of labels.

Legend: T steps, B batch.
"""

import heapq
import math
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor

from gatewise.tasks.ctc.hypothesis import Hypothesis
from gatewise.tasks.ctc.options import check_count
from gatewise.tasks.ctc.outputs import not_numbers
from gatewise.tasks.ctc.pairs import Lengths
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
    """

    labels: Labels
    steps: tuple[int, ...]
    written: Tensor | None = None
    state: State = None


@torch.no_grad()
def transducer_beam(
    transducer: Transducer,
    x: Tensor,
    lengths: Lengths | None = None,
    *,
    width: int = 8,
    n_best: int = 1,
    most_per_step: int = 10,
) -> list[list[Hypothesis]]:
    """The output sequence beam search of Graves (2012, section 2.6, algorithm 1).

    A prefix has one probability, the sum over the alignments that lead to it; prefixes of the beam that begin others of
    it give them the probability of the labels in between. Hypotheses are ranked by their probability, where the paper
    divides its logarithm by the number of labels. The module should be in evaluation mode.

    Args:
        transducer: the network.
        x: inputs `[T, B, X]`.
        lengths: how many steps each has; None for all T.
        width: how many prefixes survive a step.
        n_best: how many hypotheses of each sequence are returned, best first; `width` at most.
        most_per_step: labels that a step may write at most.

    Returns:
        Hypotheses of each sequence. `log_prob` is the sum over the alignments that were kept.

    Raises:
        DataError: inputs that do not fit; a step without probabilities.
        ConfigurationError: an option is out of range.
    """
    who = "transducer_beam"
    check_count(width, "width", who=who)
    check_count(n_best, "n_best", who=who)
    check_count(most_per_step, "most_per_step", who=who)
    heard, kept = transducer.hear(x, lengths)
    return [
        _Search(transducer, heard[:end, b], b, width, most_per_step).run(min(n_best, width))
        for b, end in enumerate(kept.tolist())
    ]


class _Search:
    """The search over one sequence, of features `[T, J]`."""

    def __init__(self, transducer: Transducer, heard: Tensor, sequence: int, width: int, most_per_step: int) -> None:
        self.transducer, self.heard, self.sequence = transducer, heard, sequence
        self.width, self.most_per_step = width, most_per_step
        output, state = transducer.prediction.begin(1)
        first = _Prefix((), (), transducer.joint.written(output)[0], state)
        self.known: dict[Labels, _Prefix] = {(): first}

    def run(self, most: int) -> list[Hypothesis]:
        beam: dict[Labels, float] = {(): 0.0}
        for t in range(len(self.heard)):
            beam = self._step(t, beam)
            # What neither is in the beam nor begins a prefix of it would be made anew, if ever.
            self.known = {labels[:end]: self.known[labels[:end]] for labels in beam for end in range(len(labels) + 1)}
        ranked = sorted(beam.items(), key=lambda entry: (-entry[1], entry[0]))[:most]
        found = []
        for labels, log_prob in ranked:
            steps = self.known[labels].steps
            found.append(Hypothesis(labels, log_prob, log_prob, steps, tuple(step + 1 for step in steps)))
        return found

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
        open_prefixes = [(-log_prob, next(order), labels, 0) for labels, log_prob in totals.items()]
        heapq.heapify(open_prefixes)
        closed: dict[Labels, float] = {}
        while open_prefixes:
            best = -open_prefixes[0][0]
            # Stop once `width` prefixes that took the blank are likelier than any that may still write.
            if sum(log_prob > best for log_prob in closed.values()) >= self.width:
                break
            _, _, labels, fresh = heapq.heappop(open_prefixes)
            log_probs = row(labels)
            closed[labels] = best + log_probs[self.transducer.blank]
            if fresh == self.most_per_step:
                continue
            prefix = self.known[labels]
            for label in np.flatnonzero(np.isfinite(log_probs)).tolist():
                longer = (*labels, label)
                # One that came into the step has the probability of this way already.
                if label == self.transducer.blank or longer in totals:
                    continue
                self.known.setdefault(longer, _Prefix(longer, (*prefix.steps, t)))
                heapq.heappush(open_prefixes, (-(best + log_probs[label]), next(order), longer, fresh + 1))
        kept = heapq.nsmallest(self.width, closed.items(), key=lambda entry: (-entry[1], entry[0]))
        return dict(kept)

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
