import numpy as np
import pytest
import torch

from gatewise.cells import GRUD
from tests.cells.running import BATCH, SIZES, Array, assert_equal, draw, execute, normal, run, sigmoid, tensors

X, H = SIZES["X"], SIZES["H"]


def gaps(m: Array) -> Array:
    """The paper's time intervals, for steps of 0.7: the time since a variable was last observed."""
    d = np.zeros_like(m)
    for t in range(1, len(m)):
        d[t] = 0.7 + np.where(m[t - 1] == 0, d[t - 1], 0)
    return d


@pytest.mark.parametrize(("mean", "bias"), [(False, True), (True, True), (False, False)])
@pytest.mark.parametrize("steps", [1, 5])
def test_equals_the_paper(steps: int, mean: bool, bias: bool) -> None:
    cell = GRUD(mean, bias)
    p, x, h = draw(cell), normal(steps, BATCH, X), normal(BATCH, H, seed=2)
    assert ("x_mean" in p, any(name.startswith("b_") for name in p)) == (mean, bias)
    m = np.random.default_rng(5).integers(0, 2, (steps, BATCH, X)).astype(float)
    d = gaps(m)
    outputs, final = run(cell, {"x": x, "m": m, "d": d}, p, {"h": h, "x_last": np.zeros((BATCH, X))})
    average = p.get("x_mean", np.zeros(X))
    last = np.broadcast_to(average, (BATCH, X))  # before the first observation, the mean
    for t in range(steps):
        gamma_x = np.exp(-np.maximum(0, d[t] @ np.diag(p["w_gamma_x"]) + p.get("b_gamma_x", 0)))
        gamma_h = np.exp(-np.maximum(0, d[t] @ p["W_gamma_h"].T + p.get("b_gamma_h", 0)))
        last = m[t] * x[t] + (1 - m[t]) * last
        x_hat = m[t] * x[t] + (1 - m[t]) * (gamma_x * last + (1 - gamma_x) * average)
        h = gamma_h * h
        net = {k: x_hat @ p[f"W_{k}"].T + m[t] @ p[f"V_{k}"].T + p.get(f"b_{k}", 0) for k in "run"}
        r, z = sigmoid(net["r"] + h @ p["U_r"].T), sigmoid(net["u"] + h @ p["U_u"].T)
        candidate = np.tanh(net["n"] + (r * h) @ p["U_n"].T)
        h = (1 - z) * h + z * candidate
        observed = {"gamma_x": gamma_x, "gamma_h": gamma_h, "x_hat": x_hat, "r": r, "u": z, "n": candidate}
        for name, value in {**observed, "h": h, "x_last": last - average}.items():
            assert_equal(outputs[name][t], value, name)
    assert_equal(final["h"], h)
    assert_equal(final["x_last"], last - average)


@pytest.mark.parametrize("mean", [False, True])
def test_with_all_missing_the_mean_is_imputed_and_what_is_missing_does_not_matter(mean: bool) -> None:
    cell = GRUD(mean)
    p, m = draw(cell), np.zeros((5, BATCH, X))
    outputs, final = run(cell, {"x": np.full((5, BATCH, X), np.nan), "m": m, "d": gaps(m)}, p)
    assert_equal(outputs["x_hat"], np.broadcast_to(p.get("x_mean", np.zeros(X)), (5, BATCH, X)))
    assert np.isfinite(final["h"]).all()
    assert (final["x_last"] == 0).all()


def test_a_missing_value_fades_from_the_last_observation_to_the_mean() -> None:
    cell = GRUD(mean=True)
    p = draw(cell) | {"w_gamma_x": np.full(X, 1.0), "b_gamma_x": np.zeros(X), "x_mean": np.full(X, 3.0)}
    x, m = np.full((60, BATCH, X), 5.0), np.zeros((60, BATCH, X))
    m[0] = 1
    d = gaps(m)
    outputs, _ = run(cell, {"x": x, "m": m, "d": d}, p)
    assert (outputs["x_hat"][0] == 5).all()
    assert_equal(outputs["x_hat"][1:], 3 + 2 * np.exp(-d[1:]))
    assert np.abs(outputs["x_hat"][-1] - 3).max() < 1e-12


def test_missing_values_reach_no_gradient_and_the_mean_has_none() -> None:
    cell = GRUD(mean=True)
    p = tensors(draw(cell), learned=True)
    m = np.random.default_rng(5).integers(0, 2, (5, BATCH, X)).astype(float)
    x = torch.from_numpy(np.where(m == 1, normal(5, BATCH, X), np.nan)).requires_grad_()
    outputs, _ = execute(cell, {"x": x, **tensors({"m": m, "d": gaps(m)})}, p)
    outputs["h"].square().sum().backward()
    assert x.grad is not None
    assert (x.grad[torch.from_numpy(m) == 0] == 0).all()
    assert (x.grad[torch.from_numpy(m) == 1] != 0).all()
    mean = p.pop("x_mean").grad
    assert mean is None or (mean == 0).all()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in p.values())
