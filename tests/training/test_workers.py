"""Workers take the step of one process together, stop together, and go on to the same bits."""

import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.resuming import forecast_table, sequences
from tests.training.teams import together
from tests.training.test_gradient import Rows
from torch import Tensor, nn

from gatewise.errors import ConfigurationError, TrainingError, TrainingInterrupted
from gatewise.tasks import Classifier, Forecaster, Transcriber
from gatewise.tasks.journal import fit_journal
from gatewise.training import Checkpoints, TrainingOptions, train
from gatewise.training.snapshot import on_devices, random_states, restore_random
from gatewise.training.workers import current_team, joined, shared, sharing

pytestmark = pytest.mark.filterwarnings("ignore:There is no memory", "ignore:This process .* is multi-threaded")
OPTIONS = TrainingOptions(max_epochs=3, learning_rate=0.05, seed=3)
Bits = list[bytes]


class Noisy(Rows):
    """With dropout, a validation, and a call before each loss."""

    def __init__(self, on_step: Callable[[int], None] = lambda step: None, dropout: float = 0.5) -> None:
        super().__init__()
        self.module.append(nn.Dropout(dropout))
        self.on_step, self.steps = on_step, 0

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        self.steps += 1
        self.on_step(self.steps)
        return super().loss(batch)

    def validate(self) -> dict[str, float]:
        items = torch.arange(12.0, dtype=torch.float64).view(4, 1, 3)
        return {"size": sum(found.sum().item() for (found,) in shared(list(items), lambda x: (self.module(x),)))}


class Model:
    """Stands in for an estimator where a fit asks for its parameters."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}


def trained(
    objective: Any, options: TrainingOptions = OPTIONS, checkpoints: Path | None = None, **given: Any
) -> tuple[Bits, list[Mapping[str, float]]]:
    """A fit with one run: its weights' bits, and its history without seconds."""
    where = None if checkpoints is None else Checkpoints(checkpoints, **given)
    with fit_journal(Model(), "test", where, data=[], size="", start=None) as journal:
        result = train(objective, options, journal=journal, progress=False)
    bits = [p.detach().numpy().tobytes() for p in objective.module.parameters()]
    return bits, [{k: v for k, v in row.items() if k != "seconds"} for row in result.history]


def numbers(bits: Bits) -> np.ndarray:
    return np.concatenate([np.frombuffer(part) for part in bits])


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("changes", [{}, {"accumulate": 2, "average_decay": 0.9}])
def test_workers_take_the_steps_of_one(size: int, changes: dict[str, Any]) -> None:
    """Batches of 7, 8 and 3 rows of unequal weight: no number of workers divides them all, and four are too many."""
    options = TrainingOptions(max_epochs=3, learning_rate=0.05, seed=3, **changes)
    bits, history = trained(Noisy(dropout=0.0), options)
    found = together(lambda rank: trained(Noisy(dropout=0.0), options), size)
    assert all(one == found[0] for one in found)
    assert np.allclose(numbers(found[0][0]), numbers(bits), rtol=1e-9, atol=1e-12)
    for a, b in zip(found[0][1], history, strict=True):
        assert a == pytest.approx(b, rel=1e-8)


def test_masks_of_workers_differ() -> None:
    def masks(rank: int) -> list[float]:
        rows = Noisy()
        drawn: list[float] = []
        rows.on_step = lambda step: drawn.append(torch.rand(1, generator=None).item())
        trained(rows)
        return drawn

    first, second = together(masks)
    assert not set(first) & set(second)


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("step", [1, 4, 9])
def test_one_that_is_told_to_stop_stops_all_and_they_go_on_to_the_same_bits(
    who: int, step: int, tmp_path: Path
) -> None:
    whole = together(lambda rank: trained(Noisy()))

    def cut(rank: int) -> Any:
        def stop(at: int) -> None:
            if rank == who and at == step:
                os.kill(os.getpid(), signal.SIGTERM)

        return trained(Noisy(stop), checkpoints=tmp_path / "run")

    for found in together(cut):
        assert isinstance(found, TrainingInterrupted), found
    assert together(lambda rank: trained(Noisy(), checkpoints=tmp_path / "run")) == whole
    assert whole[0] == whole[1]


def test_without_checkpoints_they_stop_with_what_they_have() -> None:
    def stop(rank: int) -> Any:
        return trained(Noisy(lambda step: os.kill(os.getpid(), signal.SIGTERM) if (rank, step) == (1, 5) else None))

    first, second = together(stop)
    assert first == second
    assert len(first[1]) < 3


def test_another_number_of_workers_goes_on_and_says_so(tmp_path: Path) -> None:
    def cut(rank: int) -> Any:
        return trained(Noisy(lambda step: os.kill(os.getpid(), signal.SIGTERM) if step == 4 else None),
                       checkpoints=tmp_path / "run")  # fmt: skip

    together(cut)

    def go_on(rank: int) -> Any:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = trained(Noisy(), checkpoints=tmp_path / "run")
        return found, [str(warning.message) for warning in caught]

    (first, said), *others = together(go_on, 3)
    assert "saved by 2 workers and goes on with 3" in said[0]
    assert all(other == (first, []) for other in others)
    assert len(first[1]) == 3


def test_a_loss_that_is_not_finite_on_one_ends_all() -> None:
    class Spoiled(Noisy):
        def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
            loss = super().loss(batch)
            team = current_team()
            return loss * float("nan") if team is not None and team.rank == 1 and self.steps == 4 else loss

    first, second = together(lambda rank: trained(Spoiled()))
    for error in (first, second):
        assert isinstance(error, TrainingError)
        assert "epoch 2, step 1" in str(error)
    assert "worker 2 of 2 cannot go on" in str(first)
    assert "the loss is nan" in str(second)


def test_memory_that_one_lacks_divides_its_part_alone() -> None:
    def work(rank: int) -> Any:
        rows = Noisy(dropout=0.0)
        rows.room = 2 if rank else 10**9
        return trained(rows), max(rows.sizes[6:])

    (first, whole), (second, divided) = together(work)
    assert first == second
    assert (whole, divided) == (4, 2)
    assert np.allclose(numbers(first[0]), numbers(trained(Noisy(dropout=0.0))[0]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("who", [0, 1])
def test_who_loses_a_worker_leaves_at_once(who: int) -> None:
    def die(rank: int) -> Any:
        return trained(Noisy(lambda step: os._exit(9) if (rank, step) == (who, 4) else None))

    began = time.monotonic()
    found = together(die)
    assert found[who] is None
    assert isinstance(found[1 - who], TrainingError)
    assert "lost another one" in str(found[1 - who])
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("where", ["loss", "validate", "batches"])
def test_who_fails_leaves_by_its_own_error_and_the_others_at_once(where: str, who: int) -> None:
    """Also the first worker, while the others wait for its part of a sum, and not for what it says."""

    class Failing(Noisy):
        def __init__(self, fails: bool) -> None:
            super().__init__()
            self.fails = fails

        def fail(self, at: str) -> None:
            if self.fails and at == where and self.steps >= 2:
                raise ValueError("of this worker alone")

        def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
            for batch in super().batches(epoch):
                self.fail("batches")
                yield batch

        def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
            self.fail("loss")
            return super().loss(batch)

        def validate(self) -> dict[str, float]:
            self.fail("validate")
            return super().validate()

    began = time.monotonic()
    for rank, error in enumerate(together(lambda rank: trained(Failing(rank == who)), 3)):
        assert isinstance(error, ValueError if rank == who else TrainingError), error
        assert ("of this worker alone" if rank == who else "lost another one") in str(error)
    assert time.monotonic() - began < 30


def test_what_has_no_gradient_on_any_worker_is_left_alone() -> None:
    """As in one process: with a gradient of 0 the optimiser would decay it."""

    class Unused(Noisy):
        def __init__(self) -> None:
            super().__init__(dropout=0.0)
            self.module.register_parameter("unused", nn.Parameter(torch.ones(3, 3, dtype=torch.float64)))

    options = replace(OPTIONS, weight_decay=0.5)
    bits, _ = trained(Unused(), options)
    (first, _), (second, _) = together(lambda rank: trained(Unused(), options))
    assert first == second
    assert np.allclose(numbers(first), numbers(bits), rtol=1e-9, atol=1e-12)
    assert np.ones((3, 3)).tobytes() in first


def test_generators_of_gpus_come_back_to_the_gpu_of_their_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker 2 has GPU 1, and the checkpoint names its state as the first worker names its own."""
    there = {0: torch.tensor([10]), 1: torch.tensor([11])}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda k: there[k])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, k: there.__setitem__(k, state))

    def work(rank: int) -> dict[int, int]:
        team = current_team()
        assert team is not None
        everyone = team.gather(random_states([rank]))
        saved = dict(zip(random_states([0]), everyone[rank].values(), strict=True))
        there[0] = there[1] = torch.tensor([0])
        restore_random(on_devices(saved, [rank]))
        return {k: int(state) for k, state in there.items()}

    assert together(work) == [{0: 10, 1: 0}, {0: 0, 1: 11}]


def test_a_leader_that_cannot_begin_says_so_to_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    first, second = together(lambda rank: trained(Noisy(), checkpoints=tmp_path / "file" / "run"))
    assert not isinstance(first, TrainingError)
    assert isinstance(second, TrainingError)
    assert str(first) in str(second)


@pytest.mark.parametrize("difference", ["weights", "options"])
def test_workers_that_do_not_begin_alike_are_refused(difference: str) -> None:
    def work(rank: int) -> Any:
        rows = Noisy()
        if rank == 2 and difference == "weights":
            with torch.no_grad():
                next(rows.module.parameters())[0] += 1e-12
        return trained(rows, TrainingOptions(max_epochs=3 + (difference == "options" and rank == 2)))

    for error in together(work, 3):
        assert isinstance(error, ConfigurationError)
        assert "worker 3 of 3 does not begin as the first one" in str(error)


def test_what_cannot_be_divided_is_refused() -> None:
    class Whole:
        def __init__(self) -> None:
            rows = Rows()
            self.module, self.batches_per_epoch = rows.module, rows.batches_per_epoch
            self.batches, self.loss = rows.batches, rows.loss
            self.validate, self.describe = rows.validate, rows.describe

    for error in together(lambda rank: trained(Whole())):
        assert isinstance(error, ConfigurationError)
        assert "start it as one process" in str(error)


def test_validations_are_shared() -> None:
    def work(rank: int) -> Any:
        seen: list[int] = []

        def compute(item: int) -> tuple[Tensor, Tensor]:
            seen.append(item)
            return torch.full((item, 2), float(item)), torch.tensor([item])

        with sharing():
            found = [(a.tolist(), b.tolist()) for a, b in shared([3, 0, 2, 5, 1], compute)]
        alone = [(a.tolist(), b.tolist()) for a, b in shared([3], compute)]
        return found, seen, alone

    expected = [([[float(n)] * 2] * n, [n]) for n in (3, 0, 2, 5, 1)]
    (first, one, alone), (second, two, _) = together(work)
    assert first == second == expected
    assert (one, two) == ([3, 2, 1, 3], [0, 5, 3])
    assert alone == expected[:1]


def test_a_committee_is_trained_together() -> None:
    X, y = sequences()
    plain = {"dropout": 0.0, "mixing": 0.0, "scaling": 0.0, "noise": 0.0}
    make = partial(Classifier, 4, members=2, max_epochs=3, patience=3, threads=1, batch_size=16, **plain)

    def work(rank: int) -> Any:
        model = make().fit(X, y)
        return model.predict_proba(X), model.validation_

    (first, scores), (second, others) = together(work)
    assert np.array_equal(first, second)
    assert scores == others
    alone = make().fit(X, y)
    assert np.allclose(first, alone.predict_proba(X), atol=1e-5)
    assert scores == pytest.approx(alone.validation_, abs=1e-5)


def test_forecasters_and_transcribers_are_trained_together() -> None:
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(rng.integers(12, 30), 3)).astype(np.float32) for _ in range(24)]
    texts = ["ab" if k % 2 else "ba" for k in range(24)]

    def work(rank: int) -> Any:
        reader = Transcriber("blstm", hidden_size=4, max_epochs=2, threads=1).fit(frames, texts)
        forecaster = Forecaster("load", 3, time="day", id="shop", hidden_size=4, members=1, max_epochs=2)
        forecast = forecaster.fit(forecast_table()).predict(forecast_table())["forecast"]
        return [row.tolist() for row in reader.posteriors(frames)], forecast.to_pylist()

    first, second = together(work)
    assert first == second
    assert isinstance(first, tuple)


def test_an_environment_that_torchrun_does_not_make_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigurationError, match="RANK and MASTER_ADDR and MASTER_PORT is not set"), joined():
        pass
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined() as team:
        assert team is None
