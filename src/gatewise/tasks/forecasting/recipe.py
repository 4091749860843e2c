"""The recipe of a forecaster: what validation chose, kept with the model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self


class Season(NamedTuple):
    """A season that forecasts start from: its period in steps, and the share of what is new in its smoothed course."""

    period: int
    share: float


@dataclass(frozen=True)
class Recipe:
    """How a target is turned into something easy to forecast, and how much of each part the forecast takes.

    Attributes:
        log: whether the target's logarithm is modelled.
        seasons: that forecasts start from, the longest first, see `smoothing`; none: from the newest value.
        damping: what the newest deviation from the seasons keeps from lead to lead, 0 to 1.
        periods: the seasonal periods in steps whose last course is a feature.
        calendar: those of them that training rows went through often enough to learn from the position within them.
        lags: how many of the newest values the linear part and the head see directly.
        penalty: of the ridge regression, for each training row, on features of unit variance.
        covariates: names of the past, future and static covariates that helped on validation.
        weights: the shares, 0 to 1, of the LSTM's correction that validation supports: of the first and of the last
            lead, those between in proportion.
        spread: the factor on the quantiles' distance from the middle that makes them cover what they claim.
        epochs: for how many epochs the final members train.
        band: how far conformal calibration moves the outermost quantiles outwards, for each lead, in standard
            deviations of the (logarithm of the) target; empty without calibration.
    """

    log: bool
    seasons: tuple[Season, ...]
    periods: tuple[int, ...]
    calendar: tuple[int, ...]
    lags: int
    penalty: float
    covariates: tuple[str, ...]
    weights: tuple[float, float] = (1.0, 1.0)
    spread: float = 1.0
    epochs: int = 0
    damping: float = 0.0
    band: tuple[float, ...] = ()

    @property
    def season(self) -> int:
        """Steps of the longest season that forecasts start from; 0 without seasons."""
        return self.seasons[0].period if self.seasons else 0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From what `to_dict` returned, whose tuples may have become lists."""
        seasons = tuple(Season(*season) for season in values["seasons"])
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list | tuple)}
        return cls(**{**values, **lists, "seasons": seasons})

    def to_dict(self) -> dict[str, Any]:
        """Its fields, for a file."""
        return asdict(self)
