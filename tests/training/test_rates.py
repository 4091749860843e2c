"""The range test finds a rate that learns, says where training diverges, and leaves everything as it was."""

from collections.abc import Iterator

import pytest
import torch
from tests.resuming import sequences
from torch import Tensor, nn

from gatewise.errors import TrainingError
from gatewise.tasks import Classifier
from gatewise.training import TrainingOptions, range_test, rates_of, train
from gatewise.training.rates import HIGHEST, LOWEST, STEPS


class Line:
    """Learns the sum of two numbers: the rate decides how fast, and from which on it does not."""

    batches_per_epoch = 3

    def __init__(self, target: float = 1.0) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))
        self.target = target

    def batches(self, epoch: int) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(epoch)
        for _ in range(self.batches_per_epoch):
            yield torch.randn(16, 2, generator=generator)

    def loss(self, batch: Tensor) -> Tensor:
        return (self.module(batch)[:, 0] - self.target * batch.sum(1)).square().mean()

    def validate(self) -> dict[str, float]:
        return {}

    def describe(self, batch: Tensor) -> str:
        return "normal numbers"


OPTIONS = TrainingOptions(max_epochs=10, seed=3)


def test_the_suggested_rate_learns_and_a_hundredth_of_it_hardly_does() -> None:
    found = range_test(Line(), OPTIONS)
    assert 1e-3 < found.suggested < 0.5
    losses = {}
    for factor in (0.01, 1):
        options = TrainingOptions(max_epochs=10, seed=3, learning_rate=factor * found.suggested)
        losses[factor] = train(Line(), options, progress=False).history[-1]["loss"]
    assert losses[1] < 0.2 * losses[0.01]


def test_it_leaves_weights_modes_gradients_and_random_states_as_they_were() -> None:
    line = Line()
    line.module.eval()
    before = {name: tensor.clone() for name, tensor in line.module.state_dict().items()}
    torch.manual_seed(7)
    random = torch.get_rng_state()
    first = range_test(line, OPTIONS)
    assert all(torch.equal(before[name], tensor) for name, tensor in line.module.state_dict().items())
    assert all(p.grad is None for p in line.module.parameters())
    assert not line.module.training
    assert torch.equal(torch.get_rng_state(), random)
    torch.manual_seed(8)
    assert range_test(line, OPTIONS) == first


def test_rates_grow_evenly_and_the_test_ends_where_training_diverges() -> None:
    found = range_test(Line(), OPTIONS)
    assert found.rates[0] == LOWEST
    ratios = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert ratios == pytest.approx([(HIGHEST / LOWEST) ** (1 / (STEPS - 1))] * len(ratios))
    assert len(found.rates) == len(found.losses) == len(found.averages)
    assert found.diverged == (len(found.rates) < STEPS)

    class Blast(Line):
        first: Tensor

        def loss(self, batch: Tensor) -> Tensor:
            weight = next(self.module.parameters())
            return super().loss(batch) * (1 if (weight - self.first).abs().max() < 1e-2 else float("inf"))

    blast = Blast()
    blast.first = next(blast.module.parameters()).detach().clone()
    found = range_test(blast, OPTIONS)
    assert found.diverged
    assert max(found.rates) < 1e-2
    assert all(torch.tensor(found.losses).isfinite())


def test_what_cannot_be_tested_is_said() -> None:
    with pytest.raises(TrainingError, match="not finite after 0 steps"):
        range_test(Line(float("nan")), OPTIONS)
    nothing = Line()
    nothing.batches_per_epoch = 0
    with pytest.raises(TrainingError, match="no batch"):
        range_test(nothing, OPTIONS)


def test_the_first_run_of_a_fit_is_tested() -> None:
    X, y = sequences()
    model = Classifier(4, max_epochs=2, threads=1)
    found = model.learning_rates(X, y)
    assert found == model.learning_rates(X, y)
    assert not hasattr(model, "committee_")
    assert rates_of(lambda journal: train(Line(), OPTIONS, journal=journal)) == range_test(Line(), OPTIONS)
