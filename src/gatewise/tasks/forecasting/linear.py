"""The linear part of a forecaster: one ridge regression a lead (Hoerl & Kennard 1970), from its moments.

Legend: L leads, F features (head, then lead features), O origins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.rows import sample

MOST_ORIGINS = 40_000  # a ridge regression on fewer than a hundred features gains nothing measurable from more
CHUNK = 256  # origins of 24 leads at a time


@dataclass(frozen=True)
class Moments:
    """Sums over origins for each lead: counts `[L]`, features `[L, F]`, products `[L, F, F]`, and with the truth."""

    count: Tensor
    x: Tensor
    xx: Tensor
    xy: Tensor
    y: Tensor
    yy: Tensor

    @classmethod
    def of(cls, features: Features, origins: Sequence[range | np.ndarray], ends: np.ndarray) -> "Moments":
        """The moments over `origins` (rows of each series `[O_i]`) of what is known before each series' end `[S]`."""
        some, series = sample(origins, MOST_ORIGINS)
        rows, last = torch.from_numpy(some), torch.from_numpy(np.asarray(ends, np.int64)[series])
        horizon, width = features.horizon, features.widths.head + features.widths.lead
        count, y, yy = (torch.zeros(horizon, dtype=torch.float64) for _ in range(3))
        x, xy = (torch.zeros(horizon, width, dtype=torch.float64) for _ in range(2))
        xx = torch.zeros(horizon, width, width, dtype=torch.float64)
        chunk = max(64, CHUNK * 24 // horizon)
        for at, end in zip(rows.split(chunk), last.split(chunk), strict=True):
            truth, known = features.truth(at, end)
            head = features.head(at).double()[:, None].expand(-1, horizon, -1)
            full = torch.cat([head, features.lead(at).double()], -1)  # [O, L, F]
            full, truth = full * known[..., None], torch.where(known, truth, 0.0).double()
            per_lead = full.transpose(0, 1)  # [L, O, F]
            count += known.sum(0)
            x += per_lead.sum(1)
            xx += per_lead.transpose(1, 2) @ per_lead
            xy += torch.einsum("olf,ol->lf", full, truth)
            y += truth.sum(0)
            yy += truth.square().sum(0)
        return cls(count, x, xx, xy, y, yy)

    def regress(self, penalty: float) -> tuple[Tensor, Tensor]:
        """Ridge weights `[L, F]` and biases `[L]`; `penalty` counts for each origin on features of unit variance."""
        n = self.count.clamp(min=1)
        mean = self.x / n[:, None]
        covariance = self.xx / n[:, None, None] - mean[:, :, None] * mean[:, None]
        scale = covariance.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()
        scale = torch.where(scale > 1e-6, scale, torch.inf)  # a feature that never moves gets weight 0
        cross = (self.xy / n[:, None] - mean * (self.y / n)[:, None]) / scale
        correlation = covariance / (scale[:, :, None] * scale[:, None])
        ridge = correlation + penalty * torch.eye(correlation.shape[-1], dtype=torch.float64)
        weight = torch.linalg.solve(ridge, cross[..., None])[..., 0] / scale
        return weight, self.y / n - (weight * mean).sum(1)

    def error(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Mean square error of each lead `[L]` under given weights."""
        n = self.count.clamp(min=1)
        square = (weight[:, None] @ self.xx @ weight[..., None])[:, 0, 0]
        cross = (weight * (self.xy - bias[:, None] * self.x)).sum(1)
        total = self.yy - 2 * bias * self.y + n * bias.square() + square - 2 * cross
        return (total / n).clamp(min=0)


@dataclass(frozen=True)
class Linear:
    """A fitted linear part: weights `[L, F]` and biases `[L]`."""

    weight: Tensor
    bias: Tensor

    def __call__(self, head: Tensor, lead: Tensor) -> Tensor:
        """Forecasts relative to the reference `[..., L]` from head `[..., F_head]` and lead `[..., L, F_lead]`."""
        width = head.shape[-1]
        shared = head @ self.weight[:, :width].T
        return shared + (lead * self.weight[:, width:]).sum(-1) + self.bias

    @classmethod
    def fit(cls, moments: Moments, penalty: float) -> "Linear":
        """The ridge regression of the moments."""
        weight, bias = moments.regress(penalty)
        return cls(weight.float(), bias.float())
