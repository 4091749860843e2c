"""The transcriber's network: frames -> (convolutions or joined frames) -> LSTM -> labels and the blank.

Legend: T frames, B batch, X features of a frame, K frames that become one step (`subsampling`), V labels with the blank
among them, C channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.nn import LSTM
from gatewise.tasks.transcription.backbones import Backbone


class TranscriberNetwork(nn.Module):
    """A backbone over standardised frames, with one linear layer to the labels.

    What a sequence becomes does not depend on the others of its batch: whatever lies beyond its end is 0 in every
    layer.

    Args:
        mean: what frames are standardised with `[X]`.
        scale: likewise `[X]`.
        labels: V; label 0 is the blank.
        backbone: which network.
        subsampling: K, a power of two: that many frames become one step.
        look_ahead: how many frames each step sees besides its own K, where the network does not convolve.
        dropout: between LSTM layers and before the linear layer.

    >>> network = TranscriberNetwork(torch.zeros(6), torch.ones(6), 5, Backbone(8, 1, True, (4, 8), ""), subsampling=2)
    >>> logits, steps = network(torch.randn(7, 2, 6), torch.tensor([7, 4]))
    >>> logits.shape, steps
    (torch.Size([4, 2, 5]), tensor([4, 2]))
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        mean: Tensor,
        scale: Tensor,
        labels: int,
        backbone: Backbone,
        *,
        subsampling: int = 1,
        look_ahead: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # Of the preparation of the inputs, which keeps them in the configuration: no weights.
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        front: JoinedFrames | Convolutions = JoinedFrames(len(mean), subsampling, look_ahead)
        if backbone.channels:
            front = Convolutions(len(mean), backbone.channels, subsampling)
        self.front = front
        self.lstm = LSTM(
            front.width,
            backbone.hidden_size,
            backbone.num_layers,
            dropout=dropout if backbone.num_layers > 1 else 0.0,
            bidirectional=backbone.bidirectional,
            forget_bias=1.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(backbone.hidden_size * (2 if backbone.bidirectional else 1), labels)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[ceil(T / K), B, V]` of a padded batch `[T, B, X]`, and how many steps each sequence has `[B]`.

        Args:
            frames: not standardised; what lies beyond a sequence's end is not looked at.
            lengths: on the CPU, from 1 to T.
        """
        steps = -(-lengths // self.front.subsampling)
        outputs, _ = self.lstm(self.front(self.standardised(frames, lengths), lengths), lengths=steps)
        return self.linear(self.dropout(outputs)), steps

    def standardised(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Frames of mean 0 and deviation 1, and 0 beyond each sequence's end."""
        return standardised(frames, self.mean, self.scale, lengths)


class JoinedFrames(nn.Module):
    """Each K neighbouring frames as one step, with `look_ahead` more of those that follow; it has no parameters.

    (Frame stacking: Sak, Senior, Rao & Beaufays 2015, Fast and Accurate Recurrent Neural Network Acoustic Models for
    Speech Recognition, section 3.3.)
    """

    def __init__(self, features: int, subsampling: int, look_ahead: int) -> None:
        super().__init__()
        self.subsampling, self.look_ahead = subsampling, look_ahead
        self.width = features * (subsampling + look_ahead)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """`[ceil(T / K), B, (K + look_ahead) * X]` of `[T, B, X]`, in which 0 stands beyond each sequence's end."""
        steps = -(-len(frames) // self.subsampling)
        padded = functional.pad(frames, (0, 0, 0, 0, 0, steps * self.subsampling + self.look_ahead - len(frames)))
        windows = padded.unfold(0, self.subsampling + self.look_ahead, self.subsampling)
        return windows.transpose(-1, -2).flatten(2)


class Convolutions(nn.Module):
    """Frames as the columns of an image: convolutions of 3 x 3, each with a maximum over 2 rows, and of 2 columns in as
    many of them as it takes to shorten the sequence K times.

    Args:
        features: X, the image's height.
        channels: of each convolution.
        subsampling: K.
    """

    def __init__(self, features: int, channels: tuple[int, ...], subsampling: int) -> None:
        super().__init__()
        self.subsampling = subsampling
        self.halvings = subsampling.bit_length() - 1
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in zip((1, *channels), channels, strict=False)
        )
        height = features
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # He, Zhang, Ren & Sun (2015), eq. 10
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
            height = -(-height // 2)
        self.width = channels[-1] * height

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """`[ceil(T / K), B, C * height]` of `[T, B, X]`, in which 0 stands beyond each sequence's end."""
        image = frames.permute(1, 2, 0).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        for number, layer in enumerate(self.layers):
            columns = 2 if number < self.halvings else 1
            # The blank paper beyond a sequence's end would become ink by the biases.
            image = layer(image).relu() * valid(lengths, image.shape[-1], image).T[:, None, None]
            image = functional.max_pool2d(image, (2, columns), ceil_mode=True)
            lengths = -(-lengths // columns)
        return image.permute(3, 0, 1, 2).flatten(2)


def standardised(frames: Tensor, mean: Tensor, scale: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Frames `[T, B, X]` less their mean `[X]`, divided by their scale `[X]`, and 0 beyond each sequence's end."""
    found = (frames - mean) / scale
    return found if lengths is None else found * valid(lengths, len(frames), found).unsqueeze(-1)


def valid(lengths: Tensor, steps: int, like: Tensor) -> Tensor:
    """1 where a sequence has a step and 0 beyond its end: `[T, B]`, of the type and on the device of `like`."""
    return (torch.arange(steps)[:, None] < lengths).to(like)
