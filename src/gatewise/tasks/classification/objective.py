"""What a classifier's training minimises: cross-entropy on batches of augmented sequences."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gatewise.data import Ragged
from gatewise.data.batches import Buckets, by_length
from gatewise.tasks.classification.network import ClassifierNetwork
from gatewise.training.workers import shared

# About how many batches an epoch has where the batch size is free to choose: enough steps for small sets, and
# batches large enough to be fast on large ones.
BATCHES_PER_EPOCH = 60
# Sequences and padded time steps of one batch without gradients.
PREDICTION_BATCH, PREDICTION_STEPS = 256, 2**18


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a standardised sequence that leave its class: what another sensor or person would do to it.

    Attributes:
        mixing: the channels are mixed by a random matrix near the identity, one a sequence, whose entries deviate
            with this standard deviation: rotations, shears and gains of the sensor in one.
        scaling: standard deviation of the logarithm of one factor a sequence.
        noise: standard deviation of white noise, one value a channel and step.
    """

    mixing: float
    scaling: float
    noise: float

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A changed copy of `[T, B, X]`."""
        _, batch, channels = x.shape
        if self.mixing:
            deviation = torch.randn(batch, channels, channels, generator=generator)
            # Over sqrt(X), so that what a channel takes in from all others does not grow with their number.
            matrix = torch.eye(channels) + self.mixing / math.sqrt(channels) * deviation
            x = torch.einsum("tbx,bxy->tby", x, matrix)
        if self.scaling:
            x = x * torch.exp(self.scaling * torch.randn(1, batch, 1, generator=generator))
        if self.noise:
            x = x + self.noise * torch.randn(x.shape, generator=generator)
        return x


@dataclass(frozen=True, eq=False)
class ClassifyBatch:
    """Sequences `x` `[T, B, X]` with `lengths` `[B]` (on the CPU), `targets` `[B]` and their places in the data."""

    x: Tensor
    lengths: Tensor
    targets: Tensor
    indices: np.ndarray


class ClassifyObjective:
    """Cross-entropy of a network on the training part; log loss and error on the validation part.

    Args:
        module: the network, on its device.
        inputs: S prepared sequences: scaled, without NaN, mask channels last.
        targets: class numbers `[S]`.
        training: indices of the training part.
        validation: indices of the validation part, maybe none.
        mask_channels: how many of the inputs' last channels are masks (0: missing); they are not augmented.
        augmentation: what is done to training sequences.
        class_weight: weight of each class in the loss `[K]`, or None.
        label_smoothing: the share of the target given to all classes evenly (Szegedy et al. 2016, section 7).
        batch_size: sequences a batch; None chooses.
        batch_frames: steps of a batch at most, padding included, in the place of `batch_size`; or None.
        seed: of the order of sequences and of the augmentation.
    """

    def __init__(
        self,
        module: ClassifierNetwork,
        inputs: Ragged,
        targets: np.ndarray,
        *,
        training: np.ndarray,
        validation: np.ndarray,
        mask_channels: int,
        augmentation: Augmentation,
        class_weight: Tensor | None,
        label_smoothing: float,
        batch_size: int | None,
        batch_frames: int | None,
        seed: int,
    ) -> None:
        self.module = module
        self.batch_size = default_batch_size(len(training)) if batch_size is None else batch_size
        self._buckets = None if batch_frames is None else Buckets(inputs.lengths[training], batch_frames)
        self.batches_per_epoch = math.ceil(len(training) / self.batch_size)
        if self._buckets is not None:
            self.batches_per_epoch = len(self._buckets)
        self._inputs = inputs
        self._targets = torch.as_tensor(targets)
        self._training = training
        self._validation = validation
        self._mask_channels = mask_channels
        self._augmentation = augmentation
        self._device = next(module.parameters()).device
        self._class_weight = None if class_weight is None else class_weight.to(self._device)
        self._label_smoothing = label_smoothing
        self._seed = seed

    def batches(self, epoch: int) -> Iterator[ClassifyBatch]:
        """The training part in a new order, augmented anew."""
        rng = np.random.default_rng([self._seed, epoch])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        for indices in self._indices(rng):
            padded, lengths = self._inputs.pad(indices)
            yield ClassifyBatch(
                self._augmented(torch.from_numpy(padded), generator).to(self._device),
                torch.from_numpy(lengths),
                self._targets[indices].to(self._device),
                indices,
            )

    def _indices(self, rng: np.random.Generator) -> list[np.ndarray]:
        if self._buckets is not None:
            return [self._training[places] for places in self._buckets.draw(rng)]
        order = rng.permutation(self._training)
        return [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]

    def loss(self, batch: ClassifyBatch) -> Tensor:
        """Mean cross-entropy, weighted by class."""
        logits = self.module(batch.x, batch.lengths)
        return functional.cross_entropy(
            logits, batch.targets, weight=self._class_weight, label_smoothing=self._label_smoothing
        )

    def divide(self, batch: ClassifyBatch, parts: int) -> list[ClassifyBatch]:
        """Groups of its sequences, no longer than their longest one."""
        places = torch.arange(len(batch.lengths)).tensor_split(min(parts, len(batch.lengths)))
        return [
            ClassifyBatch(
                batch.x[: max(int(batch.lengths[part].max()), 1), part], batch.lengths[part],
                batch.targets[part.to(self._device)], batch.indices[part.numpy()],
            )
            for part in places
        ]  # fmt: skip

    def weight(self, batch: ClassifyBatch) -> float:
        """The sum of its classes' weights."""
        if self._class_weight is None:
            return float(len(batch.targets))
        return self._class_weight[batch.targets].sum().item()

    def validate(self) -> dict[str, float]:
        """Log loss (weighted by class) and error rate of the validation part."""
        if len(self._validation) == 0:
            return {}
        logits = run_network(self.module, self._inputs.select(self._validation))
        targets = self._targets[self._validation]
        weight = None if self._class_weight is None else self._class_weight.cpu()
        return {
            "log_loss": functional.cross_entropy(logits, targets, weight=weight).item(),
            "error": (logits.argmax(-1) != targets).double().mean().item(),
        }

    @torch.no_grad()
    def describe(self, batch: ClassifyBatch) -> str:
        """The places in the training data of a batch's sequences; of those without finite logits where there are."""
        bad = ~self.module(batch.x, batch.lengths).isfinite().all(-1).cpu().numpy()
        indices = batch.indices[bad] if bad.any() else batch.indices
        shown = ", ".join(str(i) for i in indices[:8])
        return f"sequences {shown}{', ...' if len(indices) > 8 else ''} (counted from 0)"

    def _augmented(self, x: Tensor, generator: torch.Generator) -> Tensor:
        if self._mask_channels == 0:
            return self._augmentation.apply(x, generator)
        values, mask = x[..., : -self._mask_channels], x[..., -self._mask_channels :]
        # Where nothing was measured nothing may be added: mixing and noise would turn missing values into data.
        return torch.cat([self._augmentation.apply(values, generator) * mask, mask], dim=-1)


def default_batch_size(sequences: int) -> int:
    """The power of two that gives about 60 batches an epoch, from 16 to 128.

    >>> [default_batch_size(count) for count in (30, 2000, 100_000)]
    [16, 32, 128]
    """
    return 2 ** min(max(round(math.log2(sequences / BATCHES_PER_EPOCH)), 4), 7)


@torch.no_grad()
def run_network(network: ClassifierNetwork, inputs: Ragged) -> Tensor:
    """Logits `[S, K]` of prepared sequences on the CPU, float32; the network must be in evaluation mode."""
    device = next(network.parameters()).device
    logits = torch.empty(len(inputs), network.linear.out_features)
    batches = list(by_length(inputs.lengths, PREDICTION_BATCH, PREDICTION_STEPS))

    def compute(indices: np.ndarray) -> tuple[Tensor]:
        padded, lengths = inputs.pad(indices)
        return (network(torch.from_numpy(padded).to(device), torch.from_numpy(lengths)).cpu(),)

    for indices, (found,) in zip(batches, shared(batches, compute), strict=True):
        logits[indices] = found
    return logits
