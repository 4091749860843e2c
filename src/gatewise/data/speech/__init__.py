"""Speech corpora: folders of recordings with what is said in them, and when."""

from gatewise.data.speech.common_voice import read_common_voice
from gatewise.data.speech.segments import Segment, framewise, read_segments, write_segments
from gatewise.data.speech.timit import read_timit
from gatewise.data.speech.timit_phones import FOLDED, PHONES, fold, fold_segments
from gatewise.data.speech.utterance import Utterance, write_manifest

__all__ = [
    "FOLDED",
    "PHONES",
    "Segment",
    "Utterance",
    "fold",
    "fold_segments",
    "framewise",
    "read_common_voice",
    "read_segments",
    "read_timit",
    "write_manifest",
    "write_segments",
]
