"""The recipe of a forecaster: what validation chose, kept with the model."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """How a target is turned into something easy to forecast, and how much of each part the forecast takes.

    Attributes:
        log: whether the target's logarithm is modelled.
        season: steps of the season that forecasts start from (the value one season before); 0: from the newest value.
        periods: the seasonal periods in steps whose last course is a feature.
        calendar: those of them that training rows went through often enough to learn from the position within them.
        lags: how many of the newest values the linear part and the head see directly.
        penalty: of the ridge regression, for each training row, on features of unit variance.
        covariates: names of the past, future and static covariates that helped on validation.
        weight: the share, 0 to 1, of the LSTM's correction that validation supports.
        spread: the factor on the quantiles' distance from the middle that makes them cover what they claim.
        epochs: for how many epochs the final members train.
    """

    log: bool
    season: int
    periods: tuple[int, ...]
    calendar: tuple[int, ...]
    lags: int
    penalty: float
    covariates: tuple[str, ...]
    weight: float = 1.0
    spread: float = 1.0
    epochs: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Its fields, for a file."""
        return asdict(self)
