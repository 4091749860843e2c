"""The loop learns, stops for the stated reasons, keeps the best weights, and never takes a bad step."""

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from gatewise.errors import TrainingError
from gatewise.training import Interrupt, Journal, TrainingOptions, train
from gatewise.training.position import OF_EVERY_EPOCH


class Line:
    """Fits y = 2 x - 1; `values` replaces the validation metric, `on_step` watches or disturbs each loss."""

    batches_per_epoch = 4

    def __init__(
        self,
        values: list[float] | None = None,
        on_step: Callable[[int, Tensor], Tensor] | None = None,
        dropout: float = 0.0,
    ) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1))
        self.values = values
        self.on_step = on_step
        self.steps = 0
        self.validated: list[dict[str, Tensor]] = []

    def batches(self, epoch: int) -> Iterator[tuple[int, Tensor]]:
        generator = torch.Generator().manual_seed(epoch)
        for number in range(self.batches_per_epoch):
            yield number, torch.rand(16, 1, generator=generator)

    def loss(self, batch: tuple[int, Tensor]) -> Tensor:
        x = batch[1]
        loss = (self.module(x) - (2 * x - 1)).square().mean()
        self.steps += 1
        return loss if self.on_step is None else self.on_step(self.steps, loss)

    def validate(self) -> dict[str, float]:
        assert not self.module.training
        assert not torch.is_grad_enabled()
        self.validated.append({name: t.clone() for name, t in self.module.state_dict().items()})
        x = torch.linspace(0, 1, 32)[:, None]
        mse = (self.module(x) - (2 * x - 1)).square().mean().item()
        if self.values is not None:
            return {"made_up": self.values[len(self.validated) - 1], "mse": mse}
        return {"mse": mse}

    def describe(self, batch: tuple[int, Tensor]) -> str:
        return f"line batch {batch[0]}"


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_it_learns() -> None:
    line = Line()
    options = TrainingOptions(max_epochs=60, learning_rate=0.02, weight_decay=1e-3, warmup=0.1)
    result = train(line, options, progress=False)
    assert result.stopped == "max_epochs"
    assert result.best_value < 1e-3
    assert result.best_value == min(row["mse"] for row in result.history)
    assert not line.module.training
    assert same(line.validated[result.best_epoch - 1], dict(line.module.state_dict()))


def test_patience_keeps_the_best_weights() -> None:
    line = Line(values=[3.0, 1.0, 2.0, 2.0, 1.0, 0.0])
    result = train(line, TrainingOptions(max_epochs=6, patience=3), progress=False)
    assert (result.stopped, result.best_epoch, result.best_value) == ("patience", 2, 1.0)
    assert len(result.history) == 5
    assert same(line.validated[1], dict(line.module.state_dict()))
    assert not same(line.validated[1], line.validated[4])


def test_without_validation_the_last_weights_are_kept() -> None:
    line = Line()
    line.validate = dict  # type: ignore[method-assign]
    before = {name: t.clone() for name, t in line.module.state_dict().items()}
    result = train(line, TrainingOptions(max_epochs=3, patience=1), progress=False)
    assert (result.stopped, result.best_epoch) == ("max_epochs", 3)
    assert math.isnan(result.best_value)
    assert not same(before, dict(line.module.state_dict()))


def test_same_seed_same_weights_and_the_callers_random_state_stays() -> None:
    weights = []
    for seed in (0, 0, 1):
        line = Line(dropout=0.5)
        torch.manual_seed(int(1000 * len(weights)))
        state = torch.get_rng_state()
        train(line, TrainingOptions(max_epochs=2, seed=seed), progress=False)
        assert torch.equal(state, torch.get_rng_state())
        weights.append(dict(line.module.state_dict()))
    assert same(weights[0], weights[1])
    assert not same(weights[0], weights[2])


def test_averaged_weights_are_validated_and_kept() -> None:
    plain, averaged = Line(), Line()
    train(plain, TrainingOptions(max_epochs=3), progress=False)
    train(averaged, TrainingOptions(max_epochs=3, average_decay=0.9), progress=False)
    assert same(averaged.validated[-1], dict(averaged.module.state_dict()))
    assert not same(plain.validated[-1], averaged.validated[-1])


def test_minutes_cut_the_epoch_but_keep_a_validated_model() -> None:
    line = Line()
    result = train(line, TrainingOptions(max_epochs=1000, max_minutes=1e-9), progress=False)
    assert (result.stopped, line.steps, result.best_epoch) == ("max_minutes", 1, 1)
    assert math.isfinite(result.best_value)


def test_the_mean_of_the_last_epochs_is_validated_and_kept() -> None:
    """Stochastic weight averaging: from the middle on the learning rate stays, and epochs' weights are averaged."""
    line, ends = Line(), []
    options = TrainingOptions(max_epochs=6, swa_from=0.5, learning_rate=0.02)
    batches = line.batches

    def watched(epoch: int) -> Iterator[tuple[int, Tensor]]:
        ends.append({name: t.clone() for name, t in line.module.state_dict().items()})  # of the epoch before
        yield from batches(epoch)

    line.batches = watched  # type: ignore[method-assign]
    result = train(line, options, progress=False)
    rates = [row["learning_rate"] for row in result.history]
    cosine = rates[0] / (0.5 * (1 + math.cos(math.pi * 3 / 24)))
    assert rates[2] == pytest.approx(cosine * 0.5 * (1 + math.cos(math.pi * 11 / 24)))
    assert rates[3:] == [pytest.approx(0.5 * cosine)] * 3
    # Epochs end at steps 4, 8, 12, ...: the third is the first that ends in the second half.
    assert same(line.validated[1], ends[2])
    assert same(line.validated[2], ends[3])
    for epoch in (4, 5):
        mean = {name: sum(end[name] for end in ends[3 : epoch + 1]) / (epoch - 2) for name in ends[0]}
        torch.testing.assert_close(line.validated[epoch - 1], mean)
    assert same(line.validated[result.best_epoch - 1], dict(line.module.state_dict()))


def test_every_epoch_logs_its_gradients_and_updates() -> None:
    line = Line()
    line.batches_per_epoch = 6  # of which every second update is measured
    norms: list[float] = []
    ratios: list[float] = []
    step = torch.optim.AdamW.step

    def norm(tensors: list[Tensor]) -> float:
        return math.sqrt(sum(float(tensor.detach().square().sum()) for tensor in tensors))

    def stepped(self: torch.optim.AdamW) -> None:
        parameters = list(line.module.parameters())
        norms.append(norm([p.grad for p in parameters if p.grad is not None]))
        before = [p.detach().clone() for p in parameters]
        step(self)
        ratios.append(norm([new - old for old, new in zip(before, parameters, strict=True)]) / norm(before))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", stepped)
        result = train(line, TrainingOptions(max_epochs=2, clip_norm=None), progress=False)
    for epoch, row in enumerate(result.history):
        of = slice(6 * epoch, 6 * epoch + 6)
        assert row["gradient_norm"] == pytest.approx(max(norms[of]))
        assert row["gradient_norm_mean"] == pytest.approx(sum(norms[of]) / 6)
        assert row["update_ratio"] == pytest.approx(sum(ratios[of][::2]) / 3, rel=1e-4)
    assert set(OF_EVERY_EPOCH) | {"mse"} == set(result.history[0])


@pytest.mark.parametrize("average_decay", [0.0, 0.9])
def test_a_loss_that_is_not_finite_stops_before_the_step(average_decay: float) -> None:
    line = Line(on_step=lambda step, loss: loss * math.nan if step == 7 else loss)
    with pytest.raises(TrainingError, match=r"epoch 2, step 3: the loss is nan, in batch: line batch 2\."):
        train(line, TrainingOptions(max_epochs=5, average_decay=average_decay), progress=False)
    assert line.steps == 8  # the step was looked at once more
    assert same(line.validated[0], dict(line.module.state_dict()))


def test_a_gradient_that_is_not_finite_names_its_parameter() -> None:
    line = Line()
    before = {name: t.clone() for name, t in line.module.state_dict().items()}

    def spoil(step: int, loss: Tensor) -> Tensor:
        # The square root of zero: a finite loss with an infinite gradient, in the last bias alone.
        bias = line.module.get_parameter("3.bias")
        return loss + (bias - bias.detach()).abs().sum().sqrt()

    line.on_step = spoil
    with pytest.raises(TrainingError, match=r"step 1: the gradient of 3\.bias is not finite, in batch: line batch 0"):
        train(line, TrainingOptions(max_epochs=1), progress=False)
    assert same(before, dict(line.module.state_dict()))


def test_a_validation_metric_that_is_not_finite_stops() -> None:
    line = Line(values=[1.0, math.inf])
    with pytest.raises(TrainingError, match="after epoch 2: the validation metric made_up is inf"):
        train(line, TrainingOptions(max_epochs=5), progress=False)
    assert same(line.validated[0], dict(line.module.state_dict()))


def test_an_epoch_without_batches_is_an_error() -> None:
    line = Line()
    line.batches = lambda epoch: iter(())  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="Epoch 1 has no batch"):
        train(line, TrainingOptions(max_epochs=1), progress=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_the_step_and_handlers_come_back(number: signal.Signals) -> None:
    def kill(step: int, loss: Tensor) -> Tensor:
        if step == 6:
            os.kill(os.getpid(), number)
        return loss

    before = signal.getsignal(number)
    line = Line(on_step=kill)
    result = train(line, TrainingOptions(max_epochs=5), progress=False)
    assert (result.stopped, line.steps, result.best_epoch) == ("interrupted", 6, 1)
    assert same(line.validated[0], dict(line.module.state_dict()))
    assert signal.getsignal(number) is before


def test_a_signal_in_the_first_epoch_still_leaves_a_validated_model() -> None:
    with Interrupt() as interrupt:
        interrupt.request()
        untouched = train(Line(), TrainingOptions(max_epochs=5), progress=False, journal=Journal(interrupt))
    assert (untouched.stopped, untouched.best_epoch, untouched.history) == ("interrupted", 0, ())

    interrupt = Interrupt()

    def ask(step: int, loss: Tensor) -> Tensor:
        interrupt.request()
        return loss

    line = Line(on_step=ask)
    result = train(line, TrainingOptions(max_epochs=5), progress=False, journal=Journal(interrupt))
    assert (result.stopped, line.steps, result.best_epoch) == ("interrupted", 1, 1)


def test_a_second_ctrl_c_ends_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(SystemExit, match="143"):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before


def test_it_trains_outside_the_main_thread() -> None:
    results = []
    thread = threading.Thread(
        target=lambda: results.append(train(Line(), TrainingOptions(max_epochs=1), progress=False))
    )
    thread.start()
    thread.join()
    assert results[0].stopped == "max_epochs"


def test_weight_decay_leaves_biases_alone() -> None:
    line = Line()
    line.loss = lambda batch: 0.0 * sum(p.sum() for p in line.module.parameters())  # type: ignore[assignment]
    before = {name: t.clone() for name, t in line.module.state_dict().items()}
    train(line, TrainingOptions(max_epochs=1, weight_decay=0.5, schedule="constant"), progress=False)
    for name, weight in line.module.state_dict().items():
        assert torch.equal(weight, before[name]) == name.endswith("bias")


class Clock:
    """A second a step: what time takes, exactly."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now

    def tick(self, step: int, loss: Tensor) -> Tensor:
        self.now += 1
        return loss


def rates(options: TrainingOptions) -> list[float]:
    clock = Clock()
    result = train(Line(on_step=clock.tick), options, progress=False, journal=Journal(Interrupt(), clock))
    assert result.stopped == ("max_minutes" if options.max_minutes and options.max_minutes < 1 else "max_epochs")
    return [row["learning_rate"] for row in result.history]


def test_the_schedule_comes_to_its_end_where_time_does() -> None:
    options = TrainingOptions(max_epochs=1_000, max_minutes=40 / 60, warmup=0.1)
    cut = rates(options)
    assert len(cut) == 10  # of 4 steps each
    # The rates are those of a training of just as many epochs without a limit.
    whole = rates(TrainingOptions(max_epochs=10, warmup=0.1))
    assert cut[1:] == pytest.approx(whole[1:], rel=1e-6)
    assert cut[-1] < 0.01 * max(cut)


def test_a_schedule_that_is_to_stop_early_is_shortened_as_it_is() -> None:
    cut = rates(TrainingOptions(max_epochs=1_000, stop_after=500, max_minutes=40 / 60))
    whole = rates(TrainingOptions(max_epochs=20, stop_after=10))
    assert cut == pytest.approx(whole, rel=1e-6)
    assert cut[-1] > 0.5 * cut[0]


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    assert rates(TrainingOptions(max_epochs=5, max_minutes=2)) == rates(TrainingOptions(max_epochs=5))
