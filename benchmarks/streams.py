"""Memory of training on streams of 10^5 and 10^7 steps, a process for each line of JSON.

    OMP_NUM_THREADS=1 python -m benchmarks.streams [--steps 100000 10000000] [--kinds npy parquet arrow] [--repeats 3]

An LSTM of 16 units foretells the next of 4 random numbers a step, in 64 streams of chunks of 100 steps, one pass; the
file is written by another process. `peak` is the process's peak of resident memory (the kernel's `VmHWM`; Linux only),
with everything in it: Python, torch, the file's pieces. `above` is what it is above the memory before the file was
opened.
"""

import argparse
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from benchmarks.runner import emit, machine
from benchmarks.segments import status
from gatewise.data.steps import open_steps
from gatewise.data.streams import Streams
from gatewise.nn import LSTM
from gatewise.training import StreamObjective, TrainingOptions, train
from gatewise.training.truncated import States

WIDTH, HIDDEN, STREAMS, CHUNK, SEQUENCE = 4, 16, 64, 100, 10_000
GROUP = 1 << 14  # rows of a row group


class Foreteller(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.linear = LSTM(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(
        self, values: Tensor, states: States | None, resets: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, States]:
        before = None if states is None else (states["h"], states["c"])
        outputs, (h, c) = self.lstm(values, before, resets=resets, lengths=lengths)
        return self.linear(outputs), {"h": h, "c": c}


def write(path: Path, steps: int) -> None:
    """Random numbers, a piece at a time."""
    rng, done = np.random.default_rng(0), 0
    names = [f"x{k}" for k in range(WIDTH)]
    schema = pa.schema([(name, pa.float32()) for name in names])
    if path.suffix == ".npy":
        file = np.lib.format.open_memmap(path, "w+", np.float32, (steps, WIDTH))
        writer = None
    else:
        file = pa.OSFile(str(path), "wb")
        writer = pq.ParquetWriter(file, schema) if path.suffix == ".parquet" else pa.ipc.new_file(file, schema)
    while done < steps:
        rows = rng.normal(size=(min(GROUP, steps - done), WIDTH)).astype(np.float32)
        if writer is None:
            file[done : done + len(rows)] = rows
        else:
            writer.write_table(pa.table(list(rows.T), schema=schema))
        done += len(rows)
    if writer is not None:
        writer.close()
        file.close()


def run(path: Path, steps: int, result: Connection) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    before, began = status("VmRSS"), time.process_time()
    streams = Streams(open_steps(path), np.arange(0, steps, SEQUENCE), streams=STREAMS, k1=CHUNK)
    objective = StreamObjective(
        Foreteller(), streams, lambda outputs, following: (outputs - following).square().mean(-1)
    )
    train(objective, TrainingOptions(max_epochs=1), progress=False)
    peak = status("VmHWM")
    result.send({"peak": peak, "above": peak - before, "seconds": round(time.process_time() - began, 1)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[100_000, 10_000_000])
    parser.add_argument("--kinds", nargs="+", choices=["npy", "parquet", "arrow"], default=["npy", "parquet", "arrow"])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    emit(machine(1))
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.kinds:
            peaks: dict[int, float] = {}
            for steps in options.steps:
                path = Path(folder) / f"{steps}.{kind}"
                writing = context.Process(target=write, args=(path, steps))
                writing.start()
                writing.join()
                found = []
                for repeat in range(options.repeats):
                    receiver, sender = context.Pipe(duplex=False)
                    process = context.Process(target=run, args=(path, steps, sender))
                    process.start()
                    sender.close()
                    found.append(receiver.recv())
                    process.join()
                    emit({"kind": kind, "steps": steps, "bytes": path.stat().st_size, "repeat": repeat, **found[-1]})
                peaks[steps] = float(np.median([one["peak"] for one in found]))
                path.unlink()
            short = peaks[min(peaks)]
            emit({"kind": kind, "peaks": {str(k): round(v / short, 4) for k, v in peaks.items()}})


if __name__ == "__main__":
    main()
