"""Features see the past and what is known in advance, of their own series, through statistics of training rows."""

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from gatewise.data.panel import Panel, Roles
from gatewise.errors import DataError
from gatewise.tasks.forecasting.calendar import Calendar
from gatewise.tasks.forecasting.config import RecipeConfig
from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.recipe import Recipe, Season
from gatewise.tasks.forecasting.rows import Axis, sample
from gatewise.tasks.forecasting.statistics import Statistics

HORIZON, SEASON = 5, 7
COVARIATES = ("wind", "kind", "holiday", "size", "region")
ROLES = Roles("load", time="day", id="site", past=("wind", "kind"), future=("holiday",), static=("size", "region"))
PLAIN = Recipe(log=False, seasons=(), periods=(SEASON,), calendar=(SEASON,), lags=4, penalty=0.1, covariates=COVARIATES)
LAST = (Season(SEASON, 1.0),)
SMOOTHED = {"periods": (3, SEASON), "seasons": (Season(SEASON, 0.4), Season(3, 0.7)), "damping": 0.9}
RECIPES = (PLAIN, replace(PLAIN, seasons=LAST), replace(PLAIN, log=True, seasons=LAST), replace(PLAIN, **SMOOTHED))
NAMES = ["newest", "season", "log", "smoothed"]


def three_series() -> Panel:
    """Series of 45, 60 and 30 days, with missing targets and covariates, each beginning with a missing covariate."""
    rng = np.random.default_rng(0)
    parts = []
    for site, length in (("a", 45), ("b", 60), ("c", 30)):
        day = np.datetime64("2023-01-02") + np.arange(length)
        load = 50 + 10 * np.sin(2 * np.pi * np.arange(length) / SEASON) + rng.normal(0, 1, length)
        wind = rng.normal(0, 1, length)
        load[rng.choice(np.arange(3, length - 1), 4, replace=False)] = np.nan
        wind[[0, 1, 9]] = np.nan
        parts.append(
            pa.table(
                {
                    "site": [site] * length,
                    "day": pa.array(day),
                    "load": pa.array(load, from_pandas=True),
                    "wind": pa.array(wind, from_pandas=True),
                    "kind": rng.choice(["x", "y", "z"], length),
                    "holiday": rng.integers(0, 2, length).astype(float),
                    "size": [float(length)] * length,
                    "region": ["north" if site == "b" else "south"] * length,
                }
            )
        )
    return Panel.from_table(pa.concat_tables(parts), ROLES)


PANEL = three_series()
ENDS = np.array([30, 40, 20])


def fitted(panel: Panel = PANEL, recipe: Recipe = PLAIN) -> Features:
    return Features(panel, recipe, HORIZON, fit_ends=ENDS[: len(panel)])


def seen(features: Features, origin: int) -> list[Tensor]:
    at = torch.tensor([origin])
    return [features.head(at), features.lead(at), features.reference(at), features.rows(at), features.codes(at)]


def changed(panel: Panel, after: int, columns: tuple[str, ...], by: float = 7.0) -> Panel:
    """The columns' values after a row replaced: numbers moved, missing ones filled, categories changed."""
    numeric = {name: values.copy() for name, values in panel.numeric.items()}
    categorical = {name: values.copy() for name, values in panel.categorical.items()}
    for name in columns:
        if name in categorical:
            categorical[name][after + 1 :] = categorical[name][after + 1 :] % 3 + 1
        else:
            numeric[name][after + 1 :] = np.nan_to_num(numeric[name][after + 1 :], nan=60.0) + by
    return replace(panel, numeric=numeric, categorical=categorical)


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
@pytest.mark.parametrize("origin", [0, 1, 8, 20, 44, 45, 46, 60, 104, 105, 120])
def test_nothing_after_an_origin_is_seen_from_it(recipe: Recipe, origin: int) -> None:
    statistics = fitted(recipe=recipe).statistics
    before = Features(PANEL, recipe, HORIZON, statistics)
    after = Features(changed(PANEL, origin, ("load", "wind", "kind")), recipe, HORIZON, statistics)
    at = torch.arange(len(PANEL.times))
    assert not torch.equal(before.rows(at), after.rows(at))
    for was, now in zip(seen(before, origin), seen(after, origin), strict=True):
        torch.testing.assert_close(now, was, rtol=0, atol=0)


def test_missing_values_after_an_origin_are_not_seen_from_it() -> None:
    statistics = fitted().statistics
    origin = 60
    numeric = {name: values.copy() for name, values in PANEL.numeric.items()}
    for name in ("load", "wind"):
        numeric[name][origin + 1 :] = np.nan
    before = Features(PANEL, PLAIN, HORIZON, statistics)
    after = Features(replace(PANEL, numeric=numeric), PLAIN, HORIZON, statistics)
    for was, now in zip(seen(before, origin), seen(after, origin), strict=True):
        torch.testing.assert_close(now, was, rtol=0, atol=0)


def test_future_covariates_are_seen_up_to_the_last_lead_and_no_further() -> None:
    statistics, origin = fitted().statistics, 10
    at = torch.tensor([origin])
    before = Features(PANEL, PLAIN, HORIZON, statistics)
    within = Features(changed(PANEL, origin + 2, ("holiday",)), PLAIN, HORIZON, statistics)
    beyond = Features(changed(PANEL, origin + HORIZON, ("holiday",)), PLAIN, HORIZON, statistics)
    torch.testing.assert_close(beyond.lead(at), before.lead(at), rtol=0, atol=0)
    moved = (within.lead(at) != before.lead(at)).any(-1)[0]
    assert moved.tolist() == [False, False, True, True, True]
    torch.testing.assert_close(within.head(at), before.head(at), rtol=0, atol=0)
    column = before.lead(at)[0, :, len(PLAIN.periods)]
    mean, scale, _ = statistics.channels["holiday"]
    want = (PANEL.numeric["holiday"][origin + 1 : origin + 1 + HORIZON] - mean) / scale
    np.testing.assert_allclose(column, want, atol=1e-6)


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_each_series_alone_is_as_within_the_panel(recipe: Recipe) -> None:
    together = fitted(recipe=recipe)
    for i in range(len(PANEL)):
        alone = Features(PANEL.select([i]), recipe, HORIZON, together.statistics)
        own = torch.arange(len(alone.panel.times))
        within = own + int(PANEL.offsets[i])
        for one, many in zip(
            (alone.head(own), alone.lead(own), alone.reference(own)),
            (together.head(within), together.lead(within), together.reference(within)),
            strict=True,
        ):
            torch.testing.assert_close(one, many, rtol=0, atol=2e-6)
        assert torch.equal(alone.codes(own), together.codes(within))


def test_references_and_truths_by_hand() -> None:
    values = np.arange(1.0, 31.0) ** 1.5
    panel = Panel.from_table(pa.table({"value": values}), Roles("value"))
    plain = Recipe(log=False, seasons=(), periods=(4,), calendar=(), lags=3, penalty=0.1, covariates=())
    at, ends = torch.tensor([20, 27]), torch.tensor([30, 30])
    for season in (0, 4):
        features = Features(panel, replace(plain, seasons=(Season(4, 1.0),) if season else ()), 6)
        reference = features.in_units(features.reference(at).double().numpy(), np.zeros(2, int))
        move, known = features.truth(at, ends)
        truth = features.in_units((features.reference(at) + move).double().numpy(), np.zeros(2, int))
        if season:
            want = [[values[o + 1 + k % 4 - 4] for k in range(6)] for o in (20, 27)]
        else:
            want = [[values[o]] * 6 for o in (20, 27)]
        np.testing.assert_allclose(reference, want, rtol=1e-5)
        np.testing.assert_allclose(truth[0], values[21:27], rtol=1e-5)
        np.testing.assert_allclose(truth[1, :2], values[28:30], rtol=1e-5)
        assert known.tolist() == [[True] * 6, [True, True] + [False] * 4]


def test_smoothed_seasons_and_a_fading_rest_by_hand() -> None:
    """Rows one after the other, as the definition has it, in double precision."""
    values = np.random.default_rng(1).normal(size=40).cumsum() + 50
    panel = Panel.from_table(pa.table({"value": values}), Roles("value"))
    recipe = Recipe(
        log=False, seasons=(Season(6, 0.4), Season(2, 0.7)), periods=(2, 6), calendar=(), lags=3, penalty=0.1,
        covariates=(), damping=0.8,
    )  # fmt: skip
    features = Features(panel, recipe, 7)
    z = (values - values.mean()) / values.std()
    rest, courses = z, []
    for period, share in recipe.seasons:
        course, left = np.empty(40), np.zeros(40)
        for t in range(40):
            left[t] = rest[t] - course[t - period] if t >= period else 0.0
            course[t] = course[t - period] + share * left[t] if t >= period else rest[t]
        courses.append((period, course))
        rest = left
    origins = np.array([8, 23, 32])
    want = [
        [0.8**k * rest[o] + sum(course[o + k - -(-k // m) * m] for m, course in courses) for k in range(1, 8)]
        for o in origins
    ]
    np.testing.assert_allclose(features.reference(torch.from_numpy(origins)), want, atol=1e-5)
    assert features.statistics.step == pytest.approx(rest[6:].std(), rel=1e-4)
    raw = features.rows(torch.arange(40)).numpy() * features.statistics.rows[1] + features.statistics.rows[0]
    np.testing.assert_allclose(raw[:, 0], rest / rest[6:].std(), atol=1e-3)
    np.testing.assert_allclose(raw[30, 1:3], [rest[29:31].mean() / rest[6:].std(), rest[25:31].mean() / rest[6:].std()],
                               atol=1e-3)  # fmt: skip


def test_truths_are_unknown_where_the_target_is_missing_or_out_of_bounds() -> None:
    features = fitted()
    origins = torch.arange(int(PANEL.offsets[1]), int(PANEL.offsets[2]))
    end = int(PANEL.offsets[1]) + 50
    _, known = features.truth(origins, torch.full((len(origins),), end))
    rows = origins[:, None] + torch.arange(1, HORIZON + 1)
    inside = torch.clamp(rows, max=len(PANEL.times) - 1)
    want = (rows < end) & torch.from_numpy(~np.isnan(PANEL.target))[inside]
    assert torch.equal(known, want)
    assert (~known & (rows < end)).any()


def test_lags_stop_at_the_beginning_of_their_series() -> None:
    features = fitted()
    first = int(PANEL.offsets[1])
    head = features.head(torch.tensor([first, first + 1])) * features._head_scale + features._head_mean
    value = (PANEL.target[first : first + 2] - features.level[1, 0]) / features.level[1, 1]
    # The newest value, then how much each earlier one lies above it; before the beginning, the first value stands in.
    np.testing.assert_allclose(head[0, :4], [value[0], 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(head[1, :4], [value[1], *[value[0] - value[1]] * 3], atol=1e-5)


def test_no_origin_lies_before_the_first_known_target() -> None:
    values = np.where(np.arange(40) < 9, np.nan, np.arange(40.0) ** 1.2)
    panel = Panel.from_table(pa.table({"value": pa.array(values, from_pandas=True)}), Roles("value"))
    recipe = Recipe(log=False, seasons=(), periods=(), calendar=(), lags=3, penalty=0.1, covariates=())
    (origins,) = Features(panel, recipe, 4).origins()
    assert origins == range(9, 39)


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_statistics_are_of_training_rows_alone(recipe: Recipe) -> None:
    numeric = {name: values.copy() for name, values in PANEL.numeric.items()}
    for i, end in enumerate(ENDS):
        held = slice(int(PANEL.offsets[i] + end), int(PANEL.offsets[i + 1]))
        numeric["load"][held] = 1e3 * (i + 1)
        numeric["wind"][held] = np.nan
        numeric["holiday"][held] = -40.0
    other = fitted(replace(PANEL, numeric=numeric), recipe).statistics
    assert json.dumps(other.to_dict()) == json.dumps(fitted(recipe=recipe).statistics.to_dict())
    numeric["load"][3] = 55.0
    moved = fitted(replace(PANEL, numeric=numeric), recipe).statistics
    assert moved.level["a"] != other.level["a"]
    assert moved.level["b"] == other.level["b"]


def test_missing_values_are_masked_and_carried_forward() -> None:
    features = fitted()
    gap = int(np.flatnonzero(np.isnan(PANEL.target))[0])
    raw = (
        features.rows(torch.arange(len(PANEL.times))).numpy() * features.statistics.rows[1]
        + features.statistics.rows[0]
    )
    mask = 2 + len(PLAIN.periods)
    np.testing.assert_allclose(raw[[gap - 1, gap], mask], [0, 1], atol=1e-6)
    assert raw[gap, 0] == pytest.approx(raw[gap - 1, 0], abs=1e-6)
    wind = features.owners.index("wind") - PLAIN.lags
    known = PANEL.numeric["wind"][~np.isnan(PANEL.numeric["wind"])]
    assert len(known) < len(PANEL.times)
    np.testing.assert_allclose(raw[[0, 1, 2, 8, 9], wind + 1], [1, 1, 0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(raw[[0, 1], wind], 0, atol=1e-6)  # nothing known yet: the training rows' mean
    assert raw[9, wind] == pytest.approx(raw[8, wind], abs=1e-6)


def test_a_covariate_is_held_still_and_the_others_are_not() -> None:
    features = fitted()
    at = torch.arange(len(PANEL.times))
    for name in COVARIATES:
        less = features.without(name)
        head, lead = features.head(at), features.lead(at)
        moved = (less.head(at) != head).any(0)
        width = features.widths.head
        owned = {k for k, owner in enumerate(features.owners[:width]) if owner == name}
        assert set(moved.nonzero().flatten().tolist()) <= owned
        assert moved.any()
        assert (less.head(at)[:, sorted(owned)].std(0) < 1e-6).all()
        of_leads = [k for k, owner in enumerate(features.owners[width:]) if owner == name]
        others = [k for k in range(features.widths.lead) if k not in of_leads]
        assert torch.equal(less.lead(at)[..., others], lead[..., others])
        assert bool(of_leads) == (name == "holiday")
        if of_leads:
            assert float(less.lead(at)[..., of_leads].flatten(0, 1).std(0).max()) < 1e-6
        for k, of in enumerate(features.categorical):
            assert (len(less.codes(at)[:, k].unique()) == 1) == (of == name)


def test_an_unseen_series_takes_its_level_from_its_own_past() -> None:
    statistics = replace(fitted().statistics, level={})
    alone = PANEL.select([1])
    features = Features(alone, PLAIN, HORIZON, statistics, fit_ends=np.array([25]))
    own = alone.target[:25]
    np.testing.assert_allclose(features.level[0], [np.nanmean(own), np.nanstd(own)])
    other = changed(alone, 24, ("load",))
    assert np.array_equal(Features(other, PLAIN, HORIZON, statistics, fit_ends=np.array([25])).level, features.level)


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_statistics_and_recipes_come_back_from_json(recipe: Recipe) -> None:
    features = fitted(recipe=recipe)
    read: dict[str, Any] = json.loads(json.dumps(features.statistics.to_dict()))
    again = Features(PANEL, recipe, HORIZON, Statistics.from_dict(read))
    at = torch.arange(len(PANEL.times))
    for one, two in zip(seen(features, 20), seen(again, 20), strict=True):
        assert torch.equal(one, two)
    assert torch.equal(again.head(at), features.head(at))
    config = RecipeConfig.model_validate_json(json.dumps(recipe.to_dict()))
    assert config.fitted() == recipe


def test_a_recipe_with_unknown_or_missing_keys_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        RecipeConfig.model_validate_json(json.dumps({**asdict(PLAIN), "extra": 1}))
    with pytest.raises(ValidationError, match="lags"):
        RecipeConfig.model_validate_json(json.dumps({n: value for n, value in asdict(PLAIN).items() if n != "lags"}))


@pytest.mark.parametrize("bad", [0.0, -3.0])
def test_the_logarithm_of_what_is_not_positive_is_refused_with_its_place(bad: float) -> None:
    numeric = {name: values.copy() for name, values in PANEL.numeric.items()}
    numeric["load"][int(PANEL.offsets[1]) + 4] = bad
    with pytest.raises(DataError, match=rf'"load" holds {bad:g} at day 2023-01-06 of series "b".*positive'):
        fitted(replace(PANEL, numeric=numeric), RECIPES[2])


@pytest.mark.parametrize(
    ("start", "step", "yearly"),
    [("2023-05-30T07", np.timedelta64(1, "h"), False), ("2021-01", np.timedelta64(1, "M"), False),
     ("2022-12-29", np.timedelta64(1, "D"), True)],
)  # fmt: skip
def test_waves_are_those_of_each_rows_own_time(start: str, step: np.timedelta64, yearly: bool) -> None:
    """Looked up by phase from the first row of a series on, they are what the time stamps themselves give."""
    parts = [np.datetime64(start) + step * np.arange(k, 40 + 3 * k) for k in (0, 5)]
    times = np.concatenate(parts).astype("datetime64[us]")
    table = pa.table(
        {"id": ["a"] * len(parts[0]) + ["b"] * len(parts[1]), "t": times, "y": np.arange(len(times)) * 1.0}
    )
    panel = Panel.from_table(table, Roles("y", "t", "id"))
    rows = torch.arange(len(times))
    waves = Calendar(panel, (7, 12), yearly).waves(Axis(panel.offsets).places(rows))
    unit = np.datetime_data(step.dtype)[0]
    since = (times.astype(f"datetime64[{unit}]") - np.datetime64("1970-01-01", unit)).astype(int)
    for m, got in zip((7, 12), waves, strict=False):
        angle = 2 * np.pi * since / m
        want = np.stack([wave(k * angle) for k in (1, 2, 3) for wave in (np.sin, np.cos)], 1)
        np.testing.assert_allclose(got, want, atol=1e-4)
    assert len(waves) == 2 + yearly
    if yearly:
        day = (times - times.astype("datetime64[Y]")) / np.timedelta64(1, "D")
        np.testing.assert_allclose(waves[-1][:, 0], np.sin(2 * np.pi * day / 365.2425), atol=1e-6)


def test_a_sample_sees_every_phase_of_a_day() -> None:
    """Also where the rows are a multiple of 24 times as many as are wanted."""
    rows, series = sample([range(24_000), range(30_000, 54_000)], 2_000)
    assert 1_900 < len(rows) <= 2_000
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(series, (rows >= 30_000).astype(int))
    assert np.bincount(rows % 24).min() > 40
    few, _ = sample([range(3, 5), range(0), np.array([9, 11])], 4)
    assert few.tolist() == [3, 4, 9, 11]
    assert len(sample([], 5)[0]) == len(sample([range(0)], 5)[0]) == 0
