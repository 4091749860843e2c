"""What a generator's training minimises: nats of each step, by truncated backpropagation through parallel streams.

Legend: T steps of a chunk, B streams, E events, S documents.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from gatewise.tasks.generation.corpus import Corpus
from gatewise.tasks.generation.network import GeneratorNetwork
from gatewise.tasks.generation.scoring import event_loss, label_loss, score_corpus
from gatewise.tasks.generation.symbols import Symbols
from gatewise.training import StreamObjective
from gatewise.training.truncated import StreamBatch


class GenerateObjective(StreamObjective):
    """The mean nats of the steps of a chunk; of the validation part the metrics of the task.

    Args:
        module: the network, on its device.
        symbols: what it writes.
        training: the training part.
        validation: what is held out, or None.
        streams: B, at most.
        k1: steps from one update to the next.
        k2: steps that gradients reach back; None for k1.
        transpose: by how many places up or down the events of a document are moved, drawn anew in every pass.
        seed: of the order of documents, and of how far they are moved.
    """

    module: GeneratorNetwork

    def __init__(
        self,
        module: GeneratorNetwork,
        symbols: Symbols,
        training: Corpus,
        validation: Corpus | None,
        *,
        streams: int,
        k1: int,
        k2: int | None,
        transpose: int,
        seed: int,
    ) -> None:
        loss = partial(event_loss, frames=module.frames) if module.events else label_loss
        super().__init__(module, training.streams(streams, k1, k2), loss, shuffle=seed)
        self._symbols, self._training, self._validation = symbols, training, validation
        self._transpose, self._seed = transpose, seed

    def prepared(self, batch: StreamBatch) -> StreamBatch:
        """A batch with the events of each document moved by what is drawn for it from seed and epoch."""
        if not self._transpose:
            return batch
        # Another stream of numbers than that of the order.
        rng = np.random.default_rng([self._seed, batch.epoch, 1])
        moves = rng.integers(-self._transpose, self._transpose + 1, len(self._training))
        by = torch.from_numpy(moves[batch.chunk.sequences]).to(batch.values.device)
        size = self._symbols.size
        # Nothing falls off: there are as many unused events at both ends.
        places = (torch.arange(size, device=by.device) - by.unsqueeze(-1)) % size
        return replace(batch, values=batch.values.gather(-1, places), following=batch.following.gather(-1, places))

    def validate(self) -> dict[str, float]:
        """The metrics of the validation part; none without one."""
        if self._validation is None:
            return {}
        return score_corpus(self.module, self._validation, self._symbols, accuracy=False)

    def describe(self, batch: StreamBatch) -> str:
        """The documents of a chunk, and its rows."""
        names = [self._training.names[k] for k in np.unique(batch.chunk.sequences).tolist() if k >= 0]
        return f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''} ({super().describe(batch)})"
