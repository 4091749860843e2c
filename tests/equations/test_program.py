"""What a forward saves for its backward."""

from collections.abc import Mapping
from typing import Any

import pytest

from gatewise.cells import LSTM, Cell, Elman, GRUCho
from gatewise.equations import Expr, exp, matmul, mean, normalise, sigmoid, tanh, total, trace
from gatewise.equations.expr import topological
from gatewise.equations.formula import spell
from gatewise.equations.program import Program, compile


def saved(program: Program) -> list[str]:
    return [spell(node) for node in program.saved]


def one_state(function: Any) -> Any:
    return trace("Cell", function, inputs={"x": "H"}, states={"h": "H"})


def test_states_and_what_is_costly_are_saved_and_sums_and_products_are_not() -> None:
    program = compile(LSTM().trace())
    step = program.step
    assert program.saved == (*(step.observed[name] for name in "ifzo"), tanh(step.updates["c"]))
    assert program.previous == ("h", "c")
    assert program.read == ("x",)
    assert program.sequences[:2] == (step.updates["h"], step.updates["c"])
    # Without a gradient nothing is saved.
    assert program.forward.results == (step.updates["h"],)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, h: {"h": h + x}, []),
        (lambda x, h: {"h": h + sigmoid(x)}, ["sigmoid(x)"]),
        (lambda x, h: {"h": h * (x + 1)}, []),  # x + 1 is computed again from x
        (lambda x, h: {"h": tanh(h * x) + x}, ["tanh(h * x)"]),
        (lambda x, h: {"h": matmul("U", h) * x}, ["U @ h"]),
        (lambda x, h: {"h": mean(h) * x}, ["mean(h)"]),
        (lambda x, h: {"h": h * total(x)}, ["total(x)"]),
        # What a normalisation divides by, and not what it normalises.
        (lambda x, h: {"h": normalise(matmul("U", h)) * x}, ["normalise(U @ h)", "rstd(U @ h)"]),
        (lambda x, h: {"h": h + exp(exp(x))}, ["exp(x)", "exp(exp(x))"]),
    ],
)
def test_saved(function: Any, expected: list[str]) -> None:
    assert saved(compile(one_state(function))) == expected


def test_what_is_given_out_is_not_saved_twice() -> None:
    step = GRUCho().trace()
    names: Mapping[Expr, str] = {expr: name for name, expr in step.observed.items()}
    assert [names[node] for node in compile(step).saved] == ["r", "u", "n"]
    assert [names[node] for node in compile(step, ("h", "r")).saved] == ["u", "n"]
    assert list(compile(step, ("h", "r")).emit) == ["h", "r"]


def test_what_is_given_out_is_read_and_not_computed_again() -> None:
    def step(x, h):
        y = x + 1
        return {"h": h * y, "y": y}

    traced = trace("Cell", step, inputs={"x": "H"}, states={"h": "H"}, observed=["y"])
    assert compile(traced).read == ("x",)
    assert compile(traced, ("h", "y")).read == ()


def test_two_names_of_one_value_are_one_sequence() -> None:
    def step(x, h):
        new = tanh(h + x)
        return {"h": new, "y": new}

    traced = trace("Cell", step, inputs={"x": "H"}, states={"h": "H"}, observed=["y"])
    program = compile(traced, ("h", "y"))
    assert program.sequences == (traced.updates["h"],)
    assert list(program.derived.given) == ["h"]


def test_a_state_is_read_before_the_step_only_where_the_backward_needs_it() -> None:
    program = compile(one_state(lambda x, h: {"h": h + tanh(x)}))
    assert program.previous == ()
    assert program.read == ()
    assert saved(program) == ["tanh(x)"]


def test_who_wants_no_gradient_for_inputs_reads_no_more_than_who_does() -> None:
    step = one_state(lambda x, h: {"h": h + sigmoid(x)})
    everything, nothing = compile(step), compile(step, None, ())
    assert saved(everything) == ["sigmoid(x)"]
    assert saved(nothing) == []
    assert set(nothing.reverse.given) <= set(everything.reverse.given)


@pytest.mark.parametrize("cell", [LSTM(), GRUCho(), Elman("relu"), LSTM(layer_norm=True, peephole=True)])
def test_the_backward_can_be_computed_from_what_it_is_given(cell: Cell) -> None:
    program = compile(cell.trace())
    plan = program.reverse
    known = {*plan.given, *(leaf for leaf, _ in plan.carried.values())}
    roots = [*plan.results, *(update for _, update in plan.carried.values())]
    roots += [factor for term in plan.sums for factor in term.factors]
    reached = topological(roots, plan.given)
    assert all(node in known for node in reached if node.op in ("input", "state"))
    # Only what is stored anyway or saved is given, besides inputs, states before the step, and gradients.
    stored = {*program.sequences, *program.step.inputs.values(), *program.step.states.values()}
    assert set(plan.given) <= stored | set(program.derived.given.values())


def test_printing_tells_what_is_saved() -> None:
    lines = str(compile(Elman().trace())).splitlines()
    assert "saved for backward: nothing more" in lines
    assert lines[:3] == ["forward", "  before: matmul W_h | pointwise 1", "  loop: matmul U_h | pointwise 2"]


def test_a_step_is_compiled_once() -> None:
    step = LSTM().trace()
    assert compile(step) is compile(step)
