"""Weights as a layer for inference stores them: packed once, and in fewer bits than they are computed with if asked.

In fewer bits they are bfloat16 numbers, or whole numbers of 8 bits with a scale for each row. Only matrices are stored
so, biases and other vectors as they are; all arithmetic is float32. The compiled core rounds while it packs
(`cpp/narrow.h`) as this module does, and what is rounded already stays as it is.
"""

import torch
from torch import Tensor, nn

from gatewise.backends.cpu import WEIGHTS
from gatewise.errors import ConfigurationError, nearest

LARGEST = 127
# Rows whose largest weight is below this become 0: their scale would not have the digits it needs.
NEXT_TO_NOTHING = 2.0**-100


def check_weights(weights: object) -> str:
    """How weights are stored: "fp32", "bf16" or "int8".

    Raises:
        ConfigurationError: in no way that is known.
    """
    known = [name for name in WEIGHTS if name is not None]
    if not isinstance(weights, str) or weights not in known:
        raise ConfigurationError(f"weights={weights!r} is not known; {nearest(str(weights), known)}")
    return weights


def rounded(matrix: Tensor, weights: str) -> Tensor:
    """A matrix whose elements are what is stored of them.

    Args:
        matrix: `[rows, columns]`, float32.
        weights: "fp32" for the elements themselves; "bf16" for the nearest number of 8 binary digits, off by at most
            2^-8 of the element; "int8" for the nearest q * scale with a whole number q from -127 to 127, off by at most
            half the scale. A row's scale is its largest absolute value / 127, rounded up to 17 binary digits, with
            which all those products are exact.

    >>> rounded(torch.tensor([[1.0, 0.3337]]), "bf16").tolist()
    [[1.0, 0.333984375]]
    >>> rounded(torch.tensor([[127.0, 2.4, -0.7]]), "int8").tolist()
    [[127.0, 2.0, -1.0]]
    """
    if weights == "fp32":
        return matrix
    if weights == "bf16":
        return matrix.to(torch.bfloat16).to(matrix.dtype)
    most = matrix.abs().amax(dim=1, keepdim=True)
    scale = (((most / LARGEST).view(torch.int32) + 0x7F) & ~0x7F).view(torch.float32)
    return torch.where(most < NEXT_TO_NOTHING, 0.0, (matrix / scale).round() * scale)


@torch.no_grad()
def round_matrices(layer: nn.Module, weights: str) -> None:
    """Round the matrices among a layer's parameters, in place.

    Raises:
        ConfigurationError: a parameter is not float32, or a matrix has an element that is not finite.
    """
    for name, parameter in layer.named_parameters():
        if parameter.dtype != torch.float32:
            raise ConfigurationError(
                f"weights are stored as {weights} of float32 layers only, and {name} is {parameter.dtype}: convert the "
                "layer with .float()"
            )
        if parameter.dim() == 2 and weights != "fp32":
            if not parameter.isfinite().all():
                raise ConfigurationError(f"{name} has elements that are not finite: they cannot be stored as {weights}")
            parameter.copy_(rounded(parameter, weights))
