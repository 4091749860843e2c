"""What `LSTM`, `GRU` and `RNN` share: torch's forms of call, states and parameters, and torch's fused calls.

Legend: T steps, B batch, X inputs, H hidden units, w the width of a state, D directions (1 or 2), L layers.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gatewise.backends import torch_fused
from gatewise.backends.cpu import unit_stride
from gatewise.backends.layer_scan import eligible
from gatewise.cells import Cell
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn.plain import PlainCalls
from gatewise.nn.running import States
from gatewise.nn.sequences import Lengths, Resets, Sequences
from gatewise.nn.variants import Options

Stacked = tuple[Tensor, ...]  # each state [L*D, B, w], in the order of declaration


class TorchForm(PlainCalls):
    """A stack of equal layers that is called as torch's are."""

    torchs_form = True
    hidden_size: int
    bias: bool
    cell: Cell

    def _forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any,
        lengths: Lengths | None,
        resets: Resets | None,
        return_states: Literal["last", "all"],
        mask_seed: int | Tensor | None,
        sequence_ids: Tensor | None,
        first_step: int,
    ) -> tuple[Tensor | PackedSequence, Any]:
        plain = lengths is None and resets is None and return_states == "last"
        if plain and type(input) is Tensor and not torch.compiler.is_compiling():
            short = self._short(input, hx)
            if short is not None:
                return short
        if return_states not in ("last", "all"):
            raise ConfigurationError(f'return_states={return_states!r} must be "last" or "all"')
        everything = return_states == "all"
        sequences = self._arrange(input, lengths)
        marks = self._marks(resets, sequences)
        states = self._stacked(hx, sequences)
        draw = self._draw(sequences, mask_seed, sequence_ids, first_step)
        backend = self._backend(sequences, self._extras(marks, everything))
        if backend == "torch":
            output, finals = self._run_torch(sequences, states, draw)
            return output, self._handed(finals, sequences, 1)
        dense, finals, alls = self._run(
            sequences,
            None if states is None else self._apart(states),
            resets=marks,
            everything=everything,
            draw=draw,
            backend=backend,
        )
        names = list(self._steps[0].states)
        if everything:
            over_time = tuple(_joined([values[name] for values in alls], 1) for name in names)
            return sequences.restore(dense), self._handed(over_time, sequences, 2)
        last = tuple(_joined([values[name] for values in finals], 0) for name in names)
        return sequences.restore(dense), self._handed(last, sequences, 1)

    def _short(self, input: Tensor, hx: Any) -> tuple[Tensor, Any] | None:
        """The plainest call, in the fewest steps; None where it is not that plain."""
        plain = self._plain_call(input)
        if plain is None:
            return None
        x, groups = plain
        single = input.dim() == 2
        states: Sequence[Sequence[Tensor]] | None = None
        if hx is not None:
            found = self._plain_states(hx, x, single)
            if found is None:
                return None
            states = list(zip(*(state.unbind() for state in found), strict=True))
        x, finals = self._plain_run(x, groups, states)
        last = finals[0] if len(finals) == 1 else [torch.cat(parts) for parts in zip(*finals, strict=True)]
        if single:
            last = [state.squeeze(1) for state in last]
        output = x.squeeze(1) if single else x.transpose(0, 1) if self.batch_first else x
        return output, last[0] if len(last) == 1 else tuple(last)

    def _plain_states(self, hx: Any, x: Tensor, single: bool) -> Sequence[Tensor] | None:
        """States `[L*D, B, w]`; None where they do not fit."""
        step, sizes = self._steps[0], self._sizes[0]
        parts = (hx,) if len(step.states) == 1 else hx
        if type(parts) is not tuple or len(parts) != len(step.states):
            return None
        found = []
        for leaf, part in zip(step.states.values(), parts, strict=True):
            size, count = sizes[str(leaf.width)], len(self.scans)
            expected = (count, size) if single else (count, x.shape[1], size)
            if type(part) is not Tensor or part.dtype is not x.dtype or part.shape != expected or not part.is_cpu:
                return None
            found.append(unit_stride(part.unsqueeze(1) if single else part))
        return found if eligible(found) else None

    def _run_torch(
        self, sequences: Sequences, states: Stacked | None, draw: Any
    ) -> tuple[Tensor | PackedSequence, Stacked]:
        """torch's fused call."""
        stack = torch_fused.Stack(self.cell, self.num_layers, self.bias, self.bidirectional)
        weights = [value for number in range(len(self.scans)) for value in self._weights(number)]
        from_zero = states is None and not self.learned_state
        if states is None:
            states = self._begin(sequences)
        if sequences.packed is not None and draw is None:
            if self._autocast(sequences.data):
                dtype = self._computed_in(sequences.data)
                states = tuple(state.to(dtype) for state in states)
                return torch_fused.run_packed(stack, sequences.packed.to(dtype), states, weights)
            return torch_fused.run_packed(stack, sequences.packed, states, weights)
        x, lengths = sequences.padded()
        if self._autocast(x):
            dtype = self._computed_in(x)
            x, states = x.to(dtype), tuple(state.to(dtype) for state in states)
        between = None if draw is None else lambda value, layer: self._drop(value, layer, draw)
        dense, finals = torch_fused.run(stack, x, states, weights, lengths, from_zero=from_zero, between=between)
        return sequences.restore(dense), finals

    @torch.no_grad()
    def observe(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        lengths: Lengths | None = None,
        *,
        layer: int = 0,
        reverse: bool = False,
    ) -> dict[str, Tensor]:
        """What one layer's cells do over time, computed from the cell's equations, without gradients and dropout.

        Args:
            input: as for a call.
            hx: as for a call.
            lengths: as for a call.
            layer: which layer, from 0.
            reverse: its backward direction instead of its forward one.

        Returns:
            All that the cell declares as observed (of an LSTM the gates `i`, `f`, `o` and the block input `z`), then
            its states, the output last: each `[T, B, w]`, always time-major, B = 1 for one sequence, 0 beyond a
            sequence's end, in the input's order of time.

        Raises:
            DataError: the input, the states or the lengths do not fit the layer or one another.
            ConfigurationError: there is no such layer or direction.

        >>> from gatewise import LSTM
        >>> gates = LSTM(3, 5).observe(torch.randn(7, 2, 3))
        >>> {name: list(value.shape) for name, value in gates.items()}["f"]
        [7, 2, 5]
        """
        if isinstance(layer, bool) or not isinstance(layer, int) or not 0 <= layer < self.num_layers:
            raise ConfigurationError(f"layer={layer!r} must be a whole number from 0 to {self.num_layers - 1}")
        if reverse and not self.bidirectional:
            raise ConfigurationError("reverse=True needs a layer with a backward direction: bidirectional=True")
        sequences = self._arrange(input, lengths)
        states = self._stacked(hx, sequences)
        step = self._steps[layer]
        names = [*step.observed, *(name for name in step.states if name != step.output), step.output]
        apart = None if states is None else self._apart(states)
        return self._observe(sequences, apart, layer * self.directions + int(reverse), names)

    @property
    def options(self) -> Options:
        """Regularisation inside the recurrence, the same in all layers."""
        return self._options[0]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, in torch's order."""
        return [[getattr(self, full) for full in names.values()] for names in self._names]

    def _begin(self, sequences: Sequences) -> Stacked:
        """States before the first step, stacked, where none were given."""
        # A packed batch has no time-major tensor; its first step would do, but only its size matters.
        x = sequences.data.new_empty(1, sequences.batch, 0)
        each = [self._initial(number, self.stored(number), x) for number in range(len(self.scans))]
        return tuple(torch.stack([states[name] for states in each]) for name in self._steps[0].states)

    def _weights(self, number: int) -> list[Tensor]:
        """What torch takes of one layer and direction, in its order: all but learned states."""
        stored = self.stored(number)
        return [stored[name] for name in self._layouts[0].shapes]

    def _apart(self, states: Stacked) -> States:
        names = list(self._steps[0].states)
        return [dict(zip(names, (state[number] for state in states), strict=True)) for number in range(len(self.scans))]

    def _stacked(self, hx: Any, sequences: Sequences) -> Stacked | None:
        """Checked states before the first step `[L*D, B, w]`; None where none were given."""
        if hx is None:
            return None
        step, sizes, data = self._steps[0], self._sizes[0], sequences.data
        names = list(step.states)
        parts = (hx,) if len(names) == 1 else hx
        listing = f"a tuple of tensors ({', '.join(names)})" if len(names) > 2 else "a pair of tensors (h, c)"
        if len(names) == 1:
            listing = "a tensor h"
        if (
            not isinstance(parts, (tuple, list))
            or len(parts) != len(names)
            or not all(isinstance(part, Tensor) for part in parts)
        ):
            count = f" of {len(parts)}" if isinstance(hx, (tuple, list)) else ""
            raise DataError(f"expected hx to be {listing}, got {type(hx).__name__}{count}")
        count = len(self.scans)
        for name, part in zip(names, parts, strict=True):
            size = sizes[str(step.states[name].width)]
            expected = [count, size] if sequences.unbatched else [count, sequences.batch, size]
            if list(part.shape) != expected:
                form = "[L*D, width]" if sequences.unbatched else "[L*D, B, width]"
                raise DataError(f"expected the state {name} of hx to be {form} = {expected}, got {list(part.shape)}")
            if part.device != data.device or not self._fits(part, data):
                raise DataError(
                    f"the state {name} of hx is {part.dtype} on {part.device}, but the input is {data.dtype} on "
                    f"{data.device}; convert it with .to(input)"
                )
        return tuple(part.unsqueeze(1) for part in parts) if sequences.unbatched else tuple(parts)

    def _handed(self, states: Stacked, sequences: Sequences, batch: int) -> Any:
        """States in the form in which they are given out: a pair, a tuple, or a single tensor."""
        if sequences.unbatched:
            states = tuple(state.squeeze(batch) for state in states)
        return states[0] if len(states) == 1 else states

    def _taken(self, states: Any, x: Tensor) -> States:
        stacked = self._stacked(states, Sequences(x, None, None, x.shape[0], x.shape[1]))
        if stacked is None:
            raise DataError(f"expected states of {self}, got None; reset() begins anew")
        return self._apart(stacked)

    def _handed_on(self, states: States) -> Any:
        stacked = tuple(torch.stack([layer[name] for layer in states]) for name in self._steps[0].states)
        return stacked[0] if len(stacked) == 1 else stacked

    def _flatten(self, mode: int) -> None:
        """Lay the parameters out as one block for cuDNN, whose number of the kind of layer is `mode`."""
        weights = [value for number in range(len(self.scans)) for value in self._weights(number)]
        if not all(weight.is_cuda and torch.backends.cudnn.is_acceptable(weight) for weight in weights):
            return
        if len({weight.data_ptr() for weight in weights}) < len(weights):
            return  # parameters that share memory cannot be laid out anew
        with torch.cuda.device_of(weights[0]), torch.no_grad():
            torch.ops.aten._cudnn_rnn_flatten_weight(
                weights,
                len(self._layouts[0].shapes),
                self.input_size,
                mode,
                self.hidden_size,
                self._sizes[0].get("P", 0),
                self.num_layers,
                self.batch_first,
                self.bidirectional,
            )

    def _arguments(self, first: Mapping[str, tuple[Any, Any]], switches: Mapping[str, tuple[Any, Any]]) -> str:
        """The arguments that differ from their defaults, given as pairs of value and default."""
        chosen = self.options
        rates = dict(chosen.zoneout)
        same = len(set(rates.values())) == 1 and len(rates) == len(self._steps[0].states)
        zoneout = next(iter(rates.values())) if same else rates
        shown = {
            "num_layers": (self.num_layers, 1),
            "bias": (self.bias, True),
            "batch_first": (self.batch_first, False),
            "dropout": (self.dropout, 0.0),
            "bidirectional": (self.bidirectional, False),
            **first,
            **switches,
            "zoneout": (zoneout or 0.0, 0.0),
            "recurrent_dropout": (chosen.recurrent_dropout, 0.0),
            "variational_dropout": (chosen.variational_dropout, 0.0),
            "weight_dropout": (chosen.weight_dropout, 0.0),
            "clip_gradient": (chosen.clip_gradient, None),
            "learned_state": (self.learned_state, False),
            "forget_bias": (self.forget_bias, None),
            "expected_lag": (self.expected_lag, None),
            "checkpoint_every": (self.checkpoint_every, None),
            "backend": (self.backend, "auto"),
            "weight_storage": (self.weight_storage, None),
        }
        further = [f"{name}={value!r}" for name, (value, default) in shown.items() if value != default]
        return ", ".join([str(self.input_size), str(self.hidden_size), *further])


def _joined(layers: Sequence[Tensor], place: int) -> Tensor:
    """The states of all layers, `[L*D, B, w]`, from those of each."""
    return layers[0] if len(layers) == 1 else torch.cat(list(layers), dim=place)
