"""Joint networks: from what is heard and what was written to the probabilities of what comes next.

Legend: T steps, U labels of a target, V labels with the blank among them, E outputs of the encoder, P of the prediction
network, J features in which they meet.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gatewise.errors import ConfigurationError

LARGEST = 1 << 20  # elements of the largest tensor over labels that is made: 4 MB of float32
SMALLEST = 1e-280  # sums of exponentials that are smaller may have lost summands


class Joint(nn.Module, ABC):
    """Distributions over V labels at each step after each number of labels.

    Args:
        labels: V.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.labels = labels

    @abstractmethod
    def heard(self, encoded: Tensor) -> Tensor:
        """Outputs of the encoder `[..., E]` as features `[..., J]`."""

    @abstractmethod
    def written(self, predicted: Tensor) -> Tensor:
        """Outputs of the prediction network `[..., P]` as features `[..., J]`."""

    @abstractmethod
    def forward(self, heard: Tensor, written: Tensor) -> Tensor:
        """Logits `[..., V]` of features `[..., J]`, which broadcast."""

    def scores(self, heard: Tensor, written: Tensor, target: Tensor, blank: int) -> tuple[Tensor, Tensor]:
        """What the loss needs to know of one sequence: never all labels at once.

        Logits are made for some steps at a time, `LARGEST` at most, and made once more in the backward; in between
        nothing is kept of them.

        Args:
            heard: features `[T, J]`.
            written: features `[U + 1, J]`.
            target: int64 `[U]`.
            blank: the number of the blank.

        Returns:
            ln probability of the blank, `[T, U + 1]`, and of the target's next label, `[T, U]`.
        """
        size = max(1, LARGEST // (self.labels * len(written)))
        parts = []
        for some in heard.split(size):
            if torch.is_grad_enabled():
                parts.append(
                    checkpoint(self._some, some, written, target, blank, use_reentrant=False, preserve_rng_state=False)
                )
            else:
                parts.append(self._some(some, written, target, blank))
        blanks, labels = zip(*parts, strict=True)
        return torch.cat(blanks), torch.cat(labels)

    def _some(self, heard: Tensor, written: Tensor, target: Tensor, blank: int) -> tuple[Tensor, Tensor]:
        logits = self(heard[:, None], written[None])
        totals = logits.logsumexp(2)
        rows = target.expand(len(heard), -1)[:, :, None]
        return logits[:, :, blank] - totals, logits[:, :-1].gather(2, rows)[:, :, 0] - totals[:, :-1]


class AdditiveJoint(Joint):
    """The sum of one logit for each label from either side: Graves (2012), section 2.3.

    The sum over labels is a product of matrices, exp(f) exp(g)^T, so that nothing over all of T, U and V is ever made,
    not even for some steps.

    Args:
        encoder_size: E.
        prediction_size: P.
        labels: V, which is J here.

    >>> joint = AdditiveJoint(3, 4, labels=5)
    >>> joint(joint.heard(torch.zeros(7, 1, 3)), joint.written(torch.zeros(2, 4))).shape
    torch.Size([7, 2, 5])
    """

    def __init__(self, encoder_size: int, prediction_size: int, labels: int) -> None:
        super().__init__(labels)
        self.from_encoder = nn.Linear(encoder_size, labels)
        self.from_prediction = nn.Linear(prediction_size, labels)

    def heard(self, encoded: Tensor) -> Tensor:
        """f of the paper, `[..., V]`."""
        return self.from_encoder(encoded)

    def written(self, predicted: Tensor) -> Tensor:
        """g of the paper, `[..., V]`."""
        return self.from_prediction(predicted)

    def forward(self, heard: Tensor, written: Tensor) -> Tensor:
        """Logits `[..., V]`."""
        return heard + written

    def scores(self, heard: Tensor, written: Tensor, target: Tensor, blank: int) -> tuple[Tensor, Tensor]:
        """See `Joint`; in float64."""
        f, g = heard.double(), written.double()
        highest_f, highest_g = f.detach().amax(1, keepdim=True), g.detach().amax(1, keepdim=True)
        sums = (f - highest_f).exp() @ (g - highest_g).exp().T
        # Both sides may be sure of different labels; beyond 600 nats the product has lost the rest.
        if float(sums.detach().min()) < SMALLEST:
            return super().scores(f, g, target, blank)
        totals = sums.log() + highest_f + highest_g.T
        blanks = f[:, blank, None] + g[:, blank] - totals
        own = g[:-1].gather(1, target[:, None])[:, 0]
        return blanks, f[:, target] + own - totals[:, :-1]


class TanhJoint(Joint):
    """A hidden layer over both: Graves, Mohamed & Hinton (2013), section 3.2, its two linear maps of l as one.

    Args:
        encoder_size: E.
        prediction_size: P.
        labels: V.
        hidden: J.

    Raises:
        ConfigurationError: no hidden units.

    >>> joint = TanhJoint(3, 4, labels=5, hidden=6)
    >>> joint(joint.heard(torch.zeros(7, 1, 3)), joint.written(torch.zeros(2, 4))).shape
    torch.Size([7, 2, 5])
    """

    def __init__(self, encoder_size: int, prediction_size: int, labels: int, hidden: int) -> None:
        super().__init__(labels)
        if hidden < 1:
            raise ConfigurationError(f"TanhJoint: hidden is {hidden}, expected a whole number from 1 on")
        self.from_encoder = nn.Linear(encoder_size, hidden)
        self.from_prediction = nn.Linear(prediction_size, hidden, bias=False)
        self.output = nn.Linear(hidden, labels)

    def heard(self, encoded: Tensor) -> Tensor:
        """The encoder's part of the net inputs, `[..., J]`."""
        return self.from_encoder(encoded)

    def written(self, predicted: Tensor) -> Tensor:
        """The prediction network's part of the net inputs, `[..., J]`."""
        return self.from_prediction(predicted)

    def forward(self, heard: Tensor, written: Tensor) -> Tensor:
        """Logits `[..., V]`."""
        return self.output(torch.tanh(heard + written))
