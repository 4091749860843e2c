"""Confidences beside how often they were right, as a report shows them."""

from dataclasses import dataclass

from gatewise.errors import ConfigurationError
from gatewise.reports.record import Record
from gatewise.reports.values import Values, numbers, same_length


@dataclass(frozen=True)
class CalibrationBins(Record):
    """M bins of texts of similar confidence.

    `confidence` is its mean in each, `accuracy` the share of texts without error there, `count` how many texts;
    `error` the mean distance of the two, weighted by how many there are.

    Raises:
        ConfigurationError: no bin, lengths that do not fit together, an empty bin, or a share outside 0 to 1.

    >>> CalibrationBins((0.4, 0.9), (0.5, 0.95), (4, 20), 0.06).total
    24
    """

    confidence: Values
    accuracy: Values
    count: tuple[int, ...]
    error: float

    def __post_init__(self) -> None:
        where = "CalibrationBins"
        object.__setattr__(self, "confidence", numbers(self.confidence, f"{where}.confidence"))
        object.__setattr__(self, "accuracy", numbers(self.accuracy, f"{where}.accuracy"))
        object.__setattr__(self, "count", tuple(int(count) for count in self.count))
        if not self.count or min(self.count) < 1:
            raise ConfigurationError(f"{where}: expected bins with at least one text each, got counts {self.count}")
        same_length(len(self.count), "count", where, confidence=self.confidence, accuracy=self.accuracy)
        for name, values in (("confidence", self.confidence), ("accuracy", self.accuracy), ("error", (self.error,))):
            outside = [value for value in values if value is None or not -1e-6 <= value <= 1 + 1e-6]
            if outside:
                raise ConfigurationError(f"{where}: expected {name} from 0 to 1, got {outside[0]}")

    @property
    def total(self) -> int:
        """How many texts there are."""
        return sum(self.count)
