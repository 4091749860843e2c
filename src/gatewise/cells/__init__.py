"""Published cells, each a few equations with its paper, and the base class to write one's own."""

from gatewise.cells.cell import Cell, Input, Observed, State
from gatewise.cells.lstm import LSTM, LSTMP

__all__ = ["LSTM", "LSTMP", "Cell", "Input", "Observed", "State"]
