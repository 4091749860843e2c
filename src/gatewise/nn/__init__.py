"""Layers: `LSTM`, in the place of `torch.nn.LSTM`."""

from gatewise.nn.lstm import LSTM

__all__ = ["LSTM"]
