"""Which sequences stand side by side in a batch: neighbours in length, so that little of it is padding.

Khomenko et al. 2016, Accelerating recurrent neural network training using sequence bucketing and multi-GPU data
parallelization; Doetsch, Golik & Ney 2017, A Comprehensive Study of Batch Construction Strategies for RNNs.
Legend: S sequences.
"""

from collections.abc import Iterator

import numpy as np

GROWTH = 1.2  # the longest sequence of a bucket over the shortest one, at most


def by_length(lengths: np.ndarray, batch_size: int, frames: int) -> Iterator[np.ndarray]:
    """All sequences in batches of neighbours in length, the shortest ones first.

    Args:
        lengths: of the sequences `[S]`.
        batch_size: sequences of a batch at most.
        frames: steps of a batch at most, padding included; a longer sequence is alone.

    Returns:
        Arrays of places in `lengths`.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = int(lengths[order[min(start + batch_size, len(order)) - 1]])
        count = max(1, min(batch_size, frames // max(longest, 1)))
        yield order[start : start + count]
        start += count


def shuffled_batches(lengths: np.ndarray, batch_size: int, pool: int, rng: np.random.Generator) -> list[np.ndarray]:
    """All sequences in random batches of similar length, each but the last ones of `batch_size`.

    Sequences are drawn in pools of `pool` batches, which are sorted by length and cut; the batches of all pools come in
    random order.

    Returns:
        Arrays of places in `lengths`.
    """
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), pool * batch_size):
        part = order[start : start + pool * batch_size]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[k : k + batch_size] for k in range(0, len(part), batch_size)]
    return [batches[k] for k in rng.permutation(len(batches))]


class Buckets:
    """Random batches of about as many steps, whose sequences differ in length by a fifth at most.

    Sequences of similar length are a bucket; each epoch cuts every bucket into batches at random, and brings the
    batches of all buckets in random order. The number of batches is the same in every epoch.

    Args:
        lengths: of the sequences `[S]`.
        frames: steps of a batch at most, padding included; a longer sequence is alone.

    >>> buckets = Buckets(np.array([10, 11, 90, 12, 100, 95]), frames=200)
    >>> len(buckets)
    3
    >>> [batch.tolist() for batch in buckets.draw(np.random.default_rng(0))]
    [[2], [3, 0, 1], [4, 5]]
    """

    def __init__(self, lengths: np.ndarray, frames: int) -> None:
        order = np.argsort(lengths, kind="stable")
        ordered = lengths[order]
        self._cuts: list[tuple[np.ndarray, int]] = []  # places of a bucket, and into how many batches they are cut
        start = 0
        while start < len(order):
            end = int(np.searchsorted(ordered, max(GROWTH * ordered[start], ordered[start] + 1), side="right"))
            size = max(1, frames // max(int(ordered[end - 1]), 1))
            self._cuts.append((order[start:end], -(-(end - start) // size)))
            start = end

    def __len__(self) -> int:
        return sum(count for _, count in self._cuts)

    def draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """All sequences once, as arrays of places; batches of one bucket differ by one sequence at most."""
        batches = [part for places, count in self._cuts for part in np.array_split(rng.permutation(places), count)]
        return [batches[k] for k in rng.permutation(len(batches))]
