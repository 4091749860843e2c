"""Published cells, each a few equations with its paper, and the base class to write one's own."""

from gatewise.cells.cell import Cell, Input, Observed, State
from gatewise.cells.lstm import (
    CIFG,
    LSTM,
    LSTMP,
    LayerNormLSTM,
    OdysseyCIFG,
    OdysseyFGR,
    OdysseyNFG,
    OdysseyNIAF,
    OdysseyNIG,
    OdysseyNOAF,
    OdysseyNOG,
    OdysseyNP,
    PeepholeLSTM,
)
from gatewise.cells.lstm1997 import LSTM1997

__all__ = [
    "CIFG",
    "LSTM",
    "LSTM1997",
    "LSTMP",
    "Cell",
    "Input",
    "LayerNormLSTM",
    "Observed",
    "OdysseyCIFG",
    "OdysseyFGR",
    "OdysseyNFG",
    "OdysseyNIAF",
    "OdysseyNIG",
    "OdysseyNOAF",
    "OdysseyNOG",
    "OdysseyNP",
    "PeepholeLSTM",
    "State",
]
