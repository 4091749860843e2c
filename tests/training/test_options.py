"""Options refuse what they cannot mean; schedules and the average do what they say."""

import itertools

import pytest

from gatewise.errors import ConfigurationError
from gatewise.training import TrainingOptions
from gatewise.training.schedule import SCHEDULES, learning_rate_factor


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_epochs", 0, "max_epochs is 0, expected a whole number of at least 1"),
        ("max_epochs", True, "max_epochs is True"),
        ("max_epochs", 2.5, "max_epochs is 2.5"),
        ("patience", 0, "patience is 0"),
        ("max_minutes", 0.0, "max_minutes is 0.0, expected a number above 0"),
        ("learning_rate", -1e-3, "learning_rate is -0.001, expected a number above 0"),
        ("learning_rate", float("nan"), "learning_rate is nan"),
        ("learning_rate", "fast", "learning_rate is 'fast'"),
        ("weight_decay", -0.1, "weight_decay is -0.1, expected a number at least 0"),
        ("clip_norm", 0, "clip_norm is 0"),
        ("warmup", 1.0, "warmup is 1.0, expected a number at least 0 and below 1"),
        ("average_decay", 1.0, "average_decay is 1.0"),
        ("swa_from", -0.1, "swa_from is -0.1"),
        ("weight_noise", -0.1, "weight_noise is -0.1"),
        ("schedule", "cosinus", 'did you mean "cosine"'),
    ],
)
def test_bad_options_are_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TrainingOptions(**{name: value})  # type: ignore[arg-type]


def test_there_is_one_average_at_a_time() -> None:
    with pytest.raises(ConfigurationError, match=r"average_decay is 0\.9 and swa_from is 0\.5, .* set one of"):
        TrainingOptions(average_decay=0.9, swa_from=0.5)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_schedules_rise_to_the_peak_and_never_leave_the_unit_interval(schedule: str) -> None:
    factors = [learning_rate_factor(schedule, step, 100, warmup=0.1) for step in range(120)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[10] == 1.0
    assert all(0.0 <= factor <= 1.0 for factor in factors)
    assert all(later <= earlier for earlier, later in itertools.pairwise(factors[10:]))
    assert schedule == "constant" or factors[100] == pytest.approx(0.0)
