"""What a member of a forecaster trains on: stretches of the series, with the forecast of every row in them scored.

Legend: T steps, B batch, L leads, Q quantiles, O origins, S series.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewise.data.timeline import show_time
from gatewise.tasks.forecasting.features import Features
from gatewise.tasks.forecasting.linear import Linear
from gatewise.tasks.forecasting.network import ForecastNetwork

WARM_UP = 72  # rows an LSTM reads before its forecasts count: its state has to fill first
STRETCH = 240
BATCH = 16
FEWEST_STEPS = 8  # an epoch of a short series has at least as many steps
PINBALL = 0.3  # weight of the quantiles' loss beside the mean's
SERIES_AT_ONCE, ROWS_AT_ONCE = 64, 512


@dataclass(frozen=True)
class Scales:
    """The size of each lead's changes `[L]`, and the residuals' normal quantiles in these units `[L, Q]`."""

    change: Tensor
    quantiles: Tensor


@dataclass(frozen=True)
class Stretch:
    """A batch: origins `[T, B]` of which the first rows only warm the state up, and which of them count `[T, B]`."""

    origins: Tensor
    counts: Tensor
    ends: Tensor


class ForecastObjective:
    """The training of one network on rows before `ends`, validated on what follows.

    Args:
        features: of the panel.
        linear: the fitted linear part, which the network corrects.
        network: what is trained.
        scales: see `Scales`.
        origins: per series the origins to train from.
        ends: per series the row before which the truth may be seen.
        levels: the quantiles' levels `[Q]`.
        seed: of the order of stretches.
        validation: origins `[O]` to validate from, and the rows `[O]` before which their truth may be seen.
    """

    def __init__(
        self,
        features: Features,
        linear: Linear,
        network: ForecastNetwork,
        scales: Scales,
        origins: Sequence[range],
        ends: np.ndarray,
        levels: Sequence[float],
        seed: int,
        validation: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.features, self.linear, self.module, self.scales = features, linear, network, scales
        self.seed, self.validation = seed, validation
        self.device = next(network.parameters()).device
        self.levels = torch.tensor(list(levels), device=self.device)
        self._first = np.array([o[0] for o in origins if len(o)])
        self._last = np.array([o[-1] for o in origins if len(o)])
        self._ends = np.array([e for o, e in zip(origins, ends, strict=True) if len(o)])
        self._starts = np.array([a for o, a in zip(origins, features.starts, strict=True) if len(o)])
        counts = self._last - self._first + 1
        self._share = counts / counts.sum()
        longest = int(counts.max())
        self._warm_up = min(WARM_UP, longest // 4)
        self._length = min(STRETCH, max(self._warm_up + 24, longest // 2)) if longest < 1_000 else STRETCH
        useful = self._length - self._warm_up
        self.batches_per_epoch = max(FEWEST_STEPS, round(int(counts.sum()) / (useful * BATCH)))
        # Near leads weigh more, by 1 / lead: many far leads share one cause of error and would drown the first one.
        weight = 1.0 / torch.arange(1, features.horizon + 1)
        self._lead_weight = (weight / weight.mean()).to(self.device)
        self.validated: list[np.ndarray] = []

    def batches(self, epoch: int) -> Iterator[Stretch]:
        """Stretches that start anywhere, drawn anew for each epoch."""
        random = np.random.default_rng((self.seed, epoch))
        for _ in range(self.batches_per_epoch):
            series = random.choice(len(self._share), BATCH, p=self._share)
            low = self._first[series] - self._warm_up
            begin = low + np.floor(random.random(BATCH) * (self._last[series] - self._warm_up + 1 - low)).astype(int)
            rows = begin + np.arange(self._length)[:, None]
            counts = (rows >= self._first[series]) & (rows <= self._last[series])
            counts[: self._warm_up] = False
            # A stretch that would begin before its series, or run past it, repeats the border row there, uncounted.
            rows = np.clip(rows, self._starts[series], self._last[series])
            yield Stretch(torch.from_numpy(rows), torch.from_numpy(counts), torch.from_numpy(self._ends[series]))

    def loss(self, batch: Stretch) -> Tensor:
        """Squared error of the mean and pinball loss of the quantiles (Koenker & Bassett 1978), in units of change."""
        miss, correction, known = self._misses(batch)
        weight = known * self._lead_weight
        total = weight.sum().clamp(min=1.0)
        loss = (miss.square() * weight).sum() / total
        if len(self.levels):
            # The quantiles lie around the mean, whose own training they leave alone.
            over = miss.detach()[..., None] - (self.scales.quantiles + correction[..., 1:])
            pinball = torch.maximum(self.levels * over, (self.levels - 1) * over).mean(-1)
            loss = loss + PINBALL * (pinball * weight).sum() / total
        return loss

    def divide(self, batch: Stretch, parts: int) -> list[Stretch]:
        """Groups of its stretches."""
        size = min(parts, batch.origins.shape[1])
        pieces = zip(
            batch.origins.tensor_split(size, 1),
            batch.counts.tensor_split(size, 1),
            batch.ends.tensor_split(size),
            strict=True,
        )
        return [Stretch(*piece) for piece in pieces]

    def weight(self, batch: Stretch) -> float:
        """The sum of the leads' weights over what is forecast in it."""
        at, counts = batch.origins[self._warm_up :], batch.counts[self._warm_up :]
        _, known = self.features.truth(at, batch.ends.expand(at.shape))
        return (known & counts[..., None]).to(self.device).mul(self._lead_weight).sum().clamp(min=1.0).item()

    def _misses(self, batch: Stretch) -> tuple[Tensor, Tensor, Tensor]:
        """What the mean misses after the warm-up `[T, B, L]`, corrections `[T, B, L, 1 + Q]`, and what counts."""
        features = self.features
        rows, codes = features.rows(batch.origins), features.codes(batch.origins)
        states, _ = self.module.read(rows.to(self.device), codes.to(self.device))
        at, ends, counts = batch.origins[self._warm_up :], batch.ends, batch.counts[self._warm_up :]
        head, lead = features.head(at, rows[self._warm_up :]), features.lead(at)
        truth, known = features.truth(at, ends.expand(at.shape))
        base = self.linear(head, lead)
        future = lead[..., len(features.recipe.periods) :]
        moved = (head, codes[self._warm_up :], future, truth - base, known & counts[..., None])
        head, codes, future, target, known = (tensor.to(self.device) for tensor in moved)
        correction = self.module.correct(states[self._warm_up :], head, codes, future)
        target = target / self.scales.change
        return target - correction[..., 0], correction, known

    def validate(self) -> dict[str, float]:
        """Root mean square error over all validation leads, in standard deviations of the target; kept per epoch."""
        if self.validation is None:
            return {}
        origins, ends = self.validation
        correction = corrections(self.module, self.features, origins, context=2 * STRETCH)
        move = (correction[..., 0] * self.scales.change).cpu()
        self.validated.append(move.numpy())
        truth, known = self.features.truth(origins, ends)
        miss = truth - self.linear(self.features.head(origins), self.features.lead(origins)) - move
        return {"rmse": lead_error(miss, known)}

    def gathered(self) -> dict[str, Tensor]:
        """The moves of each validated epoch."""
        return {str(k): torch.from_numpy(move) for k, move in enumerate(self.validated)}

    def regain(self, gathered: Mapping[str, Tensor]) -> None:
        """Take back what `gathered` returned."""
        self.validated = [gathered[str(k)].numpy() for k in range(len(gathered))]

    @torch.no_grad()
    def describe(self, batch: Stretch) -> str:
        """The stretches of time in the batch; those with forecasts that are not finite where there are."""
        miss, correction, _ = self._misses(batch)
        bad = ~(miss.isfinite().all(-1) & correction.isfinite().all(-1).all(-1)).all(0).cpu()
        columns = batch.origins.T[bad] if bad.any() else batch.origins.T
        panel, parts = self.features.panel, []
        for column in columns[:3]:
            series = int(np.searchsorted(panel.offsets, int(column[0]), side="right")) - 1
            name = f"{panel.ids[series]}: " if panel.roles.id else ""
            parts.append(f"{name}{show_time(panel.times[int(column[0])])} to {show_time(panel.times[int(column[-1])])}")
        return "; ".join(parts) + (f" and {len(columns) - 3} more stretches" if len(columns) > 3 else "")


def lead_error(miss: Tensor, known: Tensor) -> float:
    """The root mean square of errors `[O, L]` where `known`, for each lead, then averaged over leads."""
    square = torch.where(known, miss, 0.0).square().sum(0) / known.sum(0).clamp(min=1)
    return float(square.sqrt()[known.any(0)].mean()) if known.any() else 0.0


@torch.no_grad()
def corrections(network: ForecastNetwork, features: Features, origins: Tensor, context: int | None = None) -> Tensor:
    """Corrections `[O, L, 1 + Q]` at sorted origins, each series read once from its beginning (or `context` rows)."""
    device = next(network.parameters()).device
    panel = features.panel
    series = torch.from_numpy(np.searchsorted(panel.offsets, origins.numpy(), side="right") - 1)
    found = torch.empty(len(origins), *network.shape, device=device)
    present, counts = torch.unique_consecutive(series, return_counts=True)
    firsts = torch.cumsum(counts, 0) - counts
    starts = torch.from_numpy(np.asarray(features.starts))[present]
    if context is not None:
        starts = torch.maximum(starts, origins[firsts] - context)
    lengths = origins[firsts + counts - 1] + 1 - starts
    order = torch.argsort(lengths, stable=True)
    for group in order.split(SERIES_AT_ONCE):
        begin, length = starts[group], lengths[group]
        members = [torch.arange(int(firsts[g]), int(firsts[g] + counts[g])) for g in group]
        flat = torch.cat(members)
        column = torch.repeat_interleave(torch.arange(len(group)), counts[group])
        step = origins[flat] - begin[column]
        state = None
        for low in range(0, int(length.max()), ROWS_AT_ONCE):
            rows = torch.minimum(begin + torch.arange(low, min(low + ROWS_AT_ONCE, int(length.max())))[:, None],
                                 begin + length - 1)  # fmt: skip
            outputs, state = network.read(features.rows(rows).to(device), features.codes(rows).to(device), state)
            here = (step >= low) & (step < low + ROWS_AT_ONCE)
            for part, at, of in zip(
                flat[here].split(ROWS_AT_ONCE), (step[here] - low).split(ROWS_AT_ONCE),
                column[here].split(ROWS_AT_ONCE), strict=True,
            ):  # fmt: skip
                where = origins[part]
                future = features.lead(where)[..., len(features.recipe.periods) :]
                moved = (features.head(where), features.codes(where), future)
                found[part] = network.correct(outputs[at, of], *(tensor.to(device) for tensor in moved))
    return found
