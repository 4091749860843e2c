"""Operations that mix units: their meaning, written out, and their derivative rules against autograd."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import gatewise.cells
from gatewise.equations import Expr, constant, fold, mean, normalise, normalise_jointly, parameter, repeat, state, total
from gatewise.equations.formula import spell
from gatewise.equations.rows import TABLE, rstd, spread
from gatewise.errors import CellError
from tests.equations.plain_loop import evaluate

BATCH = 3
SIZES = {"H": 6, "K": 2, "P": 1, "X": 5}


def numbers(width: str, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(BATCH, SIZES[width], generator=generator, dtype=torch.float64).requires_grad_()


def vectors(count: int, width: str = "H") -> list[Expr]:
    return [state(f"v{k}", width) for k in range(count)]


def number() -> Expr:
    return total(state("v0", "P"))  # one unit: the number itself


CASES: dict[str, Callable[[], Expr]] = {
    "mean": lambda: mean(*vectors(1)),
    "total": lambda: total(*vectors(1)),
    "spread": lambda: spread(number(), "H"),
    "normalise 1": lambda: normalise(*vectors(1)),
    **{f"normalise {k} of 4": lambda k=k: normalise_jointly(*vectors(4))[k] for k in range(4)},
    "normalise one unit": lambda: normalise_jointly(*vectors(2, "P"))[1],
    "normalise twice the same": lambda: normalise_jointly(state("v0"), state("v1"), state("v0"))[2],
    "rstd 1": lambda: rstd(*vectors(1)),
    "rstd 4": lambda: rstd(*vectors(4)),
    "rstd twice the same": lambda: rstd(state("v0"), state("v0"), state("v1")),
    "repeat": lambda: repeat(state("v0", "K"), "H"),
    "fold": lambda: fold(state("v0"), "K"),
}


def joint(values: list[Tensor]) -> tuple[Tensor, Tensor]:
    whole = torch.cat(values, -1)
    centre = whole.sum(-1, keepdim=True) / whole.shape[-1]
    return centre, (((whole - centre) ** 2).sum(-1, keepdim=True) / whole.shape[-1] + 1e-5).sqrt()


def by_definition(node: Expr, values: list[Tensor]) -> Tensor:
    match node.op:
        case "mean":
            return values[0].sum(-1, keepdim=True).expand_as(values[0]) / values[0].shape[-1]
        case "total":
            return values[0].sum(-1, keepdim=True)
        case "spread":
            return torch.cat([values[0]] * SIZES["H"], -1)
        case "normalise":
            centre, deviation = joint(values)
            return (values[int(node.attr or 0)] - centre) / deviation
        case "rstd":
            return (1 / joint(values)[1]).expand_as(values[0])
        case "repeat":
            return torch.stack([values[0][:, k // 3] for k in range(6)], -1)
        case "fold":
            return torch.stack([values[0][:, :3].sum(-1), values[0][:, 3:].sum(-1)], -1)
    raise AssertionError(node.op)


@pytest.mark.parametrize("case", CASES)
def test_values_and_derivative_rules(case: str) -> None:
    node = CASES[case]()
    operands = list(dict.fromkeys(node.args))
    known = {arg: numbers(arg.width or "P", seed) for seed, arg in enumerate(operands)}
    want = by_definition(node, [known[arg] for arg in node.args])
    (got,) = evaluate([node], known, {}, SIZES, BATCH)
    torch.testing.assert_close(got, want, rtol=1e-13, atol=1e-13)

    adjoint = state("g", node.width) if node.width else total(state("g", "P"))
    g = numbers(node.width or "P", 99).detach()
    gradients = torch.autograd.grad(want, [known[arg] for arg in operands], g)
    rules = TABLE[node.op].derivative(node, adjoint)
    assert len(rules) == len(node.args)
    for arg, expected in zip(operands, gradients, strict=True):
        parts = [rule for rule, of in zip(rules, node.args, strict=True) if of is arg and rule is not None]
        found = evaluate(parts, {**known, adjoint: g}, {}, SIZES, BATCH)
        assert all(part.width == arg.width for part in parts)
        torch.testing.assert_close(torch.stack(found).sum(0), expected, rtol=1e-12, atol=1e-12)


def test_every_row_operation_is_covered() -> None:
    assert {case.split()[0] for case in CASES} == set(TABLE)


def test_equal_units_have_finite_gradients() -> None:
    node = normalise_jointly(*vectors(2))[0]
    known = {arg: torch.ones(BATCH, 6, dtype=torch.float64) for arg in node.args}
    rules = [rule for rule in TABLE["normalise"].derivative(node, state("g")) if rule is not None]
    for found in evaluate(rules, {**known, state("g"): numbers("H", 1).detach()}, {}, SIZES, BATCH):
        assert found.isfinite().all()


def test_a_parameter_may_stand_first_among_batched_vectors() -> None:
    from gatewise.backends.operations import row

    unbatched, batched = torch.arange(6.0, dtype=torch.float64), numbers("H", 1).detach()
    for node in (*normalise_jointly(parameter("b"), state("v0")), rstd(parameter("b"), state("v0"))):
        want = by_definition(node, [unbatched.expand(BATCH, 6), batched])
        got = row(node, [unbatched, batched], SIZES)
        torch.testing.assert_close(got, want, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: mean(constant(2)), r"mean\(2\): the operand is a scalar; a vector is needed"),
        (lambda: total(parameter("a", None)), r"total\(a\): the operand is a scalar"),
        (lambda: normalise(constant(1)), r"normalise\(1\): the operand is a scalar"),
        (lambda: normalise_jointly(), "needs at least one vector"),
        (lambda: normalise_jointly(state("h"), state("k", "K")), r"need one width, got `h` \[H\], `k` \[K\]"),
        (lambda: repeat(state("h"), "H"), "has the width H already"),
        (lambda: fold(constant(1), "K"), "the operand is a scalar"),
    ],
)
def test_what_does_not_fit(build: Any, message: str) -> None:
    with pytest.raises(CellError, match=message):
        build()


@pytest.mark.parametrize(
    ("build", "text", "latex"),
    [
        (lambda: mean(state("h")), "mean(h)", r"\operatorname{mean}\left(h_{t-1}\right)"),
        (lambda: total(state("h")), "total(h)", r"\operatorname{sum}\left(h_{t-1}\right)"),
        (lambda: spread(number(), "H"), "spread(total(v0))", None),
        (lambda: normalise(state("h")), "normalise(h)", r"\operatorname{norm}\left(h_{t-1}\right)"),
        (
            lambda: normalise_jointly(state("h"), state("c"))[1],
            "normalise(h, c)[1]",
            r"\operatorname{norm}\left(h_{t-1}, c_{t-1}\right)_{1}",
        ),
        (lambda: rstd(state("h")), "rstd(h)", r"\operatorname{rstd}\left(h_{t-1}\right)"),
        (lambda: repeat(state("k", "K")), "repeat(k)", r"\operatorname{repeat}\left(k_{t-1}\right)"),
        (lambda: fold(state("h"), "K"), "fold(h)", r"\operatorname{fold}\left(h_{t-1}\right)"),
    ],
)
def test_spelling(build: Callable[[], Expr], text: str, latex: str | None) -> None:
    assert spell(build()) == text
    assert latex is None or spell(build(), style="latex") == latex


def test_every_published_cell_can_be_written_in_latex() -> None:
    for name in gatewise.cells.list():
        lines = gatewise.cells.get(name)().trace().latex().splitlines()
        assert (lines[0], lines[-1]) == (r"\begin{aligned}", r"\end{aligned}")
        for line in lines:
            assert line.count("{") == line.count("}")
            assert line.count(r"\left(") == line.count(r"\right)")
