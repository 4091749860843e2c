"""What `gatewise tune` tries for each task, and by which metric of the validation part it judges; no torch in here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both of which are tried; evenly in their logarithm if `log`; `whole` ones only."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}{':log' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """One of some values, among which there is no order."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ",".join("none" if value is None else str(value) for value in self.values)


Space = Mapping[str, Range | Choice]


@dataclass(frozen=True)
class Search:
    """A task's search.

    Attributes:
        metric: of the estimator's `validation_`; lower is better.
        space: by the names of the estimator's parameters.
    """

    metric: str
    space: Space


SEARCHES: Mapping[str, Search] = {
    "classify": Search(
        "log_loss",
        {
            "hidden_size": Choice((16, 32, 64, 128)),
            "num_layers": Range(1, 3, whole=True),
            "dropout": Range(0.0, 0.6),
            "learning_rate": Range(1e-3, 3e-2, log=True),
            "weight_decay": Range(1e-4, 1e-1, log=True),
            "mixing": Range(0.0, 0.7),
            "scaling": Range(0.0, 0.5),
            "noise": Range(0.0, 0.3),
            "label_smoothing": Range(0.0, 0.2),
        },
    ),
    "forecast": Search(
        "rmse",
        {
            "hidden_size": Choice((16, 32, 64, 128)),
            "dropout": Range(0.0, 0.6),
            "learning_rate": Range(5e-4, 2e-2, log=True),
            "weight_decay": Range(1e-4, 1e-1, log=True),
        },
    ),
    "generate": Search(
        "nats",
        {
            "hidden_size": Choice((64, 128, 256)),
            "num_layers": Range(1, 2, whole=True),
            "dropout": Range(0.0, 0.6),
            "learning_rate": Range(5e-4, 1e-2, log=True),
            "weight_decay": Range(1e-4, 3e-1, log=True),
        },
    ),
    "label": Search(
        "log_loss",
        {
            "hidden_size": Choice((16, 32, 64, 128)),
            "num_layers": Range(1, 3, whole=True),
            "dropout": Range(0.0, 0.6),
            "learning_rate": Range(1e-3, 3e-2, log=True),
            "weight_decay": Range(1e-4, 1e-1, log=True),
            "noise": Range(0.0, 0.5),
        },
    ),
    "transcribe": Search(
        "error_rate",
        {
            "hidden_size": Choice((64, 128, 256)),
            "num_layers": Range(1, 3, whole=True),
            "dropout": Range(0.0, 0.6),
            "augmentation": Range(0.0, 1.5),
            "learning_rate": Range(5e-4, 1e-2, log=True),
            "weight_decay": Range(1e-4, 1e-1, log=True),
        },
    ),
}
