"""What a generator is trained and scored on: documents as rows, each of which is to be foretold from those before.

Legend: N rows, S documents, V labels, E events.
"""

from dataclasses import dataclass

import numpy as np

from gatewise.data.steps import ArraySteps
from gatewise.data.streams import Streams

# With fewer documents than this the end of each is held out, else some of them as wholes.
LEAST = 10
SCORED, CHUNK = 32, 512  # streams and steps of a chunk when nothing is trained


@dataclass(frozen=True, eq=False)
class Corpus:
    """S documents.

    Attributes:
        rows: labels `[N]`, or which events sound, booleans `[N, E]`. Before each document stands a row for its
            beginning: label 0, or no event.
        starts: the first step of each document, int64 `[S]`: a row that is read, while the next one is foretold.
        lengths: how many rows of each are foretold, int64 `[S]`.
        names: what messages call each.
    """

    rows: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def steps(self) -> int:
        """How many rows are foretold."""
        return int(self.lengths.sum())

    def targets(self) -> np.ndarray:
        """The rows that are foretold, `[n, ...]`."""
        parts = [self.rows[start + 1 : start + 1 + n] for start, n in zip(self.starts, self.lengths, strict=True)]
        return np.concatenate(parts)

    def select(self, places: np.ndarray) -> "Corpus":
        """Some of the documents."""
        return Corpus(self.rows, self.starts[places], self.lengths[places], tuple(self.names[k] for k in places))

    def parts(self, share: float, seed: int) -> tuple["Corpus", "Corpus | None"]:
        """What to train on, and what is held out: whole documents, or of a few the last share of each."""
        if not share:
            return self, None
        if len(self) >= LEAST:
            order = np.random.default_rng([seed, len(self)]).permutation(len(self))
            held = max(round(share * len(self)), 1)
            return self.select(np.sort(order[held:])), self.select(np.sort(order[:held]))
        held = np.round(share * self.lengths).astype(np.int64)
        some = np.flatnonzero((held > 0) & (held < self.lengths))
        if not len(some):
            return self, None
        kept = self.lengths.copy()
        kept[some] -= held[some]
        training = Corpus(self.rows, self.starts, kept, self.names)
        ends = Corpus(self.rows, self.starts + kept, held, self.names)
        return training, ends.select(some)

    def streams(self, streams: int, k1: int, k2: int | None = None) -> Streams:
        """Cut for training into at most so many streams, each of at least one whole chunk."""
        count = max(1, min(streams, self.steps // k1))
        return Streams(ArraySteps(self.rows), self.starts, self.lengths, streams=count, k1=k1, k2=k2)

    def whole(self) -> Streams:
        """Every document in one piece."""
        steps = ArraySteps(self.rows)
        return Streams(steps, self.starts, self.lengths, streams=SCORED, k1=CHUNK, whole=True)
