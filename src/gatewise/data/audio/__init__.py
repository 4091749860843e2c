"""Audio: recordings, and the features that speech recognisers hear."""

from gatewise.data.audio.features import FeatureStream, SpeechFeatures, deltas, log_mel, mfcc
from gatewise.data.audio.recording import Recording, read_audio

__all__ = [
    "FeatureStream",
    "Recording",
    "SpeechFeatures",
    "deltas",
    "log_mel",
    "mfcc",
    "read_audio",
]
