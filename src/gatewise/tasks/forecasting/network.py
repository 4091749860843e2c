"""The network of a forecaster: an LSTM over the series that corrects the linear part at every row.

Legend: T steps, B batch, F features, H hidden units, L leads, Q quantiles.
"""

import torch
from torch import Tensor, nn

from gatewise.nn import LSTM

State = tuple[Tensor, Tensor]


class ForecastNetwork(nn.Module):
    """Corrections of all leads from each row: an LSTM reads the rows, a head reads it and the newest values.

    The direct path from the newest values to the head is what keeps the first lead sharp while many leads are trained
    together. The last layer starts at zero: an untrained network corrects nothing.

    Args:
        row_width: F_rows, read by the LSTM at every step.
        head_width: F_head, read by the head at every origin.
        future_width: features of each lead known in advance; 0 for none.
        categories: number of categories of each categorical covariate, looked up in embeddings.
        horizon: L.
        quantiles: Q.
        hidden_size: H, of the LSTM and of the head.
        num_layers: of the LSTM.
        dropout: probability, on the LSTM's outputs and the head's hidden units.
    """

    def __init__(
        self,
        row_width: int,
        head_width: int,
        future_width: int,
        categories: tuple[int, ...],
        horizon: int,
        quantiles: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.shape = (horizon, 1 + quantiles)
        widths = [min(16, round((n + 1) ** 0.5) + 1) for n in categories]
        self.embeddings = nn.ModuleList(nn.Embedding(n + 1, width) for n, width in zip(categories, widths, strict=True))
        extra = sum(widths)
        between = dropout if num_layers > 1 else 0.0
        self.lstm = LSTM(row_width + extra, hidden_size, num_layers, dropout=between, forget_bias=1.0)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(hidden_size + head_width + extra, hidden_size)
        self.future = nn.Linear(future_width, hidden_size, bias=False) if future_width else None
        self.output = nn.Parameter(torch.zeros(horizon, hidden_size, 1 + quantiles))
        self.output_bias = nn.Parameter(torch.zeros(horizon, 1 + quantiles))

    def read(self, rows: Tensor, codes: Tensor, hx: State | None = None) -> tuple[Tensor, State]:
        """LSTM outputs `[T, B, H]` and state from rows `[T, B, F_rows]` and codes `[T, B, number of categoricals]`."""
        return self.lstm(self._with_embeddings(rows, codes), hx)

    def correct(self, states: Tensor, head: Tensor, codes: Tensor, future: Tensor) -> Tensor:
        """Corrections `[..., L, 1 + Q]` from states `[..., H]`, head `[..., F_head]` and future `[..., L, F_future]`."""
        hidden = self.hidden(torch.cat([self.dropout(states), self._with_embeddings(head, codes)], -1))
        if self.future is None:
            flat = self.dropout(torch.relu(hidden)).flatten(0, -2)
            weight = self.output.transpose(0, 1).flatten(1)
            return (flat @ weight).view(*hidden.shape[:-1], *self.shape) + self.output_bias
        each = self.dropout(torch.relu(hidden[..., None, :] + self.future(future)))
        return torch.einsum("...lh,lhq->...lq", each, self.output) + self.output_bias

    def _with_embeddings(self, features: Tensor, codes: Tensor) -> Tensor:
        looked_up = [table(codes[..., k]) for k, table in enumerate(self.embeddings)]
        return torch.cat([features, *looked_up], -1) if looked_up else features
