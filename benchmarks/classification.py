"""Classification benchmarks: three sets, default settings, several seeds, one JSON line a seed.

    python benchmarks/classification.py [--seeds 5] [--sets vowels pendigits watch] [--threads 1] [--out FILE]

Protocols: JapaneseVowels (Kudo, Toyama & Shimbo 1999), the given split. PenDigits (Alimoglu & Alpaydin 1996), raw
points, `default_rng(0)` permutation, first 70 % train. seglearn's watch data (Burns et al. 2018), 2-second windows of
100 samples of which every second one is taken, hop 50; subjects 9 and 10 are test; accuracy per window, and of the
majority vote of each recording's windows; the subjects are the groups of the validation parts.
"""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from data.packages import member
from gatewise.data import read_ts
from gatewise.tasks import Classifier
from runner import run


@dataclass(frozen=True)
class Split:
    """Training and test part; `groups` of training sequences, `recordings` the test sequences are windows of."""

    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    groups: np.ndarray | None = None
    recordings: np.ndarray | None = None


def vowels() -> Split:
    parts = []
    with TemporaryDirectory() as folder:
        for key in ("vowels_train", "vowels_test"):
            path = Path(folder) / f"{key}.ts"
            path.write_bytes(member(key))
            part = read_ts(path)
            parts += [part, part.labels]
    return Split(*parts)


def pendigits() -> Split:
    rows = [line.split(",") for line in member("pendigits").decode().splitlines() if line and line[0] != "@"]
    table = np.array(rows, np.float64)
    X, y = table[:, :16].reshape(-1, 8, 2), table[:, 16].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = np.split(order, [int(0.7 * len(X))])
    return Split(X[train], y[train], X[test], y[test])


def watch() -> Split:
    # A pickled array of objects; its bytes are those the pinned checksum names, so nothing unknown is unpickled.
    data = np.load(io.BytesIO(member("watch")), allow_pickle=True).item()
    windows, places = [], []
    for number, recording in enumerate(data["X"]):
        for start in range(0, len(recording) - 99, 50):
            windows.append(recording[start : start + 100 : 2])
            places.append(number)
    X, recordings = np.stack(windows), np.array(places)
    y, subject = np.array(data["y"])[recordings], np.array(data["subject"])[recordings]
    test = np.isin(subject, [9, 10])
    return Split(X[~test], y[~test], X[test], y[test], subject[~test], recordings[test])


SETS: dict[str, Callable[[], Split]] = {"vowels": vowels, "pendigits": pendigits, "watch": watch}


def measure(split: Split, seed: int, threads: int) -> dict[str, Any]:
    began = time.perf_counter()
    model = Classifier(seed=seed, threads=threads).fit(split.X, split.y, split.groups)
    seconds = time.perf_counter() - began
    probabilities = model.predict_proba(split.X_test)
    predicted = model.classes_[probabilities.argmax(1)]
    found: dict[str, Any] = {"accuracy": 100 * float((predicted == split.y_test).mean())}
    if split.recordings is not None:
        votes = []
        for recording in np.unique(split.recordings):
            own = split.recordings == recording
            labels, counts = np.unique(predicted[own], return_counts=True)
            votes.append(labels[counts.argmax()] == split.y_test[own][0])
        found["majority"] = 100 * float(np.mean(votes))
    found["seconds"] = round(seconds, 1)
    found["best_epochs"] = [run["best_epoch"] for run in model.history_]
    found["epochs"] = [len(run["epochs"]) for run in model.history_]
    return found


if __name__ == "__main__":
    run(__doc__.splitlines()[0], SETS, measure, ("accuracy", "majority", "seconds"))
