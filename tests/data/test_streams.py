"""Parallel streams: every step comes once, in order, with what follows it, and resets where sequences begin."""

from itertools import pairwise

import numpy as np
import pytest

from gatewise.data.steps import open_steps
from gatewise.data.streams import Chunk, Streams
from gatewise.errors import ConfigurationError, DataError

STARTS, LENGTHS = np.array([0, 8, 9, 20, 31]), np.array([7, 1, 10, 11, 3])  # a row between some of them
ROWS = open_steps(np.arange(40))


def new_steps(streams: Streams, order: np.ndarray | None = None) -> list[list[tuple[int, int, bool]]]:
    """Of each stream its new steps in order: row, what follows, and whether a sequence begins."""
    found: list[list[tuple[int, int, bool]]] = [[] for _ in range(streams.streams)]
    for chunk in streams.chunks(order):
        steps = len(chunk.values)
        lengths = np.full(streams.streams, steps) if chunk.lengths is None else chunk.lengths
        resets = np.zeros(chunk.values.shape[:2], bool) if chunk.resets is None else chunk.resets
        for b, steps_of in enumerate(found):
            of = chunk.sequences[:, b]
            assert ((of == -1) == (np.arange(steps) >= lengths[b])).all()
            assert all(0 <= chunk.values[t, b] - STARTS[of[t]] < LENGTHS[of[t]] for t in range(lengths[b]))
            for t in range(chunk.begins, lengths[b]):
                steps_of.append((int(chunk.values[t, b]), int(chunk.following[t, b]), bool(resets[t, b])))
            assert chunk.rows[b] == (chunk.values[chunk.begins, b] if lengths[b] > chunk.begins else -1)
            assert not chunk.values[lengths[b] :, b].any()
    return found


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (1, 1), (3, 7), (4, 6), (2, 50), (100, 100)])
def test_every_step_is_new_once_and_in_order(whole: bool, count: int, k1: int, k2: int) -> None:
    streams = Streams(ROWS, STARTS, LENGTHS, streams=count, k1=k1, k2=k2, whole=whole)
    order = np.array([3, 0, 4, 2, 1])
    for given in (None, order):
        found = new_steps(streams, given)
        sequences = range(5) if given is None else given
        wanted = [(int(STARTS[s]) + t, t == 0) for s in sequences for t in range(LENGTHS[s])]
        flat = [(row, begins) for stream in found for row, begins in [(r, b) for r, _, b in stream]]
        assert sorted(flat) == sorted(wanted)
        assert all(following == row + 1 for stream in found for row, following, _ in stream)
        sizes = [len(stream) for stream in found]
        if whole:
            for stream in found:  # every sequence is in one piece
                assert stream[0][2]
                assert all(begins or row == before + 1 for (before, _, _), (row, _, begins) in pairwise(stream))
        else:
            assert flat == wanted
            assert max(sizes) - min(sizes) <= 1
        assert len(streams) == sum(1 for _ in streams.chunks(given))


def test_the_window_of_a_gradient_goes_back_over_k2_steps() -> None:
    streams = Streams(ROWS, np.array([0]), np.array([39]), streams=1, k1=3, k2=8)
    begun = [(int(chunk.values[0, 0]), len(chunk.values), chunk.begins) for chunk in streams.chunks()]
    assert begun[:5] == [(0, 3, 0), (0, 6, 3), (1, 8, 5), (4, 8, 5), (7, 8, 5)]
    at = 0
    for chunk in streams.chunks():  # where one begins is where the states were handed on
        assert chunk.values[0, 0] == at
        at += chunk.hands_on


def test_chunks_may_begin_anywhere_in_a_pass() -> None:
    streams = Streams(ROWS, STARTS, LENGTHS, streams=2, k1=3, k2=5)
    every = list(streams.chunks())

    def same(a: Chunk, b: Chunk) -> bool:
        return all(np.array_equal(vars(a)[name], vars(b)[name]) for name in vars(a))

    for first in range(len(every) + 1):
        rest = list(streams.chunks(first=first))
        assert len(rest) == len(every) - first
        assert all(map(same, rest, every[first:]))


def test_more_streams_than_steps_are_not_made() -> None:
    assert Streams(ROWS, np.array([0]), np.array([3]), streams=8, k1=4).streams == 3
    assert Streams(ROWS, STARTS, LENGTHS, streams=8, k1=4, whole=True).streams == 5


def test_sequences_reach_to_the_next_one_unless_told_otherwise() -> None:
    assert Streams(ROWS, np.array([0, 10]), streams=1, k1=4).lengths.tolist() == [10, 29]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="sequence 1 is the rows 30 to 40 of 40: expected at least one step"):
        Streams(ROWS, np.array([0, 30]), np.array([5, 10]), streams=1, k1=4)
    with pytest.raises(DataError, match="expected the start and length of each sequence, got 0 and 0"):
        Streams(ROWS, np.array([], int), streams=1, k1=4)
    with pytest.raises(ConfigurationError, match="1 <= k1 <= k2, got 1 streams, k1 = 4, k2 = 3"):
        Streams(ROWS, np.array([0]), streams=1, k1=4, k2=3)
