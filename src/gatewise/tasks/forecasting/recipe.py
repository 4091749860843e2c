"""The recipe of a forecaster: what validation chose, kept with the model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from gatewise.errors import ModelFolderError


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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """The recipe that `to_dict` wrote; unknown and missing keys raise `ModelFolderError`."""
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            raise ModelFolderError(
                f"a recipe is written with the keys {', '.join(sorted(known))}; got {', '.join(sorted(values))}"
            )
        return cls(
            **{
                **values,
                "periods": tuple(values["periods"]),
                "calendar": tuple(values["calendar"]),
                "covariates": tuple(values["covariates"]),
            }
        )
