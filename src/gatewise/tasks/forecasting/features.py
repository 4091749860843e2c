"""Features: what a forecaster sees of a panel at each row, and what it is to forecast from there.

Legend: N rows of all series, S series, L leads (1 to the horizon), F features, C categorical covariates. An *origin* is
a row from which the L rows after it are forecast.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewise.data.blocks import Spread, blocks
from gatewise.data.panel import Panel
from gatewise.tasks.forecasting.calendar import Calendar
from gatewise.tasks.forecasting.covariates import Categories, read_covariate
from gatewise.tasks.forecasting.levels import first_known
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.tasks.forecasting.rows import Axis, Places, sample
from gatewise.tasks.forecasting.statistics import Statistics
from gatewise.tasks.forecasting.target import Target
from gatewise.tasks.forecasting.widths import Widths

MOST_MEASURED = 50_000  # rows that the features' means and deviations are taken from
AT_ONCE = 2_048  # of them, so that a table's width times its length is never there


class Features:
    """A panel under a recipe: features are made on demand for the rows at hand.

    What is kept a row is the standardised target, the courses of its seasons, what they leave with its running means,
    and numeric covariates: float32 once each. Everything else (lags, leads, calendar, masks, categories) follows from
    these, the panel's own arrays and one entry a series.

    Args:
        panel: the series, with the recipe's covariates.
        recipe: the log, season, periods, lags and covariates to use.
        horizon: L.
        statistics: of training; None fits them on the rows before `fit_ends`.
        fit_ends: per series `[S]`, how many of its rows are training rows; by default all up to the last known target.

    Raises:
        DataError: the log of a value that is not positive is needed.
    """

    def __init__(
        self,
        panel: Panel,
        recipe: Recipe,
        horizon: int,
        statistics: Statistics | None = None,
        fit_ends: np.ndarray | None = None,
    ) -> None:
        self.panel, self.recipe, self.horizon = panel, recipe, horizon
        self.starts = panel.offsets[:-1]
        self.first_known = first_known(panel)
        self.known_ends = self.starts + panel.observed_lengths
        ends = self.known_ends if fit_ends is None else self.starts + fit_ends
        self._axis = Axis(panel.offsets)
        self._target = target = Target(panel, recipe, statistics, ends)
        self.level = target.levels.values
        missing = _lacks_values(panel, ends) if statistics is None else statistics.missing
        yearly = _needs_year(panel, ends) if statistics is None else statistics.yearly
        self._masked, self._calendar = missing, Calendar(panel, recipe.calendar, yearly)
        channels = {} if statistics is None else dict(statistics.channels)
        roles = panel.roles
        used = [name for name in roles.past + roles.future + roles.static if name in recipe.covariates]
        self._covariates = {name: read_covariate(panel, name, ends, channels) for name in used}
        counts = {name: len(values) for name, values in panel.categories.items()}
        self.widths = Widths.of(recipe, roles, counts, channels, missing, yearly)
        self.owners = self.widths.owners
        self.categorical = tuple(name for name in panel.categories if name in recipe.covariates)
        self.categories = tuple(len(panel.categories[name]) for name in self.categorical)
        self._held: dict[str, _Still] = {}  # covariates held still, see `without`
        self._leads = torch.arange(1, horizon + 1)
        if statistics is None:
            usable = [range(int(a) + recipe.season, int(b)) for a, b in zip(self.starts, ends, strict=True)]
            at = torch.from_numpy(sample(usable, MOST_MEASURED)[0])
            level = {name: (float(m), float(s)) for name, (m, s) in zip(panel.ids, self.level, strict=True)}
            rows = _spread(lambda part: self._raw_rows(self._axis.places(part)), at, self.widths.row)
            self._row_mean, self._row_scale = _floats(rows)
            head = _spread(lambda part: self._raw_head(part, self.rows(part)), at, self.widths.head)
            statistics = Statistics(level, target.floor, channels, rows, head, target.step, missing, yearly)
        self.statistics = statistics
        self._row_mean, self._row_scale = _floats(statistics.rows)
        self._head_mean, self._head_scale = _floats(statistics.head)

    def origins(self, ends: np.ndarray | None = None) -> list[range]:
        """Per series the rows to train from: enough history behind them, at least one row before `ends` after them."""
        ends = self.panel.observed_lengths if ends is None else ends
        found = []
        for a, begin, n in zip(self.starts.tolist(), self.first_known.tolist(), map(int, ends), strict=True):
            history = self.recipe.season + min(self.recipe.lags - 1, max(n - self.recipe.season, 0) // 4)
            # Rows before the first known target are filled with it: to forecast from there would be to look ahead.
            first = max(history, begin)
            found.append(range(a + first, a + max(n - 1, first)))
        return found

    def rows(self, rows: Tensor) -> Tensor:
        """Row features at rows `[...]`, standardised: float32 `[..., F_rows]`."""
        found = (self._raw_rows(self._axis.places(rows)) - self._row_mean) / self._row_scale
        for k in [k for k, owner in enumerate(self.owners[self.recipe.lags : self.widths.head]) if owner in self._held]:
            found[..., k] = 0.0
        return found

    def codes(self, rows: Tensor) -> Tensor:
        """Codes of the categorical covariates at rows `[...]`, int64 `[..., C]`, to be looked up in embeddings."""
        if not self.categorical:
            return torch.zeros((*rows.shape, 0), dtype=torch.int64)
        places, found = self._axis.places(rows), []
        for name in self.categorical:
            covariate = self._covariates[name]
            assert isinstance(covariate, Categories)
            codes = covariate.looked_up(places)
            found.append(torch.full_like(codes, self._held[name].code) if name in self._held else codes)
        return torch.stack(found, -1)

    def head(self, origins: Tensor, rows: Tensor | None = None) -> Tensor:
        """Head features `[..., F_head]`: the newest `lags` values and the row's features, standardised.

        `rows` are the row features of the origins `[..., F_rows]`, where they are there already.
        """
        raw = self._raw_head(origins, self.rows(origins) if rows is None else rows)
        return (raw - self._head_mean) / self._head_scale

    def _raw_rows(self, places: Places) -> Tensor:
        rows, target = places.rows, self._target
        if self.recipe.seasons:
            # Once the season is taken out, levels are too: what a network has seen at one level holds at the next.
            parts = [target.rest[rows][..., None], target.means[rows]]
        else:
            z = target.z[rows]
            compressed = (z - target.floor).clamp(min=0.0).log1p()
            before = [z - target.z[torch.maximum(rows - m, places.starts)] for m in self.recipe.periods]
            parts = [torch.stack([z, compressed, *before], -1)]
        if self._masked:
            parts.append((~self._observed(rows)).float()[..., None])
        parts += self._calendar.waves(places)
        parts += [covariate.gather(places) for covariate in self._covariates.values()]
        return torch.cat(parts, -1)

    def _raw_head(self, origins: Tensor, rows: Tensor) -> Tensor:
        back = torch.arange(self.recipe.lags)
        # Before a series begins, its first value stands in: a short history costs precision, not the series.
        lagged = torch.maximum(origins[..., None] - back, self._axis.places(origins).starts[..., None])
        lags = self._target.rest[lagged]
        return torch.cat([lags[..., :1], lags[..., 1:] - lags[..., :1], rows], -1)

    def lead(self, origins: Tensor) -> Tensor:
        """Lead features `[..., L, F_lead]`: how each season went on the last time; future covariates."""
        places = self._axis.places(origins)
        start, rows = places.starts[..., None], origins[..., None] + self._leads
        columns = []
        for m in self.recipe.periods:
            back = -(-self._leads // m) * m
            columns.append(self._rise(rows - back, origins[..., None] - back, start))
        parts = [torch.stack(columns, -1)] if columns else [torch.zeros((*rows.shape, 0))]
        if self.widths.future:
            parts += self._future_columns(torch.minimum(rows, places.ends[..., None] - 1))
        return torch.cat(parts, -1)

    def _future_columns(self, rows: Tensor) -> list[Tensor]:
        places = self._axis.places(rows)
        return [
            self._held[name].columns.expand(*rows.shape, -1)
            if name in self._held
            else self._covariates[name].gather(places)
            for name in self.widths.future
        ]

    def _rise(self, to: Tensor, since: Tensor, start: Tensor) -> Tensor:
        rest = self._target.rest
        rise = torch.where((since >= start) & (to >= start), rest[to.clamp(min=0)] - rest[since.clamp(min=0)], 0.0)
        return rise if self.recipe.seasons else rise / self._target.step

    def reference(self, origins: Tensor) -> Tensor:
        """Where each lead's forecast starts `[..., L]`: the newest value; or where there are seasons, their courses one
        cycle before the lead, and what is left of the newest deviation from them.
        """
        target = self._target
        if not self.recipe.seasons:
            return target.z[origins][..., None].expand(*origins.shape, self.horizon)
        found = target.step * target.rest[origins][..., None] * self.recipe.damping**self._leads
        starts = self._axis.places(origins).starts[..., None]
        for m, course in target.courses:
            rows = origins[..., None] + self._leads - -(-self._leads // m) * m
            found = found + course[torch.maximum(rows, starts)]
        return found

    def truth(self, origins: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
        """What came after each origin, minus the reference `[..., L]`, and where known before row `ends` `[...]`."""
        rows = origins[..., None] + self._leads
        inside = torch.minimum(rows, self._axis.places(origins).ends[..., None] - 1)
        known = (rows < ends[..., None]) & self._observed(inside)
        return self._target.z[inside] - self.reference(origins), known

    def _observed(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(~np.isnan(self.panel.target[rows.numpy()]))

    def without(self, covariate: str) -> "Features":
        """The same with one covariate at its mean everywhere: what is lost without it shows what it was good for.

        A category is held at the one most often met where it is looked up in an embedding.
        """
        own, columns, counts = self._covariates[covariate], Spread(), np.zeros(1, np.int64)
        if isinstance(own, Categories):
            counts = np.zeros(own.count + 1, np.int64)
        for part in blocks(0, len(self.panel.times), AT_ONCE):
            places = self._axis.places(torch.arange(part.start, part.stop))
            columns.add(own.gather(places).numpy())
            if isinstance(own, Categories):
                counts += np.bincount(own.looked_up(places).numpy(), minlength=len(counts))
        # An embedding has no mean that a code could stand for; the code most often met comes closest.
        still = _Still(torch.from_numpy(columns.mean.astype(np.float32)), int(counts.argmax()))
        other = copy.copy(self)
        other._held = {**self._held, covariate: still}
        return other

    def in_units(self, z: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Standardised values `[O, ...]` of the series `[O]` in the target's own units."""
        return self._target.levels.in_units(z, series)


@dataclass(frozen=True)
class _Still:
    """A covariate held still: its columns of the leads `[F]`, and its code in an embedding."""

    columns: Tensor
    code: int


def _floats(rows: np.ndarray) -> tuple[Tensor, Tensor]:
    mean, scale = torch.from_numpy(rows.astype(np.float32))
    return mean, scale


def _lacks_values(panel: Panel, ends: np.ndarray) -> bool:
    return any(bool(np.isnan(panel.target[a:b]).any()) for a, b in zip(panel.offsets[:-1], ends, strict=True))


def _needs_year(panel: Panel, ends: np.ndarray) -> bool:
    """The day of the year is a feature where the training rows have seen one and steps are shorter than a week."""
    some = [(int(a), int(b)) for a, b in zip(panel.offsets[:-1], ends, strict=True) if a < b]
    if not panel.frequency.is_calendar or not some:
        return False
    first = panel.times[some[0][0]]
    span = max(panel.times[b - 1] for _, b in some) - min(panel.times[a] for a, _ in some)
    short = (panel.frequency.add(first, 1) - first) < np.timedelta64(7, "D")
    return bool(span.astype("timedelta64[D]").astype(int) >= 365 and short)


def _spread(gather: Callable[[Tensor], Tensor], at: Tensor, width: int) -> np.ndarray:
    """Mean and standard deviation of each column at some rows `[2, F]`; a constant column has deviation 1."""
    if not len(at):
        return np.stack([np.zeros(width), np.ones(width)])
    spread = Spread.of(gather(part).numpy() for part in at.split(AT_ONCE))
    return np.stack([spread.mean, np.where(spread.deviation > 1e-7, spread.deviation, 1.0)])
