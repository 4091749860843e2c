"""What the training loop costs beside forward, backward and the optimiser's step: a line of JSON a row.

    OMP_NUM_THREADS=1 python -m benchmarks.overhead [--hidden 128] [--batch 32] [--steps 100] [--rounds 15]

The same network takes the same steps twice: in a bare loop (loss, backward, clipping, AdamW) and in the loop that
`gatewise train` uses, with checks for what is not finite, statistics of gradients and updates, the log, and a kept
journal that is due every five minutes. Both take turns; printed are the medians of a step and by what share the loop's
is longer.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.runner import emit, machine
from gatewise import LSTM
from gatewise.tasks.journal import fit_journal
from gatewise.training import Checkpoints, TrainingOptions, train
from gatewise.training.optimizer import adamw

FEATURES, CLASSES, BATCHES = 16, 10, 40


class Network(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.lstm = LSTM(FEATURES, hidden)
        self.linear = nn.Linear(hidden, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.lstm(x)[0][-1])


class Task:
    batches_per_epoch = BATCHES

    def __init__(self, options: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.module = Network(options.hidden)
        self.x = torch.randn(options.steps, options.batch, FEATURES)
        self.y = torch.randint(CLASSES, (options.batch,))
        self.began: list[float] = []

    def batches(self, epoch: int) -> Iterator[int]:
        for _ in range(BATCHES):
            self.began.append(time.perf_counter())
            yield 0

    def loss(self, batch: int) -> Tensor:
        return nn.functional.cross_entropy(self.module(self.x), self.y)

    def validate(self) -> dict[str, float]:
        return {}

    def describe(self, batch: int) -> str:
        return "random sequences"

    def seconds(self) -> float:
        """The median of a step, without the first ones."""
        return statistics.median(b - a for a, b in zip(self.began[5:], self.began[6:], strict=False))


class Model:
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}


def in_the_loop(options: argparse.Namespace) -> float:
    task = Task(options)
    with tempfile.TemporaryDirectory() as folder:
        kept = Checkpoints(Path(folder) / "run")
        with fit_journal(Model(), "benchmark", kept, data=[], size="", start=None) as journal:
            train(task, TrainingOptions(max_epochs=1, patience=None), journal=journal, progress=False)
    return task.seconds()


def bare(options: argparse.Namespace) -> float:
    task, settings = Task(options), TrainingOptions()
    parameters = list(task.module.parameters())
    optimizer = adamw(parameters, settings)
    for batch in task.batches(1):
        optimizer.zero_grad(set_to_none=True)
        task.loss(batch).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return task.seconds()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    emit(machine(1))
    pairs = [(bare(options), in_the_loop(options)) for _ in range(options.rounds)]
    ratios = [b / a - 1 for a, b in pairs]
    emit(
        {
            "hidden": options.hidden, "batch": options.batch, "steps": options.steps, "rounds": options.rounds,
            "bare_ms": round(1e3 * statistics.median(a for a, _ in pairs), 3),
            "loop_ms": round(1e3 * statistics.median(b for _, b in pairs), 3),
            "overhead": round(statistics.median(ratios), 4),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
