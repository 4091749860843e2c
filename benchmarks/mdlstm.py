"""Time of a multidimensional LSTM, forward and backward, against loops in torch operations: JSON lines.

    python benchmarks/mdlstm.py [--threads 1] [--repeats 5]

Two rivals with the same weights; the loop is checked against the layer in float64 before anything is timed. "loop" is
what one writes from the paper: position after position, the input's products for the whole image at once, one matrix
product a position, all four directions together in it, `unbind` and `stack` so that autograd is linear in the number of
positions. "diagonals" is the better idea: the same for whole anti-diagonals of a skewed image, which is our reference
backend. Runs are interleaved, the loop only `--loops` times since it takes long; the ratio is the median of ratios of
neighbours.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from gatewise import cells
from gatewise.nn import MDLSTM
from runner import emit, machine

SIZES = [(1, 64, 256, 1, 16), (1, 64, 256, 16, 16), (8, 32, 128, 1, 8)]  # B, R, C, X, H


def loop(layer: MDLSTM, images: Tensor) -> Tensor:
    """The stable cell without peepholes, position after position, in all four directions at once."""
    batch, rows, columns, features = images.shape
    hidden = layer.hidden_size
    turned = torch.stack([images, images.flip(1), images.flip(2), images.flip(1, 2)])  # [D, B, R, C, X]
    w, recurrent = layer.weights.transpose(1, 2).split([features, 2 * hidden], 1)
    net_x = (turned.flatten(1, 3) @ w + layer.vectors.flatten(1)[:, None]).view(4, batch, rows, columns, 5 * hidden)
    zero = images.new_zeros(4, batch, hidden)
    above = [(zero, zero)] * columns
    outputs = []
    for line in net_x.unbind(2):
        left = (zero, zero)
        for column, x in enumerate(line.unbind(2)):
            (h_up, c_up), (h_left, c_left) = above[column], left
            nets = torch.baddbmm(x, torch.cat([h_up, h_left], -1), recurrent)
            i, f, mix = nets[..., : 3 * hidden].sigmoid().chunk(3, -1)
            c = f * torch.lerp(c_left, c_up, mix) + i * nets[..., 3 * hidden : 4 * hidden].tanh()
            h = nets[..., 4 * hidden :].sigmoid() * c.tanh()
            above[column] = left = (h, c)
            outputs.append(h)
    found = torch.stack(outputs, 2).view(4, batch, rows, columns, hidden).unbind(0)
    straight = [found[0], found[1].flip(1), found[2].flip(2), found[3].flip(1, 2)]
    return torch.cat(straight, -1)


def step(run: Callable[[Tensor], Tensor], images: Tensor, layer: MDLSTM) -> Callable[[], list[Tensor]]:
    def call() -> list[Tensor]:
        found = run(images)
        return [found.detach(), *torch.autograd.grad(found.sum(), [images, layer.weights, layer.vectors])]

    return call


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measured(size: tuple[int, int, int, int, int], repeats: int, loops: int) -> dict[str, object]:
    batch, rows, columns, features, hidden = size
    torch.manual_seed(0)
    ours = MDLSTM(features, hidden, cell=cells.MDLSTM("stable"), backend="cpu")
    slow = MDLSTM(features, hidden, cell=cells.MDLSTM("stable"), backend="reference")
    slow.load_state_dict(ours.state_dict())
    images = torch.randn(batch, rows, columns, features, requires_grad=True)
    exact, small = MDLSTM(features, hidden, dtype=torch.float64), images[:, :6, :9].detach().double().requires_grad_()
    for got, want in zip(step(lambda x: loop(exact, x), small, exact)(), step(exact, small, exact)(), strict=True):
        assert torch.allclose(got, want, atol=1e-10), "the loop computes something else"
    contenders = {
        "gatewise": step(ours, images, ours),
        "diagonals": step(slow, images, slow),
        "loop": step(lambda x: loop(ours, x), images, ours),
    }
    contenders["gatewise"](), contenders["diagonals"]()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    ratios: dict[str, list[float]] = {"diagonals": [], "loop": []}
    for repeat in range(repeats):
        for name in ("diagonals", "loop"):
            if name == "loop" and repeat >= loops:
                continue
            before = seconds(contenders["gatewise"])
            rival = seconds(contenders[name])
            after = seconds(contenders["gatewise"])
            times["gatewise"] += [before, after]
            times[name].append(rival)
            ratios[name].append(rival / ((before + after) / 2))
    with torch.no_grad():
        inference = [seconds(lambda: ours(images)) for _ in range(2 * repeats)]
    return {
        "case": "mdlstm",
        "size": dict(zip(("B", "R", "C", "X", "H"), size, strict=True)),
        "ms": {name: 1e3 * statistics.median(values) for name, values in times.items()},
        "ms_inference": 1e3 * statistics.median(inference),
        "ratios": {name: statistics.median(values) for name, values in ratios.items()},
        "repeats": {name: len(values) for name, values in times.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--loops", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    emit(machine(options.threads))
    for size in SIZES:
        emit(measured(size, options.repeats, options.loops))


if __name__ == "__main__":
    main()
