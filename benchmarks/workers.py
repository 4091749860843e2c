"""Strong scaling: steps of one batch, divided among 1 and 2 workers of one thread each; a line of JSON a row.

    python -m benchmarks.workers [--hidden 128 256] [--batch 64] [--steps 100] [--repeats 5]

A classifier's network (one bidirectional LSTM layer) takes AdamW's steps on batches of random sequences, through the
loop that `gatewise train` uses. One worker and two take turns, `--repeats` times; what is printed is the median of
each, in thousands of time steps ("tokens") a second, their ratio, and the bytes that a worker sends and receives for
the gradients of a step.
"""

import argparse
import multiprocessing
import os
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.runner import emit, machine
from gatewise import LSTM
from gatewise.tasks.journal import fit_journal
from gatewise.training import TrainingOptions, train
from gatewise.training.workers import joined

FEATURES, CLASSES, BATCHES = 16, 10, 12


class Network(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.lstm = LSTM(FEATURES, hidden, bidirectional=True)
        self.linear = nn.Linear(2 * hidden, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.lstm(x)[0].mean(0))


class Task:
    """Random sequences in batches that can be divided; notes when its steps begin."""

    batches_per_epoch = BATCHES

    def __init__(self, options: argparse.Namespace, hidden: int) -> None:
        torch.manual_seed(0)
        self.module = Network(hidden)
        self.x = torch.randn(options.steps, options.batch, FEATURES)
        self.y = torch.randint(CLASSES, (options.batch,))
        self.began: list[float] = []

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(BATCHES):
            self.began.append(time.perf_counter())
            yield self.x, self.y

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.cross_entropy(self.module(batch[0]), batch[1])

    def divide(self, batch: tuple[Tensor, Tensor], parts: int) -> list[tuple[Tensor, Tensor]]:
        return list(zip(batch[0].tensor_split(parts, 1), batch[1].tensor_split(parts), strict=True))

    def weight(self, batch: tuple[Tensor, Tensor]) -> float:
        return float(len(batch[1]))

    def validate(self) -> dict[str, float]:
        return {}

    def describe(self, batch: tuple[Tensor, Tensor]) -> str:
        return "random sequences"


class Model:
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}


def work(rank: int, size: int, port: int, options: argparse.Namespace, hidden: int, found: Any) -> None:
    """One worker: the median seconds of a step."""
    os.environ |= {
        "RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    torch.set_num_threads(1)
    with joined():
        task = Task(options, hidden)
        with fit_journal(Model(), "benchmark", None, data=[], size="", start=None) as journal:
            train(task, TrainingOptions(max_epochs=1, patience=None), journal=journal, progress=False)
        if rank == 0:
            # The first steps take memory that later ones have.
            found.put(statistics.median([b - a for a, b in zip(task.began[2:], task.began[3:], strict=False)]))


def seconds(size: int, options: argparse.Namespace, hidden: int) -> float:
    context = multiprocessing.get_context("spawn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = context.SimpleQueue()
    processes = [context.Process(target=work, args=(rank, size, port, options, hidden, found)) for rank in range(size)]
    for process in processes:
        process.start()
    taken = found.get()
    for process in processes:
        process.join()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="append the lines to this file as well")
    options = parser.parse_args()
    emit(machine(1), options.out)
    for hidden in options.hidden:
        taken: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(options.repeats):
            for size, of in taken.items():
                of.append(seconds(size, options, hidden))
        one, two = statistics.median(taken[1]), statistics.median(taken[2])
        numbers = sum(p.numel() for p in Network(hidden).parameters())
        tokens = options.steps * options.batch / 1000
        row = {
            "hidden": hidden, "batch": options.batch, "steps": options.steps, "repeats": options.repeats,
            "tokens_per_second_1": round(tokens / one, 1), "tokens_per_second_2": round(tokens / two, 1),
            "ratio": round(one / two, 3), "parameters": numbers, "gradient_bytes": 4 * numbers,
        }  # fmt: skip
        emit(row, options.out)


if __name__ == "__main__":
    main()
