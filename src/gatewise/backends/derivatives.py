"""The derivatives of the operator `gatewise::scan`, for autograd, `torch.func` and `torch.compile`.

The first derivative is the one derived in the language, run by the operator `gatewise::scan_backward`. Derivatives of
that one differentiate the reference in torch operations, as often as wanted. `torch.func.vmap` folds the mapped
dimension into the batch; parameters' gradients are then summed group by group, which is what per-sample gradients are.

Legend: T steps, B batch, w the width of a vector, V the size of a mapped dimension.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gatewise.backends.operators import forward, program_of
from gatewise.equations.program import Program

Dims = tuple[int | None, ...]


@dataclass(frozen=True)
class Signature:
    """Everything in a call of the operator but its tensors.

    Attributes:
        text: the program.
        reverse: run from the last time step to the first.
        backend: which backend executes it.
    """

    text: str
    reverse: bool
    backend: str

    @cached_property
    def program(self) -> Program:
        """The program."""
        return program_of(self.text)

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """How many inputs, parameters and states there are."""
        step = self.program.step
        return len(step.inputs), len(step.parameters), len(step.states)


@dataclass(frozen=True)
class Wanted:
    """What a call of the backward operator is to give, besides the gradients of states and parameters.

    Attributes:
        inputs: for each input whether its gradient is wanted.
        groups: 0, or a number of equal parts of the batch over each of which parameters' gradients are summed.
    """

    inputs: tuple[bool, ...]
    groups: int = 0


def split(tensors: Sequence[Any], *counts: int) -> list[list[Any]]:
    """Consecutive parts of these lengths."""
    parts, start = [], 0
    for count in counts:
        parts.append(list(tensors[start : start + count]))
        start += count
    return parts


class Scan(torch.autograd.Function):
    """The operator as a function of its tensors: inputs, parameters, states; gives sequences and final states."""

    @staticmethod
    def forward(signature: Signature, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the operator in training."""
        groups = split(tensors, *signature.counts)
        return tuple(torch.ops.gatewise.scan(signature.text, *groups, signature.reverse, True, signature.backend))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the backward reads; all that is only saved has no gradient of its own."""
        signature, *tensors = inputs
        sequences = output[: len(signature.program.sequences)]
        ctx.signature = signature
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*sequences[len(signature.program.derived.given) :])
        ctx.save_for_backward(*tensors, *sequences)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        """The derived backward."""
        program, counts = ctx.signature.program, ctx.signature.counts
        needed = ctx.needs_input_grad[1 : 1 + counts[0]]
        wanted = wanted_inputs(program, needed)
        tensors = backward_tensors(program, ctx.saved_tensors, counts, gradients)
        found = ScanBackward.apply(ctx.signature, Wanted(wanted), *tensors)
        for_inputs, for_states, for_parameters = arranged(found, wanted, counts)
        return (None, *for_inputs, *for_parameters, *for_states)

    @staticmethod
    def vmap(info: Any, in_dims: Dims, *arguments: Any) -> tuple[Any, Any]:
        """Fold the mapped dimension into the batch; with mapped parameters one call after the other."""
        signature, *tensors = arguments
        dims, size = in_dims[1:], info.batch_size
        parts, part_dims = split(tensors, *signature.counts), split(dims, *signature.counts)
        if any(dim is not None for dim in part_dims[1]):
            return _each(lambda *here: Scan.apply(signature, *here), size, dims, tensors)
        folded = [
            *(_fold(tensor, dim, 1, size) for tensor, dim in zip(parts[0], part_dims[0], strict=True)),
            *parts[1],
            *(_fold(tensor, dim, 0, size) for tensor, dim in zip(parts[2], part_dims[2], strict=True)),
        ]
        results = Scan.apply(signature, *folded)
        assert isinstance(results, tuple)
        sequences = len(results) - signature.counts[2]
        places = [1] * sequences + [0] * signature.counts[2]
        unfolded = tuple(result.unflatten(place, (size, -1)) for result, place in zip(results, places, strict=True))
        return unfolded, tuple(places)


class ScanBackward(torch.autograd.Function):
    """The backward operator as a function of its tensors.

    They are: inputs, parameters, states, sequences, gradients of what is given out, gradients of the final states.
    """

    @staticmethod
    def forward(signature: Signature, wanted: Wanted, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the operator."""
        parts = split(tensors, *backward_counts(signature))
        return tuple(
            torch.ops.gatewise.scan_backward(
                signature.text, *parts, list(wanted.inputs), signature.reverse, wanted.groups, signature.backend
            )
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep everything that was given but the sequences, which follow from it."""
        ctx.signature, ctx.wanted, *tensors = inputs
        parts = split(tensors, *backward_counts(ctx.signature))
        ctx.save_for_backward(*(tensor for part in (*parts[:3], *parts[4:]) for tensor in part))

    @staticmethod
    def backward(ctx: Any, *seconds: Tensor) -> tuple[Any, ...]:
        """Differentiate the reference twice."""
        parts = second_derivative(ctx.signature, ctx.wanted, ctx.saved_tensors, seconds)
        sequences = [None] * len(ctx.signature.program.sequences)
        return (None, None, *(t for part in (*parts[:3], sequences, *parts[3:]) for t in part))

    @staticmethod
    def vmap(info: Any, in_dims: Dims, *arguments: Any) -> tuple[Any, Any]:
        """Fold the mapped dimension into the batch, with a group for each of its values."""
        signature, wanted, *tensors = arguments
        dims, size = in_dims[2:], info.batch_size
        counts = backward_counts(signature)
        parts, part_dims = split(tensors, *counts), split(dims, *counts)
        if any(dim is not None for dim in part_dims[1]):
            return _each(lambda *here: ScanBackward.apply(signature, wanted, *here), size, dims, tensors)
        places = (1, None, 0, 1, 1, 0)  # where inputs, parameters, states, sequences and gradients have the batch
        folded = [
            tensor if place is None else _fold(tensor, dim, place, size)
            for part, here, place in zip(parts, part_dims, places, strict=True)
            for tensor, dim in zip(part, here, strict=True)
        ]
        results = ScanBackward.apply(signature, replace(wanted, groups=size * max(wanted.groups, 1)), *folded)
        assert isinstance(results, tuple)
        for_inputs, for_states, for_parameters = split(results, sum(wanted.inputs), counts[2], counts[1])
        for_inputs = [tensor.unflatten(1, (size, -1)) for tensor in for_inputs]
        for_states = [tensor.unflatten(0, (size, -1)) for tensor in for_states]
        if wanted.groups:
            for_parameters = [tensor.unflatten(0, (size, wanted.groups)) for tensor in for_parameters]
        out_dims = (*([1] * len(for_inputs)), *([0] * (len(for_states) + len(for_parameters))))
        return (*for_inputs, *for_states, *for_parameters), out_dims


def backward_counts(signature: Signature) -> tuple[int, ...]:
    """How many tensors of each kind the backward takes."""
    program = signature.program
    return (*signature.counts, len(program.sequences), len(program.derived.given), signature.counts[2])


def wanted_inputs(program: Program, needed: Sequence[bool]) -> tuple[bool, ...]:
    """For each input whether a gradient is needed and can flow."""
    step = program.step
    return tuple(
        bool(need) and name not in step.undifferentiated for name, need in zip(step.inputs, needed, strict=True)
    )


def backward_tensors(
    program: Program, saved: Sequence[Tensor], counts: tuple[int, int, int], gradients: Sequence[Tensor | None]
) -> list[Tensor]:
    """What the backward takes, from what the forward saved and the gradients that came (None where none did)."""
    *_, states, sequences = split(saved, *counts, len(program.sequences))
    given = len(program.derived.given)
    pairs = [
        *zip(gradients[:given], sequences[:given], strict=True),
        *zip(gradients[len(sequences) :], states, strict=True),
    ]
    return [*saved, *(torch.zeros_like(like) if gradient is None else gradient for gradient, like in pairs)]


def arranged(
    found: Sequence[Tensor], wanted: Sequence[bool], counts: tuple[int, int, int]
) -> tuple[list[Tensor | None], list[Tensor], list[Tensor]]:
    """What the backward gave: for all inputs (None where not wanted), states and parameters."""
    for_inputs, for_states, for_parameters = split(found, sum(wanted), counts[2], counts[1])
    remaining = iter(for_inputs)
    return [next(remaining) if asked else None for asked in wanted], for_states, for_parameters


def second_derivative(
    signature: Signature, wanted: Wanted, tensors: Sequence[Tensor], seconds: Sequence[Tensor | None]
) -> list[list[Tensor]]:
    """Gradients for inputs, parameters, states, and the gradients of outputs and final states, of the first derivative.

    Args:
        signature: of the call.
        wanted: of the first derivative.
        tensors: inputs, parameters, states, gradients of outputs, gradients of final states.
        seconds: the gradient for each result of the first derivative.
    """
    counts = (*signature.counts, len(signature.program.derived.given), signature.counts[2])
    asked = [k for k, needed in enumerate(wanted.inputs) if needed]

    def first(*everything: Tensor) -> tuple[Tensor, ...]:
        inputs, parameters, states, outer, last = split(everything, *counts)

        def run(*variables: Tensor) -> tuple[Tensor, ...]:
            chosen, begin, weights = split(variables, len(asked), len(states), len(parameters))
            replaced = list(inputs)
            for k, tensor in zip(asked, chosen, strict=True):
                replaced[k] = tensor
            return tuple(forward(signature.text, replaced, weights, begin, signature.reverse, False, "reference"))

        pull = torch.func.vjp(run, *(inputs[k] for k in asked), *states, *parameters)[1]
        return pull((*outer, *last))

    def grouped(*everything: Tensor) -> tuple[Tensor, ...]:
        parts = split(everything, *counts)
        places = (1, None, 0, 1, 0)
        apart = [
            tensor if place is None else tensor.unflatten(place, (wanted.groups, -1))
            for part, place in zip(parts, places, strict=True)
            for tensor in part
        ]
        in_dims = tuple(place for part, place in zip(parts, places, strict=True) for _ in part)
        out_dims = (*([1] * len(asked)), *([0] * (counts[2] + counts[1])))
        results = torch.func.vmap(first, in_dims, out_dims)(*apart)
        joined = [1] * len(asked) + [0] * counts[2]
        together = [tensor.flatten(place, place + 1) for tensor, place in zip(results, joined, strict=False)]
        return (*together, *results[len(joined) :])

    values, pull, *_ = torch.func.vjp(grouped if wanted.groups else first, *tensors)
    filled = tuple(
        torch.zeros_like(value) if second is None else second for second, value in zip(seconds, values, strict=True)
    )
    return split(pull(filled), *counts)


def _fold(tensor: Tensor, dim: int | None, place: int, size: int) -> Tensor:
    """A tensor with the mapped dimension in front of the batch at `place`, and both made one: V*B."""
    if dim is None:
        moved = tensor.unsqueeze(place).expand(*tensor.shape[:place], size, *tensor.shape[place:])
    else:
        moved = tensor.movedim(dim, place)
    return moved.flatten(place, place + 1)


def _each(call: Any, size: int, dims: Sequence[int | None], tensors: Sequence[Tensor]) -> tuple[Any, Any]:
    """One call for each value of the mapped dimension, and the results stacked in front."""
    results = [
        call(*(t if dim is None else t.select(dim, k) for t, dim in zip(tensors, dims, strict=True)))
        for k in range(size)
    ]
    stacked = tuple(torch.stack(parts) for parts in zip(*results, strict=True))
    return stacked, (0,) * len(stacked)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    text, *tensors, reverse, training, backend = inputs
    if not training:
        raise RuntimeError("gatewise::scan was differentiated, but called without training=True")
    ctx.signature = Signature(text, reverse, backend)
    sequences = output[: len(ctx.signature.program.sequences)]
    ctx.save_for_backward(*(tensor for part in tensors for tensor in part), *sequences)


def _differentiate(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    signature, counts = ctx.signature, ctx.signature.counts
    wanted = wanted_inputs(signature.program, ctx.needs_input_grad[1])
    tensors = backward_tensors(signature.program, ctx.saved_tensors, counts, gradients)
    found = torch.ops.gatewise.scan_backward(
        signature.text,
        *split(tensors, *backward_counts(signature)),
        list(wanted),
        signature.reverse,
        0,
        signature.backend,
    )
    for_inputs, for_states, for_parameters = arranged(found, wanted, counts)
    return None, for_inputs, for_parameters, for_states, None, None, None


def _keep_backward(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    text, *parts, wanted, reverse, groups, backend = inputs
    ctx.signature, ctx.wanted = Signature(text, reverse, backend), Wanted(tuple(wanted), groups)
    ctx.save_for_backward(*(tensor for part in (*parts[:3], *parts[4:]) for tensor in part))


def _differentiate_backward(ctx: Any, seconds: list[Tensor | None]) -> tuple[Any, ...]:
    parts = second_derivative(ctx.signature, ctx.wanted, ctx.saved_tensors, seconds)
    sequences = [None] * len(ctx.signature.program.sequences)
    return None, *parts[:3], sequences, *parts[3:], None, None, None, None


# For graphs: `torch.compile` differentiates the operator itself, not the functions above.
torch.library.register_autograd("gatewise::scan", _differentiate, setup_context=_keep)
torch.library.register_autograd("gatewise::scan_backward", _differentiate_backward, setup_context=_keep_backward)
