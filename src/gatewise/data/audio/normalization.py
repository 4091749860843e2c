"""Features to mean 0 and standard deviation 1: by recording, by speaker, or as the training data were.

Legend: T frames, F features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gatewise.data.scaling import Standardizer
from gatewise.errors import ConfigurationError, DataError, nearest

WAYS = ("utterance", "speaker", "training")


@dataclass(frozen=True, eq=False)
class FeatureNormalizer:
    """Takes a mean from features and divides them by a standard deviation, as it was fitted.

    "utterance": each recording has its own, which takes out the loudness, the microphone and much of the voice, but has
    to have heard the whole of it. "speaker": all recordings of a speaker have the same; speakers that come later are
    told of by `with_speaker`. "training": all have those of the training data, and so has a stream.

    Attributes:
        by: the way, one of those.
        training: over all frames of the training data.
        speakers: over all frames of each speaker, by name; empty in the other ways.

    >>> frames = [np.array([[1.0], [3.0]], np.float32), np.array([[6.0], [10.0]], np.float32)]
    >>> by_speaker = FeatureNormalizer.fit(frames, by="speaker", speakers=["ann", "bob"])
    >>> by_speaker.transform(np.array([[4.0], [8.0]], np.float32), "bob").ravel()
    array([-2.,  0.], dtype=float32)
    """

    by: Literal["utterance", "speaker", "training"]
    training: Standardizer
    speakers: Mapping[str, Standardizer] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        frames: Sequence[np.ndarray],
        *,
        by: Literal["utterance", "speaker", "training"] = "training",
        speakers: Sequence[str] | None = None,
    ) -> "FeatureNormalizer":
        """From the features of the training data, an array `[T, F]` each.

        Args:
            frames: one array a recording.
            by: "utterance", "speaker" or "training".
            speakers: who speaks in each recording; needed by "speaker".

        Raises:
            DataError: no recordings; features of other shapes, or no finite numbers; not a speaker for each.
            ConfigurationError: an unknown way; "speaker" without speakers.
        """
        if by not in WAYS:
            raise ConfigurationError(f'normalization by "{by}": {nearest(str(by), WAYS)}')
        together = _together(frames)
        if by != "speaker":
            return cls(by, Standardizer.fit(together))
        if speakers is None:
            raise ConfigurationError(
                'normalization by "speaker" has to be told who speaks in each recording: speakers='
            )
        if len(speakers) != len(frames):
            raise DataError(f"expected a speaker for each of {len(frames)} recordings, got {len(speakers)}")
        own = {
            name: Standardizer.fit(np.concatenate([f for f, s in zip(frames, speakers, strict=True) if s == name]))
            for name in sorted(set(speakers))
        }
        return cls(by, Standardizer.fit(together), own)

    @property
    def streams(self) -> bool:
        """Whether a frame can be normalised before the recording has ended."""
        return self.by != "utterance"

    def with_speaker(self, name: str, frames: Sequence[np.ndarray]) -> "FeatureNormalizer":
        """One that knows a further speaker by recordings of theirs, an array `[T, F]` each.

        Raises:
            DataError: as in `fit`, or the speaker is known already.
            ConfigurationError: this one does not go by speaker.
        """
        if self.by != "speaker":
            raise ConfigurationError(f'features are normalised by "{self.by}": there are no speakers to be told of')
        if name in self.speakers:
            raise DataError(f'speaker "{name}" is known already')
        return FeatureNormalizer(self.by, self.training, {**self.speakers, name: Standardizer.fit(_together(frames))})

    def transform(self, frames: np.ndarray, speaker: str | None = None) -> np.ndarray:
        """The features `[T, F]` of one recording (or, of a stream, some of its frames), normalised: float32 `[T, F]`.

        Args:
            frames: of one recording.
            speaker: who speaks, for "speaker"; None where nobody knows, which takes the training data's.

        Raises:
            DataError: features of another shape; a speaker that is not known.
        """
        if frames.ndim != 2 or frames.shape[1] != len(self.training.mean):
            raise DataError(f"expected features [T, {len(self.training.mean)}], got {list(frames.shape)}")
        scaler = self.training
        if self.by == "utterance":
            scaler = Standardizer.fit(frames)
        elif self.by == "speaker" and speaker is not None:
            if speaker not in self.speakers:
                raise DataError(
                    f'speaker "{speaker}" is not known: {nearest(speaker, self.speakers)}. with_speaker tells of '
                    "another by recordings of theirs; None takes the training data's mean and deviation"
                )
            scaler = self.speakers[speaker]
        # In float64, so that a large mean does not cost digits.
        return scaler.transform(frames.astype(np.float64)).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Its numbers, for a file."""
        speakers = {name: scaler.to_dict() for name, scaler in self.speakers.items()}
        return {"by": self.by, "training": self.training.to_dict(), "speakers": speakers}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FeatureNormalizer":
        """The one that `to_dict` wrote. Raises `DataError` for other keys, and numbers that are no such scaler."""
        if set(values) != {"by", "training", "speakers"} or values["by"] not in WAYS:
            raise DataError(f"a normalizer is written with by ({', '.join(WAYS)}), training and speakers")
        training = Standardizer.from_dict(values["training"])
        speakers = {name: Standardizer.from_dict(numbers) for name, numbers in values["speakers"].items()}
        for name, scaler in speakers.items():
            if len(scaler.mean) != len(training.mean):
                raise DataError(
                    f'speaker "{name}" has {len(scaler.mean)} features, where others have {len(training.mean)}'
                )
        return cls(values["by"], training, speakers)


def _together(frames: Sequence[np.ndarray]) -> np.ndarray:
    """All frames, float64 `[T of all, F]`."""
    if len(frames) == 0:
        raise DataError("normalization: expected features of at least one recording, got none")
    for number, part in enumerate(frames):
        if part.ndim != 2 or part.shape[1:] != frames[0].shape[1:]:
            raise DataError(
                f"recording {number}: expected features {['T', *frames[0].shape[1:]]}, as recording 0 has, got "
                f"{list(part.shape)}"
            )
        if len(part) == 0 or not np.isfinite(part).all():
            raise DataError(f"recording {number}: its features are {'none' if len(part) == 0 else 'no finite numbers'}")
    return np.concatenate([part.astype(np.float64) for part in frames])
