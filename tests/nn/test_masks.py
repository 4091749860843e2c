"""Dropout masks: published numbers, and the compiled core against the definition in torch operations, bit for bit."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from gatewise.backends import cpu
from gatewise.backends import masks as core
from gatewise.nn.masks import LOW, Draw, keep, philox, scaled

# Counter, key and result for seven rounds: known answers that Random123, the library of the paper's authors, is tested
# with (kat_vectors).
KNOWN = [
    "00000000 00000000 00000000 00000000 00000000 00000000 5f6fb709 0d893f64 4f121f81 4f730a48",
    "ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 5207ddc2 45165e59 4d8ee751 8c52f662",
    "243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 4dfccaba 190a87f0 c47362ba b6b5242a",
]
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("line", KNOWN)
def test_philox_gives_the_published_numbers(line: str) -> None:
    numbers = [torch.tensor(int(word, 16)) for word in line.split()]
    assert list(philox(*numbers[:6])) == numbers[6:]


@pytest.mark.parametrize("drawn_by", ["torch", "core"])
def test_a_mask_compares_the_published_numbers_with_its_rate(drawn_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen bits for each unit, the lower half of a number first; kept is what lies below (1 - rate) 2^16."""
    if drawn_by == "torch":
        monkeypatch.setattr(cpu, "core", None)
    zero, zeros, like = torch.tensor(0), torch.zeros(1, dtype=torch.int64), torch.zeros((), dtype=torch.float64)
    words = [int(word, 16) for word in KNOWN[0].split()[6:]]
    halves = [half for word in words for half in (word & 0xFFFF, word >> 16)]
    for bound in {value for half in halves for value in (half, half + 1)}:
        mask = keep(zero, 0, zeros, zeros, 8, 1 - bound / 2**16, like)
        assert mask.flatten().tolist() == [float(half < bound) for half in halves]


def in_torch(*arguments: Any, **more: Any) -> Tensor:
    """The definition."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "core", None)
        return keep(*arguments, **more)


def assert_bits_equal(trials: int, seed: int = 0) -> None:
    """The core against the definition: any seed, stream, number, width, rate, dtype and number of threads."""
    dice, threads = random.Random(seed), torch.get_num_threads()

    def whole() -> int:
        return dice.choice([dice.randrange(100), LOW, dice.getrandbits(62), -dice.getrandbits(63) - 1])

    def numbers(count: int) -> Tensor:
        return torch.tensor([whole() for _ in range(2 * count)], dtype=torch.int64)[::2]

    try:
        for trial in range(trials):
            # One to five counters a vector, and more than are worked on together.
            width = dice.choice([0, 1 + trial % 40, 1 + trial % 40, dice.randrange(1, 3000)])
            rate = dice.choice([0.0, 1e-7, 1e-4, 0.1, 0.5, 1 - 1e-6, 1.0, dice.random()])
            times, sequences = numbers(dice.randrange(5)), numbers(dice.randrange(9))
            like = torch.empty((), dtype=dice.choice(DTYPES))
            arguments = (torch.tensor(whole()), whole(), times, sequences, width, rate, like)
            torch.set_num_threads(dice.choice([1, 2, 3]))
            assert core.supports(like, arguments[0], times, sequences)
            for scale in (False, True):
                want, got = in_torch(*arguments, scale=scale), keep(*arguments, scale=scale)
                assert got.shape == want.shape == (len(times), len(sequences), width)
                assert got.dtype == want.dtype == like.dtype
                assert got.is_contiguous()
                assert torch.equal(got, want), arguments
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("enough_for_a_thread", [1, core.WORTH_A_THREAD])
def test_the_core_draws_the_same_bits(enough_for_a_thread: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "WORTH_A_THREAD", enough_for_a_thread)
    assert_bits_equal(400)


@pytest.mark.parametrize("drawn_by", ["torch", "core"])
def test_each_kind_of_mask(drawn_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes, the share that is kept, the mean, and that none is another's part."""
    if drawn_by == "torch":
        monkeypatch.setattr(cpu, "core", None)
    draw = Draw(torch.tensor(5), torch.arange(3, 23), step=7)
    like = nn.Parameter(torch.zeros(40, 50))
    moving = draw.moving(2, 4, 50, 0.25, like)
    still = draw.still(2, 50, 0.25, like)
    weight = draw.of_weight(2, 0.25, like)
    for mask, shape in ((moving, (4, 20, 50)), (still, (1, 20, 50)), (weight, (40, 50))):
        assert mask.shape == shape
        assert not mask.requires_grad
        assert set(mask.unique().tolist()) == {0.0, 1.0}
        assert abs(mask.mean().item() - 0.75) < 0.03
    for first, second in ((moving[0], still[0]), (moving[0], moving[1]), (still[0], weight[3:23])):
        assert abs((first == second).float().mean().item() - 0.625) < 0.06
    assert torch.equal(Draw(draw.seed, draw.sequences[4:6], step=8).moving(2, 1, 50, 0.25, like), moving[1:2, 4:6])
    assert torch.equal(draw.moving(2, 4, 50, 0.25, like, scale=True), scaled(moving, 0.25))
    assert torch.equal(draw.still(2, 50, 0.25, like, scale=True), scaled(still, 0.25))
    assert torch.equal(draw.of_weight(2, 0.25, like, scale=True), scaled(weight, 0.25))


class Watching(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class Subclass(Tensor):
    pass


def test_the_core_stays_away_where_torchs_operations_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same mask comes out in torch operations; a traced one takes another seed."""

    def mask(like: Tensor, seed: Tensor, sequences: Tensor) -> Tensor:
        return Draw(seed, sequences).moving(1, 4, 5, 0.5, like, scale=True)

    like, seed, sequences = torch.zeros(2), torch.tensor(3), torch.arange(6)
    want = mask(like, seed, sequences)
    compiled = torch.compile(mask, backend="eager", fullgraph=True)

    def never(*arguments: Any) -> Tensor:
        raise AssertionError("the core was called")

    monkeypatch.setattr(core, "draw", never)
    with pytest.raises(AssertionError, match="was called"):
        mask(like, seed, sequences)
    assert torch.equal(compiled(like, seed, sequences), want)
    for mode in (Watching(), Dispatched()):
        with mode:
            assert torch.equal(mask(like, seed, sequences), want)
    mapped = torch.func.vmap(lambda one: mask(one, seed, sequences) * one.sum())(torch.ones(3, 2))
    assert torch.equal(mapped, 2 * want.expand(3, -1, -1, -1))
    assert torch.equal(mask(like.as_subclass(Subclass), seed, sequences).as_subclass(Tensor), want)
    assert torch.equal(mask(like, seed.as_subclass(Subclass), sequences).as_subclass(Tensor), want)
    with FakeTensorMode() as fake:
        given = [fake.from_tensor(tensor) for tensor in (like, seed, sequences)]
        assert mask(*given).shape == want.shape
    with pytest.warns((DeprecationWarning, torch.jit.TracerWarning)):
        traced = torch.jit.trace(mask, (like, seed, sequences), check_trace=False)
    other = in_torch(seed + 1, 1, torch.arange(4), sequences, 5, 0.5, like, scale=True)
    assert torch.equal(traced(like, seed + 1, sequences), other)
    assert mask(like.to("meta"), seed.to("meta"), sequences.to("meta")).is_meta


def test_numbers_and_masks_of_other_dtypes_are_left_to_torch() -> None:
    seed, numbers, like = torch.tensor(3), torch.arange(6), torch.zeros(())
    want = keep(seed, 1, numbers[:4], numbers, 5, 0.5, like)
    assert core.supports(like, seed, numbers)
    for changed in (seed.int(), seed.to(torch.uint8)):
        assert not core.supports(like, changed, numbers)
        assert torch.equal(keep(changed, 1, numbers[:4], numbers, 5, 0.5, like), want)
    assert not core.supports(like, seed, numbers.int())
    whole = torch.zeros((), dtype=torch.int64)
    assert not core.supports(whole, seed, numbers)
    assert torch.equal(keep(seed, 1, numbers[:4], numbers, 5, 0.5, whole), want.to(torch.int64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": np.zeros((2, 3, 4), dtype=np.int8)}, "16, 32 or 64 bits"),
        ({"first": np.zeros(3, dtype=np.int64)}, "for each of its steps"),
        ({"second": np.zeros(2, dtype=np.int64)}, "for each of its steps"),
        ({"bound": -1}, "bound must be"),
        ({"bound": 2**16 + 1}, "bound must be"),
        ({"kept": 2**32}, "must fit"),
        ({"threads": 0}, "needs a thread"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    assert cpu.core is not None
    good: dict[str, Any] = {
        "mask": np.full((2, 3, 4), 7, dtype=np.int32),
        "first": np.zeros(2, dtype=np.int64),
        "second": np.zeros(3, dtype=np.int64),
        "seed": 0,
        "stream": 0,
        "bound": 2**16,
        "kept": 5,
        "threads": 1,
    }
    cpu.core.draw_mask(**good)
    assert (good["mask"] == 5).all()
    with pytest.raises(ValueError, match=message):
        cpu.core.draw_mask(**{**good, **change})
    for other in (good["mask"][:, ::2], good["mask"][0], np.broadcast_to(good["mask"][:1], (2, 3, 4))):
        with pytest.raises(TypeError):
            cpu.core.draw_mask(**{**good, "mask": other})


def test_every_level_draws_the_same_bits() -> None:
    assert cpu.core is not None, "the tests need the compiled core: install with a C++ compiler"
    script = "from tests.nn import test_masks as t; t.assert_bits_equal(60, 1); print(t.cpu.core.level())"
    for level in cpu.core.levels():
        outcome = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "GATEWISE_CPU_LEVEL": level},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert outcome.stdout.strip() == level, outcome.stderr
