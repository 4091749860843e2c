"""The likeliest label of each step, whatever follows: greedy decoding of a transducer, whole or as the input comes in.

Legend: T steps, B batch, E outputs of the encoder, J features of the joint network.
"""

import torch
from torch import Tensor

from gatewise.errors import DataError
from gatewise.tasks.ctc.hypothesis import Hypothesis
from gatewise.tasks.ctc.options import check_count
from gatewise.tasks.ctc.outputs import not_numbers
from gatewise.tasks.ctc.pairs import Lengths
from gatewise.tasks.transducer.network import State, Transducer


@torch.no_grad()
def transducer_greedy(
    transducer: Transducer, x: Tensor, lengths: Lengths | None = None, *, most_per_step: int = 10
) -> list[Hypothesis]:
    """Take the likeliest label at each step until that is the blank, which leads to the next step.

    Sequences run side by side. The module should be in evaluation mode.

    Args:
        transducer: the network.
        x: inputs `[T, B, X]`.
        lengths: how many steps each has; None for all T.
        most_per_step: labels that a step may write at most, so that one which never writes a blank ends as well; after
            them its blank is taken.

    Returns:
        One hypothesis for each sequence. A label starts and ends at the step that wrote it; `log_prob` is that of this
        alignment alone.

    Raises:
        DataError: inputs that do not fit; a step without probabilities.
        ConfigurationError: an option is out of range.
    """
    check_count(most_per_step, "most_per_step", who="transducer_greedy")
    heard, kept = transducer.hear(x, lengths)
    ends = kept.tolist()
    paths = _Paths(transducer, len(ends), most_per_step)
    for t in range(max(ends)):
        paths.step(heard[t], [b for b, end in enumerate(ends) if t < end])
    return paths.hypotheses()


class TransducerStream:
    """Greedy decoding of one sequence whose steps come bit by bit, out of an encoder that does not look ahead.

    Args:
        transducer: the network, in evaluation mode.
        most_per_step: as of `transducer_greedy`, whose labels come out.

    Raises:
        ConfigurationError: an option is out of range.
    """

    def __init__(self, transducer: Transducer, *, most_per_step: int = 10) -> None:
        check_count(most_per_step, "most_per_step", who="TransducerStream")
        self._transducer = transducer
        with torch.no_grad():
            self._paths = _Paths(transducer, 1, most_per_step)

    @torch.no_grad()
    def feed(self, encoded: Tensor) -> None:
        """Take the next steps, any number of them.

        Args:
            encoded: outputs of the encoder `[T, E]`, such as those of a layer's `stream()`.

        Raises:
            DataError: they are not of this shape, or a step has no probabilities.
        """
        if encoded.dim() != 2:
            raise DataError(f"TransducerStream: expected outputs [T, E] of one sequence, got {list(encoded.shape)}")
        for row in self._transducer.joint.heard(encoded):
            self._paths.step(row[None], [0])

    def best(self) -> Hypothesis:
        """The labels so far; none of them will change."""
        return self._paths.hypotheses()[0]


class _Paths:
    """The path of each of B sequences, and where the prediction network stands after it."""

    def __init__(self, transducer: Transducer, batch: int, most_per_step: int) -> None:
        self.transducer, self.most_per_step = transducer, most_per_step
        output, self.state = transducer.prediction.begin(batch)
        self.written = transducer.joint.written(output)
        self.labels: list[list[int]] = [[] for _ in range(batch)]
        self.steps: list[list[int]] = [[] for _ in range(batch)]
        self.log_probs = [0.0] * batch
        self.count = 0

    def step(self, heard: Tensor, going: list[int]) -> None:
        """Take one step: features `[B, J]`, of the sequences that have not ended."""
        for written in range(self.most_per_step + 1):
            log_probs = self._log_probs(heard, going)
            best = log_probs.argmax(1)
            if written == self.most_per_step:
                best.fill_(self.transducer.blank)
            scores = log_probs.gather(1, best[:, None])[:, 0].tolist()
            more = []
            for b, label, score in zip(going, best.tolist(), scores, strict=True):
                self.log_probs[b] += score
                if label != self.transducer.blank:
                    self.labels[b].append(label)
                    self.steps[b].append(self.count)
                    more.append(b)
            if not more:
                break
            going = more
            self._go_on(torch.tensor(going, device=heard.device))
        self.count += 1

    def hypotheses(self) -> list[Hypothesis]:
        """The labels so far, of each sequence."""
        return [
            Hypothesis(tuple(labels), log_prob, log_prob, tuple(steps), tuple(step + 1 for step in steps))
            for labels, steps, log_prob in zip(self.labels, self.steps, self.log_probs, strict=True)
        ]

    def _log_probs(self, heard: Tensor, going: list[int]) -> Tensor:
        """Of all labels, float64 `[B, V]`."""
        chosen = torch.tensor(going, device=heard.device)
        found = self.transducer.joint(heard[chosen], self.written[chosen]).double().log_softmax(1)
        bad = found.isnan().any(1).nonzero()
        if len(bad):
            raise not_numbers(going[int(bad[0])], self.count)
        return found

    def _go_on(self, chosen: Tensor) -> None:
        """Tell the prediction network the last label of some sequences."""
        labels = torch.tensor([self.labels[b][-1] for b in chosen.tolist()], device=chosen.device)
        before: State = tuple(part.index_select(1, chosen) for part in self.state)
        output, after = self.transducer.prediction.step(labels, before)
        self.written = self.written.index_copy(0, chosen, self.transducer.joint.written(output))
        self.state = tuple(old.index_copy(1, chosen, new) for old, new in zip(self.state, after, strict=True))
