"""The all-blank plateau, on which a network has learnt to say nothing.

Early in training, blank at every step is the best answer that does not look at the input: it is part of every
alignment. The loss then falls to about what that costs and stays, for a while or for good (Graves et al. 2006 begin
from there; Zeyer, Schlüter & Ney 2021, "Why does CTC result in peaky behavior?", say why).

Legend: T steps, B batch, V labels with the blank among them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gatewise.errors import ConfigurationError
from gatewise.tasks.ctc.options import check_blank, check_count, is_number
from gatewise.tasks.ctc.pairs import Lengths, as_lengths, check_logits

# As `benchmarks/plateau.py` finds them; what did not help there is not advised here.
REMEDIES = (
    "Many networks leave it by themselves, and suddenly, after more steps. What shortens the wait: fewer steps a "
    "sequence, by joining neighbouring frames (a transcriber's subsampling=4); inputs of mean 0 and deviation 1; "
    "smaller batches, which are more steps an epoch; blank_penalty=1 in the loss of the first epochs; a learning rate "
    "that is not too low."
)


@dataclass(frozen=True)
class Emission:
    """What best paths are made of; of several batches the sum.

    Attributes:
        labels: how many labels they are, without blanks and repeats.
        blanks: how many of their steps are blank.
        steps: how many steps they have.
    """

    labels: int = 0
    blanks: int = 0
    steps: int = 0

    def __add__(self, other: "Emission") -> "Emission":
        return Emission(self.labels + other.labels, self.blanks + other.blanks, self.steps + other.steps)


def emission(logits: Tensor, lengths: Lengths | None = None, *, blank: int = 0) -> Emission:
    """Count what the best paths of a batch are made of, without decoding it.

    Args:
        logits: `[T, B, V]`, or `[T, V]` for one sequence.
        lengths: how many steps each sequence has; None for all T.
        blank: the number of the blank.

    Raises:
        DataError: logits or lengths do not fit.
        ConfigurationError: the blank is no label.

    >>> emission(torch.eye(3)[[0, 1, 1, 0, 2]])
    Emission(labels=2, blanks=2, steps=5)
    """
    rows = check_logits(logits, who="emission").detach()
    steps, batch, labels = rows.shape
    check_blank(blank, labels, who="emission")
    ends = as_lengths(lengths, steps, batch, "lengths", who="emission").to(rows.device)
    path = rows.argmax(dim=2)
    real = torch.arange(steps, device=rows.device).unsqueeze(1) < ends
    said = (path != blank) & real
    new = said.clone()
    new[1:] &= path[1:] != path[:-1]
    return Emission(int(new.sum()), int((real & ~said).sum()), int(real.sum()))


class BlankPlateau:
    """Watches the epochs of a training run and says when it is on the all-blank plateau, and when it has left it.

    A run is on it when, over `patience` epochs, best paths have fewer than `emitted` of the labels that they should
    have, and the loss has fallen by less than `improvement` of itself. (A share of blanks alone tells nothing: of 500
    steps with five labels all but five may be blank in a perfect answer.)

    Args:
        patience: over how many epochs.
        emitted: a share of the labels.
        improvement: a share of the loss.

    Attributes:
        epochs: how many epochs it has seen.
        since: the first epoch on the plateau, counted from 1; None while the run is not on it.

    Raises:
        ConfigurationError: an option is out of range.

    >>> watch = BlankPlateau(patience=2)
    >>> watch.observe(loss=3.1, emission=Emission(labels=0, blanks=100, steps=100), expected=10)
    >>> print(watch.observe(loss=3.1, emission=Emission(labels=0, blanks=100, steps=100), expected=10))
    Epochs 1 to 2 were on the all-blank plateau: the blank is the likeliest label at 100.0% of steps, 0 of 10 ...
    >>> print(watch.observe(loss=2.5, emission=Emission(labels=4, blanks=90, steps=100), expected=10))
    Epoch 3 has left the all-blank plateau: 4 of 10 labels are written.
    """

    def __init__(self, *, patience: int = 3, emitted: float = 0.05, improvement: float = 0.02) -> None:
        check_count(patience, "patience", who="BlankPlateau")
        for name, share in (("emitted", emitted), ("improvement", improvement)):
            if not is_number(share) or not 0 < share < 1:
                raise ConfigurationError(f"BlankPlateau: {name} is {share!r}, expected a share between 0 and 1")
        self.patience = patience
        self.emitted = emitted
        self.improvement = improvement
        self.epochs = 0
        self.since: int | None = None
        self._silent: list[float] = []  # losses of the epochs since labels were last written

    def observe(self, *, loss: float, emission: Emission, expected: int) -> str | None:
        """Take note of an epoch.

        Args:
            loss: the mean loss, of training or of validation, but always of the same.
            emission: what best paths were made of, at best on validation.
            expected: how many labels their targets have.

        Returns:
            What there is to say: once when the plateau is recognised, with what to do, and once when it is left.
        """
        self.epochs += 1
        if emission.labels >= self.emitted * expected:
            left = self.since is not None
            self.since = None
            self._silent.clear()
            written = f"{emission.labels} of {expected} labels are written"
            return f"Epoch {self.epochs} has left the all-blank plateau: {written}." if left else None
        self._silent.append(loss)
        recent = self._silent[-self.patience :]
        if self.since is not None or len(recent) < self.patience:
            return None
        # At a patience of 1 there is no earlier loss to have fallen from.
        if self.patience > 1 and recent[0] - recent[-1] >= self.improvement * abs(recent[0]):
            return None
        self.since = self.epochs - self.patience + 1
        blanks = emission.blanks / emission.steps if emission.steps else 1.0
        return (
            f"Epochs {self.since} to {self.epochs} were on the all-blank plateau: the blank is the likeliest label at "
            f"{blanks:.1%} of steps, {emission.labels} of {expected} labels are written, and the loss went from "
            f"{recent[0]:.4g} to {recent[-1]:.4g}. {REMEDIES}"
        )
