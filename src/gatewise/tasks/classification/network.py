"""The classifier's network: an LSTM, its outputs pooled over time, one linear layer."""

import torch
from torch import Tensor, nn

from gatewise.nn import LSTM


class ClassifierNetwork(nn.Module):
    """LSTM -> mean and maximum over each sequence's own steps -> dropout -> linear.

    Pooling over all steps instead of the last one lets every step reach the classes on a path of length one, so short
    and long sequences learn alike. The forget bias is 1 (Jozefowicz, Zaremba & Sutskever 2015, section 4).

    Args:
        channels: X, the input's channels.
        classes: K.
        hidden_size: H of each direction.
        num_layers: LSTM layers.
        bidirectional: read each sequence in both directions (Graves & Schmidhuber 2005).
        dropout: between LSTM layers and before the linear layer.

    >>> network = ClassifierNetwork(3, 4, hidden_size=5, num_layers=1, bidirectional=True, dropout=0.0)
    >>> network(torch.randn(7, 2, 3), torch.tensor([7, 4])).shape
    torch.Size([2, 4])
    """

    def __init__(
        self, channels: int, classes: int, *, hidden_size: int, num_layers: int, bidirectional: bool, dropout: float
    ) -> None:
        super().__init__()
        self.lstm = LSTM(
            channels,
            hidden_size,
            num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
            forget_bias=1.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * hidden_size * (2 if bidirectional else 1), classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits `[B, K]` of a padded batch `[T, B, X]` with lengths `[B]`, each from 1 to T."""
        steps = x.shape[0]
        outputs, _ = self.lstm(x, lengths=None if bool((lengths == steps).all()) else lengths)
        lengths = lengths.to(outputs.device)
        valid = (torch.arange(steps, device=outputs.device)[:, None] < lengths).unsqueeze(-1)
        mean = outputs.sum(0) / lengths.unsqueeze(-1)  # the layer's outputs are 0 beyond a sequence's end
        largest = outputs.masked_fill(~valid, -torch.inf).amax(0)
        return self.linear(self.dropout(torch.cat([mean, largest], dim=-1)))
