"""The `torch` backend: torch's own fused calls (oneDNN on CPUs, cuDNN on NVIDIA GPUs), a whole stack at once.

Legend: T steps, B batch, X inputs, H hidden units, O outputs of one direction (P where projected, otherwise H), D
directions (1 or 2), L layers, N rows of all sequences together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatewise.backends.call import Call, unsupported_dtype
from gatewise.cells import GRU, LSTM, LSTMP, Cell, Elman

DEVICES = ("cpu", "cuda")
SATURATION = 1e30  # added to a gate's net input, it makes the logistic function 0 or 1 whatever the weights
# The share of valid steps from which a padded call is faster than a packed one, where oneDNN runs padded calls:
# measured on 2 cores of an AVX-512 machine, from a third on by 1.3 to 5.8 times in training.
PADDED_FROM = 0.35

States = tuple[Tensor, ...]  # h [L*D, B, O], and for the LSTM c [L*D, B, H]
Between = Callable[[Tensor, int], Tensor]  # from a layer's input [T, B, D*O] and its number to what it reads

# The cells that torch computes, each with and without biases.
_CALLS: dict[Cell, str] = {
    cell: name
    for bias in (True, False)
    for cell, name in (
        (LSTM(bias), "lstm"),
        (LSTMP(bias), "lstm"),
        (GRU(bias), "gru"),
        (Elman("tanh", bias), "rnn_tanh"),
        (Elman("relu", bias), "rnn_relu"),
    )
}


@dataclass(frozen=True)
class Stack:
    """How the layers are stacked; as the arguments of `torch.nn.LSTM`.

    Attributes:
        cell: of every layer.
        num_layers: L.
        bias: whether there are biases.
        bidirectional: whether D is 2.
    """

    cell: Cell
    num_layers: int
    bias: bool
    bidirectional: bool

    @property
    def directions(self) -> int:
        """D."""
        return 2 if self.bidirectional else 1


def supports(call: Call) -> str | None:
    """None if this backend can run the call, otherwise the reason why not."""
    if call.cell not in _CALLS:
        name = type(call.cell).__name__
        plain = any(type(cell) is type(call.cell) for cell in _CALLS)
        what = f"this {name}: {call.cell!r}" if plain else name
        return f"torch's fused calls compute the plain LSTM, LSTMP, GRU and Elman cells, not {what}"
    if not call.torchs_form:
        return "torch's fused calls need parameters in torch's form: use gatewise.LSTM, GRU or RNN, not Recurrent"
    if call.extras:
        return f"torch's fused calls know nothing of {' and '.join(call.extras)}"
    if call.weights is not None:
        return f"torch's fused calls store weights as they are given, not as {call.weights}"
    if call.device not in DEVICES:
        return f"torch's fused calls are used on {' and '.join(DEVICES)}, not on {call.device}"
    return unsupported_dtype(call)


def run(
    stack: Stack,
    input: Tensor,
    states: States,
    weights: Sequence[Tensor],
    lengths: Tensor | None = None,
    *,
    from_zero: bool = False,
    between: Between | None = None,
) -> tuple[Tensor, States]:
    """Run a stack of layers over padded sequences.

    Args:
        stack: its layers.
        input: `[T, B, X]`.
        states: before the first step.
        weights: in the order of `torch.nn.LSTM`'s parameters.
        lengths: `[B]`, integers from 0 to T, on the CPU; by default T for all.
        from_zero: that the states are known to be 0.
        between: what happens to the input of each layer but the first (dropout).

    Returns:
        The last layer's outputs `[T, B, D*O]`, exactly 0 beyond a sequence's end, and the final states: after each
        sequence's last step (for length 0, the states given).
    """
    if between is not None and stack.num_layers > 1:
        one, finals, output = replace(stack, num_layers=1), [], input
        each = len(weights) // stack.num_layers
        for layer in range(stack.num_layers):
            here = slice(layer * stack.directions, (layer + 1) * stack.directions)
            output, final = run(
                one,
                between(output, layer) if layer else output,
                tuple(state[here] for state in states),
                weights[layer * each : (layer + 1) * each],
                lengths,
                from_zero=from_zero,
            )
            finals.append(final)
        return output, tuple(torch.cat(parts) for parts in zip(*finals, strict=True))
    steps, batch = input.shape[:2]
    if lengths is None or bool((lengths == steps).all()):
        return _fused(stack, (input,), states, weights, False)
    if (
        input.device.type == "cpu"
        and input.dtype == torch.float32
        and isinstance(stack.cell, LSTM)
        and states[0].shape[2] == states[1].shape[2]  # not projected
        and (from_zero or not stack.bidirectional)
        and int(lengths.sum()) >= PADDED_FROM * steps * batch
    ):
        return _run_padded(stack, input, (states[0], states[1]), weights, lengths)
    # torch packs no empty sequence: those are taken out, and their states handed through.
    present = lengths.nonzero().squeeze(1)
    where = present.to(input.device)
    some = len(present) < batch
    if len(present) == 0:
        # Empty slices: exact zeros that are connected to the graph, so that backward() works as for any batch.
        zero = sum((tensor[:0].sum() for tensor in (*weights, input)), input.new_zeros(()))
        output = input.new_zeros(steps, batch, stack.directions * states[0].shape[2]) + zero
        return output, tuple(state + zero for state in states)
    packed = pack_padded_sequence(
        input.index_select(1, where) if some else input, lengths[present], enforce_sorted=False
    )
    selected = tuple(state.index_select(1, where) for state in states) if some else states
    result, finals = run_packed(stack, packed, selected, weights)
    output, _ = pad_packed_sequence(result, total_length=steps)
    if not some:
        return output, finals
    whole = output.new_zeros(steps, batch, output.shape[2]).index_copy(1, where, output)
    return whole, tuple(state.index_copy(1, where, final) for state, final in zip(states, finals, strict=True))


def run_packed(
    stack: Stack, input: PackedSequence, states: States, weights: Sequence[Tensor]
) -> tuple[PackedSequence, States]:
    """Run a stack of layers over packed sequences (data `[N, X]`); states as in `run`, in the unsorted order.

    Returns:
        The last layer's outputs, packed alike, and the final states in the unsorted order.
    """
    order, back = input.sorted_indices, input.unsorted_indices
    if order is not None:
        states = tuple(state.index_select(1, order) for state in states)
    data, finals = _fused(stack, (input.data, input.batch_sizes), states, weights, None)
    if back is not None:
        finals = tuple(final.index_select(1, back) for final in finals)
    return PackedSequence(data, input.batch_sizes, order, back), finals


def _fused(
    stack: Stack, data: tuple[Tensor, ...], states: States, weights: Sequence[Tensor], batch_first: bool | None
) -> tuple[Tensor, States]:
    """torch's call; `batch_first` is an argument only where the sequences are not packed."""
    name = _CALLS[stack.cell]
    # cuDNN can be differentiated only after a call in training; without dropout that makes no other difference.
    training = torch.is_grad_enabled()
    arguments = [stack.bias, stack.num_layers, 0.0, training, stack.bidirectional]
    if batch_first is not None:
        arguments.append(batch_first)
    given = list(states) if name == "lstm" else states[0]
    output, *finals = getattr(torch, name)(*data, given, list(weights), *arguments)
    return output, tuple(finals)


def _run_padded(
    stack: Stack, input: Tensor, state: tuple[Tensor, Tensor], weights: Sequence[Tensor], lengths: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """As `run` with lengths, by torch's call for full sequences: on a CPU oneDNN runs that, but no packed sequences.

    One more input feature is 1 in the padding; its weights close the input gate and open the forget gate, so that c
    stays as it is. The forward direction's final h is read from the outputs at the sequence's end. In the backward
    direction padding comes first: from a state of 0, `h = o * tanh(0)` stays 0 as well, from another it would not.
    """
    steps, batch = input.shape[:2]
    directions = stack.directions
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
        here = slice(layer * directions, (layer + 1) * directions)
        flat = list(weights[here.start * each : here.stop * each])
        for direction in range(directions):
            flat[direction * each] = torch.cat([flat[direction * each], column], dim=1)
        result, (h, c) = _fused(
            replace(stack, num_layers=1),
            (torch.cat([output, padding], dim=2),),
            (state[0][here], state[1][here]),
            flat,
            False,
        )
        output = torch.where(valid, result, 0)
        hs.append(torch.where(present, result[last][:, :hidden], state[0][here.start]))
        hs.extend(h[1:])
        cs.extend(c)
    return output, (torch.stack(hs), torch.stack(cs))
