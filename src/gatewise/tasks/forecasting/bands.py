"""How wide the band of the quantiles is: calibrated on rows that the networks had not seen.

Legend: O origins, L leads, Q quantiles.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gatewise.errors import DataError

NARROWEST, WIDEST = 0.5, 4.0  # by which validation may scale the quantiles' distance from the median


def outer_spread(truth: Tensor, quantiles: Tensor, known: Tensor, levels: Sequence[float]) -> float:
    """The factor on the quantiles' distance from their middle at which the outermost pair covers as much of the
    validation part as it claims: split conformal prediction (Vovk et al. 2005) with one factor for all.

    Networks that fit their training rows well believe themselves too sure; only rows they have not seen can tell.
    """
    if len(levels) < 2:
        return 1.0
    low, high = quantiles[..., 0], quantiles[..., -1]
    middle, half = (low + high) / 2, ((high - low) / 2).clamp(min=1e-9)
    ratio = ((truth - middle).abs() / half)[known]
    some = ratio[:: max(1, len(ratio) // 1_000_000)]  # torch.quantile takes at most 16 million
    return float(torch.quantile(some, levels[-1] - levels[0]).clamp(NARROWEST, WIDEST))


def check_enough(count: int, coverage: float) -> None:
    """Refuse to calibrate a band on so few errors that the one it has to reach is beyond them, with `DataError`."""
    fewest = math.ceil(coverage / (1 - coverage) - 1e-9)
    if count < fewest:
        raise DataError(
            f"conformal={coverage:g} needs {fewest} or more validated forecasts of each lead with a known truth, but "
            f"there are {count}; give more rows, a larger validation, or leave out conformal"
        )


def widening(truth: Tensor, quantiles: Tensor, known: Tensor, coverage: float) -> tuple[float, ...]:
    """How far the outermost quantiles have to move outwards, for each lead `[L]`, to cover what they claim.

    Split conformal prediction of a quantile regression (Romano, Patterson & Candes 2019, eqs. 6-8; after Vovk et al.
    2005): the score of a forecast is how far the truth lies outside of the band, negative inside of it, and the band
    moves by the ceil((n + 1) coverage)-th smallest of n scores. A band that was too wide becomes narrower.

    For exchangeable scores the band then covers at least `coverage`. Those of a series are not quite that: they depend
    on each other, what comes may differ from what was validated, and forecasts are made by other networks than those
    that were validated (trained on all rows, the validated ones among them). So what the band covers is to be measured.

    Args:
        truth: `[O, L]`, standardised, what is not `known` `[O, L]` being anything.
        quantiles: `[O, L, Q]`, sorted.
        known: see `truth`.
        coverage: between 0 and 1.

    Raises:
        DataError: fewer scores than such a coverage needs.

    >>> truth, known = torch.tensor([[1.0], [2.0], [-3.0], [0.5]]), torch.ones(4, 1, dtype=torch.bool)
    >>> widening(truth, torch.tensor([-1.0, 0.0, 1.0]).expand(4, 1, 3), known, 0.6)
    (1.0,)
    """
    score = torch.maximum(quantiles[..., 0] - truth, truth - quantiles[..., -1])
    moves = []
    for column, there in zip(score.T, known.T, strict=True):
        own = column[there].sort().values
        check_enough(len(own), coverage)
        rank = math.ceil((len(own) + 1) * coverage - 1e-9)
        moves.append(float(own[rank - 1]))
    return tuple(moves)


def widened(quantiles: Tensor, band: Sequence[float]) -> Tensor:
    """Sorted quantiles `[O, L, Q]` with the outermost ones moved outwards by `band` `[L]`; as they are without it.

    Those between stay where they are, or go with the edges that would pass them. Edges that would pass each other meet.

    >>> widened(torch.tensor([[[-1.0, 0.0, 1.0], [-1.0, 0.5, 1.0]]]), (0.5, -0.75)).tolist()
    [[[-1.5, 0.0, 1.5], [-0.25, 0.25, 0.25]]]
    """
    if not band:
        return quantiles
    move = torch.tensor(band, dtype=quantiles.dtype)
    low, high = quantiles[..., 0], quantiles[..., -1]
    move = torch.maximum(move, (low - high) / 2)
    low, high = low - move, high + move
    return torch.cat([low[..., None], quantiles[..., 1:-1].clamp(low[..., None], high[..., None]), high[..., None]], -1)
