"""Inference with weights stored in fewer bits, against our own float32."""

from typing import Any

from benchmarks.speed.case import Case, Comparison, Contender, Settings, at_any
from benchmarks.speed.contenders import no_core, ours
from benchmarks.speed.points import Point, points
from benchmarks.speed.problem import Problem

FULL = 'float32, backend="cpu"'
# Errors allowed against the float64 truth of the weights that were not rounded: how far rounding them moves an output.
BOUNDS = {"bf16": 2e-2, "int8": 5e-2}


def stored_weights(layer: Any, form: str) -> Any:
    """The layer with its weights stored as bf16 or int8, called as before.

    The one place that knows how this is asked for.
    """
    return layer.narrowed(form)


def _stored(point: Point, settings: Settings) -> list[Contender]:
    problem = Problem(point, training=False, seed=settings.seed)
    found = [ours(problem, FULL, "cpu")]
    for form, bound in BOUNDS.items():
        layer = stored_weights(problem.layer("cpu"), form)
        found.append(Contender(form, problem.task(problem.forward(layer), {}), problem.standard, bound))
    return found


CASES = (
    Case(
        "stored",
        "Weights stored in fewer bits",
        "Inference with weights stored as bf16 and as int8 (a scale for each row), against our own float32. The error "
        f"allowed is that of the rounding: {BOUNDS['bf16']:.0%} and {BOUNDS['int8']:.0%} of the largest output.",
        points("1/32/256", "1/32/512", "1/256/256", "4/32/256", "4/32/512"),
        _stored,
        tuple(
            Comparison(f"{form} weights vs own float32", form, (FULL,), targets=at_any(1.2, 1.5, 2.5))
            for form in BOUNDS
        ),
        training=False,
        missing=no_core,
    ),
)
