import numpy as np
import pytest
import torch

from gatewise.cells import PhasedLSTM
from gatewise.errors import CellError
from tests.cells.running import BATCH, SIZES, Array, assert_equal, draw, execute, normal, run, sigmoid, tensors

X, H = SIZES["X"], SIZES["H"]


def periods(p: dict[str, Array]) -> dict[str, Array]:
    """Periods and shifts about the length of the sequence, and shares that leave units rising, falling and closed."""
    return p | {
        "tau": np.array([1.7, 4.0, 9.0, 30.0]),
        "shift": np.array([-0.3, 0.0, 2.5, 11.0]),
        "r_on": np.array([0.9, 0.5, 0.6, 0.3]),
    }


def stamps(steps: int) -> Array:
    """Irregular time stamps `[T, B, 1]`, other ones for each sequence."""
    return np.cumsum(np.random.default_rng(7).uniform(0.1, 3, (steps, BATCH, 1)), axis=0)


def time_gate(time: Array, p: dict[str, Array], alpha: float) -> Array:
    """Eq. 6, unit by unit: `[B, 1]` -> `[B, H]`."""
    k = np.empty((len(time), H))
    for b, t in enumerate(time[:, 0]):
        for unit, (tau, s, r_on) in enumerate(zip(p["tau"], p["shift"], p["r_on"], strict=True)):
            phi = ((t - s) % tau) / tau
            if phi < r_on / 2:
                k[b, unit] = 2 * phi / r_on
            elif phi < r_on:
                k[b, unit] = 2 - 2 * phi / r_on
            else:
                k[b, unit] = alpha * phi
    return k


@pytest.mark.parametrize(("leak", "peephole", "bias"), [(1e-3, True, True), (0.0, False, False)])
@pytest.mark.parametrize("steps", [1, 5])
def test_equals_the_paper(steps: int, leak: float, peephole: bool, bias: bool) -> None:
    cell = PhasedLSTM(leak, peephole, bias)
    p, x, time = periods(draw(cell)), normal(steps, BATCH, X), stamps(steps)
    h, c = normal(BATCH, H, seed=2), normal(BATCH, H, seed=3)
    assert any(name.startswith("b_") for name in p) is bias
    assert any(name.startswith("p_") for name in p) is peephole
    outputs, final = run(cell, {"x": x, "time": time}, p, {"h": h, "c": c})
    for t in range(steps):
        net = {g: x[t] @ p[f"W_{g}"].T + h @ p[f"U_{g}"].T + p.get(f"b_{g}", 0) for g in "ifzo"}
        i, f = sigmoid(net["i"] + p.get("p_i", 0) * c), sigmoid(net["f"] + p.get("p_f", 0) * c)  # eqs. 1, 2
        proposed = f * c + i * np.tanh(net["z"])  # eq. 7
        o = sigmoid(net["o"] + p.get("p_o", 0) * proposed)  # eq. 4
        k = time_gate(time[t], p, leak)
        h = k * (o * np.tanh(proposed)) + (1 - k) * h  # eqs. 9, 10
        c = k * proposed + (1 - k) * c  # eq. 8
        for name, value in {"k": k, "i": i, "f": f, "o": o, "c": c, "h": h}.items():
            assert_equal(outputs[name][t], value, name)
    assert_equal(final["h"], h)
    assert_equal(final["c"], c)


def test_the_time_gate_goes_up_and_down_once_in_a_period() -> None:
    p = draw(cell := PhasedLSTM(leak=0.5)) | {"tau": np.full(H, 8.0), "shift": np.full(H, 1.0), "r_on": np.full(H, 0.5)}
    time = np.broadcast_to(np.arange(-7.0, 18.0)[:, None, None], (25, BATCH, 1)).copy()
    outputs, _ = run(cell, {"x": normal(25, BATCH, X), "time": time}, p)
    cycle = [0, 0.5, 1, 0.5, 0.25, 0.3125, 0.375, 0.4375]  # phases 0, 1/8, ..., 7/8; from 1/2 on it leaks phase / 2
    assert outputs["k"][:, 0, 0].tolist() == 3 * cycle + [0]


def test_a_closed_gate_keeps_the_state() -> None:
    cell = PhasedLSTM(leak=0)
    h, c = normal(BATCH, H, seed=2), normal(BATCH, H, seed=3)
    p = draw(cell) | {"tau": np.full(H, 10.0), "shift": np.zeros(H), "r_on": np.full(H, 0.05)}
    time = np.full((3, BATCH, 1), [[[4.0]], [[7.0]], [[19.9]]])
    outputs, final = run(cell, {"x": normal(3, BATCH, X), "time": time}, p, {"h": h, "c": c})
    assert (outputs["k"] == 0).all()
    assert (final["h"] == h).all()
    assert (final["c"] == c).all()


def test_the_time_gate_is_learned() -> None:
    cell = PhasedLSTM()
    p, inputs = tensors(periods(draw(cell))), tensors({"x": normal(5, BATCH, X), "time": stamps(5)})

    def output(tau: torch.Tensor, shift: torch.Tensor, r_on: torch.Tensor) -> torch.Tensor:
        return execute(cell, inputs, p | {"tau": tau, "shift": shift, "r_on": r_on})[0]["h"]

    assert torch.autograd.gradcheck(output, [p[name].requires_grad_() for name in ("tau", "shift", "r_on")])


def test_signs_of_period_and_share_do_not_matter() -> None:
    cell = PhasedLSTM()
    p, inputs = periods(draw(cell)), {"x": normal(5, BATCH, X), "time": stamps(5)}
    outputs, _ = run(cell, inputs, p)
    turned, _ = run(cell, inputs, p | {"tau": -p["tau"], "r_on": -p["r_on"]})
    assert (outputs["h"] == turned["h"]).all()


@pytest.mark.parametrize("leak", [-0.1, 1.5, float("nan"), True, "0.1"])
def test_a_leak_that_is_none_is_refused(leak: float) -> None:
    with pytest.raises(CellError, match="the leak must be a number from 0 to 1"):
        PhasedLSTM(leak)
