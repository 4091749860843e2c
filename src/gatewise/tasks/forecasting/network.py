"""The network of a forecaster: an LSTM over the series that corrects the linear part at every row.

Legend: T steps, B batch, F features, H hidden units, L leads, Q quantiles.
"""

import torch
from torch import Tensor, nn

from gatewise.nn import LSTM

State = tuple[Tensor, Tensor]


class ForecastNetwork(nn.Module):
    """Corrections of all leads from each row: an LSTM reads the rows, a head reads it and the newest values.

    The head has two paths. The far one sees the LSTM's state and the newest row; the near one also sees the newest
    values themselves. With `fading` it counts for lead l by 1 / l: what happened an hour ago says much about the next
    hour and little about the same hour tomorrow, so many leads trained together do not cost the first one. Where a
    season has been taken out, the newest values are how this season differs from the last, which concerns every lead.
    The last layers start at zero: an untrained network corrects nothing.

    Args:
        row_width: F_rows, read by the LSTM at every step.
        head_width: F_head, lags and then the row, read by the head at every origin.
        future_width: features of each lead known in advance; 0 for none.
        categories: number of categories of each categorical covariate, looked up in embeddings.
        horizon: L.
        quantiles: Q.
        fading: whether the near path counts less for far leads.
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
        fading: bool,
        hidden_size: int,
        num_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.shape = (horizon, 1 + quantiles)
        self.fading = fading
        widths = [min(16, round((n + 1) ** 0.5) + 1) for n in categories]
        self.embeddings = nn.ModuleList(nn.Embedding(n + 1, width) for n, width in zip(categories, widths, strict=True))
        extra = sum(widths)
        between = dropout if num_layers > 1 else 0.0
        self.lstm = LSTM(row_width + extra, hidden_size, num_layers, dropout=between, forget_bias=1.0)
        self.dropout = nn.Dropout(dropout)
        self.lags = head_width - row_width
        self.far = nn.Linear(hidden_size + row_width + extra, hidden_size)
        self.near = nn.Linear(hidden_size + head_width + extra, hidden_size)
        self.future = nn.Linear(future_width, hidden_size, bias=False) if future_width else None
        self.far_output = nn.Parameter(torch.zeros(horizon, hidden_size, 1 + quantiles))
        self.near_output = nn.Parameter(torch.zeros(horizon, hidden_size, 1 + quantiles))
        self.output_bias = nn.Parameter(torch.zeros(horizon, 1 + quantiles))

    def read(self, rows: Tensor, codes: Tensor, hx: State | None = None) -> tuple[Tensor, State]:
        """LSTM outputs `[T, B, H]` and state from rows `[T, B, F_rows]` and codes `[T, B, number of categoricals]`."""
        return self.lstm(self.with_embeddings(rows, codes), hx)

    def correct(self, states: Tensor, head: Tensor, codes: Tensor, future: Tensor) -> Tensor:
        """Corrections `[..., L, 1 + Q]` from states `[..., H]`, head `[..., F_head]`, future `[..., L, F_future]`."""
        states = self.dropout(states)
        far = self.far(torch.cat([states, self.with_embeddings(head[..., self.lags :], codes)], -1))
        near = self.near(torch.cat([states, self.with_embeddings(head, codes)], -1))
        near_output = self.near_output
        if self.fading:
            near_output = near_output / torch.arange(1, self.shape[0] + 1, device=head.device)[:, None, None]
        correction = self._per_lead(near, near_output) + self.output_bias
        if self.future is None:
            return correction + self._per_lead(far, self.far_output)
        each = self.dropout(torch.relu(far[..., None, :] + self.future(future)))
        return correction + torch.einsum("...lh,lhq->...lq", each, self.far_output)

    def _per_lead(self, hidden: Tensor, weight: Tensor) -> Tensor:
        """Hidden units `[..., H]` through the weights of all leads `[L, H, 1 + Q]` at once: `[..., L, 1 + Q]`."""
        flat = self.dropout(torch.relu(hidden)) @ weight.transpose(0, 1).flatten(1)
        return flat.unflatten(-1, self.shape)

    def with_embeddings(self, features: Tensor, codes: Tensor) -> Tensor:
        """Features `[..., F]` with the embeddings of the codes `[..., number of categoricals]` behind them."""
        looked_up = [table(codes[..., k]) for k, table in enumerate(self.embeddings)]
        return torch.cat([features, *looked_up], -1) if looked_up else features
