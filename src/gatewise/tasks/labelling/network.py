"""The labeller's network: an LSTM over values and differences, and a linear layer at every step."""

import torch
from torch import Tensor, nn

from gatewise.nn import LSTM
from gatewise.tasks.classification.network import with_differences


class LabellerNetwork(nn.Module):
    """Values and their first differences -> LSTM -> dropout -> linear, at each step.

    Both directions see all of a sequence (Graves & Schmidhuber 2005). A causal network has a delay of k steps: what it
    says of step t is computed when it has read step t + k, and after the end it reads k steps of zeros. That is a time
    window for any k at no weight more (the delayed targets of Graves & Schmidhuber 2005, section 3.2). With a delay of
    -1 it says of step t what it makes of the steps before it.

    Args:
        channels: X, the sequence's channels.
        outputs: K, numbers of a step.
        difference_scale: what differences are divided by `[X]`.
        masked: whether the input's last X channels are masks of the first X (1 known, 0 missing).
        hidden_size: H of each direction.
        num_layers: LSTM layers.
        delay: k of a causal network, at least -1; None for both directions.
        dropout: between LSTM layers and before the linear layer.
        adds_newest: whether the newest values before a step are added to its outputs, so that it is changes that are
            learnt; only with a delay of -1 and K = X.

    >>> network = LabellerNetwork(3, 4, difference_scale=torch.ones(3), masked=False,
    ...     hidden_size=5, num_layers=1, delay=2, dropout=0.0)
    >>> network(torch.randn(7, 2, 3), torch.tensor([7, 4])).shape
    torch.Size([7, 2, 4])
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        *,
        difference_scale: Tensor,
        masked: bool,
        hidden_size: int,
        num_layers: int,
        delay: int | None,
        dropout: float,
        adds_newest: bool = False,
    ) -> None:
        super().__init__()
        self.channels, self.masked, self.delay, self.adds_newest = channels, masked, delay, adds_newest
        # Of the preparation of the inputs, which keeps it in the configuration: not a weight.
        self.register_buffer("difference_scale", difference_scale, persistent=False)
        self.difference_scale: Tensor
        self.lstm = LSTM(
            channels * (3 if masked else 2),
            hidden_size,
            num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=delay is None,
            forget_bias=1.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size * (2 if delay is None else 1), outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Outputs `[T, B, K]` of a padded batch `[T, B, X]` (or `[T, B, 2X]` with masks), lengths `[B]` from 1 to T.

        What stands beyond a sequence's end means nothing.
        """
        steps = x.shape[0]
        inputs = self.features(x)
        if self.delay is not None:
            inputs = self._delayed(inputs, lengths.to(x.device))
            lengths = lengths + max(self.delay, 0)
        hidden, _ = self.lstm(inputs, lengths=None if bool((lengths == len(inputs)).all()) else lengths)
        outputs = self.linear(self.dropout(hidden[len(inputs) - steps :]))
        if self.adds_newest:
            outputs = outputs + torch.cat([torch.zeros_like(x[:1]), x[:-1]])[..., : self.channels]
        return outputs

    def features(self, x: Tensor) -> Tensor:
        """The LSTM's input of a batch: values, differences, masks; see `with_differences`."""
        return with_differences(x, self.difference_scale, self.masked)

    def _delayed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Inputs with k steps of zeros after each sequence's end, or with one before its beginning."""
        assert self.delay is not None
        if self.delay < 0:
            return torch.cat([torch.zeros_like(inputs[:1]), inputs[:-1]])
        if self.delay == 0:
            return inputs
        # A difference to the zeros beyond an end would be one more input there.
        valid = torch.arange(len(inputs), device=inputs.device)[:, None] < lengths
        return torch.cat([inputs * valid[..., None], inputs.new_zeros(self.delay, *inputs.shape[1:])])
