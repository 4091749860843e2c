"""Resets, padding, zoneout and directions in one layer: what comes before what."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from gatewise import Recurrent
from gatewise.cells import GRUD, LSTM1997, PeepholeLSTM
from tests.tolerance import assert_close

STEPS = 6
LENGTHS = [6, 4, 2]
RESETS = {0: [2], 1: [1, 5], 2: [2, 3]}  # of each sequence; the last of the second and both of the third on padding
X = torch.randn(STEPS, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def layer(**options: object) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(PeepholeLSTM(), 3, 4, dtype=torch.float64, **options).eval()  # type: ignore[arg-type]


def marks() -> Tensor:
    resets = torch.zeros(STEPS, 3, dtype=torch.bool)
    for sequence, steps in RESETS.items():
        resets[steps, sequence] = True
    return resets


@pytest.mark.parametrize("zoneout", [0.0, 0.3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("learned", [False, True])
def test_each_stretch_is_a_sequence_of_its_own(zoneout: float, bidirectional: bool, learned: bool) -> None:
    net = layer(zoneout=zoneout, bidirectional=bidirectional, learned_state=learned)
    if learned:
        for name, parameter in net.named_parameters():
            if name.startswith("initial_"):
                torch.nn.init.normal_(parameter)
    filled = X.clone()
    for sequence, length in enumerate(LENGTHS):
        filled[length:, sequence] = float("nan")
    output, (states,) = net(filled, lengths=LENGTHS, resets=marks())
    for sequence, length in enumerate(LENGTHS):
        bounds = [0, *(step for step in RESETS[sequence] if step < length), length]
        stretches = [net(X[begin:end, sequence : sequence + 1]) for begin, end in pairwise(bounds)]
        alone = torch.cat([stretch for stretch, _ in stretches])
        assert_close(output[:length, sequence : sequence + 1], alone, STEPS)
        for name in ("h", "c"):
            # Forwards the last stretch ends at the end, backwards the first one ends at the beginning.
            last = [stretches[-1][1][0][name][:1], stretches[0][1][0][name][1:]]
            assert_close(states[name][:, sequence : sequence + 1], torch.cat(last), STEPS, name)


def test_a_reset_of_given_states_and_one_on_padding() -> None:
    net = layer()
    given = {name: torch.ones(1, 3, 4, dtype=torch.float64) for name in ("h", "c")}
    resets = torch.zeros(STEPS, 3, dtype=torch.bool)
    resets[0, 0] = True
    resets[:, 2] = True
    output, (states,) = net(X, [given], lengths=[6, 6, 0], resets=resets)
    fresh, _ = net(X[:, :1])
    assert_close(output[:, :1], fresh, STEPS)
    assert torch.equal(states["c"][:, 2], given["c"][:, 2])  # no step, no reset


def test_masks_reach_the_inputs_they_belong_to() -> None:
    torch.manual_seed(0)
    net = Recurrent(LSTM1997(cells_per_block=2), 3, 4, dtype=torch.float64, zoneout={"i": 1.0, "c": 1.0})
    _, (states,) = net(X)
    assert (states["i"] == 0).all()
    assert (states["c"] == 0).all()
    assert (states["o"] != 0).all()


def test_a_states_width_may_be_that_of_the_input() -> None:
    torch.manual_seed(0)
    net = Recurrent(GRUD(), 3, 4, dtype=torch.float64)
    masks, gaps = torch.ones_like(X), torch.zeros_like(X)
    _, (states,) = net(X, lengths=LENGTHS, m=masks, d=gaps)
    assert torch.equal(states["x_last"][0], torch.stack([X[length - 1, k] for k, length in enumerate(LENGTHS)]))
