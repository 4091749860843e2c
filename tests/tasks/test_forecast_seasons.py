"""Smoothed seasons: found where there are any, with shares and damping that suit them."""

import numpy as np
import pyarrow as pa
import pytest

from gatewise.data.panel import Panel, Roles
from gatewise.tasks.forecasting.recipe import Season
from gatewise.tasks.forecasting.seasons import candidates
from gatewise.tasks.forecasting.selection import Split, choose_recipe
from gatewise.tasks.forecasting.smoothing import damping, smooth


def panel_of(values: np.ndarray) -> Panel:
    return Panel.from_table(pa.table({"value": values}), Roles("value"))


def offered(panel: Panel, horizon: int, periods: tuple[int, ...]) -> list[tuple[tuple[Season, ...], float]]:
    split = Split.of(panel, horizon, None)
    return candidates(panel, False, *split.later_half(panel), split.train, horizon, periods)


def seasonal(noise: float, level: float, weeks: int = 40) -> np.ndarray:
    """A day of 6 steps within a week of 42, both fixed, under noise and a level that wanders."""
    rng = np.random.default_rng(0)
    day, week = rng.normal(size=6), rng.normal(size=42)
    count = 42 * weeks
    steps = np.arange(count)
    return (
        20
        + day[steps % 6]
        + week[steps % 42]
        + noise * rng.normal(size=count)
        + level * rng.normal(size=count).cumsum()
    )


@pytest.mark.parametrize("length", [1, 5, 7, 20])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_smoothing_of_short_series_and_into_given_arrays(length: int, share: float) -> None:
    values = np.random.default_rng(0).normal(size=length).astype(np.float32)
    course, deviation = smooth(values.copy(), 7, share)
    assert not deviation[:7].any()
    np.testing.assert_array_equal(course[:7], values[:7])
    for t in range(7, length):
        assert deviation[t] == pytest.approx(values[t] - course[t - 7], abs=1e-6)
        assert course[t] == pytest.approx(course[t - 7] + share * deviation[t], abs=1e-6)
    if share < 1:
        own, into = values.copy(), np.empty_like(values)
        smooth(own, 7, share, course=into, deviation=own)
        np.testing.assert_array_equal(into, course)
        np.testing.assert_array_equal(own, deviation)


def test_a_deviation_fades_to_a_third_in_its_cycles() -> None:
    assert damping(0.0, 24) == 0.0
    assert damping(np.inf, 24) == 1.0
    assert damping(0.5, 24) ** 12 == pytest.approx(np.exp(-1))


def test_noise_asks_for_much_smoothing() -> None:
    """Under noise alone the average of many weeks is best, and what is new counts for little."""
    seasons, fading = offered(panel_of(seasonal(noise=0.5, level=0.0)), 6, (6, 42))[-1]
    assert seasons[0] == Season(42, 0.2)
    assert fading < 0.5


def test_a_level_that_wanders_is_followed() -> None:
    seasons, fading = offered(panel_of(seasonal(noise=0.0, level=0.3)), 6, (6, 42))[-1]
    assert seasons[0].period == 42
    assert fading > 0.8


def test_what_is_on_offer() -> None:
    panel = panel_of(seasonal(noise=0.3, level=0.1))
    found = offered(panel, 6, (6, 42))
    assert found[:3] == [((), 0.0), ((Season(6, 1.0),), 0.0), ((Season(42, 1.0),), 0.0)]
    assert len(found) == 4
    assert offered(panel, 6, ()) == [((), 0.0)]
    again = offered(panel, 6, (6, 42))
    assert again == found


def test_three_seasons_are_tried_in_turn() -> None:
    """Of three periods the longest is settled first: 4 + 16 + 16 trials of shares, not 64."""
    found = offered(panel_of(seasonal(noise=0.3, level=0.1, weeks=20)), 6, (3, 6, 42))
    assert len(found) == 5
    assert [season.period for season in found[-1][0]] in ([3], [6], [42], [42, 6, 3])


def test_smoothed_seasons_win_where_the_last_one_was_noisy() -> None:
    panel = panel_of(seasonal(noise=0.5, level=0.05))
    recipe, notes = choose_recipe(panel, Split.of(panel, 6, None), (6, 42))
    assert [season.period for season in recipe.seasons] in ([42], [42, 6])
    assert recipe.seasons[0].share < 1
    assert "from the seasons of 42 steps" in notes[0]


def test_nothing_after_the_known_rows_is_looked_at() -> None:
    values = seasonal(noise=0.3, level=0.1)
    values[-42:] = np.nan
    panel = panel_of(values)
    origins, ends = Split.of(panel, 6, None).later_half(panel)
    assert origins.min() == (len(values) - 42) // 2
    assert origins.max() + 6 < len(values) - 42
    assert set(ends.tolist()) == {len(values) - 42}
