"""Layers: `LSTM`, `GRU` and `RNN` in the place of torch's, and `Recurrent` for any cell."""

from gatewise.nn.gru import GRU
from gatewise.nn.lstm import LSTM
from gatewise.nn.recurrent import Recurrent
from gatewise.nn.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN", "Recurrent"]
