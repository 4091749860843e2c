"""The networks that make up a transducer.

Legend: T steps, B batch, X input features, U labels of the longest target, V labels with the blank among them, E
outputs of the encoder, P of the prediction network.
"""

import copy
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.errors import ConfigurationError, DataError
from gatewise.nn import GRU, LSTM, RNN, Recurrent
from gatewise.tasks.ctc.options import check_blank
from gatewise.tasks.ctc.pairs import Lengths, Targets, as_lengths, as_targets, padded, read_pairs
from gatewise.tasks.transducer.joint import Joint
from gatewise.tasks.transducer.loss import Reduction, transducer_loss

State = Any  # the states of an LSTM, `(h, c)`


class Encoder(Protocol):
    """What a transducer hears with: any module that is called so, of recurrent, convolutional or other layers."""

    def __call__(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs `[T', B, E]` of inputs `[T, B, X]`, and their lengths `[B]`: shorter, where it pools."""
        ...


class LayerEncoder(nn.Module):
    """A layer of this library as an encoder.

    Args:
        layer: such as `LSTM` (bidirectional, several layers); time comes first in what it is given.
    """

    def __init__(self, layer: LSTM | GRU | RNN | Recurrent) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs `[T, B, E]` and the lengths; see `Encoder`."""
        return self.layer(x, lengths=lengths)[0], lengths


class PredictionNetwork(nn.Module):
    """An LSTM that reads what was written, one label after the other (Graves 2012, section 2.1).

    Args:
        labels: V.
        hidden_size: P.
        num_layers: of the LSTM.
        embedding_size: of the vector that stands for a label; the one before the first label is all zeros, as in the
            paper, whose vectors have a 1 for each label instead.
        dropout: between layers, as of `LSTM`.
        blank: the number of the blank.

    >>> network = PredictionNetwork(5, hidden_size=4)
    >>> network(torch.tensor([[1, 2, 3]])).shape
    torch.Size([4, 1, 4])
    """

    def __init__(
        self,
        labels: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        embedding_size: int = 64,
        dropout: float = 0.0,
        blank: int = 0,
    ) -> None:
        super().__init__()
        self.labels = labels
        self.blank = check_blank(blank, labels, who="PredictionNetwork")
        self.embedding = nn.Embedding(labels, embedding_size, padding_idx=blank)
        self.lstm = LSTM(embedding_size, hidden_size, num_layers, dropout=dropout)

    def forward(self, targets: Tensor) -> Tensor:
        """Outputs before the first label and after each: `[U + 1, B, P]`.

        Args:
            targets: int64 `[B, U]`, padded with anything.
        """
        begin = targets.new_full((len(targets), 1), self.blank)
        return self.lstm(self.embedding(torch.cat([begin, targets], 1).T))[0]

    def begin(self, batch: int) -> tuple[Tensor, State]:
        """Outputs `[B, P]` before the first label, and the states."""
        return self.step(torch.full((batch,), self.blank, device=self.embedding.weight.device), None)

    def step(self, labels: Tensor, state: State) -> tuple[Tensor, State]:
        """Outputs `[B, P]` after one more label each, int64 `[B]`, and the states."""
        output, state = self.lstm(self.embedding(labels)[None], state)
        return output[0], state


class NextLabel(nn.Module):
    """A prediction network with an output layer: a language model, by which it is trained before it joins a transducer.

    Args:
        prediction: the network.
    """

    def __init__(self, prediction: PredictionNetwork) -> None:
        super().__init__()
        self.prediction = prediction
        self.output = nn.Linear(prediction.lstm.hidden_size, prediction.labels)

    def forward(self, targets: Targets, lengths: Lengths | None = None) -> Tensor:
        """The mean cross-entropy of the next label, in nats a label; the blank stands for the end of a target.

        Args:
            targets: as in `transducer_loss`.
            lengths: how many labels each has; None where the targets tell it themselves.

        Raises:
            DataError: targets that do not fit.
        """
        blank = self.prediction.blank
        rows, lengths = _rows(targets, lengths, self.prediction.labels, blank, self.output.weight.device)
        wanted = torch.cat([rows, rows.new_zeros(len(rows), 1)], 1)
        wanted[torch.arange(len(rows)), lengths] = blank
        inside = torch.arange(wanted.shape[1], device=rows.device) <= lengths[:, None]
        logits = self.output(self.prediction(rows)).transpose(0, 1)
        return functional.cross_entropy(logits[inside], wanted[inside])


class Transducer(nn.Module):
    """An encoder that hears, a network that knows what was written, and a joint network that says what comes next.

    Unlike CTC it does not take labels for independent of one another given the input, and may write several labels in
    one step. Initialised with an encoder that was trained with CTC and a prediction network that was trained as a
    language model it is the "PreTrans" of Graves, Mohamed & Hinton (2013, section 3.2): `from_pretrained`.

    Args:
        encoder: see `Encoder`.
        prediction: of the same labels as the joint network.
        joint: `AdditiveJoint` or `TanhJoint`.

    Raises:
        ConfigurationError: the parts have different labels.
    """

    def __init__(self, encoder: nn.Module, prediction: PredictionNetwork, joint: Joint) -> None:
        super().__init__()
        if prediction.labels != joint.labels:
            raise ConfigurationError(
                f"Transducer: the prediction network has {prediction.labels} labels and the joint network "
                f"{joint.labels}; expected the same"
            )
        self.encoder = encoder
        self.prediction = prediction
        self.joint = joint

    @classmethod
    def from_pretrained(cls, encoder: nn.Module, language_model: NextLabel, joint: Joint) -> "Transducer":
        """From a trained encoder and a trained language model, which are copied; the joint network is as it is.

        As in the paper, what these were trained with as their output layers is left out.

        Args:
            encoder: what was trained below the output layer of a CTC network.
            language_model: whose prediction network is taken.
            joint: as in the constructor.

        Raises:
            ConfigurationError: the parts have different labels.
        """
        return cls(copy.deepcopy(encoder), copy.deepcopy(language_model.prediction), joint)

    @property
    def blank(self) -> int:
        """The number of the blank."""
        return self.prediction.blank

    def hear(self, x: Tensor, lengths: Lengths | None = None) -> tuple[Tensor, Tensor]:
        """The joint network's features of inputs `[T, B, X]`: `[T', B, J]`, and their lengths `[B]`.

        Raises:
            DataError: inputs or lengths that do not fit.
        """
        if x.dim() != 3:
            raise DataError(f"Transducer: expected inputs [T, B, X], got {list(x.shape)}")
        given = as_lengths(lengths, x.shape[0], x.shape[1], "lengths", who="Transducer").cpu()
        if len(given) == 0 or int(given.min()) < 1 or int(given.max()) > len(x):
            raise DataError(f"Transducer: expected lengths from 1 to T = {len(x)}, got {given.tolist()[:10]}")
        encoded, kept = self.encoder(x, given)
        return self.joint.heard(encoded), kept

    def forward(
        self,
        x: Tensor,
        targets: Targets,
        input_lengths: Lengths | None = None,
        target_lengths: Lengths | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """The loss; see `transducer_loss`.

        Args:
            x: inputs `[T, B, X]`.
            targets: the labels.
            input_lengths: how many steps each input has; None for all T.
            target_lengths: how many labels each target has; None where the targets tell it themselves.
            reduction: "none", "mean" or "sum".

        Raises:
            DataError: tensors that do not fit.
        """
        heard, lengths = self.hear(x, input_lengths)
        rows, counts = _rows(targets, target_lengths, self.joint.labels, self.blank, heard.device, x.shape[1])
        written = self.joint.written(self.prediction(rows))
        return transducer_loss(self.joint, heard, written, rows, lengths, counts, self.blank, reduction)


def _rows(
    targets: Targets, lengths: Lengths | None, labels: int, blank: int, device: torch.device, batch: int | None = None
) -> tuple[Tensor, Tensor]:
    """Targets as int64 `[B, U]`, 0 beyond their ends, and their lengths `[B]`, on a device; checked."""
    who = "Transducer"
    if batch is None:
        batch = len(targets) if lengths is None else torch.as_tensor(lengths).numel()
    flat, counts = as_targets(targets, lengths, batch, who=who)
    read_pairs((0, batch, labels), flat, torch.zeros(batch, dtype=torch.int64), counts, blank, who=who)
    return padded(flat, counts).to(device), counts.to(device)
