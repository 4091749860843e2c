"""Progress bars on stderr: of a training run, and of anything that is counted."""

import time
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")

# A run shorter than this needs no bar; a bar that flashes by only disturbs.
SHOW_AFTER_SECONDS = 0.5


class ProgressBar:
    """Epochs, batches a second and the monitored metric; shown on a terminal only, and only if training lasts.

    `done` batches were trained before, by a run that goes on here.

    >>> with ProgressBar(enabled=False, label="training", max_epochs=2, batches_per_epoch=10) as bar:
    ...     bar.step(epoch=1, loss=0.5)
    """

    def __init__(self, *, enabled: bool, label: str, max_epochs: int, batches_per_epoch: int, done: int = 0) -> None:
        console = Console(stderr=True)
        self._enabled = enabled and console.is_terminal
        self._label = label
        self._max_epochs = max_epochs
        self._total = max_epochs * batches_per_epoch
        self._steps, self._done = 0, done
        self._metric = ""
        self._task: TaskID | None = None
        self._began = 0.0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            TextColumn("{task.fields[rate]:.0f} batches/s"),
            TextColumn("loss {task.fields[loss]:.4g}{task.fields[metric]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not self._enabled,
        )

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._bar.stop()

    def step(self, *, epoch: int, loss: float) -> None:
        """One batch is done."""
        self._steps += 1
        if not self._enabled:
            return
        seconds = time.monotonic() - self._began
        if seconds < SHOW_AFTER_SECONDS:
            return
        fields = {"epoch": epoch, "epochs": self._max_epochs, "loss": loss, "metric": self._metric}
        rate = self._steps / seconds
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=self._total, rate=rate, **fields)
        self._bar.update(self._task, completed=self._done + self._steps, rate=rate, **fields)

    def validated(self, name: str, value: float, best: float) -> None:
        """The monitored metric after an epoch, and the best so far."""
        self._metric = f", {name} {value:.4g} (best {best:.4g})"


def counted(items: Collection[Item], label: str, *, enabled: bool) -> Iterator[Item]:
    """The items, with a bar of how many are done; shown on a terminal only, and only if it lasts.

    >>> list(counted([1, 2], "reading", enabled=False))
    [1, 2]
    """
    console = Console(stderr=True)
    if not (enabled and console.is_terminal):
        yield from items
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    began, task = time.monotonic(), None
    bar = Progress(*columns, console=console, transient=True)
    try:
        for done, item in enumerate(items):
            if task is None and time.monotonic() - began >= SHOW_AFTER_SECONDS:
                bar.start()
                task = bar.add_task(label, total=len(items))
            if task is not None:
                bar.update(task, completed=done)
            yield item
    finally:
        bar.stop()
