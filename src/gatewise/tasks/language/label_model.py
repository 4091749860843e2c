"""Language models over the labels of a decoder.

Legend: V labels with the blank among them, N prefixes.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from torch import Tensor

from gatewise.errors import DataError
from gatewise.tasks.language.ngram import NGram

State = TypeVar("State")


class LabelModel(Protocol[State]):
    """What a decoder asks of a language model; an LSTM that writes labels can be one.

    Scores are logarithms of probabilities, in nats, of every label after a prefix; in the place of the blank, which no
    prefix has, stands that of the sequence's end. A state is whatever the model needs to go on from a prefix: an LSTM's
    states of one sequence, for instance. States are not changed, since several prefixes go on from one.
    """

    def begin(self) -> tuple[State, np.ndarray | Tensor]:
        """The state before the first label, and scores `[V]` of what comes first."""
        ...

    def advance(self, states: Sequence[State], labels: Sequence[int]) -> tuple[Sequence[State], np.ndarray | Tensor]:
        """States after one more label each, and scores `[N, V]` of what comes next.

        Called once a time step with all prefixes of all sequences that are new, so that a network can take them for a
        batch.
        """
        ...


class LabelNGram:
    """An n-gram model whose words are labels: characters, for instance. A `LabelModel` that decoders run compiled.

    Attributes:
        ngram: the model.
        blank: the number of the blank.
        words: int32 `[V]`, the number of each label in the model; -1 for the blank.
    """

    def __init__(self, ngram: NGram, symbols: Sequence[str], *, blank: int = 0) -> None:
        """Say which word of the model each label is.

        Args:
            ngram: the model.
            symbols: the word of each label; what stands in the place of the blank is not looked at. Labels that the
                model does not have are its unknown word.
            blank: the number of the blank.

        Raises:
            DataError: the model has neither a symbol nor an unknown word, or there is no label `blank`.
        """
        if not 0 <= blank < len(symbols):
            raise DataError(f"blank is {blank}, expected the number of one of {len(symbols)} symbols")
        numbers = [-1 if label == blank else ngram.number(symbol) for label, symbol in enumerate(symbols)]
        missing = [symbols[label] for label, number in enumerate(numbers) if number is None]
        if missing:
            raise DataError(
                f"the n-gram model has no {', '.join(repr(symbol) for symbol in missing[:10])}"
                f"{' ...' if len(missing) > 10 else ''}, and no <unk> either; a space, for instance, is often "
                "written as <space> or |: give symbols as the model spells them"
            )
        self.ngram = ngram
        self.blank = blank
        self.words = np.array(numbers, np.int32)

    def begin(self) -> tuple[int, np.ndarray]:
        """The state before the first label, and scores `[V]`; see `LabelModel`."""
        return self.ngram.begin, self._row(self.ngram.begin)

    def advance(self, states: Sequence[int], labels: Sequence[int]) -> tuple[list[int], np.ndarray]:
        """States after one more label each, and scores `[N, V]`; see `LabelModel`."""
        after = [self.ngram.score(state, self.words[label])[1] for state, label in zip(states, labels, strict=True)]
        return after, np.stack([self._row(state) for state in after])

    def _row(self, state: int) -> np.ndarray:
        ends = self.ngram.end
        return np.array([
            (0.0 if ends is None else self.ngram.score(state, ends)[0])
            if label == self.blank
            else self.ngram.score(state, int(word))[0]
            for label, word in enumerate(self.words)
        ])  # fmt: skip
