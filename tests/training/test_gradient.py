"""Batches that do not fit into memory are divided: the training stays what it was, and can be resumed."""

import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.resuming import forecast_table, sequences
from tests.training.test_kept import fit, kill, rows
from torch import Tensor, nn

from gatewise.errors import TrainingError, TrainingInterrupted
from gatewise.tasks import Classifier, Forecaster, Transcriber
from gatewise.training import Interrupt, Journal, Objective, TrainingOptions, train
from gatewise.training.objective import Divisible

SAYS: list[Callable[[], BaseException]] = [
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore lines"),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError,
]


class Rows:
    """Least squares on rows of several batches, whose losses are means over weights; only `room` rows fit at a time."""

    batches_per_epoch = 3

    def __init__(self, room: int = 10**9, says: Callable[[], BaseException] = MemoryError) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
        self.room, self.says = room, says
        self.sizes: list[int] = []

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(epoch)
        for size in (7, 8, 3):
            rows = torch.randn(size, 3, generator=generator, dtype=torch.float64)
            yield rows, torch.rand(size, generator=generator, dtype=torch.float64)

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        rows, weights = batch
        self.sizes.append(len(rows))
        found = (self.module(rows)[:, 0] - rows.sum(1)).square()
        if len(rows) > self.room:
            raise self.says()
        return (found * weights).sum() / weights.sum()

    def divide(self, batch: tuple[Tensor, Tensor], parts: int) -> list[tuple[Tensor, Tensor]]:
        rows, weights = batch
        parts = min(parts, len(rows))
        return list(zip(rows.tensor_split(parts), weights.tensor_split(parts), strict=True))

    def weight(self, batch: tuple[Tensor, Tensor]) -> float:
        return batch[1].sum().item()

    def validate(self) -> dict[str, float]:
        return {}

    def describe(self, batch: tuple[Tensor, Tensor]) -> str:
        return f"{len(batch[0])} rows"


OPTIONS = TrainingOptions(max_epochs=3, learning_rate=0.05, seed=3)


def weights(objective: Any) -> Tensor:
    return torch.cat([p.detach().flatten() for p in objective.module.parameters()])


@pytest.mark.parametrize("says", SAYS)
@pytest.mark.parametrize(("room", "parts"), [(4, 2), (2, 4), (1, 8)])
def test_divided_batches_train_the_same(says: Callable[[], BaseException], room: int, parts: int) -> None:
    whole, divided = Rows(), Rows(room, says)
    expected = train(whole, OPTIONS, progress=False)
    with pytest.warns(UserWarning, match="divided into") as said:
        found = train(divided, OPTIONS, progress=False)
    assert f"divided into {parts} parts" in str(said[-1].message)
    assert len(said) == parts.bit_length() - 1  # once for each time that parts are halved
    assert torch.allclose(weights(divided), weights(whole), rtol=1e-9, atol=1e-12)
    for a, b in zip(found.history, expected.history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-9)
        assert a["gradient_norm"] == pytest.approx(b["gradient_norm"], rel=1e-9)
    assert max(divided.sizes[4:]) <= 4


def test_what_cannot_be_divided_is_refused_and_the_best_weights_kept() -> None:
    rows = Rows(0)
    before = weights(rows)
    with pytest.warns(UserWarning, match="divided into"), pytest.raises(TrainingError, match="one of the 8 parts"):
        train(rows, OPTIONS, progress=False)
    assert torch.equal(weights(rows), before)

    class Whole:  # an objective whose batches cannot be divided
        def __init__(self, rows: Rows) -> None:
            self.module, self.batches_per_epoch = rows.module, rows.batches_per_epoch
            self.batches, self.loss, self.validate, self.describe = (
                rows.batches,
                rows.loss,
                rows.validate,
                rows.describe,
            )

    with pytest.raises(TrainingError, match=r"of a batch, which cannot be divided further \(MemoryError\)"):
        train(Whole(Rows(4)), OPTIONS, progress=False)


def test_other_errors_are_passed_on() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        train(Rows(4, lambda: RuntimeError("shapes do not fit")), OPTIONS, progress=False)


class Noisy(Rows):
    """With dropout, and a call before each loss."""

    def __init__(self, on_step: Callable[[int], None] = lambda step: None) -> None:
        super().__init__(4)
        self.module.append(nn.Dropout(0.5))
        self.on_step, self.steps = on_step, 0

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        self.steps += 1
        self.on_step(self.steps)
        return super().loss(batch)


@pytest.mark.filterwarnings("ignore:There is no memory")
@pytest.mark.parametrize("step", [2, 5, 9, 14])
def test_a_run_that_goes_on_divides_as_before(step: int, tmp_path: Path) -> None:
    whole, cut, other = Noisy(), Noisy(kill(signal.SIGTERM, step)), Noisy()
    expected = train(whole, OPTIONS, progress=False)
    with pytest.raises(TrainingInterrupted):
        fit(cut, tmp_path, OPTIONS)  # type: ignore[arg-type]
    with warnings.catch_warnings(action="error"):
        result = fit(other, tmp_path, OPTIONS)  # type: ignore[arg-type]
    assert torch.equal(weights(other), weights(whole))
    assert rows(result) == rows(expected)


@pytest.mark.filterwarnings("ignore:There is no memory")
def test_a_batch_that_is_divided_draws_what_it_had_drawn() -> None:
    drawn: list[float] = []
    rows = Noisy(lambda step: drawn.append(torch.rand(1).item()))
    train(rows, OPTIONS, progress=False)
    assert rows.sizes[:3] == [7, 4, 3]  # the first batch, then its parts
    assert drawn[0] == drawn[1] != drawn[2]


class Caught(Exception):
    """Ends a fit where its run begins, with the run's objective."""

    def __init__(self, objective: Objective[Any]) -> None:
        super().__init__()
        self.objective = objective


class Catching(Journal):
    def look(self, objective: Objective[Any], options: TrainingOptions) -> None:
        raise Caught(objective)


def objective_of(fit: Callable[[Journal], object]) -> Any:
    with pytest.raises(Caught) as caught:
        fit(Catching(Interrupt()))
    return caught.value.objective


def tasks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The objective of the first run of each task."""
    from gatewise.tasks.classification import classifier
    from gatewise.tasks.forecasting import forecaster
    from gatewise.tasks.transcription import transcriber

    for module in (classifier, forecaster, transcriber):
        monkeypatch.setattr(module, "plan_of", objective_of)
    X, y = sequences()
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abc"), 3)) for _ in range(30)]
    frames = [rng.normal(size=(rng.integers(12, 30), 4)) for _ in range(30)]
    return {
        "classify": Classifier(4, class_weight="balanced", threads=1).plan(X, y),
        "forecast": Forecaster("load", 3, time="day", id="shop", hidden_size=4, max_epochs=1).plan(forecast_table()),
        "transcribe": Transcriber("blstm", hidden_size=4, threads=1).plan(frames, texts),
    }


def test_parts_of_every_task_add_up_to_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    for task, objective in tasks(monkeypatch).items():
        kind: type[Any] = Divisible
        assert isinstance(objective, kind), task
        objective.module.eval()  # what is drawn at random is another thing
        batch = next(iter(objective.batches(1)))
        whole = objective.loss(batch).item()
        for count in (2, 3, 10**6):
            parts = objective.divide(batch, count)
            shares = np.array([objective.weight(part) for part in parts])
            losses = [objective.loss(part).item() for part in parts]
            assert np.dot(shares, losses) / shares.sum() == pytest.approx(whole, rel=1e-5), (task, count)
            assert shares.sum() == pytest.approx(objective.weight(batch), rel=1e-5)
        assert len(parts) > 3
