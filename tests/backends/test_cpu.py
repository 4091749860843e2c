"""The compiled core against the reference: every cell, every level of this processor, odd sizes, threads."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise import LSTM, cells
from gatewise.backends import choose, cpu
from gatewise.backends.operations import TORCH
from gatewise.backends.operators import program_text
from gatewise.backends.plan import ROW_OPS
from gatewise.backends.scan import scan
from gatewise.cells import Cell
from gatewise.equations import TABLE, Step, matmul, parameter, rows, sigmoid, tanh, total, trace
from gatewise.equations.bytecode import OPCODES
from gatewise.errors import CellError
from tests.backends.plans import chosen, core
from tests.tolerance import assert_close

# T, B, X, H, P: less than a vector, not a multiple of one, more rows than a block, one of everything.
SHAPES = [(1, 1, 1, 2, 1), (5, 3, 3, 6, 2), (7, 13, 5, 34, 6), (3, 40, 20, 70, 18), (2, 2, 9, 16, 8)]


def compare(step: Step, shape: tuple[int, ...], dtype: torch.dtype, reverse: bool) -> None:
    """Outputs, final states and all gradients on both backends; without gradients as well."""
    steps, batch, features, hidden, projected = shape
    sizes = {"X": features, "H": hidden, "P": projected, "S": 3, "K": hidden // 2}
    results: list[list[Tensor]] = []
    for backend in ("reference", "cpu"):
        generator = torch.Generator().manual_seed(1)

        def normal(*size: int, generator: torch.Generator = generator) -> Tensor:
            return torch.randn(size, generator=generator, dtype=torch.float64)

        inputs = {}
        for name, leaf in step.inputs.items():
            drawn = normal(steps, batch, sizes[leaf.width] if leaf.width else 1)
            inputs[name] = {"x": drawn, "m": (drawn > 0).double()}.get(name, drawn.abs().cumsum(0)).to(dtype)
        parameters = {
            name: (normal(*(sizes[w] for w in p.shape)) / max(1, sizes[p.shape[-1]] if p.shape else 1) ** 0.5).to(dtype)
            for name, p in step.parameters.items()
        }
        states = {
            name: (normal(batch, sizes[str(leaf.width)]).abs() + 0.1).to(dtype) for name, leaf in step.states.items()
        }
        leaves = [inputs["x"], *parameters.values(), *states.values()]
        for leaf in leaves:
            leaf.requires_grad_()
        outputs, final = scan(
            step, inputs, parameters, states, emit=list(step.states), reverse=reverse, backend=backend
        )
        values = [*outputs.values(), *final.values()]
        total = sum(
            (value * torch.linspace(-1, 1, value.numel(), dtype=dtype).view_as(value)).sum() for value in values
        )
        assert isinstance(total, Tensor)
        gradients = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            plain, last = scan(step, inputs, parameters, states, reverse=reverse, backend=backend)
        results.append([*values, *gradients, *plain.values(), *last.values()])
    for want, got in zip(*results, strict=True):
        assert_close(got, want, steps)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", cells.list())
def test_every_cell_equals_the_reference(name: str, reverse: bool) -> None:
    core()
    for shape in SHAPES:
        compare(chosen(name).trace(), shape, torch.float64, reverse)
        # Two units normalised together are +1 and -1, or anything where they are nearly equal.
        if name != "layer-norm" or shape[3] > 2:
            compare(chosen(name).trace(), shape, torch.float32, reverse)


def test_the_core_knows_every_operation_by_the_same_number() -> None:
    """A program of one operation each, against the reference on the same numbers."""
    assert list(OPCODES)[3:] == list(TABLE)
    assert set(ROW_OPS) == set(rows.TABLE)
    from gatewise.equations.expr import pointwise

    for name, operation in TABLE.items():

        def step(x: Any, h: Any, name: str = name, arity: int = operation.arity) -> dict[str, Any]:
            operands = [x, 0.5 + h * h, x - h][:arity]
            return {"h": pointwise(name, *operands) + 0 * h}

        traced = trace("One", step, inputs={"x": "H"}, states={"h": "H"})
        x = torch.linspace(0.05, 3, 3 * 2 * 21, dtype=torch.float64).view(3, 2, 21)
        for dtype in (torch.float64, torch.float32):
            h = torch.full((2, 21), 0.3, dtype=dtype)
            want, _ = scan(traced, {"x": x.to(dtype)}, {}, {"h": h}, backend="reference")
            got, _ = scan(traced, {"x": x.to(dtype)}, {}, {"h": h}, backend="cpu")
            assert_close(got["h"], want["h"], 1, name)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "exp", "expm1", "softplus"])
def test_own_functions_are_exact_to_rounding_and_right_at_the_ends(name: str) -> None:
    from gatewise.equations.expr import pointwise

    step = trace("F", lambda x, h: {"h": pointwise(name, x + 0 * h)}, inputs={"x": "H"}, states={"h": "H"})
    ends = [0.0, -0.0, 1e-30, -1e-30, 88.0, -88.0, 200.0, -200.0, float("inf"), -float("inf"), float("nan")]
    x = torch.cat([torch.linspace(-20, 20, 20_001, dtype=torch.float64).float(), torch.tensor(ends)]).view(1, 1, -1)
    got = scan(step, {"x": x}, {}, {"h": torch.zeros(1, x.shape[2])}, backend="cpu")[0]["h"].flatten()
    want = TORCH[name](x.double()).flatten()
    ordinary = want.isfinite() & (want.abs() > 1e-35) & (want < 1e38)
    error = ((got.double() - want) / want)[ordinary].abs().max().item()
    assert error < 4 * torch.finfo(torch.float32).eps
    assert torch.equal(got.isnan(), want.isnan())
    big = want > 1e39
    assert (got[big] > 1e38).all()
    assert (got[(want.abs() <= 1e-35) & ~want.isnan()].abs() < 2e-35).all()


class Shifted(Cell):
    """States that take over one another's old values, two turns back; none of them is given out."""

    h, a, c, k = cells.State(), cells.State(), cells.State(), cells.State()

    def step(self, x, h, a, c, k):
        return {"h": tanh(matmul("W", x) + matmul("U", k) + h), "a": tanh(matmul("V", x) - a), "c": a, "k": c}


class OneGate(Cell):
    """One number for all units, computed from the state, and read where it is computed."""

    h = cells.State()

    def step(self, x, h):
        gate = sigmoid(0.5 * total(h) + parameter("b", None))
        return {"h": gate * h + (1 - gate) * tanh(matmul("W", x) + matmul("U", h))}


def test_one_number_for_all_units_comes_before_what_reads_it() -> None:
    for shape in SHAPES:
        compare(OneGate().trace(), shape, torch.float64, False)


def test_a_state_that_reaches_two_turns_back() -> None:
    for shape in SHAPES:
        for reverse in (False, True):
            compare(Shifted().trace(), shape, torch.float64, reverse)


def test_threads_share_the_batch_and_change_no_bit() -> None:
    step, threads = chosen("peephole").trace(), torch.get_num_threads()
    sizes = {"X": 40, "H": 96}
    x = torch.randn(30, 50, 40)
    parameters = {name: torch.randn([sizes[w] for w in p.shape]) / 10 for name, p in step.parameters.items()}
    states = {name: torch.zeros(50, 96) for name in step.states}
    found = []
    try:
        for count in (1, 2, 2):
            torch.set_num_threads(count)
            found.append(scan(step, {"x": x}, parameters, states, backend="cpu")[0]["h"])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[1], found[2])
    assert torch.equal(found[0], found[1])


LEVELS = """
import json, sys, torch
from gatewise import LSTM
from gatewise.backends import cpu
torch.manual_seed(0)
layer = LSTM(5, 19, 2, bidirectional=True, peephole=True, layer_norm=True)
x = torch.randn(6, 7, 5, requires_grad=True)
output = layer(x, lengths=[6, 3, 0, 1, 6, 2, 5])[0]
output.sin().sum().backward()
explained = layer.explain(x).splitlines()[1]
print(json.dumps([cpu.core.level(), explained, output.flatten().tolist(), x.grad.flatten().tolist()]))
"""


def in_a_process(level: str | None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "GATEWISE_CPU_LEVEL"}
    if level is not None:
        environment["GATEWISE_CPU_LEVEL"] = level
    return subprocess.run([sys.executable, "-c", LEVELS], env=environment, capture_output=True, text=True, check=False)


def test_every_level_of_this_processor() -> None:
    levels = core().levels()
    assert levels[-1] == "baseline"
    found = {level: json.loads(in_a_process(level).stdout) for level in levels}
    best = json.loads(in_a_process(None).stdout)
    assert best[0] == levels[0]
    for level, (name, explained, *values) in found.items():
        assert name == level
        assert explained.startswith("backend: cpu")
        for got, want in zip(values, best[2:], strict=True):
            assert_close(torch.tensor(got), torch.tensor(want), 6, level)


def test_an_unknown_level_is_refused() -> None:
    outcome = in_a_process("x86_64_v9")
    assert outcome.returncode != 0
    assert "GATEWISE_CPU_LEVEL=x86_64_v9 is no level of this processor and build; there is: " in outcome.stderr


def test_parameters_that_are_too_small_are_refused() -> None:
    """The operator is called with whatever an exported graph holds."""
    step = chosen("lstm").trace()
    sizes = {"X": 3, "H": 4}
    parameters = [torch.zeros([sizes[w] for w in p.shape]) for p in step.parameters.values()]
    states = [torch.zeros(2, 4) for _ in step.states]
    text = program_text(step, ("h",))
    scan_operator = torch.ops.gatewise.scan
    scan_operator(text, [torch.zeros(5, 2, 3)], parameters, states, False, False, "cpu")
    for k, name in enumerate(step.parameters):
        if k < len(parameters) - 3:  # sizes are taken from the last ones
            wrong = [*parameters[:k], parameters[k][:-1].clone(), *parameters[k + 1 :]]
            with pytest.raises(CellError, match=rf"the parameter \"{name}\" must have"):
                scan_operator(text, [torch.zeros(5, 2, 3)], wrong, states, False, False, "cpu")


def test_without_the_core_everything_runs_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    choose.cache_clear()
    monkeypatch.setattr(cpu, "core", None)
    layer = LSTM(3, 5, peephole=True, dtype=torch.float64)
    text = layer.explain(torch.zeros(9, 1, 3, dtype=torch.float64))
    assert "backend: reference" in text
    assert "cpu: cannot: the compiled core is not there: gatewise was installed without a C++ compiler" in text
    choose.cache_clear()
