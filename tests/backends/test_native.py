"""Functions written for the commonest cells: that they are up to date, are found, and give the interpreter's bits."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise import GRU, LSTM, RNN
from gatewise.backends import cpu, native
from gatewise.equations.bytecode import CONSTANT, LOAD, OPCODES, STORE
from tests.backends.plans import core

CPP = Path(__file__).parents[2] / "cpp"
LAYERS: dict[str, Any] = {
    "LSTM": lambda **more: LSTM(5, **more),
    "LSTM without bias": lambda **more: LSTM(5, bias=False, **more),
    "peephole LSTM": lambda **more: LSTM(5, peephole=True, **more),
    "peephole LSTM without bias": lambda **more: LSTM(5, peephole=True, bias=False, **more),
    "coupled LSTM": lambda **more: LSTM(5, coupled=True, **more),
    "coupled LSTM without bias": lambda **more: LSTM(5, coupled=True, bias=False, **more),
    "GRU": lambda **more: GRU(5, **more),
    "GRU without bias": lambda **more: GRU(5, bias=False, **more),
    "RNN": lambda **more: RNN(5, **more),
}


def test_the_files_are_what_is_written_today() -> None:
    """If this fails: `python -m gatewise.backends.native cpp`, and build the core anew."""
    found = native.listings()
    assert (CPP / "native_keys.h").read_text(encoding="utf-8") == native.keys(found)
    assert (CPP / "native.h").read_text(encoding="utf-8") == native.functions(found)


class Watched:
    """The core, and the plans that it was given."""

    def __init__(self, interprets: bool) -> None:
        self.core, self.interprets = core(), interprets
        self.plans: list[Any] = []
        self.run = self.core.run

    def Plan(self, numbers: Any, constants: Any, is_double: bool) -> Any:
        self.plans.append(self.core.Plan(numbers, constants, is_double, self.interprets))
        return self.plans[-1]


@contextmanager
def watched(interprets: bool) -> Iterator[Watched]:
    found = Watched(interprets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "core", found)
        yield found


def outcome(name: str, hidden: int, rows: int, dtype: torch.dtype, interprets: bool) -> tuple[list[Tensor], list[Any]]:
    """Outputs, final states and all gradients of a layer, outputs without gradients, and the plans that it needed."""
    torch.manual_seed(0)
    layer = LAYERS[name](hidden_size=hidden, dtype=dtype, bidirectional=True, backend="cpu")
    x = torch.randn(7, rows, 5, dtype=dtype, requires_grad=True)
    with watched(interprets) as seen:
        output, states = layer(x, lengths=[7 - k % 7 for k in range(rows)])
        finals = states if isinstance(states, tuple) else (states,)
        loss = output.sin().sum() + sum(state.cos().sum() for state in finals)
        gradients = torch.autograd.grad(loss, [x, *layer.parameters()])
        frozen = torch.autograd.grad(layer(x.detach())[0].sum(), list(layer.parameters()))
        with torch.no_grad():
            plain = layer(x)[0]
    return [output, *finals, *gradients, *frozen, plain], seen.plans


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_every_program_of_these_layers_has_a_function_with_the_interpreters_bits(name: str, dtype: torch.dtype) -> None:
    for hidden, rows in ((3, 1), (16, 4), (37, 30)):
        got, plans = outcome(name, hidden, rows, dtype, interprets=False)
        want, interpreted = outcome(name, hidden, rows, dtype, interprets=True)
        assert len(plans) == len(interpreted) == 4  # in training and not, and backward with and without x's gradient
        for plan in plans:
            native_ones, programs = plan.natives
            assert native_ones == programs > 0
        assert all(plan.natives[0] == 0 for plan in interpreted)
        for a, b in zip(got, want, strict=True):
            assert torch.equal(a, b)


def test_every_spelling_is_of_an_operation() -> None:
    assert set(native.SPELLED) <= set(OPCODES) - {LOAD, CONSTANT, STORE}
    used = {code for _, _, listing, _ in native.listings() for code in listing[::5]}
    spelled = {OPCODES[name] for name in native.SPELLED}
    assert used - {OPCODES[LOAD], OPCODES[CONSTANT], OPCODES[STORE]} <= spelled
