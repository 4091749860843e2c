"""Audio: recordings, and the features that speech recognisers hear."""

from gatewise.data.audio.augmentation import SpecAugment
from gatewise.data.audio.features import FeatureStream, SpeechFeatures, deltas, log_mel, mfcc
from gatewise.data.audio.normalization import FeatureNormalizer
from gatewise.data.audio.recording import Recording, read_audio

__all__ = [
    "FeatureNormalizer",
    "FeatureStream",
    "Recording",
    "SpecAugment",
    "SpeechFeatures",
    "deltas",
    "log_mel",
    "mfcc",
    "read_audio",
]
