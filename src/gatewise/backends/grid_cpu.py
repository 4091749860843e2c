"""Grids in the compiled core: the walk over images of `cpp/grid.cpp`.

Legend: B images, R rows, C columns, X inputs, H hidden units, D directions, G net inputs, M other trained vectors, N
states besides the output, Q saved values.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from gatewise.backends.cpu import core
from gatewise.backends.grid import reference
from gatewise.backends.grid_plan import Listed, listed
from gatewise.equations.grid import GridProgram

DTYPES = (torch.float32, torch.float64)
# Below this many multiplications a second thread costs more than it brings.
WORTH_A_THREAD = 400_000


def supports(x: Tensor) -> str | None:
    """None if this backend can run a call with these images, otherwise the reason why not."""
    if core is None:
        return "the compiled core is not there: gatewise was installed without a C++ compiler"
    if x.device.type != "cpu":
        return f"the compiled core runs on CPUs, not on {x.device.type}"
    if x.dtype not in DTYPES:
        return f"the compiled core computes in float32 and float64, not in {str(x.dtype).removeprefix('torch.')}"
    if torch.compiler.is_compiling():
        return "torch.compile and torch.export look into the walk, which the compiled core does not show"
    if torch._C._are_functorch_transforms_active():
        return "torch.func transforms torch's operations, of which the compiled core has none"
    return None


@lru_cache(maxsize=128)
def plans(program: GridProgram) -> tuple[Any, Any, Any]:
    """The core's plans of inference, training and the backward."""
    inference, training, reverse = listed(program)
    return plan(program, inference, False), plan(program, training, False), plan(program, reverse, True)


def plan(program: GridProgram, found: Listed, backward: bool, interpreted: bool = False) -> Any:
    """One of them; `interpreted` keeps it from running as a function of its own."""
    assert core is not None
    _, _, instructions, numbers = found.listing
    return core.GridPlan(
        backward,
        len(program.nets),
        len(program.vectors),
        len(program.states),
        found.saved,
        found.registers,
        list(instructions),
        list(numbers),
        list(found.places),
        interpreted,
    )


def threads(program: GridProgram, x: Tensor, hidden: int, directions: int) -> int:
    """With how many of torch's threads a batch is walked."""
    work = x.shape[:3].numel() * directions * len(program.nets) * hidden * (x.shape[3] + 2 * hidden)
    return min(torch.get_num_threads(), max(1, work // WORTH_A_THREAD))


def run(
    program: GridProgram, x: Tensor, extents: Tensor, directions: Sequence[int], weights: Tensor, vectors: Tensor
) -> Tensor:
    """The outputs `[B, R, C, D, H]`; as `gatewise.backends.grid.reference`, which see for the arguments."""
    found = Walk.apply(program, tuple(directions), extents, x, weights, vectors)
    assert isinstance(found, Tensor)
    return found


class Walk(torch.autograd.Function):
    """The walk and its gradient; the gradient of the gradient differentiates the reference."""

    @staticmethod
    def forward(
        ctx: Any,
        program: GridProgram,
        directions: tuple[int, ...],
        extents: Tensor,
        x: Tensor,
        weights: Tensor,
        vectors: Tensor,
    ) -> Tensor:
        """Walk, and save what the way back reads."""
        assert core is not None
        batch, rows, columns, _ = x.shape
        shape = (batch, rows, columns, len(directions), vectors.shape[-1])
        training = any(ctx.needs_input_grad)
        whole = bool((extents == torch.tensor([rows, columns])).all())
        output = x.new_empty(shape) if whole else x.new_zeros(shape)
        kept = None
        if training:
            values = len(program.states) + len(program.saved)
            kept = x.new_empty(len(directions), batch, rows, columns, values, vectors.shape[-1])
        if output.numel():
            inference, learning, _ = plans(program)
            core.grid_forward(
                learning if training else inference,
                _array(x),
                extents.numpy(),
                torch.tensor(directions).numpy(),
                _array(weights),
                _array(vectors),
                output.numpy(),
                None if kept is None else kept.numpy(),
                threads(program, x, vectors.shape[-1], len(directions)),
            )
        if training:
            ctx.program, ctx.directions, ctx.extents, ctx.kept, ctx.whole = program, directions, extents, kept, whole
            ctx.save_for_backward(x, weights, vectors, output)
        return output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Walk back."""
        x, weights, vectors, output = ctx.saved_tensors
        wanted = ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():  # the gradient will be differentiated
            inputs = [tensor for tensor, needed in zip((x, weights, vectors), wanted, strict=True) if needed]
            again = reference(ctx.program, x, ctx.extents, ctx.directions, weights, vectors)
            found = iter(torch.autograd.grad(again, inputs, upstream[0], create_graph=True))
            return (None, None, None, *(next(found) if needed else None for needed in wanted))
        assert core is not None
        of_weights, of_vectors = (
            torch.zeros_like(tensor, memory_format=torch.contiguous_format) for tensor in (weights, vectors)
        )
        of_x = None
        if wanted[0]:
            shape = (len(ctx.directions), *x.shape)
            of_x = x.new_empty(shape) if ctx.whole else x.new_zeros(shape)
        if output.numel():
            core.grid_backward(
                plans(ctx.program)[2],
                _array(x),
                ctx.extents.numpy(),
                torch.tensor(ctx.directions).numpy(),
                _array(weights),
                _array(vectors),
                output.numpy(),
                ctx.kept.numpy(),
                _array(upstream[0]),
                None if of_x is None else of_x.numpy(),
                of_weights.numpy(),
                of_vectors.numpy(),
                threads(ctx.program, x, vectors.shape[-1], len(ctx.directions)),
            )
        gradient = None
        if of_x is not None:
            gradient = of_x[0]
            for part in of_x[1:]:  # in their order, whatever the number of threads
                gradient = gradient + part
        return None, None, None, gradient, of_weights, of_vectors


def _array(tensor: Tensor) -> Any:
    return tensor.detach().resolve_neg().contiguous().numpy()
