"""The LSTM and its variants against loops written from their papers: all values, and all gradients."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise.backends.scan import scan
from gatewise.cells import (
    CIFG,
    LSTM,
    LSTM1997,
    LSTMP,
    Cell,
    LayerNormLSTM,
    OdysseyCIFG,
    OdysseyFGR,
    OdysseyNFG,
    OdysseyNIAF,
    OdysseyNIG,
    OdysseyNOAF,
    OdysseyNOG,
    OdysseyNP,
    PeepholeLSTM,
)
from gatewise.errors import CellError
from tests.cells import running
from tests.cells.lstm_loop import SIZES, Values, family, lstm1997, parameters, random
from tests.tolerance import assert_close

STEPS, BATCH = 5, 2


def tried(cell: Cell, expected: Callable[[Tensor, Values, Values], Values], sizes: dict[str, int] = SIZES) -> None:
    """All states and observed values of the cell, and all gradients, equal those of a loop."""
    step = cell.trace()
    p = parameters({name: parameter.shape for name, parameter in step.parameters.items()}, sizes)
    x = random(STEPS, BATCH, sizes["X"], seed=1)
    states = {
        name: random(BATCH, sizes[str(leaf.width)], seed=2 + k) for k, (name, leaf) in enumerate(step.states.items())
    }
    names = [*step.states, *step.observed]
    got, final = scan(step, {"x": x}, p, states, emit=names, backend=running.BACKEND)
    want = expected(x, states, p)
    leaves = {"x": x, **{f"first {name}": value for name, value in states.items()}, **p}
    outer = {name: random(*want[name].shape, seed=50 + k).detach() for k, name in enumerate(names)}
    for name in names:
        assert_close(got[name], want[name], STEPS, name)
    for name in step.states:
        assert_close(final[name], want[name][-1], STEPS, f"final {name}")
    found = [
        torch.autograd.grad(
            sum((values[name] * outer[name]).sum() for name in names), list(leaves.values()), materialize_grads=True
        )
        for values in (got, want)
    ]
    for name, a, b in zip(leaves, *found, strict=True):
        assert_close(a, b, STEPS, f"gradient of {name}")


VARIANTS: dict[str, tuple[Cell, dict[str, Any]]] = {
    "peephole": (PeepholeLSTM(), {}),
    "CIFG": (CIFG(), {"gates": "io", "coupled": True}),
    "without bias": (LSTM(bias=False), {}),
    "Odyssey NIG": (OdysseyNIG(), {"gates": "fo"}),
    "Odyssey NFG": (OdysseyNFG(), {"gates": "io"}),
    "Odyssey NOG": (OdysseyNOG(), {"gates": "if"}),
    "Odyssey NIAF": (OdysseyNIAF(), {"squash_input": False}),
    "Odyssey NOAF": (OdysseyNOAF(), {"squash_output": False}),
    "Odyssey CIFG": (OdysseyCIFG(), {"gates": "io", "coupled": True}),
    "Odyssey NP": (OdysseyNP(), {}),
    "LSTMP with peepholes": (LSTMP(peephole=True), {}),
    "LSTMP, coupled": (LSTMP(coupled=True), {"gates": "io", "coupled": True}),
    "layer-normalised": (LayerNormLSTM(), {"normalised": True}),
    "layer-normalised, peepholes": (LSTM(layer_norm=True, peephole=True), {"normalised": True}),
    "layer-normalised, projected": (LSTMP(layer_norm=True), {"normalised": True}),
    "blocks with peepholes": (PeepholeLSTM(cells_per_block=2), {"block": 2}),
    "blocks, coupled": (LSTM(coupled=True, cells_per_block=3), {"gates": "io", "coupled": True, "block": 3}),
    "one block": (LSTM(peephole=True, cells_per_block=6), {"block": 6}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_equal_the_papers(name: str) -> None:
    cell, options = VARIANTS[name]
    blocks = SIZES["H"] // options.get("block", 1)
    tried(
        cell,
        lambda x, states, p: family(x, states["h"], states["c"], p, **options),
        {**SIZES, "K": blocks},
    )


@pytest.mark.parametrize("block", [1, 2])
def test_full_gate_recurrence_equals_the_paper(block: int) -> None:
    cell = OdysseyFGR(cells_per_block=block)
    step = cell.trace()
    # Nine matrices between gates; the gates are states.
    assert sum(name.startswith("G_") for name in step.parameters) == 9
    assert list(step.states) == ["h", "c", "i", "f", "o"]
    tried(
        cell,
        lambda x, states, p: family(x, states["h"], states["c"], p, before={k: states[k] for k in "ifo"}, block=block),
        {**SIZES, "K": SIZES["H"] // block},
    )


def test_a_variant_differs_from_the_vanilla_lstm_in_one_thing() -> None:
    vanilla = PeepholeLSTM().trace()
    missing = {
        OdysseyNIG: {"W_i", "b_i", "U_i", "p_i"},
        OdysseyNFG: {"W_f", "b_f", "U_f", "p_f"},
        OdysseyNOG: {"W_o", "b_o", "U_o", "p_o"},
        OdysseyCIFG: {"W_f", "b_f", "U_f", "p_f"},
        OdysseyNP: {"p_i", "p_f", "p_o"},
        OdysseyNIAF: set(),
        OdysseyNOAF: set(),
    }
    for cell, names in missing.items():
        assert set(vanilla.parameters) - set(cell().trace().parameters) == names
    texts = {str(cell().trace()).split(":", 1)[1] for cell in (*missing, PeepholeLSTM, OdysseyFGR)}
    assert len(texts) == 9


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("recurrence", [False, True])
@pytest.mark.parametrize("block", [1, 3])
def test_1997_equals_the_paper(block: int, recurrence: bool, truncated: bool) -> None:
    cell = LSTM1997(cells_per_block=block, gate_recurrence=recurrence, truncated=truncated)
    tried(
        cell,
        lambda x, states, p: lstm1997(x, states, p, block, truncated),
        {**SIZES, "K": SIZES["H"] // block},
    )


def test_truncation_changes_gradients_and_no_value() -> None:
    x = random(STEPS, BATCH, 3, seed=1)
    found = []
    for truncated in (False, True):
        step = LSTM1997(truncated=truncated).trace()
        p = parameters({name: parameter.shape for name, parameter in step.parameters.items()}, SIZES)
        states = {name: torch.zeros(BATCH, 6, dtype=torch.float64) for name in step.states}
        outputs, _ = scan(step, {"x": x}, p, states, backend=running.BACKEND)
        found.append((outputs["h"], *torch.autograd.grad(outputs["h"][-1].sum(), [x, p["G_ii"]])))
    assert_close(found[0][0], found[1][0], STEPS)
    assert not torch.allclose(found[0][1][0], found[1][1][0])
    # What came in long ago is still reached: through the cell itself, which keeps the error as it is.
    assert (found[1][1][0].abs() > 1e-6).any()


# Experiments of Hochreiter & Schmidhuber (1997), section 5: inputs, outputs, blocks, cells in each, which units are
# biased besides the gates, and the number of weights the paper gives. Every hidden unit (gates among them) reads all
# inputs, all cells and all gates; the output units read the cells. Which units are biased is said for some of the
# experiments only: here it is what makes the numbers come out.
EXPERIMENTS = {
    "1, embedded Reber grammar": (7, 7, 4, 1, False, False, 264),
    "3, noise and signal in one channel": (1, 1, 3, 1, True, False, 102),
    "4, adding": (2, 1, 2, 2, True, True, 93),
    "6a, temporal order of two symbols": (8, 4, 2, 2, True, True, 156),
    "6b, temporal order of three symbols": (8, 8, 3, 2, True, True, 308),
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_weight_counts_of_1997(name: str) -> None:
    inputs, outputs, blocks, size, biased_cells, biased_outputs, count = EXPERIMENTS[name]
    cell = LSTM1997(cells_per_block=size, cell_bias=biased_cells)
    hidden = blocks * size
    sizes = {"X": inputs, "H": hidden, **cell.widths(hidden)}
    weights = 0
    for parameter in cell.trace().parameters.values():
        product = 1
        for width in parameter.shape:
            product *= sizes[width]
        weights += product
    readout = torch.nn.Linear(hidden, outputs, bias=biased_outputs)
    assert weights + sum(p.numel() for p in readout.parameters()) == count


def test_a_layer_of_1997_has_the_papers_weights() -> None:
    from gatewise import Recurrent

    layer = Recurrent(LSTM1997(cells_per_block=2), 2, 4)
    assert sum(p.numel() for p in layer.parameters()) == 93 - 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTM(coupled=True, forget_gate=False), "coupled=True makes the forget gate 1 - i, forget_gate=False"),
        (lambda: LSTM(coupled=True, input_gate=False), "but input_gate=False takes i away"),
        (lambda: LSTM(cells_per_block=0), "cells_per_block=0 must be a whole number of at least 1"),
        (lambda: LSTM(cells_per_block=True), "cells_per_block=True must be a whole number"),
        (lambda: LSTM1997(cells_per_block=1.5), r"cells_per_block=1.5 must be a whole number"),  # type: ignore[arg-type]
        (lambda: LSTM(cells_per_block=4).widths(6), "hidden_size=6 is not a multiple of cells_per_block=4"),
        (lambda: LSTM1997(cells_per_block=4).widths(6), "hidden_size=6 is not a multiple of cells_per_block=4"),
        (
            lambda: LSTM(gate_recurrence=True, input_gate=False, forget_gate=False, output_gate=False),
            "gate_recurrence=True connects gates with gates, but all gates are switched off",
        ),
        (
            lambda: PeepholeLSTM(input_gate=False, forget_gate=False, output_gate=False),
            "peephole=True lets gates see the cell state, but all gates are switched off",
        ),
    ],
)
def test_options_that_mean_nothing_together(make: Callable[[], object], message: str) -> None:
    with pytest.raises(CellError, match=message):
        make()
