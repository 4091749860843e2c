"""Batches of sequences of similar length: each sequence once, little padding, the same from the same seed."""

import numpy as np
import pytest

from gatewise.data.batches import Buckets, by_length, shuffled_batches


def test_every_sequence_is_in_one_batch() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 83)
    for batches in (shuffled_batches(lengths, 8, 3, np.random.default_rng(1)), list(by_length(lengths, 8, 300))):
        assert sorted(np.concatenate(batches).tolist()) == list(range(83))
    for batch in by_length(lengths, 8, 300):
        assert len(batch) == 1 or lengths[batch].max() * len(batch) <= 300


def test_batches_are_of_similar_lengths() -> None:
    lengths = np.random.default_rng(0).integers(1, 1000, 640)
    batches = shuffled_batches(lengths, 8, 10, np.random.default_rng(1))
    widths = [np.ptp(lengths[batch]) for batch in batches]
    assert np.median(widths) < 200
    assert [len(batch) for batch in batches] == [8] * 80


@pytest.mark.parametrize("frames", [1, 300, 10**6])
def test_buckets_hold_every_sequence_once(frames: int) -> None:
    lengths = np.random.default_rng(0).integers(0, 100, 83)
    buckets = Buckets(lengths, frames)
    first, again, other = (buckets.draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    for batches in (first, other):
        assert len(batches) == len(buckets)
        assert sorted(np.concatenate(batches).tolist()) == list(range(83))
        for batch in batches:
            longest, shortest = lengths[batch].max(), lengths[batch].min()
            assert len(batch) == 1 or longest * len(batch) <= frames
            assert longest <= max(1.2 * shortest, shortest + 1)
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in again]
    assert [batch.tolist() for batch in first] != [batch.tolist() for batch in other]


def test_batches_of_buckets_are_as_large_as_frames_allow() -> None:
    batches = Buckets(np.full(100, 50), 500).draw(np.random.default_rng(0))
    assert [len(batch) for batch in batches] == [10] * 10
    assert batches[0].tolist() != sorted(batches[0].tolist())
