"""One step at a time: T = 1, B = 1, the state carried on."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

import gatewise.nn
from benchmarks.speed import onnx_lstm
from benchmarks.speed.accuracy import SAME_FUNCTION, Values
from benchmarks.speed.case import Case, Comparison, Contender, Settings, Target
from benchmarks.speed.contenders import ONNX, TORCH
from benchmarks.speed.points import Point, points
from benchmarks.speed.problem import Problem, Task

OURS, CELL, BOUND = "gatewise stream", "torch.nn.LSTMCell", "onnxruntime, bound memory"
STEPS = 32  # that are compared with the truth

Step = Callable[[Tensor], Tensor]  # x [1, H] -> h [1, H], with a state of its own that begins at 0


def _missing() -> str | None:
    return None if hasattr(gatewise.nn, "Stream") else "gatewise.nn has no Stream"


def _ours(problem: Problem, _: int) -> Step:
    layer: Any = problem.layer("cpu")
    return layer.stream(batch=1).step


def _layer(problem: Problem, _: int) -> Step:
    layer, states = problem.torch_layer(), None

    def step(x: Tensor) -> Tensor:
        nonlocal states
        output, states = layer(x[None], states)
        return output[0]

    return step


def _cell(problem: Problem, _: int) -> Step:
    hidden = problem.point.hidden
    cell = nn.LSTMCell(hidden, hidden)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in problem.weights.items()})
    states = None

    def step(x: Tensor) -> Tensor:
        nonlocal states
        states = cell(x, states)
        return states[0]

    return step


def _onnx(problem: Problem, threads: int) -> Step:
    hidden = problem.point.hidden
    session = onnx_lstm.session(problem.weights, (1, 1, hidden), threads, states=True)
    h = c = torch.zeros(1, 1, hidden).numpy()

    def step(x: Tensor) -> Tensor:
        nonlocal h, c
        h, c = session.run(["y_h", "y_c"], {"x": x[None].numpy(), "h": h, "c": c})
        return torch.from_numpy(h)[0]

    return step


def _bound(problem: Problem, threads: int) -> Step:
    """States stay where they are: each call reads those that the one before wrote."""
    hidden = problem.point.hidden
    session = onnx_lstm.session(problem.weights, (1, 1, hidden), threads, states=True)
    x_now = torch.zeros(1, 1, hidden)
    old, new = ({name: torch.zeros(1, 1, hidden) for name in onnx_lstm.STATES} for _ in range(2))
    ways: list[tuple[Any, dict[str, Tensor]]] = []  # the tensors are kept, since bindings hold addresses alone
    for before, after in ((old, new), (new, old)):
        binding = session.io_binding()
        for name, value in {"x": x_now, **before}.items():
            binding.bind_input(name, "cpu", 0, "float32", list(value.shape), value.data_ptr())
        for name, value in after.items():
            binding.bind_output(f"y_{name}", "cpu", 0, "float32", list(value.shape), value.data_ptr())
        ways.append((binding, after))
    turn = 0

    def step(x: Tensor) -> Tensor:
        nonlocal turn
        x_now.copy_(x[None])
        binding, after = ways[turn]
        session.run_with_iobinding(binding)
        turn = 1 - turn
        return after["h"][0]

    return step


RIVALS: Mapping[str, Callable[[Problem, int], Step]] = {TORCH: _layer, CELL: _cell, ONNX: _onnx, BOUND: _bound}


def rivals(point: Point, settings: Settings) -> list[Contender]:
    """All but ours."""
    return [_contender(name, make, _problem(point, settings), settings, SAME_FUNCTION) for name, make in RIVALS.items()]


def _streams(point: Point, settings: Settings) -> list[Contender]:
    return [_contender(OURS, _ours, _problem(point, settings), settings), *rivals(point, settings)]


def _problem(point: Point, settings: Settings) -> Problem:
    """A sequence of which each call reads the first step; all of it is compared with the truth."""
    return Problem(Point(1, STEPS, point.hidden), training=False, seed=settings.seed)


def _contender(
    name: str, make: Callable[[Problem, int], Step], problem: Problem, settings: Settings, bound: float | None = None
) -> Contender:
    step, x = make(problem, settings.threads), problem.x[0]

    def values() -> Values:
        fresh = make(problem, settings.threads)
        return {"output": torch.stack([fresh(x).clone() for x in problem.x])}

    return Contender(name, Task(lambda: step(x), values), problem.standard.only("output"), bound)


CASES = (
    Case(
        "streaming",
        "Streaming",
        "One step of one sequence: `layer.stream(batch=1).step(x)` against layers that are handed their states and "
        "return them. With bound memory, onnxruntime writes its states where it reads them at the next step.",
        points("1/1/32", "1/1/128", "1/1/256"),
        _streams,
        (
            Comparison("streaming step vs torch.nn.LSTM", OURS, (TORCH,), targets={1: Target(8, 15, 25)}),
            Comparison("streaming step vs torch.nn.LSTMCell", OURS, (CELL,), targets={1: Target(3, 5, 8)}),
            Comparison("streaming step vs onnxruntime", OURS, (ONNX,), targets={1: Target(2, 3, 4)}),
            Comparison("streaming step vs onnxruntime, bound memory", OURS, (BOUND,)),
        ),
        training=False,
        threads=(1,),
        missing=_missing,
    ),
)
