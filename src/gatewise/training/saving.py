"""Where checkpoints of a fit are kept, how often they are written and how many stay."""

import math
import os
import re
from dataclasses import dataclass
from typing import Any, Self

from gatewise.errors import ConfigurationError
from gatewise.training.directory import RunDirectory

SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Interval:
    """How far apart checkpoints are: `steps` of the optimiser, or `seconds`; the other one is infinite.

    >>> Interval.parse("5m"), Interval.parse("200"), Interval.parse(200) == Interval.parse("200")
    (Interval(seconds=300.0, steps=inf), Interval(seconds=inf, steps=200.0), True)
    >>> Interval.parse("5 parsecs")
    Traceback (most recent call last):
        ...
    gatewise.errors.ConfigurationError: checkpoints every "5 parsecs": expected a time as 30s, 5m or 2h, or a number of steps as 200
    """  # noqa: E501

    seconds: float = math.inf
    steps: float = math.inf

    @classmethod
    def parse(cls, value: Any) -> Self:
        """From "30s", "5m", "1.5h", or a number of steps. Raises `ConfigurationError`."""
        text = value.strip() if isinstance(value, str) else str(value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
        if match and float(match[1]) > 0:
            return cls(seconds=float(match[1]) * SECONDS[match[2]])
        if not isinstance(value, bool) and re.fullmatch(r"\d+", text) and int(text) > 0:
            return cls(steps=float(text))
        raise ConfigurationError(
            f'checkpoints every "{value}": expected a time as 30s, 5m or 2h, or a number of steps as 200'
        )


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints of a fit: the same call then begins one run, goes on with it, or gives its result once more.

    A fit whose folder holds checkpoints goes on from the newest good one, and everything that follows is as if it had
    never stopped. It is refused where the estimator's parameters or the data are others than those of the run.

    Args:
        directory: the folder, made where there is none. One fit at a time owns it.
        every: "30s", "5m", "2h", or a number of optimiser steps. A checkpoint is also written where the fit begins and
            ends, and when a signal asks for one: SIGUSR1 (and it goes on), Ctrl-C or SIGTERM (and it stops).
        keep: how many checkpoints stay, the newest ones.
        finish: end the run where its newest checkpoint is, with what has been trained by then, as if Ctrl-C had been
            pressed there; the checkpoints stay as they are.
        allow_changed_data: go on although the data are not those of the run; what follows is then neither run's.

    Raises:
        ConfigurationError: a value that cannot be meant.
    """

    directory: str | os.PathLike[str] | RunDirectory
    every: str | int = "5m"
    keep: int = 2
    finish: bool = False
    allow_changed_data: bool = False

    def __post_init__(self) -> None:
        Interval.parse(self.every)
        if isinstance(self.keep, bool) or not isinstance(self.keep, int) or self.keep < 1:
            raise ConfigurationError(f"keep is {self.keep!r}, expected a whole number of at least 1 (checkpoints)")
