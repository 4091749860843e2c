"""The `cpu` backend: schedules in the compiled core.

The core (`cpp/`) executes any schedule: products of packed matrices, the pointwise program that follows on a block of
units that stays in the nearest cache, operations that mix units, sums over time. It knows nothing of cells or
derivatives.

Legend: T steps, B batch, w the width of a vector.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from gatewise.backends.call import Call
from gatewise.backends.plan import Plan, own_places, plan, without_sums
from gatewise.backends.reference import Constants, Executed, summed
from gatewise.cells import LSTM
from gatewise.equations.expr import Expr
from gatewise.equations.schedule import Schedule
from gatewise.errors import CellError, ConfigurationError


def _load() -> ModuleType | None:
    """The compiled core; None where gatewise was installed without a C++ compiler.

    Raises:
        ConfigurationError: the environment variable GATEWISE_CPU_LEVEL names a level that this processor does not have.
    """
    # By name: an import statement would load `gatewise` itself, which is above this room.
    if find_spec("gatewise._core") is None:
        return None
    module = import_module("gatewise._core")
    try:
        module.level()
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    module.know(Tensor, torch.nn.Parameter)
    return module


core = _load()

DTYPES = (torch.float32, torch.float64)
# How weights may be stored in packed matrices, with the core's number for it. None: as they are computed with, packed
# for each call that is not a stream's.
WEIGHTS: dict[str | None, int] = {None: 0, "fp32": 0, "bf16": 1, "int8": 2}
# Below this many multiplications a second thread costs more than it brings: measured on 2 cores.
WORTH_A_THREAD = 400_000
# Threads share the units of all sequences, and not the sequences, where there are few of those, or where the loop's
# matrices are too large for one thread's cache.
FEW_SEQUENCES, MANY_WEIGHTS = 8, 4 * 256 * 256
# From so many bytes on, memory that the system hands out anew costs more than a tensor made outside of torch.
WORTH_LENDING = 1 << 20


def supports(call: Call) -> str | None:
    """None if this backend can run the call, otherwise the reason why not."""
    if core is None:
        return "the compiled core is not there: gatewise was installed without a C++ compiler"
    if call.device != "cpu":
        return f"the compiled core runs on CPUs, not on {call.device}"
    if call.dtype not in DTYPES:
        return f"the compiled core computes in float32 and float64, not in {str(call.dtype).removeprefix('torch.')}"
    if call.weights is not None and call.dtype != torch.float32:
        return f"weights stored as {call.weights} are computed with in float32 only"
    return None


def slower_than_torch(call: Call) -> str | None:
    """Why torch's fused call is the better choice where both can run the call; None where it is not.

    Measured on an AVX-512 machine over the grid of `benchmarks/speed`, for the LSTM: torch took 0.88 to 0.96 of the
    core's time where many sequences meet large matrices and there are few steps, and was slower elsewhere.
    """
    hidden = dict(call.sizes).get("H", 0)
    if type(call.cell) is LSTM and not call.ragged and call.batch >= 128 and hidden >= 128 and call.steps <= 64:
        return "torch was measured to be faster from 128 sequences of at most 64 steps and 128 units on"
    return None


def execute(
    schedule: Schedule,
    given: Mapping[Expr, Tensor],
    parameters: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    sizes: Mapping[str, int],
    *,
    shape: tuple[int, int],
    backwards: bool = False,
    groups: int | None = None,
) -> Executed:
    """Run a schedule over a batch of sequences; see `gatewise.backends.reference.execute`."""
    steps, batch = shape
    example = next(iter([*states.values(), *given.values(), *parameters.values()]))
    wanted = len(schedule.results)
    sums = schedule.sums
    if groups is not None:  # each group's sums are taken from what they read
        schedule = without_sums(schedule)
    made = plan(core, schedule, tuple(sorted(sizes.items())), example.dtype == torch.float64, own_places(parameters))
    results = {node: example.new_empty(steps, batch, sizes[node.width] if node.width else 1) for node in made.results}
    final = {name: torch.empty_like(state, memory_format=torch.contiguous_format) for name, state in states.items()}
    gradients = [
        parameter.new_empty(parameter.shape) if name in made.summed and batch else parameter.new_zeros(parameter.shape)
        for name, parameter in parameters.items()
    ]
    if batch > 0:
        for name, (leaf, _) in schedule.carried.items():
            _fits(leaf, states[name], sizes, shape[1:], example)
        for node in made.streams:
            _fits(node, given[node], sizes, shape, example)
        for (name, parameter), elements in zip(parameters.items(), made.core.needs[2], strict=False):
            if parameter.numel() < elements:
                raise CellError(
                    f'the parameter "{name}" must have at least {elements} elements, got shape {list(parameter.shape)}'
                )
        streams = [unit_stride(given[node].detach()) for node in made.streams]
        begin = [unit_stride(state.detach()) for state in states.values()]
        weights = [parameter.detach().contiguous() for parameter in parameters.values()]
        ports = addresses(made, streams, begin, weights, list(results.values()), list(final.values()), gradients)
        execute_plans([made], [ports], [backwards], shape)
    values = [results[node] for node in schedule.results]
    if groups is None:
        found = {name: gradients[k] for k, name in enumerate(parameters) if name in made.summed}
        return Executed(values, final, found)
    over_time = {**given, **results}
    return Executed(
        values[:wanted], final, summed(sums, over_time, Constants(parameters, example), shape, sizes, groups)
    )


def addresses(
    made: Plan,
    streams: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    results: Sequence[Tensor],
    final: Sequence[Tensor],
    gradients: Sequence[Tensor],
) -> list[int]:
    """What the core is told of the tensors of a call: addresses and strides, in the order of its ports.

    Args:
        made: the plan.
        streams: `[T, B, w]`, or `[B, w]` what has no time.
        states: `[B, w]`, before the first turn.
        parameters: contiguous.
        results: `[T, B, w]`.
        final: `[B, w]`.
        gradients: as the parameters.
    """
    ports: list[int] = []
    for tensor in streams:
        time = tensor.stride(0) if tensor.dim() == 3 else 0
        ports += (tensor.data_ptr(), time, tensor.stride(-2))
    for tensor in states:
        ports += (tensor.data_ptr(), tensor.stride(0))
    ports += [tensor.data_ptr() for tensor in parameters]
    for tensor in results:
        ports += (tensor.data_ptr(), tensor.stride(0), tensor.stride(1))
    for tensor in final:
        ports += (tensor.data_ptr(), tensor.stride(0))
    if made.gradients:
        ports += [tensor.data_ptr() for tensor in gradients]
    return ports


def execute_plans(
    plans: Sequence[Plan],
    ports: Sequence[list[int]],
    backwards: Sequence[bool],
    shape: tuple[int, int],
    lengths: Sequence[int] = (),
    packed: Sequence[Any] = (),
) -> None:
    """Run one plan, or two at the same time, with as many of torch's threads as the work is worth.

    Args:
        plans: of one dtype.
        ports: of each plan.
        backwards: of each plan whether it runs from the last time step to the first.
        shape: T and B.
        lengths: of each sequence; by default T.
        packed: of each plan its packed matrices; by default they are packed for this call.
    """
    assert core is not None
    steps, batch = shape
    threads, by_units = shares(plans, batch, sum(lengths) if lengths else steps * batch)
    prepacked = (packed,) if packed else ()
    core.run([made.core for made in plans], ports, backwards, steps, batch, lengths, threads, by_units, *prepacked)


def shares(plans: Sequence[Plan], batch: int, lines: int) -> tuple[int, bool]:
    """How many threads some work is worth, and whether they share the units of all sequences, and not the sequences.

    Args:
        plans: which run at the same time.
        batch: B.
        lines: sequences at a time step.
    """
    first = plans[0]
    work = first.work * len(plans) * lines
    threads = min(torch.get_num_threads(), max(1, work // WORTH_A_THREAD))
    each = threads // len(plans)
    return threads, each > 1 and (batch < max(FEW_SEQUENCES, 2 * each) or first.inner > MANY_WEIGHTS)


def memory(size: int, like: Tensor) -> Tensor:
    """A vector of so many numbers, not initialised, of a tensor's dtype, float32 or float64, in memory of the CPU."""
    if size * like.itemsize < WORTH_LENDING:
        return like.new_empty((size,))
    assert core is not None
    return core.lend(size, like.itemsize == 8)


def packed(made: Plan, stored: Sequence[Tensor], weights: str | None) -> Any:
    """A plan's matrices, packed once for many calls: the core's object.

    Args:
        made: the plan.
        stored: the tensors of its parameters' ports, contiguous.
        weights: how they are stored; see `WEIGHTS`.

    Raises:
        CellError: a tensor has fewer elements than the plan reads.
    """
    assert core is not None
    for number, (tensor, elements) in enumerate(zip(stored, made.core.needs[2], strict=False)):
        if tensor.numel() < elements:
            raise CellError(f"parameter {number} must have at least {elements} elements, got {list(tensor.shape)}")
    return core.Packed(made.core, [tensor.data_ptr() for tensor in stored[: made.parameters]], WEIGHTS[weights])


def unit_stride(tensor: Tensor) -> Tensor:
    """A tensor whose units stand side by side in memory, as they are, at addresses where such numbers may stand."""
    if tensor.is_neg():
        tensor = tensor.resolve_neg()
    if tensor.data_ptr() % tensor.itemsize:
        return tensor.clone(memory_format=torch.contiguous_format)
    return tensor if tensor.shape[-1] == 1 or tensor.stride(-1) == 1 else tensor.contiguous()


def _fits(node: Expr, tensor: Tensor, sizes: Mapping[str, int], front: tuple[int, ...], example: Tensor) -> None:
    """The core reads what it is told to: nothing with another type or size may reach it.

    Raises:
        CellError: it has.
    """
    needed = (*front, sizes[node.width] if node.width else 1)
    if tensor.dtype != example.dtype or tuple(tensor.shape) != needed or tensor.device.type != "cpu":
        raise CellError(
            f"`{node!r}` [{', '.join(map(str, needed))}] of {example.dtype} was given as {list(tensor.shape)} of "
            f"{tensor.dtype}"
        )
