"""Noise on weights is there for the gradient, and gone without a trace."""

import signal

import pytest
import torch
from tests.training.test_kept import Line as Kept
from tests.training.test_kept import fit, kill, rows, same
from tests.training.test_loop import Line
from torch import nn

from gatewise.errors import TrainingError, TrainingInterrupted
from gatewise.training import TrainingOptions, train, weight_noise


def test_the_gradient_is_taken_where_the_noise_leads_and_the_weights_stay() -> None:
    weight = nn.Parameter(torch.linspace(-1, 1, 1000, dtype=torch.float64))
    before = weight.detach().clone()
    with weight_noise([weight], 0.1, torch.Generator().manual_seed(0)):
        noisy = weight.detach().clone()
        weight.square().sum().backward()
    assert torch.equal(weight.detach(), before)
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, 2 * noisy)
    noise = noisy - before
    assert 0.09 < noise.std() < 0.11
    assert abs(noise.mean()) < 0.02


def test_the_seed_draws_it() -> None:
    weight = nn.Parameter(torch.zeros(5))

    def drawn(seed: int) -> torch.Tensor:
        with weight_noise([weight], 1.0, torch.Generator().manual_seed(seed)):
            return weight.detach().clone()

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_weights_are_restored_whatever_is_raised() -> None:
    weight = nn.Parameter(torch.full((3,), 1e-8))
    with pytest.raises(KeyboardInterrupt), weight_noise([weight], 1e8):
        raise KeyboardInterrupt
    assert torch.equal(weight.detach(), torch.full((3,), 1e-8))


def test_none_draws_nothing() -> None:
    weight = nn.Parameter(torch.zeros(3))
    state = torch.get_rng_state()
    with weight_noise([weight], 0):
        assert not weight.detach().any()
    assert torch.equal(torch.get_rng_state(), state)


def test_training_under_noise_learns_and_goes_on_bit_for_bit(tmp_path) -> None:
    options = TrainingOptions(max_epochs=3, learning_rate=0.02, weight_noise=0.05)
    whole, plain, again = Kept(), Kept(), Kept()
    result = train(whole, options, progress=False)
    train(plain, TrainingOptions(max_epochs=3, learning_rate=0.02), progress=False)
    assert not same(whole, plain)
    assert whole.found[-1] < whole.found[0]
    with pytest.raises(TrainingInterrupted):
        fit(Kept(kill(signal.SIGTERM, 5)), tmp_path, options)
    assert rows(fit(again, tmp_path, options)) == rows(result)
    assert same(again, whole)


def test_a_loss_that_is_not_finite_leaves_the_weights_without_noise() -> None:
    line = Line(on_step=lambda step, loss: loss * float("nan"))
    before = [p.detach().clone() for p in line.module.parameters()]
    with pytest.raises(TrainingError, match="step 1: the loss is nan"):
        train(line, TrainingOptions(max_epochs=1, weight_noise=0.5), progress=False)
    assert all(torch.equal(p, b) for p, b in zip(line.module.parameters(), before, strict=True))
