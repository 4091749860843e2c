"""Recordings: audio files as samples of one channel at one rate.

Legend: N samples, C channels.
"""

import importlib
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatewise.errors import AudioWarning, ConfigurationError, DataError, nearest

# A float file may go a little beyond full scale, as decoders of lossy formats do; beyond this it is in other units.
LARGEST = 8.0
CANCELLED = 0.01  # the mean of channels has less than this share of their power: they are inverted copies
CLIPPED = 0.001  # more than this share of samples stands at the limit: that is heard
RUN = 3  # equal samples at the limit, one after the other, from which on they count as clipped
NEAR_FULL_SCALE = 0.99


@dataclass(frozen=True, eq=False)
class Recording:
    """Sound of one channel.

    Attributes:
        samples: float32 `[N]`, of full scale -1 to 1; a float file and resampling may go a little beyond.
        rate: samples a second, in Hz.
        name: what stands in messages for it, such as its path.

    Raises:
        DataError: no samples, or samples of another shape or type, infinite, NaN, or larger than 8 in size; a rate
            that is no whole number above 0.

    >>> Recording(np.zeros(8000, np.float32), 16000, "pause").seconds
    0.5
    """

    samples: np.ndarray
    rate: int
    name: str = "recording"

    def __post_init__(self) -> None:
        samples = self.samples
        if not isinstance(samples, np.ndarray) or samples.ndim != 1 or samples.dtype != np.float32:
            what = (
                f"{samples.dtype} {list(samples.shape)}" if isinstance(samples, np.ndarray) else type(samples).__name__
            )
            raise DataError(f'"{self.name}": expected samples as a float32 array [N], got {what}')
        if isinstance(self.rate, bool) or not isinstance(self.rate, int) or self.rate < 1:
            raise DataError(f'"{self.name}": expected a rate in Hz, a whole number above 0; got {self.rate!r}')
        if len(samples) == 0:
            raise DataError(f'"{self.name}" has no samples: expected a recording with sound in it')
        check_samples(samples, self.name)

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return len(self.samples) / self.rate


def read_audio(path: str | Path, rate: int = 16000, *, channel: int | None = None) -> Recording:
    """Read an audio file: WAV, FLAC, Ogg, MP3, NIST SPHERE, and what else libsndfile reads, of any sample type.

    Several channels are averaged, unless one is asked for; channels that cancel one another are refused. A file of
    another rate is resampled (soxr, quality HQ). Silence and clipping are data that one can use, so they are warned of.

    Args:
        path: the file.
        rate: samples a second of the recording that is returned, in Hz.
        channel: take this channel alone, from 0 on.

    Raises:
        DataError: the file is missing, empty, damaged, ends early, is no audio, has no such channel, has samples that
            are no numbers or far beyond full scale, or channels of which nothing is left when they are averaged.
        ConfigurationError: the extra `audio` is not installed; the rate is no whole number above 0.

    Warns:
        AudioWarning: all samples are the same, or many stand at the limit.
    """
    path = Path(path)
    if isinstance(rate, bool) or not isinstance(rate, int) or rate < 1:
        raise ConfigurationError(f"read_audio: expected a rate in Hz, a whole number above 0; got {rate!r}")
    _check_file(path)
    values, own_rate = _read(path)
    name = str(path)
    if values.size == 0:
        raise DataError(f'"{path}" has no samples: the file has a header and nothing behind it')
    check_samples(values, name)
    _warn(values, own_rate, name)
    mono = _one_channel(values, channel, name)
    if own_rate != rate:
        mono = _package("soxr").resample(mono, own_rate, rate, quality="HQ")
        if len(mono) == 0:
            raise DataError(
                f'"{path}" has {len(values)} samples at {own_rate} Hz, which is less than one sample at {rate} Hz'
            )
    return Recording(np.ascontiguousarray(mono, np.float32), rate, name)


def check_samples(samples: np.ndarray, name: str) -> None:
    """Refuse samples, `[N]` or `[N, C]`, that are no numbers or far beyond full scale. Raises `DataError`."""
    # One pass over long recordings: a maximum is NaN if any sample is.
    peak = float(np.abs(samples).max())
    if not math.isfinite(peak):
        first = int(np.argwhere(~np.isfinite(samples))[0][0])
        raise DataError(f'"{name}", sample {first}: {samples[first]} is no finite number; the recording is damaged')
    if peak > LARGEST:
        raise DataError(
            f'"{name}": samples reach {peak:g}, where full scale is 1; divide them by their full scale, such as 32768'
        )


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(f"audio is read by the package {name}: pip install 'gatewise[audio]'") from error
    except OSError as error:  # soundfile without its C library
        raise ConfigurationError(f"the package {name} does not load: {error}") from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f'"{path}" is a folder; expected an audio file')
    if not path.is_file():
        near = nearest(path.name, (p.name for p in path.parent.iterdir())) if path.parent.is_dir() else ""
        raise DataError(f'no file "{path}": {near or "its folder does not exist"}')
    if path.suffix.lower() == ".raw":
        raise DataError(f'"{path}" has no header that says its rate and sample type; write it as a WAV file')
    size = path.stat().st_size
    if size == 0:
        raise DataError(f'"{path}" is empty, 0 bytes: expected an audio file')
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        # libsndfile reads a file that was cut off without a word. Its header's size is 0 or the largest number where
        # it was written to a pipe, whose end nobody knew.
        promised = int.from_bytes(head[4:8], "little")
        if 0 < promised < 0x7FFFFFFF and promised + 8 > size + 1:
            raise DataError(f'"{path}" ends early: {size} bytes, where its header says {promised + 8}; copy it again')


def _read(path: Path) -> tuple[np.ndarray, int]:
    """Samples, float32 `[N, C]`, and their rate."""
    soundfile = _package("soundfile")
    try:
        with soundfile.SoundFile(path) as file:
            promised = file.frames
            values, rate = file.read(dtype="float32", always_2d=True), int(file.samplerate)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(
            f'"{path}" cannot be read as audio: {getattr(error, "error_string", error)} It is damaged, or in none of '
            "the formats WAV, FLAC, Ogg, MP3, NIST SPHERE, AIFF, AU, CAF"
        ) from error
    # MP3 files tell their length only roughly.
    if len(values) < promised and path.suffix.lower() != ".mp3":
        raise DataError(f'"{path}" ends early: {len(values)} samples, where its header says {promised}; copy it again')
    return values, rate


def _one_channel(values: np.ndarray, channel: int | None, name: str) -> np.ndarray:
    count = values.shape[1]
    if channel is not None:
        if isinstance(channel, bool) or not isinstance(channel, int) or not 0 <= channel < count:
            raise DataError(f'"{name}" has {count} channels; expected a channel from 0 to {count - 1}, got {channel!r}')
        return np.ascontiguousarray(values[:, channel])
    if count == 1:
        return values[:, 0]
    mean = values.mean(axis=1, dtype=np.float64)
    power = float(np.square(values, dtype=np.float64).mean())
    if float(np.square(mean).mean()) < CANCELLED * power:
        raise DataError(
            f'"{name}": its {count} channels cancel one another when they are averaged (one is wired the other way '
            "round); take one alone, with channel=0"
        )
    return mean.astype(np.float32)


def _warn(values: np.ndarray, rate: int, name: str) -> None:
    low, high = values.min(axis=0), values.max(axis=0)
    if (low == high).all():
        warnings.warn(f'"{name}" is silent: all {len(values)} samples are the same', AudioWarning, stacklevel=3)
        return
    limits = [(c, limit) for c in range(values.shape[1]) for limit in (low[c], high[c])]
    clipped = max((_held(values[:, c] == limit) for c, limit in limits if abs(limit) >= NEAR_FULL_SCALE), default=0)
    if clipped > CLIPPED * len(values):
        warnings.warn(
            f'"{name}" is clipped: {clipped / len(values):.1%} of its samples, {clipped / rate:.3g} s, stand at the '
            "limit; it was recorded too loud",
            AudioWarning,
            stacklevel=3,
        )


def _held(at_limit: np.ndarray) -> int:
    """How many samples of a channel, bool `[N]`, are in runs of at least `RUN`."""
    edges = np.flatnonzero(np.diff(at_limit, prepend=False, append=False))
    runs = edges[1::2] - edges[::2]
    return int(runs[runs >= RUN].sum())
