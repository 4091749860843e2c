"""Truncated backpropagation through time: the gradients that are meant, and runs that go on inside a pass."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gatewise.cells import LSTM
from gatewise.data.steps import Read, open_steps
from gatewise.data.streams import Streams
from gatewise.errors import TrainingError, TrainingInterrupted
from gatewise.nn import Recurrent
from gatewise.training import (
    About,
    Checkpoints,
    Continuing,
    Gathering,
    Interrupt,
    StreamObjective,
    TrainingOptions,
    kept_journal,
    run_streams,
    train,
)
from gatewise.training.truncated import States

STARTS, LENGTHS = np.array([0, 30, 41, 90]), np.array([29, 10, 48, 40])
VALUES = np.random.default_rng(0).normal(size=(131, 2)).astype(np.float32)
STEPS = open_steps(VALUES)


class Foreteller(nn.Module):
    """Says the next step of each stream."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.linear = Recurrent(LSTM(), 2, 5), nn.Linear(5, 2)
        self.dropout = nn.Dropout(0.2)

    def forward(
        self, values: Tensor, states: States | None, resets: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, States]:
        before = None if states is None else [{name: state.transpose(0, 1) for name, state in states.items()}]
        outputs, (after,) = self.layer(values, before, resets=resets, lengths=lengths)
        return self.linear(self.dropout(outputs)), {name: state.transpose(0, 1) for name, state in after.items()}


def square(outputs: Tensor, following: Tensor) -> Tensor:
    return (outputs - following).square().mean(-1)


def objective(streams: int = 3, k1: int = 4, k2: int | None = None, **options: int) -> StreamObjective:
    cut = Streams(STEPS, STARTS, LENGTHS, streams=streams, k1=k1, k2=k2)
    return StreamObjective(Foreteller(), cut, square, **options)


@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (3, 8), (5, 7), (2, 200)])
def test_gradients_are_those_of_truncation(k1: int, k2: int) -> None:
    """Of one stream: the loss of k1 steps, differentiated over k2, from states that were computed without a cut."""
    made = objective(streams=1, k1=k1, k2=k2)
    module = made.module.eval()
    resets = np.zeros((127, 1), bool)
    resets[np.cumsum(LENGTHS)[:-1]] = True
    places = np.concatenate([start + np.arange(length) for start, length in zip(STARTS, LENGTHS, strict=True)])
    x, y = torch.from_numpy(VALUES[places])[:, None], torch.from_numpy(VALUES[places + 1])[:, None]
    marks = torch.from_numpy(resets)
    for number, batch in enumerate(made.batches(1)):
        loss = made.loss(batch)
        found = torch.autograd.grad(loss, list(module.parameters()))
        end = min((number + 1) * k1, len(x))
        begin = max(0, (number + 1) * k1 - k2)
        with torch.no_grad():
            states = module(x[:begin], None, marks[:begin], None)[1] if begin else None
        outputs, _ = module(x[begin:end], states, marks[begin:end], None)
        new = slice(number * k1 - begin, None)
        wanted = square(outputs[new], y[begin:end][new]).mean()
        torch.testing.assert_close(loss, wanted, atol=1e-5, rtol=1e-5)
        gradients = torch.autograd.grad(wanted, list(module.parameters()))
        torch.testing.assert_close(list(found), list(gradients), atol=1e-5, rtol=1e-4)
    assert number == len(made.streams) - 1


def test_the_loss_of_a_batch_is_the_same_however_often_it_is_asked_for() -> None:
    made, again = objective(k2=6), objective(k2=6)
    made.module.eval(), again.module.eval()
    for once, twice in zip(made.batches(1), again.batches(1), strict=True):
        first = again.loss(twice)
        assert torch.equal(made.loss(once), again.loss(twice))
        assert torch.equal(first, again.loss(twice))


def test_a_pass_in_chunks_is_a_pass_in_one_piece() -> None:
    module = Foreteller().eval()

    def outputs(k1: int, streams: int) -> dict[int, Tensor]:
        found = {}
        for batch, out in run_streams(module, Streams(STEPS, STARTS, LENGTHS, streams=streams, k1=k1, whole=True)):
            rows, new = batch.chunk.rows, batch.new(out).unflatten(0, (-1,))
            assert len(new) == int((torch.ones(out.shape[:2]) if batch.lengths is None else batch.lengths).sum())
            for b, row in enumerate(rows):
                if row >= 0:
                    found[int(row)] = out[0, b]
        return found

    every = outputs(1, 1)
    assert len(every) == LENGTHS.sum()
    for row, out in {**outputs(7, 4), **outputs(200, 2)}.items():
        torch.testing.assert_close(out, every[row])


def fit(path: Path, made: StreamObjective, stop: int | None = None) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """A run that is kept; stopped by a signal in its loss number `stop`."""
    about = About.of("stream", {}, "data", "131 rows")
    losses, loss = 0, made.loss

    with Interrupt(saves=True) as signals, kept_journal(Checkpoints(path, every=1000), about, signals) as journal:

        def counted(batch):  # type: ignore[no-untyped-def]
            nonlocal losses
            losses += 1
            if losses == stop:
                signals.request()
            return loss(batch)

        made.loss = counted  # type: ignore[method-assign]
        options = TrainingOptions(max_epochs=3, learning_rate=0.01, average_decay=0.9, accumulate=2)
        result = train(made, options, journal=journal, progress=False)
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in result.history]
    return dict(made.module.state_dict()), rows


@pytest.mark.parametrize("k2", [4, 9])
def test_a_run_goes_on_inside_a_pass_to_the_same_bits(k2: int, tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", objective(k2=k2, shuffle=1))
    chunks = len(objective().streams)
    for stop in (1, chunks, 2 * chunks + 3):
        folder = tmp_path / str(stop)
        with pytest.raises(TrainingInterrupted):
            fit(folder, objective(k2=k2, shuffle=1), stop)
        weights, rows = fit(folder, objective(k2=k2, shuffle=1))
        assert rows == whole[1]
        assert all(torch.equal(weights[name], whole[0][name]) for name in weights)


def test_a_run_that_goes_on_reads_nothing_that_it_has_seen(tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted):
        fit(tmp_path, objective(streams=1), 20)

    class Watched:
        shape, dtype = STEPS.shape, STEPS.dtype
        first = 10**9

        def reader(self) -> Read:
            read = STEPS.reader()

            def watched(start: int, stop: int) -> np.ndarray:
                self.first = min(self.first, start)
                return read(start, stop)

            return watched

    steps = Watched()
    made = StreamObjective(Foreteller(), Streams(steps, STARTS, LENGTHS, streams=1, k1=4), square)
    assert isinstance(made, Continuing)
    assert isinstance(made, Gathering)
    next(iter(made.batches_from(1, 20)))
    assert steps.first >= 80
    made = StreamObjective(Foreteller(), Streams(steps, STARTS, LENGTHS, streams=1, k1=4), square)
    fit(tmp_path, made)


def test_the_rows_of_a_bad_stream_are_named() -> None:
    values = VALUES.copy()
    values[60, 0] = np.nan
    made = StreamObjective(Foreteller(), Streams(open_steps(values), STARTS, LENGTHS, streams=3, k1=50), square)
    with pytest.raises(TrainingError, match=r"epoch 1, step 1: the loss is nan, in batch: rows 44 to \d+\."):
        train(made, TrainingOptions(max_epochs=1), progress=False)
