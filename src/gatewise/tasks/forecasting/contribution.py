"""What the LSTM adds to the linear part: for how many epochs it trains and how much of its correction counts.

Legend: O origins, L leads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from gatewise.tasks.forecasting.objective import lead_error

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # that validation chooses from, for the first and the last lead

Weights = tuple[float, float]


@dataclass(frozen=True)
class Contribution:
    """What was chosen on validation, the error with it in standard deviations of the target, and a sentence on it."""

    epochs: int
    weights: Weights
    error: float
    note: str

    @classmethod
    def of(cls, miss: Tensor, moves: Sequence[Tensor], known: Tensor, blocks: int) -> "Contribution":
        """The epochs and weights with the least error; none of the correction where its gain may be chance.

        Args:
            miss: what the linear part misses `[O, L]`.
            moves: the correction after each epoch `[O, L]`.
            known: where the truth is known `[O, L]`.
            blocks: stretches of validation over which a gain has to last, see `helps`.
        """
        alone, horizon = lead_error(miss, known), miss.shape[1]
        tried = [
            (lead_error(miss - by_lead(weights, horizon) * move, known), e + 1, weights)
            for e, move in enumerate(moves)
            for weights in product(WEIGHTS, WEIGHTS)
            if any(weights)
        ]
        error, epochs, weights = min(tried)
        said = (
            f"On validation the linear part alone has an error of {alone:.4g} standard deviations; with "
            f"{show_weights(weights)} of the LSTM's correction after {epochs} epochs it is {error:.4g}"
        )
        if helps(miss, by_lead(weights, horizon) * moves[epochs - 1], known, blocks):
            return cls(epochs, weights, error, f"{said}.")
        note = f"{said}, which is no reliable gain: forecasts are those of the linear part alone."
        return cls(1, (0.0, 0.0), alone, note)


def by_lead(weights: Weights, horizon: int) -> Tensor:
    """The weight of each lead `[L]`.

    >>> by_lead((1.0, 0.5), 3)
    tensor([1.0000, 0.7500, 0.5000])
    """
    return torch.linspace(*weights, horizon)


def show_weights(weights: Weights) -> str:
    """Weights for people.

    >>> show_weights((0.75, 0.75)), show_weights((1.0, 0.5))
    ('75%', '100% (first lead) to 50% (last)')
    """
    first, last = weights
    return f"{first:.0%}" if first == last else f"{first:.0%} (first lead) to {last:.0%} (last)"


def helps(miss: Tensor, move: Tensor, known: Tensor, blocks: int) -> bool:
    """Whether a correction `[O, L]` makes errors smaller by more than the standard error of that gain over stretches of
    validation (as in the one-standard-error rule of Breiman et al. 1984): it was chosen as the best of many, so that a
    part of what it gains is chance.
    """
    parts = zip(*(tensor.tensor_split(blocks) for tensor in (miss, move, known)), strict=True)
    gains = np.array([lead_error(m, k) - lead_error(m - c, k) for m, c, k in parts if k.any()])
    return len(gains) > 1 and bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))
