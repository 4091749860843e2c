"""Training in half precision: bf16, and fp16 with scaled losses."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from gatewise.errors import ConfigurationError, TrainingError
from gatewise.training import TrainingOptions, train


class Curve:
    """Fits a curve; keeps what products were computed in, and losses' batches."""

    batches_per_epoch = 4

    def __init__(self, factor: float = 1.0) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
        self.x = torch.randn(64, 2)
        self.y = (self.x[:, :1] * self.x[:, 1:]).sin()
        self.factor = factor
        self.seen: list[int] = []
        self.kinds: set[torch.dtype] = set()

    def batches(self, epoch: int) -> Iterator[int]:
        yield from range(4)

    def loss(self, batch: int) -> Tensor:
        self.seen.append(batch)
        rows = slice(16 * batch, 16 * batch + 16)
        output = self.module(self.x[rows])
        self.kinds.add(output.dtype)
        return (output.float() - self.y[rows]).square().mean() * self.factor

    def validate(self) -> dict[str, float]:
        output = self.module(self.x)
        self.kinds.add(output.dtype)
        return {"mse": (output - self.y).square().mean().item()}

    def describe(self, batch: int) -> str:
        return f"batch {batch}"


@pytest.mark.parametrize(("precision", "kind"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_products_are_in_it_and_weights_and_validation_are_not(precision: str, kind: torch.dtype) -> None:
    curve = Curve()
    options = TrainingOptions(max_epochs=30, learning_rate=0.02, precision=precision)
    result = train(curve, options, progress=False)
    assert curve.kinds == {kind, torch.float32}
    assert {p.dtype for p in curve.module.parameters()} == {torch.float32}
    whole = train(Curve(), TrainingOptions(max_epochs=30, learning_rate=0.02), progress=False)
    assert result.best_value == pytest.approx(whole.best_value, rel=0.2)
    assert result.history[0]["gradient_norm"] == pytest.approx(whole.history[0]["gradient_norm"], rel=0.02)


def test_a_batch_whose_gradient_overflows_is_done_again_with_half_the_scale() -> None:
    curve = Curve(factor=16.0)  # times 2^16 it is beyond fp16's 65,504
    result = train(curve, TrainingOptions(max_epochs=1, precision="fp16"), progress=False)
    assert len(curve.seen) > 4
    assert curve.seen == sorted(curve.seen)  # none is left out, and all that are done again are so at once
    assert set(curve.seen) == {0, 1, 2, 3}
    same = Curve(factor=16.0)
    whole = train(same, TrainingOptions(max_epochs=1), progress=False)
    assert result.history[0]["gradient_norm"] == pytest.approx(whole.history[0]["gradient_norm"], rel=0.02)


def test_a_gradient_that_overflows_at_any_scale_is_an_error() -> None:
    curve = Curve(factor=1e7)
    with pytest.raises(TrainingError, match=r"step 1: the gradient of .* is not finite, in batch: batch 0"):
        train(curve, TrainingOptions(max_epochs=1, precision="fp16"), progress=False)
    assert curve.seen == [0] * 17  # at 2^16, 2^15, ..., 1


def test_after_many_batches_the_scale_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewise.training import gradient

    monkeypatch.setattr(gradient, "GROWTH", 3)
    scales: list[float] = []
    curve = Curve(factor=1e-6)
    original = torch.Tensor.backward

    def backward(self: Tensor) -> None:
        scales.append(float(self.detach()))
        original(self)

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    train(curve, TrainingOptions(max_epochs=2, precision="fp16", learning_rate=1e-9), progress=False)
    first, later = scales[0], scales[4]  # the same batch, after three without an overflow
    assert later == pytest.approx(2 * first, rel=0.01)


def test_what_is_no_precision_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r'precision is "fp8", .*There is: bf16, float32, fp16'):
        TrainingOptions(precision="fp8")
    with pytest.raises(ConfigurationError, match="accumulate is 0, expected a whole number of at least 1"):
        TrainingOptions(accumulate=0)
