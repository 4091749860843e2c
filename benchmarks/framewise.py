"""The phone of every frame, in the manner of "LSTM: A Search Space Odyssey" (Greff et al. 2017): JSON lines.

    OMP_NUM_THREADS=1 python -m benchmarks.framewise --timit FOLDER [--minutes 60] [--seeds 5]
    OMP_NUM_THREADS=1 python -m benchmarks.framewise [--minutes 3]

Of TIMIT (for those who have the licence) training set, development set and core test set are those of `read_timit`, and
there are 61 phones; of flite, whose speech everybody can make, 680 sentences by each voice but rms are to train with,
20 to validate, 100 to test. A frame is 13 cepstra, of which the first stands for the energy, with first and second
differences, 39 numbers of mean 0 and deviation 1 in the training set, every 10 ms. One bidirectional LSTM layer of 128
cells names each frame; the best epoch has the lowest error rate of frames on the validation set. `folded` counts
TIMIT's 39 phones instead of the 61; frames of a glottal stop, which is none of them, are left out there. Minutes are
wall clock.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.data import flite
from benchmarks.data.spoken import Spoken, spoken
from benchmarks.runner import emit, machine
from gatewise.data import Ragged, Standardizer
from gatewise.data.audio import SpeechFeatures, read_audio
from gatewise.data.speech import PHONES, Utterance, fold, framewise, read_timit
from gatewise.tasks.transcription.backbones import backbone
from gatewise.tasks.transcription.framewise import LabelledFrames, frame_error_rate, frame_labels, train_framewise
from gatewise.tasks.transcription.network import TranscriberNetwork
from gatewise.training import TrainingOptions

FEATURES = SpeechFeatures("mfcc", differences=2)
VALIDATION = 20  # sentences of flite


def timit(root: Path) -> tuple[dict[str, LabelledFrames], tuple[str, ...]]:
    """The parts of TIMIT, and the names of their labels."""

    def labelled(utterances: Sequence[Utterance]) -> LabelledFrames:
        names = tuple(str(one.path) for one in utterances)
        frames = [FEATURES(read_audio(one.path, FEATURES.rate)) for one in utterances]
        labels = tuple(
            framewise(one.segments, len(x), FEATURES, PHONES, name)
            for one, x, name in zip(utterances, frames, names, strict=True)
        )
        return LabelledFrames(Ragged.from_arrays(frames, dtype=np.float32), labels, names)

    return {part: labelled(utterances) for part, utterances in read_timit(root).items()}, PHONES


def of_flite() -> tuple[dict[str, LabelledFrames], tuple[str, ...]]:
    """Sentences by the voices of flite but rms, and the names of their labels."""
    from benchmarks.phone_hmm import cepstra

    voices = [voice for voice in flite.VOICES if voice != "rms"]
    train, test = spoken(flite.TRAIN, 700, voices, varied=True), spoken(flite.TEST, 100, voices)
    phones = tuple(sorted({phone for versions in (*train, *test) for one in versions for phone in one.phones}))

    def labelled(versions: Sequence[Sequence[Spoken]]) -> LabelledFrames:
        all_of_them = [one for sentence in versions for one in sentence]
        numbers = [np.array([phones.index(phone) for phone in one.phones]) for one in all_of_them]
        labels = tuple(number[one.places] for number, one in zip(numbers, all_of_them, strict=True))
        frames = [cepstra(one) for one in all_of_them]
        names = tuple(f"{one.voice} {k}" for k, one in enumerate(all_of_them))
        return LabelledFrames(Ragged.from_arrays(frames, dtype=np.float32), labels, names)

    parts = {"train": train[VALIDATION:], "validation": train[:VALIDATION], "test": test}
    return {part: labelled(versions) for part, versions in parts.items()}, phones


def folded_error(network: TranscriberNetwork, data: LabelledFrames) -> float:
    """The share of frames that are named wrong in 39 phones."""
    folds = {number: fold([phone]) for number, phone in enumerate(PHONES)}
    wrong, count = 0, 0
    for found, labels in zip(frame_labels(network, data), data.labels, strict=True):
        pairs = [(folds[a], folds[b]) for a, b in zip(labels.tolist(), found.tolist(), strict=True) if folds[a]]
        wrong, count = wrong + sum(a != b for a, b in pairs), count + len(pairs)
    return wrong / count


def measure(parts: dict[str, LabelledFrames], labels: int, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train with a seed; error rates on the test set."""
    torch.manual_seed(seed)
    scaler = Standardizer.fit(parts["train"].frames.values)
    mean, scale = (torch.from_numpy(values.astype(np.float32)) for values in (scaler.mean, scaler.scale))
    network = TranscriberNetwork(mean, scale, labels, backbone("blstm", options.hidden, 1))
    settings = TrainingOptions(
        max_epochs=options.epochs,
        max_minutes=options.minutes,
        learning_rate=options.rate,
        average_decay=0.99,
        seed=seed,
    )
    began = time.process_time()
    result = train_framewise(
        network, parts["train"], parts["validation"], settings, batch_size=options.batch, noise=options.noise
    )
    found = {"error": frame_error_rate(network, parts["test"]), "validation": result.best_value}
    if options.timit is not None:
        found["folded"] = folded_error(network, parts["test"])
    spent = round((time.process_time() - began) / 60, 2)
    return {**{name: round(value, 4) for name, value in found.items()}, "epochs": len(result.history), "minutes": spent}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timit", type=Path, help="the folder with TRAIN and TEST in it; without it, flite")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--epochs", type=int, default=150, help="at most")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--noise", type=float, default=0.6, help="standard deviation, in training")
    parser.add_argument("--out", type=Path, help="append the lines to this file as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts, labels = of_flite() if options.timit is None else timit(options.timit)
    sizes = {part: len(data) for part, data in parts.items()}
    emit(
        {**machine(1), "set": "flite" if options.timit is None else "timit", **sizes, "labels": len(labels)},
        options.out,
    )
    found = []
    for seed in range(options.seeds):
        found.append(measure(parts, len(labels), options, seed))
        emit({"seed": seed, **found[-1]}, options.out)
    emit({"seeds": len(found), "median_error": statistics.median(one["error"] for one in found)}, options.out)


if __name__ == "__main__":
    main()
