"""Scores equal those of scikit-learn or a calculation by hand; the naive forecast repeats what was."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from gatewise.tasks.forecasting.scores import Scores, baseline_name, naive

RNG = np.random.default_rng(2)
TRUTH = RNG.uniform(10, 20, (30, 4))
FORECAST = TRUTH + RNG.normal(0, 2, TRUTH.shape)
LEVELS = (0.1, 0.5, 0.9)
QUANTILES = np.stack([FORECAST - 2.0, FORECAST + 0.5, FORECAST + 3.0], -1)


def test_errors_of_the_mean_are_those_of_scikit_learn() -> None:
    scores = Scores.of(TRUTH, FORECAST)
    flat = TRUTH.ravel(), FORECAST.ravel()
    assert scores.mae == pytest.approx(metrics.mean_absolute_error(*flat))
    assert scores.rmse == pytest.approx(metrics.root_mean_squared_error(*flat))
    assert scores.mape == pytest.approx(100 * metrics.mean_absolute_percentage_error(*flat))
    by_lead = [metrics.root_mean_squared_error(TRUTH[:, k], FORECAST[:, k]) for k in range(4)]
    assert scores.rmse_by_lead == pytest.approx(by_lead)
    assert (scores.mase, scores.pinball, scores.coverage) == (None, None, None)


def test_absolute_errors_are_of_the_median_and_squared_ones_of_the_mean() -> None:
    scores = Scores.of(TRUTH, FORECAST, QUANTILES, LEVELS)
    median = QUANTILES[..., 1].ravel()
    assert scores.mae == pytest.approx(metrics.mean_absolute_error(TRUTH.ravel(), median))
    assert scores.mape == pytest.approx(100 * metrics.mean_absolute_percentage_error(TRUTH.ravel(), median))
    assert scores.rmse == pytest.approx(metrics.root_mean_squared_error(TRUTH.ravel(), FORECAST.ravel()))
    without = Scores.of(TRUTH, FORECAST, QUANTILES[..., [0, 2]], (0.1, 0.9))
    assert without.mae == pytest.approx(metrics.mean_absolute_error(TRUTH.ravel(), FORECAST.ravel()))


def test_pinball_loss_and_coverage() -> None:
    scores = Scores.of(TRUTH, FORECAST, QUANTILES, LEVELS)
    losses = [
        metrics.mean_pinball_loss(TRUTH.ravel(), QUANTILES[..., k].ravel(), alpha=q) for k, q in enumerate(LEVELS)
    ]
    assert scores.pinball == pytest.approx(np.mean(losses))
    inside = (QUANTILES[..., 0] <= TRUTH) & (QUANTILES[..., 2] >= TRUTH)
    assert scores.coverage == pytest.approx(inside.mean())
    assert 0 < inside.mean() < 1
    assert Scores.of(TRUTH, FORECAST, QUANTILES[..., :1], (0.1,)).coverage is None


def test_scaled_error_is_over_the_naive_error() -> None:
    scores = Scores.of(np.array([[3.0, 5.0]]), np.array([[4.0, 8.0]]), naive_error=4.0)
    assert scores.mae == 2.0
    assert scores.mase == 0.5
    assert Scores.of(TRUTH, FORECAST, naive_error=0.0).mase is None


def test_unknown_truths_do_not_count() -> None:
    truth, forecast, quantiles = TRUTH.copy(), FORECAST.copy(), QUANTILES.copy()
    truth[3, 1] = truth[5, 0] = np.nan
    truth[:, 3] = np.nan
    forecast[3, 1], quantiles[3, 1] = 1e9, 1e9
    scores = Scores.of(truth, forecast, quantiles, LEVELS)
    known = ~np.isnan(truth)
    assert scores.rmse == pytest.approx(metrics.root_mean_squared_error(TRUTH[known], FORECAST[known]))
    assert scores.mae == pytest.approx(metrics.mean_absolute_error(TRUTH[known], QUANTILES[known][:, 1]))
    assert scores.rmse_by_lead[3] is None
    assert scores.rmse_by_lead[0] is not None
    assert scores.coverage is not None
    assert scores.coverage <= 1


def test_percentages_of_zero_are_undefined() -> None:
    truth = TRUTH.copy()
    truth[0, 0] = 0.0
    scores = Scores.of(truth, FORECAST)
    assert scores.mape is None
    assert "mape" not in scores.to_dict()
    values: dict[str, Any] = Scores.of(TRUTH, FORECAST).to_dict()
    assert set(values) == {"mae", "rmse", "mape", "rmse_by_lead"}
    assert values["rmse_by_lead"] == pytest.approx(list(Scores.of(TRUTH, FORECAST).rmse_by_lead))


@pytest.mark.parametrize(
    ("season", "horizon", "want"),
    [
        (0, 3, [[6, 6, 6], [13, 13, 13]]),
        (1, 3, [[6, 6, 6], [13, 13, 13]]),
        (2, 5, [[5, 6, 5, 6, 5], [12, 13, 12, 13, 12]]),  # shorter than the horizon: it goes round
        (4, 2, [[3, 4], [10, 11]]),  # longer: its beginning
    ],
)
def test_naive_forecasts_by_hand(season: int, horizon: int, want: list[list[float]]) -> None:
    values = np.array([1, 2, 3, 4, 5, 6, 99, 8, 9, 10, 11, 12, 13, 99], float)
    origins, starts = np.array([5, 12]), np.array([0, 7])
    np.testing.assert_array_equal(naive(values, origins, starts, horizon, season), want)


def test_a_series_shorter_than_its_season_is_carried_on() -> None:
    values = np.array([50.0, 60.0, 1.0, 2.0, 3.0])
    found = naive(values, np.array([4]), np.array([2]), 5, 4)
    # The first value a season before lies in another series; from the second lead on there is one.
    np.testing.assert_array_equal(found, [[3.0, 1.0, 2.0, 3.0, 3.0]])


def test_baselines_are_named() -> None:
    assert baseline_name(12, "month") == "seasonal naive (12 steps, each a month)"
    assert baseline_name(0, "hour") == "persistence (the newest value)"
