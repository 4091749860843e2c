"""The derived backward of cells that nobody chose, against torch's autograd."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from gatewise.backends import cpu
from gatewise.backends.scan import scan
from gatewise.equations import TABLE, rows
from gatewise.equations.expr import topological
from gatewise.equations.grad import derive
from gatewise.equations.text import dumps, loads
from tests.equations.plain_loop import loop
from tests.equations.random_cells import Example, examples

COUNT = 1000


def results(example: Example, run: Callable[..., Any]) -> list[torch.Tensor]:
    """Values over time, final states, and the gradients of a random loss with respect to everything."""
    step, e = example.step, example
    learned = [t for group in (e.inputs, e.parameters, e.states) for t in group.values() if t.requires_grad]
    outputs, final = run(step, e.inputs, e.parameters, e.states, emit=e.emit, reverse=e.reverse)
    values = [*(outputs[name] for name in e.emit), *(final[name] for name in step.states)]
    generator = torch.Generator().manual_seed(e.seed)
    loss = sum(0 * leaf.sum() for leaf in learned)  # a loss may depend on none of them
    for value in values:
        loss = loss + (value * torch.randn(value.shape, generator=generator, dtype=value.dtype)).sum()
    gradients = torch.autograd.grad(loss, learned, materialize_grads=True)
    return [*(value.detach() for value in values), *gradients]


def worst(got: list[torch.Tensor], want: list[torch.Tensor]) -> float:
    """The largest difference, relative to the larger of 1 and the largest value."""
    found = 0.0
    for a, b in zip(got, want, strict=True):
        assert a.shape == b.shape
        error = (a - b).abs().max() / max(1.0, float(b.abs().max()))
        found = max(found, float(error)) if error.isfinite() else float("inf")
    return found


def test_the_derived_backward_of_random_cells_equals_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    """In torch operations, and in the compiled core with everything that it can take over."""
    assert cpu.core is not None
    compiled = partial(scan, backend="cpu")
    used: Counter[str] = Counter()
    kinks: Counter[str] = Counter()

    @settings(
        max_examples=COUNT,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(examples())
    def run(example: Example) -> None:
        used.update(
            {node.op for node in topological([*example.step.observed.values(), *example.step.updates.values()])}
        )
        used.update({name for name in example.step.inputs if name.startswith("@")})
        matrices = [term.parameter for term in derive(example.step, example.emit).sums if term.operand is not None]
        used.update({"products": bool(matrices), "tied": len(set(matrices)) < len(matrices)})
        kinks.update(["grid"] if all((2 * t % 1 == 0).all() for t in example.states.values()) else [])
        plain = results(example, lambda *given, **more: loop(*given, sizes=example.sizes, **more))
        assert worst(results(example, scan), plain) <= 1e-9
        assert worst(results(example, compiled), plain) <= 1e-9
        assert dumps(loads(dumps(example.step))) == dumps(example.step)

    run()
    # The draw is fixed; this says that it means something.
    rare = {
        name: used[name] for name in (*TABLE, *rows.TABLE, "matmul", "@valid", "@reset") if used[name] < COUNT // 100
    }
    assert not rare
    assert kinks["grid"] > COUNT // 5
    assert used["products"] > COUNT // 3
    assert used["tied"] > COUNT // 20
