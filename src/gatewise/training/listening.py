"""Being told of trainings from outside of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """An epoch of a run that has ended.

    Attributes:
        run: the run's name.
        number: of the epoch, from 1 on.
        best: the lowest monitored metric so far; None where nothing is validated.
    """

    run: str
    number: int
    best: float | None


Listener = Callable[[Epoch], None]
_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within, `listener` is told of every epoch of every run in this context. What it raises ends the run.

    >>> from gatewise.training.listening import tell
    >>> with listening(print):
    ...     tell(Epoch("network", 1, 0.5))
    Epoch(run='network', number=1, best=0.5)
    """
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


def tell(epoch: Epoch) -> None:
    """Tell everyone who listens."""
    for listener in _listeners.get():
        listener(epoch)
