"""The loss against torch's, against all alignments, against its own definition; on either side of the core."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from tests.tasks.ctc_cases import Case, draw, probability
from tests.tolerance import assert_close, tolerance
from torch import Tensor
from torch.nn import functional

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc import CTCLoss, ctc_loss, loss


@pytest.fixture(params=["core", "definition"])
def side(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "core":
        assert loss.core is not None, "the tests need the compiled core: install with a C++ compiler"
    else:
        monkeypatch.setattr(loss, "core", None)
    return request.param


def arguments(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    return case.targets, case.input_lengths, case.target_lengths


def ours(case: Case, logits: Tensor, **options: Any) -> Tensor:
    return ctc_loss(logits, *arguments(case), case.blank, "none", infeasible="inf", **options)


@pytest.mark.parametrize("part", range(4))
def test_equals_torch_in_double_precision(side: str, part: int) -> None:
    for seed in range(125 * part, 125 * (part + 1)):
        case = draw(seed)
        parts = []
        for run in (
            lambda x, case=case: functional.ctc_loss(x.log_softmax(2), *arguments(case), case.blank, "none"),
            lambda x, case=case: ours(case, x),
        ):
            logits = case.logits.clone().requires_grad_()
            losses = run(logits)
            feasible = case.feasible()
            (gradient,) = torch.autograd.grad(losses[feasible].sum(), logits, allow_unused=True, materialize_grads=True)
            # torch's gradient of an infinite loss is NaN.
            parts.append((losses.detach()[feasible], gradient[:, feasible]))
            assert torch.equal(losses.isfinite(), feasible)
        for want, got in zip(*parts, strict=True):
            error = (got - want).abs() / want.abs().clamp(min=1)
            assert not error.numel() or float(error.max()) < 1e-10, seed


def test_single_precision_is_as_exact_as_its_inputs() -> None:
    for seed in range(200):
        case = draw(seed, feasible=True)
        logits = case.logits.float().requires_grad_()
        exact = logits.detach().double().requires_grad_()
        got, want = ours(case, logits), ours(case, exact)
        assert got.dtype == torch.float32
        steps = len(logits)
        assert_close(got, want.float(), steps)
        gradients = [torch.autograd.grad(value.sum(), x)[0] for value, x in ((got, logits), (want, exact))]
        assert_close(gradients[0], gradients[1].float(), steps)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"blank_penalty": 0.7}, {"blank_penalty": -0.4}])
def test_all_alignments_of_small_pairs(side: str, options: dict[str, float]) -> None:
    generator = torch.Generator().manual_seed(0)
    targets = [[], [1], [1, 2], [1, 1], [2, 1, 2], [1, 1, 1], [2, 2, 1]]
    for steps in (1, 3, 5):
        logits = torch.randn(steps, len(targets), 3, generator=generator, dtype=torch.float64)
        got = ctc_loss(logits, targets, reduction="none", infeasible="inf", **options)
        for b, target in enumerate(targets):
            probs = logits[:, b].softmax(1)
            found = probability(probs, target, 0, math.exp(-options.get("blank_penalty", 0.0)))
            share = options.get("label_smoothing", 0.0)
            want = -math.log(found) if found else math.inf
            want = (1 - share) * want - share * float(probs.log().mean(1).sum())
            assert float(got[b]) == pytest.approx(want, abs=1e-10)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2, "blank_penalty": 0.7}])
def test_gradients_of_first_and_second_order(side: str, options: dict[str, float]) -> None:
    torch.manual_seed(0)
    for seed in range(6):
        case = draw(seed, most_steps=5)
        logits = torch.randn(len(case.logits), len(case.targets), 4, dtype=torch.float64, requires_grad=True)

        def run(x: Tensor, case: Case = case) -> Tensor:
            targets, lengths = case.targets % 3 + 1, case.target_lengths
            found = ctc_loss(x, targets, case.input_lengths, lengths, 0, "none", infeasible="inf", **options)
            return torch.where(found.isfinite(), found, 0.0)

        assert torch.autograd.gradcheck(run, logits)
        assert torch.autograd.gradgradcheck(run, logits)


def test_a_third_derivative(side: str) -> None:
    logits = torch.randn(3, 1, 3, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(3, 1, 3, dtype=torch.float64)
    value: Tensor = ctc_loss(logits, [[1, 2]])
    for _ in range(3):
        (gradient,) = torch.autograd.grad(value, logits, create_graph=True)
        value = (gradient * direction).sum()
    # Along a line: the third derivative from values of the loss alone.
    h = 1e-2
    points = [ctc_loss(logits.detach() + k * h * direction, [[1, 2]]).item() for k in range(-3, 4)]
    weights = [1 / 8, -1, 13 / 8, 0, -13 / 8, 1, -1 / 8]
    assert value.item() == pytest.approx(sum(w * p for w, p in zip(weights, points, strict=True)) / h**3, abs=1e-4)


def test_label_smoothing_is_that_of_cross_entropy_where_there_is_one_alignment(side: str) -> None:
    logits = torch.randn(4, 1, 5, dtype=torch.float64)
    target = torch.tensor([[3, 1, 3, 4]])
    got = ctc_loss(logits, target, reduction="sum", label_smoothing=0.1)
    want = functional.cross_entropy(logits[:, 0], target[0], reduction="sum", label_smoothing=0.1)
    assert_close(got, want, 4)


def test_pairs_without_an_alignment_are_named(side: str) -> None:
    logits = torch.zeros(4, 5, 3)
    targets = [[1, 2], [1, 1, 1], [2, 2, 1], [1, 2, 1, 2, 1], []]
    with pytest.raises(DataError) as raised:
        ctc_loss(logits, targets, input_lengths=[4, 4, 4, 4, 0])
    assert str(raised.value) == (
        "ctc_loss: no alignment exists for 2 of 5 pairs: index 1 (3 labels need 5 steps, the input has 4), 3 (5 labels "
        "need 5 steps, the input has 4). Each label takes a step, and a blank has to stand between equal neighbours: "
        "leave these pairs out, or let the network keep more steps (less pooling or a smaller stride); "
        'infeasible="inf" gives them an infinite loss'
    )
    many = torch.zeros(1, 30, 3)
    with pytest.raises(DataError, match=r"for 30 of 30 pairs: index 0 .* 19 \(.*\) and 10 more\. Each label"):
        ctc_loss(many, [[1, 2]] * 30)


def test_an_infinite_loss_has_no_gradient_and_spoils_no_other(side: str) -> None:
    logits = torch.randn(4, 3, 3, requires_grad=True)
    losses = ctc_loss(logits, [[1, 2], [1, 1, 1], [2]], reduction="none", infeasible="inf", label_smoothing=0.1)
    assert losses.isinf().tolist() == [False, True, False]
    losses.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert not logits.grad[:, 1].any()
    alone = logits.detach()[:, ::2].clone().requires_grad_()
    ctc_loss(alone, [[1, 2], [2]], reduction="sum", label_smoothing=0.1).backward()
    assert alone.grad is not None
    assert_close(logits.grad[:, ::2], alone.grad, 4)


def test_a_masked_label_has_probability_0(side: str) -> None:
    logits = torch.randn(5, 2, 4, dtype=torch.float64)
    logits[:, 0, 3] = -math.inf
    logits[2, 1, 1] = -math.inf
    logits.requires_grad_()
    losses = ctc_loss(logits, [[3], [1, 2]], reduction="none")
    assert losses.isinf().tolist() == [True, False]
    want = probability(logits.detach()[:, 1].softmax(1), [1, 2], 0)
    assert losses[1].item() == pytest.approx(-math.log(want), abs=1e-10)
    losses.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert not logits.grad[:, 0].any()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_stays_where_it_is(side: str, bad: float) -> None:
    logits = torch.randn(5, 3, 4)
    clean = logits.clone().requires_grad_()
    logits[4, 0], logits[1, 1, 2] = bad, bad
    logits.requires_grad_()
    lengths, targets = [4, 5, 5], [[1, 2], [3], [2]]
    losses = ctc_loss(logits, targets, lengths, reduction="none")
    assert losses.isnan().tolist() == [False, True, False]
    want = ctc_loss(clean, targets, lengths, reduction="none")
    assert torch.equal(losses[::2], want[::2])
    want.sum().backward()
    losses.sum().backward()
    assert logits.grad is not None
    assert clean.grad is not None
    assert logits.grad[:, 1].isnan().all()
    assert torch.equal(logits.grad[:, ::2], clean.grad[:, ::2])


def test_logits_that_are_all_minus_infinity_are_no_distribution(side: str) -> None:
    logits = torch.zeros(2, 1, 3)
    logits[1] = -math.inf
    assert ctc_loss(logits, [[1]]).isnan()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_states_far_below_the_others_are_not_lost(dtype: torch.dtype) -> None:
    # The network is sure of label 2 for a thousand steps; the one alignment of the target goes through label 1.
    logits = torch.zeros(1000, 1, 3, dtype=dtype)
    logits[:, 0, 2] = 200.0
    logits.requires_grad_()
    got = ctc_loss(logits, [[1]])
    want = 1000 * 200.0 - math.log(1000 * 1001 / 2)  # a run of label 1, from any step to any step
    assert got.item() == pytest.approx(want, rel=1e-7)
    got.backward()
    assert logits.grad is not None
    assert torch.allclose(logits.grad.sum(2), torch.zeros((), dtype=dtype), atol=1e-4)
    assert torch.allclose(logits.grad[:, 0, 2], torch.ones((), dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e4, 1e8, 1e30])
def test_extreme_logits_have_finite_losses_and_gradients(dtype: torch.dtype, scale: float) -> None:
    logits = scale * torch.randn(50, 4, 6, dtype=dtype, generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    losses = ctc_loss(logits, [[1, 2, 3], [4, 4], [], [5]], reduction="none")
    losses.sum().backward()
    assert logits.grad is not None
    assert losses.isfinite().all()
    assert (losses >= 0).all()
    assert logits.grad.isfinite().all()
    assert float(logits.grad.abs().max()) <= 1 + 1e-4
    if scale == 1e4:
        want = functional.ctc_loss(
            logits.detach().double().log_softmax(2), torch.tensor([1, 2, 3, 4, 4, 5]), [50] * 4, [3, 2, 0, 1], 0, "none"
        )
        assert torch.allclose(losses.double(), want, rtol=1e-6)


def test_every_form_of_targets_and_lengths(side: str) -> None:
    logits = torch.randn(6, 3, 5)
    rows = [[1, 2, 2], [], [4]]
    padded = torch.tensor([[1, 2, 2, -7], [99, 0, 0, 0], [4, -1, -1, -1]])
    flat = torch.tensor([1, 2, 2, 4])
    want = ctc_loss(logits, rows, [6, 0, 3])
    lengths, targets = torch.tensor([6, 0, 3]), torch.tensor([3, 0, 1])
    for given in (
        (padded, lengths, targets),
        (flat, lengths, targets),
        (flat, (6, 0, 3), (3, 0, 1)),
        (flat.numpy(), lengths.numpy(), targets.numpy()),
        (padded.int(), lengths.int(), targets.int()),
        ([torch.tensor(row, dtype=torch.int64) for row in rows], [6, 0, 3], None),
        (rows, [6, 0, 3], [3, 0, 1]),
    ):
        assert torch.equal(ctc_loss(logits, *given), want)
    alone = ctc_loss(logits[:, 0], torch.tensor([1, 2, 2]))
    assert torch.equal(alone, ctc_loss(logits[:, :1], [[1, 2, 2]]))
    none = ctc_loss(logits[:, 0], torch.tensor([1, 2, 2]), 6, 3, reduction="none")
    assert none.shape == ()
    assert torch.equal(none / 3, alone)
    assert torch.equal(ctc_loss(logits[:0], [[], [], []], reduction="none"), torch.zeros(3))


def test_reductions_are_torchs(side: str) -> None:
    case = draw(11, feasible=True)
    for reduction in ("mean", "sum", "none"):
        want = functional.ctc_loss(case.logits.log_softmax(2), *arguments(case), case.blank, reduction)
        got = ctc_loss(case.logits, *arguments(case), case.blank, reduction)
        assert_close(got, want, len(case.logits))
        module = CTCLoss(case.blank, reduction)(case.logits, *arguments(case))
        assert torch.equal(module, got)


def test_logarithms_of_probabilities_do_as_well_as_logits(side: str) -> None:
    case = draw(5, feasible=True)
    log_probs = case.logits.log_softmax(2)
    assert_close(ours(case, log_probs), ours(case, case.logits), len(log_probs))


def test_any_layout_of_memory(side: str) -> None:
    torch.manual_seed(0)
    targets = [[1, 2], [3, 3], [4]]
    dense = torch.randn(7, 3, 5)
    layouts = [
        dense.transpose(0, 1).contiguous().transpose(0, 1),
        dense.permute(2, 0, 1).contiguous().permute(1, 2, 0),
        torch.stack([dense, dense], dim=3)[..., 0],
        torch.cat([dense, dense], dim=2)[:, :, :5],
        torch.cat([dense, dense])[:7],
    ]
    base = dense.clone().requires_grad_()
    want = ctc_loss(base, targets)
    want.backward()
    assert base.grad is not None
    for layout in layouts:
        x = layout.detach().requires_grad_()
        got = ctc_loss(x, targets)
        got.backward()
        assert x.grad is not None
        assert torch.equal(got, want)
        assert torch.equal(x.grad, base.grad)
    same = torch.randn(1, 1, 5).expand(7, 3, 5)
    assert torch.equal(ctc_loss(same, targets), ctc_loss(same.contiguous(), targets))


def test_types_of_16_bits_are_computed_in_32(side: str) -> None:
    case = draw(2, feasible=True)
    for dtype in (torch.float16, torch.bfloat16):
        logits = (case.logits / 50).to(dtype).requires_grad_()
        losses = ours(case, logits)
        assert losses.dtype == torch.float32
        assert torch.equal(losses, ours(case, logits.float()))
        losses.sum().backward()
        assert logits.grad is not None
        assert logits.grad.dtype == dtype


LOGITS = torch.zeros(4, 2, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([0.0], [[1]]), "expected logits to be a Tensor, got list"),
        ((torch.zeros(3), [[1]]), r"expected logits \[T, B, V\] or, for one sequence, \[T, V\]; got \[3\]"),
        ((torch.zeros(2, 1, 3, dtype=torch.int64), [[1]]), "expected logits of a floating-point type, got torch.int64"),
        ((torch.zeros(2, 0, 3), []), r"expected at least one sequence and one label, got logits \[2, 0, 3\]"),
        ((LOGITS, [[1]]), "expected a list of labels for each of 2 sequences, got 1 entries"),
        ((LOGITS, [[1], [3]]), r"label 0 of target 1 is 3, expected a label from 0 to 2"),
        ((LOGITS, [[1], [2, 0]]), r"label 1 of target 1 is 0, which is the blank"),
        ((LOGITS, [[1], [-1]]), r"label 0 of target 1 is -1, expected a label from 0 to 2"),
        ((LOGITS, [[1], [1.5]]), r"expected targets\[1\] to be whole numbers, got float64"),
        ((LOGITS, "ab"), "expected targets to be a Tensor or a list of label lists, got str"),
        ((LOGITS, torch.ones(3, 2, dtype=torch.int64)), r"expected targets \[B, S\] with B = 2, or \[N\]"),
        ((LOGITS, torch.ones(2, dtype=torch.int64)), "so target_lengths are needed to part them"),
        ((LOGITS, torch.ones(2, 2)), "expected targets to be whole numbers, got torch.float32"),
        ((LOGITS, [[1], [2]], [4, 5]), r"input_lengths\[1\] is 5, expected 0 to T = 4"),
        ((LOGITS, [[1], [2]], [4, -1]), r"input_lengths\[1\] is -1, expected 0 to T = 4"),
        ((LOGITS, [[1], [2]], [4]), r"expected input_lengths to be one number for each of 2 sequences, got \[1\]"),
        ((LOGITS, [[1], [2]], [[4], [4, 4]]), "got rows of different lengths"),
        ((LOGITS, [[1], [2]], None, [1, 2]), "target_lengths differ from the lengths of the lists"),
        ((LOGITS, torch.ones(2, 2, dtype=torch.int64), None, [1, 3]), r"target_lengths\[1\] is 3, expected 0 to 2"),
        ((LOGITS, torch.ones(3, dtype=torch.int64), None, [1, 1]), "target_lengths add up to 2, but there are 3"),
    ],
)
def test_what_does_not_fit_is_refused(given: Any, message: str, side: str) -> None:
    with pytest.raises(DataError, match=message):
        ctc_loss(*given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blank": 3}, "blank is 3, expected the number of a label, from 0 to 2"),
        ({"blank": -1}, "blank is -1"),
        ({"reduction": "max"}, "reduction is 'max', expected one of 'none', 'mean', 'sum'"),
        ({"infeasible": "zero"}, "infeasible is 'zero', expected one of 'raise', 'inf'"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0, expected a share from 0 to below 1"),
        ({"label_smoothing": math.nan}, "label_smoothing is nan"),
        ({"blank_penalty": math.inf}, "blank_penalty is inf, expected a finite number of nats"),
    ],
)
def test_options_that_do_not_exist_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ctc_loss(LOGITS, [[1], [2]], **options)
    if "blank" not in options:
        with pytest.raises(ConfigurationError, match=message):
            CTCLoss(**options)


def test_needed_steps_do_not_count_repeats_across_targets() -> None:
    from gatewise.tasks.ctc.pairs import Pairs

    pairs = Pairs(np.array([1, 0, 2, 3]), np.array([1, 1, 1, 1, 1]), np.array([0, 1, 1, 3, 5]))
    assert pairs.needed.tolist() == [1, 0, 3, 3]
    assert pairs.infeasible.tolist() == [2]


def test_the_tolerance_can_fail() -> None:
    case = draw(7, feasible=True)
    shifted = ours(case, case.logits) * (1 + 10 * tolerance(torch.float64, len(case.logits)))
    with pytest.raises(AssertionError):
        assert_close(shifted, ours(case, case.logits), len(case.logits))
