"""The all-blank plateau: recognised, said once, and left."""

from typing import Any

import pytest
import torch
from tests.tasks.ctc_cases import draw

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc import BlankPlateau, Emission, emission, greedy


def test_what_best_paths_are_made_of() -> None:
    for seed in range(60):
        case = draw(seed)
        found = emission(case.logits, case.input_lengths, blank=case.blank)
        best = greedy(case.logits, case.input_lengths, blank=case.blank)
        spoken = sum(end - start for h in best for start, end in zip(h.starts, h.ends, strict=True))
        steps = int(case.input_lengths.sum())
        assert found == Emission(sum(len(h.labels) for h in best), steps - spoken, steps)
    assert emission(torch.zeros(0, 2, 3)) == Emission()
    assert Emission(1, 2, 3) + Emission(10, 20, 30) == Emission(11, 22, 33)
    with pytest.raises(DataError, match="expected logits"):
        emission(torch.zeros(3))
    with pytest.raises(ConfigurationError, match="blank is 3"):
        emission(torch.zeros(2, 3), blank=3)


def run(watch: BlankPlateau, losses: list[float], labels: list[int]) -> list[str | None]:
    return [
        watch.observe(loss=loss, emission=Emission(labels=count, blanks=990, steps=1000), expected=100)
        for loss, count in zip(losses, labels, strict=True)
    ]


def test_a_plateau_is_said_once_and_its_end_too() -> None:
    watch = BlankPlateau()
    said = run(watch, [9.0, 3.1, 3.09, 3.08, 3.08, 2.0, 1.0], [0, 0, 1, 0, 4, 6, 90])
    assert [text is not None for text in said] == [False, False, False, True, False, True, False]
    assert said[3] is not None
    assert said[3].startswith(
        "Epochs 2 to 4 were on the all-blank plateau: the blank is the likeliest label at 99.0% of steps, 0 of 100 "
        "labels are written, and the loss went from 3.1 to 3.08. "
    )
    for remedy in ("joining neighbouring frames", "deviation 1", "smaller batches", "blank_penalty=1"):
        assert remedy in said[3]
    assert said[5] == "Epoch 6 has left the all-blank plateau: 6 of 100 labels are written."
    assert watch.since is None
    assert watch.epochs == 7


def test_a_run_that_writes_or_learns_is_on_no_plateau() -> None:
    assert run(BlankPlateau(), [3.0, 3.0, 3.0, 3.0], [5, 5, 5, 5]) == [None] * 4
    assert run(BlankPlateau(), [3.0, 2.9, 2.8, 2.7, 2.6], [0] * 5) == [None] * 5
    assert run(BlankPlateau(), [3.0, 3.0, 3.0, 3.0], [0, 9, 0, 0]) == [None] * 4


def test_a_loss_that_grows_is_no_way_off_the_plateau_and_a_second_one_is_said_again() -> None:
    watch = BlankPlateau(patience=2)
    said = run(watch, [3.0, 3.2, 3.0, 3.0, 3.0], [0, 0, 50, 0, 0])
    assert [text is not None for text in said] == [False, True, True, False, True]
    assert watch.since == 4
    once = BlankPlateau(patience=1)
    assert run(once, [3.0], [0])[0] is not None


def test_targets_without_labels_are_no_plateau() -> None:
    watch = BlankPlateau(patience=1)
    assert watch.observe(loss=1.0, emission=Emission(0, 10, 10), expected=0) is None


@pytest.mark.parametrize("options", [{"patience": 0}, {"emitted": 1.0}, {"improvement": 0.0}, {"emitted": "few"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"BlankPlateau: {next(iter(options))} is"):
        BlankPlateau(**options)
