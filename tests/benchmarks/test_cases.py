"""Every case of the registry compares things that compute the same."""

import pytest
import torch

from benchmarks.speed.accuracy import SAME_FUNCTION, errors
from benchmarks.speed.case import Case, Settings
from benchmarks.speed.cases import streaming
from benchmarks.speed.contenders import COMPILED_STEP, EAGER, SCRIPTED, loop
from benchmarks.speed.kinds import LAYER_NORMED, PEEPHOLE, PLAIN, Kind
from benchmarks.speed.points import BATCHES, FEW, GRID, LOOPS, QUICK, TEN, Point
from benchmarks.speed.problem import Problem
from benchmarks.speed.registry import CASES, COMPARISONS
from benchmarks.speed.selection import Selection

SMALL = Point(3, 7, 5)
pytestmark = pytest.mark.filterwarnings(r"ignore:`torch\.jit\.script:DeprecationWarning")


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_all_contenders_compute_the_same(case: Case) -> None:
    if (reason := case.missing()) is not None:
        pytest.skip(reason)
    point = Point(1, 1, 5) if case.name == "streaming" else SMALL
    contenders = case.contenders(point, Settings(threads=1, quick=True))
    names = {contender.name for contender in contenders}
    for comparison in case.comparisons:
        assert comparison.ours in names
        assert names.intersection(comparison.rivals)
    with torch.inference_mode(not case.training):
        for contender in contenders:
            found = errors(contender.task.values(), contender.standard.truth)
            bound = contender.bound or SAME_FUNCTION
            assert max(found.values()) < bound, f"{contender.name}: {found}"
            contender.task.call()


def test_rivals_in_streaming_carry_their_state_on() -> None:
    contenders = streaming.rivals(Point(1, 1, 5), Settings(threads=1))
    assert len(contenders) == 4
    with torch.inference_mode():
        for contender in contenders:
            contender.task.call()
            found = errors(contender.task.values(), contender.standard.truth)
            assert max(found.values()) < SAME_FUNCTION, f"{contender.name}: {found}"


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
def test_the_truth_is_torchs_in_float64(training: bool, ragged: bool) -> None:
    problem = Problem(SMALL, training=training, ragged=ragged, layers=2, bidirectional=True)
    layer = problem.torch_layer().double()
    task = problem.task(problem.torch_forward(layer), dict(layer.named_parameters()), torch.float64)
    with problem.mode():
        found = errors(task.values(), problem.standard.truth)
    gradients = {f"gradient of {name}" for name in ("x", *problem.weights)}
    assert set(found) == {"output"} | (gradients if training else {"h", "c"})
    assert max(found.values()) < 1e-12
    assert 0 < max(problem.standard.own.values()) < 1e-5


@pytest.mark.parametrize("kind", [PEEPHOLE, LAYER_NORMED], ids=lambda kind: kind.name)
def test_loops_compute_the_cell(kind: Kind) -> None:
    problem = Problem(SMALL, training=True, kind=kind)
    found = errors(loop(problem, EAGER).task.values(), problem.standard.truth)
    assert max(found.values()) < 1e-5
    assert {name for name in found if name.startswith("gradient")} == {
        f"gradient of {n}" for n in ("x", *problem.weights)
    }


@pytest.mark.parametrize("kind", [PLAIN, PEEPHOLE, LAYER_NORMED], ids=lambda kind: kind.name)
def test_rounding_does_not_grow_along_a_sequence(kind: Kind) -> None:
    own = Problem(Point(2, 300, 16), training=True, kind=kind).standard.own
    assert max(own.values()) < 1e-5


def test_a_scripted_loop_computes_the_cell() -> None:
    problem = Problem(SMALL, training=True, kind=PEEPHOLE)
    contender = loop(problem, SCRIPTED)
    for _ in range(contender.warmups):  # after a few calls it runs what it has compiled
        found = errors(contender.task.values(), problem.standard.truth)
    assert max(found.values()) < 1e-5


def test_a_loop_that_was_not_written_is_not_made_up() -> None:
    with pytest.raises(ValueError, match="a cell with a loop"):
        loop(Problem(SMALL, training=True), COMPILED_STEP)


def test_problems_are_drawn_from_the_seed() -> None:
    first, again, other = (Problem(SMALL, training=True, ragged=True, seed=seed) for seed in (3, 3, 4))
    for name in ("x", "gradient"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))
    assert not torch.equal(first.x, first.gradient)
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in first.weights)
    assert first.lengths is not None
    assert int(first.lengths.max()) == SMALL.steps


def test_names_are_unique_and_points_are_of_the_grid() -> None:
    assert len(COMPARISONS) == sum(len(case.comparisons) for case in CASES.values())
    assert len(set(GRID)) == len(GRID) == 27
    assert len(TEN) == 10
    for few in (TEN, FEW, LOOPS, QUICK):
        assert set(few) <= set(GRID)
    assert set(BATCHES) <= set(GRID)
    assert min(point.batch for point in BATCHES) > 1  # one sequence alone is not ragged


def test_selections() -> None:
    everything = Selection()
    assert {case.name for case, _ in everything.jobs(1)} == set(CASES)
    assert "streaming" not in {case.name for case, _ in everything.jobs(2)}
    chosen = Selection(("training", "peephole"), ("32/32/128",)).jobs(1)
    assert [(case.name, str(point)) for case, point in chosen] == [("training", "32/32/128"), ("peephole", "32/32/128")]
    few = Selection(("training", "stored"), quick=True).jobs(2)
    assert [str(point) for case, point in few] == [*map(str, QUICK), "1/32/256"]
    assert Selection(quick=True).seconds(few) < everything.seconds(everything.jobs(2))


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(("nothing",)), "there is no case nothing"),
        (Selection(("training",), ("2/3/4",)), "no case chosen has the point 2/3/4"),
        (Selection(points=("32/32",)), "expected a point B/T/H"),
        (Selection(points=("0/32/32",)), "expected a point B/T/H"),
    ],
)
def test_what_is_not_there_cannot_be_selected(selection: Selection, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        selection.jobs(1)
