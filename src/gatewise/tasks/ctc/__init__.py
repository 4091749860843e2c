"""Connectionist temporal classification: the loss, decoders, alignment."""

from gatewise.tasks.ctc.beam import BeamDecoder, BeamStream
from gatewise.tasks.ctc.hypothesis import Hypothesis
from gatewise.tasks.ctc.lexicon import Lexicon
from gatewise.tasks.ctc.loss import CTCLoss, ctc_loss

__all__ = ["BeamDecoder", "BeamStream", "CTCLoss", "Hypothesis", "Lexicon", "ctc_loss"]
