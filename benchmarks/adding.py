"""The adding problem: how many sequences it takes to carry two numbers across a long lag.

    OMP_NUM_THREADS=1 python benchmarks/adding.py [--steps 100] [--seeds 3]

Hochreiter & Schmidhuber (1997), Experiment 4: sequences of T to 1.1 T steps of a number from [-1, 1] and a marker; the
target is `0.5 + (X1 + X2) / 4` of the two marked numbers, one among the first ten steps and one before T/2. Solved when
the last 2,000 sequences are all within 0.04 and their mean squared error is below 0.01. Here: 64 cells, Adam at 3e-3,
batches of 20; each way of starting the gates with the same data. One JSON line for each run.
"""

import argparse
import json
import platform
import time
from collections import deque
from typing import Any

import torch
from torch import Tensor

from gatewise import LSTM

STARTS = {"torch's": {}, "forget_bias=1": {"forget_bias": 1.0}, "expected_lag=T": {"expected_lag": None}}


def draw(steps: int, batch: int, generator: torch.Generator) -> tuple[Tensor, list[int], Tensor]:
    """x `[T, B, 2]`, lengths, and targets `[B]`."""
    lengths = torch.randint(steps, steps + steps // 10 + 1, (batch,), generator=generator)
    x = torch.zeros(int(lengths.max()), batch, 2)
    x[..., 0] = torch.rand(x.shape[:2], generator=generator) * 2 - 1
    first = torch.randint(0, 10, (batch,), generator=generator)
    second = torch.randint(0, steps // 2 - 1, (batch,), generator=generator)
    second = torch.where(second == first, second + 1, second)
    each = torch.arange(batch)
    x[first, each, 1] = 1
    x[second, each, 1] = 1
    x[0, :, 1] = torch.where(x[0, :, 1] == 1, x[0, :, 1], -1)
    x[lengths - 1, each, 1] = -1
    target = 0.5 + (x[first, each, 0] + x[second, each, 0]) / 4
    return x, lengths.tolist(), target


def run(start: dict[str, Any], steps: int, seed: int, limit: int, batch: int = 20) -> dict[str, object]:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    chosen = {key: steps if key == "expected_lag" else value for key, value in start.items()}
    layer = LSTM(2, 64, **chosen)
    head = torch.nn.Linear(64, 1)
    optimiser = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=3e-3)
    recent: deque[Tensor] = deque(maxlen=2000 // batch)
    seen, started = 0, time.perf_counter()
    while seen < limit:
        x, lengths, target = draw(steps, batch, generator)
        _, (h, _) = layer(x, lengths=lengths)
        error = head(h[0]).squeeze(1) - target
        loss = error.square().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*layer.parameters(), *head.parameters()], 1.0)
        optimiser.step()
        seen += batch
        recent.append(error.detach().abs())
        if len(recent) == recent.maxlen:
            last = torch.cat(list(recent))
            if last.max() < 0.04 and last.square().mean() < 0.01:
                return {"solved": True, "sequences": seen, "seconds": round(time.perf_counter() - started)}
    mse = torch.cat(list(recent)).square().mean().item()
    return {"solved": False, "sequences": seen, "mse": mse, "seconds": round(time.perf_counter() - started)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=200_000, help="give up after this many sequences")
    options = parser.parse_args()
    machine = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__}
    print(json.dumps({**machine, "threads": torch.get_num_threads()}))
    for seed in range(options.seeds):
        for name, start in STARTS.items():
            result = run(start, options.steps, seed, options.limit)
            print(json.dumps({"start": name, "steps": options.steps, "seed": seed, **result}), flush=True)


if __name__ == "__main__":
    main()
