"""Variants of the LSTM as loops over torch operations, written as well as one can: one product for all gates before the
loop, `unbind` in place of indexing (which makes the backward quadratic in T).

Legend: T steps, B batch, X inputs, H hidden units. Rows of all gates together are in torch's order i, f, z, o. The
arguments have the names under which `gatewise.LSTM` stores its parameters, without the layer.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear

Loop = Callable[..., Tensor]


def peephole_step(
    net: Tensor, h: Tensor, c: Tensor, u: Tensor, p_i: Tensor, p_f: Tensor, p_o: Tensor
) -> tuple[Tensor, Tensor]:
    """Gers, Schraudolph & Schmidhuber (2002), eqs. 3-8: net input `[B, 4H]`, h and c `[B, H]`, u `[H, 4H]`."""
    i, f, z, o = torch.addmm(net, h, u).chunk(4, 1)
    i, f = torch.sigmoid(i + p_i * c), torch.sigmoid(f + p_f * c)
    c = f * c + i * torch.tanh(z)
    return torch.sigmoid(o + p_o * c) * torch.tanh(c), c


def peephole(step: Callable[..., tuple[Tensor, Tensor]] = peephole_step) -> Loop:
    """The loop over a step, which may be compiled; the loop itself may be scripted or compiled as a whole."""

    def loop(
        x: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        p_i: Tensor,
        p_f: Tensor,
        p_o: Tensor,
    ) -> Tensor:
        nets = linear(x, weight_ih, bias_ih + bias_hh)
        h = torch.zeros(x.shape[1], weight_hh.shape[1], dtype=x.dtype)
        c = h
        u = weight_hh.t()
        outputs: list[Tensor] = []
        for net in nets.unbind(0):
            h, c = step(net, h, c, u, p_i, p_f, p_o)
            outputs.append(h)
        return torch.stack(outputs)

    return loop


def layer_normed(
    x: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    gain_c: Tensor,
    shift_c: Tensor,
    **gains: Tensor,
) -> Tensor:
    """Ba, Kiros & Hinton (2016), eqs. 20-22; `gains` are `gain_W_i`, `gain_U_i` and so on."""
    size = weight_hh.shape[1]
    gain_w, gain_u = (torch.cat([gains[f"gain_{letter}_{gate}"] for gate in "ifzo"]) for letter in "WU")
    nets = layer_norm(linear(x, weight_ih), (4 * size,), gain_w, bias_ih + bias_hh)
    h = c = x.new_zeros(x.shape[1], size)
    u, outputs = weight_hh.t(), []
    for net in nets.unbind(0):
        i, f, z, o = (net + layer_norm(h @ u, (4 * size,), gain_u)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(z)
        h = torch.sigmoid(o) * torch.tanh(layer_norm(c, (size,), gain_c, shift_c))
        outputs.append(h)
    return torch.stack(outputs)
