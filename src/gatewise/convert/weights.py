"""A layer of given weights, and the arrays and orders of gates in which other libraries keep them.

Legend: X inputs, H hidden units, G gates.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from gatewise.errors import DataError
from gatewise.nn import GRU, LSTM, RNN

Layer = LSTM | GRU | RNN
Module = TypeVar("Module", bound=nn.Module)

GATES = {"LSTM": "ifco", "GRU": "rzh", "RNN": "h"}  # the order of our rows (torch's), in the letters of Keras and ONNX


def with_weights(kind: type[Module], weights: Mapping[str, Tensor], **arguments: Any) -> Module:
    """A layer whose parameters are copies of these tensors; draws no random numbers.

    Args:
        kind: the class of the layer, ours or torch's.
        weights: for the name of each parameter its value; the layer takes their dtype and device.
        arguments: of the constructor.
    """
    example = next(iter(weights.values()))
    # A probability between layers is set afterwards: with a single layer constructors warn, which is for who wrote it.
    dropout = arguments.pop("dropout", 0.0)
    layer = kind(**arguments, device="meta", dtype=example.dtype).to_empty(device=example.device)
    layer.load_state_dict(dict(weights))
    layer.dropout = dropout
    return layer


def floats(array: Any, what: str) -> Tensor:
    """A tensor that holds a copy of an array's numbers, in its precision.

    Raises:
        DataError: it is no array of floating-point numbers that torch knows.

    >>> import numpy as np
    >>> floats(np.ones(2, dtype=np.float16), "the bias")
    tensor([1., 1.], dtype=torch.float16)
    """
    if isinstance(array, Tensor):
        if not array.is_floating_point():
            raise DataError(f"expected {what} to hold floating-point numbers, got {array.dtype}")
        return array.detach().clone()
    try:
        values = np.array(array)
    except (TypeError, ValueError) as error:
        raise DataError(f"expected {what} to be an array of numbers, got {type(array).__name__}") from error
    if values.dtype.name == "bfloat16":  # not numpy's own: another package's, whose bits are torch's
        return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16)
    if values.dtype.name not in ("float16", "float32", "float64"):
        raise DataError(f"expected {what} to hold floating-point numbers, got {values.dtype}")
    return torch.from_numpy(values.astype(values.dtype.newbyteorder("="), copy=False))


def reordered(rows: Tensor, given: str, wanted: str) -> Tensor:
    """Rows `[G*H, ...]` whose gates come in one order, in another; a gate that is not wanted is left out.

    >>> reordered(torch.tensor([1, 2, 3, 4]), "iofc", "ifc").tolist()
    [1, 3, 4]
    """
    parts = dict(zip(given, rows.chunk(len(given)), strict=True))
    return torch.cat([parts[gate] for gate in wanted])
