"""The plainest call that the compiled core runs, in the fewest steps.

All of it is what the long way does as well, which also finds the words for whatever does not fit.

Legend: T steps, B batch, X inputs, w the width of a state, D directions (1 or 2), L layers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from gatewise.backends.cpu import unit_stride
from gatewise.backends.layer_scan import eligible
from gatewise.nn.core import RecurrentCore

MOST_PLAIN = 256  # shapes of calls that a layer remembers


class PlainCalls(RecurrentCore):
    """A stack of layers with a short way for sequences of one length, without masks, resets, or further inputs."""

    def _plain_call(self, input: Tensor) -> tuple[Tensor, list[list[Tensor]]] | None:
        """The input `[T, B, X]` and the stored tensors of each layer and direction; None where the long way is due."""
        # What looks into a call may also choose another backend for it: it is asked for before what is remembered.
        if (
            (self.training and (self._own_masks or self.dropout > 0))
            or input.is_nested
            or input.layout is not torch.strided
            or not eligible((input,))
            or self._checkpoints()
        ):
            return None
        key = (input.shape, input.dtype, self.backend, self.training)
        known = self._plain.get(key)
        if known is None:
            if len(self._plain) >= MOST_PLAIN:
                self._plain.clear()
            known = self._plain[key] = self._is_plain(input)
        if not known or torch.is_autocast_enabled("cpu"):
            return None
        x = input.unsqueeze(1) if input.dim() == 2 else input.transpose(0, 1) if self.batch_first else input
        groups = self._plain_parameters(input.dtype)
        if groups is None or not input.is_cpu:
            return None
        return unit_stride(x), groups

    def _plain_run(
        self, x: Tensor, groups: Sequence[Sequence[Tensor]], states: Sequence[Sequence[Tensor]] | None
    ) -> tuple[Tensor, list[Sequence[Tensor]]]:
        """Run the layers.

        Args:
            x: `[T, B, X]`.
            groups: the stored tensors of each layer and direction.
            states: of each layer and direction `[B, w]`, or None where they start as the cells say.

        Returns:
            The last layer's outputs `[T, B, D*w]`, and of each layer its final states `[D, B, w]`.
        """
        each, finals = self.directions, []
        for layer in range(self.num_layers):
            call = self._call_of(layer, False, False, (self._steps[layer].output,), False)
            tensors: list[Tensor | None] = []
            for number in range(layer * each, (layer + 1) * each):
                tensors.append(x)
                tensors += groups[number]
                tensors += [None] * call.states if states is None else states[number]
            values = call.run(tensors, ())
            x = values[0]
            finals.append(values[1:])
        return x, finals

    def _is_plain(self, input: Tensor) -> bool:
        """Whether a call with nothing but an input of this shape and dtype is run by the core."""
        if self._further_widths or any("learned" in step.initial.values() for step in self._steps):
            return False
        sequences = self._arrange(input, None)
        return sequences.batch > 0 and self._choose(sequences, self._extras(None, False)).backend == "cpu"

    def _plain_parameters(self, dtype: torch.dtype) -> list[list[Tensor]] | None:
        """The stored tensors of each layer and direction; None where one is not what it was made as."""
        groups: list[list[Tensor]] = []
        for layer, names in zip(self._layer_of, self._names, strict=True):
            shapes, group = self._layouts[layer].shapes, []
            for name, expected in shapes.items():
                value = self._parameters.get(names[name])
                if (
                    value is None
                    or type(value) is not Parameter
                    or value.dtype is not dtype
                    or value.shape != expected
                    or not value.is_cpu
                    or not value.is_contiguous()
                    or value.is_neg()
                ):
                    return None
                group.append(value)
            groups.append(group)
        return groups
