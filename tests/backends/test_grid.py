"""Grids in the compiled core: plans that it refuses, tensors that do not fit, and functions written for cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gatewise.backends import grid_cpu, native
from gatewise.backends.grid import reference
from gatewise.backends.grid_plan import Listed, listed
from gatewise.cells import MDLSTM, GridCell, State
from gatewise.equations import linear, tanh
from gatewise.equations.grid import GridProgram
from tests.backends.plans import core
from tests.tolerance import assert_close

CPP = Path(__file__).parents[2] / "cpp"


class Elman(GridCell):
    """No state besides the output, and one net input."""

    h = State()

    def step(self, x: Any, h_up: Any, h_left: Any) -> Any:
        return {"h": tanh(linear("h", x, h_up, h_left))}


class Wide(GridCell):
    """Two states besides the output, and six net inputs: two groups in a pack."""

    h, c, d = State(), State(), State()

    def step(self, x: Any, h_up: Any, h_left: Any, c_up: Any, c_left: Any, d_up: Any, d_left: Any) -> Any:
        a, b, e, f, g, k = (tanh(linear(name, x, h_up, h_left)) for name in "abefgk")
        c = a * c_up + b * c_left + e * d_left
        d = f * d_up + g * c_up * d_left
        return {"h": tanh(c + d) * k, "c": c, "d": d}


def given(
    program: GridProgram, hidden: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, their extents, weights and vectors."""
    generator = torch.Generator().manual_seed(4)

    def random(*shape: int) -> Tensor:
        return (torch.randn(*shape, generator=generator) * 0.3).to(dtype)

    nets, vectors = len(program.nets), len(program.vectors)
    extents = torch.tensor([[6, 9], [4, 9], [6, 2]])
    return random(3, 6, 9, 2), extents, random(4, nets * hidden, 2 + 2 * hidden), random(4, nets + vectors, hidden)


def test_the_files_are_what_is_written_today() -> None:
    """If this fails: `python -m gatewise.backends.native cpp`, and build the core anew."""
    found = native.grid_listings()
    assert (CPP / "grid_native_keys.h").read_text(encoding="utf-8") == native.keys(found, grid=True)
    assert (CPP / "grid_native.h").read_text(encoding="utf-8") == native.functions(found, (native.GRID,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("hidden", [1, 18])
@pytest.mark.parametrize("cell", [Elman(), Wide()], ids=["Elman", "Wide"])
def test_any_cell_of_a_grid(cell: GridCell, hidden: int, dtype: torch.dtype) -> None:
    program = cell.program()
    x, extents, *parameters = given(program, hidden, dtype)
    inputs = [tensor.requires_grad_() for tensor in (x, *parameters)]
    found = grid_cpu.run(program, x, extents, range(4), *parameters)
    want = reference(program, x, extents, range(4), *parameters)
    weight = torch.linspace(-1, 1, want.numel(), dtype=dtype).view_as(want)
    assert_close(found, want, 54)
    for got, expected in zip(
        torch.autograd.grad((found * weight).sum(), inputs),
        torch.autograd.grad((want * weight).sum(), inputs),
        strict=True,
    ):
        assert_close(got, expected, 500)


@pytest.mark.parametrize("cell", native.GRID_CELLS, ids=str)
def test_functions_give_the_bits_of_the_interpreter(cell: MDLSTM, monkeypatch: pytest.MonkeyPatch) -> None:
    program = cell.program()
    x, extents, *parameters = given(program, 5)
    inputs = [tensor.requires_grad_() for tensor in (x, *parameters)]

    def outcome() -> list[Tensor]:
        found = grid_cpu.run(program, x, extents, range(4), *parameters)
        with torch.no_grad():
            inference = grid_cpu.run(program, x, extents, range(4), *parameters)
        return [inference, found, *torch.autograd.grad(found.sum(), inputs)]

    want = outcome()
    plans = tuple(
        grid_cpu.plan(program, part, way, interpreted=True)
        for part, way in zip(listed(program), (False, False, True), strict=True)
    )
    assert all(plan.native for plan in grid_cpu.plans(program))
    assert not any(plan.native for plan in plans)
    monkeypatch.setattr(grid_cpu, "plans", lambda _: plans)
    for got, expected in zip(outcome(), want, strict=True):
        assert torch.equal(got, expected)


def changed(found: Listed, **more: Any) -> dict[str, Any]:
    products, _, instructions, numbers = found.listing
    whole = {
        "backward": False, "nets": products, "vectors": 0, "states": 1, "saved": found.saved,
        "registers": found.registers,
        "instructions": list(instructions), "numbers": list(numbers), "places": list(found.places),
    }  # fmt: skip
    return whole | more


def test_plans_that_the_core_refuses() -> None:
    inference, training, reverse = listed(MDLSTM("stable").program())
    core().GridPlan(**changed(inference))
    core().GridPlan(**changed(training))
    core().GridPlan(**changed(reverse, backward=True, nets=5))
    code = list(inference.listing[2])

    def refused(message: str, found: Listed = inference, **more: Any) -> None:
        with pytest.raises(ValueError, match=message):
            core().GridPlan(**changed(found, **more))

    refused("not complete", nets=0)
    refused("not complete", instructions=code[:-1])
    refused("out of range", saved=-1)
    refused("out of range", registers=1 << 20)
    refused("names a place that is not there", places=[(99, 0), *inference.places[1:]])
    refused("names a place that is not there", places=[(2, 1), *inference.places[1:]])
    refused("names a place that is not there", places=[(2, -1), *inference.places[1:]])
    refused("reads what cannot be read", places=[(10, 0), *inference.places[1:]])  # a backward's
    refused("reads what cannot be read", places=[(4, 0), *inference.places[1:]])  # h, before it is there
    refused("writes what cannot be written", places=[*inference.places[:-1], (2, 0)])
    refused("leaves a place unwritten", places=[*inference.places[:-1], (1, 0)])
    refused("leaves a place unwritten", instructions=code[:-5])
    refused("leaves a place unwritten", saved=1)
    refused("leaves a place unwritten", training, saved=training.saved + 1)
    refused("leaves a place unwritten", reverse, backward=True, nets=6)
    refused("writes a place twice", instructions=code + code[-5:])
    for place, value in ((0, 99), (0, -1), (1, 99), (2, 99), (2, -1)):
        refused("names what is not there", instructions=[*code[:place], value, *code[place + 1 :]])
    refused("reads an empty register", instructions=code[5:])
    refused("names what is not there", registers=1)


def test_tensors_that_do_not_fit() -> None:
    program = MDLSTM("stable").program()
    x, extents, weights, vectors = given(program, 3)
    inference, training, reverse = grid_cpu.plans(program)
    output, kept = torch.empty(3, 6, 9, 4, 3), torch.empty(4, 3, 6, 9, 7, 3)
    arguments = {
        "x": x, "extents": extents, "directions": torch.arange(4), "weights": weights, "vectors": vectors,
        "output": output, "kept": kept, "threads": 1,
    }  # fmt: skip
    back = {
        **arguments, "upstream": torch.empty_like(output), "of_x": torch.empty(4, *x.shape),
        "of_weights": torch.empty_like(weights), "of_vectors": torch.empty_like(vectors),
    }  # fmt: skip

    def call(plan: Any, function: Any, **changes: Any) -> None:
        function(
            plan, **{name: v.numpy() if isinstance(v, Tensor) else v for name, v in {**arguments, **changes}.items()}
        )

    call(training, core().grid_forward)
    call(reverse, core().grid_backward, **back)
    call(inference, core().grid_forward, kept=None)

    forward = core().grid_forward

    def refused(message: str, plan: Any = training, function: Any = forward, **changes: Any) -> None:
        with pytest.raises(ValueError, match=message):
            call(plan, function, **changes)

    refused("one of a backward", reverse)
    refused("one of a forward", training, core().grid_backward, **back)
    refused("no room for it", kept=None)
    refused("images must be", x=x[0])
    refused("float32 or float64", x=x.half())
    refused("different dtypes", x=x.double())
    refused("weights do not fit", weights=weights[:, 1:].contiguous())
    refused("vectors do not fit", vectors=vectors[:, 1:].contiguous())
    refused("parameters do not fit", vectors=vectors[0])
    refused("output does not fit", output=output[..., :2].contiguous())
    refused("saves does not fit", kept=kept[:, :, :, :, 1:].contiguous())
    refused("extents do not fit", extents=extents[:2])
    refused("higher than its batch", extents=extents + torch.tensor([1, 0]))
    refused("wider than its batch", extents=extents + torch.tensor([0, 1]))
    refused("higher than its batch", extents=extents - 7)
    refused("none of the four", directions=torch.tensor([0, 1, 2, 4]))
    refused("sizes are out of range", x=x[:0], extents=extents[:0])
    refused("number of threads", threads=0)
    for name, message in {
        "upstream": "output's gradient does not fit", "of_x": "images' gradient does not fit",
        "of_weights": "weights' gradient does not fit", "of_vectors": "vectors' gradient does not fit",
        "kept": "saved does not fit", "output": "output does not fit",
    }.items():  # fmt: skip
        refused(message, reverse, core().grid_backward, **{**back, name: back[name][..., :1].contiguous()})
    with pytest.raises(TypeError):  # nothing is converted: results would go into a copy
        call(training, core().grid_forward, output=np.zeros((3, 6, 9, 4, 6), np.float32)[..., ::2])
