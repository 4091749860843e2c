"""The `torch` backend: torch's own fused LSTM call (oneDNN on CPUs, cuDNN on NVIDIA GPUs), a whole stack at once.

Legend: T steps, B batch, X inputs, H hidden units, O outputs of one direction (P where projected, otherwise H), D
directions (1 or 2), L layers, N rows of all sequences together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatewise.backends.call import Call, unsupported_dtype
from gatewise.cells import LSTM, LSTMP

DEVICES = ("cpu", "cuda")
SATURATION = 1e30  # added to a gate's net input, it makes the logistic function 0 or 1 whatever the weights
# The share of valid steps from which a padded call is faster than a packed one, where oneDNN runs padded calls:
# measured on 2 cores of an AVX-512 machine, from a third on by 1.3 to 5.8 times in training.
PADDED_FROM = 0.35


@dataclass(frozen=True)
class Stack:
    """How the layers are stacked and trained; as the arguments of `torch.nn.LSTM`.

    Attributes:
        num_layers: L.
        bias: whether there are biases.
        bidirectional: whether D is 2.
        dropout: probability of dropping an output between layers, in training.
        training: whether dropout is applied.
    """

    num_layers: int
    bias: bool
    bidirectional: bool
    dropout: float
    training: bool


def supports(call: Call) -> str | None:
    """None if this backend can run the call, otherwise the reason why not."""
    if type(call.cell) not in (LSTM, LSTMP):
        return f"torch's fused call computes the cells LSTM and LSTMP, not {type(call.cell).__name__}"
    if call.device not in DEVICES:
        return f"torch's fused call is used on {' and '.join(DEVICES)}, not on {call.device}"
    return unsupported_dtype(call)


def run(
    stack: Stack,
    input: Tensor,
    state: tuple[Tensor, Tensor],
    weights: Sequence[Tensor],
    lengths: Tensor | None = None,
    *,
    from_zero: bool = False,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Run a stack of LSTM layers over padded sequences.

    Args:
        stack: its layers.
        input: `[T, B, X]`.
        state: h `[L*D, B, O]` and c `[L*D, B, H]` before the first step.
        weights: in the order of `torch.nn.LSTM`'s parameters.
        lengths: `[B]`, integers from 0 to T, on the CPU; by default T for all.
        from_zero: that `state` is known to be 0.

    Returns:
        The last layer's outputs `[T, B, D*O]`, exactly 0 beyond a sequence's end, and the final states, of the shapes
        of `state`: after each sequence's last step (for length 0, the states given).
    """
    steps, batch = input.shape[:2]
    if lengths is None or bool((lengths == steps).all()):
        output, h, c = torch.lstm(
            input,
            list(state),
            list(weights),
            stack.bias,
            stack.num_layers,
            stack.dropout,
            stack.training,
            stack.bidirectional,
            False,
        )
        return output, (h, c)
    if (
        input.device.type == "cpu"
        and input.dtype == torch.float32
        and state[0].shape[2] == state[1].shape[2]  # not projected
        and (from_zero or not stack.bidirectional)
        and int(lengths.sum()) >= PADDED_FROM * steps * batch
    ):
        return _run_padded(stack, input, state, weights, lengths)
    # torch packs no empty sequence: those are taken out, and their states handed through.
    present = lengths.nonzero().squeeze(1)
    where = present.to(input.device)
    some = len(present) < batch
    if len(present) == 0:
        # Empty slices: exact zeros that are connected to the graph, so that backward() works as for any batch.
        zero = sum((tensor[:0].sum() for tensor in (*weights, input)), input.new_zeros(()))
        directions = 2 if stack.bidirectional else 1
        output = input.new_zeros(steps, batch, directions * state[0].shape[2]) + zero
        return output, (state[0] + zero, state[1] + zero)
    packed = pack_padded_sequence(
        input.index_select(1, where) if some else input, lengths[present], enforce_sorted=False
    )
    selected = (state[0].index_select(1, where), state[1].index_select(1, where)) if some else state
    result, final = run_packed(stack, packed, selected, weights)
    output, _ = pad_packed_sequence(result, total_length=steps)
    if not some:
        return output, final
    whole = output.new_zeros(steps, batch, output.shape[2]).index_copy(1, where, output)
    return whole, (state[0].index_copy(1, where, final[0]), state[1].index_copy(1, where, final[1]))


def run_packed(
    stack: Stack, input: PackedSequence, state: tuple[Tensor, Tensor], weights: Sequence[Tensor]
) -> tuple[PackedSequence, tuple[Tensor, Tensor]]:
    """Run a stack of LSTM layers over packed sequences (data `[N, X]`); states as in `run`, in the unsorted order.

    Returns:
        The last layer's outputs, packed alike, and the final states in the unsorted order.
    """
    if input.sorted_indices is not None:
        state = (state[0].index_select(1, input.sorted_indices), state[1].index_select(1, input.sorted_indices))
    data, h, c = torch.lstm(
        input.data,
        input.batch_sizes,
        list(state),
        list(weights),
        stack.bias,
        stack.num_layers,
        stack.dropout,
        stack.training,
        stack.bidirectional,
    )
    if input.unsorted_indices is not None:
        h, c = h.index_select(1, input.unsorted_indices), c.index_select(1, input.unsorted_indices)
    return PackedSequence(data, input.batch_sizes, input.sorted_indices, input.unsorted_indices), (h, c)


def _run_padded(
    stack: Stack, input: Tensor, state: tuple[Tensor, Tensor], weights: Sequence[Tensor], lengths: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """As `run` with lengths, by torch's call for full sequences: on a CPU oneDNN runs that, but no packed sequences.

    One more input feature is 1 in the padding; its weights close the input gate and open the forget gate, so that c
    stays as it is. The forward direction's final h is read from the outputs at the sequence's end. In the backward
    direction padding comes first: from a state of 0, `h = o * tanh(0)` stays 0 as well, from another it would not.
    """
    steps, batch = input.shape[:2]
    directions = 2 if stack.bidirectional else 1
    each = len(weights) // (stack.num_layers * directions)
    hidden = state[1].shape[2]
    on_device = lengths.to(input.device)
    valid = (torch.arange(steps, device=input.device).unsqueeze(1) < on_device).unsqueeze(-1)
    padding = (~valid).to(input.dtype)
    present = (on_device > 0).unsqueeze(1)
    last = ((on_device - 1).clamp(min=0), torch.arange(batch, device=input.device))
    column = torch.cat([input.new_full((hidden, 1), -SATURATION), input.new_full((hidden, 1), SATURATION)])
    column = torch.cat([column, column.new_zeros(2 * hidden, 1)])
    output = torch.where(valid, input, 0)
    hs: list[Tensor] = []
    cs: list[Tensor] = []
    for layer in range(stack.num_layers):
        if layer > 0 and stack.dropout > 0 and stack.training:
            output = torch.dropout(output, stack.dropout, True)
        here = slice(layer * directions, (layer + 1) * directions)
        flat = list(weights[here.start * each : here.stop * each])
        for direction in range(directions):
            flat[direction * each] = torch.cat([flat[direction * each], column], dim=1)
        result, h, c = torch.lstm(
            torch.cat([output, padding], dim=2),
            [state[0][here], state[1][here]],
            flat,
            stack.bias,
            1,
            0.0,
            stack.training,
            stack.bidirectional,
            False,
        )
        output = torch.where(valid, result, 0)
        hs.append(torch.where(present, result[last][:, :hidden], state[0][here.start]))
        hs.extend(h[1:])
        cs.extend(c)
    return output, (torch.stack(hs), torch.stack(cs))
