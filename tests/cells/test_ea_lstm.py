import numpy as np
import pytest

from gatewise.cells import EALSTM
from tests.cells.running import BATCH, SIZES, Array, assert_equal, draw, normal, run, sigmoid

X, H, S = SIZES["X"], SIZES["H"], SIZES["S"]


def at_every_step(s: Array, steps: int) -> Array:
    return np.broadcast_to(s, (steps, *s.shape)).copy()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [1, 5])
def test_equals_the_paper(steps: int, bias: bool) -> None:
    cell = EALSTM(bias)
    p, x, s = draw(cell), normal(steps, BATCH, X), normal(BATCH, S, seed=4)
    h, c = normal(BATCH, H, seed=2), normal(BATCH, H, seed=3)
    assert any(name.startswith("b_") for name in p) is bias
    outputs, final = run(cell, {"x": x, "s": at_every_step(s, steps)}, p, {"h": h, "c": c})
    i = sigmoid(s @ p["W_i"].T + p.get("b_i", 0))  # eq. 7, once for the whole sequence
    for t in range(steps):
        f = sigmoid(x[t] @ p["W_f"].T + h @ p["U_f"].T + p.get("b_f", 0))
        g = np.tanh(x[t] @ p["W_z"].T + h @ p["U_z"].T + p.get("b_z", 0))
        o = sigmoid(x[t] @ p["W_o"].T + h @ p["U_o"].T + p.get("b_o", 0))
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, value in {"i": i, "f": f, "z": g, "o": o, "c": c, "h": h}.items():
            assert_equal(outputs[name][t], value, name)
    assert_equal(final["h"], h)
    assert_equal(final["c"], c)


def test_attributes_reach_the_input_gate_alone() -> None:
    cell = EALSTM()
    p, x = draw(cell), normal(1, BATCH, X)
    one, _ = run(cell, {"x": x, "s": normal(1, BATCH, S, seed=4)}, p)
    other, _ = run(cell, {"x": x, "s": normal(1, BATCH, S, seed=5)}, p)
    assert [name for name in "ifzo" if not np.array_equal(one[name], other[name])] == ["i"]
