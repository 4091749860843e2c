"""LSTM, whole and fast: a cell is written once as its equations, everything else is derived."""

from gatewise.version import __version__

__all__ = ["__version__"]
