"""Audio files become recordings, or one clear message."""

import re
import sys
import warnings

import numpy as np
import pytest
import soundfile

from gatewise.data.audio import Recording, read_audio
from gatewise.errors import AudioWarning, ConfigurationError, DataError

RATE = 16000


def tone(rate: int = RATE, seconds: float = 0.5, frequency: float = 440.0, height: float = 0.5) -> np.ndarray:
    return height * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


@pytest.fixture
def written(tmp_path):
    def write(samples, rate=RATE, name="x.wav", **options):
        path = tmp_path / name
        soundfile.write(path, samples, rate, **options)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "subtype", "error"),
    [
        ("x.wav", "PCM_16", 4e-5),
        ("x.wav", "PCM_24", 2e-7),
        ("x.wav", "PCM_32", 1e-7),
        ("x.wav", "PCM_U8", 8e-3),
        ("x.wav", "FLOAT", 1e-7),
        ("x.wav", "DOUBLE", 1e-7),
        ("x.flac", "PCM_16", 4e-5),
        ("x.WAV", "PCM_16", 4e-5),
    ],
)
def test_every_sample_type_has_full_scale_1(written, name, subtype, error):
    samples = tone()
    recording = read_audio(written(samples, name=name, subtype=subtype))
    assert (recording.rate, recording.samples.dtype, recording.seconds) == (RATE, np.float32, 0.5)
    np.testing.assert_allclose(recording.samples, samples, atol=error)


def test_timit_s_own_format_is_read(written):
    path = written(tone(), name="sa1.wav", format="NIST", subtype="PCM_16")
    assert path.read_bytes().startswith(b"NIST_1A")
    np.testing.assert_allclose(read_audio(path).samples, tone(), atol=4e-5)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 12345])
def test_other_rates_are_resampled(written, rate):
    recording = read_audio(written(tone(rate), rate, subtype="FLOAT"))
    assert recording.rate == RATE
    assert abs(len(recording.samples) - 8000) <= 1
    inner = slice(1000, 7000)  # the filter rings at the ends
    np.testing.assert_allclose(recording.samples[inner], tone()[inner], atol=2e-3)


def test_channels_are_averaged_or_one_is_taken(written):
    left, right = tone(), tone(frequency=550)
    path = written(np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path).samples, (left + right) / 2, atol=1e-6)
    np.testing.assert_allclose(read_audio(path, channel=1).samples, right, atol=1e-6)
    with pytest.raises(DataError, match=r"has 2 channels; expected a channel from 0 to 1, got 2"):
        read_audio(path, channel=2)


def test_channels_that_cancel_are_refused(written):
    path = written(np.stack([tone(), -tone()], axis=1))
    with pytest.raises(DataError, match="2 channels cancel one another"):
        read_audio(path)
    np.testing.assert_allclose(read_audio(path, channel=1).samples, -tone(), atol=1e-4)


def test_silence_and_clipping_are_said_and_read(written):
    with pytest.warns(AudioWarning, match="is silent: all 8000 samples are the same"):
        assert not read_audio(written(np.zeros(8000))).samples.any()
    loud = written(np.clip(tone(height=2.0), -1, 1), name="loud.wav")
    with pytest.warns(AudioWarning, match=r"loud.wav\" is clipped: 33.*% of its samples"):
        assert len(read_audio(loud).samples) == 8000


def test_loud_but_unclipped_recordings_are_read_without_a_word(written):
    path = written(tone(height=0.9999))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_audio(path)


def _cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda path: path.write_bytes(b""), ["is empty, 0 bytes"]),
        (lambda path: path.write_bytes(b"no sound " * 50), ["cannot be read as audio", "WAV, FLAC"]),
        (lambda path: path.write_bytes(path.read_bytes()[:20]), ["ends early: 20 bytes", "16044"]),
        (_cut, ["ends early", "header says 16044", "copy it again"]),
        (lambda path: soundfile.write(path, np.zeros(0), RATE), ["has no samples"]),
        (lambda path: path.unlink(), ["no file", "nothing"]),
        (lambda path: (path.unlink(), path.mkdir()), ["is a folder"]),
    ],
)
def test_bad_files_are_refused_by_name(written, spoil, parts):
    path = written(tone())
    spoil(path)
    with pytest.raises(DataError) as caught:
        read_audio(path)
    for part in [str(path), *parts]:
        assert part in str(caught.value)


def test_a_flac_file_that_was_cut_off_is_refused(written):
    path = written(tone(seconds=2) + 0.01 * np.random.default_rng(0).normal(size=2 * RATE), name="x.flac")
    _cut(path)
    with pytest.raises(DataError, match=re.escape(str(path))):
        read_audio(path)


def test_a_wav_file_that_was_written_to_a_pipe_is_read(written):
    path = written(tone())
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff" * 4
    path.write_bytes(content)
    assert len(read_audio(path).samples) == 8000


def test_a_missing_file_is_told_by_its_neighbours(written):
    path = written(tone(), name="speech-1.wav")
    with pytest.raises(DataError, match=r'did you mean "speech-1.wav"'):
        read_audio(path.with_name("speech-2.wav"))
    with pytest.raises(DataError, match="its folder does not exist"):
        read_audio(path.parent / "nowhere" / "x.wav")


def test_samples_without_a_header_are_refused(tmp_path):
    path = tmp_path / "x.raw"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(DataError, match="no header that says its rate"):
        read_audio(path)


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "sample 7: .*no finite number"), (np.inf, "sample 7"), (20000.0, "reach 20000")]
)
def test_samples_that_are_no_sound_are_refused(written, value, message):
    samples = tone()
    samples[7] = value
    with pytest.raises(DataError, match=message):
        read_audio(written(samples, subtype="FLOAT"))


@pytest.mark.filterwarnings("ignore::gatewise.errors.AudioWarning")
def test_less_than_a_sample_is_refused(written):
    with pytest.raises(DataError, match=r"1 samples at 48000 Hz, which is less than one sample at 8 Hz"):
        read_audio(written(np.full(1, 0.5), 48000), rate=8)


@pytest.mark.parametrize("rate", [0, -1, 16000.0, True, None])
def test_rates_are_whole_numbers(written, rate):
    with pytest.raises(ConfigurationError, match="a rate in Hz, a whole number above 0"):
        read_audio(written(tone()), rate=rate)


@pytest.mark.parametrize("package", ["soundfile", "soxr"])
def test_a_missing_package_is_named_with_its_extra(written, monkeypatch, package):
    path = written(tone(8000), 8000)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=rf"package {package}: pip install 'gatewise\[audio\]'"):
        read_audio(path)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(3), RATE, r"float32 array \[N\], got float64 \[3\]"),
        (np.zeros((3, 1), np.float32), RATE, r"got float32 \[3, 1\]"),
        ([0.0], RATE, "got list"),
        (np.zeros(0, np.float32), RATE, "has no samples"),
        (np.zeros(3, np.float32), 0, "a rate in Hz"),
        (np.full(3, np.nan, np.float32), RATE, "no finite number"),
    ],
)
def test_recordings_are_checked(samples, rate, message):
    with pytest.raises(DataError, match=message):
        Recording(samples, rate)
