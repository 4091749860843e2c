"""Layers: `LSTM`, `GRU`, `RNN` in the place of torch's, `Recurrent` for any cell, `MDLSTM` for images; `Stream`."""

from gatewise.nn.gru import GRU
from gatewise.nn.lstm import LSTM
from gatewise.nn.mdlstm import MDLSTM
from gatewise.nn.recurrent import Recurrent
from gatewise.nn.rnn import RNN
from gatewise.nn.stream import Stream

__all__ = ["GRU", "LSTM", "MDLSTM", "RNN", "Recurrent", "Stream"]
