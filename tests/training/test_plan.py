"""A plan says what a fit would train, changes nothing, and counts what there is."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
import torch
from tests.resuming import forecast_table, sequences
from torch import Tensor, nn

from gatewise.errors import DataError
from gatewise.tasks import Classifier, Forecaster
from gatewise.training import Plan, TrainingOptions, plan_of, train


class Objective:
    batches_per_epoch = 7

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
        self.seen: list[str] = []

    def batches(self, epoch: int) -> Iterator[Tensor]:
        yield from torch.ones(self.batches_per_epoch, 4, 3)

    def loss(self, batch: Tensor) -> Tensor:
        self.seen.append("loss")
        return self.module(batch).square().mean()

    def validate(self) -> dict[str, float]:
        assert not torch.is_grad_enabled()
        self.seen.append("validate")
        return {"error": 1.0}

    def describe(self, batch: Tensor) -> str:
        return "ones"


def plan(objective: Objective, options: TrainingOptions) -> Plan:
    return plan_of(lambda journal: train(objective, options, journal=journal, progress=False))


def test_it_counts_and_trains_nothing() -> None:
    objective = Objective()
    before = {name: tensor.clone() for name, tensor in objective.module.state_dict().items()}
    state = torch.get_rng_state()
    found = plan(objective, TrainingOptions(max_epochs=9))
    assert [(layer.name, layer.kind, layer.output) for layer in found.layers] == [
        ("0", "Linear", (4, 5)),
        ("2", "Linear", (4, 2)),
    ]
    assert found.layers[0].parameters == {"weight": (5, 3), "bias": (5,)}
    assert (found.parameters, found.max_epochs, found.batches) == (32, 9, 7)
    assert found.state_bytes == 6 * 32 * 4
    assert plan(Objective(), TrainingOptions(average_decay=0.9)).state_bytes == 7 * 32 * 4
    # What tanh puts out, what came in, the second layer's weight and output: at least the activations.
    assert found.batch_bytes >= 4 * (4 * 5 + 4 * 3)
    assert objective.seen == 8 * ["loss"] + ["validate"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in objective.module.state_dict().items())
    assert all(parameter.grad is None for parameter in objective.module.parameters())
    assert torch.equal(state, torch.get_rng_state())


def test_more_steps_keep_more() -> None:
    rng = np.random.default_rng(0)
    sizes = []
    for steps in (10, 40):
        X = [rng.normal(size=(steps, 2)) for _ in range(40)]
        sizes.append(Classifier(8, threads=1).plan(X, np.arange(40) % 2).batch_bytes)
    assert 2.5 < sizes[1] / sizes[0] < 4.5


def test_estimators_plan_what_they_train() -> None:
    X, y = sequences()
    model = Classifier(5, members=1, max_epochs=1, threads=1)
    found = model.plan(X, y)
    assert not hasattr(model, "committee_")
    fitted = model.fit(X, y).committee_.members[0].network
    assert found.parameters == sum(p.numel() for p in fitted.parameters())
    assert found.parameters == sum(int(np.prod(s)) for layer in found.layers for s in layer.parameters.values())

    forecaster = Forecaster("load", 4, id="shop", future=("rain", "sky"), hidden_size=6, members=1, max_epochs=1)
    found = forecaster.plan(forecast_table())
    assert not hasattr(forecaster, "fitted_")
    names = [layer.name for layer in found.layers]
    assert names == ["embeddings.0", "lstm", "far", "near", "future", ""]
    assert found.parameters == sum(int(np.prod(s)) for layer in found.layers for s in layer.parameters.values())
    with pytest.raises(DataError):
        forecaster.plan(pa.table({"load": [1.0, 2.0]}))
