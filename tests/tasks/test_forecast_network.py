"""The network's corrections, however they are batched, and the loss it is trained with."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor

from gatewise.data.panel import Panel, Roles
from gatewise.errors import TrainingError
from gatewise.tasks.forecasting import objective as objective_module
from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.linear import Linear, Moments
from gatewise.tasks.forecasting.network import ForecastNetwork
from gatewise.tasks.forecasting.objective import PINBALL, ForecastObjective, Scales, Stretch, corrections, lead_error
from gatewise.tasks.forecasting.recipe import Recipe
from gatewise.training import TrainingOptions, train

HORIZON, LEVELS = 3, (0.1, 0.9)
LENGTHS = (70, 25, 50, 33)
ROLES = Roles("value", id="id", past=("kind",), future=("plan",))
RECIPE = Recipe(log=False, seasons=(), periods=(6,), calendar=(6,), lags=4, penalty=0.1, covariates=("kind", "plan"))


def make_panel() -> Panel:
    rng = np.random.default_rng(4)
    tables = []
    for i, length in enumerate(LENGTHS):
        value = np.cumsum(rng.normal(0, 1, length))
        value[rng.choice(np.arange(1, length - 1), 3, replace=False)] = np.nan
        tables.append(
            pa.table(
                {
                    "id": [f"s{i}"] * length,
                    "value": pa.array(value, from_pandas=True),
                    "kind": rng.choice(["x", "y"], length),
                    "plan": rng.normal(0, 1, length),
                }
            )
        )
    return Panel.from_table(pa.concat_tables(tables), ROLES)


@pytest.fixture(scope="module")
def features() -> Features:
    return Features(make_panel(), RECIPE, HORIZON)


def make_network(features: Features, *, fading: bool = True, random: bool = True) -> ForecastNetwork:
    torch.manual_seed(0)
    network = ForecastNetwork(
        features.widths.row, features.widths.head, features.widths.of_future, features.categories,
        HORIZON, len(LEVELS), fading, hidden_size=5, num_layers=1, dropout=0.0,
    )  # fmt: skip
    if random:
        for parameter in (network.near_output, network.far_output, network.output_bias):
            torch.nn.init.normal_(parameter)
    return network.eval()


def make_objective(features: Features, network: ForecastNetwork) -> ForecastObjective:
    origins = features.origins()
    linear = Linear.fit(Moments.of(features, origins, features.known_ends), 0.1)
    scales = Scales(torch.tensor([0.5, 1.0, 2.0]), torch.tensor([[-0.4, 0.4]] * HORIZON))
    return ForecastObjective(features, linear, network, scales, origins, features.known_ends, LEVELS, seed=3)


def one_by_one(network: ForecastNetwork, features: Features, origins: Sequence[int], context: int | None) -> Tensor:
    """Each origin's correction from its own reading of the series up to it."""
    found = []
    firsts: dict[int, int] = {}
    for origin in origins:
        start = int(features.starts[np.searchsorted(features.starts, origin, side="right") - 1])
        firsts.setdefault(start, start if context is None else max(start, origin - context))
        rows = torch.arange(firsts[start], origin + 1)[:, None]
        with torch.no_grad():
            states, _ = network.read(features.rows(rows), features.codes(rows))
            at = torch.tensor([origin])
            future = features.lead(at)[..., len(RECIPE.periods) :]
            found.append(network.correct(states[-1], features.head(at), features.codes(at), future))
    return torch.cat(found)


@pytest.mark.parametrize("context", [None, 7])
@pytest.mark.parametrize(("series_at_once", "rows_at_once"), [(64, 512), (1, 4), (3, 5), (2, 1)])
def test_corrections_do_not_depend_on_groups_and_chunks(
    features: Features, monkeypatch: pytest.MonkeyPatch, context: int | None, series_at_once: int, rows_at_once: int
) -> None:
    monkeypatch.setattr(objective_module, "SERIES_AT_ONCE", series_at_once)
    monkeypatch.setattr(objective_module, "ROWS_AT_ONCE", rows_at_once)
    network = make_network(features)
    a, b, _, d = features.starts
    origins = [a + 3, a + 4, a + 40, a + 41, a + 69, b, b + 24, d + 10, d + 11, d + 30]  # none in the third series
    got = corrections(network, features, torch.tensor(origins), context)
    want = one_by_one(network, features, origins, context)
    assert got.shape == (len(origins), HORIZON, 1 + len(LEVELS))
    torch.testing.assert_close(got, want, rtol=0, atol=2e-6)
    assert float(want.std(0).min()) > 1e-2


@pytest.mark.parametrize("fading", [True, False])
def test_an_untrained_network_corrects_nothing(features: Features, fading: bool) -> None:
    network = make_network(features, fading=fading, random=False)
    assert not corrections(network, features, torch.tensor([5, 50])).any()


def test_the_newest_values_count_less_for_far_leads(features: Features) -> None:
    at = torch.tensor([40])
    far = features.lead(at)[..., len(RECIPE.periods) :]
    effects = {}
    for fading in (True, False):
        network = make_network(features, fading=fading)
        with torch.no_grad():
            network.near_output.copy_(network.near_output[:1].expand_as(network.near_output))
            states = torch.zeros(1, 5)
            head = features.head(at)
            other = head.clone()
            other[:, : RECIPE.lags] += 1.0
            before = network.correct(states, head, features.codes(at), far)
            effects[fading] = (network.correct(states, other, features.codes(at), far) - before)[0]
    torch.testing.assert_close(effects[False], effects[False][:1].expand(HORIZON, -1))
    leads = torch.arange(1, HORIZON + 1)[:, None]
    torch.testing.assert_close(effects[True], effects[False] / leads)
    assert effects[False].abs().min() > 1e-3


def by_hand(objective: ForecastObjective, batch: Stretch) -> float:
    """The loss, lead by lead and origin by origin."""
    features, network = objective.features, objective.module
    with torch.no_grad():
        states, _ = network.read(features.rows(batch.origins), features.codes(batch.origins))
        total = weights = 0.0
        for t in range(objective._warm_up, len(batch.origins)):
            for b in range(batch.origins.shape[1]):
                if not batch.counts[t, b]:
                    continue
                at = batch.origins[t, b : b + 1]
                lead = features.lead(at)
                linear = objective.linear(features.head(at), lead)[0]
                correction = network.correct(
                    states[t, b : b + 1], features.head(at), features.codes(at), lead[..., len(RECIPE.periods) :]
                )[0]
                truth, known = features.truth(at, batch.ends[b : b + 1])
                for k in range(HORIZON):
                    if not known[0, k]:
                        continue
                    miss = float((truth[0, k] - linear[k]) / objective.scales.change[k] - correction[k, 0])
                    over = [miss - float(objective.scales.quantiles[k, q] + correction[k, 1 + q]) for q in range(2)]
                    pinball = [max(level * o, (level - 1) * o) for level, o in zip(LEVELS, over, strict=True)]
                    weight = (1 / (k + 1)) / ((1 + 1 / 2 + 1 / 3) / 3)  # near leads weigh more
                    total += weight * (miss**2 + PINBALL * sum(pinball) / len(pinball))
                    weights += weight
    return total / weights


def test_the_loss_equals_a_calculation_by_hand(features: Features) -> None:
    objective = make_objective(features, make_network(features))
    batch = next(iter(objective.batches(1)))
    batch = Stretch(batch.origins[:, :5], batch.counts[:, :5], batch.ends[:5])
    assert 20 < int(batch.counts.sum()) < batch.counts[objective._warm_up :].numel()
    assert objective.loss(batch).item() == pytest.approx(by_hand(objective, batch), rel=1e-4)


def test_what_is_unknown_or_does_not_count_has_no_part_in_the_loss(features: Features) -> None:
    objective = make_objective(features, make_network(features))
    batch = next(iter(objective.batches(2)))
    loss = objective.loss(batch).item()
    # What is not known of the truth becomes absurd.
    truth = features.truth

    class Absurd(Features):
        def truth(self, origins: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
            values, known = truth(origins, ends)
            return torch.where(known, values, 1e6), known

    other = Features.__new__(Absurd)
    other.__dict__.update(features.__dict__)
    objective.features = other
    _, known = other.truth(batch.origins, batch.ends.expand(batch.origins.shape))
    assert (~known).any()
    assert objective.loss(batch).item() == loss
    later = Stretch(batch.origins, batch.counts.clone(), batch.ends)
    later.counts[: objective._warm_up + 5] = False
    assert objective.loss(later).item() != loss


def test_gradients_are_finite_and_reach_every_parameter(features: Features) -> None:
    network = make_network(features).train()
    objective = make_objective(features, network)
    objective.loss(next(iter(objective.batches(1)))).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_quantiles_leave_the_mean_alone(features: Features) -> None:
    network = make_network(features)
    objective = make_objective(features, network)
    batch = next(iter(objective.batches(1)))
    objective.loss(batch).backward()
    gradient = network.output_bias.grad
    assert gradient is not None
    network.zero_grad()  # to None: the next backward makes a tensor of its own
    objective.scales = replace(objective.scales, quantiles=objective.scales.quantiles + 5.0)
    objective.loss(batch).backward()
    again = network.output_bias.grad
    assert again is not None
    assert torch.equal(again[:, 0], gradient[:, 0])
    assert not torch.equal(again[:, 1:], gradient[:, 1:])


def test_stretches_stay_in_their_series_and_reach_every_origin(features: Features) -> None:
    objective = make_objective(features, make_network(features))
    met: set[int] = set()
    for epoch in range(1, 30):
        for batch in objective.batches(epoch):
            series = np.searchsorted(features.panel.offsets, batch.origins.numpy(), side="right") - 1
            assert (series == series[0]).all()
            np.testing.assert_array_equal(batch.ends, features.known_ends[series[0]])
            assert not batch.counts[: objective._warm_up].any()
            assert batch.counts.any(0).all()
            counted = batch.origins[batch.counts]
            met.update(counted.tolist())
            steps = torch.diff(batch.origins, dim=0)
            assert set(steps.unique().tolist()) <= {0, 1}
            for column, counts in zip(batch.origins.T, batch.counts.T, strict=True):
                assert len(column[counts].unique()) == int(counts.sum())  # repeated border rows do not count
    assert met == set(np.concatenate(features.origins()).tolist())


def test_the_order_of_stretches_follows_from_seed_and_epoch(features: Features) -> None:
    one, two = (make_objective(features, make_network(features)) for _ in range(2))
    first = [batch.origins for batch in one.batches(1)]
    assert all(torch.equal(a, b.origins) for a, b in zip(first, two.batches(1), strict=True))
    assert not torch.equal(first[0], next(iter(two.batches(2))).origins)
    two.seed = 4
    assert not torch.equal(first[0], next(iter(two.batches(1))).origins)


def test_errors_of_leads_are_averaged_over_what_is_known() -> None:
    miss = torch.tensor([[3.0, 1.0, 9.0], [4.0, 50.0, 9.0]])
    known = torch.tensor([[True, True, False], [True, False, False]])
    assert lead_error(miss, known) == pytest.approx((12.5**0.5 + 1.0) / 2)
    assert lead_error(miss, torch.zeros_like(known)) == 0.0


def test_a_batch_is_described_by_series_and_time(features: Features) -> None:
    objective = make_objective(features, make_network(features))
    rows = torch.arange(72, 80)[:, None].expand(-1, 5)
    text = objective.describe(Stretch(rows, torch.ones(rows.shape, dtype=torch.bool), torch.full((5,), 95)))
    assert text == "s1: 2 to 9; s1: 2 to 9; s1: 2 to 9 and 2 more stretches"


def test_a_series_that_is_not_finite_is_named_with_its_time() -> None:
    features = Features(make_panel(), RECIPE, HORIZON)
    objective = make_objective(features, make_network(features))
    features._target.z[70 + 20] = torch.inf  # row 20 of series s1, past all checks of what is read
    with pytest.raises(TrainingError, match=r"nan, in batch: (s1: \d+ to \d+(; )?)+\. What layer .lstm. \(LSTM\)"):
        train(objective, TrainingOptions(max_epochs=20), progress=False)
