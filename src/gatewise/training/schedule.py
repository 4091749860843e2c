"""Learning rate schedules: the factor on the peak learning rate as a function of the step."""

import math
from collections.abc import Callable

# Each maps progress after the warm-up, in 0..1, to a factor in 0..1. Cosine: Loshchilov & Hutter (2017), eq. 5
# without restarts.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
}


def learning_rate_factor(schedule: str, step: float, total_steps: int, warmup: float = 0.0) -> float:
    """The factor on the peak learning rate at `step` (counted from 0, maybe between two) of `total_steps`.

    >>> [round(learning_rate_factor("cosine", step, 4), 2) for step in range(4)]
    [1.0, 0.85, 0.5, 0.15]
    >>> [learning_rate_factor("constant", step, 4, warmup=0.5) for step in range(4)]
    [0.5, 1.0, 1.0, 1.0]
    """
    warmup_steps = round(warmup * total_steps)
    if step < warmup_steps:
        return min((step + 1) / warmup_steps, 1.0)
    # A time limit may cut epochs but never adds steps; min() guards an objective that yields more than it announced.
    progress = min((step - warmup_steps) / max(total_steps - warmup_steps, 1), 1.0)
    return SCHEDULES[schedule](progress)
