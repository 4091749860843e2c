"""Weights in fewer bits than they are computed with, for inference: bfloat16, or whole numbers of 8 bits with a scale
for each row.

The compiled core packs matrices as it is told to, and rounds as this page does (`cpp/narrow.h`); what is rounded already
stays as it is. Biases and other vectors are not rounded, and all arithmetic is done in float32.
"""

import copy
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from gatewise.backends.cpu import WEIGHTS
from gatewise.errors import ConfigurationError, nearest

if TYPE_CHECKING:
    from gatewise.nn.core import RecurrentCore

Layer = TypeVar("Layer", bound="RecurrentCore")

LARGEST = 127
# Rows whose largest weight is below this become 0: their scale would no longer have the digits it needs.
NEXT_TO_NOTHING = 2.0**-100


def check_weights(weights: object) -> str | None:
    """How weights are stored: None, "bf16" or "int8".

    Raises:
        ConfigurationError: in no way that is known.
    """
    if weights is None:
        return None
    if not isinstance(weights, str) or weights not in WEIGHTS:
        known = [name for name in WEIGHTS if name is not None]
        raise ConfigurationError(f"weights={weights!r} is not known; {nearest(str(weights), known)}")
    return weights


def rounded(matrix: Tensor, weights: str) -> Tensor:
    """A matrix with its elements rounded to what is stored.

    Args:
        matrix: `[rows, columns]`, float32.
        weights: "bf16": to the nearest number with 8 significant binary digits, so that the relative error of an element
            is at most 2^-9. "int8": to a multiple q * scale with whole q from -127 to 127; a row's scale is its largest
            absolute value / 127, rounded up to 17 digits so that all multiples are exact. The error of an element is at
            most scale / 2: 0.4 % of the row's largest.

    >>> rounded(torch.tensor([[1.0, 0.3337, -0.001]]), "bf16").tolist()
    [[1.0, 0.333984375, -0.00099945068359375]]
    >>> (rounded(torch.tensor([[127.0, 2.4, -0.7]]), "int8")).tolist()
    [[127.0, 2.0, -1.0]]
    """
    if weights == "bf16":
        return matrix.to(torch.bfloat16).to(matrix.dtype)
    most = matrix.abs().amax(dim=1, keepdim=True)
    scale = (((most / LARGEST).view(torch.int32) + 0x7F) & ~0x7F).view(torch.float32)
    multiples = torch.where(most < NEXT_TO_NOTHING, torch.zeros_like(matrix), (matrix / scale).round())
    return multiples * scale


@torch.no_grad()
def narrowed(layer: Layer, weights: str) -> Layer:
    """A copy of a layer with rounded matrices, for inference; see `gatewise.nn.core.RecurrentCore.narrowed`."""
    found = layer.precision
    if found == weights:
        return copy.deepcopy(layer)
    if found is not None:
        raise ConfigurationError(f"the weights of {layer} are stored as {found}; begin with the layer they came from")
    new = copy.deepcopy(layer)
    for module in new.modules():
        if module is not new:
            raise ConfigurationError(
                f"{layer} has parametrisations or other modules inside: bake them in first, for instance with "
                "torch.nn.utils.parametrize.remove_parametrizations"
            )
    new.store_as(weights)
    return new.requires_grad_(False).eval()


def round_matrices(layer: nn.Module, weights: str) -> None:
    """Round a layer's matrices in place.

    Raises:
        ConfigurationError: a parameter is not float32, or a matrix not finite.
    """
    for name, parameter in layer.named_parameters():
        if parameter.dtype != torch.float32:
            raise ConfigurationError(
                f"weights are stored as {weights} for float32 layers only; {name} is {parameter.dtype}: convert the "
                "layer with .float()"
            )
        if parameter.dim() == 2:
            if not bool(parameter.isfinite().all()):
                raise ConfigurationError(f"{name} has elements that are not finite: they cannot be stored as {weights}")
            parameter.data.copy_(rounded(parameter.data, weights))
