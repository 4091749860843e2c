"""Steps of two dimensions: net inputs, the pointwise step that is left and its gradient."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise.backends.operations import TORCH
from gatewise.cells import MDLSTM, GridCell, State
from gatewise.equations import Expr, linear, matmul, mean, parameter, sigmoid, tanh
from gatewise.equations.bytecode import Bytecode, run
from gatewise.equations.expr import LEAVES, topological
from gatewise.equations.grid import GridProgram, below, product, right, upstream
from gatewise.errors import CellError

ALL = [MDLSTM(memory_cell, peephole) for memory_cell in ("forget", "stable", "leaky") for peephole in (False, True)]


def values(nodes: list[Expr], given: Mapping[Expr, Tensor]) -> dict[Expr, Tensor]:
    """All nodes, computed in torch."""
    found = dict(given)
    for node in topological(nodes):
        if node.op == "constant":
            found[node] = torch.tensor(float(str(node.attr)), dtype=torch.float64)
        elif node.op not in LEAVES:
            found[node] = TORCH[node.op](*(found[arg] for arg in node.args))
    return found


def executed(code: Bytecode, given: Mapping[Expr, Tensor]) -> dict[Expr, Tensor]:
    """A lowered program in plain Python."""
    found = run(code, {expr: given[expr].tolist() for expr in code.inputs})
    return {expr: torch.tensor(value, dtype=torch.float64) for expr, value in found.items()}


def leaves_of(program: GridProgram) -> dict[Expr, Tensor]:
    generator = torch.Generator().manual_seed(2)
    leaves = [*program.inner.inputs.values(), *(parameter(name) for name in program.vectors)]
    return {leaf: torch.randn(4, generator=generator, dtype=torch.float64).requires_grad_() for leaf in leaves}


@pytest.mark.parametrize("cell", ALL, ids=str)
def test_programs_compute_states_and_their_gradients(cell: MDLSTM) -> None:
    program = cell.program()
    leaves = leaves_of(program)
    order = [*program.inner.updates.values(), *program.saved]
    forward = values(order, leaves)
    for code, wanted in ((program.forward, list(program.inner.updates.values())), (program.training, order)):
        made = executed(code, {leaf: value.detach() for leaf, value in leaves.items()})
        assert set(made) == set(wanted)
        for node in wanted:
            assert torch.allclose(made[node], forward[node].detach(), atol=1e-14)

    generator = torch.Generator().manual_seed(3)
    arriving = [product("h"), upstream("h"), *(side(name) for name in program.states for side in (below, right))]
    gradients = {leaf: torch.randn(4, generator=generator, dtype=torch.float64) for leaf in arriving}
    total = (forward[program.inner.updates["h"]] * (gradients[product("h")] + gradients[upstream("h")])).sum()
    for name in program.states:
        total = total + (forward[program.inner.updates[name]] * (gradients[below(name)] + gradients[right(name)])).sum()
    want = dict(zip(leaves, torch.autograd.grad(total, list(leaves.values())), strict=True))
    known = {node: value.detach() for node, value in forward.items()}
    made = executed(program.reverse, {**known, **gradients})
    inputs = program.step.inputs
    expected = {gradient: net.leaf for gradient, net in zip(program.gradients, program.nets, strict=False)}
    expected |= {
        gradient: parameter(name)
        for gradient, name in zip(program.gradients[len(program.nets) :], program.vectors, strict=True)
    }
    for name, (up, left) in zip(program.states, program.handed, strict=True):
        expected |= {up: inputs[f"{name}_up"], left: inputs[f"{name}_left"]}
    assert set(made) == set(expected)
    for gradient, leaf in expected.items():
        assert torch.allclose(made[gradient], want[leaf], atol=1e-14), leaf


def test_what_is_saved() -> None:
    program = MDLSTM("stable").program()
    assert program.nets[0].matrices == ("W_i", "U_i", "V_i")
    assert [net.bias for net in program.nets] == ["b_i", "b_f", "b_l", "b_z", "b_o"]
    assert (program.states, program.output, program.vectors) == (("c",), "h", ())
    assert len(program.saved) == 6  # five gates and the squashed state
    assert "saved for backward: c, sigmoid(@net_" in str(program)


def cell_of(function: Any, **declared: Any) -> GridCell:
    return type("Own", (GridCell,), {"h": State(), "step": lambda self, **given: function(**given), **declared})()


def refused(function: Any, **declared: Any) -> str:
    with pytest.raises(CellError) as caught:
        cell_of(function, **declared).program()
    return str(caught.value)


def test_cells_that_are_none_of_a_grid() -> None:
    net = lambda x, h_up, h_left: linear("h", x, h_up, h_left)  # noqa: E731
    two = {"c": State()}
    assert "`U @ tanh(h_up)` multiplies `tanh(h_up)`; on a grid matrices multiply only x, h_up, h_left" in refused(
        lambda x, h_up, h_left: {"h": net(x, h_up, h_left) * matmul("U", tanh(h_up))}
    )
    assert "mixes units" in refused(lambda x, h_up, h_left: {"h": mean(net(x, h_up, h_left))})
    assert (
        "must multiply each of x, h_up, h_left once and have one bias: write linear(name, x, h_up, h_left)"
        in refused(lambda x, h_up, h_left: {"h": tanh(linear("h", x, h_up))})
    )
    assert "once and have one bias" in refused(
        lambda x, h_up, h_left: {"h": tanh(linear("h", x, h_up, h_left, bias=False))}
    )
    assert "W_h would be in two net inputs" in refused(
        lambda x, h_up, h_left: {
            "h": tanh(net(x, h_up, h_left))
            * sigmoid(matmul("W_h", x) + parameter("b") + matmul("U", h_up) + matmul("V", h_left))
        }
    )
    assert "is only multiplied by matrices" in refused(lambda x, h_up, h_left: {"h": tanh(net(x, h_up, h_left)) * h_up})
    assert "no gradient flows to c_left: every neighbour's state must be read" in refused(
        lambda x, h_up, h_left, c_up, c_left: {"h": tanh(net(x, h_up, h_left)) * c_up, "c": tanh(c_up)}, **two
    )
    assert "must be a vector [H]" in refused(
        lambda x, h_up, h_left: {"h": tanh(net(x, h_up, h_left)) * parameter("scale", None)}
    )
    assert 'must declare the state "h"' in refused(lambda x: {}, h=None)
    assert "the state \"c\" was declared as State(width='P'" in refused(lambda **_: {}, c=State("P"))


def test_a_gradient_that_reads_a_net_input_itself() -> None:
    assert "the gradient reads the net input `@net_0` (W_h x + ...) itself" in refused(
        lambda x, h_up, h_left: {"h": linear("h", x, h_up, h_left) * linear("g", x, h_up, h_left)}
    )
