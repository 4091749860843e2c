"""The values of parameters before training."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from gatewise.cells import Cell, LogUniform, Start, Uniform
from gatewise.equations import Step
from gatewise.errors import ConfigurationError
from gatewise.nn.layout import Layout


@lru_cache(maxsize=256)
def with_learned_states(step: Step) -> Step:
    """The step whose states all start at trained values."""
    return replace(step, initial=dict.fromkeys(step.states, "learned"))


def check_initialisation(cell: Cell, step: Step, forget_bias: float | None, expected_lag: int | None) -> None:
    """Check that what is asked for means something for a cell.

    Raises:
        ConfigurationError: it does not; the message says why.
    """
    for name, value in (("forget_bias", forget_bias), ("expected_lag", expected_lag)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigurationError(f"{name}={value!r} must be a finite number or None")
        if not cell.memory():
            reason = (
                "biases" if not any(key.startswith("b_") for key in step.parameters) else "a gate that keeps its state"
            )
            raise ConfigurationError(f"{name}={value!r} needs {reason}: {cell!r} has none")
    if forget_bias is not None and expected_lag is not None:
        raise ConfigurationError(
            f"forget_bias={forget_bias!r} and expected_lag={expected_lag!r} initialise the same biases: choose one"
        )
    if expected_lag is not None and (not isinstance(expected_lag, int) or expected_lag < 2):
        raise ConfigurationError(f"expected_lag={expected_lag!r} must be a whole number of time steps of at least 2")


@torch.no_grad()
def initialise(
    cell: Cell,
    step: Step,
    layout: Layout,
    stored: Mapping[str, Tensor],
    hidden_size: int,
    forget_bias: float | None,
    expected_lag: int | None,
) -> None:
    """Draw the stored tensors of one layer and direction anew.

    Args:
        cell: of the layer.
        step: its equations.
        layout: how its parameters are stored.
        stored: the tensors.
        hidden_size: H.
        forget_bias: the bias of what keeps the state; where nothing does but a coupled gate, its negative there.
        expected_lag: draw the biases of what keeps the state so that a unit keeps it for up to this many steps: Tallec
            & Ollivier (2018), Can Recurrent Neural Networks Warp Time?, eq. 16 (chrono initialisation): the logarithm
            of a number between 1 and the lag minus 1; its negative for what takes new values in.
    """
    bound = 1 / math.sqrt(hidden_size)
    fixed = {name: 1.0 for name in step.parameters if name.startswith("gain_")}
    fixed |= {name: 0.0 for name in step.parameters if name.startswith("shift_")}
    for name, tensor in stored.items():
        if name.startswith("initial_"):
            nn.init.zeros_(tensor)
        else:
            nn.init.uniform_(tensor, -bound, bound)
    named = {key: name for name, key in layout.whole.items()}
    own: Mapping[str, Start] = {**fixed, **cell.start()}
    for key, tensor in stored.items():
        match own.get(named.get(key, "")):
            case Uniform(low, high):
                nn.init.uniform_(tensor, low, high)
            case LogUniform(low, high):
                nn.init.uniform_(tensor, math.log(low), math.log(high)).exp_()
            case float(value):
                nn.init.constant_(tensor, value)
    memory = cell.memory()
    if forget_bias is not None:
        keeping = {name: sign for name, sign in memory.items() if sign > 0} or memory
        for name, sign in keeping.items():
            _set(layout, stored, name, torch.tensor(sign * forget_bias, device="cpu"))
    if expected_lag is not None:
        example = next(iter(stored.values()))
        drawn: dict[int, Tensor] = {}
        for name, sign in memory.items():
            size = _size(layout, stored, name)
            if size not in drawn:  # one lag for a unit, whatever gates it has
                lags = torch.empty(size, dtype=example.dtype, device=example.device)
                drawn[size] = nn.init.uniform_(lags, 1, expected_lag - 1)
            _set(layout, stored, name, sign * drawn[size].log())


def _size(layout: Layout, stored: Mapping[str, Tensor], name: str) -> int:
    return layout.parts[name][0].rows if name in layout.parts else stored[layout.whole[name]].shape[0]


def _set(layout: Layout, stored: Mapping[str, Tensor], name: str, value: Tensor) -> None:
    """Give a vector of the cell a value: the first of two stored biases takes it, the second is 0."""
    if name in layout.whole:
        stored[layout.whole[name]].copy_(value)
        return
    first, *others = layout.parts[name]
    stored[first.stored].narrow(0, first.start, first.rows).copy_(value)
    for part in others:
        stored[part.stored].narrow(0, part.start, part.rows).zero_()
