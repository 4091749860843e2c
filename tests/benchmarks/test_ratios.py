"""Ratios of times, and contenders that take turns."""

import math
import statistics
from collections.abc import Callable

import pytest

from benchmarks.speed.ratios import Spread, geometric_mean, paired, slope, spread
from benchmarks.speed.timing import Plan, interleaved


def test_a_disturbance_that_falls_on_a_whole_round_does_not_move_the_ratio() -> None:
    # The machine is ten times as slow in two rounds of five; ratios of medians would see it in one column only.
    slow = [1, 10, 1, 10, 1]
    ours, rival = [1.0 * factor for factor in slow], [1.5 * factor for factor in slow]
    assert paired(rival, ours) == Spread(1.5, 1.5, 1.5)


def test_the_ratio_is_the_median_of_ratios_and_not_the_ratio_of_medians() -> None:
    rival, ours = [1.0, 4.0, 9.0], [1.0, 2.0, 1.0]
    assert statistics.median(rival) / statistics.median(ours) == 4
    assert paired(rival, ours).median == 2


def test_quartiles_are_those_of_the_rounds() -> None:
    assert spread([5.0, 1.0, 4.0, 2.0, 3.0]) == Spread(3, 2, 4)
    assert spread([7.0]) == Spread(7, 7, 7)
    assert Spread(3, 2, 4).scaled(0.5) == Spread(1.5, 1, 2)


def test_rounds_that_cannot_be_paired_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        paired([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="at least one value"):
        spread([])


def test_twice_as_fast_and_half_as_fast_are_equal_on_average() -> None:
    assert math.isclose(geometric_mean([0.5, 2.0, 1.0]), 1)


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_the_slope_is_the_power(power: float) -> None:
    sizes = [10, 100, 1_000, 100_000]
    assert math.isclose(slope(sizes, [3 * size**power for size in sizes]), power)


class Machine:
    """A clock, and calls that move it on by their durations."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made: list[str] = []

    def clock(self) -> float:
        return self.now

    def call(self, name: str, seconds: float) -> Callable[[], None]:
        def made() -> None:
            self.made.append(name)
            self.now += seconds

        return made


def test_each_round_begins_with_another_contender() -> None:
    machine = Machine()
    calls = {name: machine.call(name, 0.02) for name in "abc"}
    found = interleaved(calls, Plan(most=4, least=4), clock=machine.clock)
    warm = 3 * 3
    assert "".join(machine.made[warm:]) == "abc" + "bca" + "cab" + "abc"
    assert {name: len(values) for name, values in found.seconds.items()} == {"a": 4, "b": 4, "c": 4}


def test_short_calls_are_repeated_until_a_sample_is_long_enough() -> None:
    machine = Machine()
    short, long = 2**-13, 2**-6  # seconds that a clock can add up without rounding
    calls = {"short": machine.call("short", short), "long": machine.call("long", long)}
    found = interleaved(calls, Plan(sample=2**-9), clock=machine.clock)
    assert found.inner == {"short": 16, "long": 1}
    assert set(found.seconds["short"]) == {short}
    assert set(found.seconds["long"]) == {long}
    assert paired(found.seconds["long"], found.seconds["short"]).median == long / short


@pytest.mark.parametrize(("seconds", "rounds"), [(1e-3, 21), (0.1, 15), (1.0, 5)])
def test_long_points_have_fewer_rounds(seconds: float, rounds: int) -> None:
    machine = Machine()
    plan = Plan(most=21, least=5, seconds=1.5, sample=1e-6)
    found = interleaved({"only": machine.call("only", seconds)}, plan, clock=machine.clock)
    assert len(found.seconds["only"]) == rounds


def test_what_needs_it_is_warmed_up_longer() -> None:
    machine = Machine()
    calls = {"a": machine.call("a", 1.0), "b": machine.call("b", 1.0)}
    interleaved(calls, Plan(most=1, least=1), {"b": 8}, machine.clock)
    assert machine.made.count("a") == 3 + 1
    assert machine.made.count("b") == 8 + 1
