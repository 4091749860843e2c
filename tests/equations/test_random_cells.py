"""The derived backward of cells that nobody chose, against torch's autograd."""

from collections import Counter

import torch
from hypothesis import HealthCheck, given, settings

from gatewise.backends.scan import scan
from gatewise.equations import TABLE, rows
from gatewise.equations.expr import topological
from gatewise.equations.text import dumps, loads
from tests.equations.plain_loop import loop
from tests.equations.random_cells import Example, examples

COUNT = 1000


def compare(example: Example) -> float:
    """The largest difference of values and gradients, relative to the larger of 1 and the largest value."""
    step, e = example.step, example
    learned = [t for group in (e.inputs, e.parameters, e.states) for t in group.values() if t.requires_grad]
    found = []
    for run in (scan, lambda *a, **k: loop(*a, sizes=e.sizes, **k)):
        outputs, final = run(step, e.inputs, e.parameters, e.states, emit=e.emit, reverse=e.reverse)
        values = [*(outputs[name] for name in e.emit), *(final[name] for name in step.states)]
        generator = torch.Generator().manual_seed(e.seed)
        loss = sum(0 * leaf.sum() for leaf in learned)  # a loss may depend on none of them
        for value in values:
            loss = loss + (value * torch.randn(value.shape, generator=generator, dtype=value.dtype)).sum()
        gradients = torch.autograd.grad(loss, learned, materialize_grads=True)
        found.append([*(value.detach() for value in values), *gradients])
    worst = 0.0
    for got, want in zip(*found, strict=True):
        assert got.shape == want.shape
        error = (got - want).abs().max() / max(1.0, float(want.abs().max()))
        worst = max(worst, float(error)) if error.isfinite() else float("inf")
    return worst


def test_the_derived_backward_of_random_cells_equals_autograd() -> None:
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
        kinks.update(["grid"] if all((2 * t % 1 == 0).all() for t in example.states.values()) else [])
        assert compare(example) <= 1e-9
        assert dumps(loads(dumps(example.step))) == dumps(example.step)

    run()
    # The draw is fixed; this says that it means something.
    rare = {
        name: used[name] for name in (*TABLE, *rows.TABLE, "matmul", "@valid", "@reset") if used[name] < COUNT // 100
    }
    assert not rare
    assert kinks["grid"] > COUNT // 5
