"""Features: what a forecaster sees of a panel at each row, and what it is to forecast from there.

Legend: N rows of all series, S series, L leads (1 to the horizon), F features, K seasonal periods. An *origin* is a row
from which the L rows after it are forecast.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.data.panel import Panel
from gatewise.data.timeline import Frequency, show_time
from gatewise.errors import DataError
from gatewise.tasks.forecasting.recipe import Recipe

HARMONICS = 3
YEAR = 365.2425 * 86_400e6  # microseconds
SKEWED = 2.0
ONE_HOT = 32  # categories up to which the linear part sees a covariate's categories one by one


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
    channels: dict[str, tuple[float, float, float | None]]
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


class Features:
    """A panel under a recipe: row features `[N, F_rows]` in memory, everything wider made on demand for given origins.

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
        fitted = np.zeros(len(panel.times), bool)
        for a, b in zip(self.starts, ends, strict=True):
            fitted[a:b] = True
        series = np.repeat(np.arange(len(panel)), panel.lengths)
        start = self.starts[series]
        value = panel.target
        observed = ~np.isnan(value)
        if recipe.log:
            value = _log(panel, value)
        self.level = _levels(panel, value, ends, {} if statistics is None else statistics.level)
        mean, scale = self.level[series].T
        z = (_fill(value, observed, start) - mean) / scale
        usable = fitted & (np.arange(len(z)) - start >= recipe.season)
        floor = float(z[usable].min(initial=0.0)) if statistics is None else statistics.floor
        season = recipe.season
        w = z - _lagged(z, season, start) if season else z
        step = float(np.std(w[usable])) if usable.any() else 0.0
        self._step = (step or 1.0) if statistics is None else statistics.step
        missing = bool((~observed[fitted]).any()) if statistics is None else statistics.missing
        yearly = _needs_year(panel, fitted) if statistics is None else statistics.yearly
        channels = {} if statistics is None else statistics.channels
        if season:
            # Once the season is taken out, levels are too: what a network has seen at one level holds at the next.
            columns = [w, *(_running_mean(w, m, start) for m in recipe.periods)]
        else:
            columns = [z, np.log1p(np.maximum(z - floor, 0.0)), *(z - _lagged(z, m, start) for m in recipe.periods)]
        if missing:
            columns.append((~observed).astype(float))
        columns += calendar(panel.times, panel.frequency, recipe.calendar, yearly)
        owners: list[str | None] = [None] * (recipe.lags + len(columns))
        for name in panel.roles.past + panel.roles.future + panel.roles.static:
            if name in recipe.covariates:
                added = self._covariate(name, series, fitted, start, channels)
                columns += added
                owners += [name] * len(added)
        owners += [None] * len(recipe.periods)
        spread = statistics.rows if statistics else np.concatenate([_spread(c[usable, None]) for c in columns], 1)
        self.rows = torch.empty(len(z), len(columns))
        for k in range(len(columns)):  # one column after the other, so that a long table is never there twice
            self.rows[:, k] = torch.from_numpy((columns[k] - spread[0, k]) / spread[1, k])
            columns[k] = z[:0]
        future: list[np.ndarray] = []
        for name in panel.roles.future:
            if name in recipe.covariates:
                added = self._covariate(name, series, fitted, start, channels)
                future += added
                owners += [name] * len(added)
        self.owners = tuple(owners)  # which covariate each head feature, then each lead feature, comes from
        self.categorical = names = tuple(n for n in panel.categories if n in recipe.covariates)
        codes = [panel.categorical[n] if n in panel.categorical else panel.static_categorical[n][series] for n in names]
        self.categories = tuple(len(panel.categories[n]) for n in names)
        self.codes = torch.from_numpy(
            np.stack(codes, 1).astype(np.int64) if codes else np.zeros((len(z), 0), np.int64)
        )  # `[N, number of categorical covariates]`, looked up in the network's embeddings
        stacked = np.stack(future, 1) if future else np.zeros((len(z), 0))
        self.future = torch.from_numpy(stacked.astype(np.float32))
        self._z = torch.from_numpy(z.astype(np.float32))
        self._w = torch.from_numpy((w / self._step).astype(np.float32))
        self._observed = torch.from_numpy(observed)
        self._start = torch.from_numpy(start.astype(np.int64))
        self._end = torch.from_numpy(panel.offsets[1:][series].astype(np.int64))
        self._leads = torch.arange(1, horizon + 1)
        if statistics is None:
            sample = np.flatnonzero(usable)
            sample = sample[:: max(1, len(sample) // 50_000)]
            head = _spread(self._raw_head(torch.from_numpy(sample)).numpy().astype(np.float64))
            level = {name: (float(m), float(s)) for name, (m, s) in zip(panel.ids, self.level, strict=True)}
            statistics = Statistics(level, floor, channels, spread, head, self._step, missing, yearly)
        self.statistics = statistics
        self._head_mean = torch.from_numpy(statistics.head[0].astype(np.float32))
        self._head_scale = torch.from_numpy(statistics.head[1].astype(np.float32))

    @property
    def row_width(self) -> int:
        """F_rows."""
        return self.rows.shape[1]

    @property
    def head_width(self) -> int:
        """F_head: lags and row features."""
        return self.recipe.lags + self.row_width

    @property
    def lead_width(self) -> int:
        """F_lead: seasonal and future-known features of each lead."""
        return len(self.recipe.periods) + self.future.shape[1]

    def origins(self, ends: np.ndarray | None = None) -> list[np.ndarray]:
        """Per series the rows to train from: enough history behind them, at least one row before `ends` after them."""
        ends = self.panel.observed_lengths if ends is None else ends
        found = []
        for a, begin, n in zip(self.starts, self.first_known, ends, strict=True):
            history = self.recipe.season + min(self.recipe.lags - 1, max(int(n) - self.recipe.season, 0) // 4)
            # Rows before the first known target are filled with it: to forecast from there would be to look ahead.
            first = max(history, int(begin))
            found.append(np.arange(a + first, a + max(int(n) - 1, first)))
        return found

    def head(self, origins: Tensor) -> Tensor:
        """Head features `[..., F_head]`: the newest `lags` values and the row's features, standardised."""
        return (self._raw_head(origins) - self._head_mean) / self._head_scale

    def _raw_head(self, origins: Tensor) -> Tensor:
        back = torch.arange(self.recipe.lags)
        # Before a series begins, its first value stands in: a short history costs precision, not the series.
        rows = torch.maximum(origins[..., None] - back, self._start[origins][..., None])
        lags = self._w[rows]
        lags = torch.cat([lags[..., :1], lags[..., 1:] - lags[..., :1]], -1)
        return torch.cat([lags, self.rows[origins]], -1)

    def lead(self, origins: Tensor) -> Tensor:
        """Lead features `[..., L, F_lead]`: how each season went on the last time; future covariates."""
        start = self._start[origins][..., None]
        rows = origins[..., None] + self._leads
        columns = []
        for m in self.recipe.periods:
            back = -(-self._leads // m) * m
            step = self._rise(rows - back, origins[..., None] - back, start)
            if m == self.recipe.season:
                step = step - self._rise(rows - back - m, origins[..., None] - back - m, start)
            columns.append(step / self._step)
        parts = [torch.stack(columns, -1)] if columns else [self._z.new_zeros((*rows.shape, 0))]
        inside = torch.minimum(rows, self._end[origins][..., None] - 1)
        parts.append(self.future[inside])
        return torch.cat(parts, -1)

    def _rise(self, to: Tensor, since: Tensor, start: Tensor) -> Tensor:
        rise = self._z[to.clamp(min=0)] - self._z[since.clamp(min=0)]
        return torch.where((since >= start) & (to >= start), rise, 0.0)

    def reference(self, origins: Tensor) -> Tensor:
        """Where each lead's forecast starts `[..., L]`: the newest value, or the value a season before the lead."""
        if not self.recipe.season:
            return self._z[origins][..., None].expand(*origins.shape, self.horizon)
        m = self.recipe.season
        rows = origins[..., None] + self._leads - -(-self._leads // m) * m
        return self._z[torch.maximum(rows, self._start[origins][..., None])]

    def truth(self, origins: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
        """What came after each origin, minus the reference `[..., L]`, and where known before row `ends` `[...]`."""
        rows = origins[..., None] + self._leads
        inside = torch.minimum(rows, self._end[origins][..., None] - 1)
        known = (rows < ends[..., None]) & self._observed[inside]
        return self._z[inside] - self.reference(origins), known

    def without(self, covariate: str) -> "Features":
        """The same with one covariate at its mean everywhere: what is lost without it shows what it was good for.

        A category is held at the one most often met where it is looked up in an embedding.
        """
        other = copy.copy(self)
        lags, periods = self.recipe.lags, len(self.recipe.periods)
        rows = [k for k in range(self.row_width) if self.owners[lags + k] == covariate]
        future = [k for k in range(self.future.shape[1]) if self.owners[self.head_width + periods + k] == covariate]
        other.rows, other.future, other.codes = self.rows.clone(), self.future.clone(), self.codes.clone()
        other.rows[:, rows] = 0.0
        other.future[:, future] = self.future[:, future].mean(0)
        for k in [k for k, name in enumerate(self.categorical) if name == covariate]:
            # An embedding has no mean that a code could stand for; the code most often met comes closest.
            other.codes[:, k] = torch.bincount(self.codes[:, k]).argmax()
        return other

    def in_units(self, z: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Standardised values `[O, ...]` of the series `[O]` in the target's own units."""
        mean, scale = (v.reshape(-1, *(1,) * (z.ndim - 1)) for v in self.level[series].T)
        value = z * scale + mean
        return np.exp(value) if self.recipe.log else value

    def _covariate(
        self, name: str, series: np.ndarray, fitted: np.ndarray, start: np.ndarray,
        channels: dict[str, tuple[float, float, float | None]],
    ) -> list[np.ndarray]:  # fmt: skip
        """The columns `[N]` of one covariate.

        Numbers: standardised, missing ones carried forward (before the first known one: the training rows' mean), with
        a mask, and once more compressed where skewed. Categories: the first `ONE_HOT` one by one.
        """
        panel = self.panel
        if name in panel.categories:
            static = panel.static_categorical.get(name)
            codes = panel.categorical[name] if static is None else static[series]
            return [(codes == k).astype(float) for k in range(1, min(len(panel.categories[name]), ONE_HOT) + 1)]
        values = panel.static_numeric[name][series] if name in panel.static_numeric else panel.numeric[name]
        known = ~np.isnan(values)
        if name not in channels:
            fit = values[fitted & known]
            mean, scale = (float(fit.mean()), float(fit.std())) if len(fit) else (0.0, 1.0)
            scale = scale or 1.0
            skew = float(np.mean(((fit - mean) / scale) ** 3)) if len(fit) else 0.0
            channels[name] = (mean, scale, float(fit.min()) if skew > SKEWED else None)
        mean, scale, least = channels[name]
        filled = _fill(values, known, start, before=mean)
        columns = [(filled - mean) / scale, (~known).astype(float)]
        if least is not None:
            columns.append(np.log1p(np.maximum(filled - least, 0.0) / scale))
        return columns


def calendar(times: np.ndarray, frequency: Frequency, periods: tuple[int, ...], yearly: bool) -> list[np.ndarray]:
    """Sine and cosine of where in each seasonal period (and in the year) the times `[N]` lie, a few harmonics each."""
    if frequency.is_calendar:
        steps, _ = frequency.locate(np.datetime64("1970-01-01", "us"), times)
    else:
        steps = times // frequency.count
    waves = [
        wave((2 * np.pi * k / m) * (steps % m)).astype(np.float32)
        for m in periods
        for k in range(1, min(HARMONICS, m // 2) + 1)
        for wave in (np.sin, np.cos)
    ]
    if yearly:
        since = (times - times.astype("datetime64[Y]")).astype("timedelta64[us]").astype(np.int64)
        waves += [wave(since * (2 * np.pi / YEAR)).astype(np.float32) for wave in (np.sin, np.cos)]
    return waves


def first_known(panel: Panel) -> np.ndarray:
    """How many rows of each series come before its first known target `[S]`."""
    known = ~np.isnan(panel.target)
    return np.array([int(np.argmax(part)) if (part := known[panel.series(i)]).any() else 0 for i in range(len(panel))])


def _needs_year(panel: Panel, fitted: np.ndarray) -> bool:
    """The day of the year is a feature where the training rows have seen one and steps are shorter than a week."""
    if not panel.frequency.is_calendar or not fitted.any():
        return False
    times = panel.times[fitted]
    span = (times.max() - times.min()).astype("timedelta64[D]").astype(int)
    short = (panel.frequency.add(times[0], 1) - times[0]) < np.timedelta64(7, "D")
    return bool(span >= 365 and short)


def _log(panel: Panel, value: np.ndarray) -> np.ndarray:
    bad = np.flatnonzero(value <= 0)
    if len(bad):
        row = int(bad[0])
        name = panel.ids[int(np.searchsorted(panel.offsets, row, side="right")) - 1]
        of = f' of series "{name}"' if panel.roles.id else ""
        raise DataError(
            f'column "{panel.roles.target}" holds {value[row]:g} at {panel.roles.time or "step"} '
            f"{show_time(panel.times[row])}{of}, but this model was trained on positive values and forecasts their "
            "logarithm; correct the value, or train anew with such values"
        )
    return np.log(value)


def _levels(panel: Panel, value: np.ndarray, ends: np.ndarray, known: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """Mean and standard deviation of each series `[S, 2]`: as trained for known ids, else from its own rows."""
    level = np.empty((len(panel), 2))
    for i, (name, a, b) in enumerate(zip(panel.ids, panel.offsets[:-1], ends, strict=True)):
        if name in known:
            level[i] = known[name]
            continue
        own = value[a:b][~np.isnan(value[a:b])]
        mean = float(own.mean()) if len(own) else 0.0
        scale = float(own.std()) if len(own) else 0.0
        level[i] = mean, scale if scale > 1e-12 * max(1.0, abs(mean)) else max(abs(mean), 1.0)
    return level


def _fill(values: np.ndarray, known: np.ndarray, start: np.ndarray, before: float | None = None) -> np.ndarray:
    """Missing values carry the last known one of their series forward.

    Before the first known one stands `before`, or where that is None the first known one; 0 where none is known.
    """
    rows = np.arange(len(values))
    last = np.maximum.accumulate(np.where(known, rows, -1))
    carried = last >= start
    filled = np.where(carried, values[np.maximum(last, 0)], 0.0 if before is None else before)
    if before is None:
        following = np.minimum.accumulate(np.where(known, rows, len(values))[::-1])[::-1]
        source = np.minimum(following, len(values) - 1)
        same = ~carried & (following < len(values)) & (start[source] == start)
        filled = np.where(same, values[source], filled)
    return filled


def _lagged(values: np.ndarray, m: int, start: np.ndarray) -> np.ndarray:
    """The value `m` rows before; before a series begins, its first value."""
    rows = np.maximum(np.arange(len(values)) - m, start)
    return values[rows] if m else values


def _running_mean(values: np.ndarray, m: int, start: np.ndarray) -> np.ndarray:
    """The mean of the newest `m` values of the series, of fewer where it has just begun."""
    means = np.empty(len(values))
    starts = np.unique(start)
    # Each series is summed by itself, so that not even a rounding error comes over from another one.
    for a, b in zip(starts, [*starts[1:], len(values)], strict=True):
        total = np.concatenate([[0.0], np.cumsum(values[a:b])])
        rows = np.arange(b - a)
        first = np.maximum(rows + 1 - m, 0)
        means[a:b] = (total[rows + 1] - total[first]) / (rows + 1 - first)
    return means


def _spread(columns: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of each column `[2, F]`; a constant column has deviation 1."""
    if not len(columns):
        return np.stack([np.zeros(columns.shape[1]), np.ones(columns.shape[1])])
    deviation = columns.std(0)
    return np.stack([columns.mean(0), np.where(deviation > 1e-7, deviation, 1.0)])
