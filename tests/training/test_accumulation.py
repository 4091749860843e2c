"""Steps on the mean gradient of several batches."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.training.test_kept import Line, fit, kill, rows, same
from torch import Tensor, nn

from gatewise.errors import CheckpointError, TrainingError, TrainingInterrupted
from gatewise.training import TrainingOptions, TrainingResult, train
from gatewise.training.accumulation import Accumulation


class Plane:
    """Fits y = x W in batches of `rows`; without anything random. The numbers are the same however they are cut."""

    def __init__(self, rows: int, spoiled: int | None = None) -> None:
        torch.manual_seed(0)
        self.module = nn.Linear(3, 2).double()
        self.x = torch.randn(48, 3, dtype=torch.float64)
        self.y = self.x @ torch.randn(3, 2, dtype=torch.float64)
        self.rows, self.spoiled = rows, spoiled
        self.batches_per_epoch = len(self.x) // rows

    def batches(self, epoch: int) -> Iterator[int]:
        yield from range(self.batches_per_epoch)

    def loss(self, batch: int) -> Tensor:
        rows = slice(batch * self.rows, (batch + 1) * self.rows)
        loss = (self.module(self.x[rows]) - self.y[rows]).square().mean()
        if batch == self.spoiled:  # an infinite gradient of a finite loss
            loss = loss + (self.module.bias - self.module.bias.detach()).abs().sum().sqrt()
        return loss

    def validate(self) -> dict[str, float]:
        return {"mse": (self.module(self.x) - self.y).square().mean().item()}

    def describe(self, batch: int) -> str:
        return f"batch {batch}"


def trained(plane: Plane, **options: float) -> TrainingResult:
    return train(plane, TrainingOptions(max_epochs=6, learning_rate=0.05, **options), progress=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("every", [2, 3, 6])
def test_it_is_the_step_of_a_larger_batch(every: int) -> None:
    one, many = Plane(8 * every), Plane(8)
    a, b = trained(one), trained(many, accumulate=every)
    for key in ("gradient_norm", "gradient_norm_mean", "update_ratio", "learning_rate", "mse", "loss"):
        assert [row[key] for row in a.history] == pytest.approx([row[key] for row in b.history], rel=1e-9), key
    for got, want in zip(many.module.parameters(), one.module.parameters(), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12)


def test_what_is_left_of_an_epoch_is_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[Tensor] = []
    plane, step = Plane(8), torch.optim.AdamW.step

    def stepped(self: torch.optim.AdamW) -> None:
        assert plane.module.weight.grad is not None
        steps.append(plane.module.weight.grad.clone())
        step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", stepped)
    train(plane, TrainingOptions(max_epochs=2, accumulate=4, clip_norm=None, learning_rate=1e-9), progress=False)
    assert len(steps) == 4  # of six batches four and two
    whole = Plane(16)
    whole.loss(2).backward()
    torch.testing.assert_close(steps[1], whole.module.weight.grad, rtol=1e-6, atol=1e-9)


def test_a_gradient_that_is_not_finite_is_that_of_its_own_batch() -> None:
    plane = Plane(8, spoiled=1)
    before = plane.module.weight.detach().clone()
    with pytest.raises(TrainingError, match=r"step 1: the gradient of bias is not finite, in batch: batch 1\."):
        trained(plane, accumulate=4)
    assert torch.equal(plane.module.weight.detach(), before)


ACCUMULATED = TrainingOptions(max_epochs=3, learning_rate=0.02, accumulate=2, average_decay=0.9, seed=3)


@pytest.mark.parametrize("step", range(1, 10))
def test_a_run_stopped_between_the_batches_of_a_step_goes_on_to_the_same_bits(step: int, tmp_path: Path) -> None:
    whole, other = Line(), Line(seed=9)
    expected = train(whole, ACCUMULATED, progress=False)
    with pytest.raises(TrainingInterrupted):
        fit(Line(kill(signal.SIGTERM, step)), tmp_path, ACCUMULATED)
    result = fit(other, tmp_path, ACCUMULATED)
    assert other.steps == 9 - step
    assert same(other, whole)
    assert rows(result) == rows(expected)


def test_sums_of_other_parameters_are_refused() -> None:
    weight = nn.Parameter(torch.zeros(2))
    with pytest.raises(CheckpointError, match="weight has shape"):
        Accumulation({"weight": weight}, 2).restore({"weight": torch.zeros(3)}, 1)
    with pytest.raises(CheckpointError, match="other has shape"):
        Accumulation({"weight": weight}, 2).restore({"other": torch.zeros(2)}, 1)
