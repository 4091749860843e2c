"""Truncated backpropagation through time over parallel streams, with states carried from chunk to chunk.

Legend: T steps of a chunk, B streams.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gatewise.data.streams import Chunk, Streams
from gatewise.training.snapshot import under, with_prefix

States = dict[str, Tensor]  # by name, each with a row for every stream


@dataclass(frozen=True, eq=False)
class StreamBatch:
    """A chunk on its device.

    Attributes:
        epoch: of the training, from 1; 0 outside of it.
        chunk: as it was read.
        values: `[T, B, ...]`.
        following: the step after each, `[T, B, ...]`.
        resets: booleans `[T, B]`, or None.
        lengths: `[B]` on the CPU, or None.
    """

    epoch: int
    chunk: Chunk
    values: Tensor
    following: Tensor
    resets: Tensor | None
    lengths: Tensor | None

    @classmethod
    def of(cls, chunk: Chunk, device: torch.device, epoch: int = 0) -> "StreamBatch":
        """The tensors of a chunk: whole numbers as int64, all others as float32."""

        def tensor(values: np.ndarray) -> Tensor:
            kind = np.int64 if values.dtype.kind in "iu" else np.float32
            return torch.from_numpy(values.astype(kind, copy=False)).to(device)

        resets = None if chunk.resets is None else torch.from_numpy(chunk.resets).to(device)
        lengths = None if chunk.lengths is None else torch.from_numpy(chunk.lengths)
        return cls(epoch, chunk, tensor(chunk.values), tensor(chunk.following), resets, lengths)

    def new(self, values: Tensor) -> Tensor:
        """Those of values `[T, B, ...]` that belong to new steps which are there, `[n, ...]`."""
        fresh = values[self.chunk.begins :]
        if self.lengths is None:
            return fresh.flatten(0, 1)
        there = torch.arange(self.chunk.begins, len(values))[:, None] < self.lengths
        return fresh[there.to(values.device)]


def run_chunk(module: nn.Module, batch: StreamBatch, states: States | None) -> tuple[Tensor, States | None]:
    """Outputs `[T, B, ...]` of a chunk, and the states before the next one.

    Args:
        module: called with values, states (None: at their beginnings), resets and lengths; gives outputs and states.
        batch: the chunk.
        states: before the chunk's first step.
    """
    cut, steps = batch.chunk.hands_on, len(batch.values)
    if cut in (0, steps):
        outputs, after = module(batch.values, states, batch.resets, batch.lengths)
        return outputs, after if cut else states
    parts, after, carried = [], states, states
    for part in (slice(0, cut), slice(cut, steps)):
        resets = None if batch.resets is None else batch.resets[part]
        lengths = None if batch.lengths is None else (batch.lengths - part.start).clamp(0, part.stop - part.start)
        outputs, after = module(batch.values[part], after, resets, lengths)
        carried = carried if parts else after
        parts.append(outputs)
    return torch.cat(parts), carried


@torch.no_grad()
def run_streams(module: nn.Module, streams: Streams) -> Iterator[tuple[StreamBatch, Tensor]]:
    """Each chunk of streams with the module's outputs `[T, B, ...]`; states are carried, nothing is kept of them."""
    device = next(module.parameters()).device
    states: States | None = None
    for chunk in streams.chunks():
        batch = StreamBatch.of(chunk, device)
        outputs, states = run_chunk(module, batch, states)
        yield batch, outputs


class StreamObjective:
    """The mean loss of each new step of a chunk; an `Objective` that carries states, `Gathering` and `Continuing`.

    Every pass begins with the module's initial states. The states before and after the newest chunk belong to
    checkpoints, so that a run goes on inside a pass; whichever chunk comes next finds its own.

    Args:
        module: see `run_chunk`; on its device.
        streams: what is read.
        step_loss: from outputs `[n, ...]` and what follows `[n, ...]` to the loss of each step, `[n]`.
        shuffle: the seed of a new order of the sequences in every pass; None: they stay in order.
    """

    def __init__(
        self,
        module: nn.Module,
        streams: Streams,
        step_loss: Callable[[Tensor, Tensor], Tensor],
        *,
        shuffle: int | None = None,
    ) -> None:
        self.module, self.streams, self.step_loss = module, streams, step_loss
        self.batches_per_epoch = len(streams)
        self._shuffle = shuffle
        self._device = next(module.parameters()).device
        self._newest = (0, 0)  # epoch and number of the chunk that states were carried over last
        self._before: States | None = None
        self._after: States | None = None

    def batches(self, epoch: int) -> Iterator[StreamBatch]:
        """The chunks of a pass."""
        return self.batches_from(epoch, 0)

    def batches_from(self, epoch: int, seen: int) -> Iterator[StreamBatch]:
        """The chunks of a pass without the first ones, which are not read."""
        order = None
        if self._shuffle is not None:
            order = np.random.default_rng([self._shuffle, epoch]).permutation(len(self.streams.starts))
        for chunk in self.streams.chunks(order, seen):
            yield self.prepared(StreamBatch.of(chunk, self._device, epoch))

    def prepared(self, batch: StreamBatch) -> StreamBatch:
        """A batch as training sees it; as it is, unless a task varies it."""
        return batch

    def loss(self, batch: StreamBatch) -> Tensor:
        """The mean loss of the new steps. The same batch may be asked for more than once."""
        outputs, after = run_chunk(self.module, batch, self._enter(batch))
        self._after = None if after is None else {name: state.detach() for name, state in after.items()}
        return self.step_loss(batch.new(outputs), batch.new(batch.following)).mean()

    def validate(self) -> dict[str, float]:
        """Nothing is validated, unless a task does."""
        return {}

    @torch.no_grad()
    def describe(self, batch: StreamBatch) -> str:
        """The rows of a chunk; of the streams alone whose loss is not finite, where there are such."""
        outputs, _ = run_chunk(self.module, batch, self._enter(batch))
        bad = (~outputs.isfinite()).flatten(2).any(-1).any(0).cpu().numpy()
        steps = len(batch.values) - batch.chunk.begins
        rows = batch.chunk.rows[bad] if bad.any() else batch.chunk.rows
        shown = [f"{row} to {row + steps - 1}" for row in rows.tolist() if row >= 0]
        return f"rows {', '.join(shown[:8])}{', ...' if len(shown) > 8 else ''}"

    def gathered(self) -> dict[str, Tensor]:
        """The states before and after the newest chunk, and which it was."""
        found: dict[str, Any] = {"newest": torch.tensor(self._newest)}
        for name, states in (("before.", self._before), ("after.", self._after)):
            found |= with_prefix(name, states or {})
        return found

    def regain(self, gathered: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        epoch, number = gathered["newest"].tolist()
        self._newest = (epoch, number)
        self._before, self._after = (
            {name: state.to(self._device, copy=True) for name, state in under(kind, gathered).items()} or None
            for kind in ("before.", "after.")
        )

    def _enter(self, batch: StreamBatch) -> States | None:
        """The states before a chunk."""
        place = (batch.epoch, batch.chunk.number)
        if place != self._newest:
            self._before = self._after if batch.chunk.number else None
            self._newest = place
        return self._before
