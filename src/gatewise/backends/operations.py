"""The operations of the language in torch's spelling."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gatewise.equations import Expr
from gatewise.equations.rows import EPSILON


def _where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(condition != 0, a, b)


def _softplus(a: Tensor) -> Tensor:
    # torch's own softplus is linear above a threshold, which costs five digits at float64.
    return -logsigmoid(-a)


def _condition(compare: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def number(a: Tensor, b: Tensor) -> Tensor:
        return compare(a, b).to(torch.result_type(a, b))

    return number


class _ClipGrad(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, bound: Tensor) -> Tensor:
        return a.view_as(a)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (bound,) = ctx.saved_tensors
        return torch.minimum(torch.maximum(grads[0], -bound), bound), None


def _clip_grad(a: Tensor, bound: Tensor) -> Tensor:
    result = _ClipGrad.apply(a, bound)
    assert isinstance(result, Tensor)
    return result


TORCH: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {
        "add": torch.add,
        "sub": torch.sub,
        "mul": torch.mul,
        "div": torch.div,
        "neg": torch.neg,
        "abs": torch.abs,
        "sign": torch.sign,
        "square": torch.square,
        "sqrt": torch.sqrt,
        "exp": torch.exp,
        "expm1": torch.expm1,
        "log": torch.log,
        "log1p": torch.log1p,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "logsigmoid": logsigmoid,
        "softplus": _softplus,
        "relu": torch.relu,
        "maximum": torch.maximum,
        "minimum": torch.minimum,
        "where": _where,
        "ge": _condition(torch.ge),
        "gt": _condition(torch.gt),
        "le": _condition(torch.le),
        "lt": _condition(torch.lt),
        "floor": torch.floor,
        "detach": torch.detach,
        "clip_grad": _clip_grad,
    }
)


def mean(a: Tensor) -> Tensor:
    """The mean over units, in every unit."""
    return a.mean(-1, keepdim=True).expand_as(a)


def total(a: Tensor) -> Tensor:
    """The sum over units `[..., 1]`."""
    return a.sum(-1, keepdim=True)


def spread(a: Tensor, size: int) -> Tensor:
    """One number `[..., 1]`, for every unit `[..., size]`."""
    return a.expand(*a.shape[:-1], size)


def rstd(*vectors: Tensor) -> Tensor:
    """One over the standard deviation of all vectors `[..., w]` together `[..., w]`."""
    scale = _moments(vectors)[1]
    return scale.expand(*scale.shape[:-1], vectors[0].shape[-1])


def normalise(*vectors: Tensor) -> list[Tensor]:
    """Vectors `[..., w]` less the mean of all together, divided by their standard deviation."""
    centre, scale = _moments(vectors)
    return [(vector - centre) * scale for vector in vectors]


def _moments(vectors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The mean, and one over the standard deviation, of all vectors `[..., w]` together: each `[..., 1]`."""
    joined = vectors[0] if len(vectors) == 1 else torch.cat(torch.broadcast_tensors(*vectors), dim=-1)
    # In two passes: torch.var_mean takes several times as long on a CPU.
    centre = joined.mean(-1, keepdim=True)
    variance = (joined - centre).square().mean(-1, keepdim=True)
    return centre, (variance + EPSILON).rsqrt()


def repeat(a: Tensor, size: int) -> Tensor:
    """Each block's value for each of its cells: `[..., K]` to `[..., size]`."""
    return a.repeat_interleave(size // a.shape[-1], -1)


def fold(a: Tensor, size: int) -> Tensor:
    """The sum over each block's cells: `[..., H]` to `[..., size]`."""
    return a.unflatten(-1, (size, -1)).sum(-1)


def row(node: Expr, arguments: Sequence[Tensor], sizes: Mapping[str, int]) -> Tensor:
    """An operation that mixes units, by its node in the language; `sizes` is what symbolic widths stand for."""
    return rows([node], arguments, sizes)[0]


def rows(nodes: Sequence[Expr], arguments: Sequence[Tensor], sizes: Mapping[str, int]) -> list[Tensor]:
    """Operations that mix units, by their nodes in the language, which are of one kind and have the same operands."""
    node = nodes[0]
    if node.op in ("repeat", "fold", "spread"):
        return [
            {"repeat": repeat, "fold": fold, "spread": spread}[n.op](arguments[0], sizes[str(n.width)]) for n in nodes
        ]
    if node.op == "normalise":
        parts = normalise(*arguments)
        return [parts[int(str(n.attr))] for n in nodes]
    return [{"mean": mean, "total": total, "rstd": rstd}[node.op](*arguments)]
