"""What was read beside what is said.

Legend: S recordings, K symbols that occur.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gatewise.data.text import Vocabulary
from gatewise.tasks.transcription.metrics import Calibration, calibration, confusions, parts, transcription_metrics
from gatewise.tasks.transcription.transcription import Transcription


@dataclass(frozen=True, eq=False)
class Comparison:
    """S recordings that were read, and what they say.

    Attributes:
        texts: what they say.
        found: what was read.
        vocabulary: what texts are made of.
    """

    texts: tuple[str, ...]
    found: tuple[Transcription, ...]
    vocabulary: Vocabulary

    @cached_property
    def right(self) -> np.ndarray:
        """Whether each text was read without an error, `[S]`."""
        pairs = zip(self.texts, self.found, strict=True)
        return np.array([parts(text, self.vocabulary) == parts(one.text, self.vocabulary) for text, one in pairs])

    @property
    def confidences(self) -> np.ndarray:
        """The probability that the model gives each text that it read, `[S]`."""
        return np.array([one.confidence for one in self.found])

    def metrics(self) -> dict[str, Any]:
        """Metrics by their usual names, see `transcription_metrics`."""
        read = [one.text for one in self.found]
        return transcription_metrics(self.texts, read, self.confidences, self.vocabulary)

    def calibration(self) -> Calibration:
        """Confidences beside how often texts are right, in bins."""
        return calibration(self.confidences, self.right)

    def confusion(self) -> tuple[list[str], np.ndarray]:
        """K symbols with "" (nothing) behind them, and how often each was read as which, int64 `[K+1, K+1]`.

        Rows are what is said, columns what was read: the last row counts insertions, the last column deletions.
        """
        read = [one.text for one in self.found]
        pairs = confusions(*([parts(text, self.vocabulary) for text in texts] for texts in (self.texts, read)))
        names = [*sorted({name for pair in pairs for name in pair if name}), ""]
        places = {name: place for place, name in enumerate(names)}
        counts = np.zeros((len(names), len(names)), np.int64)
        for (reference, hypothesis), count in pairs.items():
            counts[places[reference], places[hypothesis]] = count
        return names, counts
