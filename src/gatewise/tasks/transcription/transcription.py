"""What a transcriber finds in a recording."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewise.data.text import Vocabulary
from gatewise.tasks.ctc import Hypothesis, align, ctc_loss

Decoder = Callable[[Tensor], list[list[Hypothesis]]]  # of logits [T, V] to the best hypotheses of one sequence


@dataclass(frozen=True)
class Symbol:
    """One symbol of a text, and where it is.

    Attributes:
        text: the symbol.
        start: the frame at which it begins in the best alignment.
        end: the frame after its last.
        confidence: its mean probability over these steps.
    """

    text: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class Transcription:
    """The text of a recording.

    Attributes:
        text: what is said.
        confidence: the probability of this text, summed over all its alignments: how likely it is, as the model sees
            it, that not one symbol is wrong.
        symbols: those of the text, in order. (Of an empty text none.)
    """

    text: str
    confidence: float
    symbols: tuple[Symbol, ...]


def transcription(hypothesis: Hypothesis, logits: Tensor, vocabulary: Vocabulary, subsampling: int) -> Transcription:
    """A decoder's hypothesis as text.

    Args:
        hypothesis: of a decoder.
        logits: `[T, V]`, in which it was found.
        vocabulary: what labels stand for.
        subsampling: how many frames one step is.
    """
    probabilities = logits.double().softmax(1).numpy()
    loss = ctc_loss(logits.double(), [hypothesis.labels], reduction="sum")
    symbols = _symbols(hypothesis.labels, hypothesis.starts, hypothesis.ends, probabilities, vocabulary, subsampling)
    # Rounding may lift a certain text above 1.
    return Transcription(vocabulary.decode(hypothesis.labels), min(math.exp(-loss.item()), 1.0), symbols)


@torch.no_grad()
def transcribe(rows: list[Tensor], decoder: Decoder, vocabulary: Vocabulary, subsampling: int) -> list[Transcription]:
    """The best text of each sequence of logits `[T, V]`."""
    return [transcription(decoder(row)[0][0], row, vocabulary, subsampling) for row in rows]


@torch.no_grad()
def aligned(logits: Tensor, labels: Sequence[int], vocabulary: Vocabulary, subsampling: int) -> tuple[Symbol, ...]:
    """Where in logits `[T, V]` the labels of a known text are, by their best alignment."""
    best = align(logits, [labels])[0]
    probabilities = logits.double().softmax(1).numpy()
    return _symbols(best.labels, best.starts, best.ends, probabilities, vocabulary, subsampling)


def _symbols(
    labels: Sequence[int],
    starts: Sequence[int],
    ends: Sequence[int],
    probabilities: np.ndarray,
    vocabulary: Vocabulary,
    subsampling: int,
) -> tuple[Symbol, ...]:
    return tuple(
        Symbol(
            vocabulary.symbols[label],
            subsampling * start,
            subsampling * end,
            float(np.mean(probabilities[start:end, label])),
        )
        for label, start, end in zip(labels, starts, ends, strict=True)
    )
