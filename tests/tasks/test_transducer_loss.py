"""The transducer's loss against all alignments, in value, gradient and memory."""

import math
from itertools import combinations
from typing import Any

import pytest
import torch
from tests.tolerance import assert_close
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.transducer import AdditiveJoint, Joint, TanhJoint, joint, transducer_loss
from gatewise.tasks.transducer.lattice import Lattice

LABELS = 4


def made(kind: str, seed: int = 0) -> Joint:
    torch.manual_seed(seed)
    network = AdditiveJoint(3, 2, LABELS) if kind == "additive" else TanhJoint(3, 2, LABELS, hidden=5)
    return network.double()


def probability(log_probs: Tensor, target: list[int], blank: int) -> float:
    """Of a target, over all orders of T - 1 blanks and its labels, with a blank at the end; `[T, U + 1, V]`."""
    log_probs, steps = log_probs.detach(), len(log_probs)
    total = 0.0
    for places in combinations(range(steps - 1 + len(target)), len(target)):
        t, u, found = 0, 0, 0.0
        for place in range(steps - 1 + len(target)):
            if place in places:
                found += float(log_probs[t, u, target[u]])
                u += 1
            else:
                found += float(log_probs[t, u, blank])
                t += 1
        total += math.exp(found + float(log_probs[t, u, blank]))
    return total


def features(network: Joint, steps: int, targets: list[list[int]], seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    width = max(map(len, targets)) + 1
    encoded = 2 * torch.randn(steps, len(targets), 3, generator=generator, dtype=torch.float64)
    predicted = 2 * torch.randn(width, len(targets), 2, generator=generator, dtype=torch.float64)
    return network.heard(encoded), network.written(predicted)


@pytest.mark.parametrize("kind", ["additive", "tanh"])
@pytest.mark.parametrize("blank", [0, 2])
def test_all_alignments_of_small_pairs(kind: str, blank: int) -> None:
    network = made(kind)
    letters = [k for k in range(LABELS) if k != blank]
    targets = [[], [letters[0]], [letters[1], letters[1]], [letters[2], letters[0], letters[2], letters[2]]]
    for steps in (1, 2, 5):
        heard, written = features(network, steps, targets)
        lengths = [max(1, steps - b) for b in range(len(targets))]
        got = transducer_loss(network, heard, written, targets, lengths, blank=blank, reduction="none").detach()
        for b, target in enumerate(targets):
            log_probs = network(heard[: lengths[b], b, None], written[None, :, b]).log_softmax(2)
            want = -math.log(probability(log_probs, target, blank))
            assert float(got[b]) == pytest.approx(want, abs=1e-10)
    total = transducer_loss(network, heard, written, targets, lengths, blank=blank, reduction="sum").detach()
    assert float(total) == pytest.approx(float(got.sum()))
    mean = torch.stack([value / max(1, len(target)) for value, target in zip(got, targets, strict=True)]).mean()
    found = transducer_loss(network, heard, written, targets, lengths, blank=blank).detach()
    assert float(found) == pytest.approx(float(mean))


def test_probabilities_of_all_targets_add_up_to_one() -> None:
    """With a label of probability p and a blank 1 - p everywhere, over targets of any length."""
    p, steps, most = 0.3, 3, 60
    blanks = torch.full((steps, most, most), math.log(1 - p), dtype=torch.float64)
    labels = torch.full((steps, most, most - 1), math.log(p), dtype=torch.float64)
    lengths = torch.arange(most)
    losses = Lattice.apply(blanks, labels, torch.full((most,), steps), lengths)
    assert float((-losses).exp().sum()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("kind", ["additive", "tanh"])
def test_gradients_are_exact(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint, "LARGEST", 2 * 4 * LABELS)  # two steps at a time
    network = made(kind)
    targets = [[1, 1, 3], [], [2]]
    heard, written = (tensor.detach().requires_grad_() for tensor in features(network, 5, targets))
    parameters = tuple(network.output.parameters()) if isinstance(network, TanhJoint) else ()

    def loss(*_: Tensor) -> Tensor:
        return transducer_loss(network, heard, written, targets, [5, 2, 1], reduction="none")

    assert torch.autograd.gradcheck(loss, (heard, written, *parameters))


def test_the_gradient_of_the_lattice_is_exact_also_in_padding() -> None:
    torch.manual_seed(0)
    blanks = torch.randn(4, 3, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    steps, lengths = torch.tensor([4, 2, 1]), torch.tensor([2, 3, 0])
    assert torch.autograd.gradcheck(lambda a, b: Lattice.apply(a, b, steps, lengths), (blanks, labels))
    with torch.no_grad():
        blanks[2:, 1] = math.nan
        labels[:, 2] = math.nan
    losses = Lattice.apply(blanks, labels, steps, lengths)
    assert losses.isfinite().all()
    for gradient in torch.autograd.grad(losses.sum(), (blanks, labels)):
        assert gradient.isfinite().all()
        assert not gradient[2:, 1].any()
        assert not gradient[:, 2, 1:].any()


def test_a_target_of_probability_0_has_an_infinite_loss_and_no_gradient() -> None:
    blanks = torch.full((2, 2, 2), -1.0, dtype=torch.float64, requires_grad=True)
    labels = torch.full((2, 2, 1), -1.0, dtype=torch.float64)
    labels[:, 0] = -math.inf
    labels.requires_grad_()
    losses = Lattice.apply(blanks, labels, torch.tensor([2, 2]), torch.tensor([1, 1]))
    assert losses.isinf().tolist() == [True, False]
    for gradient in torch.autograd.grad(losses.sum(), (blanks, labels)):
        assert gradient.isfinite().all()
        assert not gradient[:, 0].any()
        assert gradient[:, 1].any()


@pytest.mark.parametrize("kind", ["additive", "tanh"])
def test_pieces_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = made(kind)
    targets = [[1, 1, 3, 2], [3]]
    whole = []
    for largest in (1, 100, 1 << 20):
        monkeypatch.setattr(joint, "LARGEST", largest)
        network.zero_grad()
        heard, written = features(network, 9, targets)
        loss = transducer_loss(network, heard, written, targets, [9, 7])
        loss.backward()
        whole.append([loss.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)])
    for other in whole[1:]:
        for got, want in zip(other, whole[0], strict=True):
            assert_close(got, want, 9)
    with torch.no_grad():
        assert_close(transducer_loss(network, *features(network, 9, targets), targets, [9, 7]), whole[0][0], 9)


def test_sides_that_are_sure_of_different_labels_have_a_finite_loss() -> None:
    """The product of exponentials is 0 there; the sum over labels is not."""
    network = made("additive")
    heard = torch.tensor([[[1000.0, 0, 0, 0]]], dtype=torch.float64, requires_grad=True)
    written = torch.tensor([[[0, 0, 1000.0, 0]], [[0, 0, 2000.0, 0]]], dtype=torch.float64, requires_grad=True)
    loss = transducer_loss(network, heard, written, [[1]])
    log_probs = (heard[:, 0, None] + written[None, :, 0]).log_softmax(2)
    want = -(log_probs[0, 0, 1] + log_probs[0, 1, 0])
    assert_close(loss, want, 1)
    for got, exact in zip(
        torch.autograd.grad(loss, (heard, written)), torch.autograd.grad(want, (heard, written)), strict=True
    ):
        assert_close(got, exact, 1)


class Sizes(TorchDispatchMode):
    """Watches the largest tensor that is made, in elements."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, (tuple, list)) else [found]:
            if isinstance(tensor, Tensor):
                self.largest = max(self.largest, tensor.untyped_storage().nbytes() // tensor.element_size())
        return found


@pytest.mark.parametrize("kind", ["additive", "tanh"])
def test_nothing_over_all_of_t_u_and_v_is_ever_made(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, length, labels, batch = 60, 20, 50, 2
    monkeypatch.setattr(joint, "LARGEST", 4 * (length + 1) * labels)
    torch.manual_seed(0)
    network = AdditiveJoint(3, 2, labels) if kind == "additive" else TanhJoint(3, 2, labels, hidden=8)
    targets = torch.randint(1, labels, (batch, length))
    with Sizes() as sizes:
        heard = network.heard(torch.randn(steps, batch, 3))
        written = network.written(torch.randn(length + 1, batch, 2))
        transducer_loss(network, heard, written, targets).backward()
    whole = steps * (length + 1) * labels
    features, diagonals = steps * batch * labels, (steps + length) * (length + 1) * batch
    some = 4 * (length + 1) * labels if kind == "tanh" else features
    assert max(diagonals, some) <= sizes.largest <= max(features, diagonals, some)
    assert sizes.largest < whole / 10


def test_single_precision_is_as_exact_as_its_inputs() -> None:
    network = made("tanh")
    targets = [[1, 2, 3] * 5, [3] * 9]
    exact = [tensor.detach().requires_grad_() for tensor in features(network, 40, targets)]
    single = [tensor.detach().float().requires_grad_() for tensor in exact]
    want = transducer_loss(network, *exact, targets)
    gradients = torch.autograd.grad(want, exact)
    got = transducer_loss(network.float(), *single, targets)
    assert got.dtype == torch.float32
    assert_close(got, want.float(), 40)
    for found, right in zip(torch.autograd.grad(got, single), gradients, strict=True):
        assert_close(found, right.float(), 40)


def test_what_does_not_fit_is_refused() -> None:
    network = made("additive")
    heard, written = features(network, 3, [[1, 2], [3, 1]])
    for options, message in (
        ({"input_lengths": [3, 0]}, "sequence 1 has no steps"),
        ({"input_lengths": [4, 1]}, r"input_lengths\[0\] is 4"),
        ({"targets": [[1, 2, 3], [1]]}, "target 0 has 3 labels, but the prediction network has written 2"),
        ({"targets": [[1, 0], [1]]}, "label 1 of target 0 is 0, which is the blank"),
        ({"targets": [[1, 4], [1]]}, "expected a label from 0 to 3"),
        ({"heard": heard[:, :1]}, r"expected features heard \[T, B, J\]"),
    ):
        given: dict[str, Any] = {"heard": heard, "written": written, "targets": [[1, 2], [3, 1]], **options}
        with pytest.raises(DataError, match=message):
            transducer_loss(network, **given)
    with pytest.raises(ConfigurationError, match="reduction is 'avg'"):
        transducer_loss(network, heard, written, [[1], [2]], reduction="avg")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="blank is 4"):
        transducer_loss(network, heard, written, [[1], [2]], blank=4)
    with pytest.raises(ConfigurationError, match="hidden is 0"):
        TanhJoint(1, 1, 2, hidden=0)
