"""The compiled core on AArch64 (NEON), where there is no such processor: cross-compiled, and run by an emulator.

    python -m tests.long.aarch64 [--cells lstm gru ...]

records what layers ask of the core on this machine, forward and backward, in both precisions, ragged and not, has the
same calls done by `cpp/level.cpp` compiled for AArch64, and compares all that comes out. Needs Debian's packages
g++-aarch64-linux-gnu and qemu-user. Threads, streams and narrow weights are not tried.
"""

import argparse
import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from gatewise import Recurrent, cells
from gatewise.backends import cpu

ROOT = Path(__file__).parents[2]
COMPILER = (
    "aarch64-linux-gnu-g++",
    "-std=c++17",
    "-O3",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-Wno-psabi",
    "-static",
)
TOLERANCE = {False: 3e-5, True: 1e-12}  # float32, float64; relative to the largest element
CELLS = ("lstm", "peephole", "cifg", "gru", "layer-norm", "slstm", "gru-cho", "mgu", "lstm-1997")


class Recorder:
    """The core, keeping what it is asked for."""

    def __init__(self, core: Any) -> None:
        self.core, self.calls = core, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.core, name)

    def Plan(self, numbers: Any, constants: Any, is_double: bool, interprets: bool = False) -> Any:
        made = self.core.Plan(numbers, constants, is_double, interprets)
        self.made[id(made)] = (made, np.array(numbers), np.array(constants), is_double)
        return made

    def run(
        self, plans: Sequence[Any], ports: Any, backwards: Any, steps: int, rows: int, lengths: Any, *more: Any
    ) -> None:
        shape = (steps, rows, tuple(lengths))
        known = [self.made[id(plan)] for plan in plans]
        tensors = [_ports(one, places, shape) for one, places in zip(known, ports, strict=True)]
        before = [[(port, port.content()) for port in found] for found in tensors]
        self.core.run(plans, ports, backwards, steps, rows, lengths, *more)
        for one, found, direction, given in zip(known, tensors, backwards, before, strict=True):
            want = [(port, port.values(port.content())) for port in found if port.out]
            self.calls.append((one, shape, direction, given, want))

    made: dict[int, Any] = {}  # noqa: RUF012


class Port:
    """A tensor of a call: its address, shape `[T, B, w]` (1 for what it has not), and strides of T and B in numbers."""

    def __init__(
        self, address: int, shape: tuple[int, int, int], strides: tuple[int, int], kind: Any, out: bool
    ) -> None:
        self.address, self.shape, self.strides, self.kind, self.out = address, shape, strides, np.dtype(kind), out
        self.numbers = sum((n - 1) * stride for n, stride in zip(shape[:2], strides, strict=True)) + shape[2]

    def content(self) -> bytes:
        return ctypes.string_at(self.address, self.numbers * self.kind.itemsize)

    def values(self, content: bytes) -> np.ndarray:
        """What belongs to the tensor of memory in which others may stand between its lines."""
        strides = (*(stride * self.kind.itemsize for stride in self.strides), self.kind.itemsize)
        return np.ndarray(self.shape, self.kind, content, strides=strides).copy()


def _ports(one: Any, places: Sequence[int], shape: Any) -> list[Port]:
    made, _, _, is_double = one
    steps, rows, _ = shape
    streams, states, parameters, results, gradients = made.needs
    kind = np.float64 if is_double else np.float32
    found, at = [], 0
    for number, widths in enumerate((streams, states, parameters, results, states, gradients)):
        for width in widths:
            out = number >= 3
            if number in (0, 3):
                address, time, row = places[at : at + 3]
                found.append(Port(address, (steps, rows, width), (time, row), kind, out))
            elif number in (1, 4):
                address, row = places[at : at + 2]
                found.append(Port(address, (1, rows, width), (0, row), kind, out))
            else:
                found.append(Port(places[at], (1, 1, width), (0, 0), kind, out))
            at += (3, 2, 1)[number % 3]
    return found


@contextmanager
def recorded() -> Iterator[Recorder]:
    recorder = Recorder(cpu.core)
    with mock.patch.object(cpu, "core", recorder):
        yield recorder


def calls(name: str) -> list[Any]:
    """What a layer of a cell asks for."""
    with recorded() as recorder:
        for dtype in (torch.float32, torch.float64):
            for hidden, batch in ((6, 1), (20, 5), (34, 13)):
                torch.manual_seed(0)
                layer = Recurrent(cells.get(name)(), 7, hidden, bidirectional=True, dtype=dtype, backend="cpu")
                x = torch.randn(9, batch, 7, dtype=dtype, requires_grad=True)
                for lengths in (None, [9 - k % 9 for k in range(batch)]):
                    output, _ = layer(x, lengths=lengths)
                    output.sin().sum().backward()
                    with torch.no_grad():
                        layer(x, lengths=lengths)
    return recorder.calls


def differs(call: Any, program: Path, folder: Path) -> float:
    """The largest difference in any result of a call over its largest element, in tolerances."""
    (_, numbers, constants, is_double), (steps, rows, lengths), direction, given, want = call
    head = [is_double, steps, rows, direction, len(lengths), len(numbers), len(constants), *lengths]
    with (folder / "call").open("wb") as file:
        file.write(np.array(head, np.int64).tobytes())
        file.write(np.asarray(numbers, np.int64).tobytes())
        file.write(np.asarray(constants, np.float64).tobytes())
        for port, content in given:
            file.write(np.array([*port.strides, len(content)], np.int64).tobytes())
            file.write(content)
    subprocess.run(["qemu-aarch64", program, folder / "call", folder / "out"], check=True)
    written, worst = (folder / "out").read_bytes(), 0.0
    for port, expected in want:
        size = port.numbers * port.kind.itemsize
        got, written = port.values(written[:size]), written[size:]
        assert np.isfinite(expected).all()
        worst = max(worst, float(np.abs(got - expected).max() / max(np.abs(expected).max(), 1e-3)))
    assert not written
    return worst / TOLERANCE[is_double]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=CELLS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "run"
        sources = [ROOT / "tests/long/aarch64.cpp", ROOT / "cpp/level.cpp"]
        level = ["-DGW_LEVEL=baseline", "-DGW_BYTES=16", f"-I{ROOT / 'cpp'}"]
        subprocess.run([*COMPILER, *level, *sources, "-o", program], check=True)
        worst = 0.0
        for cell in options.cells:
            found = [differs(call, program, folder) for call in calls(cell)]
            worst = max(worst, *found)
            print(f"{cell:12} {len(found):3} calls, differences up to {max(found):.2f} of what is allowed", flush=True)
    sys.exit(worst > 1)


if __name__ == "__main__":
    main()
