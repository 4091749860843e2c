"""A backbone's network."""

from torch import Tensor

from gatewise.tasks.transcription.backbones import Backbone
from gatewise.tasks.transcription.grid_network import GridNetwork
from gatewise.tasks.transcription.network import TranscriberNetwork

Network = TranscriberNetwork | GridNetwork


def network_of(
    mean: Tensor,
    scale: Tensor,
    labels: int,
    backbone: Backbone,
    *,
    subsampling: int = 1,
    look_ahead: int = 0,
    dropout: float = 0.0,
) -> Network:
    """A new network, its weights drawn from torch's generator; see `TranscriberNetwork` for the arguments."""
    if backbone.levels:
        return GridNetwork(mean, scale, labels, backbone, subsampling, dropout)
    return TranscriberNetwork(
        mean, scale, labels, backbone, subsampling=subsampling, look_ahead=look_ahead, dropout=dropout
    )
