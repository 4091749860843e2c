"""What has to be right before a time counts: values against a float64 truth, by torch's own error."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Values = dict[str, Tensor]

OWN_ERRORS = 4.0  # how many times torch's own error ours may be
ROUNDING = float(torch.finfo(torch.float32).eps)  # below this, torch's own error is luck
GRADIENT = "gradient of "  # how the names of gradients begin
VANISHING = 1e-12  # of the largest gradient: what float64 leaves of a zero
SAME_FUNCTION = 1e-3  # error beyond which something else is computed, whatever torch's own


@dataclass(frozen=True)
class Standard:
    """What values are held against.

    Attributes:
        truth: outputs and gradients by name, in float64.
        own: torch's own error for each of them: that of its float32, by `errors`.
    """

    truth: Mapping[str, Tensor]
    own: Mapping[str, float]

    def only(self, *names: str) -> "Standard":
        """The part of it with these names."""
        return Standard({name: self.truth[name] for name in names}, {name: self.own[name] for name in names})


def error(got: Tensor, truth: Tensor, scale: float) -> float:
    """The largest deviation, relative to a scale; infinite where shapes differ or something is not a number."""
    if got.shape != truth.shape or not bool(got.isfinite().all()):
        return float("inf")
    return float((got.detach().double() - truth).abs().max()) / scale


def errors(values: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> dict[str, float]:
    """The error of each true value, relative to its largest element; infinite where there is no such value.

    Some gradients are zero by the cell's equations, and in float64 what rounding leaves: that of the input gate's bias
    in the sLSTM, whose normaliser takes it out again. Their error is relative to the largest of all gradients.
    """
    scales = {name: float(true.abs().max()) for name, true in truth.items()}
    largest = max((scale for name, scale in scales.items() if name.startswith(GRADIENT)), default=0.0)
    for name, scale in scales.items():
        if name.startswith(GRADIENT) and scale < VANISHING * largest:
            scales[name] = largest
    return {
        name: error(values[name], true, scales[name] or 1.0) if name in values else float("inf")
        for name, true in truth.items()
    }


def limits(standard: Standard, bound: float | None = None) -> dict[str, float]:
    """The error allowed to each value: a bound for all, or `OWN_ERRORS` times torch's own.

    Where torch's own is large, nothing is said by being as good: no more than `SAME_FUNCTION` is allowed.
    """
    if bound is not None:
        return dict.fromkeys(standard.own, bound)
    return {name: min(OWN_ERRORS * max(own, ROUNDING), SAME_FUNCTION) for name, own in standard.own.items()}


def objection(found: Mapping[str, float], allowed: Mapping[str, float]) -> str | None:
    """Why these errors are too large, naming the value that is furthest off; None if they are not."""
    over = {name: value / allowed[name] for name, value in found.items() if not value <= allowed[name]}  # NaN is over
    if not over:
        return None
    worst = max(over, key=over.__getitem__)
    return f"error of {worst} {found[worst]:.1e}, allowed {allowed[worst]:.1e}"
