import numpy as np
import pytest

from gatewise.cells import MGU
from tests.cells.running import BATCH, SIZES, assert_equal, draw, normal, run, sigmoid

X, H = SIZES["X"], SIZES["H"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [1, 5])
def test_equals_the_paper(steps: int, bias: bool) -> None:
    cell = MGU(bias)
    p, x, h = draw(cell), normal(steps, BATCH, X), normal(BATCH, H, seed=2)
    assert any(name.startswith("b_") for name in p) is bias
    outputs, final = run(cell, {"x": x}, p, {"h": h})
    # the paper's matrices act on [h, x]
    gate, short = np.hstack([p["U_f"], p["W_f"]]), np.hstack([p["U_n"], p["W_n"]])
    for t in range(steps):
        f = sigmoid(np.hstack([h, x[t]]) @ gate.T + p.get("b_f", 0))
        candidate = np.tanh(np.hstack([f * h, x[t]]) @ short.T + p.get("b_n", 0))
        h = (1 - f) * h + f * candidate
        for name, value in {"f": f, "n": candidate, "h": h}.items():
            assert_equal(outputs[name][t], value, name)
    assert_equal(final["h"], h)
