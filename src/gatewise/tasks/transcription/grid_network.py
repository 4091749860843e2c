"""The network of the multidimensional LSTM: an image, level by level smaller, at last a sequence.

Legend: T frames (columns), B batch, X features of a frame (rows of the image), K frames that become one step, V labels
with the blank among them, R rows and C columns of a level, F features of a position.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.nn import MDLSTM
from gatewise.tasks.transcription.backbones import Backbone
from gatewise.tasks.transcription.network import standardised

WINDOW_ROWS = 2  # of the image that become one row of the next level


class GridNetwork(nn.Module):
    """The hierarchy of Graves & Schmidhuber (2009), Offline Handwriting Recognition with Multidimensional Recurrent
    Neural Networks: blocks of pixels, a multidimensional LSTM in four directions, windows of its outputs into a layer
    of tanh units, the next LSTM, and so on; the last one's outputs, summed over rows, are a sequence.

    Deviations: the stable cell without peepholes (`gatewise.cells.MDLSTM`), windows of 2 rows and 1 or 2 columns where
    the paper has larger ones, larger lower levels, and the rows are summed before the linear layer, which comes to the
    same but for its bias.

    What a sequence becomes does not depend on the others of its batch: whatever lies beyond its end is 0 in every
    level.

    Args:
        mean: what frames are standardised with `[X]`.
        scale: likewise `[X]`.
        labels: V; label 0 is the blank.
        backbone: which network.
        subsampling: K, a power of two: the first levels' windows are 2 columns wide, as many of them as it takes.
        dropout: in front of each LSTM but the first, and of the linear layer.

    >>> network = GridNetwork(torch.zeros(6), torch.ones(6), 5, Backbone(8, 3, True, (), "", ((2, 3), (4, 6))), 2)
    >>> logits, steps = network(torch.randn(7, 2, 6), torch.tensor([7, 4]))
    >>> logits.shape, steps
    (torch.Size([4, 2, 5]), tensor([4, 2]))
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, mean: Tensor, scale: Tensor, labels: int, backbone: Backbone, subsampling: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        # Of the preparation of the inputs, which keeps them in the configuration: no weights.
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        self.front = Levels(backbone, subsampling, dropout)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(self.front.width, labels)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[ceil(T / K), B, V]` of a padded batch `[T, B, X]`, and how many steps each sequence has `[B]`.

        Args:
            frames: not standardised; what lies beyond a sequence's end is not looked at.
            lengths: on the CPU, from 1 to T.
        """
        image = standardised(frames, self.mean, self.scale, lengths).permute(1, 2, 0).unsqueeze(-1)
        outputs = self.front(image, lengths)  # [B, R, C, F]
        sequence = outputs.sum(1).transpose(0, 1)
        return self.linear(self.dropout(sequence)), -(-lengths // self.front.subsampling)


class Levels(nn.Module):
    """Images `[B, X, T, 1]` -> outputs `[B, R, ceil(T / K), width]` of the last level.

    Args:
        backbone: its `levels` are the lower ones: units of each direction, and tanh units above them.
        subsampling: K.
        dropout: in front of each LSTM but the first.
    """

    def __init__(self, backbone: Backbone, subsampling: int, dropout: float) -> None:
        super().__init__()
        self.subsampling = subsampling
        halvings = subsampling.bit_length() - 1
        units = [*(level[0] for level in backbone.levels), backbone.hidden_size]
        self.windows = [(WINDOW_ROWS, 2 if number < halvings else 1) for number in range(len(units))]
        # Of blocks of pixels the LSTM reads as they are; above, tanh units stand between.
        self.tanh = nn.ModuleList()
        self.lstm = nn.ModuleList()
        features = 1
        for number, (hidden, (rows, columns)) in enumerate(zip(units, self.windows, strict=True)):
            features *= rows * columns
            if number:
                layer = nn.Linear(features, backbone.levels[number - 1][1])
                nn.init.xavier_uniform_(layer.weight, gain=5 / 3)  # Glorot & Bengio (2010), eq. 16, for tanh
                nn.init.zeros_(layer.bias)
                self.tanh.append(layer)
                features = layer.out_features
            lstm = MDLSTM(features, hidden)
            self.lstm.append(lstm)
            features = lstm.output_size
        self.width = features
        self.dropout = nn.Dropout(dropout)

    def forward(self, image: Tensor, lengths: Tensor) -> Tensor:
        """See the class; `lengths` are the columns `[B]` of each image, beyond which it is 0."""
        for number, (rows, columns) in enumerate(self.windows):
            image, lengths = windowed(image, rows, columns), -(-lengths // columns)
            if number:
                image = self.dropout(self.tanh[number - 1](image).tanh())
            sizes = torch.stack([torch.full_like(lengths, image.shape[1]), lengths], 1)
            image = self.lstm[number](image, sizes)
        return image


def windowed(image: Tensor, rows: int, columns: int) -> Tensor:
    """`[B, ceil(R / rows), ceil(C / columns), rows * columns * F]` of `[B, R, C, F]`; beyond the border stands 0."""
    height, width = image.shape[1:3]
    padded = functional.pad(image, (0, 0, 0, -width % columns, 0, -height % rows))
    parted = padded.unflatten(2, (-1, columns)).unflatten(1, (-1, rows))  # [B, R', rows, C', columns, F]
    return parted.transpose(2, 3).flatten(3)
