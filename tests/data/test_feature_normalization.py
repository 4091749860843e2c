import json

import numpy as np
import pytest

from gatewise.data.audio import FeatureNormalizer, SpecAugment
from gatewise.errors import ConfigurationError, DataError


@pytest.fixture
def frames():
    random = np.random.default_rng(0)
    return [(random.normal(size=(n, 3)) * [1, 10, 100] + [5, 0, 1000 * n]).astype(np.float32) for n in (4, 9, 30)]


def assert_standard(values):
    np.testing.assert_allclose(values.mean(axis=0, dtype=np.float64), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=0, dtype=np.float64), 1, atol=1e-5)


def test_each_recording_has_its_own_mean_and_deviation(frames):
    normalizer = FeatureNormalizer.fit(frames, by="utterance")
    assert not normalizer.streams
    for part in frames:
        assert normalizer.transform(part).dtype == np.float32
        assert_standard(normalizer.transform(part))
    np.testing.assert_array_equal(normalizer.transform(frames[0][:1]), np.zeros((1, 3)))


def test_the_training_data_are_standard_together_and_frames_alone_give_the_same(frames):
    normalizer = FeatureNormalizer.fit(frames)
    assert normalizer.streams
    assert_standard(np.concatenate([normalizer.transform(part) for part in frames]))
    np.testing.assert_array_equal(normalizer.transform(frames[1])[3:5], normalizer.transform(frames[1][3:5]))


def test_speakers_are_standard_and_further_ones_are_told_of(frames):
    normalizer = FeatureNormalizer.fit(frames[:2], by="speaker", speakers=["ann", "bob"])
    assert_standard(normalizer.transform(frames[1], "bob"))
    with pytest.raises(DataError, match='speaker "bab" is not known: did you mean "bob"'):
        normalizer.transform(frames[2], "bab")
    np.testing.assert_array_equal(
        normalizer.transform(frames[2]), FeatureNormalizer.fit(frames[:2]).transform(frames[2])
    )
    more = normalizer.with_speaker("eve", frames[2:])
    assert_standard(more.transform(frames[2], "eve"))
    assert set(normalizer.speakers) == {"ann", "bob"}
    with pytest.raises(DataError, match='"eve" is known already'):
        more.with_speaker("eve", frames[2:])


def test_numbers_survive_their_file(frames):
    normalizer = FeatureNormalizer.fit(frames, by="speaker", speakers=["ann", "bob", "ann"])
    read = FeatureNormalizer.from_dict(json.loads(json.dumps(normalizer.to_dict())))
    np.testing.assert_array_equal(read.transform(frames[0], "ann"), normalizer.transform(frames[0], "ann"))
    assert read.by == "speaker"
    with pytest.raises(DataError, match="by \\(utterance, speaker, training\\)"):
        FeatureNormalizer.from_dict({**normalizer.to_dict(), "by": "voice"})
    with pytest.raises(DataError, match='"ann" has 1 features, where others have 3'):
        FeatureNormalizer.from_dict({**normalizer.to_dict(), "speakers": {"ann": {"mean": [0], "scale": [1]}}})


def test_what_does_not_fit_is_refused(frames):
    with pytest.raises(DataError, match="at least one recording"):
        FeatureNormalizer.fit([])
    with pytest.raises(DataError, match=r"recording 1: expected features \['T', 3\].*got \[9, 2\]"):
        FeatureNormalizer.fit([frames[0], frames[1][:, :2]])
    with pytest.raises(DataError, match="recording 1: its features are none"):
        FeatureNormalizer.fit([frames[0], frames[1][:0]])
    with pytest.raises(DataError, match="recording 0: its features are no finite numbers"):
        FeatureNormalizer.fit([frames[0] * np.nan])
    with pytest.raises(ConfigurationError, match='by "voice"'):
        FeatureNormalizer.fit(frames, by="voice")
    with pytest.raises(ConfigurationError, match="speakers="):
        FeatureNormalizer.fit(frames, by="speaker")
    with pytest.raises(DataError, match="a speaker for each of 3 recordings, got 1"):
        FeatureNormalizer.fit(frames, by="speaker", speakers=["ann"])
    with pytest.raises(DataError, match=r"expected features \[T, 3\], got \[4, 2\]"):
        FeatureNormalizer.fit(frames).transform(frames[0][:, :2])
    with pytest.raises(ConfigurationError, match="no speakers to be told of"):
        FeatureNormalizer.fit(frames).with_speaker("ann", frames)


def runs(hidden):
    """How many stretches of true there are."""
    return int(np.diff(hidden.astype(int), prepend=0).clip(0).sum())


def test_stretches_of_features_and_frames_are_hidden():
    augment = SpecAugment(feature_masks=2, widest=5, frame_masks=2, longest=8, share=0.1)
    original = np.ones((50, 20), np.float32)
    widths, lengths = set(), set()
    for seed in range(200):
        hidden = augment(original, np.random.default_rng(seed)) == 0
        rows, columns = hidden.all(axis=1), hidden.all(axis=0)
        np.testing.assert_array_equal(hidden, rows[:, None] | columns)
        assert runs(rows) <= 2
        assert runs(columns) <= 2
        widths.add(int(columns.sum()))
        lengths.add(int(rows.sum()))
    assert (min(widths), max(widths)) == (0, 10)
    assert (min(lengths), max(lengths)) == (0, 10)  # 5 each: a tenth of 50 frames
    assert original.all()


def test_the_seed_decides():
    frames = np.random.default_rng(0).normal(size=(60, 40)).astype(np.float32)
    first, again, other = (SpecAugment()(frames, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_differences_are_hidden_with_what_they_are_of():
    augment = SpecAugment(feature_masks=1, widest=5, frame_masks=0, orders=3)
    hidden = augment(np.ones((4, 30), np.float32), np.random.default_rng(2)) == 0
    assert hidden.any()
    np.testing.assert_array_equal(hidden[:, :10], hidden[:, 10:20])
    np.testing.assert_array_equal(hidden[:, :10], hidden[:, 20:])
    with pytest.raises(DataError, match="F divisible by 3"):
        augment(np.ones((4, 31), np.float32), np.random.default_rng(2))


def test_short_recordings_and_masks_wider_than_all_features_do():
    augment = SpecAugment(widest=100, longest=100, share=1.0)
    for seed in range(20):
        assert augment(np.ones((1, 3), np.float32), np.random.default_rng(seed)).shape == (1, 3)


@pytest.mark.parametrize(("name", "value"), [("widest", -1), ("longest", 1.0), ("orders", 0), ("share", 1.5)])
def test_masks_are_checked(name, value):
    with pytest.raises(ConfigurationError, match=f"SpecAugment: {name} is {value}"):
        SpecAugment(**{name: value})
