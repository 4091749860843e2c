"""The network of the multidimensional LSTM: its windows, its sizes, and that it learns."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from gatewise.errors import ConfigurationError
from gatewise.nn import MDLSTM
from gatewise.tasks.ctc import ctc_loss, greedy
from gatewise.tasks.transcription.backbones import BACKBONES, backbone
from gatewise.tasks.transcription.grid_network import GridNetwork, windowed


def network(subsampling: int, height: int = 12) -> GridNetwork:
    torch.manual_seed(1)
    small = replace(BACKBONES["mdlstm"], hidden_size=10, levels=((3, 6), (5, 8)))
    return GridNetwork(torch.zeros(height), torch.ones(height), 4, small, subsampling)


def test_windows_hold_what_stands_together() -> None:
    image = torch.arange(2 * 3 * 5 * 2.0).view(2, 3, 5, 2)
    found = windowed(image, 2, 2)
    assert found.shape == (2, 2, 3, 8)
    assert found[1, 0, 1].tolist() == image[1, :2, 2:4].flatten().tolist()
    assert found[0, 1, 2].tolist() == [*image[0, 2, 4].tolist(), 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("subsampling", "columns"), [(1, [1, 1, 1]), (2, [2, 1, 1]), (4, [2, 2, 1])])
def test_levels_shorten_the_sequence(subsampling: int, columns: list[int]) -> None:
    net = network(subsampling)
    assert [window[1] for window in net.front.windows] == columns
    logits, steps = net(torch.randn(9, 3, 12), torch.tensor([9, 5, 1]))
    assert steps.tolist() == [-(-length // subsampling) for length in (9, 5, 1)]
    assert logits.shape == (-(-9 // subsampling), 3, 4)


def test_each_level_is_a_multidimensional_lstm() -> None:
    net = GridNetwork(torch.zeros(32), torch.ones(32), 11, BACKBONES["mdlstm"], 4)
    layers = [module for module in net.modules() if isinstance(module, MDLSTM)]
    assert [(layer.input_size, layer.hidden_size) for layer in layers] == [(4, 8), (16, 20), (40, 50)]
    tanh = [module for module in net.front.modules() if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in tanh] == [(4 * 32, 16), (2 * 80, 40)]


def test_it_learns_bars_and_blots() -> None:
    """A bar is a 1, a blot a 2, and a frame a 3; where they stand in height is of no matter."""
    generator = torch.Generator().manual_seed(0)
    targets = [[1, 2], [2, 3], [3, 1], [2, 1], [1, 3], [3, 2]]
    shapes = {1: torch.tensor([0.0, 1, 1, 0]).expand(4, 4), 2: torch.zeros(4, 4), 3: torch.ones(4, 4)}
    shapes[2] = shapes[2].clone()
    shapes[2][1:3, 1:3] = 1
    shapes[3] = shapes[3].clone()
    shapes[3][1:3, 1:3] = 0
    frames = torch.zeros(16, len(targets), 12)
    for b, labels in enumerate(targets):
        for place, label in zip((1, 9), labels, strict=True):
            top = int(torch.randint(0, 9, (), generator=generator))
            frames[place : place + 4, b, top : top + 4] = shapes[label].T
    net = network(2)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        logits, steps = net(frames, torch.full((len(targets),), 16))
        loss = ctc_loss(logits, targets, steps)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]
    found = [greedy(net(frames, torch.full((6,), 16))[0][:, b].detach())[0].labels for b in range(6)]
    assert [list(labels) for labels in found] == targets


def test_levels_are_as_many_as_they_are() -> None:
    assert backbone("mdlstm", hidden_size=20, num_layers=3).hidden_size == 20
    with pytest.raises(ConfigurationError, match='num_layers is 2, but the backbone "mdlstm" has 3 levels'):
        backbone("mdlstm", num_layers=2)
