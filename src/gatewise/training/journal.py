"""What a fit does, as its runs and the decisions between them see it.

A fit is a function of its data, its parameters and what it reads from the clock. What it reads between its runs, what
it decides there and what comes out of its runs go through its journal, so that a journal that is kept
(`gatewise.training.kept`) can give them back when the fit is begun again.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gatewise.training.interrupt import Interrupt
from gatewise.training.objective import Objective
from gatewise.training.options import TrainingOptions


@dataclass
class Part:
    """The state of a run under way, or what stays of a finished one: values of JSON types, and tensors by name."""

    values: dict[str, Any]
    tensors: dict[str, Tensor] = field(default_factory=dict)


class Journal:
    """The journal of a fit that keeps no checkpoints: it remembers nothing.

    Args:
        interrupt: entered; asked for, it ends runs and the fit with what they have.
        clock: seconds from a fixed moment on.

    >>> journal = Journal(Interrupt(), clock=lambda: 5.0)
    >>> journal.clock(), journal.decide("seasons", lambda: (24, 168))
    (5.0, [24, 168])
    """

    def __init__(self, interrupt: Interrupt, clock: Callable[[], float] = time.monotonic) -> None:
        self.interrupt = interrupt
        self._time = clock

    def clock(self) -> float:
        """Seconds, read outside of runs: what is decided by them is decided the same way when the fit is repeated."""
        return self._time()

    def now(self) -> float:
        """Seconds, read inside a run, whose state holds what it needs of them."""
        return self._time()

    def decide(self, name: str, decision: Callable[[], Any]) -> Any:
        """What was decided under this name, or the decision made now; of JSON types.

        What finished runs gathered for it (see `Gathering`) is forgotten.
        """
        return json.loads(json.dumps(decision(), allow_nan=False))

    def look(self, objective: Objective[Any], options: TrainingOptions) -> None:
        """A run is about to begin; where the fit is only planned, it ends here."""

    def begin(self, signature: Mapping[str, Any]) -> Part | None:
        """A run begins; what is known of it, if it is finished (its values have a "result") or was under way.

        Args:
            signature: what the run is, of JSON types; its "name" for messages.

        Raises:
            CheckpointError: the journal holds another run here.
        """
        return None

    def log(self, row: Mapping[str, Any]) -> None:
        """An epoch of the run that began last has ended."""

    def end(self, part: Part) -> None:
        """The run that began last is finished; `part` is what stays of it, with its "result"."""

    def pause(self, state: Callable[[], Part], steps: int = 0) -> None:
        """A moment at which the run under way can be stopped and continued, `steps` steps after the last one.

        Raises:
            TrainingInterrupted: somebody asked to stop; the state is on the disk.
            TrainingError: the state was to be written and holds weights that are not finite.
            CheckpointError: somebody asked to stop, and the state cannot be written.
        """

    def rescue(self, state: Callable[[], Part]) -> str:
        """The run cannot go on: keep its state from before the step that failed. What became of it, in a sentence."""
        return ""

    def waiting(self) -> AbstractContextManager[None]:
        """A context in which requests to stop wait for `pause`."""
        return nullcontext()

    def repeatable(self) -> AbstractContextManager[None]:
        """A context in which a request to stop raises KeyboardInterrupt at once: what is in it can be done again."""
        return nullcontext()
