"""A generator as the language model of a decoder (shallow fusion).

Legend: V labels of the decoder, N prefixes, w the width of a state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.generation.network import GeneratorNetwork, States
from gatewise.tasks.generation.symbols import END, Symbols, TextSymbols


@dataclass(frozen=True, eq=False)
class Place:
    """The states of one prefix: a row of those of the batch that it was computed in."""

    states: States
    row: int


class GeneratorLabels:
    """What a decoder asks of a language model (`gatewise.tasks.language.LabelModel`), answered by a generator.

    The prefixes that are new in a time step go through the network as one batch, each by one step from the states of
    the prefix before; states are kept as rows of the batches that they came from, so that nothing is copied until it is
    gone on from.

    Args:
        network: in evaluation mode.
        symbols: what it writes: texts of characters, or the pieces or tokens that the decoder has.
        labels: the symbol of each label of the decoder; what stands in the place of the blank is not looked at.
        blank: the number of the blank.

    Raises:
        DataError: the generator does not know a symbol.
        ConfigurationError: it writes events.
    """

    def __init__(self, network: GeneratorNetwork, symbols: Symbols, labels: Sequence[str], *, blank: int = 0) -> None:
        if not isinstance(symbols, TextSymbols):
            raise ConfigurationError("this generator writes events; a decoder of labels needs one that writes texts")
        if not 0 <= blank < len(labels):
            raise DataError(f"blank is {blank}, expected the number of one of {len(labels)} symbols")
        known = {symbol: label for label, symbol in enumerate(symbols.vocabulary.symbols)}
        missing = [symbol for label, symbol in enumerate(labels) if label != blank and symbol not in known]
        if missing:
            raise DataError(
                f"the generator does not write {', '.join(map(repr, missing[:10]))}"
                f"{' ...' if len(missing) > 10 else ''}: train it with alphabet= that has them"
            )
        numbers = [END if label == blank else known[symbol] for label, symbol in enumerate(labels)]
        self._network = network
        self._device = next(network.parameters()).device
        self._numbers = torch.tensor(numbers, device=self._device)
        self._labels = numbers

    @torch.no_grad()
    def begin(self) -> tuple[Place, np.ndarray]:
        """The state before the first label, and scores `[V]`; see `LabelModel`."""
        logits, states = self._network(torch.tensor([[END]], device=self._device), None)
        return Place(states, 0), self._scores(logits)[0]

    @torch.no_grad()
    def advance(self, states: Sequence[Place], labels: Sequence[int]) -> tuple[list[Place], np.ndarray]:
        """States after one more label each, and scores `[N, V]`; see `LabelModel`."""
        values = torch.tensor([[self._labels[label] for label in labels]], device=self._device)
        logits, after = self._network(values, _gathered(states))
        return [Place(after, row) for row in range(len(states))], self._scores(logits)

    def _scores(self, logits: Tensor) -> np.ndarray:
        """Logarithms of the probabilities of the decoder's labels, `[N, V]`, of logits `[1, N, ...]`."""
        return logits[0].double().log_softmax(-1)[:, self._numbers].cpu().numpy()


def _gathered(places: Sequence[Place]) -> States:
    """The states of prefixes as one batch, `[N, w]` each: from each batch they lie in all at once."""
    batches: dict[int, tuple[States, list[int], list[int]]] = {}
    for number, place in enumerate(places):
        _, rows, numbers = batches.setdefault(id(place.states), (place.states, [], []))
        rows.append(place.row)
        numbers.append(number)
    order = torch.tensor([number for _, _, numbers in batches.values() for number in numbers]).argsort()
    names = next(iter(batches.values()))[0]
    return {name: torch.cat([states[name][rows] for states, rows, _ in batches.values()])[order] for name in names}
