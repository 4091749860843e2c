"""Streams: a sequence step by step or in any pieces gives the bits of the whole; states, copies, changes, errors."""

import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils import prune

from gatewise import GRU, LSTM, RNN, Recurrent, Stream, cells
from gatewise.backends import cpu
from gatewise.backends.stepper import CHANGED, UNREADABLE
from gatewise.cells import PhasedLSTM
from gatewise.errors import ConfigurationError, DataError, GatewiseError
from tests.backends.layer_pairs import CELLS, FORMS, X, flat, further, normal, pair
from tests.tolerance import assert_close

DTYPES = [torch.float32, torch.float64]


def stepped(stream: Stream, x: Tensor, **inputs: Tensor) -> Tensor:
    """All steps of x [T, B, X], one by one."""
    steps = [stream.step(now, **{name: value[t] for name, value in inputs.items()}).clone() for t, now in enumerate(x)]
    return torch.stack(steps)


def pieces(stream: Stream, x: Tensor, sizes: list[int], **inputs: Tensor) -> Tensor:
    """All steps of x [T, B, X], in pieces of these sizes; one step alone by `step`."""
    found, start = [], 0
    for size in sizes:
        part, more = x[start : start + size], {name: value[start : start + size] for name, value in inputs.items()}
        found.append(stepped(stream, part, **more) if size == 1 else stream.feed(part, **more))
        start += size
    assert start == len(x)
    return torch.cat(found)


def same(one: Any, other: Any) -> None:
    """Equal bits of all tensors, NaN aside."""
    for a, b in zip(flat(one), flat(other), strict=True):
        assert torch.equal(a, b)


def layer(**more: Any) -> Any:
    torch.manual_seed(0)
    return LSTM(**{"input_size": 3, "hidden_size": 5, "num_layers": 2, "backend": "cpu", **more})


def check_bits(made: Any, steps: int, batch: int, dtype: torch.dtype) -> None:
    x = normal(steps, batch, made.input_size, seed=1, dtype=dtype)
    inputs = further(made, steps, batch, dtype)
    with torch.no_grad():
        want, last = made(x, **inputs)
    cut = [1, 2, steps - 4, 1]
    for run in (stepped, lambda *a, **b: pieces(*a, cut, **b), lambda stream, x, **b: stream.feed(x, **b)):
        stream = made.stream(batch)
        got = run(stream, x, **inputs)
        assert torch.equal(got, want)
        same(stream.state, last)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CELLS)
def test_pieces_of_every_cell_are_the_bits_of_the_whole(name: str, dtype: torch.dtype) -> None:
    for batch in (1, 3):
        check_bits(pair(CELLS[name], dtype)[1], 7, batch, dtype)
    if name != "gru-d":  # a second layer would read what is missing of the first one's outputs
        check_bits(pair(CELLS[name], dtype, num_layers=2)[1], 5, 2, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMS)
def test_pieces_of_torchs_forms_are_the_bits_of_the_whole(name: str, dtype: torch.dtype) -> None:
    for batch, more in ((1, {"num_layers": 3}), (7, {}), (2, {"num_layers": 2, "learned_state": True})):
        check_bits(pair(FORMS[name], dtype, **more)[1], 6, batch, dtype)


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
@pytest.mark.parametrize(("width", "hidden", "batch"), [(1, 1, 1), (17, 33, 1), (5, 70, 40), (64, 130, 2), (9, 64, 13)])
def test_odd_sizes_and_more_steps_than_a_chunk_has(kind: Any, width: int, hidden: int, batch: int) -> None:
    torch.manual_seed(0)
    check_bits(kind(width, hidden, backend="cpu"), 131, batch, torch.float32)


def test_threads_do_not_change_bits() -> None:
    torch.manual_seed(0)
    made, before = LSTM(300, 400, num_layers=2, backend="cpu"), torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for batch in (1, 9):
                stream = made.stream(batch)
                assert f"{threads} thread" in stream.explain()
                check_bits(made, 6, batch, torch.float32)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("options", [{"zoneout": 0.3}, {"dropout": 0.5}, {"variational_dropout": 0.4, "zoneout": 0.1}])
def test_a_stream_is_in_evaluation_mode(options: dict[str, Any]) -> None:
    made = layer(**options).train()
    stream, x = made.stream(2), torch.randn(6, 2, 3)
    got = stepped(stream, x)
    with torch.no_grad():
        assert torch.equal(got, made.eval()(x)[0])
        assert not torch.equal(got, made.train()(x, mask_seed=1)[0])


def test_a_batch_first_layer_is_fed_as_it_is_called() -> None:
    made = layer(batch_first=True)
    x = torch.randn(3, 70, 3)
    with torch.no_grad():
        want, last = made(x)
    stream = made.stream(3)
    assert torch.equal(stream.feed(x), want)
    same(stream.state, last)
    stream.reset()
    assert torch.equal(torch.stack([stream.step(x[:, t]).clone() for t in range(70)], 1), want)
    out = torch.empty(3, 70, 5)
    stream.reset()
    assert stream.feed(x, out=out) is out
    assert torch.equal(out, want)


def test_a_single_sequence_needs_no_batch() -> None:
    made, x = layer(), torch.randn(6, 3)
    with torch.no_grad():
        want, last = made(x)
    stream = made.stream()
    assert torch.equal(torch.stack([stream.step(now).clone() for now in x]), want)
    same([value[:, 0] for value in stream.state], last)
    stream.reset()
    assert torch.equal(stream.feed(x), want)
    stream.reset()
    assert torch.equal(torch.stack([stream.step(now[None]).clone() for now in x])[:, 0], want)
    stream.reset()
    out = torch.empty(5)
    assert torch.equal(torch.stack([stream.step(now, out=out).clone() for now in x]), want)


def test_the_output_is_one_tensor_that_autograd_does_not_keep() -> None:
    stream, head = layer().stream(2), nn.Linear(5, 1)
    h = stream.step(torch.randn(2, 3))
    first = h.clone()
    assert stream.step(torch.randn(2, 3)) is h
    assert not torch.equal(h, first)
    with torch.no_grad():
        head(h)
    # What a later step writes over must not be saved for a backward.
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        head(h)
    head(h.clone()).sum().backward()


def test_outputs_may_be_written_where_one_wants() -> None:
    made, x = layer(), torch.randn(4, 2, 3)
    want = stepped(made.stream(2), x)
    stream, wide = made.stream(2), torch.zeros(2, 8)
    version = wide._version
    for t, now in enumerate(x):
        assert stream.step(now, out=wide[:, 2:7]).data_ptr() == wide[:, 2:7].data_ptr()
        assert torch.equal(wide[:, 2:7], want[t])
    frozen = nn.Parameter(torch.zeros(2, 5), requires_grad=False)
    other = made.stream(2)
    for t, now in enumerate(x):
        assert other.step(now, out=frozen) is frozen
        assert torch.equal(frozen, want[t])
    assert (wide[:, :2] == 0).all()
    assert (wide[:, 7:] == 0).all()
    assert wide._version > version


@pytest.mark.parametrize("code", [CHANGED, UNREADABLE])
def test_where_a_tensor_cannot_be_read_directly_there_is_a_long_way(code: int, monkeypatch: Any) -> None:
    made, x = layer(), torch.randn(4, 2, 3)
    want, stream = stepped(made.stream(2), x), made.stream(2)
    monkeypatch.setattr(stream, "_step", lambda x, inputs, out: code)
    assert torch.equal(stepped(stream, x), want)
    stream.reset()
    out = torch.empty(2, 5)
    for now, expected in zip(x, want, strict=True):
        assert torch.equal(stream.step(now, out=out), expected)


def test_an_output_may_be_the_next_input() -> None:
    torch.manual_seed(0)
    made = LSTM(6, 6, num_layers=1, backend="cpu")
    start = torch.randn(2, 6)
    stream, own, given = made.stream(2), made.stream(2), made.stream(2)
    x = start.clone()
    h, out = own.step(start), given.step(start, out=torch.empty(2, 6))
    for _ in range(5):
        x = stream.step(x).clone()
        assert torch.equal(h, x)
        assert torch.equal(out, x)
        h = own.step(h)
        out = given.step(out, out=out)


def test_an_input_may_have_any_strides() -> None:
    stream, x = layer().stream(2), torch.randn(2, 3)
    want = stream.fork().step(x).clone()
    wide = torch.zeros(2, 7)
    wide[:, 4:] = x
    apart = torch.zeros(2, 6)
    apart[:, ::2] = x
    for given in (wide[:, 4:], apart[:, ::2], x.t().contiguous().t()):
        assert torch.equal(stream.fork().step(given), want)
    conjugate = torch.complex(torch.zeros(2, 3), -x).conj()
    assert torch.equal(stream.fork().step(conjugate.imag), want)
    narrow, number = LSTM(1, 5, backend="cpu").stream(), torch.randn(1, 1)
    same = torch.complex(torch.zeros(1, 1), -number).conj().imag
    assert torch.equal(narrow.fork().step(same), narrow.fork().step(number))
    close = torch.view_as_complex(torch.randn(2, 3, 2)).conj().imag.as_strided((2, 3), (3, 1))
    assert close.is_neg()
    assert torch.equal(stream.fork().step(close), stream.fork().step(close.resolve_neg()))
    one = torch.randn(3)
    both = stream.fork().step(one.expand(2, 3)).clone()
    assert torch.equal(both, stream.fork().step(torch.stack([one, one])))


class TestFurtherInputs:
    def made(self) -> Recurrent:
        torch.manual_seed(0)
        return Recurrent(PhasedLSTM(), 3, 5, backend="cpu")

    def test_by_name_over_time_or_the_same_for_all_steps(self) -> None:
        made, x = self.made(), torch.randn(6, 2, 3)
        time = torch.rand(6, 2, 1).cumsum(0)
        with torch.no_grad():
            want, _ = made(x, time=time)
            still, _ = made(x, time=time[:1].expand(6, 2, 1))
        assert torch.equal(stepped(made.stream(2), x, time=time), want)
        assert torch.equal(pieces(made.stream(2), x, [2, 1, 3], time=time), want)
        assert torch.equal(made.stream(2).feed(x, time=time[0]), still)

    def test_of_a_single_sequence(self) -> None:
        made, x, time = self.made(), torch.randn(6, 3), torch.rand(6, 1).cumsum(0)
        with torch.no_grad():
            want, _ = made(x, time=time)
        stream = made.stream()
        assert torch.equal(stream.feed(x, time=time), want)
        stream.reset()
        assert torch.equal(torch.stack([stream.step(a, time=b).clone() for a, b in zip(x, time, strict=True)]), want)

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ({}, r'needs the input "time" \[B, w\] = \[2, 1\]: give time='),
            ({"time": torch.ones(2, 2)}, r"expected time to be \[B, w\] = \[2, 1\], got \[2, 2\]"),
            ({"time": 1.0}, "expected time to be a Tensor, got float"),
            ({"time": torch.ones(2, 1), "tmie": torch.ones(2, 1)}, 'has an input "tmie"; there is: time'),
            ({"time": torch.ones(2, 1, dtype=torch.float64)}, "time is torch.float64 on cpu, and the layer's"),
        ],
    )
    def test_errors(self, inputs: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            self.made().stream(2).step(torch.ones(2, 3), **inputs)


class TestStates:
    @pytest.mark.parametrize("name", ["LSTM", "GRU", "blocks with gate recurrence"])
    def test_are_read_and_set_in_the_form_of_the_layer(self, name: str) -> None:
        made = pair(FORMS[name], torch.float32, num_layers=2)[1]
        x = torch.randn(9, 2, X)
        with torch.no_grad():
            first, state = made(x[:4])
            second, last = made(x[4:], state)
        stream = made.stream(2)
        assert torch.equal(stream.feed(x[:4]), first)
        read = stream.state
        same(read, state)
        stream.feed(x[:3])
        same(read, state)  # a copy
        stream.state = read
        assert torch.equal(stepped(stream, x[4:]), second)
        same(stream.state, last)

    def test_of_a_recurrent_layer_are_mappings(self) -> None:
        made = Recurrent(cells.JANET(), 3, 5, num_layers=2, backend="cpu")
        stream = made.stream(2)
        stream.step(torch.randn(2, 3))
        read = stream.state
        assert [{name: list(value.shape) for name, value in part.items()} for part in read] == [
            {name: [1, 2, 5] for name in made.cells[0].trace().states}
        ] * 2
        stream.reset()
        stream.state = read
        same(stream.state, read)

    def test_that_do_not_fit_change_nothing(self) -> None:
        stream = layer().stream(2)
        stream.step(torch.randn(2, 3))
        before = stream.state
        h, c = before
        for wrong in ((h, c[:, :1]), (h,), None, (h.double(), c.double())):
            with pytest.raises(DataError):
                stream.state = wrong
        same(stream.state, before)

    def test_begin_anew_for_all_or_some_sequences(self) -> None:
        made = layer(learned_state=True)
        with torch.no_grad():
            for name, value in made.named_parameters():
                if name.startswith("initial_"):
                    value.normal_()
        x = torch.randn(5, 3, 3)
        stream = made.stream(3)
        whole = stepped(stream, x)
        assert stream.steps.tolist() == [5, 5, 5]
        stream.reset([0, 2])
        assert stream.steps.tolist() == [0, 5, 0]
        with torch.no_grad():
            longer = made(torch.cat([x, x])[:, 1:2])[0][5:]
        again = stepped(stream, x)
        assert torch.equal(again[:, [0, 2]], whole[:, [0, 2]])
        assert torch.equal(again[:, 1:2], longer)
        stream.reset(torch.tensor([False, True, False]))
        assert stream.steps.tolist() == [5, 0, 5]
        stream.reset()
        assert stream.steps.tolist() == [0, 0, 0]
        assert torch.equal(stepped(stream, x), whole)

    @pytest.mark.parametrize(
        "rows", [[3], [-1], [0.5], torch.tensor([True, False]), torch.tensor([[0]]), "ab", [[0], [1, 2]], object()]
    )
    def test_of_sequences_that_are_not_there(self, rows: Any) -> None:
        with pytest.raises(DataError, match="expected rows to be numbers from 0 to 2, or a boolean for each"):
            layer().stream(3).reset(rows)

    def test_a_fork_goes_its_own_way(self) -> None:
        x = torch.randn(8, 2, 3)
        stream = layer().stream(2)
        stepped(stream, x[:3])
        fork = stream.fork()
        assert fork.steps.tolist() == [3, 3]
        saved = stream.state
        ahead = stepped(fork, x[3:])
        same(stream.state, saved)
        assert torch.equal(stepped(stream, x[3:]), ahead)
        assert fork.step(x[0]) is not stream.step(x[0])

    def test_are_saved_and_restored_exactly(self, tmp_path: Path) -> None:
        made, x = layer(), torch.randn(9, 2, 3)
        stream = made.stream(2)
        stepped(stream, x[:3])
        stream.reset([1])
        stepped(stream, x[3:5])
        saved = stream.state_dict()
        assert set(saved) == {"h_l0", "c_l0", "h_l1", "c_l1", "steps"}
        assert saved["steps"].tolist() == [5, 2]
        save_file(saved, tmp_path / "state.safetensors")
        want = stepped(stream, x[5:])
        other = made.stream(2)
        other.load_state_dict(load_file(tmp_path / "state.safetensors"))
        assert torch.equal(stepped(other, x[5:]), want)
        assert other.steps.tolist() == stream.steps.tolist() == [9, 6]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"h_l0": None}, r'expected the state "h_l0" to be \[2, 5\] of torch.float32, got nothing'),
            ({"h_l0": torch.zeros(3, 5)}, r"got \[3, 5\] of torch.float32"),
            ({"h_l0": torch.zeros(2, 5, dtype=torch.float64)}, "of torch.float64"),
            ({"g_l0": torch.zeros(2, 5)}, 'has no state "g_l0"; did you mean'),
            ({"steps": torch.zeros(2)}, 'expected the state "steps" to be'),
            ({"steps": 3}, 'expected the state "steps" to be .*, got int'),
        ],
    )
    def test_a_state_dict_that_does_not_fit_changes_nothing(self, change: dict[str, Any], message: str) -> None:
        stream = layer().stream(2)
        stream.step(torch.randn(2, 3))
        before = stream.state
        saved = {name: value + 1 for name, value in stream.state_dict().items()} | change
        with pytest.raises(DataError, match=message):
            stream.load_state_dict({name: value for name, value in saved.items() if value is not None})
        same(stream.state, before)


def test_what_is_no_state_dict_and_copies_are_refused() -> None:
    stream = layer().stream(2)
    with pytest.raises(DataError, match=r"a mapping of tensors; got NoneType"):
        stream.load_state_dict(cast(Any, None))
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(ConfigurationError, match=r"cannot be copied or pickled: fork\(\) goes on beside it"):
            attempt(stream)


def optimiser_step(made: Any) -> None:
    made(torch.randn(2, 1, 3))[0].sum().backward()
    torch.optim.SGD(made.parameters(), 0.1).step()


def replace(made: Any) -> None:
    made.weight_hh_l1 = nn.Parameter(made.weight_hh_l1.detach() * 2)


def write(made: Any) -> None:
    with torch.no_grad():
        made.bias_ih_l0.add_(1)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "a step of an optimiser": optimiser_step,
    "a loaded state": lambda made: made.load_state_dict({k: v + 1 for k, v in made.state_dict().items()}),
    "another parameter": replace,
    "an element": write,
    "another memory": lambda made: setattr(made.weight_ih_l0, "data", made.weight_ih_l0.data * 2),
    "a parametrisation": lambda made: nn.utils.parametrizations.weight_norm(made, "weight_hh_l0"),
    "initialisation": lambda made: made.reset_parameters(),
}


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_weights_is_noticed(change: str, backend: str) -> None:
    made, x = layer(backend=backend), torch.randn(6, 1, 3)
    stream = made.stream()
    fork = stream.fork()
    stepped(stream, x[:2])
    state = stream.state
    CHANGES[change](made)
    message = r"of LSTM\(3, 5.* has changed since the stream took it over: call refresh\(\)"
    for call in (lambda: stream.step(x[2]), lambda: stream.feed(x[2:]), stream.fork, lambda: fork.step(x[2])):
        with pytest.raises(ConfigurationError, match=message):
            call()
    same(stream.state, state)
    assert stream.refresh() is stream
    assert stream.steps.tolist() == [2]
    with torch.no_grad():
        want, _ = made(x[2:], state)
    if backend == "cpu":
        assert torch.equal(stepped(stream, x[2:]), want)
    else:
        assert_close(stepped(stream, x[2:]), want, 6)
    with pytest.raises(ConfigurationError, match="has changed"):
        fork.step(x[2])


def test_training_mode_and_gradients_are_no_changes() -> None:
    made = layer()
    stream = made.stream()
    made(torch.randn(2, 1, 3))[0].sum().backward()
    made.train(), made.eval(), made.zero_grad()
    stream.step(torch.randn(1, 3))


def test_parametrised_weights_are_those_of_the_layer() -> None:
    made = layer(num_layers=1)
    nn.utils.parametrizations.weight_norm(made, "weight_hh_l0")
    x = torch.randn(5, 1, 3)
    with torch.no_grad():
        want, _ = made(x)
    assert torch.equal(stepped(made.stream(), x), want)


def test_no_autograd() -> None:
    stream, x = layer().stream(2), torch.randn(2, 3, requires_grad=True)
    assert not stream.step(x).requires_grad
    assert not stream.feed(x[None]).requires_grad
    assert not any(value.requires_grad for value in flat(stream.state))


def test_streams_made_and_used_in_inference_mode() -> None:
    x = torch.randn(6, 1, 3)
    with torch.inference_mode():
        made = layer()
        stream = made.stream()
        want = stepped(stream, x)
    stream.reset()
    assert torch.equal(stepped(stream, x), want)
    stream.reset()
    assert torch.equal(stream.feed(x), want)


class TestThreads:
    def test_one_stream_is_for_one_thread_at_a_time(self) -> None:
        torch.manual_seed(0)
        stream = LSTM(64, 512, backend="cpu").stream(4)
        x, message = torch.randn(3000, 4, 64), "another thread is using this stream"
        lost: list[str] = []

        def run() -> None:
            while True:
                try:
                    stream.feed(x)
                except ConfigurationError as error:
                    lost.append(str(error))
                else:
                    return

        def meanwhile() -> None:
            while thread.is_alive():
                stream.step(x[0])

        thread = threading.Thread(target=run)
        thread.start()
        try:
            with pytest.raises(ConfigurationError, match=message):
                meanwhile()
        finally:
            thread.join()
        assert all(message in error for error in lost)
        stream.step(x[0])

    @pytest.mark.parametrize("backend", ["cpu", "reference"])
    def test_nothing_is_read_or_written_meanwhile(self, backend: str) -> None:
        stream, x = layer(backend=backend).stream(2), torch.randn(2, 3)
        state = stream.state
        calls: list[Callable[[], Any]] = [
            lambda: stream.step(x),
            lambda: stream.feed(x[None]),
            lambda: stream.state,
            lambda: setattr(stream, "state", state),
            stream.reset,
            stream.fork,
            stream.refresh,
            stream.state_dict,
        ]
        with stream._engine:
            for call in calls:
                with pytest.raises(ConfigurationError, match="another thread is using this stream"):
                    call()
        for call in calls:
            call()

    def test_several_streams_at_the_same_time(self) -> None:
        torch.manual_seed(0)
        made, x = LSTM(16, 200, backend="cpu"), torch.randn(60, 1, 16)
        want = stepped(made.stream(), x)
        found: dict[int, Tensor] = {}
        start = made.stream()

        def run(number: int, stream: Stream) -> None:
            found[number] = stepped(stream, x)

        threads = [threading.Thread(target=run, args=(k, start.fork())) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 6
        assert all(torch.equal(value, want) for value in found.values())


class TestErrors:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: layer(bidirectional=True).stream(), "a bidirectional layer cannot be a stream"),
            (lambda: layer().stream(0), "batch=0 must be a whole number of at least 1"),
            (lambda: layer().stream(2.0), "batch=2.0 must be a whole number"),
            (lambda: layer().stream(weights="fp8"), "weights='fp8' is not known; .*There is: bf16, fp32, int8"),
            (lambda: layer().stream(backend="torch"), 'backend="torch" runs no streams'),
            (lambda: layer(backend="torch").stream(), 'backend="torch" runs no streams'),
            (lambda: layer().stream(backend="gpu"), "backend='gpu' is not known"),
            (lambda: layer(dtype=torch.float64).stream(weights="int8"), "computed with in float32 only"),
            (lambda: layer(dtype=torch.bfloat16).stream(), "computes in float32 and float64, not in bfloat16"),
        ],
    )
    def test_of_making(self, make: Callable[[], Any], message: str) -> None:
        with pytest.raises(ConfigurationError, match=message):
            make()

    def test_hooks_are_not_run(self) -> None:
        made = layer()
        prune.random_unstructured(made, "weight_hh_l0", 0.5)
        with pytest.raises(ConfigurationError, match="has forward hooks, which a stream would not run"):
            made.stream()
        prune.remove(made, "weight_hh_l0")
        made.stream()

    @pytest.mark.parametrize("backend", ["cpu", "reference"])
    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda s: s.step(torch.ones(3)), r"expected x to be \[B, w\] = \[2, 3\], got \[3\]"),
            (lambda s: s.step(torch.ones(2, 4)), r"expected x to be \[B, w\] = \[2, 3\], got \[2, 4\]"),
            (lambda s: s.step(torch.ones(1, 2, 3)), r"expected x to be \[B, w\] = \[2, 3\], got \[1, 2, 3\]"),
            (lambda s: s.step([1.0]), "expected x to be a Tensor, got list"),
            (lambda s: s.step(None), "expected x to be a Tensor, got NoneType"),
            (lambda s: s.step(torch.ones(2, 3).double()), "x is torch.float64 on cpu, and the layer's parameters are"),
            (lambda s: s.step(torch.ones(2, 3, device="meta")), "x is torch.float32 on meta"),
            (lambda s: s.step(torch.ones(2, 3).to_sparse()), "expected x to be a dense tensor, got one of layout"),
            (lambda s: s.step(torch.ones(2, 3), z=torch.ones(1)), 'no cell of .* has an input "z"; there is: only x'),
            (lambda s: s.feed(torch.ones(2, 3)), r"expected x to be \[T, B, w\] = \[T, 2, 3\], got \[2, 3\]"),
            (lambda s: s.feed(torch.ones(4, 3, 3)), r"expected x to be \[T, B, w\] = \[T, 2, 3\], got \[4, 3, 3\]"),
            (lambda s: s.step(torch.ones(2, 3), out=torch.ones(2, 4)), r"expected out to be \[2, 5\] of torch.float32"),
            (lambda s: s.step(torch.ones(2, 3), out=torch.ones(5, 2).t()), "its units side by side and"),
            (lambda s: s.step(torch.ones(2, 3), out=torch.ones(2, 5).double()), r"got \[2, 5\] of torch.float64"),
            (
                lambda s: s.step(torch.ones(2, 3), out=torch.ones(1, 5).expand(2, 5)),
                "each element in a place of its own",
            ),
            (
                lambda s: s.feed(torch.ones(4, 2, 3), out=torch.ones(1, 2, 5).expand(4, 2, 5)),
                "each element in a place of its own",
            ),
            (lambda s: s.step(torch.ones(2, 3), out=nn.Parameter(torch.ones(2, 5))), "without a gradient"),
            (lambda s: s.feed(torch.ones(4, 2, 3), out=torch.ones(2, 5)), r"expected out to be \[4, 2, 5\]"),
        ],
    )
    def test_of_calls_change_nothing(self, call: Callable[[Stream], Any], message: str, backend: str) -> None:
        stream = layer(backend=backend).stream(2)
        stream.step(torch.ones(2, 3))
        before = stream.state
        with pytest.raises(DataError, match=message):
            call(stream)
        same(stream.state, before)
        assert stream.steps.tolist() == [1, 1]

    def test_no_step_at_all_is_none(self) -> None:
        stream = layer().stream(2)
        assert stream.feed(torch.empty(0, 2, 3)).shape == (0, 2, 5)
        assert stream.steps.tolist() == [0, 0]


class TestReference:
    def test_where_the_core_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made, x = layer(backend="auto"), torch.randn(9, 2, 3)
        want = stepped(made.stream(2), x)
        from gatewise.backends import choose

        monkeypatch.setattr(cpu, "core", None)
        choose.cache_clear()
        try:
            stream = made.stream(2)
            assert "cpu: cannot: the compiled core is not there" in stream.explain()
        finally:
            choose.cache_clear()
        assert stream.backend == "reference"
        assert repr(stream).endswith("batch=2, backend='reference')")
        assert_close(pieces(stream, x, [1, 3, 1, 4]), want, 9)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
    def test_of_any_dtype(self, dtype: torch.dtype) -> None:
        made = layer(backend="reference", dtype=dtype)
        x = torch.randn(6, 2, 3).to(dtype)
        with torch.no_grad():
            want, last = made(x)
        stream = made.stream(2)
        assert_close(pieces(stream, x, [1, 3, 1, 1]), want, 6)
        for got, state in zip(stream.state, last, strict=True):
            assert_close(got, state, 6)
        fork = stream.fork()
        same(fork.state_dict(), stream.state_dict())
        stream.reset()
        assert stream.steps.tolist() == [0, 0]
        assert fork.steps.tolist() == [6, 6]

    def test_of_further_inputs(self) -> None:
        made = Recurrent(PhasedLSTM(), 3, 5, backend="reference", dtype=torch.float64)
        x, time = normal(6, 2, 3, seed=0), normal(6, 2, 1, seed=1).abs().cumsum(0)
        with torch.no_grad():
            want, _ = made(x, time=time)
        assert_close(pieces(made.stream(2), x, [2, 1, 3], time=time), want, 6)

    def test_autocast_has_no_say(self) -> None:
        for backend in ("cpu", "reference"):
            made, x = layer(backend=backend), torch.randn(4, 2, 3)
            want = stepped(made.stream(2), x)
            with torch.autocast("cpu", torch.bfloat16):
                assert torch.equal(stepped(made.stream(2), x), want)


def test_a_stream_and_its_layer_go_when_nobody_needs_them() -> None:
    made = layer()
    made.own_stream = made.stream()
    made.own_stream.step(torch.randn(1, 3))
    seen = weakref.ref(made), weakref.ref(made.own_stream)
    del made
    gc.collect()
    assert [ref() for ref in seen] == [None, None]


def test_how_it_prints() -> None:
    stream = layer().stream(4, weights="int8")
    assert repr(stream) == "Stream(LSTM(3, 5, num_layers=2, backend='cpu'), batch=4, weights='int8')"
    assert (stream.batch, stream.backend, stream.weights) == (4, "cpu", "int8")
    assert "backend: cpu (asked for by name)" in stream.explain()
    with pytest.raises(GatewiseError):
        stream.step(torch.ones(1, 1))
