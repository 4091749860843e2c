"""Plans for single steps, packed matrices and the core's streams: what they are made of, and what the core refuses."""

from typing import Any

import pytest
import torch

from gatewise import cells
from gatewise.backends import cpu
from gatewise.backends.plan import FUSED, PACK, Plan, own_places, plan
from gatewise.backends.stepper import BUSY, CHANGED, CHUNK
from gatewise.equations.program import compile
from gatewise.errors import CellError
from tests.backends.plans import SIZES, Listing, Recorder, Stage, chosen, core, made


def forward(name: str, *, stepwise: bool, double: bool = False, to: Any = None) -> Plan:
    step = chosen(name).trace()
    schedule = compile(step, (step.output,)).forward
    sizes = tuple(sorted(SIZES.items()))
    return plan(to or core(), schedule, sizes, double, own_places(step.parameters), stepwise=stepwise)


def products(name: str, *, stepwise: bool) -> dict[str, list[Stage]]:
    listing = Listing.decode(forward(name, stepwise=stepwise, to=Recorder).core.numbers)
    return {
        phase: [stage for stage in stages if stage.kind in (PACK, FUSED)] for phase, stages in listing.phases.items()
    }


@pytest.mark.parametrize("name", ["lstm", "peephole", "cifg", "elman"])
def test_for_single_steps_both_matrices_of_a_sum_are_packed_together(name: str) -> None:
    apart, together = products(name, stepwise=False), products(name, stepwise=True)
    (first,), (second,) = apart["before"], apart["loop"]
    assert all(start >= 0 for start in second.starts)
    assert not together["before"]
    (only,) = together["loop"]
    assert [width for _, width in only.factors] == [SIZES["X"], SIZES["H"]]
    assert len(only.outputs) == len(second.outputs) == len(first.outputs)
    assert all(start < 0 for start in only.starts)
    # Output by output the input's matrix, then the state's: the order of the sum.
    assert only.matrices == [m for pair in zip(first.matrices, second.matrices, strict=True) for m in pair]


def test_a_product_that_is_not_added_to_another_stays_where_it_was() -> None:
    # Of the GRU's candidate the reset gate comes between W x and U h.
    together = products("gru", stepwise=True)
    assert [len(stage.outputs) for stage in together["before"]] == [1]
    assert sorted((len(stage.factors), len(stage.outputs)) for stage in together["loop"]) == [(1, 1), (2, 2)]


@pytest.mark.parametrize("name", cells.list())
def test_both_plans_do_the_same_work(name: str) -> None:
    one, other = (forward(name, stepwise=stepwise, to=Recorder) for stepwise in (False, True))
    assert (one.work, one.streams, one.states, one.results) == (other.work, other.streams, other.states, other.results)
    core().Plan(other.core.numbers, other.core.constants, False)  # which the core can read


class TestPacked:
    def tensors(self, name: str, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
        step = chosen(name).trace()
        return [torch.ones([SIZES[width] for width in p.shape], dtype=dtype) for p in step.parameters.values()]

    def test_fewer_bits_take_less_memory(self) -> None:
        step = chosen("lstm").trace()
        sizes = tuple(sorted({**SIZES, "X": 128, "H": 128}.items()))
        plain = plan(core(), compile(step, (step.output,)).forward, sizes, False, own_places(step.parameters))
        tensors = [torch.ones([128] * len(p.shape)) for p in step.parameters.values()]
        full, half, quarter = (cpu.packed(plain, tensors, weights).bytes for weights in (None, "bf16", "int8"))
        fences = 256  # of builds that watch memory
        assert 0 <= full - 4 * 4 * 128 * 256 <= fences
        assert abs(half * 2 - full) <= fences
        assert full / 4 < quarter < full / 3.8

    def test_parameters_that_are_too_small(self) -> None:
        with pytest.raises(CellError, match="parameter 0 must have at least 30 elements"):
            cpu.packed(forward("lstm", stepwise=False), [torch.ones(2)] * 12, None)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"parameters": [1]}, "other parameters than it needs"),
            ({"weights": 3}, "in fewer bits for float only"),
            ({"weights": -1}, "in fewer bits for float only"),
        ],
    )
    def test_what_does_not_fit(self, change: dict[str, Any], message: str) -> None:
        tensors = self.tensors("lstm")
        given = {"plan": forward("lstm", stepwise=False).core, "parameters": [t.data_ptr() for t in tensors]}
        with pytest.raises(ValueError, match=message):
            core().Packed(**{**given, "weights": 0, **change})

    def test_few_bits_are_for_forward_plans_of_float(self) -> None:
        tensors = [tensor.data_ptr() for tensor in self.tensors("lstm", torch.float64)]
        double = forward("lstm", stepwise=False, double=True).core
        with pytest.raises(ValueError, match="in fewer bits for float only"):
            core().Packed(double, tensors, 1)
        with pytest.raises(ValueError, match="in fewer bits for the forward only"):
            core().Packed(made("lstm", "backward", core=core()).core, tensors, 1)

    def test_matrices_of_another_plan(self) -> None:
        one, other = forward("lstm", stepwise=False), forward("peephole", stepwise=False)
        packed = cpu.packed(other, self.tensors("peephole"), None)
        with pytest.raises(ValueError, match="packed for another plan"):
            core().run([one.core], [[1] * 26], [False], 1, 1, [], 1, False, [packed])
        with pytest.raises(ValueError, match="expected the matrices of each plan"):
            core().run([one.core], [[1] * 26], [False], 1, 1, [], 1, False, [packed, packed])


class TestStream:
    def given(self, name: str = "lstm") -> dict[str, Any]:
        used = forward(name, stepwise=True)
        self.tensors = TestPacked().tensors(name)
        step = chosen(name).trace()
        widths = [SIZES[str(leaf.width)] for leaf in step.states.values()]
        self.states = [torch.zeros(2, 3, width) for width in widths]
        return {
            "most_steps": 1,
            "packed": cpu.packed(used, self.tensors, None),
            "sources": [0],
            "parameters": [tensor.data_ptr() for tensor in self.tensors],
            "states": [half.data_ptr() for state in self.states for half in state],
            "widths": widths,
            "result": SIZES["H"],
            "threads": 1,
            "by_units": False,
            "multiplications": used.work,
        }

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"most_steps": 0}, "other tensors than it needs"),
            ({"sources": []}, "other tensors than it needs"),
            ({"sources": [1]}, "reads an input that is not there"),
            ({"parameters": [1]}, "other tensors than it needs"),
            ({"states": [1, 2]}, "other tensors than it needs"),
            ({"widths": [6, 7]}, "a state has another width"),
            ({"widths": [6]}, "other tensors than it needs"),
            ({"result": 5}, "other tensors than it needs"),
            ({"threads": 0}, "other tensors than it needs"),
        ],
    )
    def test_layers_that_do_not_fit(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            core().Stream(3, [SIZES["X"]], [], False).add(**{**self.given(), **change})

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((0, [5], [], False), "expected a sequence and an input"),
            ((1, [], [], False), "expected a sequence and an input"),
            ((1, [5, 2], [], False), "expected a sequence and an input"),
            ((1, [0], [], False), "inputs of at least one unit"),
        ],
    )
    def test_sizes_that_do_not_fit(self, arguments: tuple[Any, ...], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            core().Stream(*arguments)

    def test_runs_that_do_not_fit(self) -> None:
        stream = core().Stream(3, [SIZES["X"]], [], False)
        x, out = torch.ones(4, 3, SIZES["X"]), torch.empty(4, 3, SIZES["H"])
        ports = [x.data_ptr(), x.stride(0), x.stride(1), out.data_ptr(), out.stride(0), out.stride(1)]
        with pytest.raises(ValueError, match="other tensors than it needs"):
            stream.run(4, ports)  # no layer yet
        stream.add(**self.given())
        for steps, wrong in ((0, ports), (4, ports[:3]), (4, [*ports, 1, 1, 1])):
            with pytest.raises(ValueError, match="other tensors than it needs"):
                stream.run(steps, wrong)
        assert stream.run(4, ports) == 0  # by single steps: there is no plan for several
        assert stream.steps() == 4
        assert out.isfinite().all()

    def test_turns_and_changes(self) -> None:
        stream = core().Stream(3, [SIZES["X"]], [], False)
        stream.add(**self.given())
        output = torch.empty(3, SIZES["H"])
        stream.give(output, output, output.data_ptr(), SIZES["H"])
        table: dict[str, Any] = {"weight": self.tensors[0]}
        stream.follow(table, "weight", self.tensors[0])
        x = torch.ones(3, SIZES["X"])
        assert stream.step(x) is output
        assert stream.enter()
        assert not stream.enter()
        assert stream.step(x) == BUSY
        stream.leave()
        assert stream.step(x) is output
        del table["weight"]
        assert stream.step(x) == CHANGED
        table["weight"] = self.tensors[0]
        assert stream.step(x) is output
        self.tensors[0].add_(0)
        assert stream.step(x) == CHANGED


def test_a_chunk_has_room_for_the_products_of_several_lines() -> None:
    # Two slots more than a chunk has steps, a power of two: what the core rounds to.
    assert (CHUNK + 2) & (CHUNK + 1) == 0
