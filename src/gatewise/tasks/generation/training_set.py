"""What a generator is trained on: symbols, documents, a validation part."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.errors import DataError
from gatewise.tasks.generation.corpus import Corpus
from gatewise.tasks.generation.events import read_events
from gatewise.tasks.generation.symbols import EventSymbols, Symbols, TextSymbols
from gatewise.tasks.generation.texts import read_texts

if TYPE_CHECKING:
    from gatewise.tasks.generation.generator import Generator


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Documents to train on.

    Attributes:
        symbols: what they are made of.
        corpus: all of them.
        training: the training part.
        validation: what is held out, or None.
        frequencies: of the symbols in the training part, `[V]`.
        size: how much it is, in words.
        notes: what was found, in sentences.
    """

    symbols: Symbols
    corpus: Corpus
    training: Corpus
    validation: Corpus | None
    frequencies: np.ndarray
    size: str
    notes: tuple[str, ...]

    @classmethod
    def read(cls, model: "Generator", X: Any) -> "TrainingSet":
        """What `Generator.fit` was given, as the model's parameters have it.

        Raises:
            DataError: it cannot be trained on.
            ConfigurationError: a parameter does not go with it.
        """
        if model.unit == "events":
            pieces = read_events(X, model.events, model.piece)
            frames = [frame for piece in pieces.frames for frame in piece]
            symbols: Symbols = EventSymbols.fit(frames, transpose=model.transpose, alphabet=model.alphabet)
            corpus = symbols.corpus(pieces)
            size = f"{len(corpus)} pieces of {len(frames)} frames"
            found = f"{size}, with {symbols.size} events ({symbols.names[0]} to {symbols.names[-1]})."
        else:
            texts, names = read_texts(X)
            symbols = TextSymbols.fit(texts, unit=model.unit, pieces=model.pieces, alphabet=model.alphabet)
            corpus = symbols.corpus(texts, names)
            size = f"{len(corpus)} texts of {sum(map(len, texts))} characters"
            found = f"{size}, written in {symbols.size - 1} {model.unit}."
        if corpus.steps < 2:
            raise DataError(f"{size}: there is nothing to be foretold")
        training, validation = corpus.parts(float(model.validation), int(model.seed))
        notes = [found]
        if validation is None:
            why = "validation=0" if model.validation == 0 else "the documents are too short"
            notes.append(f"No validation part ({why}): training goes to its last epoch, without early stopping.")
            if model.validation:
                warnings.warn(notes[-1], UserWarning, stacklevel=3)
        else:
            what = f"{len(validation)} documents are" if len(training) < len(corpus) else "The end of each document is"
            notes.append(f"{what} held out to choose the best epoch: {validation.steps} of {corpus.steps} steps.")
        return cls(symbols, corpus, training, validation, symbols.frequencies(training), size, tuple(notes))

    @property
    def content(self) -> tuple[Any, ...]:
        """All of it that training depends on, beside the model's parameters."""
        return self.corpus, self.symbols.to_dict()
