"""The likeliest label of each step, whatever follows: greedy decoding of a transducer.

Legend: T steps, B batch, J features of the joint network.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gatewise.tasks.ctc.hypothesis import Hypothesis
from gatewise.tasks.ctc.options import check_count
from gatewise.tasks.ctc.outputs import not_numbers
from gatewise.tasks.ctc.pairs import Lengths
from gatewise.tasks.transducer.network import State, Transducer


@dataclass
class _Path:
    labels: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    log_prob: float = 0.0

    def hypothesis(self) -> Hypothesis:
        ends = tuple(step + 1 for step in self.steps)
        return Hypothesis(tuple(self.labels), self.log_prob, self.log_prob, tuple(self.steps), ends)


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
    paths = [_Path() for _ in ends]
    output, state = transducer.prediction.begin(len(ends))
    written = transducer.joint.written(output)
    for t in range(max(ends)):
        going = [b for b, end in enumerate(ends) if t < end]
        for count in range(most_per_step + 1):
            chosen = torch.tensor(going, device=heard.device)
            log_probs = transducer.joint(heard[t, chosen], written[chosen]).double().log_softmax(1)
            bad = log_probs.isnan().any(1).nonzero()
            if len(bad):
                raise not_numbers(going[int(bad[0])], t)
            best = log_probs.argmax(1)
            if count == most_per_step:
                best.fill_(transducer.blank)
            scores = log_probs.gather(1, best[:, None])[:, 0].tolist()
            more = []
            for b, label, score in zip(going, best.tolist(), scores, strict=True):
                paths[b].log_prob += score
                if label != transducer.blank:
                    paths[b].labels.append(label)
                    paths[b].steps.append(t)
                    more.append(b)
            if not more:
                break
            going = more
            chosen = torch.tensor(going, device=heard.device)
            labels = torch.tensor([paths[b].labels[-1] for b in going], device=heard.device)
            output, after = transducer.prediction.step(labels, _chosen(state, chosen))
            written = written.index_copy(0, chosen, transducer.joint.written(output))
            state = tuple(old.index_copy(1, chosen, new) for old, new in zip(state, after, strict=True))
    return [path.hypothesis() for path in paths]


def _chosen(state: State, sequences: Tensor) -> State:
    return tuple(part.index_select(1, sequences) for part in state)
