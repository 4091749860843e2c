"""One cell over a batch in one direction: what the schedule computes, and how often."""

from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise.backends.scan import scan
from gatewise.cells import LSTM, LSTMP, Cell, GRUCho, PeepholeLSTM
from gatewise.equations import Step, linear, matmul, normalise_jointly, parameter, sigmoid, tanh, total, trace
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


def zero(step: Step, batch: int = 2) -> dict[str, Tensor]:
    return {
        name: torch.full((batch, SIZES[str(leaf.width)]), float(step.initial[name]), dtype=torch.float64)
        for name, leaf in step.states.items()
    }


def test_a_cell_equals_its_plain_loop() -> None:
    step, x, h = GRUCho().trace(), normal(6, 2, 3), normal(2, 4, seed=2)
    p = weights(step)
    outputs, final = scan(step, {"x": x}, p, {"h": h}, emit=["h", "r"])
    for t in range(6):
        r = torch.sigmoid(x[t] @ p["W_r"].T + h @ p["U_r"].T + p["b_r"])
        u = torch.sigmoid(x[t] @ p["W_u"].T + h @ p["U_u"].T + p["b_u"])
        h = u * h + (1 - u) * torch.tanh(x[t] @ p["W_n"].T + (r * h) @ p["U_n"].T + p["b_n"])
        assert_close(outputs["r"][t], r, 6)
        assert_close(outputs["h"][t], h, 6)
    assert_close(final["h"], h, 6)


def test_reverse_is_forward_on_the_sequence_turned_around() -> None:
    step, x, h = GRUCho().trace(), normal(6, 3, 3), {"h": normal(3, 4, seed=2)}
    p = weights(step)
    leaves = [x.requires_grad_(), *p.values()]
    outputs, final = scan(step, {"x": x}, p, h, reverse=True)
    turned, last = scan(step, {"x": x.flip(0)}, p, h)
    assert_close(outputs["h"], turned["h"].flip(0), 6)
    assert_close(final["h"], last["h"], 6)
    g = normal(6, 3, 4, seed=3)
    got = torch.autograd.grad((outputs["h"] * g).sum() + final["h"].sum(), leaves)
    want = torch.autograd.grad((turned["h"].flip(0) * g).sum() + last["h"].sum(), leaves)
    for a, b in zip(got, want, strict=True):
        assert_close(a, b, 6)


def test_initial_states_and_several_inputs() -> None:
    def step(x, s, h, m):
        return {"h": h + matmul("A", x) + matmul("B", s), "m": m * sigmoid(h)}

    cell = trace("Two", step, inputs={"x": "X", "s": "S"}, states={"h": "H", "m": "H"}, initial={"m": 3.0})
    p = weights(cell)
    x, s = normal(1, 2, 3), normal(1, 2, 5)
    outputs, final = scan(cell, {"x": x, "s": s}, p, zero(cell), emit=["m", "h"])
    assert_close(final["h"], x[0] @ p["A"].T + s[0] @ p["B"].T, 1)
    assert_close(outputs["m"][0], torch.full((2, 4), 1.5, dtype=torch.float64), 1)


def test_updates_that_depend_on_no_state() -> None:
    def step(x, h, c, k):
        return {"h": matmul("W", x), "c": h, "k": parameter("b") * 2}

    cell = trace("Shift", step, inputs={"x": "X"}, states={"h": "H", "c": "H", "k": "H"})
    p = weights(cell)
    x = normal(4, 2, 3)
    outputs, final = scan(cell, {"x": x}, p, zero(cell), emit=["h", "c", "k"])
    product = x @ p["W"].T
    assert_close(outputs["h"], product, 4)
    assert_close(outputs["c"][1:], product[:-1], 4)
    assert_close(final["c"], product[2], 4)
    assert_close(final["h"], product[3], 4)
    assert_close(outputs["k"], (2 * p["b"]).expand(4, 2, 4), 4)
    assert_close(final["k"], (2 * p["b"]).expand(2, 4), 4)
    (outputs["c"].sum() + 3 * final["k"].sum()).backward()
    assert p["W"].grad is not None
    assert_close(p["W"].grad, x[:-1].sum((0, 1)).expand(4, 3), 4)
    assert p["b"].grad is not None
    assert_close(p["b"].grad, torch.full((4,), 12.0, dtype=torch.float64), 4)


def test_states_handed_through_share_no_memory() -> None:
    cell = trace("Still", lambda x, h, c: {"h": h, "c": x}, inputs={"x": "H"}, states={"h": "H", "c": "H"})
    x, states = normal(3, 2, 4), zero(cell)
    outputs, final = scan(cell, {"x": x}, {}, states, emit=["h", "c"])
    for tensor in (*outputs.values(), *final.values()):
        tensor += 1
    assert torch.equal(x, normal(3, 2, 4))
    assert (states["h"] == 0).all()


def test_numbers_that_all_units_share() -> None:
    """One number a step as input, a sum over units, and a trained number: values and gradients."""

    def step(x, t, h):
        return {"h": tanh(h * parameter("a", None) + t * total(matmul("W", x)))}

    cell = trace("Numbers", step, inputs={"x": "X", "t": None}, states={"h": "H"})
    p = weights(cell)
    x, t, h = normal(3, 2, 3).requires_grad_(), normal(3, 2, 1, seed=5).requires_grad_(), zero(cell)["h"]
    outputs, _ = scan(cell, {"x": x, "t": t}, p, {"h": h})
    want = []
    for k in range(3):
        h = torch.tanh(h * p["a"] + t[k] * (x[k] @ p["W"].T).sum(-1, keepdim=True))
        want.append(h)
    g, leaves = normal(3, 2, 4, seed=6), [x, t, *p.values()]
    assert_close(outputs["h"], torch.stack(want), 3)
    got = torch.autograd.grad(outputs["h"], leaves, g)
    expected = torch.autograd.grad(torch.stack(want), leaves, g)
    for a, b in zip(got, expected, strict=True):
        assert_close(a, b, 3)


def count(step: Step, steps: int, *events: str, backward: bool = False) -> int:
    x = normal(steps, 2, 3)
    p = weights(step)
    with torch.autograd.profiler.profile() as profile, torch.set_grad_enabled(backward):
        outputs, _ = scan(step, {"x": x}, p, zero(step))
        if backward:
            outputs["h"].sum().backward()
    assert profile is not None
    return sum(event.count for event in profile.key_averages() if event.key in events)


@pytest.mark.parametrize(("cell", "inside"), [(LSTM(), 1), (LSTMP(), 2), (GRUCho(), 2), (PeepholeLSTM(), 1)])
def test_input_products_leave_the_loop_and_gates_are_packed(cell: Cell, inside: int) -> None:
    for steps in (1, 9):
        assert count(cell.trace(), steps, "aten::mm", "aten::addmm", "aten::bmm") == 1 + inside * steps


def test_weight_gradients_are_products_over_the_whole_sequence() -> None:
    products = ("aten::mm", "aten::bmm")
    # What grows with the length is one product a step forward, and one backward, of all gates together.
    short, long = (count(LSTM().trace(), steps, *products, backward=True) for steps in (2, 12))
    assert long - short == 10 * (1 + 1)


def test_shared_equations_are_evaluated_once() -> None:
    def step(x, h):
        net = linear("a", x, h)
        return {"h": tanh(net) * sigmoid(net) + tanh(net)}

    assert count(trace("Shared", step, inputs={"x": "X"}, states={"h": "H"}), 1, "aten::tanh") == 1


def test_the_backward_takes_what_was_saved_and_computes_no_tanh_again() -> None:
    assert count(LSTM().trace(), 5, "aten::tanh", "aten::sigmoid", backward=True) == 5 * 5


def test_inputs_without_gradient_need_less_than_was_saved() -> None:
    cell = trace("Cell", lambda x, h: {"h": h + sigmoid(x)}, inputs={"x": "H"}, states={"h": "H"})
    x, h = normal(3, 2, 4), normal(2, 4).requires_grad_()
    outputs, _ = scan(cell, {"x": x}, {}, {"h": h})
    outputs["h"].sum().backward()
    assert h.grad is not None
    assert_close(h.grad, torch.full((2, 4), 3.0, dtype=torch.float64), 3)


def test_a_parameter_given_out_is_a_copy() -> None:
    cell = trace("Bias", lambda x, h: {"h": parameter("b")}, inputs={"x": "H"}, states={"h": "H"})
    b = torch.ones(1, dtype=torch.float64, requires_grad=True)
    one = torch.zeros(1, 1, dtype=torch.float64)
    outputs, final = scan(cell, {"x": one.unsqueeze(0)}, {"b": b}, {"h": one})  # T = B = H = 1
    assert {tensor.data_ptr() for tensor in (outputs["h"], final["h"])}.isdisjoint({b.data_ptr()})
    (outputs["h"].sum() + 2 * final["h"].sum()).backward()
    assert b.grad is not None
    assert b.grad.tolist() == [3.0]


def test_parameters_and_batched_vectors_are_normalised_together() -> None:
    def step(x, h):
        first, second = normalise_jointly(parameter("b"), matmul("W", x))
        return {"h": first * second + tanh(h)}

    cell = trace("Joint", step, inputs={"x": "X"}, states={"h": "H"})
    p, x = weights(cell), normal(5, 2, 3)
    outputs, _ = scan(cell, {"x": x}, p, zero(cell))
    outputs["h"].sum().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in p.values())


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
        ({"states": {"h": torch.zeros(2, 7)}}, r'parameter "b_r" .* but H is 7 according to the state|has shape'),
        ({"parameters": {}}, r'the parameter "W_r" \[H, X\] is missing'),
        ({"emit": ["q"]}, r'GRUCho has no value "q"'),
    ],
)
def test_wrong_tensors(change: dict[str, Any], message: str) -> None:
    step = GRUCho().trace()
    given: dict[str, Any] = {"inputs": {"x": normal(5, 2, 3)}, "parameters": weights(step), "states": zero(step)}
    with pytest.raises(CellError, match=message):
        scan(step, **(given | change))


def test_one_number_a_step_has_width_one() -> None:
    cell = trace("Clock", lambda x, t, h: {"h": h + x * t}, inputs={"x": "H", "t": None}, states={"h": "H"})
    with pytest.raises(CellError, match=r'the input "t" \[T, B, 1\] has shape \[3, 2, 4\], but 1 is 1'):
        scan(cell, {"x": normal(3, 2, 4), "t": normal(3, 2, 4)}, {}, zero(cell))
