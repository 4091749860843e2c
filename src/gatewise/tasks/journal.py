"""The journal of an estimator's fit."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import torch

from gatewise.data.fingerprint import fingerprint
from gatewise.errors import TrainingError
from gatewise.training import About, Checkpoints, Interrupt, Journal, kept_journal
from gatewise.training.team_journal import following, led
from gatewise.training.workers import STOPPED, Team, current_team, described


class _Estimator(Protocol):
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...


@contextmanager
def fit_journal(
    model: _Estimator,
    task: str,
    checkpoints: Checkpoints | str | os.PathLike[str] | None,
    *,
    data: Any,
    size: str,
    start: Mapping[str, torch.Tensor] | None,
) -> Iterator[Journal]:
    """The journal of a fit: one that remembers nothing, or one that is kept where `checkpoints` says.

    Args:
        model: the estimator; its parameters (but for `progress`) belong to the run.
        task: its name.
        checkpoints: see `Checkpoints`; a path stands for one with defaults; None for none.
        data: all that is trained on, see `fingerprint`.
        size: how much that is, in words.
        start: the weights that training starts from, or None.

    Raises:
        CheckpointError: the checkpoints cannot be used, or are of another run.
        TrainingInterrupted: a fit with checkpoints was told to stop.
    """
    team = current_team()
    if team is not None and not team.leads:
        with Interrupt(saves=True) as interrupt:
            yield following(team, interrupt)
        return
    with Interrupt(saves=checkpoints is not None) as interrupt, _heard(team):
        if checkpoints is None:
            yield led(Journal(interrupt), team, interrupt)
            return
        options = checkpoints if isinstance(checkpoints, Checkpoints) else Checkpoints(checkpoints)
        parameters = {name: _plain(v) for name, v in model.get_params(deep=False).items() if name != "progress"}
        weights = None if start is None else {name: value.cpu().numpy() for name, value in start.items()}
        about = About.of(task, parameters, fingerprint((data, weights)), size)
        with kept_journal(options, about, interrupt) as journal:
            yield led(journal, team, interrupt)


@contextmanager
def _heard(team: Team | None) -> Iterator[None]:
    """Within, the other workers are told when the first one cannot go on."""
    try:
        yield
    except BaseException as error:
        if team is not None and team.listening:
            with suppress(TrainingError):  # they are gone, which is why
                team.tell(STOPPED, described(error))
        raise


def _plain(value: Any) -> Any:
    # Pairs, because the keys of a JSON object are always text, and labels may be numbers.
    return sorted([str(key), value[key]] for key in value) if isinstance(value, Mapping) else value
