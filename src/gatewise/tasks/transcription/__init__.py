"""Transcription: from unsegmented recordings to text; the estimator and its parts."""

from gatewise.tasks.transcription.backbones import BACKBONES, Backbone
from gatewise.tasks.transcription.comparison import Comparison
from gatewise.tasks.transcription.metrics import Calibration, calibration, confusions, transcription_metrics
from gatewise.tasks.transcription.streaming import TranscriberStream
from gatewise.tasks.transcription.transcriber import Transcriber
from gatewise.tasks.transcription.transcription import Symbol, Transcription

__all__ = [
    "BACKBONES",
    "Backbone",
    "Calibration",
    "Comparison",
    "Symbol",
    "Transcriber",
    "TranscriberStream",
    "Transcription",
    "calibration",
    "confusions",
    "transcription_metrics",
]
