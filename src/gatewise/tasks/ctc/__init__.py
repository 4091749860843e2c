"""Connectionist temporal classification: the loss, decoders, alignment."""

from gatewise.tasks.ctc.alignment import Alignment, align
from gatewise.tasks.ctc.beam import BeamDecoder, BeamStream
from gatewise.tasks.ctc.greedy import GreedyStream, greedy
from gatewise.tasks.ctc.hypothesis import Hypothesis
from gatewise.tasks.ctc.lexicon import Lexicon
from gatewise.tasks.ctc.loss import CTCLoss, ctc_loss
from gatewise.tasks.ctc.plateau import BlankPlateau, Emission, emission
from gatewise.tasks.ctc.tokens import token_passing

__all__ = [
    "Alignment",
    "BeamDecoder",
    "BeamStream",
    "BlankPlateau",
    "CTCLoss",
    "Emission",
    "GreedyStream",
    "Hypothesis",
    "Lexicon",
    "align",
    "ctc_loss",
    "emission",
    "greedy",
    "token_passing",
]
