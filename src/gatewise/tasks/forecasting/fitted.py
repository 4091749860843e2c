"""What a fit leaves to forecast with.

Legend: O origins, L leads, Q quantiles.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gatewise.tasks.forecasting import contribution
from gatewise.tasks.forecasting.bands import widened
from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.linear import Linear
from gatewise.tasks.forecasting.network import ForecastNetwork
from gatewise.tasks.forecasting.objective import Scales, corrections
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.statistics import Statistics


@dataclass(frozen=True)
class Fitted:
    """What forecasts are made with: one linear part, the size of its residuals, and the networks that correct it."""

    recipe: Recipe
    statistics: Statistics
    linear: Linear
    scales: Scales
    members: tuple[ForecastNetwork, ...]

    def weights(self) -> dict[str, Tensor]:
        """The weights of all networks, by name."""
        return {f"members.{k}.{name}": t for k, m in enumerate(self.members) for name, t in m.state_dict().items()}

    @torch.no_grad()
    def forecast(self, features: Features, origins: Tensor, context: int | None = None) -> tuple[Tensor, Tensor]:
        """Standardised means `[O, L]` and quantiles `[O, L, Q]`, in double precision, from sorted origins `[O]`."""
        own = [corrections(member, features, origins, context) for member in self.members]
        correction = torch.stack(own).mean(0).cpu()
        correction = contribution.by_lead(self.recipe.weights, features.horizon)[:, None] * correction
        linear = torch.cat([self.linear(features.head(rows), features.lead(rows)) for rows in origins.split(4_096)])
        mean = features.reference(origins) + linear + self.scales.change * correction[..., 0]
        spread = self.scales.change[:, None] * (self.scales.quantiles + correction[..., 1:])
        # Independently learned quantiles may cross; sorting them never makes them worse (Chernozhukov et al. 2010).
        quantiles = (mean[..., None] + self.recipe.spread * spread).sort(-1).values
        return mean.double(), widened(quantiles.double(), self.recipe.band)
