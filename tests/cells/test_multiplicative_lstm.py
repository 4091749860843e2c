import numpy as np
import pytest

from gatewise.cells import MultiplicativeLSTM
from tests.cells.running import BATCH, SIZES, assert_equal, draw, normal, run, sigmoid

X, H = SIZES["X"], SIZES["H"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [1, 5])
def test_equals_the_paper(steps: int, bias: bool) -> None:
    cell = MultiplicativeLSTM(bias)
    p, x = draw(cell), normal(steps, BATCH, X)
    h, c = normal(BATCH, H, seed=2), normal(BATCH, H, seed=3)
    assert any(name.startswith("b_") for name in p) is bias
    outputs, final = run(cell, {"x": x}, p, {"h": h, "c": c})
    for t in range(steps):
        m = (x[t] @ p["W_m"].T) * (h @ p["U_m"].T)
        net = {k: x[t] @ p[f"W_{k}"].T + m @ p[f"U_{k}"].T + p.get(f"b_{k}", 0) for k in "ifzo"}
        i, f, o = sigmoid(net["i"]), sigmoid(net["f"]), sigmoid(net["o"])
        c = f * c + i * np.tanh(net["z"])
        h = np.tanh(c) * o
        for name, value in {"m": m, "i": i, "f": f, "z": np.tanh(net["z"]), "o": o, "c": c, "h": h}.items():
            assert_equal(outputs[name][t], value, name)
    assert_equal(final["h"], h)
    assert_equal(final["c"], c)
