"""A journal that is kept in checkpoints, and a fit that goes on where its journal ends."""

import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from gatewise.errors import CheckpointError, CheckpointWarning, TrainingError, TrainingInterrupted
from gatewise.training.about import About
from gatewise.training.directory import RunDirectory
from gatewise.training.interrupt import Interrupt
from gatewise.training.journal import Journal, Part
from gatewise.training.record import Record, RunRecord
from gatewise.training.saving import Checkpoints, Interval


@contextmanager
def kept_journal(
    checkpoints: Checkpoints, about: About, signals: Interrupt, clock: Callable[[], float] = time.monotonic
) -> Iterator[Journal]:
    """The journal of a fit in a folder, which this process owns within.

    A request to stop raises KeyboardInterrupt at once between runs and while one is validated, and waits for the end of
    a step elsewhere; what was done is then written, and TrainingInterrupted raised.

    Args:
        checkpoints: where, how often, how many.
        about: what the fit is of.
        signals: entered; asks to stop, or for a checkpoint.
        clock: seconds from a fixed moment on.

    Raises:
        CheckpointError: the folder cannot be used, or its run is not of this task, these parameters and these data.
        TrainingInterrupted: somebody asked to stop.
    """
    given = checkpoints.directory
    directory = given if isinstance(given, RunDirectory) else RunDirectory(given)
    with nullcontext() if directory is given else directory:
        journal = _Kept(directory, checkpoints, about, signals, clock)
        try:
            with signals.at_once():
                yield journal
        except KeyboardInterrupt as error:
            # A second request while a run is under way is not to cost what its checkpoints hold of it.
            if not signals.requested or journal.running:
                raise
            raise journal.stopped() from error
        journal.finished()


class _Kept(Journal):
    """See `kept_journal`, which makes and ends it.

    On a folder with checkpoints it first gives back what they hold: finished runs with their weights, decisions with
    what was decided, the clock as it was read. Where the record ends the run that was under way goes on, and the clock
    with it.
    """

    def __init__(
        self,
        directory: RunDirectory,
        options: Checkpoints,
        about: About,
        signals: Interrupt,
        clock: Callable[[], float],
    ) -> None:
        # An interrupt of its own, not entered: signals end this fit by exceptions, `finish` ends it with what it has.
        super().__init__(Interrupt(), clock)
        self._directory, self._options, self._signals = directory, options, signals
        self._every = Interval.parse(options.every)
        self._running: dict[str, Any] | None = None  # the signature of the run under way
        self._readings = self._runs = 0  # that this fit has come past
        self._asked: set[str] = set()  # decisions that it has come past
        self._zero = math.nan  # what the clock shows when the fit has taken no second; not a number until it goes on
        self._changed = False
        found = directory.newest()
        if found is None and options.finish:
            raise CheckpointError(f"There is no checkpoint in {directory.path}: there is no run to finish.")
        if found is None:
            self._record = Record(about)
            self._write_or_raise(None, "The run cannot be begun")
        else:
            self._record = Record.of_checkpoint(found)
            self._record.about.check(about, directory.path, options.allow_changed_data)
            self._record.about = about
        self._saved, self._steps = self._record.seconds, 0
        self._log_all()
        self._finish_at_the_end()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._running is not None

    def clock(self) -> float:
        with self._signals.at_once(False):
            if self._readings == len(self._record.readings):
                self._record.readings.append(self.now())
            self._readings += 1
            self._finish_at_the_end()
            return self._record.readings[self._readings - 1]

    def now(self) -> float:
        if math.isnan(self._zero):
            self._zero = self._time() - self._record.seconds
        return self._time() - self._zero

    def decide(self, name: str, decision: Callable[[], Any]) -> Any:
        if name not in self._record.decisions:
            # As it will be read again: the fit is to see the same now and then.
            made = super().decide(name, decision)
            with self._signals.at_once(False):
                self._record.decisions[name] = made
                for run in self._record.finished:
                    run.part.tensors = {k: t for k, t in run.part.tensors.items() if not k.startswith("gathered.")}
                self._changed = True
        self._asked.add(name)
        self._finish_at_the_end()
        return self._record.decisions[name]

    def begin(self, signature: Mapping[str, Any]) -> Part | None:
        wanted: dict[str, Any] = json.loads(json.dumps(signature, allow_nan=False))
        if self._runs < len(self._record.finished):
            known = self._record.finished[self._runs]
            self._check(known, wanted)
            self._runs += 1
            self._finish_at_the_end()
            return known.part
        self.now()  # from here on time counts again
        self._running, known = wanted, self._record.under_way
        if self._options.finish:
            self.interrupt.request()
        if known is None:
            return None
        self._check(known, wanted)
        self._record.under_way = None
        return known.part

    def log(self, row: Mapping[str, Any]) -> None:
        assert self._running is not None
        if self._options.finish:
            return
        try:
            self._directory.append_log({"run": self._running["name"], **row})
        except OSError as error:
            self._warn(f"A line of the log could not be written: {error.strerror}.")

    def end(self, part: Part) -> None:
        assert self._running is not None
        self._record.finished.append(RunRecord(self._running, part))
        self._runs += 1
        self._running, self._changed = None, True

    def pause(self, state: Callable[[], Part], steps: int = 0) -> None:
        self._steps += steps
        self._changed = True
        if self._signals.requested:
            self._write_or_raise(state(), "Training was interrupted and cannot be saved")
            raise self._interrupted()
        due = self._steps >= self._every.steps or self.now() - self._saved >= self._every.seconds
        if self._signals.take_save() or due:
            try:
                self._write(state())
            except OSError as error:
                self._saved, self._steps = self.now(), 0  # the next one is due in its time
                self._warn(f"A checkpoint could not be written: {error.strerror}. Training goes on; {self._newest()}")

    def rescue(self, state: Callable[[], Part]) -> str:
        part = state()
        if self._options.finish or not (part.values["best_epoch"] or self._record.finished):
            return ""  # nothing that could be made a model of
        try:
            self._write(part)
        except OSError as error:
            return f" The state before that step could not be written ({error.strerror}); {self._newest()}"
        except TrainingError:
            return f" The state before that step is not finite either; {self._newest()}"
        return f" The state before that step is kept in {self._directory.path}."

    def waiting(self) -> AbstractContextManager[None]:
        return self._signals.at_once(False)

    def repeatable(self) -> AbstractContextManager[None]:
        return self._signals.at_once()

    def finished(self) -> None:
        """The fit has come to its end: its result is written."""
        if self._changed:
            try:
                self._write(None)
            except OSError as error:
                self._warn(f"The last checkpoint could not be written: {error.strerror}; {self._newest()}")

    def stopped(self) -> TrainingInterrupted:
        """Writes a fit that was stopped between runs; the error to raise."""
        if self._changed:
            self._write_or_raise(None, "Training was interrupted and cannot be saved")
        return self._interrupted()

    def _write(self, part: Part | None) -> None:
        if self._options.finish:
            return
        under_way = self._record.under_way  # on record, as long as this fit has not come to it
        if part is not None and self._running is not None:
            under_way = RunRecord(self._running, part)
        self._record.seconds = self.now()
        state, tensors = replace(self._record, under_way=under_way).to_checkpoint()
        self._directory.write(state, tensors, self._options.keep)
        self._saved, self._steps, self._changed = self._record.seconds, 0, False

    def _write_or_raise(self, part: Part | None, what: str) -> None:
        try:
            self._write(part)
        except OSError as error:
            where = self._directory.path
            raise CheckpointError(
                f"{what}: writing a checkpoint to {where} failed: {error.strerror}. Make room there, or choose another "
                f"folder; {self._newest()}"
            ) from error

    def _newest(self) -> str:
        there = self._directory.checkpoints()
        return f"the newest checkpoint is {list(there.values())[-1]}." if there else "there is no checkpoint yet."

    def _interrupted(self) -> TrainingInterrupted:
        return TrainingInterrupted(
            f"Training was interrupted and is saved in {self._directory.path}. The same call goes on from there."
        )

    def _check(self, known: RunRecord, signature: Mapping[str, Any]) -> None:
        different = [
            f"{name} was {json.dumps(known.signature.get(name))}, is {json.dumps(signature.get(name))}"
            for name in sorted(known.signature.keys() | signature.keys())
            if known.signature.get(name) != signature.get(name)
        ]
        if different:
            raise CheckpointError(
                f"The run in {self._directory.path} cannot go on here: {'; '.join(different)}. With other data, and on "
                "another machine or version, a fit may decide otherwise: train into another folder."
            )

    def _finish_at_the_end(self) -> None:
        record = self._record
        left = self._readings < len(record.readings) or self._runs < len(record.finished)
        if self._options.finish and not left and record.under_way is None and self._asked >= record.decisions.keys():
            self.interrupt.request()

    def _log_all(self) -> None:
        if self._options.finish:
            return
        try:
            self._directory.write_log(self._record.rows())
        except OSError as error:
            self._warn(f"The log could not be written: {error.strerror}.")

    def _warn(self, text: str) -> None:
        warnings.warn(text, CheckpointWarning, stacklevel=3)
