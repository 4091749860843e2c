"""Drawing what comes next: temperature, the likeliest k, seeds.

Legend: V labels or events.
"""

import torch
from torch import Tensor

from gatewise.errors import ConfigurationError
from gatewise.tasks.arguments import is_count, is_number
from gatewise.tasks.generation.frames import FrameEvents


class Sampler:
    """Draws labels or frames of events, the same ones from the same seed.

    Args:
        temperature: what logits are divided by: below 1 the likelier becomes likelier; at 0 the likeliest is taken
            (of events those that are likelier than not).
        top_k: of how many of the likeliest one is drawn; of events, how many may sound at most: the likeliest ones, or
            of joint events those that are drawn first. None: of all.
        seed: of the draws.

    Raises:
        ConfigurationError: the temperature or top_k cannot be meant.

    >>> logits = torch.tensor([0.0, 3.0, 2.0])
    >>> Sampler(temperature=0.0).label(logits), {Sampler(top_k=2, seed=s).label(logits) for s in range(20)}
    (1, {1, 2})
    """

    def __init__(self, *, temperature: float = 1.0, top_k: int | None = None, seed: int = 0) -> None:
        if not is_number(temperature) or not 0 <= temperature < float("inf"):
            raise ConfigurationError(f"temperature is {temperature!r}, expected a number of at least 0")
        if top_k is not None and not is_count(top_k, 1):
            raise ConfigurationError(f"top_k is {top_k!r}, expected a whole number of at least 1, or None")
        self.temperature, self.top_k = float(temperature), top_k
        self._generator = torch.Generator().manual_seed(seed)

    def label(self, logits: Tensor) -> int:
        """A label, of logits `[V]`."""
        logits = logits.detach().double().cpu()
        if self.temperature == 0:
            return int(logits.argmax())
        if self.top_k is not None and self.top_k < len(logits):
            # Not by the k-th value, which several may share.
            kept = logits.topk(self.top_k).indices
            logits = torch.full_like(logits, -torch.inf).index_copy(0, kept, logits[kept])
        shares = (logits / self.temperature).softmax(0)
        return int(torch.multinomial(shares, 1, generator=self._generator))

    def sounds(self, logits: Tensor) -> Tensor:
        """Of events with logits `[n]`, which sound: booleans `[n]`."""
        logits = logits.detach().double().cpu()
        if self.temperature == 0:
            return logits > 0
        drawn = torch.rand(len(logits), dtype=torch.float64, generator=self._generator)
        return drawn < torch.sigmoid(logits / self.temperature)

    def events(self, logits: Tensor) -> Tensor:
        """Which of independent events sound, booleans `[V]`, of logits `[V]`."""
        logits = logits.detach().double().cpu()
        drawn = self.sounds(logits)
        if self.top_k is not None and self.top_k < len(logits):
            allowed = torch.zeros(len(logits), dtype=torch.bool)
            allowed[logits.topk(self.top_k).indices] = True
            drawn &= allowed
        return drawn

    def frame(self, given: Tensor, frames: FrameEvents) -> Tensor:
        """Which of joint events sound, booleans `[V]`, of what the network says of a frame, `[V + K]`."""
        left = self.top_k

        def sounds(logits: Tensor) -> Tensor:
            nonlocal left
            drawn = self.sounds(logits)
            if left is not None:
                drawn = drawn & (left > 0)
                left -= int(drawn)
            return drawn

        return frames.draw(given.unsqueeze(0), sounds)[0].cpu() > 0
