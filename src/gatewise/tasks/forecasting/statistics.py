"""What a forecaster's features are standardised with, as fitted on training rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Channel = tuple[float, float, float | None]


@dataclass(frozen=True)
class Statistics:
    """What was fitted on training rows and is needed to make the same features again.

    Attributes:
        level: series id -> (mean, standard deviation) of the (log of the) target.
        floor: the smallest standardised target, from which the compressed copy of the target is counted.
        channels: covariate -> (mean, standard deviation, smallest value where it is also seen compressed or None).
        rows: mean and standard deviation of each row feature, `[2, F_rows]`.
        head: mean and standard deviation of each head feature, `[2, F_head]`.
        step: standard deviation of the differenced target.
        missing: whether training rows lacked target values, so that a mask is a feature.
        yearly: whether the day of the year is a feature.
    """

    level: dict[str, tuple[float, float]]
    floor: float
    channels: dict[str, Channel]
    rows: np.ndarray
    head: np.ndarray
    step: float
    missing: bool
    yearly: bool

    def to_dict(self) -> dict[str, Any]:
        """Its fields as JSON types."""
        return {
            "level": {name: list(pair) for name, pair in self.level.items()},
            "floor": self.floor,
            "channels": {name: list(values) for name, values in self.channels.items()},
            "rows": self.rows.tolist(),
            "head": self.head.tolist(),
            "step": self.step,
            "missing": self.missing,
            "yearly": self.yearly,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Statistics":
        """The statistics that `to_dict` wrote."""
        return cls(
            level={name: (pair[0], pair[1]) for name, pair in values["level"].items()},
            floor=float(values["floor"]),
            channels={name: (v[0], v[1], v[2]) for name, v in values["channels"].items()},
            rows=np.asarray(values["rows"]),
            head=np.asarray(values["head"]),
            step=float(values["step"]),
            missing=bool(values["missing"]),
            yearly=bool(values["yearly"]),
        )
