"""What runs before, in and after the loop, and in which stages."""

import os
import subprocess
import sys
from typing import Any

import pytest

from gatewise.cells import LSTM, LSTM1997, LSTMP, Cell, GRUCho, LayerNormLSTM
from gatewise.equations import Expr, Step, exp, linear, matmul, mean, parameter, sigmoid, state, tanh, trace
from gatewise.equations.expr import BARRIERS
from gatewise.equations.formula import spell
from gatewise.equations.program import compile
from gatewise.equations.schedule import Schedule, schedule


def scheduled(step: Step, *results: Expr) -> Schedule:
    carried = {name: (leaf, step.updates[name]) for name, leaf in step.states.items()}
    return schedule(carried, step.inputs.values(), results or [step.updates[step.output]])


def one_state(function: Any, **inputs: str | None) -> Step:
    return trace("Cell", function, inputs={"x": "X", **inputs}, states={"h": "H"})


STAGES = {
    LSTMP(): """
        forward
          before: matmul W_i,W_f,W_z,W_o | pointwise 4
          loop: matmul U_i,U_f,U_z,U_o | pointwise 13 | matmul P
        saved for backward: c, i, f, z, o, tanh(c')
        backward
          before: pointwise 10
          loop: pointwise 1 | matmul P | pointwise 12 | matmul U_z+U_i+U_f+U_o
          after: pointwise 1 | matmul W_z+W_i+W_f+W_o
          sums: W_i, b_i, U_i, W_f, b_f, U_f, W_z, b_z, U_z, W_o, b_o, U_o, P
        """,
    GRUCho(): """
        forward
          before: matmul W_r,W_u,W_n | pointwise 3
          loop: matmul U_r,U_u | pointwise 3 | matmul U_n | pointwise 8
        saved for backward: r, u, n
        backward
          before: pointwise 6
          loop: pointwise 3 | matmul U_n | pointwise 6 | matmul U_r+U_u | pointwise 4
          after: pointwise 1 | matmul W_r+W_n+W_u
          sums: W_r, b_r, U_r, W_u, b_u, U_u, W_n, b_n, U_n
        """,
    LSTM1997(cells_per_block=2): """
        forward
          before: matmul W_z,W_o,W_i | pointwise 3
          loop: matmul U_z,U_o,U_i; G_zi,G_oi,G_ii; G_zo,G_oo,G_io | pointwise 8 | row 2 | pointwise 12
        saved for backward: i, o, sigmoid(W_z @ x + b_z + U_z @ h + G_zi @ i + G_zo @ o), repeat(o'), repeat(i'),
          sigmoid(c')
        backward
          before: pointwise 12
          loop: pointwise 7 | row 2 | pointwise 7 | matmul U_z+U_i+U_o,G_zi+G_ii+G_oi,G_zo+G_io+G_oo
          after: matmul W_z+W_i+W_o
          sums: W_z, b_z, U_z, G_zi, G_zo, W_o, b_o, U_o, G_oi, G_oo, W_i, b_i, U_i, G_ii, G_io
        """,
}


@pytest.mark.parametrize("cell", STAGES, ids=lambda cell: type(cell).__name__)
def test_stages(cell: Cell) -> None:
    assert str(compile(cell.trace())).split() == STAGES[cell].split()


def test_stages_with_layer_normalisation() -> None:
    forward = compile(LayerNormLSTM().trace()).training
    assert str(forward).splitlines() == [
        "before: matmul W_i,W_f,W_z,W_o | row 5 | pointwise 8",
        "loop: matmul U_i,U_f,U_z,U_o | row 5 | pointwise 12 | row 2 | pointwise 7",
    ]
    backward = compile(LayerNormLSTM().trace()).reverse
    kinds = [stage.kind for stage in backward.loop]
    assert kinds == ["pointwise", "row", "pointwise", "row", "pointwise", "matmul"]
    assert str(backward.loop[-1]) == "matmul U_o+U_z+U_f+U_i"


def test_every_node_runs_once_after_its_operands_and_stages_do_not_read_themselves() -> None:
    for cell in (LSTM(), *STAGES, LayerNormLSTM()):
        program = compile(cell.trace())
        for plan in (program.forward, program.training, program.reverse):
            nodes = list(plan.nodes())
            assert len(nodes) == len(set(nodes))
            known = {*plan.given, *(leaf for leaf, _ in plan.carried.values())}
            for stage in (*plan.before, *plan.loop, *plan.after):
                barrier = stage.kind != "pointwise"
                for node in stage.nodes:
                    seen = known - set(stage.nodes) if barrier else known
                    assert all(arg in seen or arg.op in ("constant", "parameter") for arg in node.args), spell(node)
                    known.add(node)
                assert {node.op in BARRIERS for node in stage.nodes} == {barrier}


def test_products_needed_at_different_times_meet_in_one_stage() -> None:
    # As early as possible, V h would run with U h, a stage before V' y; as late as possible, all that can wait waits.
    def step(x, h):
        y = tanh(matmul("U", h))
        return {"h": sigmoid(matmul("V", y)) + matmul("S", tanh(h))}

    plan = scheduled(one_state(step))
    assert str(plan) == "loop: matmul U | pointwise 2 | matmul V; S | pointwise 2"


def test_a_product_of_a_product_is_two_stages() -> None:
    def step(x, h, c):
        seen = matmul("U", h)
        return {"h": matmul("V", seen), "c": tanh(seen)}

    traced = trace("Chain", step, inputs={"x": "X"}, states={"h": "H", "c": "H"})
    assert str(scheduled(traced)) == "loop: matmul U | pointwise 1 | matmul V"


def test_a_pack_stays_together_at_its_earliest_member() -> None:
    def step(x, h):
        return {"h": matmul("V", tanh(matmul("U", h))) + matmul("A", h) + matmul("B", h)}

    assert str(scheduled(one_state(step))) == "loop: matmul U,A,B | pointwise 1 | matmul V | pointwise 2"


def test_packs_join_products_of_one_operand() -> None:
    (stage, *_) = scheduled(LSTM(peephole=True, gate_recurrence=True).trace()).loop
    packs = {str(pack[0].args[0]): [product.attr for product in pack] for pack in stage.packs}
    assert {name: len(weights) for name, weights in packs.items()} == {"h": 4, "i": 3, "f": 3, "o": 3}
    assert set(packs["h"]) == {"U_i", "U_f", "U_z", "U_o"}


def test_a_state_that_depends_on_no_state_leaves_the_loop() -> None:
    def step(x, h, c):
        return {"h": h + c, "c": exp(matmul("W", x))}

    traced = trace("Ahead", step, inputs={"x": "X"}, states={"h": "H", "c": "H"})
    plan = scheduled(traced)
    assert str(plan) == "before: matmul W | pointwise 1\nloop: pointwise 1"
    assert plan.streamed == (traced.updates["c"],)
    assert plan.kept == (traced.updates["h"],)


def test_what_feeds_no_state_runs_after_the_loop() -> None:
    def step(x, h):
        new = tanh(linear("h", x, h))
        return {"h": new, "y": matmul("V", exp(new) + matmul("R", x), "P")}

    traced = trace("Read out", step, inputs={"x": "X"}, states={"h": "H"}, observed=["y"])
    plan = scheduled(traced, traced.observed["y"])
    assert str(plan).splitlines() == [
        "before: matmul W_h | pointwise 1",
        "loop: matmul U_h | pointwise 2",
        "after: matmul R | pointwise 2 | matmul V",
    ]
    assert plan.kept == (traced.updates["h"],)
    # Who does not ask for it does not pay for it.
    assert "V" not in str(scheduled(traced))


def test_the_loop_streams_what_changes_and_not_what_is_trained() -> None:
    def step(x, t, h):
        return {"h": tanh(h * exp(parameter("b")) + t * x)}

    traced = trace("Cell", step, inputs={"x": "H", "t": None}, states={"h": "H"})
    plan = scheduled(traced)
    assert str(plan) == "before: pointwise 2\nloop: pointwise 3"
    assert [spell(node) for node in plan.streamed] == ["t * x"]


def test_a_value_before_the_step_can_be_kept() -> None:
    traced = one_state(lambda x, h: {"h": tanh(linear("h", x, h))})
    plan = scheduled(traced, traced.updates["h"], 2 * state("h"))
    assert set(plan.kept) == {traced.updates["h"], state("h")}
    assert str(plan.after[0]) == "pointwise 1"


def test_rows_and_products_of_one_level_are_two_stages() -> None:
    traced = one_state(lambda x, h: {"h": mean(h) + matmul("U", h)})
    assert str(scheduled(traced)) == "loop: matmul U | row 1 | pointwise 1"


def test_what_is_given_is_not_computed() -> None:
    traced = one_state(lambda x, h: {"h": tanh(linear("h", x, h))})
    (net,) = traced.updates["h"].args
    carried = {"h": (traced.states["h"], traced.updates["h"])}
    plan = schedule(carried, [net], [traced.updates["h"]])
    assert str(plan) == "before: pointwise 1"


PRINT = """
import gatewise.cells
from gatewise.cells import LSTM
from gatewise.equations import transform
from gatewise.equations.program import compile
from gatewise.equations.text import dumps
cells = [gatewise.cells.get(name)() for name in gatewise.cells.list()]
for cell in [*cells, LSTM(peephole=True, cells_per_block=2, layer_norm=True, gate_recurrence=True)]:
    for step in (cell.trace(), transform.padding(transform.resets(cell.trace()))):
        print(compile(step, (step.output, *step.observed)), dumps(step))
        print([str(node) for node in compile(step).sequences], compile(step).reverse.streamed)
"""


def test_programs_do_not_depend_on_hash_seeds() -> None:
    printed = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True, check=True
        )
        printed.add(done.stdout)
    assert len(printed) == 1
    assert len(printed.pop()) > 100_000
