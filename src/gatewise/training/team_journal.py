"""The journal of a fit that several workers do together: the first one's, of which the others are told."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor

from gatewise.training.interrupt import Interrupt
from gatewise.training.journal import Journal, Part
from gatewise.training.objective import Objective
from gatewise.training.options import TrainingOptions
from gatewise.training.snapshot import random_states
from gatewise.training.workers import DONE, STATES, VALUE, Team, packed, unpacked


def led(journal: Journal, team: Team | None, signals: Interrupt) -> Journal:
    """The first worker's journal: another journal, whose answers the other workers get as well.

    Args:
        journal: that answers.
        team: with the other workers; None leaves the journal as it is.
        signals: entered; asks to stop.
    """
    return journal if team is None else _Leader(journal, team, signals)


def following(team: Team, signals: Interrupt) -> Journal:
    """Another worker's journal: it gives the answers that the first one's gives. `signals`, entered, asks to stop."""
    return _Follower(team, signals)


class _Agreed(Interrupt):
    """A request to stop that all workers know of."""

    def __init__(self, team: Team) -> None:
        super().__init__()
        self._team = team

    @property
    def requested(self) -> bool:
        return self._team.stopping

    def request(self) -> None:
        self._team.stopping = True


class _Leader(Journal):
    """See `led`."""

    def __init__(self, journal: Journal, team: Team, signals: Interrupt) -> None:
        super().__init__(_Agreed(team))
        self._journal, self._team, self._signals = journal, team, signals
        team.stopping, team.asked, team.listening = journal.interrupt.requested, False, True
        team.ends, team.asks = lambda: journal.interrupt.requested, lambda: signals.requested

    def clock(self) -> float:
        return self._said(self._journal.clock)

    def now(self) -> float:
        return self._said(self._journal.now)

    def decide(self, name: str, decision: Callable[[], Any]) -> Any:
        return self._said(lambda: self._journal.decide(name, decision))

    def look(self, objective: Objective[Any], options: TrainingOptions) -> None:
        self._journal.look(objective, options)

    def begin(self, signature: Mapping[str, Any]) -> Part | None:
        found = self._journal.begin(signature)
        self._listen()
        self._team.tell(VALUE, packed(found))
        self._team.listening = found is not None and "result" in found.values
        return found

    def log(self, row: Mapping[str, Any]) -> None:
        self._journal.log(row)

    def end(self, part: Part) -> None:
        self._team.listening = True
        self._journal.end(part)

    def pause(self, state: Callable[[], Part], steps: int = 0) -> None:
        self._team.listening = True
        if self._team.asked:
            self._signals.request()  # whoever was asked
        self._journal.pause(lambda: self._with_states(state), steps)
        self._team.tell(DONE)
        self._team.listening = False

    def rescue(self, state: Callable[[], Part]) -> str:
        self._team.listening = True
        said = self._journal.rescue(lambda: self._with_states(state))
        self._team.tell(DONE)
        self._team.listening = False
        return said

    def waiting(self) -> AbstractContextManager[None]:
        return self._journal.waiting()

    # What workers do together cannot be left by one of them, so that a request waits for the end of a validation.

    def _with_states(self, state: Callable[[], Part]) -> Part:
        self._team.tell(STATES)
        self._team.listening = False
        part = state()
        everyone = self._team.gather(_generators(part))
        self._team.listening = True
        for rank, states in enumerate(everyone):
            if rank:
                part.tensors |= {f"workers.{rank}.{name}": tensor for name, tensor in states.items()}
        return part

    def _listen(self) -> None:
        self._team.stopping = self._team.stopping or self._journal.interrupt.requested

    def _said(self, ask: Callable[[], Any]) -> Any:
        before, self._team.listening = self._team.listening, True
        value = ask()
        self._listen()
        self._team.tell(VALUE, json.dumps(value).encode())
        self._team.listening = before
        return value


class _Follower(Journal):
    """See `following`."""

    def __init__(self, team: Team, signals: Interrupt) -> None:
        super().__init__(_Agreed(team))
        self._team = team
        team.stopping = team.asked = False
        team.asks = lambda: signals.requested

    def clock(self) -> float:
        return self._heard()

    def now(self) -> float:
        return self._heard()

    def decide(self, name: str, decision: Callable[[], Any]) -> Any:
        return self._heard()

    def begin(self, signature: Mapping[str, Any]) -> Part | None:
        return unpacked(self._team.hear()[1])

    def pause(self, state: Callable[[], Part], steps: int = 0) -> None:
        self._serve(state)

    def rescue(self, state: Callable[[], Part]) -> str:
        self._serve(state)
        return ""

    def _serve(self, state: Callable[[], Part]) -> None:
        while self._team.hear()[0] == STATES:
            self._team.gather(_generators(state()))

    def _heard(self) -> Any:
        return json.loads(self._team.hear()[1])


def _generators(part: Part) -> dict[str, Tensor]:
    """The states of the generators in a run's state, or as they are now."""
    found = {name.removeprefix("random."): t for name, t in part.tensors.items() if name.startswith("random.")}
    return found or random_states(())
