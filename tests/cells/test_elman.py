from typing import Literal

import numpy as np
import pytest
import torch

from gatewise.cells import Elman
from gatewise.errors import CellError
from tests.cells.running import BATCH, SIZES, assert_equal, draw, normal, run

X, H = SIZES["X"], SIZES["H"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("steps", [1, 5])
def test_equals_torch(steps: int, nonlinearity: Literal["tanh", "relu"], bias: bool) -> None:
    torch.manual_seed(0)
    theirs = torch.nn.RNN(X, H, nonlinearity=nonlinearity, bias=bias).double()
    p = {"W_h": theirs.weight_ih_l0.detach().numpy(), "U_h": theirs.weight_hh_l0.detach().numpy()}
    if bias:
        p["b_h"] = (theirs.bias_ih_l0 + theirs.bias_hh_l0).detach().numpy()
    x, h = normal(steps, BATCH, X), normal(BATCH, H, seed=2)
    outputs, final = run(Elman(nonlinearity, bias), {"x": x}, p, {"h": h})
    want, last = theirs(torch.from_numpy(x), torch.from_numpy(h)[None])
    assert_equal(outputs["h"], want.detach().numpy())
    assert_equal(final["h"], last[0].detach().numpy())


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_equals_its_loop(steps: int, nonlinearity: Literal["tanh", "relu"]) -> None:
    cell = Elman(nonlinearity)
    p, x, h = draw(cell), normal(steps, BATCH, X), normal(BATCH, H, seed=2)
    outputs, _ = run(cell, {"x": x}, p, {"h": h})
    for t in range(steps):
        net = x[t] @ p["W_h"].T + p["b_h"] + h @ p["U_h"].T
        h = np.tanh(net) if nonlinearity == "tanh" else np.maximum(net, 0)
        assert_equal(outputs["h"][t], h)


def test_an_unknown_nonlinearity_is_refused() -> None:
    with pytest.raises(CellError, match=r'Elman has no nonlinearity "tahn"; did you mean "tanh"\?'):
        Elman("tahn")  # pyright: ignore[reportArgumentType]
