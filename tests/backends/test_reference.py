from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise.backends import reference
from gatewise.cells import LSTM, LSTMP
from gatewise.equations import Step, linear, log, matmul, parameter, sigmoid, tanh, trace
from gatewise.errors import CellError
from tests.tolerance import assert_close

SIZES = {"X": 3, "H": 4, "P": 2, "S": 5}


def weights(step: Step, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(
            [SIZES[width] for width in p.shape], generator=generator, dtype=torch.float64
        ).requires_grad_()
        for name, p in step.parameters.items()
    }


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gru() -> Step:
    """Cho's form: a product of states behind a matmul in the loop, and matmuls that share operands."""

    def step(x, h):
        r, u = sigmoid(linear("r", x, h)), sigmoid(linear("u", x, h))
        return {"h": u * h + (1 - u) * tanh(linear("n", x, r * h)), "r": r}

    return trace("GRU", step, inputs={"x": "X"}, states={"h": "H"}, observed=["r"])


def test_a_cell_of_ones_own_equals_its_plain_loop() -> None:
    step, x, h = gru(), normal(6, 2, 3), normal(2, 4, seed=2)
    p = weights(step)
    outputs, final = reference.run(step, {"x": x}, p, {"h": h}, sequences=["h", "r"])
    for t in range(6):
        r = torch.sigmoid(x[t] @ p["W_r"].T + h @ p["U_r"].T + p["b_r"])
        u = torch.sigmoid(x[t] @ p["W_u"].T + h @ p["U_u"].T + p["b_u"])
        h = u * h + (1 - u) * torch.tanh(x[t] @ p["W_n"].T + (r * h) @ p["U_n"].T + p["b_n"])
        assert_close(outputs["r"][t], r, 6)
        assert_close(outputs["h"][t], h, 6)
    assert_close(final["h"], h, 6)


def test_reverse_is_forward_on_each_sequence_turned_around() -> None:
    step, lengths = gru(), [5, 0, 3]
    x, h = normal(6, 3, 3), normal(3, 4, seed=2)
    p = weights(step)
    outputs, final = reference.run(step, {"x": x}, p, {"h": h}, lengths=torch.tensor(lengths), reverse=True)
    for b, length in enumerate(lengths):
        assert (outputs["h"][length:, b] == 0).all()
        if length == 0:
            assert torch.equal(final["h"][b], h[b])
            continue
        turned, last = reference.run(step, {"x": x[:length, b : b + 1].flip(0)}, p, {"h": h[b : b + 1]})
        assert_close(outputs["h"][:length, b : b + 1], turned["h"].flip(0), 6)
        assert_close(final["h"][b : b + 1], last["h"], 6)


def test_padding_does_not_leak_where_the_equations_are_undefined_at_zero() -> None:
    # log(0) is infinite: had padding been filled with 0, its gradient 0 * inf would be NaN in the weights.
    def step(x, h):
        return {"h": 0.5 * h + matmul("W", log(x))}

    cell = trace("Log", step, inputs={"x": "X"}, states={"h": "H"})
    p = weights(cell)
    x = normal(5, 2, 3).abs() + 0.5
    poisoned = x.clone()
    poisoned[2:, 1] = float("nan")
    poisoned.requires_grad_()
    got, _ = reference.run(cell, {"x": poisoned}, p, lengths=torch.tensor([5, 2]))
    got["h"].sum().backward()
    assert poisoned.grad is not None
    assert (poisoned.grad[2:, 1] == 0).all()
    got_weight = p["W"].grad
    want_p = weights(cell)
    short, _ = reference.run(cell, {"x": x[:2, 1:]}, want_p)
    whole, _ = reference.run(cell, {"x": x[:, :1]}, want_p)
    (short["h"].sum() + whole["h"].sum()).backward()
    assert got_weight is not None
    assert want_p["W"].grad is not None
    assert_close(got_weight, want_p["W"].grad, 5)


def test_initial_states_and_several_inputs() -> None:
    def step(x, s, h, m):
        return {"h": h + matmul("A", x) + matmul("B", s), "m": m * sigmoid(h)}

    cell = trace("Two", step, inputs={"x": "X", "s": "S"}, states={"h": "H", "m": "H"}, initial={"m": 3.0})
    p = weights(cell)
    x, s = normal(1, 2, 3), normal(1, 2, 5)
    outputs, final = reference.run(cell, {"x": x, "s": s}, p, sequences=["m", "h"])
    assert_close(final["h"], x[0] @ p["A"].T + s[0] @ p["B"].T, 1)
    assert_close(outputs["m"][0], torch.full((2, 4), 1.5, dtype=torch.float64), 1)


def test_updates_that_depend_on_no_state() -> None:
    def step(x, h, c, k):
        return {"h": matmul("W", x), "c": h, "k": parameter("b") * 2}

    cell = trace("Shift", step, inputs={"x": "X"}, states={"h": "H", "c": "H", "k": "H"})
    p = weights(cell)
    x = normal(4, 2, 3)
    outputs, final = reference.run(cell, {"x": x}, p, lengths=torch.tensor([4, 2]), sequences=["h", "c", "k"])
    product = x @ p["W"].T
    assert_close(outputs["h"][:, 0], product[:, 0], 4)
    assert (outputs["h"][2:, 1] == 0).all()
    assert_close(outputs["c"][1:, 0], product[:-1, 0], 4)
    assert_close(final["c"][1], product[0, 1], 4)
    assert_close(final["h"][1], product[1, 1], 4)
    assert_close(outputs["k"][0], (2 * p["b"]).expand(2, 4), 4)
    assert (outputs["k"][2:, 1] == 0).all()
    assert_close(final["k"], (2 * p["b"]).expand(2, 4), 4)


def count_products(step: Step, steps: int) -> int:
    with torch.autograd.profiler.profile() as profile, torch.no_grad():
        reference.run(step, {"x": normal(steps, 2, 3)}, weights(step))
    assert profile is not None
    return sum(event.count for event in profile.key_averages() if event.key in ("aten::mm", "aten::addmm", "aten::bmm"))


@pytest.mark.parametrize(("cell", "inside"), [(LSTM(), 1), (LSTMP(), 2)])
def test_input_products_leave_the_loop_and_gates_are_packed(cell: LSTM, inside: int) -> None:
    for steps in (1, 9):
        assert count_products(cell.trace(), steps) == 1 + inside * steps


def test_shared_equations_are_evaluated_once() -> None:
    def step(x, h):
        total = linear("a", x, h)
        return {"h": tanh(total) * sigmoid(total) + tanh(total)}

    cell = trace("Shared", step, inputs={"x": "X"}, states={"h": "H"})
    with torch.autograd.profiler.profile() as profile, torch.no_grad():
        reference.run(cell, {"x": normal(1, 2, 3)}, weights(cell))
    assert profile is not None
    assert {event.key: event.count for event in profile.key_averages()}["aten::tanh"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": {"x": torch.zeros(5, 3)}}, r'input "x" must be \[T, B, X\], got shape \[5, 3\]'),
        ({"inputs": {}}, r'the input "x" \[T, B, X\] is missing'),
        (
            {"inputs": {"x": torch.zeros(5, 2, 3), "y": torch.zeros(1)}},
            r'has no input "y"; There is: x|did you mean "x"',
        ),
        ({"states": {"h": torch.zeros(1, 4)}}, r'state "h" \[B, H\] has shape \[1, 4\], but B is 2 according to'),
        ({"states": {"h": torch.zeros(2, 7)}}, r"but H is 7 according to the state|has shape"),
        ({"parameters": {}}, r'the parameter "W_r" \[H, X\] is missing'),
        ({"sequences": ["q"]}, r'GRU has no value "q"'),
    ],
)
def test_wrong_tensors(change: dict[str, Any], message: str) -> None:
    step = gru()
    given: dict[str, Any] = {"inputs": {"x": normal(5, 2, 3)}, "parameters": weights(step)} | change
    with pytest.raises(CellError, match=message):
        reference.run(step, **given)
