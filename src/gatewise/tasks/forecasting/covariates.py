"""Covariates of a panel as columns of features, gathered for the rows at hand.

Legend: N rows of all series, S series, F features.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewise.data.blocks import Spread, blocks
from gatewise.data.panel import Panel
from gatewise.tasks.forecasting.levels import fill
from gatewise.tasks.forecasting.rows import Places
from gatewise.tasks.forecasting.statistics import Channel
from gatewise.tasks.forecasting.widths import ONE_HOT

SKEWED = 2.0


@dataclass(frozen=True)
class Numbers:
    """A numeric covariate: standardised, a mask of what was missing, and once more compressed where it is skewed.

    Missing values carry the last known one forward; before the first known one stands the training rows' mean.

    Attributes:
        values: standardised and filled, float32 `[N]`, or `[S]` of a static covariate.
        missing: which were missing, bool of the same shape; None where none was.
        static: whether there is one value a series.
        least: the smallest standardised training value, from which the compressed copy is counted; None for no copy.
    """

    values: Tensor
    missing: Tensor | None
    static: bool
    least: float | None

    def gather(self, places: Places) -> Tensor:
        """The columns at rows `[...]`: `[..., F]`."""
        at = places.series if self.static else places.rows
        values = self.values[at]
        mask = torch.zeros_like(values) if self.missing is None else self.missing[at].to(values.dtype)
        columns = [values, mask]
        if self.least is not None:
            columns.append((values - self.least).clamp(min=0.0).log1p())
        return torch.stack(columns, -1)

    @classmethod
    def of(cls, panel: Panel, name: str, ends: np.ndarray, channels: dict[str, Channel]) -> "Numbers":
        """The covariate `name`, by its entry of `channels`, which is fitted on the rows before `ends` if it is new."""
        static = name in panel.static_numeric
        values = panel.static_numeric[name] if static else panel.numeric[name]
        if name not in channels:
            channels[name] = _fit_channel(panel, values, static, ends)
        mean, scale, least = channels[name]
        missing = np.isnan(values)
        standard = np.empty(len(values), np.float32)
        for i in range(len(panel)):
            rows = slice(i, i + 1) if static else panel.series(i)
            filled = fill(values[rows], ~missing[rows], before=mean)
            for part in blocks(0, len(filled)):
                standard[rows][part] = (filled[part] - mean) / scale
        return cls(
            torch.from_numpy(standard),
            torch.from_numpy(missing) if missing.any() else None,
            static,
            None if least is None else (least - mean) / scale,
        )


@dataclass(frozen=True)
class Categories:
    """A categorical covariate: its first `ONE_HOT` categories one by one.

    Attributes:
        codes: int32 `[N]`, or `[S]` of a static covariate; 0 where missing or unknown.
        static: whether there is one code a series.
        count: how many categories there are.
    """

    codes: np.ndarray
    static: bool
    count: int

    def gather(self, places: Places) -> Tensor:
        """The columns at rows `[...]`: `[..., F]`."""
        return (self.looked_up(places)[..., None] == torch.arange(1, min(self.count, ONE_HOT) + 1)).float()

    def looked_up(self, places: Places) -> Tensor:
        """The codes at rows `[...]`, int64, for an embedding."""
        at = places.series if self.static else places.rows
        return torch.from_numpy(self.codes[at.numpy()].astype(np.int64))

    @classmethod
    def of(cls, panel: Panel, name: str) -> "Categories":
        """The covariate `name`."""
        static = name in panel.static_categorical
        codes = panel.static_categorical[name] if static else panel.categorical[name]
        return cls(codes, static, len(panel.categories[name]))


Covariate = Numbers | Categories


def read_covariate(panel: Panel, name: str, ends: np.ndarray, channels: dict[str, Channel]) -> Covariate:
    """The covariate `name` of a panel; see `Numbers.of`."""
    return Categories.of(panel, name) if name in panel.categories else Numbers.of(panel, name, ends, channels)


def _fit_channel(panel: Panel, values: np.ndarray, static: bool, ends: np.ndarray) -> Channel:
    def parts() -> Iterator[np.ndarray]:
        for i, (a, b) in enumerate(zip(panel.offsets[:-1], ends, strict=True)):
            for part in blocks(int(a), int(b)):
                own = np.full(part.stop - part.start, values[i]) if static else values[part]
                yield own[~np.isnan(own)]

    spread = Spread.of(parts())
    if not spread.count:
        return 0.0, 1.0, None
    mean, scale = float(spread.mean), float(spread.deviation) or 1.0
    skew = sum(float((((part - mean) / scale) ** 3).sum()) for part in parts()) / spread.count
    least = min(float(part.min()) for part in parts() if len(part))
    return mean, scale, least if skew > SKEWED else None
