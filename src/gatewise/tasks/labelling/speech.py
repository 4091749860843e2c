"""Recordings with phones, as frames with a label each.

A folder with TRAIN and TEST in it is TIMIT's (see `read_timit`): its training part, or its core test set. In any other
folder, each x.phn (lines "first-sample sample-after-the-last phone") has its x.wav beside it.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from gatewise.data import Ragged
from gatewise.data.audio import SpeechFeatures, read_audio
from gatewise.data.speech import Utterance, framewise, read_segments, read_timit
from gatewise.errors import DataError
from gatewise.tasks.labelling.inputs import LabelledSteps

# Cepstra 0 to 12 with their first and second changes, 25 ms every 10 ms: 39 features, as Greff et al. (2017) take them.
FEATURES = SpeechFeatures("mfcc", coefficients=13, differences=2)


def read_frames(root: str | Path, part: Literal["train", "validation", "test"] = "test") -> LabelledSteps:
    """Utterances as sequences of frames, the phone at the middle of each as its label; grouped by speaker in TIMIT.

    Args:
        root: a folder of TIMIT, or of recordings with phones.
        part: of TIMIT; other folders are read as a whole.

    Raises:
        DataError: there are no recordings with phones, or recordings are missing, all of them listed.
        AudioError: a recording cannot be read.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f'no folder "{root}": expected TIMIT, or recordings with phones')
    timit = {"TRAIN", "TEST"} <= {entry.name.upper() for entry in root.iterdir() if entry.is_dir()}
    utterances = read_timit(root)[part] if timit else _beside(root)
    frames, labels = [], []
    for utterance in utterances:
        found = FEATURES(read_audio(utterance.path, FEATURES.rate))
        if len(found) == 0:
            raise DataError(f'"{utterance.path}" is shorter than a frame of {FEATURES.window:g} seconds')
        names = sorted(set(utterance.phones))
        places = framewise(utterance.segments, len(found), FEATURES, names, str(utterance.path))
        frames.append(found)
        labels.append(np.asarray(names)[places])
    offsets = np.append(0, np.cumsum([len(found) for found in frames])).astype(np.int64)
    kind = [f"c{k}" for k in range(FEATURES.coefficients)]
    channels = [prefix + name for prefix in ("", "d_", "dd_") for name in kind]
    ids = tuple(path.relative_to(root).with_suffix("").as_posix() for path in (u.path for u in utterances))
    groups = np.array([utterance.speaker for utterance in utterances]) if timit else None
    return LabelledSteps(
        Ragged(np.concatenate(frames), offsets, None, tuple(channels), ids, groups), np.concatenate(labels)
    )


def _beside(root: Path) -> tuple[Utterance, ...]:
    phones = sorted(path for path in root.rglob("*") if path.suffix.lower() == ".phn")
    if not phones:
        raise DataError(f'"{root}" has neither TRAIN and TEST, as TIMIT, nor files x.phn beside recordings x.wav')
    found, missing = [], []
    for path in phones:
        sound = next((p for p in (path.with_suffix(".wav"), path.with_suffix(".WAV")) if p.is_file()), None)
        if sound is None:
            missing.append(str(path.with_suffix(".wav")))
        else:
            found.append(Utterance(sound, "", "", read_segments(path)))
    if missing:
        raise DataError(f'"{root}": {len(missing)} recordings are missing: {", ".join(missing[:20])}')
    return tuple(found)
