"""What layers of any cell refuse, and that each message says what was expected, what came, and how to fix it."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from gatewise import GRU, LSTM, RNN, Recurrent
from gatewise.cells import EALSTM, GRUD, JANET, LSTM1997, SLSTM, Cell, Elman, PhasedLSTM, State
from gatewise.equations import linear, tanh
from gatewise.errors import CellError, ConfigurationError, DataError

STEPS, BATCH = 5, 2
X = torch.randn(STEPS, BATCH, 3, generator=torch.Generator().manual_seed(0))
H = torch.zeros(1, BATCH, 4)


class Additive(Cell):
    """No matrix reads the state."""

    h = State()

    def step(self, x, h):
        return {"h": tanh(linear("h", x)) + 0.5 * h}


def layer(cell: Any = None, **options: Any) -> Recurrent:
    return Recurrent(cell or JANET(), 3, 4, **options)


def call(cell: Any = None, options: dict[str, Any] | None = None, **more: Any) -> Callable[[], Any]:
    return lambda: layer(cell, **(options or {}))(**{"input": X, **more})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: layer(JANET), r"expected a cell, got <class .*JANET'>; write JANET\(\)"),
        (lambda: layer("janet"), r"expected a cell, got 'janet'; write gatewise.cells.get\('janet'\)\(\)"),
        (lambda: layer(7), "expected a cell, got 7"),
        (lambda: Recurrent([JANET(), JANET()], 3, [4, 5, 6]), "one for each of the 2 layers, got 2 and 3"),
        (lambda: Recurrent([], 3, 4), "one for each of the 0 layers"),
        (lambda: layer(num_layers=0), "num_layers=0 must be a whole number of at least 1"),
        (lambda: Recurrent(JANET(), 3, 4.0), "hidden_size=4.0 must be a whole number"),  # type: ignore[arg-type]
        (lambda: Recurrent(JANET(), -1, 4), "input_size=-1 must be a whole number"),
        (lambda: layer(EALSTM()), r"EALSTM has vectors of width S of unknown size: give widths=\{'S': ...\}"),
        (lambda: layer(EALSTM(), widths={"S": 0}), r"widths\['S'\]=0 must be a whole number of at least 1"),
        (lambda: layer(EALSTM(), widths=3), "widths=3 must be a mapping"),
        (lambda: layer(widths={"P": 2}), "no cell has vectors of width P: leave it out of widths"),
        (lambda: layer(widths={"H": 2}), "the size of H is hidden_size; leave it out"),
        (lambda: layer(LSTM1997(cells_per_block=2), widths={"K": 3}), "K of LSTM1997 follows from hidden_size"),
        (lambda: layer(backend="cuda"), "backend='cuda' is not known"),
        (lambda: layer(dtype=torch.int32), "dtype=torch.int32 must be one of"),
        (lambda: layer(num_layers=2, dropout=-1), "dropout=-1 must be a probability"),
    ],
)
def test_layers_that_cannot_be_made(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LSTM(3, 4, coupled=True, forget_gate=False), "forget_gate=False takes it away: choose one"),
        (lambda: LSTM(3, 4, peephole="no"), "peephole='no' must be True or False"),  # type: ignore[arg-type]
        (lambda: LSTM(3, 4, cells_per_block=3), "hidden_size=4 is not a multiple of cells_per_block=3"),
        (lambda: LSTM(3, 4, forget_gate=False, forget_bias=1.0), "forget_bias=1.0 needs a gate that keeps its state"),
        (lambda: LSTM(3, 4, bias=False, expected_lag=9), "expected_lag=9 needs biases"),
        (lambda: layer(forget_bias=1.0, expected_lag=9), "initialise the same biases: choose one"),
        (lambda: layer(expected_lag=1), "expected_lag=1 must be a whole number of time steps of at least 2"),
        (lambda: layer(expected_lag=2.5), "expected_lag=2.5 must be a whole number"),
        (lambda: layer(forget_bias=math.inf), "forget_bias=inf must be a finite number"),
        (lambda: layer(Elman(), forget_bias=1.0), "needs a gate that keeps its state: Elman"),
        (lambda: layer(Elman(), recurrent_dropout=0.1), "Elman does not say what that is: set `candidate`"),
        (lambda: layer(Additive(), weight_dropout=0.1), "Additive multiplies no matrix with a state"),
        (lambda: layer(recurrent_dropout=2), "recurrent_dropout=2 must be a probability"),
        (lambda: layer(variational_dropout=-0.5), "variational_dropout=-0.5 must be a probability"),
        (lambda: layer(weight_dropout=True), "weight_dropout=True must be a probability"),
        (lambda: layer(zoneout=1.5), "zoneout of h=1.5 must be a probability"),
        (lambda: layer(zoneout=math.nan), "zoneout of h=nan must be a probability"),
        (lambda: layer(zoneout={"q": 0.1}), 'JANET has no state "q"; There is: h'),
        (lambda: layer(zoneout={"q": 0}), 'JANET has no state "q"'),
        (lambda: layer(SLSTM(), zoneout=0.1), '"m" of SLSTM starts at infinity'),
        (lambda: layer(clip_gradient=0), "clip_gradient=0 must be a positive number or None"),
        (lambda: layer(clip_gradient="1"), "clip_gradient='1' must be a positive number"),
        (lambda: GRU(3, 4, zoneout={"c": 0.1}), 'GRU has no state "c"'),
        (lambda: RNN(3, 4, nonlinearity="sin"), 'no nonlinearity "sin"'),  # type: ignore[arg-type]
    ],
)
def test_switches_that_mean_nothing(build: Callable[[], object], message: str) -> None:
    with pytest.raises((ConfigurationError, CellError), match=message):
        build()


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (call(lengths=[-1, 3]), r"lengths\[0\] is -1; expected a number from 0 to T = 5"),
        (call(lengths=[6, 3]), r"lengths\[0\] is 6; expected a number from 0 to T = 5"),
        (call(lengths=[1]), "one length for each of the 2 sequences"),
        (call(lengths=torch.tensor([1.0, 2.0])), "2 whole numbers, got torch.float32"),
        (call(resets=torch.zeros(BATCH, STEPS, dtype=torch.bool)), r"resets to be \[T, B\] = \[5, 2\], got \[2, 5\]"),
        (
            call(None, {"batch_first": True}, input=X.transpose(0, 1), resets=torch.zeros(STEPS, BATCH).bool()),
            r"resets to be \[B, T\] = \[2, 5\], got \[5, 2\]",
        ),
        (call(input=X[:, 0], resets=torch.zeros(STEPS, 1).bool()), r"resets to be \[T\] = \[5\], got \[5, 1\]"),
        (call(resets=torch.zeros(STEPS, BATCH)), "resets to be booleans .* got torch.float32"),
        (call(resets=np.zeros((STEPS, BATCH), int)), "resets to be booleans .* got torch.int64"),
        (call(resets=[[True], [True, False]]), r"resets to be booleans \[T, B\], got \[\[True\], \[True, False\]\]"),
        (call(resets="never"), "resets to be booleans .*'never'"),
        (call(states=H), "a list of 1 mappings, one a layer, got Tensor"),
        (call(None, {"num_layers": 2}, states=[{"h": H}]), "a list of 2 mappings, one a layer, got list of 1"),
        (call(states=[H]), "states of layer 0 to be a mapping of h, got Tensor"),
        (call(states=[{"c": H}]), "states of layer 0 to be a mapping of h, got c"),
        (call(states=[{}]), "a mapping of h, got an empty one"),
        (call(states=[{"h": None}]), "state h of layer 0 to be a Tensor, got None"),
        (call(states=[{"h": H[0]}]), r"\[D, B, w\] = \[1, 2, 4\] of torch.float32 on cpu, got \[2, 4\]"),
        (call(states=[{"h": H.double()}]), "of torch.float32 on cpu, got .* of torch.float64"),
        (call(time=X), r'has an input "time"; there is: only x'),
        (call(PhasedLSTM()), r'needs the input "time" \[T, B, 1\]: give time='),
        (call(PhasedLSTM(), tim=X), r'has an input "tim"; there is: time'),
        (call(PhasedLSTM(), time=torch.zeros(STEPS, BATCH)), r'"time" to be \[T, B, w\] = \[5, 2, 1\] .* got \[5, 2\]'),
        (call(PhasedLSTM(), time=[1.0]), '"time" to be a Tensor, got list'),
        (call(GRUD(), m=X), 'needs the input "d"'),
        (call(input=X.numpy()), "a Tensor or a PackedSequence, got ndarray"),
        (call(input=X.long()), "input is torch.int64 and the layer's parameters are torch.float32"),
        (call(input=X[..., :2]), r"shape \[T, B, 3\] or, for one sequence, \[T, 3\]; got \[5, 2, 2\]"),
        (call(input=X[:0]), "at least one time step"),
        (
            call(None, {"zoneout": 0.1}, sequence_ids=[1, 2]),
            r"sequence_ids to be a tensor of 2 whole numbers, .*, got \[1, 2\]",
        ),
        (call(None, {"zoneout": 0.1}, sequence_ids=torch.zeros(2)), "got torch.float32 of shape"),
        (call(None, {"zoneout": 0.1}, sequence_ids=torch.zeros(3).long()), r"got torch.int64 of shape \[3\]"),
        (lambda: LSTM(3, 4, gate_recurrence=True)(X, (H, H)), r"tuple of tensors \(h, c, i, f, o\), got tuple of 2"),
        (lambda: GRU(3, 4)(X, (H, H)), "expected hx to be a tensor h, got tuple"),
    ],
)
def test_calls_that_do_not_fit(run: Callable[[], object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run()


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (call(return_states="some"), 'return_states=\'some\' must be "last" or "all"'),
        (call(None, {"zoneout": 0.1}, mask_seed=-1), "mask_seed=-1 must be a whole number from 0"),
        (call(None, {"zoneout": 0.1}, mask_seed="a"), "mask_seed='a' must be a whole number from 0"),
        (call(None, {"zoneout": 0.1}, mask_seed=2**63), "must be a whole number from 0 to 2"),
        (call(None, {"zoneout": 0.1}, first_step=-1), "first_step=-1 must be a whole number of at least 0"),
        (lambda: LSTM(3, 4, peephole=True, backend="torch")(X), "torch's fused calls compute the plain LSTM"),
    ],
)
def test_options_of_a_call_that_do_not_fit(run: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        run()


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_padding_of_further_layers_is_a_step_for_which_equations_are_defined(backend: str) -> None:
    """A layer's output is 0 beyond a sequence's end, where the next layer's equation may be infinite."""
    from gatewise.equations import log, sigmoid

    class Positive(Cell):
        h = State()

        def step(self, x, h):
            return {"h": sigmoid(linear("h", log(x), h))}

    stack = Recurrent(Positive(), 3, 3, num_layers=2, backend=backend)
    x = X.abs() + 0.1
    output, _ = stack(x, lengths=[5, 2])
    output.sum().backward()
    assert output.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in stack.parameters())
