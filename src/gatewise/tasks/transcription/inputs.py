"""What a transcriber is given, in its many forms, as examples."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.data import Ragged
from gatewise.data.text import Vocabulary
from gatewise.data.transcripts import LISTED, TEXT, Transcripts, read_transcripts
from gatewise.errors import AudioWarning, DataError
from gatewise.tasks.transcription.examples import Examples
from gatewise.tasks.transcription.frontends import FrontEnd, InkInputs, is_path, kind_of, suffixes_of_all
from gatewise.training.progress import counted

if TYPE_CHECKING:
    from gatewise.data.ink import Ink

MISSING = "the texts are missing: give y, one text a recording, or a manifest with a column of them"


def find_kind(X: Any) -> str:
    """The kind of front end that recordings take.

    Raises:
        DataError: there is nothing, or recordings are of several kinds.
        ConfigurationError: no front end reads such files.
    """
    if is_path(X):
        X = read_transcripts(X, suffixes_of_all(), text=False)
    if isinstance(X, Transcripts) and X.are_strokes:
        return InkInputs.kind
    sources: Sequence[Any] = X.sources if isinstance(X, Transcripts) else list(X)
    kinds = sorted({kind_of(source) for source in sources})
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        raise DataError(f"expected recordings of one kind, got {found}; inputs (--inputs) says which are meant")
    return kinds[0]


def read_examples(
    X: Any,
    y: Any,
    front: FrontEnd,
    *,
    text: bool | None = True,
    column: str | None = None,
    progress: bool = False,
) -> Examples:
    """Recordings as frames, with what they say.

    Args:
        X: a list of recordings: arrays, or paths of files; a `Transcripts`; or the path of a manifest or a folder, see
            `read_transcripts`.
        y: one text a recording; None where X brings texts.
        front: how recordings become frames.
        text: whether texts are wanted: True, False, or None for those that are there.
        column: of a manifest, that holds the texts; None takes "text".
        progress: show a bar while recordings are read, when stderr is a terminal.

    Raises:
        DataError: recordings that cannot be read, all of them by name; texts that are missing, empty or not as many as
            recordings.

    Warns:
        AudioWarning: recordings that are silent or clipped.
    """
    if isinstance(X, Examples):
        if text and X.texts is None:
            raise DataError(MISSING)
        return X
    if is_path(X):
        X = read_transcripts(X, front.suffixes, text=_wanted(text, y, front), column=column or TEXT)
    names: Sequence[str]
    if isinstance(X, Transcripts):
        sources, texts, names = X.sources, X.texts, X.names
    else:
        if not hasattr(X, "__len__") or isinstance(X, np.ndarray):
            what = f"an array {list(X.shape)}" if isinstance(X, np.ndarray) else f"a {type(X).__name__}"
            raise DataError(f"expected a list of recordings (arrays or paths), or one path; got {what}")
        sources, texts = [Path(one) if is_path(one) else one for one in X], None
        names = [str(one) if is_path(one) else f"sequence {number}" for number, one in enumerate(sources)]
    if y is not None:
        texts = read_texts(y, len(sources))
    elif texts is None and text is not False and isinstance(front, InkInputs):
        sources = [front.ink(source, name) for source, name in zip(sources, names, strict=True)]
        texts = _texts_of(sources, names, text)
    if text and texts is None:
        raise DataError(MISSING)
    if len(sources) == 0:
        raise DataError("got no recordings: at least one is needed")
    if texts is not None:
        empty = [name for name, value in zip(names, texts, strict=True) if not value.strip()]
        if empty:
            raise DataError(
                f"{len(empty)} of {len(texts)} texts are empty: {_listed(empty)}. Say what is said, or leave them out"
            )
    frames = _frames(sources, names, front, progress)
    _check(frames, names)
    return Examples(Ragged.from_arrays(frames, dtype=np.float32), tuple(names), None if texts is None else tuple(texts))


def read_texts(y: Any, count: int) -> tuple[str, ...]:
    """One text a recording. Raises `DataError` where there are others, or too few or many."""
    if isinstance(y, str) or not hasattr(y, "__len__"):
        raise DataError(f"y is {y!r}: expected a list of texts, one a recording")
    texts = list(y)
    if len(texts) != count:
        raise DataError(f"y has {len(texts)} texts for {count} recordings: one each is needed")
    wrong = [number for number, value in enumerate(texts) if not isinstance(value, str)]
    if wrong:
        raise DataError(f"text {wrong[0]} is {texts[wrong[0]]!r}: expected text")
    return tuple(str(value) for value in texts)


def encode_all(examples: Examples, vocabulary: Vocabulary) -> list[tuple[int, ...]]:
    """The labels of each text.

    Raises:
        DataError: texts with symbols that the vocabulary does not have; all of them by name.
    """
    assert examples.texts is not None
    found, wrong = [], []
    for name, text in zip(examples.names, examples.texts, strict=True):
        try:
            found.append(tuple(vocabulary.encode(text).tolist()))
        except DataError as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        raise DataError(
            f"{len(wrong)} of {len(examples)} texts cannot be written with the model's symbols: {_listed(wrong)}. "
            "Leave them out, correct them, or train on some that have them"
        )
    return found


def _frames(sources: Sequence[Any], names: Sequence[str], front: FrontEnd, progress: bool) -> list[np.ndarray]:
    """Those of each recording. What is wrong with some is said once, of all of them."""
    found: list[np.ndarray] = []
    refused: list[DataError] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        pairs = list(zip(sources, names, strict=True))
        for source, name in counted(pairs, "reading recordings", enabled=progress):
            try:
                found.append(front.frames(source, name))
            except DataError as error:
                refused.append(error)
    flaws = [str(warning.message) for warning in caught if issubclass(warning.category, AudioWarning)]
    for warning in caught:
        if not issubclass(warning.category, AudioWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        listed = _listed([str(error) for error in refused], "; ")
        raise DataError(f"{len(refused)} of {len(names)} recordings cannot be read: {listed}")
    if flaws:
        one = f"{len(flaws)} of {len(names)} recordings may say little: " if len(flaws) > 1 else ""
        warnings.warn(f"{one}{_listed(flaws, '; ')}", AudioWarning, stacklevel=3)
    return found


def _check(frames: list[np.ndarray], names: Sequence[str]) -> None:
    widths = {array.shape[1] for array in frames}
    for array, name in zip(frames, names, strict=True):
        if len(array) == 0 or array.shape[1] == 0:
            raise DataError(f"{name} has no frames: got {list(array.shape)}, expected [T, X]")
        if not np.isfinite(array).all():
            step, feature = (int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise DataError(f"{name}, frame {step}, feature {feature}: {array[step, feature]} is not a finite number")
        if len(widths) > 1 and array.shape[1] != frames[0].shape[1]:
            raise DataError(
                f"{name} has frames of {array.shape[1]} features, {names[0]} of {frames[0].shape[1]}: all need the same"
            )


def _wanted(text: bool | None, y: Any, front: FrontEnd) -> bool | None:
    """Whether texts are wanted of the files around recordings; ink may have its text in itself."""
    if y is not None:
        return False
    return None if text and isinstance(front, InkInputs) else text


def _texts_of(inks: Sequence["Ink"], names: Sequence[str], text: bool | None) -> list[str] | None:
    """The texts that stand in the files of strokes themselves."""
    missing = [name for name, ink in zip(names, inks, strict=True) if ink.text is None]
    if missing and (text is None or len(missing) == len(names)):
        return None
    if missing:
        raise DataError(f"{len(missing)} of {len(names)} files of strokes have no text in them: {_listed(missing)}")
    return [ink.text or "" for ink in inks]


def _listed(found: Sequence[str], between: str = ", ") -> str:
    return between.join(found[:LISTED]) + (f" and {len(found) - LISTED} more" if len(found) > LISTED else "")
