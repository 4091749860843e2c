"""What every layer promises, for every published cell: padding, resets, directions, chunks, masks, states."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from gatewise import GRU, LSTM, RNN, Recurrent, cells
from gatewise.cells import JANET, Cell, Input, State
from gatewise.equations import linear, log, matmul, tanh
from gatewise.errors import ConfigurationError, DataError
from tests.tolerance import assert_close

FEATURES, HIDDEN = 3, 4
SIZES: dict[str | None, int] = {"X": FEATURES, "H": HIDDEN, "P": 2, "S": 2, None: 1}
NAMES = cells.list()


def cell(name: str) -> Cell:
    return cells.get(name)(**({"cells_per_block": 2} if name == "lstm-1997" else {}))


def layer(name: str, seed: int = 0, **more: Any) -> Recurrent:
    torch.manual_seed(seed)
    chosen = cell(name)
    widths = {width: SIZES[width] for width in chosen.trace().widths() - {"X", "H", "K"}}
    return Recurrent(chosen, FEATURES, HIDDEN, widths=widths, dtype=torch.float64, **more)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch(recurrent: Recurrent, steps: int, size: int) -> tuple[Tensor, dict[str, Tensor]]:
    """x `[T, B, X]`, and what else the cells read."""
    given: dict[str, Tensor] = {}
    for step in (one.trace() for one in recurrent.cells):
        for name, leaf in step.inputs.items():
            if name != "x":
                drawn = normal(steps, size, SIZES[leaf.width], seed=len(name))
                given[name] = (drawn > 0).double() if name == "m" else drawn.abs().cumsum(0)
    return normal(steps, size, FEATURES), given


def cut(values: Mapping[str, Tensor], *index: Any) -> dict[str, Tensor]:
    return {name: value[index] for name, value in values.items()}


@pytest.mark.parametrize("name", NAMES)
def test_sequences_of_a_batch_know_nothing_of_one_another_or_of_padding(name: str) -> None:
    """Lengths 5, 0 and 2 against each sequence alone: outputs, states, and the gradients of everything."""
    # GRU-D's further inputs have the width of x, which only the first layer's input has.
    recurrent = layer(name, num_layers=1 if name == "gru-d" else 2, bidirectional=True, learned_state=True)
    x, further = batch(recurrent, 5, 3)
    lengths = [5, 0, 2]
    for b, length in enumerate(lengths):
        x[length:, b] = float("nan")
        for value in further.values():
            value[length:, b] = float("nan")
    x.requires_grad_()
    output, states = recurrent(x, lengths=lengths, **further)
    weight = normal(*output.shape, seed=9)
    total = (output * weight).sum() + sum(value.cos().sum() for part in states for value in part.values())
    names, parameters = zip(*recurrent.named_parameters(), strict=True)
    got = torch.autograd.grad(total, [x, *parameters], allow_unused=True, materialize_grads=True)
    alone_total = torch.zeros((), dtype=torch.float64)
    for b, length in enumerate(lengths):
        assert (output[length:, b] == 0).all()
        if length == 0:
            for number, part in enumerate(states):
                for key, value in part.items():
                    begin = [recurrent.get_parameter(f"initial_{key}_l{number}{way}") for way in ("", "_reverse")]
                    assert torch.equal(value[:, b], torch.stack(begin))
                    alone_total = alone_total + torch.stack(begin).cos().sum()
            continue
        here = slice(0, length), slice(b, b + 1)
        one, last = recurrent(x[here], **cut(further, *here))
        assert_close(output[here], one, 5)
        for part, single in zip(states, last, strict=True):
            for key in part:
                assert_close(part[key][:, b : b + 1], single[key], 5)
        alone_total = alone_total + (one * weight[here]).sum()
        alone_total = alone_total + sum(value.cos().sum() for part in last for value in part.values())
    want = torch.autograd.grad(alone_total, [x, *parameters], allow_unused=True, materialize_grads=True)
    for what, a, b in zip(("x", *names), got, want, strict=True):
        assert_close(a.nan_to_num(0), b.nan_to_num(0), 5, what)
    assert (got[0][2:, 2] == 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("learned", [False, True])
def test_a_reset_begins_a_sequence(name: str, learned: bool) -> None:
    """A stream with resets against its pieces: outputs in both directions, final states, gradients of parameters."""
    recurrent = layer(name, bidirectional=True, learned_state=learned)
    if learned:
        with torch.no_grad():
            for key, value in recurrent.named_parameters():
                if key.startswith("initial_"):
                    value.copy_(normal(*value.shape, seed=4).abs())
    x, further = batch(recurrent, 7, 2)
    resets = torch.zeros(7, 2, dtype=torch.bool)
    resets[3, 0] = resets[5, 0] = resets[1, 1] = True
    output, states = recurrent(x, resets=resets, **further)
    weight = normal(*output.shape, seed=9)
    parameters = list(recurrent.parameters())
    got = torch.autograd.grad((output * weight).sum(), parameters, allow_unused=True, materialize_grads=True)
    total = torch.zeros((), dtype=torch.float64)
    for b, borders in enumerate(([0, 3, 5, 7], [0, 1, 7])):
        for start, stop in pairwise(borders):
            here = slice(start, stop), slice(b, b + 1)
            piece, last = recurrent(x[here], **cut(further, *here))
            assert_close(output[here], piece, 7)
            total = total + (piece * weight[here]).sum()
            for key, value in last[0].items():
                if stop == 7:
                    assert_close(states[0][key][0, b], value[0, 0], 7)
                if start == 0:
                    assert_close(states[0][key][1, b], value[1, 0], 7)
    want = torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)
    for a, b in zip(got, want, strict=True):
        assert_close(a, b, 7)


@pytest.mark.parametrize("name", NAMES)
def test_a_sequence_in_chunks_is_the_whole(name: str) -> None:
    recurrent = layer(name)
    x, further = batch(recurrent, 6, 2)
    whole, final = recurrent(x, **further)
    first, states = recurrent(x[:1], **cut(further, slice(0, 1)))
    second, states = recurrent(x[1:4], states, **cut(further, slice(1, 4)))
    third, states = recurrent(x[4:], states, **cut(further, slice(4, 6)))
    assert_close(torch.cat([first, second, third]), whole, 6)
    for key, value in final[0].items():
        assert_close(states[0][key], value, 6)


@pytest.mark.parametrize("name", NAMES)
def test_all_states_over_time_end_with_the_last(name: str) -> None:
    recurrent = layer(name, bidirectional=True)
    x, further = batch(recurrent, 4, 2)
    output, final = recurrent(x, **further)
    same, everything = recurrent(x, return_states="all", **further)
    assert torch.equal(output, same)
    for key, value in everything[0].items():
        assert value.shape[:3] == (4, 2, 2)
        assert torch.equal(value[-1, 0], final[0][key][0])
        assert torch.equal(value[0, 1], final[0][key][1])
    emitted = cell(name).trace().output
    assert torch.equal(torch.cat([everything[0][emitted][:, 0], everything[0][emitted][:, 1]], -1), output)


def test_layers_of_different_cells_and_widths() -> None:
    torch.manual_seed(0)
    recurrent = Recurrent([cells.LSTM(), JANET(), cells.GRU()], 3, [4, 6, 2], bidirectional=True, dtype=torch.float64)
    output, states = recurrent(normal(5, 2, 3), lengths=[5, 3])
    assert output.shape == (5, 2, 4)
    assert [{key: list(value.shape) for key, value in part.items()} for part in states] == [
        {"h": [2, 2, 4], "c": [2, 2, 4]},
        {"h": [2, 2, 6]},
        {"h": [2, 2, 2]},
    ]
    x = normal(5, 2, 3)
    for number, (one, width, hidden) in enumerate(zip(recurrent.cells, (3, 8, 12), (4, 6, 2), strict=True)):
        single = Recurrent(one, width, hidden, bidirectional=True, dtype=torch.float64)
        old = recurrent.state_dict()
        single.load_state_dict({key: old[key.replace("_l0", f"_l{number}")] for key in single.state_dict()})
        x, last = single(x, lengths=[5, 3])
        for key, value in last[0].items():
            assert_close(states[number][key], value, 5)
    assert_close(output, x, 5)


class Logarithm(Cell):
    """A cell that is not defined at 0."""

    h = State()

    def step(self, x, h):
        return {"h": 0.5 * h + matmul("W", log(x))}


def test_padding_does_not_leak_where_equations_are_undefined_at_zero() -> None:
    # log(0) is infinite: had padding been filled with 0, its gradient 0 * inf would be NaN in the weights.
    recurrent = Recurrent(Logarithm(), 3, 4, dtype=torch.float64)
    x = normal(5, 3, 3).abs() + 0.5
    x[2:, 1] = float("nan")
    x[:, 2] = float("nan")
    x.requires_grad_()
    output, _ = recurrent(x, lengths=[5, 2, 0])
    output.sum().backward()
    assert x.grad is not None
    assert (x.grad[2:, 1] == 0).all()
    assert (x.grad[:, 2] == 0).all()
    weight = recurrent.get_parameter("W_l0")
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


class Static(Cell):
    """A second input that does not change over time."""

    s = Input("S", differentiable=False)
    h = State()

    def step(self, x, s, h):
        return {"h": tanh(linear("h", x, h, s))}


def test_an_input_that_does_not_change_over_time() -> None:
    recurrent = Recurrent(Static(), 3, 4, num_layers=2, widths={"S": 2}, dtype=torch.float64)
    x, s = normal(5, 2, 3), normal(2, 2)
    want, _ = recurrent(x, s=s.expand(5, 2, 2))
    assert torch.equal(recurrent(x, s=s)[0], want)
    first = Recurrent(Static(), 3, 4, num_layers=2, widths={"S": 2}, dtype=torch.float64, batch_first=True)
    first.load_state_dict(recurrent.state_dict())
    assert_close(first(x.transpose(0, 1), s=s)[0].transpose(0, 1), want, 5)
    assert_close(recurrent(x[:, 0], s=s[:1].expand(5, 2))[0], want[:, 0], 5)


@pytest.mark.parametrize("name", ["lstm", "gru-cho", "slstm"])
def test_packed_and_unbatched_and_batch_first_are_other_forms_of_the_same(name: str) -> None:
    recurrent = layer(name, bidirectional=True)
    x, _ = batch(recurrent, 5, 3)
    lengths = [2, 5, 4]
    want, states = recurrent(x, lengths=lengths)
    packed, last = recurrent(pack_padded_sequence(x, lengths, enforce_sorted=False))
    assert isinstance(packed, PackedSequence)
    data = pack_padded_sequence(want, lengths, enforce_sorted=False).data
    assert_close(packed.data, data, 5)
    for key, value in states[0].items():
        assert_close(last[0][key], value, 5)
    first = layer(name, bidirectional=True, batch_first=True)
    assert_close(first(x.transpose(0, 1), lengths=lengths)[0].transpose(0, 1), want, 5)
    one, single = recurrent(x[:2, 0])
    assert_close(one, want[:2, 0], 5)
    begin = [{key: value[:, 0] for key, value in part.items()} for part in states]
    again, _ = recurrent(x[:2, 0], begin)
    assert again.shape == one.shape
    assert {key: list(value.shape) for key, value in single[0].items()}["h"] == [2, 4]


MASKED: list[dict[str, Any]] = [
    {"zoneout": 0.3},
    {"recurrent_dropout": 0.4},
    {"variational_dropout": 0.3},
    {"weight_dropout": 0.5},
    {"dropout": 0.5, "num_layers": 2},
    {
        "zoneout": 0.1,
        "recurrent_dropout": 0.2,
        "variational_dropout": 0.3,
        "weight_dropout": 0.1,
        "bidirectional": True,
    },
]


@pytest.mark.parametrize("arguments", MASKED)
def test_a_seed_gives_the_same_masks_however_batch_and_time_are_cut(arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    recurrent = LSTM(3, 4, dtype=torch.float64, **arguments)
    x = normal(6, 5, 3)
    whole, final = recurrent(x, mask_seed=7)
    assert torch.equal(recurrent(x, mask_seed=7)[0], whole)
    assert not torch.equal(recurrent(x, mask_seed=8)[0], whole)
    assert not torch.equal(recurrent.eval()(x)[0], whole)
    recurrent.train()
    for part in (slice(0, 2), slice(2, 5)):
        split, _ = recurrent(x[:, part], mask_seed=7, sequence_ids=torch.arange(5)[part])
        assert_close(split, whole[:, part], 6)
    turned, _ = recurrent(x.flip(1), mask_seed=7, sequence_ids=torch.arange(5).flip(0))
    assert_close(turned.flip(1), whole, 6)
    if not recurrent.bidirectional:
        first, state = recurrent(x[:2], mask_seed=7)
        second, last = recurrent(x[2:], state, mask_seed=7, first_step=2)
        assert_close(torch.cat([first, second]), whole, 6)
        assert_close(last[0], final[0], 6)


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_dropout_between_layers_is_the_same_on_both_backends(kind: Any) -> None:
    torch.manual_seed(0)
    ours = kind(3, 4, 3, dropout=0.5, bidirectional=True, dtype=torch.float64, backend="reference")
    theirs = kind(3, 4, 3, dropout=0.5, bidirectional=True, dtype=torch.float64, backend="torch")
    theirs.load_state_dict(ours.state_dict())
    x = normal(6, 3, 3)
    for lengths in (None, [6, 0, 2]):
        a, b = (one(x, lengths=lengths, mask_seed=3)[0] for one in (ours, theirs))
        assert_close(a, b, 6)
    packed = pack_padded_sequence(x, [6, 5, 2])
    a, b = (one(packed, mask_seed=3)[0].data for one in (ours, theirs))
    assert_close(a, b, 6)


def test_masks_follow_torchs_generator_when_no_seed_is_given() -> None:
    recurrent = LSTM(3, 4, recurrent_dropout=0.5)
    x = torch.randn(5, 2, 3)
    torch.manual_seed(3)
    first = recurrent(x)[0]
    second = recurrent(x)[0]
    torch.manual_seed(3)
    assert torch.equal(recurrent(x)[0], first)
    assert not torch.equal(first, second)


def test_zoneout_keeps_the_named_share_and_mixes_in_evaluation() -> None:
    torch.manual_seed(0)
    recurrent = LSTM(1, 64, zoneout={"c": 0.25}, dtype=torch.float64)
    x = torch.ones(1, 2000, 1, dtype=torch.float64)
    h, c = torch.zeros(1, 2000, 64, dtype=torch.float64), torch.full((1, 2000, 64), 3.0, dtype=torch.float64)
    _, (_, new) = recurrent(x, (h, c))
    assert abs((new == 3).double().mean().item() - 0.25) < 0.005
    plain = LSTM(1, 64, dtype=torch.float64)
    plain.load_state_dict(recurrent.state_dict())
    _, (_, full) = plain(x, (h, c))
    kept = new == 3
    assert_close(new[~kept], full[~kept], 1)
    _, (_, mixed) = recurrent.eval()(x, (h, c))
    assert_close(mixed, 0.25 * c + 0.75 * full, 1)


def test_variational_masks_stay_and_recurrent_ones_move() -> None:
    """Seen through a cell whose output is what it reads."""

    class Mirror(Cell):
        h = State("X")

        def step(self, x, h):
            return {"h": x + 0 * matmul("U", h, "X")}

    recurrent = Recurrent(Mirror(), 200, 1, variational_dropout=0.3, dtype=torch.float64)
    output, _ = recurrent(torch.ones(4, 3, 200, dtype=torch.float64), mask_seed=1)
    kept = output != 0
    assert (kept == kept[:1]).all()
    assert not torch.equal(kept[:, 0], kept[:, 1])
    assert abs(kept[0].double().mean().item() - 0.7) < 0.06
    assert_close(output[kept], torch.full_like(output[kept], 1 / 0.7), 1)


def test_every_mask_of_a_stack_is_another() -> None:
    torch.manual_seed(0)
    recurrent = LSTM(8, 8, 2, bidirectional=True, zoneout=0.5, dtype=torch.float64)
    with torch.no_grad():
        for weight in recurrent.parameters():
            weight.zero_()
        for key, value in recurrent.named_parameters():
            if key.startswith("bias_ih"):
                value.fill_(1.0)
    _, (h, c) = recurrent(torch.zeros(1, 50, 8, dtype=torch.float64), mask_seed=0)
    masks = [state[number] != 0 for state in (h, c) for number in range(4)]
    for k, first in enumerate(masks):
        for second in masks[:k]:
            assert not torch.equal(first, second)


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_learned_states_are_trained_and_are_where_a_sequence_starts(backend: str) -> None:
    torch.manual_seed(0)
    recurrent = GRU(3, 4, 2, learned_state=True, dtype=torch.float64, backend=backend)
    start = recurrent.get_parameter("initial_h_l1")
    assert (start == 0).all()
    with torch.no_grad():
        start.fill_(0.7)
    x = normal(3, 2, 3)
    output, _ = recurrent(x)
    hx = torch.zeros(2, 2, 4, dtype=torch.float64)
    hx[1] = 0.7
    assert_close(recurrent(x, hx)[0], output, 3)
    output.sum().backward()
    assert start.grad is not None
    assert (start.grad != 0).all()
    _, final = recurrent(x, lengths=[0, 3])
    assert (final[1, 0] == 0.7).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", ["weight_dropout", "variational_dropout"])
def test_dropping_everything_leaves_nothing_of_the_output_before(name: str, option: str) -> None:
    """At a rate of 1 no recurrent matrix has a gradient, however the cell reads its output."""
    arguments = {"cells_per_block": 2, "truncated": True} if name == "lstm-1997" else {}
    chosen = cells.get(name)(**arguments)
    widths = {width: SIZES[width] for width in chosen.trace().widths() - {"X", "H", "K"}}
    torch.manual_seed(0)
    recurrent = Recurrent(chosen, FEATURES, HIDDEN, widths=widths, dtype=torch.float64, **{option: 1.0})
    x, further = batch(recurrent, 4, 2)
    recurrent(x, **further)[0].sum().backward()
    matrices = [value for key, value in recurrent.named_parameters() if key.startswith("U_")]
    assert matrices
    for value in matrices:
        assert value.grad is None or (value.grad == 0).all()


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weight_hh_l0", torch.zeros(16, 3), r"parameter weight_hh_l0 must be \[16, 4\], got \[16, 3\]"),
        ("p_i_l0", torch.zeros(1), r"parameter p_i_l0 must be \[4\], got \[1\]"),
        ("p_i_l0", torch.zeros(4).double(), r"parameters are torch.float64 \(p_i_l0\)"),
        ("bias_hh_l0", torch.zeros(16).bfloat16(), r"parameters are torch.bfloat16 \(bias_hh_l0\)"),
    ],
)
def test_parameters_replaced_by_others_that_do_not_fit(name: str, value: Tensor, message: str, backend: str) -> None:
    recurrent = LSTM(3, 4, peephole=True, backend=backend)
    with pytest.raises(DataError, match=message):
        torch.func.functional_call(recurrent, {name: value}, (torch.zeros(2, 1, 3),))
    setattr(recurrent, name, torch.nn.Parameter(value))
    with pytest.raises(DataError, match=message):
        recurrent(torch.zeros(2, 1, 3))


def test_names_that_a_call_has_already() -> None:
    class Clash(Cell):
        lengths = Input("X")
        h = State()

        def step(self, x, lengths, h):
            return {"h": tanh(linear("h", x, h, lengths))}

    with pytest.raises(ConfigurationError, match='Clash has an input "lengths", which is an argument of a call'):
        Recurrent(Clash(), 3, 4)


def test_explain_knows_what_a_call_asks_for() -> None:
    x, marks = torch.randn(4, 2, 3), torch.zeros(4, 2, dtype=torch.bool)
    told = Recurrent(JANET(), 3, 5).explain(x, resets=marks, return_states="all")
    assert told.splitlines()[0] == 'JANET of T=4, B=2, H=5, X=3, with resets, with return_states="all", float32 on cpu'


def test_a_layer_without_parameters_runs_and_is_no_stream() -> None:
    class Bare(Cell):
        h = State("X")

        def step(self, x, h):
            return {"h": tanh(x + h)}

    layer = Recurrent(Bare(), 3, 3)
    assert layer(torch.ones(2, 1, 3))[0].shape == (2, 1, 3)
    with pytest.raises(ConfigurationError, match="has no parameters"):
        layer.stream()
