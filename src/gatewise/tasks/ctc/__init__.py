"""Connectionist temporal classification: the loss, decoders, alignment."""

from gatewise.tasks.ctc.loss import CTCLoss, ctc_loss

__all__ = ["CTCLoss", "ctc_loss"]
