"""Training of LSTM variants on the CPU: against an eager loop, the reference, and the plain LSTM on the same backend.

    OMP_NUM_THREADS=1 python benchmarks/variants.py [--repeats 15]

Interleaved repeats, medians of paired ratios with their quartiles, one JSON line for each point. The eager loop is
written as well as one can in torch (one product for all gates, `unbind` in place of indexing). A ratio is given only
where outputs and gradients agree.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gatewise import LSTM
from gatewise.nn.layout import Layout

POINTS = [(1, 1000, 32), (8, 32, 64), (32, 32, 128), (32, 256, 128), (32, 32, 512)]  # B, T, H
TOLERANCE = 2e-4


class Eager(nn.Module):
    """A peephole or layer-normed LSTM as a loop in torch, on the parameters of one of ours."""

    def __init__(self, layer: LSTM) -> None:
        super().__init__()
        self.stored = nn.ParameterDict({key: nn.Parameter(v.detach().clone()) for key, v in layer.stored(0).items()})
        self.layout: Layout = layer._layouts[0]
        self.norm = "gain_c" in self.stored

    def forward(self, x: Tensor) -> Tensor:
        p = self.layout.unpack({key: self.stored[key] for key in self.layout.shapes})
        gates = "ifzo"
        w, u, b = (torch.cat([p[f"{letter}_{gate}"] for gate in gates]) for letter in "WUb")
        h = x.new_zeros(x.shape[1], u.shape[1])
        c, outputs, size = h, [], u.shape[1]
        if self.norm:
            gain_w, gain_u = (torch.cat([p[f"gain_{letter}_{gate}"] for gate in gates]) for letter in "WU")
            projected = nn.functional.layer_norm(x @ w.t(), (4 * size,), gain_w, b)
        else:
            projected = nn.functional.linear(x, w, b)
        ut = u.t()
        for net in projected.unbind(0):
            if self.norm:
                net = net + nn.functional.layer_norm(h @ ut, (4 * size,), gain_u)
                i, f, z, o = net.chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(z)
                h = torch.sigmoid(o) * torch.tanh(nn.functional.layer_norm(c, (size,), p["gain_c"], p["shift_c"]))
            else:
                i, f, z, o = torch.addmm(net, h, ut).chunk(4, 1)
                i, f = torch.sigmoid(i + p["p_i"] * c), torch.sigmoid(f + p["p_f"] * c)
                c = f * c + i * torch.tanh(z)
                h = torch.sigmoid(o + p["p_o"] * c) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs)


def step(run: Callable[[Tensor], Tensor], x: Tensor) -> float:
    start = time.perf_counter()
    run(x).sum().backward()
    return time.perf_counter() - start


def agree(first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Outputs and the input's gradient within tolerance of their largest value."""
    results = []
    for run in (first, second):
        given = x.clone().requires_grad_()
        output = run(given)
        results.append((output.detach(), torch.autograd.grad(output.sin().sum(), given)[0]))
    return all(float((a - b).abs().max()) <= TOLERANCE * float(b.abs().max()) for a, b in zip(*results, strict=True))


def point(name: str, batch: int, steps: int, width: int, repeats: int) -> dict[str, object]:
    torch.manual_seed(0)
    switches = {"peephole": {"peephole": True}, "layer_norm": {"layer_norm": True}}[name]
    ours = LSTM(width, width, **switches)
    reference = LSTM(width, width, **switches, backend="reference")
    reference.load_state_dict(ours.state_dict())
    plain, eager = LSTM(width, width, backend="cpu"), Eager(ours)
    x = torch.randn(steps, batch, width)
    rivals: dict[str, Callable[[Tensor], Tensor]] = {
        "eager": eager,
        "reference": lambda given: reference(given)[0],
        "plain": lambda given: plain(given)[0],
    }

    def run(given: Tensor) -> Tensor:
        return ours(given)[0]

    times: dict[str, list[float]] = {key: [] for key in ("ours", *rivals)}
    for _ in range(repeats + 2):
        times["ours"].append(step(run, x))
        for key, rival in rivals.items():
            times[key].append(step(rival, x))
    found: dict[str, object] = {"what": name, "B": batch, "T": steps, "H": width}
    found["backend"] = ours.explain(x).splitlines()[1].split()[1]
    found["us"] = round(1e6 * statistics.median(times["ours"][2:]))
    for key, rival in rivals.items():
        if key != "plain" and not agree(run, rival, x):
            found[f"{key}_over_ours"] = None
            continue
        ratios = sorted(a / b for a, b in zip(times[key][2:], times["ours"][2:], strict=True))
        quartiles = statistics.quantiles(ratios, n=4)
        found[f"{key}_over_ours"] = [round(value, 2) for value in (quartiles[1], quartiles[0], quartiles[2])]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    print(json.dumps({"machine": platform.processor() or platform.machine(), "torch": torch.__version__,
                      "threads": torch.get_num_threads(), "repeats": repeats}))  # fmt: skip
    for name in ("peephole", "layer_norm"):
        for batch, steps, width in POINTS:
            print(json.dumps(point(name, batch, steps, width, repeats)), flush=True)


if __name__ == "__main__":
    main()
