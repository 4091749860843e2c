import math
from typing import Literal

import numpy as np
import pytest
import torch

from gatewise.cells import SLSTM
from gatewise.errors import CellError
from tests.cells.running import BATCH, SIZES, assert_equal, draw, execute, normal, run, sigmoid, tensors

X, H = SIZES["X"], SIZES["H"]
GATES: list[Literal["sigmoid", "exp"]] = ["sigmoid", "exp"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize("steps", [1, 5])
def test_equals_the_paper(steps: int, forget_gate: Literal["sigmoid", "exp"], bias: bool) -> None:
    """Eqs. 8-14, in which nothing is stabilised: what the stabiliser divides by cancels in h, and is exp(m) in c, n."""
    cell = SLSTM(forget_gate, bias)
    p, x, h = draw(cell), normal(steps, BATCH, X), normal(BATCH, H, seed=2)
    assert any(name.startswith("b_") for name in p) is bias
    c = n = np.zeros((BATCH, H))
    m = np.full((BATCH, H), -math.inf)
    outputs, final = run(cell, {"x": x}, p, {"h": h, "c": c, "n": n, "m": m})
    for t in range(steps):
        net = {k: x[t] @ p[f"W_{k}"].T + h @ p[f"U_{k}"].T + p.get(f"b_{k}", 0) for k in "ifzo"}
        i, f = np.exp(net["i"]), sigmoid(net["f"]) if forget_gate == "sigmoid" else np.exp(net["f"])
        before, m = m, np.maximum(np.log(f) + m, np.log(i))  # eq. 15
        assert_equal(outputs["i"][t], np.exp(np.log(i) - m), "i")  # eq. 16
        assert_equal(outputs["f"][t], np.exp(np.log(f) + before - m), "f")  # eq. 17
        c, n = f * c + i * np.tanh(net["z"]), f * n + i
        h = sigmoid(net["o"]) * c / n
        for name, value in {"h": h, "c": c / np.exp(m), "n": n / np.exp(m), "m": m, "o": sigmoid(net["o"])}.items():
            assert_equal(outputs[name][t], value, name)
    for name, value in {"h": h, "c": c / np.exp(m), "n": n / np.exp(m), "m": m}.items():
        assert_equal(final[name], value, name)


@pytest.mark.parametrize("forget_gate", GATES)
def test_the_first_step_starts_from_minus_infinity(forget_gate: Literal["sigmoid", "exp"]) -> None:
    cell = SLSTM(forget_gate)
    assert cell.trace().initial["m"] == -math.inf
    outputs, final = run(cell, {"x": normal(1, BATCH, X)}, draw(cell))
    assert (outputs["i"] == 1).all()
    assert (outputs["f"] == 0).all()
    assert (final["n"] == 1).all()
    assert (final["c"] == outputs["z"][0]).all()


@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize("size", [1e3, 1e8])
def test_large_gates_stay_finite_in_values_and_gradients(size: float, forget_gate: Literal["sigmoid", "exp"]) -> None:
    cell = SLSTM(forget_gate)
    p = tensors(draw(cell), learned=True)
    x = size * torch.from_numpy(normal(5, BATCH, X))
    outputs, _ = execute(cell, {"x": x}, p)
    assert all(value.isfinite().all() for value in outputs.values())
    assert outputs["h"].abs().max() <= 1
    assert outputs["n"].min() >= 1
    assert torch.maximum(outputs["i"], outputs["f"]).eq(1).all()
    outputs["h"].sum().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in p.values())


def test_gradients_from_the_first_step_on_are_those_of_the_unstabilised_equations() -> None:
    cell = SLSTM()
    p = tensors(draw(cell), learned=True)
    x = torch.from_numpy(normal(4, BATCH, X))
    outputs, _ = execute(cell, {"x": x}, p)
    got = torch.autograd.grad(outputs["h"].square().sum(), list(p.values()))
    h = c = n = torch.zeros(BATCH, H, dtype=torch.float64)
    loss = torch.zeros((), dtype=torch.float64)
    for t in range(4):
        net = {k: x[t] @ p[f"W_{k}"].T + h @ p[f"U_{k}"].T + p[f"b_{k}"] for k in "ifzo"}
        i, f = net["i"].exp(), net["f"].sigmoid()
        c, n = f * c + i * net["z"].tanh(), f * n + i
        h = net["o"].sigmoid() * c / n
        loss = loss + h.square().sum()
    for name, one, other in zip(p, got, torch.autograd.grad(loss, list(p.values())), strict=True):
        assert_equal(one.numpy(), other.numpy(), name)


def test_an_unknown_forget_gate_is_refused() -> None:
    with pytest.raises(CellError, match=r'SLSTM has no forget gate "expo"; did you mean "exp"\?'):
        SLSTM("expo")  # pyright: ignore[reportArgumentType]
