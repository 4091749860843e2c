import sys
from dataclasses import replace

import pytest
import torch

from gatewise.backends import BACKENDS, Call, choose
from gatewise.cells import GRU, LSTM, Cell, Elman, State
from gatewise.equations import linear, tanh
from gatewise.errors import ConfigurationError
from gatewise.nn import Recurrent

choosing = sys.modules["gatewise.backends.choose"]  # the package has a function of that name


class Own(Cell):
    h = State()

    def step(self, x, h):
        return {"h": tanh(linear("h", x, h))}


class Tweaked(LSTM):
    """Not the plain LSTM any more: a subclass may change the equations."""


CALL = Call(LSTM(), "cpu", torch.float32, steps=7, batch=2, sizes=(("H", 5), ("X", 3)), ragged=True)


def test_auto_takes_the_first_that_can() -> None:
    assert list(BACKENDS) == ["cpu", "torch", "reference"]
    assert choose("auto", CALL).backend == "cpu"
    assert choose("auto", replace(CALL, dtype=torch.bfloat16)).backend == "torch"
    assert choose("auto", replace(CALL, cell=Own())).backend == "cpu"
    assert choose("auto", replace(CALL, cell=Tweaked())).backend == "cpu"
    assert choose("auto", replace(CALL, cell=Own(), dtype=torch.bfloat16)).backend == "reference"
    assert choose("auto", replace(CALL, device="meta")).backend == "reference"
    assert choose("reference", CALL).backend == "reference"


def test_the_reason_is_printed() -> None:
    assert str(choose("auto", replace(CALL, cell=Own()))).splitlines() == [
        'backend: cpu (the first of "auto" that can)',
        "  cpu: runs the call",
        "  torch: cannot: torch's fused calls compute the plain LSTM, LSTMP, GRU and Elman cells, not Own",
        '  reference: could run the call; it comes later in the order of "auto"',
    ]
    assert "  torch: could run the call; it was not asked for" in str(choose("reference", CALL)).splitlines()


def test_many_sequences_with_large_matrices_and_few_steps_go_to_torch() -> None:
    large = replace(CALL, batch=128, steps=64, sizes=(("H", 128), ("X", 3)), ragged=False)
    assert choose("auto", large).backend == "torch"
    for smaller in (
        {"batch": 127},
        {"steps": 65},
        {"sizes": (("H", 127), ("X", 3))},
        {"ragged": True},
        {"cell": GRU()},
    ):
        assert choose("auto", replace(large, **smaller)).backend == "cpu"


def test_what_was_measured_to_be_slower_is_left_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    choose.cache_clear()
    monkeypatch.setitem(vars(choosing), "YIELDS", {"cpu": lambda call: "torch was measured to be faster"})
    choice = choose("auto", CALL)
    assert choice.backend == "torch"
    assert "  cpu: could run the call; torch was measured to be faster" in str(choice).splitlines()
    # Only where there is something faster, and never against a backend that was asked for.
    assert choose("auto", replace(CALL, cell=Own())).backend == "cpu"
    assert choose("cpu", CALL).backend == "cpu"
    choose.cache_clear()


def test_a_backend_asked_for_by_name_that_cannot_run_says_why() -> None:
    what = r'"torch" cannot run Own of T=7, B=2, H=5, X=3, with lengths, float32 on cpu: .*not Own; these can: cpu, ref'
    with pytest.raises(ConfigurationError, match=what):
        choose("torch", replace(CALL, cell=Own()))
    with pytest.raises(
        ConfigurationError, match=r"no backend can run .*int64.* torch: the dtype torch.int64 is not one of"
    ):
        choose("auto", replace(CALL, dtype=torch.int64))
    with pytest.raises(ConfigurationError, match="backend='torhc' is not known; did you mean \"torch\""):
        choose("torhc", CALL)


def test_a_layer_of_any_cell_stores_parameters_as_the_equations_name_them() -> None:
    x = torch.zeros(5, 2, 3)
    for cell in (LSTM(), GRU(), Elman()):
        layer = Recurrent(cell, 3, 4)
        assert layer(x)[0].shape == (5, 2, 4)
        assert "torch: cannot: torch's fused calls need parameters in torch's form" in layer.explain(x)
        with pytest.raises(ConfigurationError, match=r"use gatewise.LSTM, GRU or RNN, not Recurrent"):
            Recurrent(cell, 3, 4, backend="torch")(x)
