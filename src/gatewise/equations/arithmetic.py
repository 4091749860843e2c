"""The pointwise operations in Python's own arithmetic: the living definition of what each of them means."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from gatewise.equations.ops import TABLE


def _sigmoid(a: float) -> float:
    # Of the two forms the one whose exponential cannot overflow.
    if a >= 0:
        return 1 / (1 + math.exp(-a))
    return math.exp(a) / (1 + math.exp(a))


def _softplus(a: float) -> float:
    return max(a, 0.0) + math.log1p(math.exp(-abs(a)))


def _divide(a: float, b: float) -> float:
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1, b)


def _overflowing(function: Callable[[float], float]) -> Callable[[float], float]:
    def call(a: float) -> float:
        try:
            return function(a)
        except OverflowError:
            return math.inf

    return call


def _logarithm(function: Callable[[float], float], pole: float) -> Callable[[float], float]:
    def call(a: float) -> float:
        if a > pole:
            return function(a)
        return -math.inf if a == pole else math.nan

    return call


ARITHMETIC: Mapping[str, Callable[..., float]] = MappingProxyType(
    {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": _divide,
        "neg": lambda a: -a,
        "abs": abs,
        "sign": lambda a: float((a > 0) - (a < 0)),
        "square": lambda a: a * a,
        "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
        "exp": _overflowing(math.exp),
        "expm1": _overflowing(math.expm1),
        "log": _logarithm(math.log, 0.0),
        "log1p": _logarithm(math.log1p, -1.0),
        "sigmoid": _sigmoid,
        "tanh": math.tanh,
        "logsigmoid": lambda a: -_softplus(-a),
        "softplus": _softplus,
        "relu": lambda a: max(a, 0.0),
        "maximum": max,
        "minimum": min,
        "where": lambda condition, a, b: a if condition != 0 else b,
        "ge": lambda a, b: float(a >= b),
        "gt": lambda a, b: float(a > b),
        "le": lambda a, b: float(a <= b),
        "lt": lambda a, b: float(a < b),
        "floor": lambda a: float(math.floor(a)) if math.isfinite(a) else a,
        "detach": lambda a: a,
        "clip_grad": lambda a, bound: a,
    }
)
assert ARITHMETIC.keys() == TABLE.keys(), "an operation has no meaning"
