"""Parallel streams: long sequences cut into chunks for truncated backpropagation through time.

Legend: N steps in all, S sequences, B streams, T steps of a chunk.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gatewise.data.steps import Read, Steps
from gatewise.errors import ConfigurationError, DataError


@dataclass(frozen=True, eq=False)
class Chunk:
    """The next T steps of all streams, with those before them that gradients still reach.

    Attributes:
        number: of the chunk in its pass, from 0.
        values: `[T, B, ...]`; 0 beyond a stream's end.
        following: the step after each, `[T, B, ...]`: what a model that foretells its input is to say.
        resets: booleans `[T, B]`: a sequence begins here. None where none does.
        lengths: of the T steps, how many each stream has, int64 `[B]`; None where all have T.
        begins: the first step that is new; those before it were in chunks before, for the gradient alone.
        hands_on: after how many steps the states are those before the next chunk.
        rows: the first new step of each stream, as its row in the data; -1 of a stream that has ended.
        sequences: which sequence each step is of, int64 `[T, B]`; -1 beyond a stream's end.
    """

    number: int
    values: np.ndarray
    following: np.ndarray
    resets: np.ndarray | None
    lengths: np.ndarray | None
    begins: int
    hands_on: int
    rows: np.ndarray
    sequences: np.ndarray


class Streams:
    """Sequences, one after the other, as B streams that are read at the same time.

    The steps of all sequences in their order are cut into B parts of equal length (or one step more), so that nothing
    is left out and B streams end together. A sequence that lies on a cut is continued without what came before, B - 1
    times in a pass. With `whole` every sequence stays in one piece and goes to the stream that is shortest, the longest
    first; streams then end when they do.

    Truncation is that of Williams & Peng (1990), BPTT(k2; k1): a chunk has k1 new steps, and its gradient reaches back
    over k2 steps. k1 = k2 is the usual cut into pieces.

    Args:
        steps: what is read; see `open_steps`.
        starts: the row at which each sequence begins, int64 `[S]`, ascending.
        lengths: the steps of each, int64 `[S]`; the row after the last one of a sequence has to be there, because it is
            what follows it. None: up to the next sequence, the last one up to the last row but one.
        streams: B; there are no more than there are steps (with `whole`, sequences).
        k1: steps from one update to the next.
        k2: steps that gradients reach back, at least k1; None for k1.
        whole: whether sequences stay in one piece.

    Raises:
        DataError: sequences that do not lie in the data.
        ConfigurationError: k1, k2 or B are not usable.

    >>> from gatewise.data.steps import open_steps
    >>> streams = Streams(open_steps(np.arange(9)), np.array([0, 6]), streams=2, k1=3)
    >>> for chunk in streams.chunks():
    ...     print(chunk.values.T.tolist(), None if chunk.resets is None else chunk.resets.T.astype(int).tolist())
    [[0, 1, 2], [4, 5, 6]] [[1, 0, 0], [0, 0, 1]]
    [[3], [7]] None
    """

    def __init__(
        self,
        steps: Steps,
        starts: np.ndarray,
        lengths: np.ndarray | None = None,
        *,
        streams: int,
        k1: int,
        k2: int | None = None,
        whole: bool = False,
    ) -> None:
        k2 = k1 if k2 is None else k2
        if streams < 1 or k1 < 1 or k2 < k1:
            raise ConfigurationError(
                f"expected at least one stream and 1 <= k1 <= k2, got {streams} streams, k1 = {k1}, k2 = {k2}"
            )
        rows = steps.shape[0]
        starts = np.asarray(starts, np.int64)
        if lengths is None:
            lengths = np.diff(np.append(starts, max(rows - 1, 0)))
        lengths = np.asarray(lengths, np.int64)
        if len(starts) == 0 or len(starts) != len(lengths):
            raise DataError(f"expected the start and length of each sequence, got {len(starts)} and {len(lengths)}")
        wrong = np.flatnonzero((lengths < 1) | (starts < 0) | (starts + lengths >= rows))
        if len(wrong):
            k = int(wrong[0])
            raise DataError(
                f"sequence {k} is the rows {starts[k]} to {starts[k] + lengths[k]} of {rows}: expected at least one "
                "step, and one more row that follows its last one"
            )
        self.steps, self.starts, self.lengths = steps, starts, lengths
        self.k1, self.k2, self.whole = k1, k2, whole
        self.streams = int(min(streams, len(starts) if whole else lengths.sum()))
        self._longest = max(len_ for len_ in self._sizes(self._dealt(np.arange(len(starts)))))

    def __len__(self) -> int:
        """How many chunks a pass has, whatever the order."""
        return -(-self._longest // self.k1)

    def chunks(self, order: np.ndarray | None = None, first: int = 0) -> Iterator[Chunk]:
        """The chunks of a pass.

        Args:
            order: of the sequences, a permutation of 0..S-1; None for as they come. (Of `whole` sequences it says
                which goes first in its stream.)
            first: how many chunks to leave out; none of them is read.
        """
        dealt = self._dealt(np.arange(len(self.starts)) if order is None else order)
        readers = [self.steps.reader() for _ in dealt]
        ends = [np.cumsum(self.lengths[sequences]) for sequences, _, _ in dealt]
        for number in range(first, len(self)):
            begin = max(0, (number + 1) * self.k1 - self.k2)
            stop = min((number + 1) * self.k1, self._longest)
            yield self._chunk(number, begin, stop, dealt, ends, readers)

    def _chunk(
        self,
        number: int,
        begin: int,
        stop: int,
        dealt: list[tuple[np.ndarray, int, int]],
        ends: list[np.ndarray],
        readers: list[Read],
    ) -> Chunk:
        """Steps `[begin, stop)` of every stream."""
        shape = (stop - begin, len(dealt), *self.steps.shape[1:])
        values, following = np.zeros(shape, self.steps.dtype), np.zeros(shape, self.steps.dtype)
        resets, lengths = np.zeros(shape[:2], bool), np.zeros(len(dealt), np.int64)
        rows, of = np.full(len(dealt), -1, np.int64), np.full(shape[:2], -1, np.int64)
        new = number * self.k1
        for b, ((sequences, low, high), until, read) in enumerate(zip(dealt, ends, readers, strict=True)):
            at, last = low + begin, min(low + stop, high)
            lengths[b] = max(last - at, 0)
            place = int(np.searchsorted(until, at, side="right"))
            while at < last:
                sequence = sequences[place]
                within = at - int(until[place] - self.lengths[sequence])  # steps of the sequence that came before
                count = min(last, int(until[place])) - at
                row = int(self.starts[sequence]) + within
                both = read(row, row + count + 1)
                t = at - low - begin
                values[t : t + count, b], following[t : t + count, b] = both[:-1], both[1:]
                resets[t, b], of[t : t + count, b] = within == 0, sequence
                if at - low <= new < at - low + count:
                    rows[b] = row + new - (at - low)
                at, place = at + count, place + 1
        even = bool((lengths == shape[0]).all())
        next_begin = max(0, (number + 2) * self.k1 - self.k2)
        return Chunk(
            number=number,
            values=values,
            following=following,
            resets=resets if resets.any() else None,
            lengths=None if even else lengths,
            begins=new - begin,
            hands_on=min(next_begin, stop) - begin,
            rows=rows,
            sequences=of,
        )

    def _dealt(self, order: np.ndarray) -> list[tuple[np.ndarray, int, int]]:
        """Of each stream its sequences in order, and which steps `[low, high)` of these are its own."""
        if self.whole:
            queues: list[list[int]] = [[] for _ in range(self.streams)]
            sizes = [0] * self.streams
            for sequence in sorted(order.tolist(), key=lambda sequence: -self.lengths[sequence]):
                shortest = sizes.index(min(sizes))
                queues[shortest].append(sequence)
                sizes[shortest] += int(self.lengths[sequence])
            place = {sequence: k for k, sequence in enumerate(order.tolist())}
            return [
                (np.array(sorted(queue, key=place.__getitem__), np.int64), 0, size)
                for queue, size in zip(queues, sizes, strict=True)
            ]
        until = np.cumsum(self.lengths[order])
        total = int(until[-1])
        cuts = [k * total // self.streams for k in range(self.streams + 1)]
        found = []
        for low, high in pairwise(cuts):
            first, last = np.searchsorted(until, [low, high - 1], side="right")
            before = int(until[first - 1]) if first else 0
            found.append((order[first : last + 1], low - before, high - before))
        return found

    @staticmethod
    def _sizes(dealt: list[tuple[np.ndarray, int, int]]) -> list[int]:
        return [high - low for _, low, high in dealt]
