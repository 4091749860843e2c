"""From recordings to frames `[T, X]`: of arrays, images of lines, strokes of a pen, and sound.

A front end is a small frozen recipe, kept in the model's configuration.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

import numpy as np

from gatewise.data import Standardizer
from gatewise.errors import ConfigurationError, DataError, nearest

if TYPE_CHECKING:
    from gatewise.data.audio import SpeechFeatures
    from gatewise.data.ink import Ink

Inputs = Literal["frames", "image", "ink", "audio"]
INPUTS: tuple[str, ...] = get_args(Inputs)


@dataclass(frozen=True)
class FrameInputs:
    """Frames as they are: arrays `[T, X]`, or `.npy` files of them."""

    kind: ClassVar[str] = "frames"
    seconds: ClassVar[float | None] = None
    suffixes: ClassVar[tuple[str, ...]] = (".npy",)

    def frames(self, recording: Any, name: str) -> np.ndarray:
        """The array itself."""
        if is_path(recording):
            try:
                recording = np.load(recording, allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise DataError(f'"{name}" cannot be read as a .npy file: {error}') from error
        try:
            found = np.asarray(recording, np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(f"{name} is no array of numbers [T, X]: {error}") from error
        if found.ndim != 2:
            raise DataError(f"{name}: expected frames [T, X], got {list(found.shape)}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The way back."""
        return cls(**values)


@dataclass(frozen=True)
class ImageInputs:
    """Images of lines, whose columns are the frames: files, or arrays `[height, width]` (`read_line` says which).

    Attributes:
        height: to which lines are brought, in pixels: X.
    """

    height: int = 32
    kind: ClassVar[str] = "image"
    seconds: ClassVar[float | None] = None

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of PNG, JPEG and TIFF."""
        from gatewise.data.images.reading import SUFFIXES

        return SUFFIXES

    def frames(self, recording: Any, name: str) -> np.ndarray:
        """The columns of the line, cut out of its paper."""
        from gatewise.data.images import columns, normalise_line, read_line

        try:
            return columns(normalise_line(read_line(recording), self.height))
        except DataError as error:
            raise _named(error, name) from error

    def to_dict(self) -> dict[str, Any]:
        """Its height."""
        return {"height": self.height}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The way back."""
        return cls(**values)


@dataclass(frozen=True)
class InkInputs:
    """Strokes of a pen: files, `Ink`, lists of strokes (arrays of points), or such a list as JSON.

    Attributes:
        spacing: between points, in heights of small letters.
    """

    spacing: float = 0.1
    kind: ClassVar[str] = "ink"
    seconds: ClassVar[float | None] = None

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of InkML, JSON, UNIPEN and captured whiteboards."""
        from gatewise.data.ink.reading import PARSERS

        return tuple(PARSERS)

    def frames(self, recording: Any, name: str) -> np.ndarray:
        """The features of its points (`ink_features`)."""
        from gatewise.data.ink import ink_features

        try:
            return ink_features(self.ink(recording, name), spacing=self.spacing)
        except DataError as error:
            raise _named(error, name) from error

    def ink(self, recording: Any, name: str) -> "Ink":
        """The strokes of a recording. Raises `DataError` if it has none."""
        from gatewise.data.ink import Ink, read_ink
        from gatewise.data.ink.json_strokes import parse_json

        if isinstance(recording, Ink):
            return recording
        if isinstance(recording, Path):
            return read_ink(recording)
        if isinstance(recording, str):
            return parse_json(recording.encode(), name)
        return Ink.from_strokes(recording)

    def to_dict(self) -> dict[str, Any]:
        """The spacing."""
        return {"spacing": self.spacing}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The way back."""
        return cls(**values)


@dataclass(frozen=True)
class AudioInputs:
    """Sound: files, or arrays of samples `[N]` at the rate of the features.

    Attributes:
        features: which features of it.
        by_utterance: whether they are brought to mean 0 and deviation 1 in each recording, which takes out much of the
            voice and the microphone; a stream cannot.
    """

    features: "SpeechFeatures"
    by_utterance: bool = True
    kind: ClassVar[str] = "audio"
    suffixes: ClassVar[tuple[str, ...]] = (".wav", ".flac", ".ogg", ".mp3", ".sph")

    @property
    def seconds(self) -> float:
        """From one frame to the next."""
        return self.features.hop

    def frames(self, recording: Any, name: str) -> np.ndarray:
        """Its features."""
        from gatewise.data.audio import Recording, read_audio

        if isinstance(recording, Recording):
            sound = recording
        elif is_path(recording):
            sound = read_audio(recording, self.features.rate)
        else:
            sound = Recording(np.asarray(recording), self.features.rate, name)
        found = self.features(sound)
        return Standardizer.fit(found).transform(found).astype(np.float32) if self.by_utterance else found

    def to_dict(self) -> dict[str, Any]:
        """Those of the features, and whether they are normalised."""
        return {"features": self.features.to_dict(), "by_utterance": self.by_utterance}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The way back."""
        from gatewise.data.audio import SpeechFeatures

        given = dict(values)
        return cls(SpeechFeatures.from_dict(given.pop("features", {})), **given)


# Each has a `kind`, one of `INPUTS`; the `suffixes` of the names of files that it reads; `frames(recording, name)`,
# float32 `[T, X]`, of a path or of what the kind has in its place; the `seconds` from one frame to the next, where that
# means something; and values of JSON types.
FrontEnd = FrameInputs | ImageInputs | InkInputs | AudioInputs
KINDS: dict[str, type[FrontEnd]] = {kind.kind: kind for kind in (FrameInputs, ImageInputs, InkInputs, AudioInputs)}


def front_end(kind: str, values: Mapping[str, Any]) -> FrontEnd:
    """The front end called `kind` with its values.

    Raises:
        ConfigurationError: there is none of that name, or a value that it does not have.
    """
    if kind not in KINDS:
        raise ConfigurationError(f'inputs is "{kind}", {nearest(str(kind), KINDS)}')
    try:
        return KINDS[kind].from_dict(values)
    except TypeError as error:
        raise ConfigurationError(f'the inputs "{kind}" do not have these values: {error}') from error


def suffixes_of_all() -> dict[str, str]:
    """The kind of front end that reads files which end so."""
    return {suffix: kind for kind in KINDS for suffix in front_end(kind, {}).suffixes}


def is_path(value: object) -> bool:
    """Whether a recording is given by the name of its file."""
    return isinstance(value, str | os.PathLike)


def kind_of(recording: Any) -> str:
    """The kind of front end for a recording: by what its file's name ends in, or its class; arrays are frames.

    Raises:
        ConfigurationError: no front end reads such files.
    """
    if not is_path(recording):
        from gatewise.data.audio import Recording
        from gatewise.data.ink import Ink

        return {Ink: InkInputs.kind, Recording: AudioInputs.kind}.get(type(recording), FrameInputs.kind)
    known, suffix = suffixes_of_all(), Path(recording).suffix.lower()
    if suffix not in known:
        raise ConfigurationError(
            f'"{recording}": no recordings are known whose files end in "{suffix}"; {nearest(suffix, known)}'
        )
    return known[suffix]


def _named(error: DataError, name: str) -> DataError:
    """The error, with the name of the recording if it does not say it already."""
    text = str(error)
    return error if name in text else DataError(f"{name}: {text}")
