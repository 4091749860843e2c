"""What a layer adds to its cell's equations: options, and the transforms they stand for.

Legend: T steps, B batch, w the width of a vector.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gatewise.equations import Step, transform
from gatewise.errors import ConfigurationError, nearest


@dataclass(frozen=True)
class Options:
    """Regularisation inside the recurrence.

    Attributes:
        zoneout: share of units of each state that keep their old value (Krueger et al. 2017): pairs of state and rate.
        recurrent_dropout: share of units of the candidate (the block input) that are dropped (Semeniuta et al. 2016).
        variational_dropout: share of units of the input and of the output before the step that are dropped wherever a
            matrix reads them, the same at all steps of a sequence (Gal & Ghahramani 2016).
        weight_dropout: share of the elements of the recurrent matrices that are dropped, for a whole call (Merity,
            Keskar & Socher 2018).
        clip_gradient: bound of the gradient of net inputs (Graves 2013); None for none.
    """

    zoneout: tuple[tuple[str, float], ...] = ()
    recurrent_dropout: float = 0.0
    variational_dropout: float = 0.0
    weight_dropout: float = 0.0
    clip_gradient: float | None = None

    def masked(self) -> bool:
        """Whether training draws masks."""
        rates = (self.recurrent_dropout, self.variational_dropout, self.weight_dropout)
        return any(rate > 0 for rate in (*rates, *(rate for _, rate in self.zoneout)))

    def named(self) -> tuple[str, ...]:
        """The options in use, by name."""
        values = {
            "zoneout": any(rate > 0 for _, rate in self.zoneout),
            "recurrent_dropout": self.recurrent_dropout > 0,
            "variational_dropout": self.variational_dropout > 0,
            "weight_dropout": self.weight_dropout > 0,
            "clip_gradient": self.clip_gradient is not None,
        }
        return tuple(name for name, used in values.items() if used)


def check_rate(name: str, value: object) -> float:
    """A probability.

    Raises:
        ConfigurationError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ConfigurationError(f"{name}={value!r} must be a probability from 0 to 1")
    return float(value)


def options(
    step: Step,
    candidate: str | None,
    *,
    zoneout: float | Mapping[str, float],
    recurrent_dropout: float,
    variational_dropout: float,
    weight_dropout: float,
    clip_gradient: float | None,
) -> Options:
    """Checked options for a cell.

    Args:
        step: the cell's equations.
        candidate: the observed value that recurrent dropout drops; None if the cell has none.
        zoneout: one rate for all states, or a rate for each of some states.
        recurrent_dropout: see `Options`.
        variational_dropout: see `Options`.
        weight_dropout: see `Options`.
        clip_gradient: see `Options`.

    Raises:
        ConfigurationError: a value is no probability, or means nothing for this cell.
    """
    rates = dict(zoneout) if isinstance(zoneout, Mapping) else dict.fromkeys(step.states, zoneout)
    for name, rate in rates.items():
        check_rate(f"zoneout of {name}", rate)
        if name not in step.states:
            raise ConfigurationError(f'zoneout: {step.name} has no state "{name}"; {nearest(str(name), step.states)}')
    rates = {name: float(rate) for name, rate in rates.items() if rate > 0}
    for name, rate in (
        ("recurrent_dropout", recurrent_dropout),
        ("variational_dropout", variational_dropout),
        ("weight_dropout", weight_dropout),
    ):
        check_rate(name, rate)
    if recurrent_dropout > 0 and candidate is None:
        raise ConfigurationError(
            f"recurrent_dropout={recurrent_dropout} drops what is added to the state, but {step.name} does not say "
            "what that is: set `candidate` in the cell's class to the name of an observed value"
        )
    if clip_gradient is not None and (
        isinstance(clip_gradient, bool)
        or not isinstance(clip_gradient, (int, float))
        or not 0 < clip_gradient < math.inf
    ):
        raise ConfigurationError(f"clip_gradient={clip_gradient!r} must be a positive number or None")
    if weight_dropout > 0 and not recurrent_matrices(step):
        raise ConfigurationError(f"weight_dropout={weight_dropout}: {step.name} multiplies no matrix with a state")
    chosen = Options(tuple(rates.items()), recurrent_dropout, variational_dropout, weight_dropout, clip_gradient)
    variant(step, chosen, candidate, training=True)  # whatever does not fit is said now, not in the first batch
    return chosen


def recurrent_matrices(step: Step) -> list[str]:
    """The names of the matrices of `transform.recurrent_products`."""
    return list(dict.fromkeys(str(node.attr) for node in transform.recurrent_products(step)))


@lru_cache(maxsize=512)
def variant(
    step: Step, chosen: Options, candidate: str | None, training: bool, resets: bool = False, padding: bool = False
) -> Step:
    """The step with everything that a call adds to it; remembered."""
    # In this order: what happens within the equations, then what happens to their results, then where sequences end.
    if chosen.clip_gradient is not None:
        step = transform.clip_gradient(step, chosen.clip_gradient)
    if training and chosen.variational_dropout > 0:
        step = transform.variational_dropout(step, step.output)
    if training and chosen.recurrent_dropout > 0 and candidate is not None:
        step = transform.recurrent_dropout(step, candidate)
    if chosen.zoneout:
        step = transform.zoneout(step, dict(chosen.zoneout), training)
    if resets:
        step = transform.resets(step)
    return transform.padding(step) if padding else step
