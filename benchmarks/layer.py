"""Time of `gatewise.nn.LSTM` against `torch.nn.LSTM`: interleaved medians, one JSON line for each point.

    OMP_NUM_THREADS=1 python benchmarks/layer.py [--repeats 21]

`dense` gives both the same full sequences; `ragged` gives them lengths uniform in 1..T, torch as packed sequences.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gatewise.nn import LSTM

POINTS = [(1, 32, 32), (8, 32, 64), (32, 32, 128), (32, 256, 64), (32, 256, 128)]  # B, T, H


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def point(batch: int, steps: int, width: int, ragged: bool, training: bool, repeats: int) -> dict[str, object]:
    torch.manual_seed(0)
    theirs, ours = torch.nn.LSTM(width, width), LSTM(width, width)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(steps, batch, width)
    lengths = torch.randint(1, steps + 1, (batch,))

    def run_ours() -> None:
        with torch.set_grad_enabled(training):
            output, _ = ours(x, lengths=lengths if ragged else None)
        if training:
            output.sum().backward()

    def run_theirs() -> None:
        with torch.set_grad_enabled(training):
            if ragged:
                packed, _ = theirs(pack_padded_sequence(x, lengths, enforce_sorted=False))
                output, _ = pad_packed_sequence(packed, total_length=steps)
            else:
                output, _ = theirs(x)
        if training:
            output.sum().backward()

    pairs = [(seconds(run_theirs), seconds(run_ours)) for _ in range(repeats + 2)][2:]
    torch_us, ours_us = (1e6 * statistics.median(column) for column in zip(*pairs, strict=True))
    return {
        "what": f"{'ragged' if ragged else 'dense'} {'training' if training else 'inference'}",
        "B": batch,
        "T": steps,
        "H": width,
        "torch_us": round(torch_us),
        "gatewise_us": round(ours_us),
        "torch_over_gatewise": round(torch_us / ours_us, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=21)
    repeats = parser.parse_args().repeats
    print(json.dumps({"machine": platform.processor() or platform.machine(), "torch": torch.__version__,
                      "threads": torch.get_num_threads(), "repeats": repeats}))  # fmt: skip
    for ragged in (False, True):
        for training in (False, True):
            for batch, steps, width in POINTS:
                print(json.dumps(point(batch, steps, width, ragged, training, repeats)), flush=True)


if __name__ == "__main__":
    main()
