"""The short way from a layer to the compiled core, against the reference: outputs, states and all gradients."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from gatewise import Recurrent
from gatewise.cells import Cell, Input, State
from gatewise.equations import Expr, matmul, parameter, sigmoid, tanh
from tests.backends.layer_pairs import CELLS, FORMS, SIZES, H, X, compare, flat, normal, pair, recurrent, states
from tests.tolerance import assert_close

DTYPES = [torch.float64, torch.float32]
EVERYTHING: dict[str, Any] = {**CELLS, **FORMS}
MARKS = torch.tensor([[t in (2, 3) and b != 1, t == 0][b == 3] for t in range(6) for b in range(4)]).view(6, 4)
RAGGED = [6, 0, 1, 4]


def slack(name: str, several: bool = False) -> int:
    """Where few units vary little, normalising them magnifies errors of rounding; several layers do so more."""
    return 8 * (1 + several) if name in ("layer-norm", "normalised peephole LSTM") else 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EVERYTHING)
def test_both_directions(name: str, dtype: torch.dtype) -> None:
    compare(EVERYTHING[name], dtype, arguments={"bidirectional": True}, slack=slack(name))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EVERYTHING)
def test_lengths_resets_and_given_states(name: str, dtype: torch.dtype) -> None:
    """Padding is NaN; one sequence has no step, one is reset at its first."""
    x = normal(6, 4, X, seed=1)
    for b, length in enumerate(RAGGED):
        x[length:, b] = float("nan")
    compare(
        EVERYTHING[name],
        dtype,
        given=True,
        arguments={"bidirectional": True, "learned_state": name != "slstm"},
        x=x,
        lengths=RAGGED,
        resets=MARKS,
        slack=slack(name),
    )


@pytest.mark.parametrize("name", EVERYTHING)
def test_learned_states_and_all_states_over_time(name: str) -> None:
    arguments = {"bidirectional": True, "learned_state": True}
    compare(EVERYTHING[name], torch.float64, arguments=arguments, lengths=RAGGED, return_states="all")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*FORMS, "slstm", "mgu", "multiplicative"])
def test_several_layers(name: str, dtype: torch.dtype) -> None:
    arguments = {"num_layers": 3, "bidirectional": True}
    more = {"arguments": arguments, "slack": slack(name, several=True)}
    compare(EVERYTHING[name], dtype, lengths=RAGGED, return_states="all", **more)
    compare(EVERYTHING[name], dtype, given=True, **more)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [1, 2, 5, 300])
@pytest.mark.parametrize("batch", [1, 3, 70])
def test_few_and_many_steps_and_sequences(steps: int, batch: int, dtype: torch.dtype) -> None:
    """One step and one sequence; more of both than are worked on together."""
    for name in ("LSTM", "Cho's GRU", "normalised peephole LSTM") if steps < 100 else ("LSTM",):
        lengths = [(7 * b + steps) % (steps + 1) for b in range(batch)]
        more = {"arguments": {"bidirectional": True}, "slack": slack(name)}
        compare(FORMS[name], dtype, steps, batch, given=True, lengths=lengths, **more)


@pytest.mark.parametrize("name", [*FORMS, "slstm", "gru-d", "ea-lstm"])
def test_all_sequences_empty(name: str) -> None:
    for given in (False, True):
        compare(EVERYTHING[name], torch.float64, given=given, arguments={"bidirectional": True}, lengths=[0] * 4)


@pytest.mark.parametrize("name", FORMS)
def test_no_sequences(name: str) -> None:
    for layer in pair(FORMS[name], torch.float32, bidirectional=True):
        output, last = layer(torch.zeros(5, 0, X))
        assert output.shape[:2] == (5, 0)
        assert all(state.shape[1] == 0 for state in flat(last))


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_input(name: str) -> None:
    """batch_first, units that do not stand side by side, one vector for all steps or sequences, one sequence alone."""
    wide = normal(6, 4, 2 * X, seed=1)
    compare(FORMS[name], torch.float64, x=wide[:, :, ::2])
    compare(
        FORMS[name], torch.float64, x=wide[..., :X].transpose(0, 1), arguments={"batch_first": True}, lengths=RAGGED
    )
    for expanded in (wide[:1, :, :X].expand(6, 4, X), wide[:, :1, :X].expand(6, 4, X), wide[0, 0, :1].expand(6, 4, X)):
        results = []
        for layer in pair(FORMS[name], torch.float64):
            leaf = expanded.detach().requires_grad_()
            output, last = layer(leaf)
            results.append([output, *flat(last), *torch.autograd.grad(output.sin().sum(), [leaf, *layer.parameters()])])
        for want, got in zip(*results, strict=True):
            assert_close(got, want, 6)
    results = []
    for layer in pair(FORMS[name], torch.float64):
        before = states(layer, 4, torch.float64)
        one = before[:, 1] if isinstance(before, torch.Tensor) else tuple(state[:, 1] for state in before)
        output, last = layer(wide[:, 1, :X], one)
        results.append([output, *flat(last)])
    for want, got in zip(*results, strict=True):
        assert_close(got, want, 6)


MASKS: dict[str, dict[str, Any]] = {
    "zoneout": {"zoneout": 0.3},
    "recurrent dropout": {"recurrent_dropout": 0.4},
    "variational dropout": {"variational_dropout": 0.3},
    "weight dropout": {"weight_dropout": 0.5},
    "dropout between layers": {"dropout": 0.5, "num_layers": 2},
    "clipped gradients": {"clip_gradient": 0.05},
    "everything": {
        "zoneout": 0.1,
        "recurrent_dropout": 0.2,
        "variational_dropout": 0.3,
        "weight_dropout": 0.1,
        "dropout": 0.2,
        "num_layers": 2,
        "learned_state": True,
    },
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("name", ["LSTM", "projected LSTM", "GRU", "janet", "mgu"])
def test_masks(name: str, masks: str, training: bool) -> None:
    call = {"mask_seed": 5, "sequence_ids": torch.tensor([3, 0, 7, 8]), "first_step": 2}
    arguments = {**MASKS[masks], "bidirectional": True}
    compare(EVERYTHING[name], torch.float64, arguments=arguments, training=training, lengths=RAGGED, **call)
    compare(EVERYTHING[name], torch.float64, arguments=arguments, training=training, resets=MARKS, **call)


class Sums(Cell):
    """Sums of products without a bias: of one input and several states, in whatever order they are written."""

    h = State()
    c = State()

    def step(self, x: Expr, h: Expr, c: Expr) -> Mapping[str, Expr]:
        first = matmul("W_a", x) + matmul("U_a", h) + matmul("V_a", c)
        second = matmul("W_b", x) + matmul("U_b", h) + matmul("V_b", h)
        third = matmul("U_d", h) + (matmul("V_d", c) + (matmul("W_d", x) + matmul("Z_d", tanh(c))))
        return {"h": tanh(first) * sigmoid(second), "c": tanh(third) + sigmoid(first) * c}


def test_sums_of_more_than_two_products_count_each_once() -> None:
    def make(**more: Any) -> Recurrent:
        return Recurrent(Sums(), X, H, **more)

    compare(make, torch.float64, given=True, arguments={"bidirectional": True, "num_layers": 2}, lengths=RAGGED)
    layer, x = pair(make, torch.float64)[1], normal(6, 4, X, seed=1)
    stream = layer.stream(batch=4)
    assert torch.equal(torch.stack([stream.step(now).clone() for now in x]), layer(x)[0])


class SumOfTwo(Cell):
    """A sum to which two products are added: neither may take it for itself."""

    h = State()

    def step(self, x: Expr, h: Expr) -> Mapping[str, Expr]:
        both = matmul("W", x) + parameter("b")
        return {"h": tanh(both + matmul("U_a", h)) * sigmoid(both + matmul("U_b", h))}


class ProductOfTwo(Cell):
    """A product that is read outside its sum as well."""

    h = State()

    def step(self, x: Expr, h: Expr) -> Mapping[str, Expr]:
        product = matmul("W", x)
        return {"h": sigmoid((product + parameter("b")) + matmul("U", h)) * tanh(product)}


class TwoSources(Cell):
    """Products of two inputs, which do not stand in one vector, and two of the state, which do."""

    q = Input("Q")
    h = State()

    def step(self, x: Expr, q: Expr, h: Expr) -> Mapping[str, Expr]:
        return {"h": tanh(matmul("W", x) + matmul("U_a", h)) * sigmoid(matmul("Q", q) + matmul("U_b", h))}


@pytest.mark.parametrize("cell", [SumOfTwo, ProductOfTwo, TwoSources])
def test_sums_whose_first_product_is_read_elsewhere(cell: type[Cell]) -> None:
    def make(**more: Any) -> Recurrent:
        widths = {"Q": SIZES["Q"]} if cell is TwoSources else None
        return Recurrent(cell(), X, H, widths=widths, **more)

    compare(make, torch.float64, given=True, arguments={"num_layers": 2}, lengths=RAGGED)
    layer, x = pair(make, torch.float64)[1], normal(6, 4, X, seed=1)
    more = {"q": normal(6, 4, SIZES["Q"], seed=2)} if cell is TwoSources else {}
    stream = layer.stream(batch=4)  # packs both matrices of such a sum together
    steps = [stream.step(x[t], **{name: value[t] for name, value in more.items()}).clone() for t in range(6)]
    assert_close(torch.stack(steps), layer(x, **more)[0], 6)


def test_states_that_begin_at_minus_infinity() -> None:
    """sLSTM's stabiliser: in sequences that begin, that have no step, and that are reset."""
    compare(recurrent("slstm"), torch.float64, arguments={"bidirectional": True}, lengths=RAGGED, resets=MARKS)
    for layer in pair(recurrent("slstm"), torch.float64):
        _, (last,) = layer(normal(6, 4, X, seed=1), lengths=RAGGED)
        assert (last["m"][:, 1] == -float("inf")).all()
        assert last["m"][:, [0, 2, 3]].isfinite().all()


@pytest.mark.parametrize("name", [*FORMS, "slstm", "phased", "gru-d"])
def test_nothing_is_read_before_it_is_written(name: str) -> None:
    """New tensors are full of NaN: none of it comes out, in padding neither."""
    before = torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory
    try:
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = True
        assert torch.empty(3).isnan().all()
        for dtype in DTYPES:
            more = {"arguments": {"bidirectional": True}, "slack": slack(name)}
            compare(EVERYTHING[name], dtype, lengths=RAGGED, resets=MARKS, return_states="all", **more)
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.utils.deterministic.fill_uninitialized_memory = before[1]


def test_an_input_that_is_a_negated_view() -> None:
    """Its memory holds the numbers before they are negated."""
    for layer in pair(FORMS["normalised peephole LSTM"], torch.float64):
        x = torch._neg_view(normal(6, 4, X, seed=1))
        assert x.is_neg()
        with torch.no_grad():
            assert torch.equal(layer(x)[0], layer(x.resolve_neg().clone())[0])


def test_gradients_that_are_none_expanded_or_turned() -> None:
    """As autograd hands them in: for only some results, as one number for all, with strides of their own."""
    ways: dict[str, Any] = {
        "output": lambda output, h, c: output.sum(),
        "last state": lambda output, h, c: c.sum(),
        "both states": lambda output, h, c: h.sum() - 2 * c.sum(),
        "turned": lambda output, h, c: (output.permute(2, 0, 1) * normal(2 * H, 6, 4, seed=3)).sum(),
        "part": lambda output, h, c: output[2, 1].sum() + h[1, :, 2].sum(),
        "same": lambda output, h, c: (output * output[:1, :1, :1].detach()).sum(),
    }
    for way, loss in ways.items():
        results = []
        for layer in pair(FORMS["LSTM"], torch.float64, bidirectional=True):
            x = normal(6, 4, X, seed=1).requires_grad_()
            output, (h, c) = layer(x)
            results.append(torch.autograd.grad(loss(output, h, c), [x, *layer.parameters()]))
        for want, got in zip(*results, strict=True):
            assert_close(got, want, 6, way)
