"""The reverse sweep: the LSTM's backward as one writes it by hand, and what is easily done wrong."""

import pytest

from gatewise.cells import LSTM
from gatewise.equations import (
    detach,
    exp,
    input,
    linear,
    matmul,
    normalise_jointly,
    parameter,
    sigmoid,
    square,
    state,
    tanh,
    total,
    trace,
)
from gatewise.equations.expr import weights
from gatewise.equations.formula import spell
from gatewise.equations.grad import derive
from gatewise.errors import CellError


def test_the_lstms_backward_is_the_one_written_by_hand() -> None:
    step = LSTM().trace()
    derived = derive(step)
    i, f, z, o = (step.observed[name] for name in "ifzo")
    c, h, x = step.states["c"], step.states["h"], step.inputs["x"]
    squashed = tanh(step.updates["c"])

    dh = derived.carried["h"] + derived.given["h"]
    dc = derived.carried["c"] + dh * o * (1 - square(squashed))
    nets = {
        "i": dc * z * (i * (1 - i)),
        "f": dc * c * (f * (1 - f)),
        "z": dc * i * (1 - square(z)),
        "o": dh * squashed * (o * (1 - o)),
    }
    assert derived.states["c"] is dc * f
    sums = {term.parameter: term for term in derived.sums}
    assert list(sums) == list(step.parameters)
    for gate, net in nets.items():
        assert sums[f"b_{gate}"].factors == (net,)
        assert sums[f"W_{gate}"].factors == (net, x)
        assert sums[f"U_{gate}"].factors == (net, h)
    for weight, gradient, width in (("U", derived.states["h"], "H"), ("W", derived.inputs["x"], "X")):
        assert gradient is not None
        assert gradient.op == "matmul_t"
        assert gradient.width == width
        terms = dict(zip(weights(gradient), gradient.args, strict=True))
        assert terms == {f"{weight}_{gate}": net for gate, net in nets.items()}


def test_gradients_from_outside_come_for_what_is_given_out() -> None:
    step = LSTM().trace()
    assert [leaf.attr for leaf in derive(step, ("c", "f")).given.values()] == ["∇c", "∇f"]
    with pytest.raises(CellError, match='has no value "q"'):
        derive(step, ("q",))


def test_a_state_that_another_takes_over_gets_the_others_gradient() -> None:
    step = trace("Shift", lambda x, h, c: {"h": x, "c": h}, inputs={"x": "H"}, states={"h": "H", "c": "H"})
    derived = derive(step)
    assert derived.states == {"h": derived.carried["c"], "c": None}
    assert derived.inputs["x"] is derived.carried["h"] + derived.given["h"]


def test_one_number_that_all_units_read_has_one_gradient() -> None:
    def step(x, t, h):
        return {"h": h * parameter("a", None) + t * x}

    derived = derive(trace("Numbers", step, inputs={"x": "H", "t": None}, states={"h": "H"}))
    g = derived.carried["h"] + derived.given["h"]
    assert derived.inputs["t"] is total(g * input("x", "H"))
    assert derived.inputs["x"] is g * input("t", None)
    (term,) = derived.sums
    assert term.factors == (total(g * state("h")),)
    assert term.adjoint.width is None


def test_no_gradient_flows_where_none_is_wanted_or_possible() -> None:
    def step(x, m, h):
        return {"h": detach(linear("a", x)) + matmul("V", m) * (h >= 0)}

    traced = trace("None", step, inputs={"x": "X", "m": "X"}, states={"h": "H"}, undifferentiated=["m"])
    derived = derive(traced)
    assert derived.inputs == {"x": None}
    assert derived.states == {"h": None}
    assert [term.parameter for term in derived.sums] == ["V"]
    assert derive(traced, inputs=["m"]).inputs == {}


def test_a_parameter_used_twice_is_summed_in_one_term_and_a_matrix_in_two() -> None:
    def step(x, h):
        return {"h": parameter("b") * h + parameter("b") + matmul("U", h) + matmul("U", tanh(h))}

    derived = derive(trace("Tied", step, inputs={"x": "X"}, states={"h": "H"}))
    assert [term.parameter for term in derived.sums] == ["b", "U", "U"]
    g = derived.carried["h"] + derived.given["h"]
    assert derived.sums[0].adjoint is g + g * state("h")
    assert {term.operand for term in derived.sums[1:]} == {state("h"), tanh(state("h"))}


def test_what_the_forward_computed_is_recognised_in_the_backward() -> None:
    # A simplifier let loose on the forward's nodes would make others of them, to be computed a second time.
    odd = 1.0 - (0.0 - exp(state("h")))
    derived = derive(trace("Odd", lambda x, h: {"h": sigmoid(odd)}, inputs={"x": "X"}, states={"h": "H"}))
    gradient = derived.states["h"]
    assert gradient is not None
    assert "1 - (0 - exp(h))" in spell(gradient)


def test_joint_normalisation_hands_a_gradient_to_each_part() -> None:
    def step(x, h):
        first, second = normalise_jointly(matmul("W", x), matmul("U", h))
        return {"h": first * second}

    derived = derive(trace("Joint", step, inputs={"x": "X"}, states={"h": "H"}))
    assert [term.parameter for term in derived.sums] == ["W", "U"]
    assert "rstd(W @ x, U @ h)" in spell(derived.sums[0].adjoint)
