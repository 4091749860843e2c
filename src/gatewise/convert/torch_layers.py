"""`torch.nn.LSTM`, `torch.nn.GRU` and `torch.nn.RNN`, and layers in their place."""

from dataclasses import fields
from typing import Any

from torch import Tensor, nn

from gatewise.cells import GRUCho
from gatewise.convert.weights import Layer, with_weights
from gatewise.errors import ConfigurationError
from gatewise.nn import GRU, LSTM, RNN

KINDS: dict[type[nn.RNNBase], type[LSTM] | type[GRU] | type[RNN]] = {nn.LSTM: LSTM, nn.GRU: GRU, nn.RNN: RNN}


def from_torch(module: nn.LSTM | nn.GRU | nn.RNN) -> Layer:
    """The layer that takes the place of one of torch's.

    Args:
        module: with any arguments that torch knows; a subclass too, unless it has a `forward` of its own.

    Returns:
        `LSTM`, `GRU` or `RNN` with copies of its parameters (bit for bit, on the same device, frozen where they were),
        in the same mode (training or evaluation). A parametrised weight comes as what it is now, without its
        parametrisation.

    Raises:
        ConfigurationError: it is none of these.

    >>> import torch
    >>> from_torch(torch.nn.LSTM(3, 5, bidirectional=True, proj_size=2))
    LSTM(3, 5, bidirectional=True, proj_size=2)
    """
    for theirs, ours in KINDS.items():
        if isinstance(module, theirs) and type(module).forward is theirs.forward:
            return _moved(module, ours)
    hint = ""
    if isinstance(module, nn.RNNBase):
        hint = ", whose forward is its own"
    elif isinstance(module, (LSTM, GRU, RNN)):
        hint = ", which is one of ours already"
    raise ConfigurationError(
        f"from_torch takes torch.nn.LSTM, torch.nn.GRU or torch.nn.RNN, got {type(module).__name__}{hint}"
    )


def to_torch(layer: Layer) -> nn.LSTM | nn.GRU | nn.RNN:
    """The module of torch that computes what a layer computes.

    Args:
        layer: without the switches and the regularisation that torch lacks. How it was initialised, its backend, and
            arguments of a call (`lengths`, `resets`) are no part of it.

    Returns:
        `torch.nn.LSTM`, `torch.nn.GRU` or `torch.nn.RNN` with copies of its parameters (bit for bit, on the same
        device, frozen where they were), in the same mode.

    Raises:
        ConfigurationError: torch has no such layer; the message names every argument in the way.

    >>> to_torch(LSTM(3, 5, num_layers=2, forget_bias=1.0))
    LSTM(3, 5, num_layers=2)
    >>> to_torch(LSTM(3, 5, peephole=True))
    Traceback (most recent call last):
    gatewise.errors.ConfigurationError: torch.nn.LSTM has no peephole=True; only a layer without it can be converted
    """
    for theirs, ours in KINDS.items():
        if type(layer) is ours:
            lacking = _lacking(layer)
            if lacking:
                raise ConfigurationError(
                    f"torch.nn.{theirs.__name__} has no {', '.join(lacking)}; "
                    f"only a layer without {'it' if len(lacking) == 1 else 'them'} can be converted"
                )
            return _moved(layer, theirs)
    raise ConfigurationError(f"to_torch takes gatewise.LSTM, GRU or RNN, got {type(layer).__name__}")


def _moved(source: Any, kind: Any) -> Any:
    """A layer of another class with the arguments and parameters of this one."""
    names = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"]
    names += {"LSTM": ["proj_size"], "GRU": [], "RNN": ["nonlinearity"]}[kind.__name__]
    # As attributes, so that parametrised weights come as they are.
    weights: dict[str, Tensor] = {name: getattr(source, name).detach() for name in _parameter_names(source)}
    layer = with_weights(kind, weights, **{name: getattr(source, name) for name in names})
    for name in weights:
        getattr(layer, name).requires_grad_(getattr(source, name).requires_grad)
    return layer.train(source.training)


def _parameter_names(source: Any) -> list[str]:
    """Torch's names of the parameters."""
    kinds = ["weight_ih", "weight_hh"]
    kinds += ["bias_ih", "bias_hh"] if source.bias else []
    kinds += ["weight_hr"] if getattr(source, "proj_size", 0) else []
    suffixes = ["", "_reverse"] if source.bidirectional else [""]
    return [f"{kind}_l{k}{suffix}" for k in range(source.num_layers) for suffix in suffixes for kind in kinds]


def _lacking(layer: Layer) -> list[str]:
    """The arguments of a layer of which torch has nothing."""
    cell: Any = layer.cell
    found = [
        f"{field.name}={getattr(cell, field.name)!r}"
        for field in fields(cell)
        if field.name not in ("bias", "nonlinearity") and getattr(cell, field.name) != field.default
    ]
    if isinstance(cell, GRUCho):
        found.append("reset_after=False")
    found += layer.options.named()
    return found + (["learned_state=True"] if layer.learned_state else [])
