"""Search for an estimator's parameters with Optuna (Akiba et al. 2019), on the validation part, kept on the disk.

A trial is one fit. Which parameters it has follows from the seed and from the trials before it (tree-structured Parzen
estimator: Bergstra et al. 2011), so that a search that goes on later tries what it would have tried. A trial whose
first run is worse after an epoch than the median of the trials before it was then is pruned.
"""

import importlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from gatewise.errors import ConfigurationError, DataError, TrainingError
from gatewise.search import Choice, Range, Search
from gatewise.training.interrupt import Interrupt
from gatewise.training.listening import Epoch, listening

FILE, STUDY = "trials.jsonl", "gatewise"
FREE, SILENT = 5, 2  # trials that nothing is compared with, and epochs that decide nothing
Ended = Literal["complete", "pruned", "failed", "interrupted"]


class Tunable(Protocol):
    """What an estimator has that can be tuned."""

    validation_: dict[str, Any]
    history_: list[dict[str, Any]]


@dataclass(frozen=True)
class Trial:
    """One fit of a search.

    Attributes:
        number: from 0 on; the first one is that of the defaults, as far as they are in the space.
        parameters: that were tried.
        value: the metric; None unless it is complete.
        ended: how.
        seconds: it took.
        why: what made it fail; empty otherwise.
    """

    number: int
    parameters: dict[str, Any]
    value: float | None
    ended: Ended
    seconds: float
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Itself, of JSON types."""
        return asdict(self)


class Study:
    """The trials of a search, in a folder; made or gone on with.

    Args:
        folder: that is there.
        search: what is tried, and what counts.
        seed: of the choice of parameters.
        defaults: what is tried first.

    Raises:
        ConfigurationError: Optuna is not installed.
    """

    def __init__(self, folder: Path, search: Search, seed: int, defaults: Mapping[str, Any]) -> None:
        try:
            self._optuna: Any = importlib.import_module("optuna")
        except ImportError as error:
            raise ConfigurationError(
                'Searching needs Optuna, which is not installed: pip install "gatewise[tune]"'
            ) from error
        self._optuna.logging.set_verbosity(self._optuna.logging.ERROR)
        journal = importlib.import_module("optuna.storages.journal")
        storage = self._optuna.storages.JournalStorage(journal.JournalFileBackend(str(folder / FILE)))
        self._search, self._seed = search, seed
        self._study = self._optuna.create_study(
            storage=storage,
            study_name=STUDY,
            direction="minimize",
            load_if_exists=True,
            pruner=self._optuna.pruners.MedianPruner(n_startup_trials=FREE, n_warmup_steps=SILENT),
        )
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._study.tell(trial.number, state=states.FAIL)  # its process was killed
        if not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(
                {name: value for name, value in defaults.items() if _has(search.space, name, value)}
            )

    @property
    def trials(self) -> list[Trial]:
        """Those that have ended, the best ones first: complete ones by their metric, then the others."""
        found = [self._trial(trial) for trial in self._study.get_trials(deepcopy=False) if trial.state.is_finished()]
        return sorted(found, key=lambda trial: (trial.value is None, trial.value or 0.0, trial.number))

    @property
    def done(self) -> int:
        """How many trials have ended by themselves."""
        return sum(trial.ended != "interrupted" for trial in self.trials)

    @property
    def best(self) -> Trial | None:
        """The complete trial with the lowest metric."""
        trials = self.trials
        return trials[0] if trials and trials[0].value is not None else None

    def run(self, fit: Callable[[dict[str, Any]], Tunable], keep: Callable[[Tunable, Trial], None]) -> Trial:
        """Run one more trial.

        Args:
            fit: a new estimator with these parameters, fitted.
            keep: what is done with an estimator that is better than all before; done before the trial counts.

        Raises:
            DataError: of `fit`; the trial does not count.
            ConfigurationError: of `fit`, likewise.
            KeyboardInterrupt: somebody asked to stop; the trial does not count.
        """
        self._study.sampler = self._optuna.samplers.TPESampler(
            seed=self._seed + len(self._study.get_trials(deepcopy=False)), n_startup_trials=FREE
        )
        asked = self._study.ask()
        parameters = {name: self._suggest(asked, name, kind) for name, kind in self._search.space.items()}
        asked.set_user_attr("parameters", json.dumps(parameters))
        began, value, why = time.monotonic(), None, ""
        ended: Ended = "interrupted"
        pruned, interrupt = self._optuna.TrialPruned, Interrupt()
        try:
            with interrupt, _pruning(asked, pruned):
                estimator = fit(parameters)
            stopped = interrupt.requested or any(run["stopped"] == "interrupted" for run in estimator.history_)
            if stopped:
                raise KeyboardInterrupt
            value = float(estimator.validation_[self._search.metric])
            ended = "complete"
            best = self.best
            if best is None or best.value is None or value < best.value:
                keep(estimator, Trial(asked.number, parameters, value, "complete", time.monotonic() - began))
        except pruned:
            ended = "pruned"
        except TrainingError as error:
            if interrupt.requested:
                raise KeyboardInterrupt from error
            ended, why = "failed", str(error)
        except KeyError as error:
            if error.args != (self._search.metric,):
                raise
            raise DataError(
                f'there is no validation part to judge by (no "{self._search.metric}"): more data, or a validation '
                "share above 0, is needed"
            ) from error
        finally:
            for name, said in {"ended": ended, "seconds": time.monotonic() - began, "why": why}.items():
                asked.set_user_attr(name, said)
            states = self._optuna.trial.TrialState
            state = {"complete": states.COMPLETE, "pruned": states.PRUNED}.get(ended, states.FAIL)
            self._study.tell(asked, value, state=state)
        return next(trial for trial in self.trials if trial.number == asked.number)

    def _suggest(self, trial: Any, name: str, kind: Range | Choice) -> Any:
        if isinstance(kind, Choice):
            return trial.suggest_categorical(name, list(kind.values))
        if kind.whole:
            return trial.suggest_int(name, int(kind.low), int(kind.high), log=kind.log)
        return trial.suggest_float(name, kind.low, kind.high, log=kind.log)

    def _trial(self, trial: Any) -> Trial:
        noted, states = trial.user_attrs, self._optuna.trial.TrialState
        ended: Ended = "failed" if noted.get("ended") == "failed" else "interrupted"
        if trial.state in (states.COMPLETE, states.PRUNED):
            ended = "complete" if trial.state is states.COMPLETE else "pruned"
        value = trial.value if ended == "complete" else None
        parameters = json.loads(noted.get("parameters", "{}"))
        return Trial(trial.number, parameters, value, ended, noted.get("seconds", 0.0), noted.get("why", ""))


@contextmanager
def _pruning(trial: Any, pruned: type[Exception]) -> Iterator[None]:
    """Within, the first run of a fit is compared with the first runs of other trials, epoch by epoch."""
    first: list[str] = []

    def hear(epoch: Epoch) -> None:
        if not first:
            first.append(epoch.run)
        if epoch.run != first[0] or epoch.best is None or not math.isfinite(epoch.best):
            return
        trial.report(epoch.best, epoch.number)
        if trial.should_prune():
            raise pruned

    with listening(hear):
        yield


def _has(space: Mapping[str, Range | Choice], name: str, value: Any) -> bool:
    kind = space.get(name)
    if isinstance(kind, Choice):
        return value in kind.values
    return isinstance(kind, Range) and isinstance(value, int | float) and kind.low <= value <= kind.high
