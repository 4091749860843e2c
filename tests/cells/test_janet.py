import numpy as np
import pytest

from gatewise.cells import JANET
from tests.cells.running import BATCH, SIZES, assert_equal, draw, normal, run, sigmoid

X, H = SIZES["X"], SIZES["H"]


@pytest.mark.parametrize(("beta", "bias"), [(1.0, True), (0.0, True), (2.5, False)])
@pytest.mark.parametrize("steps", [1, 5])
def test_equals_the_paper(steps: int, beta: float, bias: bool) -> None:
    cell = JANET(beta, bias)
    p, x, h = draw(cell), normal(steps, BATCH, X), normal(BATCH, H, seed=2)
    assert any(name.startswith("b_") for name in p) is bias
    outputs, final = run(cell, {"x": x}, p, {"h": h})
    c = h
    for t in range(steps):
        s = h @ p["U_f"].T + x[t] @ p["W_f"].T + p.get("b_f", 0)
        candidate = np.tanh(h @ p["U_z"].T + x[t] @ p["W_z"].T + p.get("b_z", 0))
        c = sigmoid(s) * c + (1 - sigmoid(s - beta)) * candidate
        h = c
        for name, value in {"s": s, "f": sigmoid(s), "z": candidate, "h": h}.items():
            assert_equal(outputs[name][t], value, name)
    assert_equal(final["h"], h)
