import numpy as np
import pytest
import torch

from gatewise.cells import GRU, GRUCho
from tests.cells.running import BATCH, SIZES, assert_equal, draw, normal, run, sigmoid

X, H = SIZES["X"], SIZES["H"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [1, 5])
def test_gru_equals_torch(steps: int, bias: bool) -> None:
    torch.manual_seed(0)
    theirs = torch.nn.GRU(X, H, bias=bias).double()
    rows = ("r", "u", "n")
    w = dict(zip(rows, theirs.weight_ih_l0.detach().numpy().reshape(3, H, X), strict=True))
    v = dict(zip(rows, theirs.weight_hh_l0.detach().numpy().reshape(3, H, H), strict=True))
    p = {f"W_{gate}": w[gate] for gate in rows} | {f"U_{gate}": v[gate] for gate in rows}
    if bias:
        b = dict(zip(rows, theirs.bias_ih_l0.detach().numpy().reshape(3, H), strict=True))
        d = dict(zip(rows, theirs.bias_hh_l0.detach().numpy().reshape(3, H), strict=True))
        p |= {"b_r": b["r"] + d["r"], "b_u": b["u"] + d["u"], "b_n": b["n"], "d_n": d["n"]}
    x, h = normal(steps, BATCH, X), normal(BATCH, H, seed=2)
    outputs, final = run(GRU(bias=bias), {"x": x}, p, {"h": h})
    want, last = theirs(torch.from_numpy(x), torch.from_numpy(h)[None])
    assert_equal(outputs["h"], want.detach().numpy())
    assert_equal(final["h"], last[0].detach().numpy())


@pytest.mark.parametrize("steps", [1, 5])
def test_gru_equals_its_loop(steps: int) -> None:
    cell = GRU()
    p, x, h = draw(cell), normal(steps, BATCH, X), normal(BATCH, H, seed=2)
    outputs, final = run(cell, {"x": x}, p, {"h": h})
    for t in range(steps):
        r = sigmoid(x[t] @ p["W_r"].T + p["b_r"] + h @ p["U_r"].T)
        u = sigmoid(x[t] @ p["W_u"].T + p["b_u"] + h @ p["U_u"].T)
        n = np.tanh(x[t] @ p["W_n"].T + p["b_n"] + r * (h @ p["U_n"].T + p["d_n"]))
        h = (1 - u) * n + u * h
        for name, value in {"r": r, "u": u, "n": n, "h": h}.items():
            assert_equal(outputs[name][t], value, name)
    assert_equal(final["h"], h)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [1, 5])
def test_cho_equals_the_paper(steps: int, bias: bool) -> None:
    cell = GRUCho(bias=bias)
    p, x, h = draw(cell), normal(steps, BATCH, X), normal(BATCH, H, seed=2)
    assert any(name.startswith("b_") for name in p) is bias
    outputs, final = run(cell, {"x": x}, p, {"h": h})
    for t in range(steps):
        r = sigmoid(x[t] @ p["W_r"].T + h @ p["U_r"].T + p.get("b_r", 0))  # eq. 5
        z = sigmoid(x[t] @ p["W_u"].T + h @ p["U_u"].T + p.get("b_u", 0))  # eq. 6
        candidate = np.tanh(x[t] @ p["W_n"].T + (r * h) @ p["U_n"].T + p.get("b_n", 0))  # eq. 8
        h = z * h + (1 - z) * candidate  # eq. 7
        for name, value in {"r": r, "u": z, "n": candidate, "h": h}.items():
            assert_equal(outputs[name][t], value, name)
    assert_equal(final["h"], h)


@pytest.mark.parametrize("cell", [GRU(), GRUCho()])
def test_an_update_gate_of_one_keeps_the_state(cell: GRU | GRUCho) -> None:
    p, h = draw(cell), normal(BATCH, H, seed=2)
    p["b_u"] = np.full(H, 1e3)
    _, final = run(cell, {"x": normal(5, BATCH, X)}, p, {"h": h})
    assert (final["h"] == h).all()
