"""A fit by two workers of which one was cut goes on to the same bits. `tests/long/cuts.py --workers 2` cuts more."""

from pathlib import Path
from typing import Literal

import pytest
from tests.resuming import DIVISIBLE, TASKS
from tests.resuming_teams import Worker, team_differences, whole_team

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
WHOLE: dict[str, list[Worker]] = {}


def whole(name: str) -> list[Worker]:
    """Of a task, fitted once."""
    if name not in WHOLE:
        WHOLE[name] = whole_team(TASKS[name](), 2)
    return WHOLE[name]


@pytest.mark.parametrize(("who", "how", "part"), [(0, "kill", 0.4), (1, "kill", 0.7), (1, "signal", 0.5)])
@pytest.mark.parametrize("name", DIVISIBLE)
def test_a_team_that_was_cut_goes_on_to_the_same_bits(
    name: str, who: int, how: Literal["signal", "kill"], part: float, tmp_path: Path
) -> None:
    """Weights, optimiser, averages, log, choices and notes, and the random states of each worker."""
    expected = whole(name)
    at = max(1, round(part * expected[who].moments))
    assert team_differences(expected, TASKS[name](), tmp_path / "run", who, at, how) == []


@pytest.mark.parametrize("name", DIVISIBLE)
def test_workers_have_the_same_fit_and_draw_apart(name: str) -> None:
    first, second = whole(name)
    assert first.outcome == second.outcome
    assert first.runs.keys() == second.runs.keys()
    assert not set(first.runs.values()) & set(second.runs.values())  # the random states belong to them
