"""Signals as requests: Ctrl-C and SIGTERM to stop, SIGUSR1 to write a checkpoint."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

STOP = (signal.SIGINT, signal.SIGTERM)
SAVE = getattr(signal, "SIGUSR1", None)  # not every system has it


class Interrupt:
    """While entered, the first Ctrl-C (SIGINT) or SIGTERM only sets `requested`; a second one ends the process.

    The second SIGINT raises KeyboardInterrupt, the second SIGTERM SystemExit(143). The handlers from before come back
    on exit. Outside the main thread, where Python delivers no signals, nothing is installed; `request` still works.
    Of one inside of another both are asked.

    Args:
        saves: SIGUSR1 asks for a checkpoint (see `take_save`) instead of ending the process, as it does by default.

    >>> with Interrupt() as interrupt:
    ...     interrupt.requested
    False
    """

    def __init__(self, *, saves: bool = False) -> None:
        self._requested, self._save = threading.Event(), threading.Event()
        self._at_once = False
        self._signals = (*STOP, SAVE) if saves and SAVE is not None else STOP
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether somebody asked to stop."""
        return self._requested.is_set()

    def request(self) -> None:
        """Ask to stop after the current step; may be called from any thread."""
        self._requested.set()

    def request_save(self) -> None:
        """Ask for a checkpoint after the current step; may be called from any thread."""
        self._save.set()

    def take_save(self) -> bool:
        """Whether somebody asked for a checkpoint since the last call."""
        asked = self._save.is_set()
        self._save.clear()
        return asked

    @contextmanager
    def at_once(self, allowed: bool = True) -> Iterator[None]:
        """Within, a request to stop raises KeyboardInterrupt wherever the program is; one made before does on entry.

        For work that can be done again from its beginning. `allowed=False` makes requests wait, as they do by default,
        until the end of this context; there they take effect if they would have around it.
        """
        before, self._at_once = self._at_once, allowed
        try:
            self._raise_if_asked()
            yield
        finally:
            self._at_once = before
        self._raise_if_asked()

    def _raise_if_asked(self) -> None:
        if self._at_once and self.requested:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self._signals:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            # None stands for a handler that was not installed from Python; it cannot be put back by Python either.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == SAVE:
            self._save.set()
            return
        again = self.requested
        self._requested.set()
        outer = getattr(self._previous.get(signal.Signals(number)), "__self__", None)
        if isinstance(outer, Interrupt):
            outer.request()
        if again and number == signal.SIGTERM:
            raise SystemExit(128 + number)
        if again or self._at_once:
            raise KeyboardInterrupt
