"""LSTM, whole and fast: a cell is written once as its equations, everything else is derived.

>>> import gatewise
>>> gatewise.LSTM(3, 5).hidden_size
5
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gatewise.version import __version__

if TYPE_CHECKING:
    from gatewise import cells as cells
    from gatewise import convert as convert
    from gatewise import testing as testing
    from gatewise.nn import GRU, LSTM, MDLSTM, RNN, Recurrent, Stream
    from gatewise.tasks import Classifier, Forecaster, Generator, Labeller, Transcriber, load
    from gatewise.training import Checkpoints

__all__ = [
    "GRU",
    "LSTM",
    "MDLSTM",
    "RNN",
    "Checkpoints",
    "Classifier",
    "Forecaster",
    "Generator",
    "Labeller",
    "Recurrent",
    "Stream",
    "Transcriber",
    "__version__",
    "cells",
    "convert",
    "load",
    "testing",
]

# Looked up on first use: `gatewise --help` has no need to wait for torch.
_HOMES = {
    "GRU": "gatewise.nn",
    "LSTM": "gatewise.nn",
    "MDLSTM": "gatewise.nn",
    "RNN": "gatewise.nn",
    "Recurrent": "gatewise.nn",
    "Stream": "gatewise.nn",
    "Checkpoints": "gatewise.training",
    "Classifier": "gatewise.tasks",
    "Forecaster": "gatewise.tasks",
    "Generator": "gatewise.tasks",
    "Labeller": "gatewise.tasks",
    "Transcriber": "gatewise.tasks",
    "load": "gatewise.tasks",
}


def __getattr__(name: str) -> Any:
    if name in ("cells", "convert", "testing"):
        return import_module(f"gatewise.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'gatewise' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
