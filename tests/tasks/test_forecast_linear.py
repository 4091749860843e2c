"""The linear part equals scikit-learn's ridge regression on the explicit design matrix of each lead."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.linear_model import Ridge

from gatewise.data.panel import Panel, Roles
from gatewise.tasks.forecasting import linear
from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.linear import Linear, Moments
from gatewise.tasks.forecasting.recipe import Recipe, Season

HORIZON = 4
RECIPE = Recipe(
    log=False, seasons=(Season(5, 1.0),), periods=(5,), calendar=(), lags=6, penalty=0.1, covariates=("flat",)
)


@pytest.fixture(scope="module")
def features() -> Features:
    """Two series of 90 and 60 steps with missing targets, and a covariate that never moves."""
    rng = np.random.default_rng(1)
    tables = []
    for name, length in (("a", 90), ("b", 60)):
        value = np.cumsum(rng.normal(0, 1, length)) + 5 * np.sin(2 * np.pi * np.arange(length) / 5)
        value[rng.choice(length - 1, 7, replace=False)] = np.nan
        tables.append(
            pa.table({"id": [name] * length, "value": pa.array(value, from_pandas=True), "flat": [3.0] * length})
        )
    return Features(
        Panel.from_table(pa.concat_tables(tables), Roles("value", id="id", past=("flat",))), RECIPE, HORIZON
    )


def design(features: Features, ends: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each lead's features `[O, F]` and truths `[O]`, those that are known."""
    origins = features.origins()
    rows = torch.from_numpy(np.concatenate(origins))
    last = torch.from_numpy(np.repeat(ends, [len(o) for o in origins]))
    truth, known = features.truth(rows, last)
    head, lead = features.head(rows).double(), features.lead(rows).double()
    found = []
    for k in range(HORIZON):
        here = known[:, k]
        x = torch.cat([head, lead[:, k]], -1)[here]
        found.append((x.numpy(), truth[here, k].double().numpy()))
    return found


@pytest.mark.parametrize("penalty", [1e-4, 0.1, 3.0])
def test_weights_are_those_of_scikit_learn(features: Features, penalty: float) -> None:
    ends = features.known_ends - 5
    weight, bias = Moments.of(features, features.origins(), ends).regress(penalty)
    moved = 0
    for k, (x, y) in enumerate(design(features, ends)):
        scale = x.std(0)
        still = scale < 1e-6
        scale = np.where(still, 1.0, scale)
        # The penalty counts for each origin on features of unit variance.
        ridge = Ridge(alpha=penalty * len(x)).fit((x - x.mean(0)) / scale, y)
        np.testing.assert_allclose(weight[k], np.where(still, 0.0, ridge.coef_ / scale), atol=1e-8)
        assert bias[k].item() == pytest.approx(y.mean() - float((weight[k].numpy() * x.mean(0)).sum()), abs=1e-9)
        assert still.sum() >= 2
        moved += int((~still).sum())
    assert moved >= HORIZON * 8


def test_forecasts_and_errors_are_those_of_the_weights(features: Features) -> None:
    moments = Moments.of(features, features.origins(), features.known_ends)
    part = Linear.fit(moments, 0.01)
    error = moments.error(part.weight.double(), part.bias.double())
    rows = torch.from_numpy(np.concatenate(features.origins()))
    last = torch.from_numpy(np.repeat(features.known_ends, [len(o) for o in features.origins()]))
    _, known = features.truth(rows, last)
    forecast = part(features.head(rows), features.lead(rows))
    for k, (x, y) in enumerate(design(features, features.known_ends)):
        by_hand = x @ part.weight[k].double().numpy() + part.bias[k].item()
        np.testing.assert_allclose(forecast[known[:, k], k], by_hand, atol=1e-5)
        assert error[k].item() == pytest.approx(float(np.mean((y - by_hand) ** 2)), rel=1e-8)
        assert error[k].item() < 0.9 * float(np.var(y))
        assert moments.count[k] == len(y)


def test_any_other_weights_have_their_own_error(features: Features) -> None:
    moments = Moments.of(features, features.origins(), features.known_ends)
    weight = torch.randn(
        HORIZON, features.widths.head + features.widths.lead, generator=torch.Generator().manual_seed(0)
    )
    bias = torch.arange(1.0, HORIZON + 1)
    error = moments.error(weight.double(), bias.double())
    for k, (x, y) in enumerate(design(features, features.known_ends)):
        want = np.mean((y - x @ weight[k].double().numpy() - bias[k].item()) ** 2)
        assert error[k].item() == pytest.approx(float(want), rel=1e-8)


def test_truths_of_missing_targets_do_not_matter(features: Features) -> None:
    other = Features(features.panel, RECIPE, HORIZON, features.statistics)
    missing = torch.from_numpy(np.isnan(features.panel.target))
    origins = [np.array([o for o in of if not missing[max(o - 12, 0) : o + 1].any()]) for of in features.origins()]
    # Lead features reach a season back, so only the truth of these origins can touch the altered values.
    other._target.z[missing] = 1e6
    one = Moments.of(features, origins, features.known_ends)
    two = Moments.of(other, origins, features.known_ends)
    assert sum(len(o) for o in origins) > 20
    for name in ("count", "x", "xx", "xy", "y", "yy"):
        torch.testing.assert_close(getattr(two, name), getattr(one, name), rtol=0, atol=0)


def test_chunks_add_up(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Moments.of(features, features.origins(), features.known_ends)
    monkeypatch.setattr(linear, "CHUNK", 1)  # 64 origins at a time is the least
    parts = Moments.of(features, features.origins(), features.known_ends)
    for name in ("count", "x", "xx", "xy", "y", "yy"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=1e-12, atol=1e-9)


def test_many_origins_are_thinned_evenly(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "MOST_ORIGINS", 40)
    thinned = Moments.of(features, features.origins(), features.known_ends)
    assert 35 <= int(thinned.count.max()) <= 40


def test_without_a_single_known_truth_the_forecast_is_the_reference(features: Features) -> None:
    nothing = Moments.of(features, [np.zeros(0, np.int64)] * 2, features.known_ends)
    weight, bias = nothing.regress(0.1)
    assert not weight.any()
    assert not bias.any()


def test_the_season_is_learned_from_lead_features() -> None:
    """A pattern that repeats with a growing swing is foreseen by a linear part whose reference is the newest value."""
    steps = np.arange(120)
    values = (1 + steps / 60) * np.sin(2 * np.pi * steps / 6)
    panel = Panel.from_table(pa.table({"value": values}), Roles("value"))
    features = Features(panel, replace(RECIPE, seasons=(), periods=(6,), covariates=()), 6)
    origins = features.origins()
    moments = Moments.of(features, origins, features.known_ends)
    part = Linear.fit(moments, 1e-6)
    assert float(moments.error(part.weight.double(), part.bias.double()).max()) < 1e-3
    assert (
        float((moments.yy / moments.count)[:5].min()) > 0.9
    )  # the sixth lead is the newest value again, but for growth
