"""Backpropagation in segments (`checkpoint_every=`): the same outputs and gradients, and less that is saved."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from gatewise import GRU, LSTM
from gatewise.errors import ConfigurationError
from tests.backends.layer_pairs import (
    CELLS,
    FORMS,
    UNSQUASHED,
    H,
    X,
    finite,
    flat,
    further,
    nodes,
    normal,
    states,
    weighted,
)
from tests.tolerance import assert_close

STEPS, RAGGED = 10, [10, 0, 3, 7]
MARKS = torch.zeros(STEPS, 4, dtype=torch.bool)
MARKS[4, 0] = MARKS[5, 0] = MARKS[0, 2] = MARKS[8, 3] = True
BOTH = pytest.mark.parametrize("backend", ["cpu", "reference"])
NODE = "_InSegmentsBackward"


def pair(make: Any, every: Any, backend: str, **arguments: Any) -> tuple[Any, Any]:
    """The layer that saves everything, and the one that saves what is between segments."""
    torch.manual_seed(0)
    whole = make(dtype=torch.float64, backend=backend, **arguments)
    cut = make(dtype=torch.float64, backend=backend, checkpoint_every=every, **arguments)
    cut.load_state_dict(whole.state_dict())
    return whole, cut


def compare(
    make: Any,
    every: Any,
    backend: str,
    given: bool = False,
    arguments: dict[str, Any] | None = None,
    exact: bool = True,
    **call: Any,
) -> None:
    """In the core outputs, states and the gradients of both are the same bits, those of parameters close."""
    results: list[tuple[list[Tensor], list[Tensor]]] = []
    for layer in pair(make, every, backend, **(arguments or {})):
        more = further(layer, STEPS, 4, torch.float64)
        before = states(layer, 4, torch.float64) if given else None
        x = normal(STEPS, 4, X, seed=1).requires_grad_()
        leaves = [x, *flat([[] if before is None else before, [more[name] for name in more if name != "m"]])]
        for leaf in leaves:
            leaf.requires_grad_()
        output, last = layer(x, before, **more, **call)
        values = [output, *flat(last)]
        cut = layer.checkpoint_every is not None and every != STEPS
        assert (NODE in nodes(*values)) == cut
        everything = [*leaves, *layer.parameters()]
        found = torch.autograd.grad(weighted(values), everything, allow_unused=True, materialize_grads=True)
        results.append(([*values, *found[: len(leaves)]], list(found[len(leaves) :])))
    (want, want_parameters), (got, got_parameters) = results
    for a, b in zip(want, got, strict=True):
        if backend == "cpu" and exact:
            assert torch.equal(a, b)
        assert_close(finite(b), finite(a), STEPS)
    # Of a parameter each segment gives a sum, and these are added up: another order of the same additions.
    for a, b in zip(want_parameters, got_parameters, strict=True):
        assert_close(b, a, STEPS)


@BOTH
@pytest.mark.parametrize("every", [1, 3, 5, 9, 10, "sqrt"])
@pytest.mark.parametrize("name", ["LSTM", "Cho's GRU", "normalised peephole LSTM"])
def test_segments_of_any_length(name: str, every: Any, backend: str) -> None:
    compare(FORMS[name], every, backend, given=True, arguments={"bidirectional": True, "num_layers": 2})


@BOTH
@pytest.mark.parametrize("name", CELLS)
def test_every_cell_with_lengths_and_resets(name: str, backend: str) -> None:
    # Products that are saved themselves are summed in another order than where nothing is saved.
    exact = not isinstance(CELLS[name]().cells[0], UNSQUASHED)
    arguments = {"bidirectional": True, "learned_state": True}
    more = {"lengths": RAGGED, "exact": exact}
    compare(CELLS[name], 3, backend, arguments=arguments, resets=MARKS, return_states="all", **more)
    compare(CELLS[name], 4, backend, arguments={"bidirectional": True}, given=True, **more)


MASKS: list[dict[str, Any]] = [
    {"zoneout": 0.3},
    {"recurrent_dropout": 0.4, "dropout": 0.2, "num_layers": 2},
    {"variational_dropout": 0.3, "weight_dropout": 0.5},
    {"clip_gradient": 0.05},
]


@BOTH
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("name", ["LSTM", "projected LSTM", "GRU"])
def test_masks_are_drawn_as_they_were(name: str, masks: dict[str, Any], backend: str) -> None:
    call = {"mask_seed": 5, "sequence_ids": torch.tensor([3, 0, 7, 8]), "first_step": 2}
    compare(FORMS[name], 3, backend, arguments={**masks, "bidirectional": True}, lengths=RAGGED, **call)


@BOTH
def test_a_seed_may_be_counted_on_before_the_backward(backend: str) -> None:
    results = []
    for layer in pair(FORMS["LSTM"], 3, backend, zoneout=0.3):
        seed, numbers = torch.tensor(7), torch.arange(4)
        x = normal(STEPS, 4, X, seed=1).requires_grad_()
        output, _ = layer(x, mask_seed=seed, sequence_ids=numbers)
        seed += 1
        numbers += 1
        results.append(torch.autograd.grad(output.sum(), x)[0])
    assert_close(results[1], results[0], STEPS)


@BOTH
def test_only_some_tensors_need_a_gradient(backend: str) -> None:
    for chosen in ("x", "h", "weight_hh_l0"):
        results = []
        for layer in pair(FORMS["LSTM"], 3, backend):
            layer.requires_grad_(False)
            tensors = {"x": normal(STEPS, 4, X, seed=1), "h": normal(1, 4, H, seed=2), **dict(layer.named_parameters())}
            tensors[chosen].requires_grad_()
            output, (h, _) = layer(tensors["x"], (tensors["h"], normal(1, 4, H, seed=3)))
            (output[2:].sum() + h.sum()).backward()
            results.append(tensors[chosen].grad)
        assert_close(results[1], results[0], STEPS)
    assert NODE not in nodes(layer.requires_grad_(False)(normal(STEPS, 4, X, seed=1))[0].requires_grad_() * 1)


@BOTH
def test_gradients_of_only_some_results(backend: str) -> None:
    losses: list[Any] = [
        lambda output, h, c: output[1].sum(),
        lambda output, h, c: c.sum(),
        lambda output, h, c: output[-1].sum() + h.sum(),
    ]
    for loss in losses:
        results = []
        for layer in pair(FORMS["LSTM"], 3, backend, bidirectional=True):
            x = normal(STEPS, 4, X, seed=1).requires_grad_()
            output, (h, c) = layer(x, lengths=RAGGED)
            results.append(torch.autograd.grad(loss(output, h, c), [x, *layer.parameters()]))
        for want, got in zip(*results, strict=True):
            assert_close(got, want, STEPS)


@BOTH
def test_derivatives_of_derivatives(backend: str) -> None:
    results = []
    for layer in pair(FORMS["LSTM"], 3, backend, bidirectional=True):
        x = normal(STEPS, 4, X, seed=1).requires_grad_()
        output, _ = layer(x, lengths=RAGGED)
        leaves = [x, *layer.parameters()]
        first = torch.autograd.grad(output.sin().sum(), leaves, create_graph=True)
        penalty = sum((part.square().sum() for part in first), torch.zeros((), dtype=torch.float64))
        results.append([*first, *torch.autograd.grad(penalty, leaves)])
    for want, got in zip(*results, strict=True):
        assert_close(got, want, STEPS)


@BOTH
@pytest.mark.parametrize("changed", ["input", "weight"])
def test_what_was_changed_in_place_before_the_backward_is_noticed(changed: str, backend: str) -> None:
    layer = LSTM(X, H, dtype=torch.float64, checkpoint_every=3, backend=backend)
    x = normal(STEPS, 4, X, seed=1)
    output, _ = layer(x)
    with torch.no_grad():
        (x if changed == "input" else layer.weight_hh_l0).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@contextmanager
def saved() -> Iterator[list[int]]:
    """How many numbers are kept for backwards."""
    found: dict[int, int] = {}
    total: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        found[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // tensor.itemsize
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield total
    total.append(sum(found.values()))


@BOTH
def test_what_is_saved_grows_with_the_square_root(backend: str) -> None:
    """Besides inputs and weights: states between segments alone."""
    kept: dict[tuple[Any, int], int] = {}
    for every in (None, "sqrt"):
        for steps in (100, 400):
            layer, x = LSTM(X, 32, checkpoint_every=every, backend=backend), torch.randn(steps, 2, X)
            with saved() as total:
                layer(x)
            kept[every, steps] = total[0] - x.numel() - sum(value.numel() for value in layer.parameters())
    step = 2 * 32
    assert kept[None, 400] > 400 * 5 * step
    assert kept["sqrt", 100] == 10 * 2 * step
    assert kept["sqrt", 400] == 20 * 2 * step


@BOTH
def test_states_that_begin_at_minus_infinity(backend: str) -> None:
    results = []
    for layer in pair(CELLS["slstm"], 3, backend, bidirectional=True):
        x = normal(STEPS, 4, X, seed=1).requires_grad_()
        output, (last,) = layer(x, lengths=RAGGED, resets=MARKS)
        assert (last["m"][:, 1] == -float("inf")).all()
        values = [output, *last.values()]
        found = torch.autograd.grad(weighted(values), [x, *layer.parameters()])
        results.append([*map(finite, values), *found])
    for want, got in zip(*results, strict=True):
        assert_close(got, want, STEPS)


def test_under_autocast_each_forward_is_the_first() -> None:
    """Whether or not the backward is called under autocast."""
    results = []
    for within in (None, False, True):
        torch.manual_seed(0)
        layer = LSTM(X, H, peephole=True, backend="reference", checkpoint_every=None if within is None else 3)
        x = torch.randn(STEPS, 4, X, requires_grad=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output, _ = layer(x)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bool(within)):
            found = torch.autograd.grad(output.float().sum(), [x, *layer.parameters()])
        results.append([output, *found])
    for want, got, other in zip(*results, strict=True):
        assert_close(got.bfloat16(), want.bfloat16(), STEPS)
        assert torch.equal(got, other)


def test_graphs_and_torch_func_save_everything() -> None:
    whole, cut = pair(FORMS["normalised peephole LSTM"], 3, "cpu")
    x = normal(STEPS, 4, X, seed=1)

    def gradients(layer: Any) -> dict[str, Tensor]:
        parameters = {name: value.detach() for name, value in layer.named_parameters()}

        def loss(values: dict[str, Tensor], sample: Tensor) -> Tensor:
            return functional_call(layer, values, (sample.unsqueeze(1),))[0].sin().sum()

        return vmap(grad(loss), in_dims=(None, 1))(parameters, x)

    want = gradients(whole)
    for name, got in gradients(cut).items():
        assert_close(got, want[name], STEPS, name)


def test_it_is_shown_and_copied_and_can_be_changed() -> None:
    layer = GRU(X, H, checkpoint_every="sqrt")
    assert repr(layer) == "GRU(3, 5, checkpoint_every='sqrt')"
    assert copy.deepcopy(layer).checkpoint_every == "sqrt"
    x = torch.randn(STEPS, 4, X)
    assert "with checkpoint_every" in layer.explain(x)
    assert "torch: cannot: torch's fused calls know nothing of checkpoint_every" in layer.explain(x)
    with torch.no_grad():
        assert "checkpoint_every" not in layer.explain(x)
        plain = layer(x)[0]
    assert NODE in nodes(layer(x)[0])
    layer.checkpoint_every = None
    assert NODE not in nodes(layer(x)[0])
    assert_close(layer(x)[0].detach(), plain, STEPS)


@pytest.mark.parametrize("every", [0, -1, 2.0, True, "auto", "root"])
def test_what_is_no_length(every: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"checkpoint_every=.* must be a whole number of time steps from 1"):
        LSTM(X, H, checkpoint_every=every)
