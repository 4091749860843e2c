"""Metrics of segments, events and values, by hand-counted cases."""

import numpy as np
import pytest

from gatewise.errors import DataError
from gatewise.tasks.labelling import event_metrics, segment_metrics, value_metrics
from gatewise.tasks.labelling.spans import hold_out, pieces
from gatewise.tasks.labelling.surprise import Surprise


def numbers(text: str) -> np.ndarray:
    return np.array([ord(letter) for letter in text])


def test_a_perfect_labelling_has_perfect_segments() -> None:
    found = segment_metrics([(numbers("aabbc"), numbers("aabbc"))])
    assert found == {"edit": 1.0, "f1_10": 1.0, "f1_25": 1.0, "f1_50": 1.0}


def test_oversegmentation_costs_segments_though_it_costs_few_steps() -> None:
    # Five segments where there is one: the longest overlaps 4 of 10 steps, the others are too many.
    found = segment_metrics([(numbers("aaaaaaaaaa"), numbers("aaaabaabaa"))])
    assert found["edit"] == pytest.approx(1 - 4 / 5)
    assert found["f1_25"] == pytest.approx(2 * 1 / (1 + 5))
    assert found["f1_50"] == 0.0


def test_overlaps_are_intersections_over_unions() -> None:
    # a: 2 of 4 steps in common of a union of 4; b: 4 of a union of 6.
    found = segment_metrics([(numbers("aaaabbbb"), numbers("aabbbbbb"))])
    assert found == {"edit": 1.0, "f1_10": 1.0, "f1_25": 1.0, "f1_50": 1.0}
    found = segment_metrics([(numbers("aaaabbbb"), numbers("abbbbbbb"))])
    assert (found["f1_25"], found["f1_50"]) == (1.0, 0.5)


def test_a_true_segment_is_found_once() -> None:
    found = segment_metrics([(numbers("aaaaaaaa"), numbers("aaabaaaa"))])
    assert found["f1_10"] == pytest.approx(2 * 1 / (1 + 3))


def test_hits_are_counted_over_all_sequences() -> None:
    found = segment_metrics([(numbers("a"), numbers("a")), (numbers("abc"), numbers("bca"))])
    assert found["edit"] == pytest.approx((1 + (1 - 2 / 3)) / 2)
    assert found["f1_10"] == pytest.approx(2 * 1 / (4 + 4))


def test_events() -> None:
    truth = np.array([0, 1, 1, 1, 0, 0, 1, 0], bool)
    alarmed = np.array([0, 0, 1, 0, 1, 0, 0, 1], bool)
    found = event_metrics([(truth, alarmed)])
    assert found["event_recall"] == pytest.approx(1 / 2)
    assert found["event_precision"] == pytest.approx(1 / 3)
    assert found["event_f1"] == pytest.approx(0.4)


def test_values() -> None:
    truth = np.array([[0.0, 1.0], [2.0, np.nan], [4.0, 3.0]])
    found = value_metrics(truth, truth + np.array([[1.0, 0.0], [-1.0, 7.0], [0.0, 0.0]]))
    assert found["rmse"] == pytest.approx(np.sqrt(2 / 5))
    assert found["mae"] == pytest.approx(2 / 5)
    assert found["r2"] == pytest.approx(((1 - 2 / 8) + 1) / 2)


def test_surprise_is_the_distance_in_standard_deviations() -> None:
    errors = np.random.default_rng(0).normal([1.0, -2.0], [0.5, 3.0], size=(20_000, 2))
    surprise = Surprise.fit(errors, alarm=0.05)
    assert surprise.scores(np.array([[1.0 + 0.5 * 4, -2.0]]))[0] == pytest.approx(4 / np.sqrt(2), rel=0.03)
    assert (surprise.scores(errors) > surprise.threshold).mean() == pytest.approx(0.05, abs=1e-3)
    # A value that is missing is as expected.
    assert surprise.scores(np.array([[np.nan, -2.0]]))[0] == pytest.approx(0, abs=0.05)
    with pytest.raises(DataError, match="has 7 steps with all their values, and the errors of 2 channels need"):
        Surprise.fit(errors[:7], alarm=0.05)


def test_pieces_cover_every_step_once_however_they_are_shifted() -> None:
    spans = np.array([[0, 103], [103, 110], [110, 160]])
    for shift in (0.0, 0.3, 0.5, 0.999):
        found = pieces(spans, 20, shift)
        assert len(found) == 6 + 1 + 3
        assert np.array_equal(np.concatenate([np.arange(a, b) for a, b in found]), np.arange(160))
        assert (found[:, 1] - found[:, 0]).max() <= 30


def test_what_is_held_out_is_whole_groups_and_leaves_every_class() -> None:
    offsets, groups = np.arange(0, 61, 5), np.repeat(np.arange(6), 2)
    targets = np.repeat([0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 2], 5)
    for seed in range(20):
        training, validation, said = hold_out(offsets, groups, targets, share=0.2, seed=seed)
        assert said == "1 of 6 groups"
        assert len(training) + len(validation) == 12
        assert not {a // 10 for a, _ in training} & {a // 10 for a, _ in validation}
        assert set(np.concatenate([targets[a:b] for a, b in training])) == {0, 1, 2}
