"""What speech recognisers hear: log-mel energies and cepstra of short frames, and how they change.

Everything is computed frame by frame in float64, by operations on single elements in a fixed order, and rounded once to
float32. So a frame's numbers depend on its samples alone, and features of a stream are those of the whole, bit by bit.

Legend: N samples, T frames, M mel bands, K cepstral coefficients, F features.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from gatewise.data.audio.recording import Recording, check_samples
from gatewise.errors import ConfigurationError, DataError, nearest

KINDS = ("log_mel", "mfcc")
FLOOR = 1e-10  # the least energy of a band: ln is -23.03, which is below the rounding noise of 16 bits
BLOCK = 512  # frames that are worked on at a time


@dataclass(frozen=True)
class SpeechFeatures:
    """A recipe of features, as a recogniser keeps it.

    A frame is `window` seconds of sound under a periodic Hann window; one starts every `hop` seconds. Samples at the
    end that do not fill a frame are left out, so there are T = 1 + (N - window) // hop of them. `log_mel`: the natural
    logarithm of the energy (squared magnitudes of the Fourier transform, of full scale 1) in M triangular bands, evenly
    spaced on the mel scale 2595 log10(1 + f / 700) (O'Shaughnessy 1987), each of height 1; less than 1e-10 counts as
    that. `mfcc`: the first K coefficients of their orthonormal cosine transform (Davis & Mermelstein 1980). These are
    librosa's with `htk=True, norm=None`, and those of torchaudio's `MelSpectrogram`, in nats, without padding.

    Args:
        kind: "log_mel" or "mfcc".
        rate: of the recordings, in Hz.
        bands: M.
        coefficients: K; of "mfcc" only.
        energy: the logarithm of the frame's energy as one more feature, the last; Graves, Mohamed & Hinton (2013) have
            40 bands with it.
        differences: 1 adds the change of each feature over time (`deltas`), 2 also that of the change.
        window: of a frame, in seconds.
        hop: from one frame to the next, in seconds.
        lowest: where the first band begins, in Hz.
        highest: where the last band ends, in Hz; None for half of the rate.

    Raises:
        ConfigurationError: a value is out of range, or a band is narrower than the Fourier transform resolves.

    >>> features = SpeechFeatures(bands=40, energy=True, differences=2)
    >>> features.size
    123
    >>> features(Recording(np.zeros(16000, np.float32), 16000)).shape
    (98, 123)
    """

    kind: Literal["log_mel", "mfcc"] = "log_mel"
    rate: int = 16000
    bands: int = 40
    coefficients: int = 13
    energy: bool = False
    differences: int = 0
    window: float = 0.025
    hop: float = 0.010
    lowest: float = 20.0
    highest: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(f'unknown features "{self.kind}": {nearest(str(self.kind), KINDS)}')
        whole_numbers: list[tuple[str, int, int | None]] = [
            ("rate", 1, None),
            ("bands", 1, None),
            ("differences", 0, 2),
        ]
        if self.kind == "mfcc":
            whole_numbers.append(("coefficients", 1, self.bands))
        for name, least, most in whole_numbers:
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or value < least or (most is not None and value > most):
                bound = f"of at least {least}" if most is None else f"from {least} to {most}"
                raise ConfigurationError(f"speech features: {name} must be a whole number {bound}; got {value!r}")
        for name in ("window", "hop", "lowest", "highest"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value)) and not (
                name == "highest" and value is None
            ):
                raise ConfigurationError(f"speech features: {name} must be a number; got {value!r}")
        if not isinstance(self.energy, bool):
            raise ConfigurationError(f"speech features: energy must be true or false; got {self.energy!r}")
        if not (self.frame_length >= 2 and self.hop_length >= 1):
            raise ConfigurationError(
                f"speech features: at {self.rate} Hz a window of {self.window!r} s and a hop of {self.hop!r} s are "
                f"{self.frame_length} and {self.hop_length} samples; expected at least 2 and 1"
            )
        top = self.rate / 2 if self.highest is None else self.highest
        if not 0 <= self.lowest < top <= self.rate / 2:
            raise ConfigurationError(
                f"speech features: bands must lie between 0 and {self.rate / 2:g} Hz, half of the rate; got lowest "
                f"{self.lowest!r} and highest {self.highest!r}"
            )
        empty = np.flatnonzero(mel_bands(self).sum(axis=1) == 0)
        if len(empty):
            raise ConfigurationError(
                f"speech features: {len(empty)} of {self.bands} bands, the first of them band {empty[0]}, lie between "
                f"two frequencies of the Fourier transform over {self.window} s; use fewer bands or a longer window"
            )

    @property
    def frame_length(self) -> int:
        """Samples of a frame."""
        return round(self.window * self.rate)

    @property
    def hop_length(self) -> int:
        """Samples from the start of a frame to that of the next."""
        return round(self.hop * self.rate)

    @property
    def transform_length(self) -> int:
        """Points of the Fourier transform: the power of two from the frame's length on; the rest is zeros."""
        return 1 << (self.frame_length - 1).bit_length()

    @property
    def size(self) -> int:
        """F: how many features a frame has."""
        return ((self.bands if self.kind == "log_mel" else self.coefficients) + self.energy) * (1 + self.differences)

    @property
    def look_ahead(self) -> int:
        """How many frames a stream has to wait for the features of one."""
        return 2 * self.differences

    def __call__(self, recording: Recording) -> np.ndarray:
        """The features of a recording: float32 `[T, F]`.

        Raises:
            DataError: its rate is another, or it is shorter than a frame.
        """
        if recording.rate != self.rate:
            raise DataError(
                f'"{recording.name}" has {recording.rate} Hz, where the features are of {self.rate} Hz; '
                f"read_audio(path, rate={self.rate}) resamples it"
            )
        if len(recording.samples) < self.frame_length:
            raise DataError(
                f'"{recording.name}" is {1000 * recording.seconds:.3g} ms long; expected at least one frame of '
                f"{1000 * self.window:g} ms"
            )
        stream = self.stream(recording.name)
        return np.concatenate([stream.feed(recording.samples), stream.finish()])

    def stream(self, name: str = "stream") -> "FeatureStream":
        """The features of a recording that comes in pieces; `name` stands for it in messages."""
        return FeatureStream(self, name)

    def to_dict(self) -> dict[str, Any]:
        """Its values, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SpeechFeatures":
        """The recipe that `to_dict` wrote. Raises `ConfigurationError` for unknown keys and values out of range."""
        known = {field.name for field in fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigurationError(f'speech features: unknown key "{key}": {nearest(key, known)}')
        return cls(**values)


class FeatureStream:
    """Features of a recording that comes in pieces: those of the whole recording, bit by bit.

    Attributes:
        features: the recipe.
        name: what stands for the recording in messages.

    >>> stream = SpeechFeatures().stream()
    >>> stream.feed(np.zeros(300, np.float32)).shape, stream.feed(np.zeros(300, np.float32)).shape
    ((0, 40), (2, 40))
    """

    def __init__(self, features: SpeechFeatures, name: str = "stream") -> None:
        self.features = features
        self.name = name
        self._left = np.zeros(0, np.float32)  # samples from the start of the next frame on
        self._skip = 0  # samples to come before the next frame, where the hop is longer than the window
        self._changes = [_DeltaStream(2) for _ in range(features.differences)]
        # Features that wait for their changes: [T, size of a difference] for each order below the last.
        self._waiting: list[np.ndarray | None] = [None] * features.differences
        self._finished = False

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Take samples, float32 `[N]`; the features of the frames that are complete by now, float32 `[T, F]`.

        Raises:
            DataError: samples of another shape or type, or no finite numbers; the stream is finished.
        """
        if self._finished:
            raise DataError(f'"{self.name}": this stream is finished; begin another for the next recording')
        if not isinstance(samples, np.ndarray) or samples.ndim != 1 or samples.dtype != np.float32:
            what = f"{samples.dtype} {list(samples.shape)}" if isinstance(samples, np.ndarray) else type(samples)
            raise DataError(f'"{self.name}": expected samples as a float32 array [N], got {what}')
        if len(samples):
            check_samples(samples, self.name)
        frames = list(self._frames(samples))
        return self._changed(np.concatenate(frames) if frames else self._none(), last=False)

    def finish(self) -> np.ndarray:
        """The features of the last frames, float32 `[T, F]`; there are some where `differences` look ahead."""
        self._finished = True
        return self._changed(self._none(), last=True)

    def _none(self) -> np.ndarray:
        return np.zeros((0, self.features.size // (1 + self.features.differences)), np.float32)

    def _frames(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """Static features of complete frames, a block at a time."""
        length, hop = self.features.frame_length, self.features.hop_length
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        have = np.concatenate([self._left, samples[skipped:]])
        count = max(0, 1 + (len(have) - length) // hop)
        if count:
            windows = np.lib.stride_tricks.sliding_window_view(have, length)[::hop]
            for start in range(0, count, BLOCK):
                yield _static(self.features, windows[start : min(count, start + BLOCK)])
        self._skip += max(0, count * hop - len(have))
        self._left = have[count * hop :].copy()

    def _changed(self, static: np.ndarray, last: bool) -> np.ndarray:
        """Static features with their changes; at the `last` call nothing more follows."""
        orders = [static]
        for change in self._changes:
            orders.append(change.feed(orders[-1], last))
        if len(orders) == 1:
            return static
        # An order is late by the look-ahead of all below it: what is ahead waits.
        ready = len(orders[-1])
        columns = []
        for k, waiting in enumerate(self._waiting):
            have = orders[k] if waiting is None else np.concatenate([waiting, orders[k]])
            columns.append(have[:ready])
            self._waiting[k] = have[ready:]
        return np.concatenate([*columns, orders[-1]], axis=1)


class _DeltaStream:
    """Regression slopes of frames that come in pieces; beyond both ends stand copies of the first and last frame."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._left: np.ndarray | None = None  # frames that are still needed

    def feed(self, frames: np.ndarray, last: bool) -> np.ndarray:
        """The slopes at frames whose neighbours are there by now, float32 `[T, F]`."""
        width, left = self.width, self._left
        if left is None:
            if len(frames) == 0:
                return frames
            left = np.repeat(frames[:1], width, axis=0)
        parts = [left, frames]
        if last:
            parts.append(np.repeat((frames if len(frames) else left)[-1:], width, axis=0))
        have = np.concatenate(parts)
        count = max(0, len(have) - 2 * width)
        self._left = have[count:]
        wide = have.astype(np.float64)
        total = np.zeros((count, frames.shape[1]))
        for n in range(1, width + 1):
            total += n * (wide[width + n : width + n + count] - wide[width - n : width - n + count])
        return (total / (2 * sum(n * n for n in range(1, width + 1)))).astype(np.float32)


def log_mel(recording: Recording, *, bands: int = 40, window: float = 0.025, hop: float = 0.010) -> np.ndarray:
    """The logarithms of mel energies, float32 `[T, M]`; `SpeechFeatures` says what they are, and has more choices.

    Raises:
        DataError: the recording is shorter than a window.
        ConfigurationError: a value is out of range.
    """
    return SpeechFeatures("log_mel", recording.rate, bands, window=window, hop=hop)(recording)


def mfcc(
    recording: Recording, coefficients: int = 13, *, bands: int = 40, window: float = 0.025, hop: float = 0.010
) -> np.ndarray:
    """Mel-frequency cepstral coefficients, float32 `[T, K]`; `SpeechFeatures` says what they are, and has more choices.

    Raises:
        DataError: the recording is shorter than a window.
        ConfigurationError: a value is out of range.
    """
    return SpeechFeatures("mfcc", recording.rate, bands, coefficients, window=window, hop=hop)(recording)


def deltas(frames: np.ndarray, width: int = 2) -> np.ndarray:
    """How features change from frame to frame: the slope of a line through a frame and `width` neighbours on each side.

    d[t] = sum over n = 1..width of n (c[t + n] - c[t - n]), divided by 2 sum n^2; beyond the ends stand copies of the
    first and last frame. These are torchaudio's `compute_deltas` and librosa's `delta(mode="nearest")`, of a window of
    2 width + 1 frames.

    Args:
        frames: `[T, F]`, of floating point numbers.
        width: neighbours on each side.

    Returns:
        float32 `[T, F]`.

    Raises:
        DataError: frames of another shape.
        ConfigurationError: the width is no whole number above 0.

    >>> deltas(np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])).ravel()
    array([0.5, 0.8, 1. , 0.8, 0.5], dtype=float32)
    """
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise ConfigurationError(f"deltas: expected a width in frames, a whole number above 0; got {width!r}")
    frames = np.asarray(frames, np.float32)
    if frames.ndim != 2:
        raise DataError(f"deltas: expected frames [T, F], got {list(frames.shape)}")
    return _DeltaStream(width).feed(frames, last=True)


@lru_cache(maxsize=16)
def mel_bands(features: SpeechFeatures) -> np.ndarray:
    """The weight of each frequency in each band: float64 `[M, transform_length // 2 + 1]`."""
    frequencies = np.fft.rfftfreq(features.transform_length, 1 / features.rate)
    top = features.rate / 2 if features.highest is None else features.highest
    low, high = (2595 * np.log10(1 + f / 700) for f in (features.lowest, top))
    corners = 700 * (10 ** (np.linspace(low, high, features.bands + 2) / 2595) - 1)
    rising = (frequencies - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - frequencies) / np.diff(corners)[1:, None]
    return np.maximum(0, np.minimum(rising, falling))


@lru_cache(maxsize=16)
def _tables(features: SpeechFeatures) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The window `[frame_length]`; frequencies and weights of each band, `[W, M]`; cosines `[M, K]`."""
    length, bands = features.frame_length, features.bands
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    weights = mel_bands(features)
    first = (weights > 0).argmax(axis=1)
    widest = int((weights > 0).sum(axis=1).max())
    # A band of fewer frequencies than the widest has others of weight 0.
    places = np.minimum(first + np.arange(widest)[:, None], weights.shape[1] - 1)
    inside = first + np.arange(widest)[:, None] < weights.shape[1]
    heights = np.where(inside, weights[np.arange(bands), places], 0.0)
    cosines = np.cos(np.pi / bands * (np.arange(bands)[:, None] + 0.5) * np.arange(features.coefficients))
    cosines *= np.sqrt(2 / bands)
    cosines[:, 0] = np.sqrt(1 / bands)
    return hann, places, heights, cosines


def _static(features: SpeechFeatures, frames: np.ndarray) -> np.ndarray:
    """Features of single frames `[T, frame_length]`: float32 `[T, F]`, without changes over time."""
    hann, places, heights, cosines = _tables(features)
    windowed = frames.astype(np.float64) * hann
    spectrum = np.fft.rfft(windowed, features.transform_length, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    # A product of matrices would sum in an order that depends on how many frames there are.
    energies = np.zeros((len(frames), features.bands))
    for place, height in zip(places, heights, strict=True):
        energies += power[:, place] * height
    found = np.log(np.maximum(energies, FLOOR))
    if features.kind == "mfcc":
        logs, found = found, np.zeros((len(frames), features.coefficients))
        for band in range(features.bands):
            found += logs[:, band : band + 1] * cosines[band]
    if features.energy:
        total = np.zeros(len(frames))
        for column in np.square(windowed).T:
            total += column
        found = np.concatenate([found, np.log(np.maximum(total, FLOOR))[:, None]], axis=1)
    return found.astype(np.float32)
