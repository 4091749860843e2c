"""The classifier's network: an LSTM over values and differences, its outputs pooled over time, one linear layer."""

import torch
from torch import Tensor, nn

from gatewise.nn import LSTM


class ClassifierNetwork(nn.Module):
    """Values and their first differences -> LSTM -> mean and maximum over each sequence's steps -> dropout -> linear.

    Pooling over all steps instead of the last one lets every step reach the classes on a path of length one, so short
    and long sequences learn alike. The forget bias is 1 (Jozefowicz, Zaremba & Sutskever 2015, section 4).

    Args:
        channels: X, the sequence's channels.
        difference_scale: what differences are divided by `[X]`.
        masked: whether the input's last X channels are masks of the first X (1 known, 0 missing).
        classes: K.
        hidden_size: H of each direction.
        num_layers: LSTM layers.
        bidirectional: read each sequence in both directions (Graves & Schmidhuber 2005).
        dropout: between LSTM layers and before the linear layer.

    >>> network = ClassifierNetwork(
    ...     3, 4, difference_scale=torch.ones(3), masked=False,
    ...     hidden_size=5, num_layers=1, bidirectional=True, dropout=0.0)
    >>> network(torch.randn(7, 2, 3), torch.tensor([7, 4])).shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        difference_scale: Tensor,
        masked: bool,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.masked = masked
        # Of the preparation of the inputs, which keeps it in the configuration: not a weight.
        self.register_buffer("difference_scale", difference_scale, persistent=False)
        self.difference_scale: Tensor
        self.lstm = LSTM(
            channels * (3 if masked else 2),
            hidden_size,
            num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
            forget_bias=1.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * hidden_size * (2 if bidirectional else 1), classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits `[B, K]` of a padded batch `[T, B, X]` (or `[T, B, 2X]` with masks), lengths `[B]` from 1 to T."""
        steps = x.shape[0]
        outputs, _ = self.lstm(self.features(x), lengths=None if bool((lengths == steps).all()) else lengths)
        lengths = lengths.to(outputs.device)
        valid = (torch.arange(steps, device=outputs.device)[:, None] < lengths).unsqueeze(-1)
        mean = outputs.sum(0) / lengths.unsqueeze(-1)  # the layer's outputs are 0 beyond a sequence's end
        largest = outputs.masked_fill(~valid, -torch.inf).amax(0)
        return self.linear(self.dropout(torch.cat([mean, largest], dim=-1)))

    def features(self, x: Tensor) -> Tensor:
        """The LSTM's input `[T, B, 2X]` (with masks `[T, B, 3X]`) of a batch: values, differences, masks."""
        return with_differences(x, self.difference_scale, self.masked)


def with_differences(x: Tensor, scale: Tensor, masked: bool) -> Tensor:
    """Values, their first differences and, if there are any, masks: `[T, B, 2X]` or `[T, B, 3X]`.

    A difference is 0 at the first step and where one of its two values is missing.

    Args:
        x: `[T, B, X]`, or with masks `[T, B, 2X]`.
        scale: what differences are divided by `[X]`.
        masked: whether the last X channels of x are masks (1 known, 0 missing).
    """
    values, mask = x[..., : len(scale)], x[..., len(scale) :]
    differences = values.diff(dim=0, prepend=values[:1]) / scale
    if masked:
        differences = differences * mask * mask.roll(1, dims=0)
    return torch.cat([values, differences, mask], dim=-1)
