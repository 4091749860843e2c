"""Ctrl-C where a command has nothing to save."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from gatewise.cli.outcome import INTERRUPTED
from gatewise.cli.output import print_note


def stoppable(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, with a sentence instead of a traceback when Ctrl-C ends it."""

    @wraps(command)
    def stoppable(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except KeyboardInterrupt:
            print_note("interrupted: nothing was written")
            return INTERRUPTED

    return stoppable
