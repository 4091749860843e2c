"""Labels of time steps: an LSTM against a plain Elman net and a logistic regression, JSON lines and medians over seeds.

    OMP_NUM_THREADS=1 python -m benchmarks.labelling [--seeds 3] [--minutes 2] [--sets phones watch]

"phones": sentences that flite speaks, with the exact times of their phones (`benchmarks/data/flite.py`): the phone of
each frame, as Graves & Schmidhuber (2005) label TIMIT's; 300 sentences of three voices to train on, 60 others of the
same voices, with other words in them, to test. It is synthesised speech, far easier than TIMIT. "watch": seglearn's
recordings of a watch (Burns et al. 2018), of one exercise each, every fourth sample; those of each subject are put one
after the other in a random order, so borders between exercises are real samples side by side, but not real transitions;
subjects 9 and 10 are test.

"lstm" and "elman" are the labeller with its defaults, in both directions, but for the network in it: the LSTM, or a
`gatewise.RNN` (tanh) of as many units. "logistic" is scikit-learn's logistic regression on a step with the 5 before and
the 5 after it, standardised, with its defaults but for at most 200 iterations. Minutes are those of the processor's
time that the process uses on one thread; the regression takes what it takes.
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.data import flite
from benchmarks.data.packages import member
from benchmarks.runner import emit, machine
from gatewise import RNN, Labeller
from gatewise.tasks import journal
from gatewise.tasks.classification.metrics import classification_metrics
from gatewise.tasks.labelling import network, segment_metrics
from gatewise.tasks.labelling.speech import read_frames
from gatewise.training import Journal

SIDE = 5  # steps before and after, of the regression's window
SCORES = ("accuracy", "f1_macro", "edit", "f1_50", "seconds")
Part = tuple[list[np.ndarray], list[np.ndarray]]


def phones() -> tuple[Part, Part]:
    """Frames and phones of spoken sentences."""
    parts = []
    voices = [voice for voice in flite.VOICES if voice != "rms"]
    with TemporaryDirectory() as folder:
        for words, place, count in zip(flite.fillers(), (flite.TRAIN, flite.TEST), (300, 60), strict=True):
            drawn = flite.sentences(words, 0, place)
            flite.write(Path(folder) / str(place), [next(drawn) for _ in range(count)], voices)
            steps = read_frames(Path(folder) / str(place))
            assert steps.labels is not None
            count = len(steps.sequences)
            parts.append(
                ([steps.sequences[i] for i in range(count)], [steps.labels[steps.of(i)] for i in range(count)])
            )
    return parts[0], parts[1]


def watch() -> tuple[Part, Part]:
    """Exercises, one recording after the other."""
    # A pickled array of objects; its bytes are those the pinned checksum names, so nothing unknown is unpickled.
    data = np.load(io.BytesIO(member("watch")), allow_pickle=True).item()
    rng, subjects = np.random.default_rng(0), np.array(data["subject"])
    parts: tuple[Part, Part] = (([], []), ([], []))
    for subject in np.unique(subjects):
        order = rng.permutation(np.flatnonzero(subjects == subject))
        recordings = [np.asarray(data["X"][i], np.float64)[::4] for i in order]
        labels = [np.full(len(r), int(data["y"][i])) for r, i in zip(recordings, order, strict=True)]
        # About one of each exercise a sequence.
        for start in range(0, len(order), 7):
            part = parts[int(subject in (9, 10))]
            part[0].append(np.concatenate(recordings[start : start + 7]))
            part[1].append(np.concatenate(labels[start : start + 7]))
    return parts


SETS: dict[str, Callable[[], tuple[Part, Part]]] = {"phones": phones, "watch": watch}


def elman(*arguments: Any, forget_bias: float, **options: Any) -> RNN:
    """What stands in the place of the LSTM; it has no gate to set."""
    return RNN(*arguments, **options)


def neural(layer: Any, train: Part, test: Part, seed: int, minutes: float) -> dict[str, Any]:
    """The labeller with its defaults, its network with this layer."""
    model = Labeller(max_minutes=minutes, max_epochs=1000, patience=None, threads=1, seed=seed)
    began = time.process_time()
    with (
        mock.patch.object(journal, "Journal", partial(Journal, clock=time.process_time)),
        mock.patch.object(network, "LSTM", layer),
    ):
        model.fit(*train)
    seconds = time.process_time() - began
    found = model.evaluate(*test)
    return {**{k: found[k] for k in SCORES if k in found}, "seconds": round(seconds, 1),
            "epochs": len(model.history_[0]["epochs"]), "best_epoch": model.history_[0]["best_epoch"]}  # fmt: skip


def logistic(train: Part, test: Part, seed: int, minutes: float) -> dict[str, Any]:
    """A logistic regression on windows."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200, random_state=seed))
    began = time.process_time()
    model.fit(np.concatenate([windows(x) for x in train[0]]), np.concatenate(train[1]))
    seconds = time.process_time() - began
    classes = model.classes_
    told = [model.predict_proba(windows(x)) for x in test[0]]
    truth = [np.searchsorted(classes, y) for y in test[1]]
    found = classification_metrics(np.concatenate(truth), np.concatenate(told))
    found |= segment_metrics((y, p.argmax(1)) for y, p in zip(truth, told, strict=True))
    return {**{k: found[k] for k in SCORES if k in found}, "seconds": round(seconds, 1)}


def windows(x: np.ndarray) -> np.ndarray:
    """Each step with those around it, `[T, (2 * SIDE + 1) * X]`; beyond the ends the first and the last again."""
    padded = np.pad(x, ((SIDE, SIDE), (0, 0)), mode="edge")
    return np.concatenate([padded[k : k + len(x)] for k in range(2 * SIDE + 1)], axis=1)


METHODS: dict[str, Callable[..., dict[str, Any]]] = {
    "lstm": partial(neural, network.LSTM),
    "elman": partial(neural, elman),
    "logistic": logistic,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--out", type=Path, help="append the lines to this file as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    emit({**machine(1), "minutes": options.minutes, "clock": "processor"}, options.out)
    for name in options.sets:
        train, test = SETS[name]()
        for method in options.methods:
            results = []
            for seed in range(1 if method == "logistic" else options.seeds):
                results.append(METHODS[method](train, test, seed, options.minutes))
                emit({"set": name, "method": method, "seed": seed, **results[-1]}, options.out)
            medians = {score: statistics.median(found[score] for found in results) for score in SCORES}
            emit({"set": name, "method": method, "seeds": len(results), "median": medians}, options.out)


if __name__ == "__main__":
    main()
