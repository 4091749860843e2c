"""Times count only where results are right."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.speed.accuracy import (
    OWN_ERRORS,
    ROUNDING,
    SAME_FUNCTION,
    Standard,
    Values,
    errors,
    limits,
    objection,
)
from benchmarks.speed.case import Case, Comparison, Contender, Settings
from benchmarks.speed.measurement import measure, ratio, refusal
from benchmarks.speed.points import Point
from benchmarks.speed.problem import Problem, Task

POINT = Point(2, 5, 6)


def standard(own: float = 1e-6) -> Standard:
    return Standard({"output": torch.tensor([1.0, -2.0], dtype=torch.float64)}, {"output": own})


def test_the_error_is_relative_to_the_largest_true_value() -> None:
    truth = torch.tensor([1.0, -4.0], dtype=torch.float64)
    assert errors({"a": torch.tensor([1.0, -3.0])}, {"a": truth}) == {"a": 0.25}
    assert errors({"a": torch.tensor([0.5])}, {"a": torch.zeros(1, dtype=torch.float64)}) == {"a": 0.5}


def test_the_error_of_a_gradient_that_vanishes_is_relative_to_the_others() -> None:
    true = {"a": 4.0, "zero": 1e-17, "small": 1e-6}
    truth = {f"gradient of {name}": torch.tensor([value]).double() for name, value in true.items()}
    truth["output"] = torch.tensor([1e-17]).double()
    got = {"gradient of a": 4.0, "gradient of zero": 1e-8, "gradient of small": 2e-6, "output": 1e-8}
    found = errors({name: torch.tensor([value]) for name, value in got.items()}, truth)
    assert found["gradient of zero"] == pytest.approx(1e-8 / 4)
    assert found["gradient of small"] == pytest.approx(1)
    assert found["output"] == pytest.approx(1e9)  # no output vanishes by the equations


@pytest.mark.parametrize("got", [torch.zeros(3), torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("inf")])])
def test_shapes_and_numbers_that_are_none_are_infinitely_wrong(got: Tensor) -> None:
    assert errors({"a": got}, {"a": torch.tensor([1.0, 2.0], dtype=torch.float64)}) == {"a": float("inf")}


def test_what_is_missing_is_infinitely_wrong() -> None:
    assert errors({}, standard().truth) == {"output": float("inf")}


@pytest.mark.parametrize(("times", "right"), [(1.0, True), (3.9, True), (4.1, False), (float("nan"), False)])
def test_ours_may_have_four_times_the_error_of_torch(times: float, right: bool) -> None:
    said = objection({"output": times * 1e-6}, limits(standard(1e-6)))
    assert (said is None) == right
    assert right or (said is not None and said.startswith("error of output"))


def test_an_error_of_torch_below_rounding_counts_as_rounding() -> None:
    assert limits(standard(0.0)) == {"output": OWN_ERRORS * ROUNDING}
    assert limits(standard(0.0), bound=1e-2) == {"output": 1e-2}


def test_being_as_wrong_as_torch_is_not_enough() -> None:
    assert limits(standard(0.3)) == {"output": SAME_FUNCTION}


def test_the_worst_value_is_named() -> None:
    allowed = {"a": 1e-6, "b": 1e-6}
    said = objection({"a": 2e-6, "b": 1e-5}, allowed)
    assert said == "error of b 1.0e-05, allowed 1.0e-06"


def changed(name: str, by: Callable[[Tensor], Tensor | None]) -> Callable[[Task], Task]:
    """A task whose result is another in one place."""

    def wrong(task: Task) -> Task:
        def values() -> Values:
            found = task.values()
            value = by(found.pop(name))
            return found if value is None else {**found, name: value}

        return Task(task.call, values)

    return wrong


def measured(ours: Callable[[Task], Task], rival: Callable[[Task], Task], timed: bool = True) -> dict[str, object]:
    def contenders(point: Point, settings: Settings) -> list[Contender]:
        problem = Problem(point, training=True, seed=settings.seed)
        layer = problem.torch_layer()
        task = problem.task(problem.torch_forward(layer), dict(layer.named_parameters()))
        return [
            Contender("ours", ours(task), problem.standard),
            Contender("rival", rival(task), problem.standard, SAME_FUNCTION),
            Contender("other", task, problem.standard, SAME_FUNCTION),
        ]

    comparisons = (
        Comparison("ours vs rival", "ours", ("rival",)),
        Comparison("ours vs other", "ours", ("other",)),
        Comparison("ours vs the best", "ours", ("rival", "other")),
        Comparison("ours vs who is not there", "ours", ("nobody",)),
    )
    case = Case("case", "Case", "", (POINT,), contenders, comparisons, training=True)
    return measure(case, POINT, Settings(threads=1, quick=True, timed=timed))["ratios"]


def same(task: Task) -> Task:
    return task


def test_right_contenders_have_ratios() -> None:
    ratios = measured(same, same)
    assert set(ratios) == {"ours vs rival", "ours vs other", "ours vs the best"}
    for found in ratios.values():
        assert isinstance(found, dict)
        assert found["low"] <= found["ratio"] <= found["high"]


def test_a_wrong_rival_is_refused_wherever_it_takes_part() -> None:
    ratios = measured(same, changed("output", lambda value: value * 1.01))
    for name in ("ours vs rival", "ours vs the best"):
        found = ratios[name]
        assert isinstance(found, dict)
        assert set(found) == {"refused"}
        assert found["refused"].startswith("rival: error of output 1.0e-02")
    found = ratios["ours vs other"]
    assert isinstance(found, dict)
    assert "ratio" in found


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("output", lambda value: value + 2e-5),
        ("gradient of weight_hh_l0", lambda value: value * (1 + 2e-5)),
        ("gradient of x", lambda value: value.transpose(0, 1)),
        ("gradient of bias_hh_l0", lambda value: None),
    ],
    ids=["output", "gradient of U", "gradient of x", "no gradient of a bias"],
)
def test_ours_is_refused_for_any_value_that_is_wrong(name: str, by: Callable[[Tensor], Tensor | None]) -> None:
    ratios = measured(changed(name, by), same)
    for found in ratios.values():
        assert isinstance(found, dict)
        assert found["refused"].startswith(f"ours: error of {name}")


def test_without_times_only_what_is_refused_is_said() -> None:
    assert measured(same, same, timed=False) == {}
    assert set(measured(same, changed("output", lambda value: -value), timed=False)) == {
        "ours vs rival",
        "ours vs the best",
    }


def test_a_rival_may_be_less_accurate_than_ours() -> None:
    found = measured(same, changed("output", lambda value: value * (1 + 2e-5)))["ours vs rival"]
    assert isinstance(found, dict)
    assert "ratio" in found


def test_the_fastest_rival_counts_and_a_ratio_is_scaled() -> None:
    comparison = Comparison("some", "ours", ("slow", "fast", "absent"), scale=0.75)
    seconds = {"ours": [1.0, 2.0, 1.0], "slow": [9.0, 1.0, 9.0], "fast": [4.0, 4.0, 4.0]}
    assert ratio(comparison, set(seconds), seconds) == {"rival": "fast", "ratio": 3.0, "low": 2.25, "high": 3.0}
    assert refusal(comparison, dict.fromkeys(seconds)) is None
    assert refusal(comparison, {**dict.fromkeys(seconds), "slow": "it is wrong"}) == "slow: it is wrong"
