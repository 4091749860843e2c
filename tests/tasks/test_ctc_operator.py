"""The loss in the compiled core: threads, levels, graphs, `torch.func`, and what the core refuses."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks.ctc_cases import draw
from tests.tolerance import assert_close
from torch import Tensor
from torch.func import grad, jacrev, vmap

from gatewise.backends import cpu
from gatewise.tasks.ctc import ctc_loss


def core() -> Any:
    assert cpu.core is not None, "the tests need the compiled core: install with a C++ compiler"
    return cpu.core


def loss_and_gradient(seed: int) -> tuple[Tensor, Tensor]:
    case = draw(seed, feasible=True)
    logits = case.logits.float().requires_grad_()
    losses = ctc_loss(logits, case.targets, case.input_lengths, case.target_lengths, case.blank, "none")
    losses.sum().backward()
    assert logits.grad is not None
    return losses.detach(), logits.grad


def test_threads_change_no_bit() -> None:
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3, 7):
            torch.set_num_threads(count)
            found.append([part for seed in range(40) for part in loss_and_gradient(seed)])
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_several_python_threads_at_once() -> None:
    want = [loss_and_gradient(seed) for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for got, expected in zip(pool.map(loss_and_gradient, range(16)), want, strict=True):
                assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


LEVELS = """
import json, torch
from gatewise.backends import cpu
from tests.tasks.test_ctc_operator import loss_and_gradient
found = [loss_and_gradient(seed) for seed in range(60)]
print(json.dumps([cpu.core.level(), [[part.flatten().tolist() for part in pair] for pair in found]]))
"""


def test_every_level_of_this_processor() -> None:
    want = [loss_and_gradient(seed) for seed in range(60)]
    for level in core().levels():
        environment = {**os.environ, "GATEWISE_CPU_LEVEL": level}
        outcome = subprocess.run(
            [sys.executable, "-c", LEVELS], env=environment, capture_output=True, text=True, check=True
        )
        name, found = json.loads(outcome.stdout)
        assert name == level
        for seed, (got, expected) in enumerate(zip(found, want, strict=True)):
            for part, other in zip(got, expected, strict=True):
                assert_close(torch.tensor(part).view_as(other), other, 40, f"{level}, case {seed}")


def pair() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    targets, inputs, lengths = torch.tensor([[1, 1, 2], [3, 9, 9]]), torch.tensor([6, 3]), torch.tensor([3, 1])
    return torch.randn(6, 2, 4, dtype=torch.float64), targets, inputs, lengths


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # torch's own compiler uses what it deprecates
def test_compiled_is_one_node_for_any_size() -> None:
    graphs: list[Any] = []

    def backend(graph: torch.fx.GraphModule, examples: Any) -> Any:
        from torch._dynamo.backends.debugging import aot_eager

        graphs.append(graph)
        return aot_eager(graph, examples)

    def eager(x: Tensor, targets: Tensor, inputs: Tensor, lengths: Tensor) -> Tensor:
        return ctc_loss(x.sin(), targets, inputs, lengths, label_smoothing=0.1)

    torch.compiler.reset()
    compiled = torch.compile(eager, backend=backend, fullgraph=True, dynamic=True)
    for steps, batch in ((5, 3), (8, 6)):  # no two sizes alike: torch would take them for one
        x = torch.randn(steps, batch, 4, requires_grad=True)
        targets, lengths = torch.randint(1, 4, (batch, 2)), torch.tensor([2, 1, 0, 2, 2, 1][:batch])
        parts = []
        for run in (eager, compiled):
            value = run(x, targets, torch.full((batch,), steps), lengths)
            parts.append([value, *torch.autograd.grad(value, x)])
        for want, got in zip(*parts, strict=True):
            assert_close(got, want, steps)
    nodes = [node for graph in graphs for node in graph.graph.nodes if "gatewise.ctc" in str(node.target)]
    assert len(nodes) == 1


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_operators_meet_torchs_own_checks() -> None:
    x, targets, inputs, lengths = pair()
    given = (x.requires_grad_(), targets, inputs, lengths, 0, 0.1, 0.2, True, True)
    torch.library.opcheck(torch.ops.gatewise.ctc.default, given)
    gradient, weights = torch.randn(6, 2, 4).double(), torch.randn(2).double().requires_grad_()
    torch.library.opcheck(torch.ops.gatewise.ctc_backward.default, (*given[:-2], gradient, weights))


def test_torch_func_of_first_and_second_order() -> None:
    x, targets, inputs, lengths = pair()

    def run(x: Tensor, targets: Tensor) -> Tensor:
        return ctc_loss(x, targets, inputs, lengths, blank_penalty=0.3)

    leaf = x.clone().requires_grad_()
    (want,) = torch.autograd.grad(run(leaf, targets), leaf)
    assert torch.equal(grad(run)(x, targets), want)
    second = torch.autograd.functional.hessian(lambda x: run(x, targets), x)
    assert isinstance(second, Tensor)
    found = jacrev(jacrev(run))(x, targets)
    assert isinstance(found, Tensor)
    assert_close(found, second, 6)


def test_vmap_folds_the_mapped_dimension_into_the_batch() -> None:
    x, targets, inputs, lengths = pair()
    xs = torch.stack([x, -x, 2 * x])
    many = torch.stack([targets, targets.flip(1) % 4, targets])
    many = torch.where(many == 0, 1, many)

    def run(x: Tensor, targets: Tensor) -> Tensor:
        return ctc_loss(x, targets, inputs, lengths)

    for wanted, dims in (((xs, targets), (0, None)), ((x, many), (None, 0)), ((xs, many), (0, 0))):
        each = [[t[k] if dim == 0 else t for t, dim in zip(wanted, dims, strict=True)] for k in range(3)]
        assert_close(vmap(run, dims)(*wanted), torch.stack([run(*one) for one in each]), 6)
        found = vmap(grad(run), dims)(*wanted)
        assert_close(found, torch.stack([grad(run)(*one) for one in each]), 6)
    flat = vmap(lambda x: ctc_loss(x, torch.tensor([1, 1, 2, 3]), inputs, lengths))(xs)
    assert_close(flat, torch.stack([run(x, targets) for x in xs]), 6)


def test_memory_of_the_gradient_is_only_taken_in_training() -> None:
    x, targets, inputs, lengths = pair()
    for training in (False, True):
        found = torch.ops.gatewise.ctc(x, targets, inputs, lengths, 0, 0.0, 0.0, True, training)
        assert found[1].numel() == training * x.numel()
    with pytest.raises(RuntimeError, match="called without training=True"):
        torch.ops.gatewise.ctc(x.requires_grad_(), targets, inputs, lengths, 0, 0.0, 0.0, True, False)[
            0
        ].sum().backward()


def ints(*values: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


GOOD = {
    "logits": np.zeros((4, 2, 3)),
    "input_lengths": ints(4, 2),
    "targets": ints(1, 2, 1),
    "offsets": ints(0, 2, 3),
    "blank": 0,
    "smoothing": 0.0,
    "penalty": 0.0,
    "result": np.zeros(2),
    "gradient": np.zeros((4, 2, 3)),
    "threads": 1,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": np.zeros((4, 2, 3), np.float16)}, "expected float32 or float64"),
        ({"logits": np.zeros((4, 3, 2)).transpose(0, 2, 1)}, "do not stand side by side"),
        ({"input_lengths": ints(4)}, "an input length for each sequence"),
        ({"input_lengths": ints(4, 5)}, "an input length is out of range"),
        ({"input_lengths": ints(4, -1)}, "an input length is out of range"),
        ({"offsets": ints(0, 3)}, "an offset more"),
        ({"offsets": ints(0, 2, 4)}, "do not span the targets"),
        ({"offsets": ints(1, 2, 3)}, "do not span the targets"),
        ({"offsets": ints(0, 4, 3)}, "offsets go back"),
        ({"targets": ints(1, 2, 3)}, "a target is no label"),
        ({"targets": ints(1, -1, 1)}, "a target is no label"),
        ({"targets": ints(1, 0, 1)}, "or the blank"),
        ({"blank": 3}, "the blank is no label"),
        ({"blank": -1}, "the blank is no label"),
        ({"result": np.zeros(3)}, "losses do not fit"),
        ({"result": np.zeros(2, np.float32)}, "losses do not fit"),
        ({"gradient": np.zeros((4, 2, 2))}, "the gradient does not fit"),
        ({"gradient": np.zeros((4, 2, 3), np.float32)}, "the gradient does not fit"),
    ],
)
def test_the_core_refuses_what_does_not_fit(change: dict[str, Any], message: str) -> None:
    core().ctc_losses(**GOOD)
    with pytest.raises(ValueError, match=message):
        core().ctc_losses(**GOOD | change)


def test_the_core_refuses_arrays_of_other_kinds() -> None:
    for change in ({"targets": np.zeros(3, np.int32)}, {"gradient": np.zeros((4, 3, 2)).transpose(0, 2, 1)}):
        with pytest.raises(TypeError):
            core().ctc_losses(**GOOD | change)
