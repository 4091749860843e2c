"""Layers: `LSTM`, `GRU` and `RNN` in the place of torch's, `Recurrent` for any cell; and a layer as a `Stream`."""

from gatewise.nn.gru import GRU
from gatewise.nn.lstm import LSTM
from gatewise.nn.recurrent import Recurrent
from gatewise.nn.rnn import RNN
from gatewise.nn.stream import Stream

__all__ = ["GRU", "LSTM", "RNN", "Recurrent", "Stream"]
