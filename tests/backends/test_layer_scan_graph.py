"""The short way in the company of the rest of torch: autograd's rules, transforms, graphs, copies."""

import copy
import io
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jacrev, jvp, vmap
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.checkpoint import checkpoint

from gatewise import GRU, LSTM, Recurrent, cells
from gatewise.backends.layer_scan import _vectors
from gatewise.errors import ConfigurationError, DataError
from tests.backends.layer_pairs import (
    CELLS,
    FORMS,
    SHORT,
    H,
    X,
    flat,
    further,
    nodes,
    normal,
    pair,
    recurrent,
    weighted,
)
from tests.tolerance import assert_close

RAGGED = [6, 0, 1, 4]


def layer(**more: Any) -> LSTM:
    torch.manual_seed(0)
    return LSTM(X, H, bidirectional=True, peephole=True, dtype=torch.float64, backend="cpu", **more)


def x() -> Tensor:
    return normal(6, 4, X, seed=1)


# ------------------------------------------------------------------------------------------------------------- autograd


@pytest.mark.parametrize("chosen", ["x", "weights", "one weight", "states", "backward weights"])
def test_only_some_tensors_need_a_gradient(chosen: str) -> None:
    results = []
    for one in pair(FORMS["LSTM"], torch.float64, bidirectional=True, num_layers=2):
        h, c, data = normal(4, 4, H, seed=2), normal(4, 4, H, seed=3), x()
        weights = dict(one.named_parameters())
        wanted = {
            "x": [data],
            "weights": list(weights.values()),
            "one weight": [weights["weight_hh_l0"]],
            "states": [h],
            "backward weights": [value for name, value in weights.items() if name.endswith("_reverse")],
        }[chosen]
        for tensor in (*weights.values(), data, h, c):
            tensor.requires_grad_(any(tensor is other for other in wanted))
        output, last = one(data, (h, c), lengths=RAGGED)
        weighted([output, *last]).backward()
        for tensor in (*weights.values(), data, h, c):
            assert (tensor.grad is not None) == tensor.requires_grad
        results.append([output, *last, *(tensor.grad for tensor in wanted)])
    for want, got in zip(*results, strict=True):
        assert_close(got, want, 6)


def test_nothing_needs_a_gradient() -> None:
    frozen = layer().requires_grad_(False)
    output, _ = frozen(x())
    assert not output.requires_grad
    with torch.no_grad():
        assert not layer()(x().requires_grad_())[0].requires_grad


def test_a_parameter_of_several_layers_gets_the_sum() -> None:
    results = []
    for one in pair(lambda **more: LSTM(H, H, 2, **more), torch.float64):
        one.weight_ih_l1, one.weight_hh_l1 = one.weight_ih_l0, one.weight_ih_l0
        data = normal(6, 4, H, seed=1)
        results.append(torch.autograd.grad(one(data)[0].sin().sum(), list(one.parameters())))
    assert len(results[0]) == 6
    for want, got in zip(*results, strict=True):
        assert_close(got, want, 6)


@pytest.mark.parametrize("changed", ["input", "weight", "output", "state", "further input"])
def test_what_was_changed_in_place_before_the_backward_is_noticed(changed: str) -> None:
    one = layer() if changed != "further input" else recurrent("phased")(dtype=torch.float64, backend="cpu")
    data, h, c = x(), normal(2, 4, H, seed=2), normal(2, 4, H, seed=3)
    more = further(one, 6, 4, torch.float64)
    output, _ = one(data, (h, c)) if changed != "further input" else one(data, **more)
    with torch.no_grad():
        target = {"input": data, "weight": next(one.parameters()), "output": output, "state": h}.get(changed)
        (more["time"] if target is None else target).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_a_graph_can_be_kept_and_otherwise_is_gone() -> None:
    one, data = layer(), x().requires_grad_()
    loss = one(data, lengths=RAGGED)[0].sin().sum()
    leaves = [data, *one.parameters()]
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    second = torch.autograd.grad(loss, leaves)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, leaves)


def test_gradients_add_up() -> None:
    one, data = layer(), x()
    one(data)[0].sum().backward()
    once = [value.grad.clone() for value in one.parameters() if value.grad is not None]
    one(data)[0].sum().backward()
    for value, before in zip(one.parameters(), once, strict=True):
        assert value.grad is not None
        assert torch.equal(value.grad, 2 * before)


def test_the_lengths_are_those_of_the_call() -> None:
    one, lengths = layer(), torch.tensor(RAGGED)
    data = x().requires_grad_()
    output, _ = one(data, lengths=lengths)
    lengths.fill_(6)
    output.sum().backward()
    assert data.grad is not None
    assert (data.grad[1:, 2] == 0).all()


@pytest.mark.parametrize("name", ["lstm", "layer-norm", "gru-cho", "slstm", "lstm-1997", "gru-d", "ea-lstm"])
def test_derivatives_of_derivatives(name: str) -> None:
    one = CELLS[name](dtype=torch.float64, backend="cpu", bidirectional=True)
    data, more = normal(3, 2, X, seed=1).requires_grad_(), further(one, 3, 2, torch.float64)
    names, parameters = zip(*one.named_parameters(), strict=True)

    def run(data: Tensor, *values: Tensor) -> Tensor:
        # Given by hand: `functional_call` would be the same.
        given = dict(zip(names, values, strict=True))
        return functional_call(one, given, (data,), {"lengths": [3, 2], **more})[0]

    assert SHORT in nodes(run(data, *parameters))
    assert torch.autograd.gradcheck(run, (data, *parameters), atol=1e-6, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, (data, *parameters), atol=1e-5, fast_mode=True)


@pytest.mark.parametrize("name", FORMS)
def test_a_gradient_penalty(name: str) -> None:
    """Further derivatives are the reference's."""
    results = []
    for one in pair(FORMS[name], torch.float64, bidirectional=True):
        data = x().requires_grad_()
        output, last = one(data, lengths=RAGGED)
        first = torch.autograd.grad(weighted([output, *flat(last)]).sin(), [data, *one.parameters()], create_graph=True)
        penalty = sum((part.square().sum() for part in first), torch.zeros((), dtype=torch.float64))
        results.append([*first, *torch.autograd.grad(penalty, [data, *one.parameters()])])
    for want, got in zip(*results, strict=True):
        assert_close(got, want, 6)


@pytest.mark.parametrize("reentrant", [False, True])
def test_torchs_checkpoints(reentrant: bool) -> None:
    """Which restore saved tensors by hooks, each once."""
    one = layer(num_layers=2)
    results = []
    for again in (False, True):
        data = x().requires_grad_()
        one.zero_grad()
        output = checkpoint(lambda t: one(t)[0], data, use_reentrant=reentrant) if again else one(data)[0]
        assert isinstance(output, Tensor)
        output.sin().sum().backward()
        results.append([output, data.grad, *(value.grad for value in one.parameters())])
    for want, got in zip(*results, strict=True):
        assert want is not None
        assert torch.equal(want, got)


def test_saved_tensors_may_be_elsewhere() -> None:
    one, data = layer(), x().requires_grad_()
    want = torch.autograd.grad(one(data)[0].sum(), data)[0]
    unpacked = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor.clone(), lambda t: unpacked.append(t) or t):
        output = one(data)[0]
    assert torch.equal(torch.autograd.grad(output.sum(), data)[0], want)
    assert len(unpacked) == len({id(tensor) for tensor in unpacked})


# ------------------------------------------------------------------------------------------------ transforms and graphs


def test_torch_func_takes_the_other_way() -> None:
    reference, one = pair(FORMS["normalised peephole LSTM"], torch.float64)
    data, weight = x(), normal(6, H, seed=4)

    def values(of: Any) -> list[Tensor]:
        parameters = {key: value.detach() for key, value in of.named_parameters()}

        def loss(given: dict[str, Tensor], sample: Tensor) -> Tensor:
            return (functional_call(of, given, (sample.unsqueeze(1),))[0].squeeze(1) * weight).sum()

        per_sample = vmap(grad(loss), in_dims=(None, 1))(parameters, data)
        jacobian = jacrev(lambda t: of(t)[0][-1])(data[:, :1])
        assert isinstance(jacobian, Tensor)
        return [*per_sample.values(), jacobian, vmap(lambda t: of(t)[0])(data.unsqueeze(0))]

    for want, got in zip(values(reference), values(one), strict=True):
        assert_close(got, want, 6)


def test_what_torch_func_is_asked_first_changes_nothing_later() -> None:
    """The choice of a backend is that of the call, whatever was called before with the same shape."""
    torch.manual_seed(0)
    one, data = LSTM(X, H), torch.randn(6, 4, X)
    want = one(data)[0]
    again = copy.deepcopy(one)
    grad(lambda t: again(t)[0].sum())(data)
    got = again(data)[0]
    assert nodes(got) == nodes(want)
    assert torch.equal(got, want)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # of torch's own decompositions
def test_there_is_no_forward_mode() -> None:
    """Refused, and not without a tangent."""
    for one in (layer(), layer().requires_grad_(False)):
        with forward_ad.dual_level(), pytest.raises(NotImplementedError, match="jvp"):
            one(forward_ad.make_dual(x(), torch.ones_like(x())))
        with pytest.raises(NotImplementedError, match="jvp"):
            jvp(one, (x(),), (torch.ones_like(x()),))


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # torch's own compiler uses what it deprecates
def test_compiled_and_exported_graphs_hold_the_operator() -> None:
    one = layer()
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, examples: Any) -> Any:
        from torch._dynamo.backends.debugging import aot_eager

        graphs.append(graph)
        return aot_eager(graph, examples)

    torch.compiler.reset()
    compiled = torch.compile(one, backend=backend, fullgraph=True)
    results = []
    for run in (one, compiled):
        data = x().requires_grad_()
        output = run(data)[0]
        results.append([output, *torch.autograd.grad(output.sin().sum(), [data, *one.parameters()])])
    for want, got in zip(*results, strict=True):
        assert_close(got, want, 6)
    scans = [node for graph in graphs for node in graph.graph.nodes if "gatewise.scan" in str(node.target)]
    assert len(scans) == 2
    assert all(node.args[-1] == "cpu" for node in scans)
    one(x())  # the short way has been used before it is exported
    with torch.no_grad():
        exported = torch.export.export(one, (x(),))
        assert_close(exported.module()(x())[0], one(x())[0], 6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_trace_records_the_operator() -> None:
    one = layer().eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(one, x())
        other = normal(6, 4, X, seed=7)
        assert_close(traced(other)[0], one(other)[0], 6)


def test_a_default_device_is_for_tensors_that_are_to_be_made() -> None:
    """Memory of another device would be read as if it were here."""
    _vectors.clear()
    options: dict[str, Any] = {"num_layers": 2, "dropout": 0.5, "zoneout": 0.1, "forget_bias": 1.0, "device": "cpu"}
    data, found = x(), []
    for device in ("cpu", "meta"):
        with torch.device(device):
            one = layer(**options)
            one.load_state_dict(layer(**options).state_dict())
            stream = GRU(X, H, dtype=torch.float64, device="cpu").stream(batch=4)
            stream.step(data[0])
            stream.reset([2])
            stream.feed(data)
            torch.manual_seed(1)
            output, _ = one(data, lengths=RAGGED)
            plain, _ = LSTM(X, 7, dtype=torch.float64, device="cpu", backend="cpu")(data)
            (gradient,) = torch.autograd.grad(output.sum() + plain.sum(), [one.weight_hh_l0])
            assert stream.steps.tolist() == [7, 7, 6, 7]
            assert stream.state.isfinite().all()
            found.append((output, gradient))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_inference_mode_and_training_after_it() -> None:
    one, data = layer(), x()
    with torch.inference_mode():
        output, _ = one(data)
    assert output.is_inference()
    got, _ = one(data)
    assert torch.equal(got, output)
    got.sum().backward()
    assert all(value.grad is not None for value in one.parameters())


@pytest.mark.parametrize("name", ["normalised peephole LSTM", "GRU"])
def test_autocast_keeps_float64_and_refuses_what_the_core_does_not_compute(name: str) -> None:
    reference, one = pair(FORMS[name], torch.float64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        want, got = reference(x())[0], one(x())[0]
        assert_close(got, want, 6)
        with pytest.raises(ConfigurationError, match="float32 and float64, not in bfloat16"):
            one.float()(x().float())
    one.backend = "auto"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = one(x().float())[0]
    assert output.dtype == torch.bfloat16
    assert_close(output, want.bfloat16(), 6)


# ------------------------------------------------------------------------------------------------ copies and parameters


def test_a_used_layer_can_be_copied_pickled_and_loaded() -> None:
    one = layer(num_layers=2, zoneout=0.1)
    data = x().requires_grad_()
    want, _ = one(data, mask_seed=1)
    want.sum().backward()
    stream = io.BytesIO()
    torch.save(one, stream)
    stream.seek(0)
    fresh = layer(num_layers=2, zoneout=0.1)
    fresh.load_state_dict(one.state_dict())
    others = [copy.deepcopy(one), pickle.loads(pickle.dumps(one)), torch.load(stream, weights_only=False), fresh]
    for other in others:
        assert torch.equal(other(x(), mask_seed=1)[0], want)
        assert list(other.state_dict()) == list(one.state_dict())
    with torch.no_grad():
        for value in others[0].parameters():
            value.zero_()
    assert torch.equal(one(x(), mask_seed=1)[0], want)
    assert not torch.equal(others[0](x(), mask_seed=1)[0], want)


def test_parameters_are_read_at_every_call() -> None:
    one = layer()
    before = one(x())[0]
    with torch.no_grad():
        next(one.parameters()).add_(1)
    changed = one(x())[0]
    assert not torch.equal(before, changed)
    one.weight_ih_l0 = torch.nn.Parameter(one.weight_ih_l0.detach() - 1)
    assert_close(one(x())[0], before, 6)
    weight_norm(one, "weight_hh_l0")
    assert_close(one(x())[0], before, 6)
    one(x())[0].sum().backward()
    assert all(value.grad is not None for value in one.parameters())


@pytest.mark.parametrize("name", ["weight_hh_l0", "initial_c_l0_reverse"])
def test_a_parameter_of_another_size_is_refused(name: str) -> None:
    one = layer(learned_state=True)
    one(x())
    value = getattr(one, name)
    setattr(one, name, torch.nn.Parameter(value.detach()[:-1].clone()))
    with pytest.raises(DataError, match=f"the parameter {name} must be"):
        one(x())


def test_weights_that_are_views_with_strides_of_their_own() -> None:
    reference, one = pair(FORMS["LSTM"], torch.float64)
    want = reference(x())[0]
    one.weight_hh_l0 = torch.nn.Parameter(one.weight_hh_l0.detach().t().contiguous().t())
    assert not one.weight_hh_l0.is_contiguous()
    output = one(x())[0]
    assert_close(output, want, 6)
    output.sum().backward()
    want.sum().backward()
    assert_close(one.weight_hh_l0.grad, reference.weight_hh_l0.grad, 6)


def test_states_on_another_device_are_refused() -> None:
    one = Recurrent(cells.get("peephole")(), X, H, backend="cpu")
    states = [{name: torch.zeros(1, 4, H, device="meta") for name in ("h", "c")}]
    with pytest.raises(DataError, match=r"on cpu, got \[1, 4, 5\] of torch.float32 on meta"):
        one(x().float(), states)
