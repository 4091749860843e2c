"""A layer that reads sequences against time, which other libraries have as a layer of its own.

Legend: T steps, B batch, X inputs, O outputs, H hidden units, L layers, D directions.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gatewise.convert.weights import Layer
from gatewise.nn.sequences import Lengths, arrange


class Backwards(nn.Module):
    """A layer that reads every sequence from its end to its beginning, alone: no direction reads it forwards.

    Every output stands at the time of the input it was computed from, as it does in the backward direction of a
    bidirectional layer.

    Args:
        layer: what reads the reversed sequences.

    >>> import torch
    >>> from gatewise.nn import GRU
    >>> layer = Backwards(GRU(3, 5))
    >>> output, h = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> bool((output[0] == h[0]).all() and (output[4:, 1] == 0).all())
    True
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, input: Tensor | PackedSequence, hx: Any = None, *, lengths: Lengths | None = None
    ) -> tuple[Tensor | PackedSequence, Any]:
        """Run the layer; arguments, returns and errors as of the layer itself.

        Args:
            input: `[T, B, X]` (`[B, T, X]` with `batch_first`), one sequence `[T, X]`, or a `PackedSequence`.
            hx: the state before the first step that is read: the last one of each sequence.
            lengths: how many steps each sequence has.

        Returns:
            Outputs in the form of the input, and the states after the last step that is read: the first one.
        """
        inner = self.layer
        sequences = arrange(input, lengths, batch_first=inner.batch_first, features=inner.input_size, layer=inner)
        x, known = sequences.padded()
        order = reading_order(sequences.steps, sequences.batch, known, x.device)
        dense = replace(sequences, packed=None, batch_first=inner.batch_first)  # the form of a call that is not packed
        output, states = inner(dense.restore(torch.take_along_dim(x, order, dim=0)), hx, lengths=known)
        there = arrange(output, known, batch_first=inner.batch_first, features=output.shape[-1], layer=inner).data
        return sequences.restore(torch.take_along_dim(there, order, dim=0)), states


def reading_order(steps: int, batch: int, lengths: Tensor | None, device: torch.device) -> Tensor:
    """For each step read the time it is at: `[T, B, 1]`; padding stays where it is.

    >>> reading_order(4, 2, torch.tensor([4, 2]), torch.device("cpu")).squeeze(-1).T.tolist()
    [[3, 2, 1, 0], [1, 0, 2, 3]]
    """
    times = torch.arange(steps, device=device).unsqueeze(1).expand(steps, batch)
    ends = torch.full((batch,), steps, device=device) if lengths is None else lengths.to(device)
    return torch.where(times < ends, ends - 1 - times, times).unsqueeze(-1)
