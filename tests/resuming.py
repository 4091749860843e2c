"""Fits that are cut at a chosen moment and gone on with, and what has to be the same in the end.

A fit passes countable moments: each loss, each part of a validation, each network made between two runs. `Cut` acts at
one of them: with a signal, as a scheduler that wants its machine back, or with an exception that nothing handles, which
leaves of the fit what `kill -9` would.
"""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
import pyarrow as pa
import torch

from gatewise.data import Ragged
from gatewise.errors import TrainingInterrupted
from gatewise.tasks import Classifier, Forecaster, Generator, Labeller, Transcriber, journal
from gatewise.tasks.classification import committee
from gatewise.tasks.classification import objective as classification
from gatewise.tasks.forecasting import contribution, fitting
from gatewise.tasks.forecasting import objective as forecasting
from gatewise.tasks.generation import generator
from gatewise.tasks.generation import objective as generation
from gatewise.tasks.labelling import fitting as label_fitting
from gatewise.tasks.labelling import objective as labelling
from gatewise.tasks.labelling.inputs import LabelledSteps
from gatewise.tasks.transcription import objective as transcription
from gatewise.tasks.transcription import transcriber
from gatewise.training import Checkpoints, Journal, kept_journal, loop
from tests.tasks.generating import texts
from tests.tasks.transcripts import recordings

Estimator = Forecaster | Classifier | Generator | Labeller | Transcriber
MOMENTS = (
    (forecasting.ForecastObjective, "loss"),
    (forecasting, "corrections"),
    (fitting.Fitting, "_network"),
    (classification.ClassifyObjective, "loss"),
    (classification, "run_network"),
    (committee.MemberOptions, "network"),
    (labelling.LabelObjective, "loss"),
    (labelling, "run_network"),
    (label_fitting, "new_network"),
    (transcription.TranscribeObjective, "loss"),
    (transcription, "emission"),
    (transcriber, "make_network"),
    (generation.GenerateObjective, "loss"),
    (generation, "score_corpus"),
    (generator, "make_network"),
)


class Killed(BaseException):
    """What a process that is killed raises, if it could: nothing catches it, nothing is saved."""


def forecast_table() -> pa.Table:
    """A daily series with a covariate that helps, and a category, two of them."""
    rng, steps = np.random.default_rng(0), np.arange(70)
    rain = rng.uniform(size=(2, 70))
    load = 50 + 10 * np.sin(2 * np.pi * steps / 7) + 8 * rain + rng.normal(size=(2, 70))
    days = np.datetime64("2024-01-01", "us") + steps * np.timedelta64(86_400_000_000, "us")
    return pa.table(
        {
            "shop": np.repeat(["a", "b"], 70),
            "day": np.tile(days, 2),
            "load": load.ravel(),
            "rain": rain.ravel(),
            "sky": np.where(rain.ravel() > 0.5, "grey", "blue"),
        }
    )


def sequences() -> tuple[list[np.ndarray], list[str]]:
    """Ragged sequences of three classes; a few values are missing."""
    rng = np.random.default_rng(0)
    found = [np.sin((k % 3 + 1) * np.arange(rng.integers(4, 12))[:, None] + [0.0, 1.0]) for k in range(60)]
    found[7][2, 1] = np.nan
    return found, [("slow", "medium", "fast")[k % 3] for k in range(60)]


@dataclass(frozen=True)
class Task:
    """A small fit with everything in it that a checkpoint has to hold."""

    name: str
    make: Callable[[], Estimator]
    fit: Callable[[Estimator, Checkpoints | None], Estimator]

    def __call__(self, checkpoints: Checkpoints | None = None) -> Estimator:
        return self.fit(self.make(), checkpoints)


def forecast(**changes: Any) -> Task:
    """A forecaster: scouts of three rounds, then members."""
    parameters: dict[str, Any] = {
        "id": "shop", "future": ["rain", "sky"], "hidden_size": 6, "num_layers": 2, "members": 2, "max_epochs": 3,
        "patience": 2, **changes,
    }  # fmt: skip
    table = forecast_table()
    return Task(
        "forecast",
        lambda: Forecaster("load", 4, **parameters),
        lambda model, checkpoints: model.fit(table, checkpoints=checkpoints),
    )


def classify(**changes: Any) -> Task:
    """A classifier: members with averaged weights and augmentation."""
    parameters: dict[str, Any] = {
        "hidden_size": 5, "members": 3, "max_epochs": 5, "patience": 3, "threads": 1, "batch_size": 16, **changes,
    }  # fmt: skip
    X, y = sequences()
    data = Ragged.from_arrays(X, y)
    return Task(
        "classify",
        lambda: Classifier(**parameters),
        lambda model, checkpoints: model.fit(data, checkpoints=checkpoints),
    )


def transcribe(**changes: Any) -> Task:
    """A transcriber: averaged weights, variation, a penalty that falls, and a watch over the plateau."""
    parameters: dict[str, Any] = {
        "backbone": "blstm", "hidden_size": 5, "num_layers": 2, "dropout": 0.2, "batch_size": 8, "learning_rate": 1e-4,
        "max_epochs": 5, "threads": 1, **changes,
    }  # fmt: skip
    X, texts = recordings(40)

    return Task(
        "transcribe",
        lambda: Transcriber(**parameters),
        lambda model, checkpoints: model.fit(X, texts, checkpoints=checkpoints),
    )


def generate(**changes: Any) -> Task:
    """A generator: states that are carried, gradients that reach back over chunks, averaged weights."""
    parameters: dict[str, Any] = {
        "hidden_size": 5, "num_layers": 2, "dropout": 0.2, "streams": 3, "chunk": 25, "reach": 40,
        "average_decay": 0.9, "accumulate": 2, "max_epochs": 3, "threads": 1, **changes,
    }  # fmt: skip
    given = texts(12)
    return Task(
        "generate",
        lambda: Generator(**parameters),
        lambda model, checkpoints: model.fit(given, checkpoints=checkpoints),
    )


def label(**changes: Any) -> Task:
    """A labeller: averaged weights, noise, sequences cut anew in each epoch, and steps without a label."""
    parameters: dict[str, Any] = {
        "hidden_size": 5, "look_ahead": 2, "stretch": 5, "max_epochs": 5, "patience": 3, "threads": 1, "batch_size": 32,
        **changes,
    }  # fmt: skip
    X, y = sequences()
    labels = [np.where(np.arange(len(x)) % 5 == 0, "", name) for x, name in zip(X, y, strict=True)]
    data = LabelledSteps(Ragged.from_arrays(X), np.concatenate(labels))
    return Task(
        "label",
        lambda: Labeller(**parameters),
        lambda model, checkpoints: model.fit(data, checkpoints=checkpoints),
    )


TASKS: dict[str, Callable[..., Task]] = {
    "forecast": forecast,
    "classify": classify,
    "label": label,
    "transcribe": transcribe,
    "generate": generate,
}
# Those that several workers can train; the streams of a generator cannot be divided yet.
DIVISIBLE = tuple(name for name in TASKS if name != "generate")
# Parameters under which the clock of `watched` ends the runs.
LIMITS: dict[str, dict[str, Any]] = {
    "forecast": {"max_minutes": 50 / 60, "max_epochs": 500},
    "classify": {"max_minutes": 0.75, "max_epochs": 500, "patience": None},
    "label": {"max_minutes": 0.5, "max_epochs": 500, "patience": None},
    "transcribe": {"max_minutes": 0.5, "max_epochs": 500, "patience": None},
    "generate": {"max_minutes": 0.4, "max_epochs": 500, "patience": None},
}


@dataclass
class Cut:
    """Acts at moment number `at`, counted from 1; 0 for never. `moments` are those that were passed."""

    at: int = 0
    how: Literal["signal", "kill"] = "kill"
    moments: int = 0

    def moment(self) -> None:
        self.moments += 1
        if self.moments == self.at:
            if self.how == "kill":
                raise Killed
            os.kill(os.getpid(), signal.SIGTERM)


@dataclass
class Seen:
    """What fits did: SHA-256 of the optimiser, the weights in training, their averages and the random states at each
    run's end; and what the clock shows, on which a second is a loss.
    """

    runs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@contextmanager
def watched(seen: Seen, cut: Cut) -> Iterator[None]:
    """Within, moments are counted, runs are looked at as they end, and a second is what one loss takes."""

    def counted(function: Callable[..., Any], loss: bool) -> Callable[..., Any]:
        def moment(*args: Any, **named: Any) -> Any:
            seen.seconds += loss
            cut.moment()
            return function(*args, **named)

        return moment

    keep_best = loop._Run.keep_best

    def look(run: Any) -> None:
        seen.runs[run.name] = sha256(run.state().tensors, ("optimizer", "module", "average", "random"))
        keep_best(run)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(loop._Run, "keep_best", look))
        # So small a network helps nobody; that it does is what makes a forecaster train members.
        stack.enter_context(mock.patch.object(contribution, "helps", return_value=True))
        clock = {"clock": lambda: seen.seconds}
        stack.enter_context(mock.patch.object(journal, "Journal", partial(Journal, **clock)))
        stack.enter_context(mock.patch.object(journal, "kept_journal", partial(kept_journal, **clock)))
        for of, name in MOMENTS:
            stack.enter_context(mock.patch.object(of, name, counted(getattr(of, name), name == "loss")))
        yield


def sha256(tensors: dict[str, torch.Tensor], kinds: tuple[str, ...] = ()) -> str:
    """Of tensors, by name and bit for bit; where there are `kinds`, of those whose names begin with one."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        if not kinds or name.partition(".")[0] in kinds:
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def outcome(model: Estimator) -> dict[str, str]:
    """SHA-256 of a fitted model's weights, of its log without the seconds that were measured, and of what was found."""
    if isinstance(model, Generator | Labeller | Transcriber):
        networks = [model.network_]
    elif isinstance(model, Forecaster):
        networks = model.fitted_.members
    else:
        networks = [member.network for member in model.committee_.members]
    weights = {f"{k}.{name}": t for k, network in enumerate(networks) for name, t in network.state_dict().items()}
    if isinstance(model, Forecaster):
        weights |= {"linear": model.fitted_.linear.weight, "bias": model.fitted_.linear.bias}
    history = [
        {**run, "epochs": [{k: v for k, v in row.items() if k != "seconds"} for row in run["epochs"]]}
        for run in model.history_
    ]
    found = [*model.notes_, str(model.validation_), str(getattr(model, "recipe_", ""))]
    return {"weights": sha256(weights), "log": _text(history), "found": _text(found)}


@dataclass(frozen=True)
class Whole:
    """A fit without checkpoints that nothing cut: its outcome, the ends of its runs, its moments and its losses."""

    outcome: dict[str, str]
    runs: dict[str, str]
    moments: int
    losses: float

    @classmethod
    def of(cls, task: Task) -> "Whole":
        seen, cut = Seen(), Cut()
        with watched(seen, cut):
            found = outcome(task())
        return cls(found, seen.runs, cut.moments, seen.seconds)


def differences(whole: Whole, task: Task, directory: Path, at: int, how: Literal["signal", "kill"]) -> list[str]:
    """What is not as in `whole` once a fit has been cut at a moment and gone on with; nothing is what should be."""
    seen, checkpoints = Seen(), Checkpoints(directory, every=3)
    try:
        with watched(seen, Cut(at, how)):
            task(checkpoints)
    except (Killed, TrainingInterrupted):
        pass
    else:
        return [f"the fit was over before moment {at}"]
    seen.seconds = 1e6  # another process, another clock
    with watched(seen, Cut()):
        found = outcome(task(checkpoints))
    wrong = [name for name, value in whole.outcome.items() if found[name] != value]
    return wrong + [name for name, value in whole.runs.items() if seen.runs.get(name) != value]


def _text(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
