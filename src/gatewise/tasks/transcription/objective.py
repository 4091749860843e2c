"""What a transcriber's training minimises: connectionist temporal classification on batches of similar length.

Legend: T frames or steps, B batch, X features of a frame, V labels with the blank among them.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewise.data.batches import Buckets, by_length, shuffled_batches
from gatewise.tasks.ctc import BlankPlateau, Emission, ctc_loss, emission, greedy
from gatewise.tasks.error_rates import sum_of_edits
from gatewise.tasks.transcription.augment import Augmentation
from gatewise.tasks.transcription.examples import Examples, steps_needed
from gatewise.tasks.transcription.networks import Network
from gatewise.training.progress import counted
from gatewise.training.workers import shared

# Steps over which the penalty of blanks falls to 0, at most, and as a share of all. With it a small set (60 lines of 2
# to 5 letters) left the all-blank plateau within 75 steps, without it after 120 to 285 steps or not at all.
PENALISED, SHARE = 200, 0.25
PATIENCE = 600  # steps on the plateau after which it is said
POOL = 16  # batches that are cut from one draw of sequences, sorted by length
# Sequences and padded frames of one batch without gradients.
PREDICTION_BATCH, PREDICTION_FRAMES = 32, 2**16


@dataclass(frozen=True, eq=False)
class TranscribeBatch:
    """Frames `[T, B, X]` with `lengths` `[B]` (on the CPU), the labels of each, their places in the data, and what a
    blank costs, in nats.
    """

    frames: Tensor
    lengths: Tensor
    targets: list[Sequence[int]]
    indices: np.ndarray
    blank_penalty: float


class TranscribeObjective:
    """The loss of a network on the training part; label error rate and loss on the validation part.

    It watches for the all-blank plateau, and warns when training is on it.

    Args:
        module: the network, on its device.
        examples: S sequences.
        targets: the labels of each, from 1 on.
        training: places of the training part.
        validation: places of the validation part, maybe none.
        augmentation: what is done to training sequences.
        blank_penalty: what a blank costs in the first step's loss, in nats; it falls to 0 within the first quarter.
        max_epochs: of the training.
        batch_size: sequences of a batch.
        batch_frames: frames of a batch at most, padding included, in the place of `batch_size`; or None.
        seed: of the order of sequences and of the augmentation.

    The attribute `said` is what there was to say of the plateau, in sentences.
    """

    def __init__(
        self,
        module: Network,
        examples: Examples,
        targets: Sequence[Sequence[int]],
        *,
        training: np.ndarray,
        validation: np.ndarray,
        augmentation: Augmentation,
        blank_penalty: float,
        max_epochs: int,
        batch_size: int,
        batch_frames: int | None,
        seed: int,
    ) -> None:
        self.module = module
        lengths = examples.frames.lengths[training]
        self._buckets = None if batch_frames is None else Buckets(lengths, batch_frames)
        self.batches_per_epoch = -(-len(training) // batch_size) if self._buckets is None else len(self._buckets)
        self._examples = examples
        self._targets = targets
        self._least = np.array([module.front.subsampling * steps_needed(labels) for labels in targets])
        self._training = training
        self._validation = validation
        self._augmentation = augmentation
        self._blank_penalty = blank_penalty
        self._penalised = min(PENALISED, SHARE * max_epochs * self.batches_per_epoch)
        self._batch_size = batch_size
        self._seed = seed
        self._device = next(module.parameters()).device
        self._expected = sum(len(targets[i]) for i in validation)
        self._watch = self._new_watch()
        self._watched: list[list[float]] = []  # of each epoch the loss, and labels, blanks and steps of best paths
        self.said: list[str] = []  # what there was to say of the plateau

    def batches(self, epoch: int) -> Iterator[TranscribeBatch]:
        """The training part in a new order, changed anew."""
        rng = np.random.default_rng([self._seed, epoch])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        mean, scale = self.module.mean.cpu(), self.module.scale.cpu()
        before = (epoch - 1) * self.batches_per_epoch
        for step, places in enumerate(self._places(rng), before):
            indices = self._training[places]
            frames, sizes = self._examples.pad(indices)
            least = torch.from_numpy(np.minimum(self._least[indices], sizes.numpy()))
            frames, sizes = self._augmentation.apply(frames, sizes, least, mean, scale, generator)
            penalty = self._blank_penalty * max(0.0, 1 - step / self._penalised)
            targets = [self._targets[i] for i in indices]
            yield TranscribeBatch(frames.to(self._device), sizes, targets, indices, penalty)

    def _places(self, rng: np.random.Generator) -> list[np.ndarray]:
        if self._buckets is not None:
            return self._buckets.draw(rng)
        return shuffled_batches(self._examples.frames.lengths[self._training], self._batch_size, POOL, rng)

    def loss(self, batch: TranscribeBatch) -> Tensor:
        """Mean of each sequence's loss per label of its target, in nats."""
        logits, steps = self.module(batch.frames, batch.lengths)
        return ctc_loss(logits, batch.targets, steps, blank_penalty=batch.blank_penalty)

    def divide(self, batch: TranscribeBatch, parts: int) -> list[TranscribeBatch]:
        """Groups of its sequences, no longer than their longest one."""
        return [
            TranscribeBatch(
                batch.frames[: max(int(batch.lengths[part].max()), 1), part],
                batch.lengths[part],
                [batch.targets[i] for i in part],
                batch.indices[part],
                batch.blank_penalty,
            )
            for part in np.array_split(np.arange(len(batch.targets)), min(parts, len(batch.targets)))
        ]

    def weight(self, batch: TranscribeBatch) -> float:
        """The number of its sequences."""
        return float(len(batch.targets))

    def validate(self) -> dict[str, float]:
        """The label error rate of best paths, and the mean loss per label, on the validation part."""
        if len(self._validation) == 0:
            return {}
        targets = [self._targets[i] for i in self._validation]
        rows = run_network(self.module, self._examples.select(self._validation))
        losses = [ctc_loss(row, [labels]).item() for row, labels in zip(rows, targets, strict=True)]
        found = [greedy(row)[0].labels for row in rows]
        written = sum((emission(row) for row in rows), start=Emission())
        loss = float(np.mean(losses))
        self._look([loss, written.labels, written.blanks, written.steps], warn=True)
        return {"error_rate": sum_of_edits(targets, found).rate, "ctc_loss": loss}

    def gathered(self) -> dict[str, Tensor]:
        """What the watch over the plateau has seen."""
        return {"watched": torch.tensor(self._watched, dtype=torch.float64).reshape(-1, 4)}

    def regain(self, gathered: Mapping[str, Tensor]) -> None:
        """Go on from what was seen then; of what there was to say of it people were warned then."""
        self._watch, self._watched, self.said = self._new_watch(), [], []
        for seen in gathered["watched"].tolist():
            self._look(seen, warn=False)

    def _new_watch(self) -> BlankPlateau:
        # Where epochs are short, a few of them on the plateau are nothing to speak of.
        return BlankPlateau(patience=max(3, -(-PATIENCE // self.batches_per_epoch)))

    def _look(self, seen: list[float], *, warn: bool) -> None:
        self._watched.append(seen)
        loss, *counts = seen
        said = self._watch.observe(loss=loss, emission=Emission(*map(int, counts)), expected=self._expected)
        if said is not None:
            self.said.append(said)
            if warn:
                warnings.warn(said, UserWarning, stacklevel=3)

    @torch.no_grad()
    def describe(self, batch: TranscribeBatch) -> str:
        """The names of a batch's sequences; of those without finite logits where there are."""
        bad = ~self.module(batch.frames, batch.lengths)[0].isfinite().all(-1).all(0).cpu().numpy()
        indices = batch.indices[bad] if bad.any() else batch.indices
        shown = ", ".join(self._examples.names[i] for i in indices[:8])
        return f"{shown}{', ...' if len(indices) > 8 else ''}"


@torch.no_grad()
def run_network(network: Network, examples: Examples, *, progress: bool = False) -> list[Tensor]:
    """Logits `[steps, V]` of each sequence on the CPU, float32; the network must be in evaluation mode."""
    device = next(network.parameters()).device
    found: list[Tensor] = [torch.empty(0)] * len(examples)
    batches = list(by_length(examples.frames.lengths, PREDICTION_BATCH, PREDICTION_FRAMES))

    def compute(indices: np.ndarray) -> tuple[Tensor, Tensor]:
        frames, lengths = examples.pad(indices)
        logits, steps = network(frames.to(device), lengths)
        return logits.cpu(), steps.cpu()

    results = shared(batches, compute)
    for indices in counted(batches, "running the network", enabled=progress):
        logits, steps = next(results)
        for b, i in enumerate(indices):
            found[i] = logits[: steps[b], b]
    return found
