"""What a labeller's training minimises: cross-entropy or squared errors of the steps that have a label.

Legend: T steps, B spans of a batch, K classes or values, N steps of all sequences, P spans.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gatewise.data import Ragged
from gatewise.data.batches import Buckets, shuffled_batches
from gatewise.tasks.classification.objective import default_batch_size
from gatewise.tasks.labelling.network import LabellerNetwork
from gatewise.tasks.labelling.spans import lengths_of, pad, pieces, rows_of, run_network
from gatewise.tasks.labelling.targets import MISSING

POOL = 20  # batches among which spans are sorted by length


@dataclass(frozen=True, eq=False)
class LabelBatch:
    """Spans `x` `[T, B, X]`, `lengths` `[B]` (on the CPU), `targets` `[T, B]` or `[T, B, K]`, and `spans` `[B, 2]`."""

    x: Tensor
    lengths: Tensor
    targets: Tensor
    spans: np.ndarray


class LabelObjective:
    """The loss of a network on training spans; that and the error on validation spans.

    Args:
        module: the network, on its device.
        inputs: prepared sequences: scaled, without NaN, mask channels last.
        targets: class numbers `[N]`, -1 for none; or standardised values, float32 `[N, K]`, NaN for none.
        training: spans to train on `[P, 2]`.
        validation: spans to validate on, maybe none.
        mask_channels: how many of the inputs' last channels are masks; noise is not added to them.
        noise: standard deviation of white noise on the inputs.
        class_weight: weight of each class in the loss `[K]`, or None.
        label_smoothing: the share of the target given to all classes evenly.
        scale: what the errors of values are multiplied by where they are told, `[K]`.
        stretch: spans longer than this are trained on in pieces.
        batch_size: pieces a batch; None chooses.
        batch_frames: steps of a batch at most, padding included, in the place of `batch_size`; or None.
        seed: of the order of pieces, their cuts and the noise.
    """

    def __init__(
        self,
        module: LabellerNetwork,
        inputs: Ragged,
        targets: np.ndarray,
        *,
        training: np.ndarray,
        validation: np.ndarray,
        mask_channels: int,
        noise: float,
        class_weight: Tensor | None,
        label_smoothing: float,
        scale: np.ndarray,
        stretch: int,
        batch_size: int | None,
        batch_frames: int | None,
        seed: int,
    ) -> None:
        self.module = module
        self._inputs, self._targets = inputs, targets
        self._training, self._validation = training, validation
        self._mask_channels, self._noise = mask_channels, noise
        self._device = next(module.parameters()).device
        self._class_weight = None if class_weight is None else class_weight.to(self._device)
        self._label_smoothing, self._scale, self._stretch, self._seed = label_smoothing, scale, stretch, seed
        even = pieces(training, stretch, 0.5)
        self.batch_size = default_batch_size(len(even)) if batch_size is None else batch_size
        # Batches of so many frames are planned for pieces whose cuts stay where they are.
        self._even = None if batch_frames is None else even
        self._buckets = None if batch_frames is None else Buckets(lengths_of(even), batch_frames)
        self.batches_per_epoch = -(-len(even) // self.batch_size) if self._buckets is None else len(self._buckets)

    def batches(self, epoch: int) -> Iterator[LabelBatch]:
        """The training spans, cut anew and in a new order."""
        rng = np.random.default_rng([self._seed, epoch])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        if self._buckets is not None and self._even is not None:
            spans, order = self._even, self._buckets.draw(rng)
        else:
            spans = pieces(self._training, self._stretch, float(rng.random()))
            order = shuffled_batches(lengths_of(spans), self.batch_size, POOL, rng)
        for places in order:
            yield self._batch(spans[places], generator)

    def _batch(self, spans: np.ndarray, generator: torch.Generator) -> LabelBatch:
        x = torch.from_numpy(pad(self._inputs.values, spans))
        if self._noise:
            values = x.shape[-1] - self._mask_channels
            noise = self._noise * torch.randn(*x.shape[:-1], values, generator=generator)
            # Where nothing was measured nothing may be added.
            noise = noise * x[..., values:] if self._mask_channels else noise
            x = torch.cat([x[..., :values] + noise, x[..., values:]], dim=-1)
        whole = self._targets.dtype.kind == "i"
        targets = torch.from_numpy(pad(self._targets, spans, MISSING if whole else np.nan))
        lengths = torch.from_numpy(lengths_of(spans))
        return LabelBatch(x.to(self._device), lengths, targets.to(self._device), spans)

    def loss(self, batch: LabelBatch) -> Tensor:
        """Mean over the labelled steps: cross-entropy, weighted by class; or squared error, in standard units."""
        outputs = self.module(batch.x, batch.lengths)
        return self._sum(outputs, batch.targets) / max(self.weight(batch), 1e-12)

    def _sum(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if targets.is_floating_point():
            known = ~targets.isnan()
            return (outputs - targets.nan_to_num()).square().mul(known).sum()
        return functional.cross_entropy(
            outputs.flatten(0, 1), targets.flatten(), weight=self._class_weight, ignore_index=MISSING,
            label_smoothing=self._label_smoothing, reduction="sum",
        )  # fmt: skip

    def weight(self, batch: LabelBatch) -> float:
        """The sum of the class weights of its labelled steps; of values how many are known."""
        if batch.targets.is_floating_point():
            return float((~batch.targets.isnan()).sum())
        known = batch.targets[batch.targets != MISSING]
        return float(len(known)) if self._class_weight is None else self._class_weight[known].sum().item()

    def divide(self, batch: LabelBatch, parts: int) -> list[LabelBatch]:
        """Groups of its spans, no longer than their longest one."""
        found = []
        for part in torch.arange(len(batch.lengths)).tensor_split(min(parts, len(batch.lengths))):
            longest, there = max(int(batch.lengths[part].max()), 1), part.to(self._device)
            x, targets = batch.x[:longest, there], batch.targets[:longest, there]
            found.append(LabelBatch(x, batch.lengths[part], targets, batch.spans[part.numpy()]))
        return found

    def validate(self) -> dict[str, float]:
        """Log loss (weighted by class) and error rate of the labelled validation steps; or the RMSE of values."""
        if len(self._validation) == 0:
            return {}
        outputs = run_network(self.module, self._inputs, self._validation)
        targets = torch.from_numpy(self._targets[rows_of(self._validation)])
        if targets.is_floating_point():
            errors = (outputs.double() - targets) * torch.from_numpy(self._scale)
            return {"rmse": errors[~errors.isnan()].square().mean().sqrt().item()}
        weight = None if self._class_weight is None else self._class_weight.cpu()
        known = targets != MISSING
        return {
            "log_loss": functional.cross_entropy(outputs, targets, weight=weight, ignore_index=MISSING).item(),
            "error": (outputs.argmax(-1) != targets)[known].double().mean().item(),
        }

    @torch.no_grad()
    def describe(self, batch: LabelBatch) -> str:
        """The sequences and steps of a batch's spans; of those without finite outputs where there are."""
        outputs = self.module(batch.x, batch.lengths)
        valid = torch.arange(len(outputs))[:, None] < batch.lengths
        bad = (~outputs.isfinite().all(-1).cpu() & valid).any(0).numpy()
        shown = []
        for start, end in (batch.spans[bad] if bad.any() else batch.spans)[:8]:
            sequence = int(np.searchsorted(self._inputs.offsets, start, side="right")) - 1
            first = self._inputs.offsets[sequence]
            shown.append(f"{sequence} (steps {start - first} to {end - first - 1})")
        return f"sequences {', '.join(shown)} (counted from 0)"
