"""Which events of a frame go together: each is said from what came before the frame, and from those before it in it.

Legend: n frames, E events, K hidden units.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class FrameEvents(nn.Module):
    """Logits of each event of a frame, given the events of lower places: a product of conditionals is exact.

    A recurrent network's outputs are the biases of a network over the frame, as in the RNN-NADE of
    Boulanger-Lewandowski, Bengio & Vincent (2012). In the place of NADE stands a masked network with direct connections
    (MADE: Germain, Gregor, Murray & Larochelle 2015), which is products of matrices instead of a loop over events:
    hidden unit k sees the events below its degree, and event i the units whose degree is at most i.

    Args:
        size: E.
        units: K.

    >>> head = FrameEvents(3, units=4)
    >>> frames = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    >>> logits = head(torch.randn(7).expand(8, 7), frames)
    >>> shares = torch.where(frames > 0, logits.sigmoid(), 1 - logits.sigmoid()).prod(1)
    >>> round(shares.sum().item(), 4)
    1.0
    """

    sees: Tensor
    seen: Tensor
    before: Tensor

    def __init__(self, size: int, units: int) -> None:
        super().__init__()
        self.size, self.units = size, units
        places = torch.arange(size)
        degrees = 1 + torch.arange(units) * max(size - 1, 1) // units
        self.register_buffer("sees", (places < degrees[:, None]).float(), persistent=False)
        self.register_buffer("seen", (degrees <= places[:, None]).float(), persistent=False)
        self.register_buffer("before", (places < places[:, None]).float(), persistent=False)
        self.first = nn.Parameter(torch.empty(units, size))
        self.second = nn.Parameter(torch.empty(size, units))
        self.direct = nn.Parameter(torch.zeros(size, size))
        # Few events sound at a time: the spread of what a unit receives does not go by E.
        nn.init.normal_(self.first, std=0.5)
        nn.init.normal_(self.second, std=0.1 / units**0.5)

    def forward(self, given: Tensor, events: Tensor) -> Tensor:
        """Logits `[n, E]`.

        Args:
            given: from the recurrent network, biases of the events and of the hidden units, `[n, E + K]`.
            events: 0 and 1, `[n, E]`; that of each place is looked at for the places above it alone.
        """
        biases, hidden = given.split([self.size, self.units], -1)
        hidden = (hidden + events @ (self.first * self.sees).T).relu()
        return biases + hidden @ (self.second * self.seen).T + events @ (self.direct * self.before).T

    @torch.no_grad()
    def draw(self, given: Tensor, sounds: Callable[[Tensor], Tensor]) -> Tensor:
        """Frames `[n, E]` of 0 and 1, event by event; `sounds` says of logits `[n]` which do, as booleans `[n]`."""
        biases, hidden = given.split([self.size, self.units], -1)
        hidden, first, second = hidden.clone(), self.first * self.sees, self.second * self.seen
        direct = self.direct * self.before
        events = torch.zeros_like(biases)
        for place in range(self.size):
            logits = biases[:, place] + hidden.relu() @ second[place] + events @ direct[place]
            events[:, place] = sounds(logits).to(events)
            hidden += events[:, place, None] * first[:, place]
        return events
