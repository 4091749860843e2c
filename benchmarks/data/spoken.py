"""The same sentences by several voices of flite, as features with the ends of their phones: what voices are mixed from.

Legend: T frames, F features, P phones and pauses of a sentence.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.data import archives, flite
from gatewise.data.audio import SpeechFeatures, read_audio
from gatewise.data.scaling import Standardizer
from gatewise.disk import write_file

FEATURES = SpeechFeatures()  # 40 log-mel energies every 10 ms
# What training sentences are spoken with: durations times, and a pitch on average of, in Hz, for half of them.
STRETCH, PITCH = (0.85, 1.2), (85.0, 230.0)


@dataclass(frozen=True, eq=False)
class Spoken:
    """A sentence by a voice.

    Attributes:
        voice: which.
        frames: log-mel energies less the voice's mean, over its deviation: float32 `[T, F]`.
        phones: and pauses, P of them.
        ends: of each, in frames and parts of them `[P]`: a frame stands for its middle.
    """

    voice: str
    frames: np.ndarray
    phones: tuple[str, ...]
    ends: np.ndarray

    @property
    def said(self) -> tuple[str, ...]:
        """The phones without the pauses."""
        return tuple(phone for phone in self.phones if phone != flite.PAUSE)

    @property
    def places(self) -> np.ndarray:
        """Which of the P each frame belongs to: `[T]`."""
        found = np.searchsorted(self.ends, np.arange(len(self.frames)), side="right")
        return np.minimum(found, len(self.ends) - 1)


def spoken(part: int, count: int, voices: Sequence[str], seed: int = 0, *, varied: bool = False) -> list[list[Spoken]]:
    """Sentences `flite.TRAIN`, `TEST` or `HELD_OUT`, each by all the voices; kept in the cache.

    A voice's mean and deviation are those over all of its sentences here, of which nothing but the sound is looked at.

    Args:
        part: which sentences.
        count: how many.
        voices: of each sentence.
        seed: of the sentences, and of their variation.
        varied: whether tempo and pitch are drawn for each recording.
    """
    key = {"part": part, "count": count, "seed": seed, "varied": varied, "features": FEATURES.to_dict(),
           "stretch": STRETCH, "pitch": PITCH, "templates": flite.TEMPLATES, "flite": flite.VERSION}  # fmt: skip
    texts: list[str] | None = None
    found = []
    for voice in voices:
        name = hashlib.sha256(json.dumps({**key, "voice": voice}).encode()).hexdigest()[:24]
        path = archives.cache("spoken") / f"{name}.npz"
        if not path.exists():
            if texts is None:
                words = flite.fillers()[part != flite.TRAIN]
                texts = list(islice(flite.sentences(words, seed, part), count))
            _write(path, texts, voice, np.random.default_rng([seed, part, flite.VOICES.index(voice)]), varied)
        found.append(_read(path, voice))
    return [list(one) for one in zip(*found, strict=True)]


def _write(path: Path, texts: Sequence[str], voice: str, rng: np.random.Generator, varied: bool) -> None:
    """Speak sentences and keep their features; phones of all of them one after the other."""
    frames, phones, ends, counts = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spoken.wav"
        for text in texts:
            settings = {}
            if varied:
                settings["duration_stretch"] = float(rng.uniform(*STRETCH))
                if rng.random() < 0.5:
                    settings["int_f0_target_mean"] = float(np.exp(rng.uniform(*np.log(PITCH))))
            segments = flite.speak(text, voice, file, settings)
            frames.append(FEATURES(read_audio(file)))
            phones += [segment.label for segment in segments]
            middle, hop = FEATURES.frame_length // 2, FEATURES.hop_length
            ends.append(np.array([(segment.end - middle) / hop for segment in segments], np.float32))
            counts.append((len(frames[-1]), len(segments)))
        arrays = Path(folder) / "arrays.npz"
        np.savez(arrays, frames=np.concatenate(frames), phones=phones, ends=np.concatenate(ends), counts=counts)
        write_file(path, arrays.read_bytes())


def _read(path: Path, voice: str) -> list[Spoken]:
    with np.load(path, allow_pickle=False) as arrays:
        frames, phones, ends, counts = (arrays[name] for name in ("frames", "phones", "ends", "counts"))
    frames = Standardizer.fit(frames).transform(frames).astype(np.float32)
    steps, labels = (np.cumsum(column)[:-1] for column in counts.T)
    parts = zip(np.split(frames, steps), np.split(phones, labels), np.split(ends, labels), strict=True)
    return [Spoken(voice, one, tuple(map(str, said)), times) for one, said, times in parts]


@lru_cache(maxsize=256)
def warping(scale: float) -> np.ndarray:
    """What features are multiplied with for a vocal tract of another length: float32 `[F, F]`.

    Every band becomes what stands at `scale` times its frequency, up to that which goes to 87.5 % of the highest; from
    there on a straight line leads to the highest (Lee & Rose 1996, A Frequency Warping Approach to Speaker
    Normalization, eq. 7). Between bands it is interpolated.

    >>> bool(np.allclose(warping(1.0), np.eye(FEATURES.bands)))
    True
    """
    top = FEATURES.rate / 2
    low, high = (2595 * np.log10(1 + f / 700) for f in (FEATURES.lowest, top))
    mels = np.linspace(low, high, FEATURES.bands + 2)[1:-1]
    frequencies = 700 * (10 ** (mels / 2595) - 1)
    bend = 0.875 * top / max(scale, 1.0)
    warped = np.interp(frequencies, [0.0, bend, top], [0.0, scale * bend, top])
    places = np.interp(2595 * np.log10(1 + warped / 700), mels, np.arange(FEATURES.bands))
    weights = 1 - np.abs(places[None] - np.arange(FEATURES.bands)[:, None])
    return np.maximum(weights, 0).astype(np.float32)


def mixture(one: Spoken, other: Spoken, share: float) -> np.ndarray:
    """The frames `[T, F]` of a voice between two, or beyond them: `1 - share` of one, `share` of the other.

    The other's phones are brought to the times of the first's. (Speakers are interpolated so in synthesis: Yoshimura,
    Tokuda, Masuko, Kobayashi & Kitamura 1997, Speaker Interpolation in HMM-Based Speech Synthesis System.) Where the
    two say different phones, it is the first alone.
    """
    if one.phones != other.phones:
        return one.frames
    own, his = (np.concatenate([[0.0], spoken.ends]) for spoken in (one, other))
    times = np.clip(np.interp(np.arange(len(one.frames)), own, his), 0, len(other.frames) - 1)
    before = times.astype(np.int64)
    after = np.minimum(before + 1, len(other.frames) - 1)
    part = (times - before)[:, None].astype(np.float32)
    moved = (1 - part) * other.frames[before] + part * other.frames[after]
    # Of two that are not the same the mean has less deviation than each.
    correlation = float((one.frames * moved).mean())
    size = np.sqrt(max((1 - share) ** 2 + share**2 + 2 * share * (1 - share) * correlation, 0.25))
    return ((1 - share) * one.frames + share * moved) / np.float32(size)
