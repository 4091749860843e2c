"""Prefix beam searches over one sequence each: in the core, in the core with a language model outside it, in Python.

Legend: T steps, V labels with the blank among them, N prefixes.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from gatewise.errors import DataError
from gatewise.tasks.ctc.hypothesis import Hypothesis, unpack
from gatewise.tasks.ctc.outputs import Outputs, not_numbers
from gatewise.tasks.ctc.prefixes import PrefixBeam
from gatewise.tasks.language import LabelModel


class Search(Protocol):
    """A search that takes steps as they come."""

    def feed(self, outputs: Outputs, first: int) -> None:
        """Take the steps of one sequence.

        Args:
            outputs: B = 1.
            first: how many steps came before.

        Raises:
            DataError: a step has no probabilities; none is then taken.
        """
        ...

    def best(self, most: int, finished: bool) -> list[Hypothesis]:
        """The best hypotheses; `finished` if nothing follows."""
        ...


class CoreSearch:
    """A search in the compiled core."""

    def __init__(self, beam: Any, words: Sequence[str] | None) -> None:
        self.beam = beam
        self.words = words

    def feed(self, outputs: Outputs, first: int) -> None:
        """Take steps; see `Search`."""
        bad = self.beam.feed(outputs.logits)
        if bad >= 0:
            raise not_numbers(0, first + bad)

    def best(self, most: int, finished: bool) -> list[Hypothesis]:
        """The best hypotheses; see `Search`."""
        return unpack(self.beam.best(most, finished), self.words)[0]


class AskingSearch(CoreSearch):
    """A search in the compiled core that asks a language model in Python about the prefixes which are new.

    Attributes:
        states: the model's state for each prefix of the beam, best first.
    """

    def __init__(self, beam: Any, model: LabelModel[Any]) -> None:
        super().__init__(beam, None)
        self.model = model
        state, row = model.begin()
        self.states = [state]
        self._origins = ([0], [0])
        self._provide(np.asarray(row, np.float64)[None])

    def feed(self, outputs: Outputs, first: int) -> None:
        """Take steps; see `Search`."""
        for row in outputs.log_probs(0, first=first):
            self.step(row)
            ask([self], self.model)

    def step(self, log_probs: np.ndarray) -> None:
        """Take one step, `[V]`; `ask` has to follow."""
        self.beam.feed(log_probs[None, None])
        entries, labels = self.beam.origins()
        self._origins = entries.tolist(), labels.tolist()

    def new(self) -> tuple[list[Any], list[int]]:
        """The states that the new prefixes go on from, and their last labels."""
        pairs = [(self.states[entry], label) for entry, label in zip(*self._origins, strict=True) if label >= 0]
        return [state for state, _ in pairs], [label for _, label in pairs]

    def take(self, states: Sequence[Any], rows: np.ndarray) -> None:
        """The states of the new prefixes, and scores `[N, V]` of what follows them."""
        fresh = iter(states)
        entries, labels = self._origins
        self.states = [
            next(fresh) if label >= 0 else self.states[entry] for entry, label in zip(entries, labels, strict=True)
        ]
        if len(rows):
            self._provide(rows)

    def _provide(self, rows: np.ndarray) -> None:
        self.beam.provide(np.ascontiguousarray(rows))


class PlainSearch:
    """A search in plain Python."""

    def __init__(self, beam: PrefixBeam) -> None:
        self.beam = beam

    def feed(self, outputs: Outputs, first: int) -> None:
        """Take steps; see `Search`."""
        self.run(outputs.log_probs(0, first=first))

    def run(self, log_probs: np.ndarray) -> None:
        """Take steps, of logarithms of probabilities `[T, V]`."""
        for row in log_probs.tolist():
            self.beam.step(row)

    def best(self, most: int, finished: bool) -> list[Hypothesis]:
        """The best hypotheses; see `Search`."""
        return self.beam.best(most, finished)


def ask(searches: Sequence[AskingSearch], model: LabelModel[Any]) -> None:
    """Tell searches that have taken a step about their new prefixes; the model sees all of them at once.

    Raises:
        DataError: the model's scores are not one for each label, or are NaN.
    """
    new = [search.new() for search in searches]
    states = [state for some, _ in new for state in some]
    labels = [label for _, some in new for label in some]
    after: Sequence[Any] = ()
    rows = np.zeros((0, 0))
    if labels:
        after, found = model.advance(states, labels)
        rows = np.asarray(found, np.float64)
        if rows.ndim != 2 or len(rows) != len(labels) or len(after) != len(labels) or np.isnan(rows).any():
            raise DataError(
                f"the language model was asked about {len(labels)} prefixes; expected as many states and scores [N, V] "
                f"without NaN, got {len(after)} states and scores {list(rows.shape)}"
            )
    start = 0
    for search, (some, _) in zip(searches, new, strict=True):
        search.take(after[start : start + len(some)], rows[start : start + len(some)])
        start += len(some)
