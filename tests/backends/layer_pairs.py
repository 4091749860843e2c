"""Layers in the compiled core by the short way, and the same layers on the reference."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gatewise import GRU, LSTM, RNN, Recurrent, cells
from tests.backends.plans import chosen
from tests.tolerance import assert_close

X, H = 3, 5
WIDTHS = {"P": 2, "S": 2}
SIZES: dict[str | None, int] = {"X": X, "Q": 2, **WIDTHS, None: 1}

UNSQUASHED = (cells.get("slstm"), cells.get("odyssey-niaf"))  # cells that use a net input as it is

Make = Callable[..., Any]  # of a layer, from further arguments


def recurrent(name: str) -> Make:
    """Layers of a published cell; one of two widths, for cells with blocks."""

    def make(**more: Any) -> Recurrent:
        cell = chosen(name)
        widths = {width: WIDTHS[width] for width in sorted(cell.trace().widths() & WIDTHS.keys())}
        return Recurrent(cell, X, 6 if name == "lstm-1997" else H, widths=widths, **more)

    return make


CELLS: dict[str, Make] = {name: recurrent(name) for name in cells.list()}
FORMS: dict[str, Make] = {
    "LSTM": lambda **more: LSTM(X, H, **more),
    "LSTM without bias": lambda **more: LSTM(X, H, bias=False, **more),
    "projected LSTM": lambda **more: LSTM(X, H, proj_size=2, **more),
    "normalised peephole LSTM": lambda **more: LSTM(X, H, peephole=True, layer_norm=True, **more),
    "blocks with gate recurrence": lambda **more: LSTM(
        X, 6, forget_gate=False, cells_per_block=2, gate_recurrence=True, **more
    ),
    "gate recurrence without biases": lambda **more: LSTM(X, H, bias=False, gate_recurrence=True, **more),
    "GRU": lambda **more: GRU(X, H, **more),
    "Cho's GRU": lambda **more: GRU(X, H, reset_after=False, **more),
    "RNN": lambda **more: RNN(X, H, nonlinearity="relu", **more),
}


def pair(make: Make, dtype: torch.dtype, **more: Any) -> tuple[Any, Any]:
    """On the reference and in the core, with the same parameters, learned states not at 0."""
    torch.manual_seed(0)
    reference = make(dtype=dtype, backend="reference", **more)
    with torch.no_grad():
        for name, value in reference.named_parameters():
            if name.startswith("initial_"):
                value.copy_(torch.randn_like(value).abs())
    layer = make(dtype=dtype, backend="cpu", **more)
    layer.load_state_dict(reference.state_dict())
    return reference, layer


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def further(layer: Any, steps: int, batch: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """What else the cells read over time."""
    found: dict[str, Tensor] = {}
    for cell in layer.cells:
        for name, leaf in cell.trace().inputs.items():
            if name != "x":
                drawn = normal(steps, batch, SIZES[leaf.width], seed=len(name))
                found[name] = ((drawn > 0).double() if name == "m" else drawn.abs().cumsum(0)).to(dtype)
    return found


def states(layer: Any, batch: int, dtype: torch.dtype) -> Any:
    """States before the first step, positive ones, in the form that the layer takes."""
    if isinstance(layer, Recurrent):
        return [
            {
                name: normal(layer.directions, batch, sizes[str(leaf.width)], seed=len(name) + k, dtype=dtype).abs()
                for name, leaf in cell.trace().states.items()
            }
            for k, (cell, sizes) in enumerate(zip(layer.cells, layer._sizes, strict=True))
        ]
    count = len(layer.scans)
    step, sizes = layer.cell.trace(), layer._sizes[0]
    found = [
        normal(count, batch, sizes[str(leaf.width)], seed=k, dtype=dtype).abs()
        for k, leaf in enumerate(step.states.values())
    ]
    return found[0] if len(found) == 1 else tuple(found)


def flat(value: Any) -> list[Tensor]:
    """All tensors in tuples, lists and mappings, in order."""
    if isinstance(value, Tensor):
        return [value]
    items = value.values() if isinstance(value, Mapping) else value
    return [tensor for item in items for tensor in flat(item)]


def nodes(*results: Tensor) -> set[str]:
    """The names of all nodes behind results in the graph of autograd."""
    found: set[str] = set()
    seen: set[Any] = set()
    left: list[Any] = [result.grad_fn for result in results]
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            found.add(type(node).__name__)
            left += [following for following, _ in node.next_functions]
    return found


SHORT = "LayerScanBackward"  # the node of the short way


def weighted(results: list[Tensor], seed: int = 9) -> Tensor:
    """A number that depends on every finite element of results, on each by another factor."""
    total = torch.zeros((), dtype=results[0].dtype)
    for k, result in enumerate(results):
        total = total + (finite(result) * normal(*result.shape, seed=seed + k, dtype=result.dtype)).sum()
    return total


def finite(value: Tensor) -> Tensor:
    """0 in the place of infinity, at which sLSTM's stabiliser begins."""
    return torch.where(value.isinf(), torch.zeros_like(value), value)


def compare(
    make: Make,
    dtype: torch.dtype,
    steps: int = 6,
    batch: int = 4,
    *,
    given: bool = False,
    arguments: Mapping[str, Any] | None = None,
    x: Tensor | None = None,
    training: bool = True,
    slack: int = 1,
    **call: Any,
) -> None:
    """Outputs, states, and the gradients of everything, in the core and on the reference; and without gradients.

    Args:
        make: the layers.
        dtype: of everything.
        steps: T.
        batch: B.
        given: give states before the first step.
        arguments: of the layers.
        x: the input, by default `[T, B, X]`.
        training: the layers' mode.
        slack: how many times the usual tolerance is allowed.
        call: further arguments of the call.
    """
    results: list[list[Tensor]] = []
    for layer in pair(make, dtype, **(arguments or {})):
        layer.train(training)
        inputs = further(layer, steps, batch, dtype)
        before = states(layer, batch, dtype) if given else None
        mine = (normal(steps, batch, X, seed=1, dtype=dtype) if x is None else x.to(dtype)).requires_grad_()
        own = flat([[] if before is None else before, [value for name, value in inputs.items() if name != "m"]])
        leaves = [mine, *(leaf.requires_grad_() for leaf in own), *layer.parameters()]
        output, last = layer(mine, before, **inputs, **call)
        values = [output, *flat(last)]
        assert (SHORT in nodes(*values)) == (layer.backend == "cpu")
        gradients = torch.autograd.grad(weighted(values), leaves, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            again = flat(layer(mine, before, **inputs, **call))
        for one, other in zip(values, again, strict=True):
            # The same bits with gradients and without; but products that are saved themselves are summed apart.
            if isinstance(layer, Recurrent) and isinstance(layer.cells[0], UNSQUASHED):
                assert_close(finite(one), finite(other), steps)
            else:
                assert torch.equal(one, other)
        results.append([*values, *gradients])
    for want, got in zip(*results, strict=True):
        assert_close(finite(got), finite(want), slack * max(steps, 32))
        assert torch.equal(got.isinf(), want.isinf())
