"""The parameters of an LSTM layer in `torch.nn.LSTM`'s form, and their conversion to those of the cell's equations.

Legend: X inputs of the layer, H hidden units, O outputs of one direction (P where projected, otherwise H), L layers, D
directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

GATES = ("i", "f", "z", "o")  # torch's order of the rows of its matrices (its documentation calls z "g")


@dataclass(frozen=True)
class Shapes:
    """Sizes of a stack, and the names and shapes of its parameters that follow from them.

    Attributes:
        input_size: X of the first layer.
        hidden_size: H.
        proj_size: P, or 0 where not projected.
        num_layers: L.
        bias: whether each direction has two bias vectors.
        bidirectional: whether D is 2.
    """

    input_size: int
    hidden_size: int
    proj_size: int
    num_layers: int
    bias: bool
    bidirectional: bool

    @property
    def directions(self) -> int:
        """D."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """O, the width of h in one direction."""
        return self.proj_size or self.hidden_size

    def scans(self) -> list[tuple[int, int]]:
        """All pairs of layer and direction (1 is the backward one), in torch's order."""
        return [(layer, direction) for layer in range(self.num_layers) for direction in range(self.directions)]

    def parameters(self, layer: int, direction: int) -> dict[str, tuple[int, ...]]:
        """Names and shapes of one layer's parameters in one direction, in torch's order.

        >>> Shapes(3, 5, 0, 1, bias=False, bidirectional=True).parameters(0, 1)
        {'weight_ih_l0_reverse': (20, 3), 'weight_hh_l0_reverse': (20, 5)}
        """
        rows = len(GATES) * self.hidden_size
        width = self.input_size if layer == 0 else self.output_size * self.directions
        suffix = f"_l{layer}" + ("_reverse" if direction else "")
        shapes: dict[str, tuple[int, ...]] = {
            f"weight_ih{suffix}": (rows, width),
            f"weight_hh{suffix}": (rows, self.output_size),
        }
        if self.bias:
            shapes |= {f"bias_ih{suffix}": (rows,), f"bias_hh{suffix}": (rows,)}
        if self.proj_size:
            shapes[f"weight_hr{suffix}"] = (self.proj_size, self.hidden_size)
        return shapes


def cell_parameters(weights: Sequence[Tensor], *, bias: bool) -> dict[str, Tensor]:
    """One direction's parameters by the names of the cell's equations.

    Args:
        weights: `weight_ih [4H, X]`, `weight_hh [4H, O]`, if `bias` `bias_ih [4H]` and `bias_hh [4H]`, and where
            projected `weight_hr [P, H]`.
        bias: whether there are biases; torch's two are summed.

    Returns:
        `W_i [H, X]`, `U_i [H, O]`, `b_i [H]` and the same for f, z, o; where projected `P [P, H]`.
    """
    weight_ih, weight_hh, *rest = weights
    named = {f"W_{gate}": part for gate, part in zip(GATES, weight_ih.chunk(4), strict=True)}
    named |= {f"U_{gate}": part for gate, part in zip(GATES, weight_hh.chunk(4), strict=True)}
    if bias:
        bias_ih, bias_hh, *rest = rest
        named |= {f"b_{gate}": part for gate, part in zip(GATES, (bias_ih + bias_hh).chunk(4), strict=True)}
    if rest:
        named["P"] = rest[0]
    return named
