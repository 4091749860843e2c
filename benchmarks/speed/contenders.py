"""Those that take part: layers of ours, torch's, onnxruntime, loops."""

import re
from typing import Any

import torch

from benchmarks.speed import loops, onnx_lstm
from benchmarks.speed.accuracy import SAME_FUNCTION, Values
from benchmarks.speed.case import Contender
from benchmarks.speed.problem import Problem, Task
from gatewise import LSTM
from gatewise.errors import ConfigurationError

TORCH, ONNX = "torch.nn.LSTM", "onnxruntime"
EAGER, SCRIPTED, COMPILED_STEP, COMPILED = "eager loop", "scripted loop", "compiled step", "compiled loop"
UNROLLED = 32  # T up to which a whole loop is compiled: the time of compiling grows with T, 15 s and more at 32


def ours(problem: Problem, name: str = "gatewise", backend: str = "auto") -> Contender:
    """A layer of ours, which has to be as accurate as `accuracy` asks for."""
    layer: Any = problem.layer(backend)
    task = problem.task(problem.forward(layer), dict(layer.named_parameters()))
    with problem.mode():
        told = re.search(r"^backend: (\S+)", layer.explain(problem.x, problem.lengths), re.MULTILINE)
    return Contender(name, task, problem.standard, backend=told[1] if told else None)


def packed(problem: Problem, name: str) -> Contender:
    """A layer of ours for inference alone, whose weights are packed once."""
    made: Any = problem.layer("auto")
    layer = made.narrowed("fp32")
    return Contender(name, problem.task(problem.forward(layer), {}), problem.standard)


def torchs(problem: Problem) -> Contender:
    """torch's LSTM; ragged sequences are packed for it and its outputs padded, within the time."""
    layer = problem.torch_layer()
    task = problem.task(problem.torch_forward(layer), dict(layer.named_parameters()))
    return Contender(TORCH, task, problem.standard, SAME_FUNCTION)


def onnxruntimes(problem: Problem, threads: int) -> Contender:
    """One LSTM node; arrays go in and come out without being copied."""
    batch, steps, hidden = problem.point
    session = onnx_lstm.session(problem.weights, (steps, batch, hidden), threads, states=False)
    fed = {"x": problem.x.numpy()}

    def values() -> Values:
        y, h, c = (torch.from_numpy(value) for value in session.run(None, fed))
        return {"output": y.squeeze(1), "h": h, "c": c}

    return Contender(ONNX, Task(lambda: session.run(None, fed), values), problem.standard, SAME_FUNCTION)


def loop(problem: Problem, name: str = EAGER) -> Contender:
    """A loop over torch operations: eager, scripted, with a compiled step, or compiled as a whole."""
    chosen = problem.kind.loop
    if chosen is None:
        raise ValueError(f"expected a cell with a loop in benchmarks.speed.loops, got {problem.kind.name}")
    warmups, prepare = 3, None
    if name == SCRIPTED:
        chosen, warmups = torch.jit.script(chosen), 8  # the first calls are interpreted and profiled
    elif name == COMPILED_STEP:
        chosen = loops.peephole(torch.compile(loops.peephole_step, dynamic=False))
    elif name == COMPILED:
        chosen = torch.compile(chosen, dynamic=False)
    task = problem.looped(chosen)
    if name in (COMPILED, COMPILED_STEP):
        torch.compiler.reset()  # else a function is compiled for a handful of shapes and then no more
        prepare = task.call
    return Contender(name, task, problem.standard, SAME_FUNCTION, prepare=prepare, warmups=warmups)


def no_core() -> str | None:
    """Why backend="cpu" cannot run, or None."""
    try:
        LSTM(1, 1, backend="cpu").explain(torch.zeros(1, 1, 1))
    except ConfigurationError as error:
        return str(error)
    return None
