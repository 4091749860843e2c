"""Features of speech against librosa's (see audio_vectors.py), and in pieces against the whole."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.data.audio import Recording, SpeechFeatures, deltas, log_mel, mfcc
from gatewise.errors import ConfigurationError, DataError
from tests.data.audio_vectors import CASES, sound

VECTORS = np.load(Path(__file__).with_name("audio_vectors.npz"))
# The vectors are float32; of a value of 200 that leaves 1e-5.
TOLERANCE = 1e-4


def recipe(name: str, kind: str) -> SpeechFeatures:
    rate, bands, coefficients, lowest, highest = CASES[name]
    return SpeechFeatures(kind, rate=rate, bands=bands, coefficients=coefficients, lowest=lowest, highest=highest)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["log_mel", "mfcc"])
def test_features_are_librosas(name, kind):
    recording = Recording(VECTORS[f"{name}_samples"], CASES[name][0])
    found = recipe(name, kind)(recording)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, VECTORS[f"{name}_{kind}"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_deltas_are_librosas(name):
    np.testing.assert_allclose(deltas(VECTORS[f"{name}_mfcc"]), VECTORS[f"{name}_deltas"], rtol=0, atol=TOLERANCE)


def test_the_short_forms_are_recipes():
    recording = Recording(sound(8000), 8000)
    np.testing.assert_array_equal(log_mel(recording, bands=23), SpeechFeatures(rate=8000, bands=23)(recording))
    np.testing.assert_array_equal(
        mfcc(recording, 12, bands=23), SpeechFeatures("mfcc", rate=8000, bands=23, coefficients=12)(recording)
    )
    assert log_mel(recording, bands=5, window=0.032, hop=0.016).shape == (1 + (2000 - 256) // 128, 5)


def test_differences_are_deltas_and_energy_is_the_last_feature():
    recording = Recording(sound(16000), 16000)
    plain, all_of_them = (SpeechFeatures(energy=True, differences=n)(recording) for n in (0, 2))
    np.testing.assert_array_equal(all_of_them, np.concatenate([plain, deltas(plain), deltas(deltas(plain))], axis=1))
    np.testing.assert_array_equal(plain[:, :-1], log_mel(recording))
    hann = np.sin(np.pi * np.arange(400) / 400) ** 2
    energy = np.square(hann * recording.samples[160:560].astype(np.float64)).sum()
    assert plain[1, -1] == pytest.approx(np.log(energy), abs=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_few_frames_have_differences(frames):
    recording = Recording(sound(16000)[: 400 + 160 * (frames - 1)], 16000)
    features = SpeechFeatures("mfcc", differences=2)(recording)
    assert features.shape == (frames, 39)
    if frames == 1:
        assert not features[:, 13:].any()


def test_digital_silence_has_the_least_features():
    found = SpeechFeatures(energy=True)(Recording(np.zeros(1000, np.float32), 16000))
    np.testing.assert_allclose(found, np.log(1e-10), rtol=1e-6)


RECIPES = [
    SpeechFeatures(),
    SpeechFeatures(energy=True, differences=2),
    SpeechFeatures("mfcc", energy=True, differences=1),
    SpeechFeatures(bands=7, window=0.010, hop=0.015, differences=2),  # samples between frames are skipped
]


@pytest.mark.parametrize("features", RECIPES, ids=range(len(RECIPES)))
@settings(derandomize=True, max_examples=25, deadline=None)
@given(data=st.data())
def test_pieces_give_the_features_of_the_whole_bit_by_bit(features, data):
    samples = np.tile(sound(16000), 3)[: data.draw(st.integers(400, 12000))]
    whole = features(Recording(samples, 16000))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(samples)), max_size=12)))
    stream = features.stream()
    parts = [stream.feed(samples[a:b]) for a, b in pairwise([0, *cuts, len(samples)])]
    fed = sum(map(len, parts))
    assert fed == max(0, len(whole) - features.look_ahead)
    np.testing.assert_array_equal(np.concatenate([*parts, stream.finish()]), whole)


def test_single_samples_and_long_blocks_give_the_same_bits():
    features = SpeechFeatures("mfcc", energy=True, differences=2)
    samples = np.tile(sound(16000), 25)  # more than a block of frames
    whole = features(Recording(samples, 16000))
    stream = features.stream()
    parts = [stream.feed(samples[k : k + 1]) for k in range(3000)]
    parts += [stream.feed(samples[3000:]), stream.finish()]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_an_empty_stream_has_no_frames():
    stream = SpeechFeatures(differences=2).stream("call")
    assert stream.feed(np.zeros(399, np.float32)).shape == (0, 120)
    assert stream.finish().shape == (0, 120)
    with pytest.raises(DataError, match='"call": this stream is finished'):
        stream.feed(np.zeros(1, np.float32))


@pytest.mark.parametrize("samples", [np.zeros(3), np.zeros((2, 2), np.float32), [0.0], np.full(3, np.nan, np.float32)])
def test_a_stream_refuses_what_is_no_sound(samples):
    stream = SpeechFeatures().stream("call")
    with pytest.raises(DataError, match='"call"'):
        stream.feed(samples)


def test_a_recipe_survives_its_file():
    features = SpeechFeatures("mfcc", energy=True, differences=1, highest=7000.0)
    assert SpeechFeatures.from_dict(json.loads(json.dumps(features.to_dict()))) == features
    with pytest.raises(ConfigurationError, match='unknown key "band": did you mean "bands"'):
        SpeechFeatures.from_dict({"band": 3})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "mel"}, 'unknown features "mel": did you mean "log_mel"'),
        ({"bands": 0}, "bands must be a whole number of at least 1; got 0"),
        ({"bands": 2.0}, "bands must be a whole number"),
        ({"kind": "mfcc", "coefficients": 41}, "coefficients must be a whole number from 1 to 40; got 41"),
        ({"differences": 3}, "differences must be a whole number from 0 to 2"),
        ({"energy": 1}, "energy must be true or false"),
        ({"window": "x"}, "window must be a number"),
        ({"hop": 0.0}, "400 and 0 samples"),
        ({"lowest": 4000.0, "highest": 3000.0}, "bands must lie between 0 and 8000 Hz"),
        ({"highest": 9000.0}, "bands must lie between 0 and 8000 Hz"),
        ({"bands": 200}, "of 200 bands.*use fewer bands or a longer window"),
    ],
)
def test_recipes_are_checked(values, message):
    with pytest.raises(ConfigurationError, match=message):
        SpeechFeatures(**values)


def test_recordings_have_to_fit_the_recipe():
    with pytest.raises(DataError, match=r'"x" has 8000 Hz, where the features are of 16000 Hz; read_audio'):
        SpeechFeatures()(Recording(np.zeros(8000, np.float32), 8000, "x"))
    with pytest.raises(DataError, match=r'"x" is 24.9 ms long; expected at least one frame of 25 ms'):
        SpeechFeatures()(Recording(np.zeros(399, np.float32), 16000, "x"))


@pytest.mark.parametrize("width", [0, 1.5, True])
def test_deltas_are_checked(width):
    with pytest.raises(ConfigurationError, match="deltas: expected a width"):
        deltas(np.zeros((3, 1)), width)
    with pytest.raises(DataError, match=r"frames \[T, F\], got \[3\]"):
        deltas(np.zeros(3))
    assert deltas(np.zeros((0, 4))).shape == (0, 4)
