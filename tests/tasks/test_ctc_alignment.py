"""Forced alignment and best path decoding, by going through all alignments."""

import math
from itertools import groupby, product
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks.ctc_cases import draw
from torch import Tensor

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc import GreedyStream, Hypothesis, align, alignment, greedy


@pytest.fixture(params=["core", "python"])
def side(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "core":
        assert alignment.core is not None, "the tests need the compiled core: install with a C++ compiler"
    else:
        monkeypatch.setattr(alignment, "core", None)
    return request.param


def spans(labels: tuple[int, ...], blank: int) -> list[tuple[int, int, int]]:
    """Label, start and end of each run that is no blank."""
    found, t = [], 0
    for label, run in groupby(labels):
        length = len(list(run))
        if label != blank:
            found.append((label, t, t + length))
        t += length
    return found


@pytest.mark.parametrize("penalty", [0.0, 1.5, -1.0])
def test_the_best_of_all_alignments(side: str, penalty: float) -> None:
    generator = torch.Generator().manual_seed(0)
    for steps in (1, 3, 5):
        logits = 2 * torch.randn(steps, 3, generator=generator, dtype=torch.float64)
        log_probs = logits.log_softmax(1)
        for target in ([], [0], [2], [0, 2], [2, 2], [2, 0, 2]):
            best = None
            for path in product(range(3), repeat=steps):
                if [label for label, _, _ in spans(path, 1)] == target:
                    score = sum(float(log_probs[t, k]) - penalty * (k == 1) for t, k in enumerate(path))
                    best = max(best or (-math.inf, path), (score, path))
            if best is None:
                continue
            (found,) = align(logits, [target], blank=1, blank_penalty=penalty)
            assert found.log_prob == pytest.approx(best[0], abs=1e-10)
            assert list(zip(found.labels, found.starts, found.ends, strict=True)) == spans(best[1], 1)
            want = [float(log_probs[start:end, label].sum()) for label, start, end in spans(best[1], 1)]
            assert list(found.scores) == pytest.approx(want, abs=1e-10)


def test_batches_of_ragged_pairs(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(60):
        case = draw(seed, feasible=True)
        found = align(case.logits, case.targets, case.input_lengths, case.target_lengths, blank=case.blank)
        with monkeypatch.context() as patch:
            patch.setattr(alignment, "core", None)
            plain = align(case.logits, case.targets, case.input_lengths, case.target_lengths, blank=case.blank)
        for b, (got, want) in enumerate(zip(found, plain, strict=True)):
            assert got.labels == tuple(case.targets[b, : case.target_lengths[b]].tolist())
            assert (got.starts, got.ends) == (want.starts, want.ends)
            assert got.log_prob == pytest.approx(want.log_prob, rel=1e-10, abs=1e-10)
            assert got.scores == pytest.approx(want.scores, rel=1e-10, abs=1e-10)


def test_of_equal_alignments_the_one_that_moves_latest_from_its_end(side: str) -> None:
    (found,) = align(torch.zeros(6, 3), [[1, 1, 2]])
    assert all(a < b for a, b in zip(found.starts, found.ends, strict=True))
    assert found.log_prob == pytest.approx(-6 * math.log(3))
    (again,) = align(torch.zeros(6, 3, dtype=torch.float64), [[1, 1, 2]])
    assert (again.starts, again.ends) == (found.starts, found.ends)


def test_threads_change_nothing() -> None:
    case = draw(11, feasible=True)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 4):
            torch.set_num_threads(count)
            found.append(align(case.logits, case.targets, case.input_lengths, case.target_lengths, blank=case.blank))
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]


def test_what_cannot_be_aligned_is_named(side: str) -> None:
    logits = torch.zeros(3, 3, 4)
    with pytest.raises(
        DataError, match=r"align: no alignment exists for 1 of 3 pairs: index 1 \(3 labels need 4 steps"
    ):
        align(logits, [[1], [1, 1, 2], []])
    logits[:, 2, 3] = -math.inf
    with pytest.raises(DataError, match="align: no alignment has a probability above 0 for pairs 2: logits of -inf"):
        align(logits, [[1], [2], [3]])
    logits[1, 0] = math.nan
    with pytest.raises(DataError, match="sequence 0 has no probabilities at step 1"):
        align(logits, [[1], [2], [1]])
    with pytest.raises(DataError, match="label 0 of target 0 is 4, expected a label from 0 to 3"):
        align(logits, [[4], [2], [1]])
    with pytest.raises(ConfigurationError, match="blank is 4"):
        align(logits, [[1], [2], [1]], blank=4)


# --------------------------------------------------------------------------------------------------------------- greedy


def best_path(logits: Tensor, blank: int) -> Hypothesis:
    """By hand."""
    log_probs = logits.double().log_softmax(1)
    path = tuple(log_probs.argmax(1).tolist())
    runs = spans(path, blank)
    score = float(log_probs.max(1).values.sum()) if len(path) else 0.0
    return Hypothesis(*(tuple(column) for column in ([r[0] for r in runs],)), score, score, tuple(r[1] for r in runs), tuple(r[2] for r in runs))  # fmt: skip  # noqa: E501


def test_best_paths_of_ragged_batches() -> None:
    for seed in range(40):
        case = draw(seed)
        found = greedy(case.logits, case.input_lengths, blank=case.blank)
        for b, length in enumerate(case.input_lengths.tolist()):
            want = best_path(case.logits[:length, b], case.blank)
            assert (found[b].labels, found[b].starts, found[b].ends) == (want.labels, want.starts, want.ends)
            assert found[b].score == found[b].log_prob == pytest.approx(want.score, abs=1e-9)


def test_a_stream_of_chunks_is_the_whole() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logits = torch.from_numpy(rng.normal(size=(30, 3)))
        stream, start = GreedyStream(blank=2, blank_penalty=0.3), 0
        while start < 30:
            size = int(rng.integers(0, 5))
            stream.feed(logits[start : start + size])
            start = min(start + size, 30)
            assert stream.steps == start
            if start:
                assert stream.best() == greedy(logits[:start], blank=2, blank_penalty=0.3)[0]


def test_the_blank_penalty_takes_blanks_away() -> None:
    logits = torch.tensor([[2.0, 1.0], [2.0, 1.5]])
    assert [greedy(logits, blank_penalty=p)[0].labels for p in (0.0, 0.7, -1.0)] == [(), (1,), ()]
    assert greedy(logits, blank_penalty=0.7)[0].starts == (1,)


@pytest.mark.parametrize(
    ("given", "options", "error", "message"),
    [
        (torch.tensor([[[0.0, 1.0]], [[math.nan, 0.0]]]), {}, DataError, "sequence 0 has no probabilities at step 1"),
        (torch.zeros(2, 2, 3), {"lengths": [3, 1]}, DataError, r"lengths\[0\] is 3, expected 0 to T = 2"),
        (torch.zeros(2, 3), {"blank": 3}, ConfigurationError, "blank is 3"),
        (torch.zeros(2, 3), {"blank_penalty": math.nan}, ConfigurationError, "blank_penalty is nan"),
        ([[0.0]], {}, DataError, "expected logits to be a Tensor, got list"),
    ],
)
def test_what_does_not_fit_is_refused(given: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        greedy(given, **options)


def test_a_stream_takes_no_step_of_a_bad_chunk() -> None:
    stream = GreedyStream()
    stream.feed(torch.eye(3)[[1]])
    with pytest.raises(DataError, match="sequence 0 has no probabilities at step 2"):
        stream.feed(torch.tensor([[0.0, 0.0, 1.0], [math.nan, 0.0, 0.0]]))
    assert (stream.steps, stream.best().labels) == (1, (1,))
    with pytest.raises(DataError, match=r"expected logits \[T, V\] of one sequence"):
        stream.feed(torch.zeros(1, 1, 3))
