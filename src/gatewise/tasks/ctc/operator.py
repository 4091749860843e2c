"""The operator `gatewise::ctc`, which runs the compiled core: one node for `torch.compile` and `torch.export`.

Its first derivative comes out of the same pass over the batch; further ones differentiate the definition.

Legend: T steps, B batch, V labels with the blank among them, S labels of the longest target.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gatewise.backends.cpu import core
from gatewise.tasks.ctc import definition
from gatewise.tasks.ctc.pairs import padded, read_pairs

# What else can be done about pairs without an alignment.
REMEDY = '; infeasible="inf" gives them an infinite loss'


@torch.library.custom_op("gatewise::ctc", mutates_args=())
def _ctc(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    label_smoothing: float,
    blank_penalty: float,
    refuse_infeasible: bool,
    training: bool,
) -> tuple[Tensor, Tensor]:
    """Losses `[B]`, and the gradient `[T, B, V]` of each (without `training` an empty tensor)."""
    assert core is not None
    pairs = read_pairs(logits.shape, targets, input_lengths, target_lengths, blank, who="ctc_loss")
    if refuse_infeasible:
        pairs.check_feasible(who="ctc_loss", remedy=REMEDY)
    # Steps and sequences may stand anywhere, as in a batch-first tensor; labels side by side.
    rows = logits if logits.stride(2) == 1 else logits.contiguous()
    losses = logits.new_empty(logits.shape[1])
    gradient = torch.empty_like(logits, memory_format=torch.contiguous_format) if training else logits.new_empty(0)
    core.ctc_losses(
        rows.detach().numpy(),
        pairs.input_lengths,
        pairs.targets,
        pairs.offsets,
        blank,
        label_smoothing,
        blank_penalty,
        losses.numpy(),
        gradient.numpy() if training else None,
        torch.get_num_threads(),
    )
    return losses, gradient


@_ctc.register_fake
def _(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    label_smoothing: float,
    blank_penalty: float,
    refuse_infeasible: bool,
    training: bool,
) -> tuple[Tensor, Tensor]:
    gradient = torch.empty_like(logits, memory_format=torch.contiguous_format) if training else logits.new_empty(0)
    return logits.new_empty(logits.shape[1]), gradient


@torch.library.custom_op("gatewise::ctc_backward", mutates_args=())
def _ctc_backward(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    label_smoothing: float,
    blank_penalty: float,
    gradient: Tensor,
    weights: Tensor,
) -> Tensor:
    """The gradient `[T, B, V]` of the losses' sum with these weights `[B]`, of which `gradient` has the parts."""
    return gradient * weights.unsqueeze(1)


@_ctc_backward.register_fake
def _(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    label_smoothing: float,
    blank_penalty: float,
    gradient: Tensor,
    weights: Tensor,
) -> Tensor:
    return torch.empty_like(gradient)


Dims = tuple[int | None, ...]
_OPERANDS = 4  # logits, targets, input lengths, target lengths


class Loss(torch.autograd.Function):
    """The operator as a function that `torch.func` can transform."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, Tensor]:
        """Run the operator."""
        losses, gradient = torch.ops.gatewise.ctc(*arguments)
        return losses, gradient

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep what the backward reads; the gradient, which is only saved, has none of its own."""
        operands, ctx.options, ctx.training = inputs[:_OPERANDS], inputs[_OPERANDS:-2], inputs[-1]
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*operands, output[1])

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradient that the forward made, weighted."""
        if not ctx.training:
            raise RuntimeError("gatewise::ctc was differentiated, but called without training=True")
        found = None
        if upstream[0] is not None:
            *operands, gradient = ctx.saved_tensors
            call = torch.ops.gatewise.ctc_backward if torch.compiler.is_compiling() else LossBackward.apply
            found = call(*operands, *ctx.options, gradient, upstream[0])
        return (found, *(None,) * 8)

    @staticmethod
    def vmap(info: Any, in_dims: Dims, *arguments: Any) -> tuple[tuple[Tensor, Tensor], tuple[int, int | None]]:
        """Fold the mapped dimension into the batch."""
        operands = _fold(info.batch_size, in_dims, arguments[:_OPERANDS])
        losses, gradient = Loss.apply(*operands, *arguments[_OPERANDS:])
        training = arguments[-1]
        unfolded = gradient.unflatten(1, (info.batch_size, -1)) if training else gradient
        return (losses.unflatten(0, (info.batch_size, -1)), unfolded), (0, 1 if training else None)


class LossBackward(torch.autograd.Function):
    """The operator of the backward as a function that `torch.func` can transform."""

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        """Run the operator."""
        return torch.ops.gatewise.ctc_backward(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep what the backward reads; the gradient is computed anew."""
        ctx.options = inputs[_OPERANDS:-2]
        ctx.save_for_backward(*inputs[:_OPERANDS], inputs[-1])

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Of the sum of upstream * weights * gradient(logits), by differentiating the definition twice."""
        *operands, weights = ctx.saved_tensors
        of_logits, of_weights = _twice(operands, weights, upstream[0], *ctx.options)
        return (of_logits, *(None,) * 7, of_weights)

    @staticmethod
    def vmap(info: Any, in_dims: Dims, *arguments: Any) -> tuple[Tensor, int]:
        """Fold the mapped dimension into the batch."""
        operands = _fold(info.batch_size, in_dims, arguments[:_OPERANDS])
        gradient = _folded(arguments[-2], in_dims[-2], 1, info.batch_size)
        weights = _folded(arguments[-1], in_dims[-1], 0, info.batch_size)
        found = LossBackward.apply(*operands, *arguments[_OPERANDS:-2], gradient, weights)
        return found.unflatten(1, (info.batch_size, -1)), 1


def _twice(
    operands: Sequence[Tensor],
    weights: Tensor,
    upstream: Tensor,
    blank: int,
    label_smoothing: float,
    blank_penalty: float,
) -> Sequence[Tensor]:
    logits, targets, input_lengths, target_lengths = operands
    options = {"blank": blank, "label_smoothing": label_smoothing, "blank_penalty": blank_penalty}
    rows = padded(targets, target_lengths)

    def total(logits: Tensor, weights: Tensor) -> Tensor:
        losses = definition.losses(logits, rows, input_lengths, target_lengths, **options)
        # An infinite loss is a constant, as in the core.
        return (torch.where(losses.isinf(), 0.0, losses) * weights).sum()

    return torch.func.vjp(torch.func.grad(total), logits, weights)[1](upstream)


def _folded(tensor: Tensor, dim: int | None, place: int, size: int) -> Tensor:
    """A mapped dimension in front of dimension `place`, the two made one; a tensor that is not mapped is repeated."""
    if dim is None:
        return (
            tensor.unsqueeze(place).expand(*tensor.shape[:place], size, *tensor.shape[place:]).flatten(place, place + 1)
        )
    return tensor.movedim(dim, place).flatten(place, place + 1)


def _fold(size: int, dims: Dims, operands: Sequence[Tensor]) -> list[Tensor]:
    return [_folded(operands[k], dims[k], 1 if k == 0 else 0, size) for k in range(_OPERANDS)]


torch.library.register_autograd("gatewise::ctc", Loss.backward, setup_context=Loss.setup_context)
torch.library.register_autograd(
    "gatewise::ctc_backward", LossBackward.backward, setup_context=LossBackward.setup_context
)
