"""The errors a user can cause: each carries one complete message, which the command line prints with exit code 2."""

from collections.abc import Iterable
from difflib import get_close_matches


class GatewiseError(ValueError):
    """Something the user gave cannot be used; the message says what was expected, what came, where, how to fix it."""


class DataError(GatewiseError):
    """A file, table, column, row or sequence that cannot be used as asked."""


class ConfigurationError(GatewiseError):
    """An option, parameter or configuration key that does not exist or does not fit."""


class ModelFolderError(GatewiseError):
    """A model folder that is missing, damaged, altered or from a newer format."""


class TrainingError(GatewiseError):
    """Training cannot go on, for instance because the loss is no longer finite."""


class CheckpointError(GatewiseError):
    """A folder of checkpoints that cannot be used: damaged, foreign, of a newer format, in use, or not writable."""


class TrainingInterrupted(TrainingError):
    """Training was asked to stop; what it has done is in its checkpoints, from which the same call goes on."""


class CheckpointWarning(UserWarning):
    """A checkpoint that was not written, or passed over for an older one; training goes on."""


class AudioWarning(UserWarning):
    """A recording that can be used, but has no sound in it or was recorded too loud."""


class CellError(GatewiseError):
    """Equations of a cell that cannot be traced or run."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A half sentence that suggests the nearest known name and lists what there is.

    >>> nearest("passenger", ["month", "passengers"])
    'did you mean "passengers"? There is: month, passengers'
    """
    names = sorted(set(known))
    listing = "There is: " + (", ".join(names[:20]) + (", ..." if len(names) > 20 else "") if names else "nothing")
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"? {listing}' if close else listing
