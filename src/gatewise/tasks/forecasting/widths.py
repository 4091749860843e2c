"""How many features there are of each kind, as the recipe and what was fitted make them."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatewise.data.panel import Roles
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.statistics import Channel

HARMONICS = 3  # sine and cosine waves of each seasonal period
ONE_HOT = 32  # categories up to which the linear part sees a covariate's categories one by one


@dataclass(frozen=True)
class Widths:
    """Counts of features.

    Attributes:
        lags: newest values.
        own: row features of the target and of the calendar.
        covariates: row features of each covariate in use, in their order; those of future ones count for leads, too.
        periods: seasons of which the last course is a feature of each lead.
        future: the future covariates in use.
    """

    lags: int
    own: int
    covariates: dict[str, int]
    periods: int
    future: tuple[str, ...]

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        roles: Roles,
        categories: Mapping[str, int],
        channels: Mapping[str, Channel],
        missing: bool,
        yearly: bool,
    ) -> "Widths":
        """The widths under a recipe; `categories` are counted, `channels`, `missing`, `yearly` as in `Statistics`."""
        used = [name for name in roles.past + roles.future + roles.static if name in recipe.covariates]
        waves = sum(2 * harmonics(m) for m in recipe.calendar) + 2 * yearly
        target = 1 + len(recipe.periods) + (recipe.season == 0)
        return cls(
            lags=recipe.lags,
            own=target + missing + waves,
            covariates={
                name: min(categories[name], ONE_HOT) if name in categories else 2 + (channels[name][2] is not None)
                for name in used
            },
            periods=len(recipe.periods),
            future=tuple(name for name in roles.future if name in recipe.covariates),
        )

    @property
    def row(self) -> int:
        """F_rows."""
        return self.own + sum(self.covariates.values())

    @property
    def head(self) -> int:
        """F_head: lags and row features."""
        return self.lags + self.row

    @property
    def of_future(self) -> int:
        """Features of each lead known in advance."""
        return sum(self.covariates[name] for name in self.future)

    @property
    def lead(self) -> int:
        """F_lead: seasonal and future-known features of each lead."""
        return self.periods + self.of_future

    @property
    def owners(self) -> tuple[str | None, ...]:
        """Which covariate each head feature, then each lead feature, comes from."""
        of_rows = [name for name, width in self.covariates.items() for _ in range(width)]
        of_leads = [name for name in self.future for _ in range(self.covariates[name])]
        return (*[None] * (self.lags + self.own), *of_rows, *[None] * self.periods, *of_leads)


def harmonics(m: int) -> int:
    """How many harmonics a period of `m` steps has waves for."""
    return min(HARMONICS, m // 2)
