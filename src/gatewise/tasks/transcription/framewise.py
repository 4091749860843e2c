"""Networks that name every frame: training by cross-entropy, the error rate, and likelihoods for a hybrid recogniser.

Legend: S sequences, T frames, B batch, X features of a frame, V labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.data import Ragged
from gatewise.data.batches import by_length, shuffled_batches
from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.transcription.network import TranscriberNetwork
from gatewise.training import TrainingOptions, TrainingResult, train

POOL = 16  # batches that are cut from one draw of sequences, sorted by length
PREDICTION_BATCH, PREDICTION_FRAMES = 32, 2**16
PADDING = -100  # a label that counts nowhere


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """S sequences with a label for each of their frames, such as `gatewise.data.speech.framewise` gives them.

    Attributes:
        frames: of each sequence `[T, X]`.
        labels: of each sequence int64 `[T]`, from 0 on.
        names: what messages call each sequence.

    Raises:
        DataError: not labels for each sequence, or not one for each frame; labels below 0.
    """

    frames: Ragged
    labels: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.frames) == len(self.labels) == len(self.names):
            raise DataError(
                f"expected labels and a name for each of {len(self.frames)} sequences, got {len(self.labels)} and "
                f"{len(self.names)}"
            )
        for name, length, labels in zip(self.names, self.frames.lengths, self.labels, strict=True):
            if labels.shape != (length,) or labels.dtype != np.int64:
                raise DataError(
                    f"{name}: expected a label for each of its {length} frames, int64 [{length}], got {labels.dtype} "
                    f"{list(labels.shape)}"
                )
            if labels.min() < 0:
                raise DataError(f"{name}: frame {int(labels.argmin())} has the label {labels.min()}, expected 0 on")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def count(self) -> int:
        """How many labels there are at least: one more than the highest."""
        return 1 + max(int(labels.max()) for labels in self.labels)

    def pad(self, indices: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Some side by side: frames float32 `[T, B, X]`, lengths `[B]`, and labels `[T, B]`, -100 beyond the end."""
        frames, lengths = self.frames.pad(indices)
        labels = [torch.from_numpy(self.labels[i]) for i in indices]
        padded = nn.utils.rnn.pad_sequence(labels, padding_value=PADDING)
        return torch.from_numpy(frames.astype(np.float32, copy=False)), torch.from_numpy(lengths), padded


@dataclass(frozen=True, eq=False)
class FramewiseBatch:
    """Frames `[T, B, X]`, `lengths` `[B]` and `labels` `[T, B]` of B sequences, and their places in the data."""

    frames: Tensor
    lengths: Tensor
    labels: Tensor
    indices: np.ndarray


class FramewiseObjective:
    """The cross-entropy of a network's labels over all frames; the error rate of frames on validation sequences.

    Args:
        module: the network, without subsampling.
        training: sequences to train with.
        validation: sequences that choose the best epoch; None for none.
        batch_size: sequences of a batch.
        noise: standard deviation of normal noise on the standardised frames in training (Graves & Schmidhuber 2005 have
            0.6).
        seed: of the order of sequences and the noise.
    """

    def __init__(
        self,
        module: TranscriberNetwork,
        training: LabelledFrames,
        validation: LabelledFrames | None,
        *,
        batch_size: int,
        noise: float,
        seed: int,
    ) -> None:
        self.module = module
        self.batches_per_epoch = -(-len(training) // batch_size)
        self._training, self._validation = training, validation
        self._batch_size, self._noise, self._seed = batch_size, noise, seed
        self._device = next(module.parameters()).device

    def batches(self, epoch: int) -> Iterator[FramewiseBatch]:
        """All training sequences in a new order, in batches of similar length."""
        rng = np.random.default_rng([self._seed, epoch])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        scale = self._noise * self.module.scale.cpu()
        for indices in shuffled_batches(self._training.frames.lengths, self._batch_size, POOL, rng):
            frames, lengths, labels = self._training.pad(indices)
            if self._noise:
                frames = frames + scale * torch.randn(frames.shape, generator=generator)
            yield FramewiseBatch(frames.to(self._device), lengths, labels.to(self._device), indices)

    def loss(self, batch: FramewiseBatch) -> Tensor:
        """The mean over all frames of the batch, in nats."""
        logits, _ = self.module(batch.frames, batch.lengths)
        return functional.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=PADDING)

    def validate(self) -> dict[str, float]:
        """The error rate of frames on the validation sequences."""
        return {} if self._validation is None else {"frame_error": frame_error_rate(self.module, self._validation)}

    def describe(self, batch: FramewiseBatch) -> str:
        """The names of a batch's sequences."""
        return ", ".join(self._training.names[i] for i in batch.indices[:8])


def train_framewise(
    network: TranscriberNetwork,
    training: LabelledFrames,
    validation: LabelledFrames | None,
    options: TrainingOptions,
    *,
    batch_size: int = 16,
    noise: float = 0.0,
    progress: bool = False,
) -> TrainingResult:
    """Train a network to name every frame, and leave its best weights in it.

    Args:
        network: of as many labels as there are, none of which is a blank, and without subsampling.
        training: sequences to train with.
        validation: sequences that choose the best epoch; None for none, which keeps the last.
        options: of the training loop; its seed is that of the order of sequences and the noise as well.
        batch_size: sequences of a batch.
        noise: see `FramewiseObjective`.
        progress: show a progress bar.

    Raises:
        ConfigurationError: the network joins frames, or has fewer labels than there are.
        DataError: frames have other features than the network.
        TrainingError: the loss is not finite.

    >>> from gatewise.tasks.transcription.backbones import Backbone
    >>> rng = np.random.default_rng(0)
    >>> frames = [rng.normal(size=(20, 2)) for _ in range(8)]  # the label: whether the first is the larger
    >>> labels = tuple((x[:, 0] > x[:, 1]).astype(np.int64) for x in frames)
    >>> data = LabelledFrames(Ragged.from_arrays(frames), labels, tuple("abcdefgh"))
    >>> network = TranscriberNetwork(torch.zeros(2), torch.ones(2), 2, Backbone(8, 1, True, (), ""))
    >>> options = TrainingOptions(max_epochs=40, learning_rate=0.03)
    >>> train_framewise(network, data, None, options, batch_size=4).stopped, frame_error_rate(network, data) < 0.1
    ('max_epochs', True)
    """
    if network.front.subsampling != 1:
        raise ConfigurationError(
            f"train_framewise: the network makes one step of {network.front.subsampling} frames; every frame needs one "
            "of its own: subsampling=1"
        )
    for part in (training, *(() if validation is None else (validation,))):
        if part.count > network.linear.out_features:
            raise ConfigurationError(
                f"train_framewise: the network has {network.linear.out_features} labels, the data have the label "
                f"{part.count - 1}"
            )
        if part.frames.n_channels != len(network.mean):
            raise DataError(
                f"train_framewise: frames have {part.frames.n_channels} features, those of the network "
                f"{len(network.mean)}"
            )
    objective = FramewiseObjective(network, training, validation, batch_size=batch_size, noise=noise, seed=options.seed)
    return train(objective, options, progress=progress, name="framewise")


@torch.no_grad()
def frame_labels(network: TranscriberNetwork, data: LabelledFrames) -> list[np.ndarray]:
    """The likeliest label of each frame, int64 `[T]` of each sequence; the network has to be in evaluation mode."""
    device = next(network.parameters()).device
    found = [np.empty(0, np.int64)] * len(data)
    for indices in by_length(data.frames.lengths, PREDICTION_BATCH, PREDICTION_FRAMES):
        frames, lengths, _ = data.pad(indices)
        best = network(frames.to(device), lengths)[0].argmax(2).cpu().numpy()
        for b, i in enumerate(indices):
            found[i] = best[: lengths[b], b]
    return found


def frame_error_rate(network: TranscriberNetwork, data: LabelledFrames) -> float:
    """The share of frames whose likeliest label is not theirs; the network has to be in evaluation mode."""
    found = frame_labels(network, data)
    wrong = sum(int((one != labels).sum()) for one, labels in zip(found, data.labels, strict=True))
    return wrong / int(data.frames.lengths.sum())


def scaled_log_likelihoods(logits: Tensor, counts: Tensor) -> Tensor:
    """What a hidden Markov model takes for ln p(frame | label), up to a number for each frame.

    ln p(label | frame) - ln p(label), by Bayes' rule (Bourlard & Morgan 1994, Connectionist Speech Recognition: A
    Hybrid Approach).

    Args:
        logits: of labels `[..., V]`.
        counts: how often each label is in the training data `[V]`.

    Raises:
        DataError: a label does not occur, so that nothing is known of its likelihood; not a count for each label.

    >>> scaled_log_likelihoods(torch.tensor([0.5, 0.5]).log(), torch.tensor([1.0, 3.0])).exp()
    tensor([2.0000, 0.6667])
    """
    if counts.shape != logits.shape[-1:]:
        raise DataError(f"expected a count for each of {logits.shape[-1]} labels, got {list(counts.shape)}")
    if not (counts > 0).all():
        missing = torch.nonzero(~(counts > 0)).flatten().tolist()
        raise DataError(f"the labels {', '.join(map(str, missing[:10]))} are not in the training data: leave them out")
    return logits.log_softmax(-1) - (counts / counts.sum()).log().to(logits)
