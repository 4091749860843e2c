"""The operations of the language in torch's spelling."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def _where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(condition != 0, a, b)


def _softplus(a: Tensor) -> Tensor:
    # torch's own softplus is linear above a threshold, which costs five digits at float64.
    return -logsigmoid(-a)


def _condition(compare: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def number(a: Tensor, b: Tensor) -> Tensor:
        return compare(a, b).to(torch.result_type(a, b))

    return number


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
    }
)
