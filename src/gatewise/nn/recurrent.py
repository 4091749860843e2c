"""Layers of any cell, one's own included.

Legend: T steps, B batch, X inputs, H hidden units, w the width of a state, D directions (1 or 2), L layers.
"""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gatewise.cells import Cell
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn.plain import PlainCalls
from gatewise.nn.running import States as Scans
from gatewise.nn.segments import Every
from gatewise.nn.sequences import Lengths, Resets, Sequences
from gatewise.nn.widths import check_size

States = list[dict[str, Tensor]]  # for each layer each state's name and its values [D, B, w]


class Recurrent(PlainCalls):
    """A stack of recurrent layers of any cell.

    Parameters have the names of the cell's equations, with the layer and direction behind: `U_i_l0`, `U_i_l0_reverse`.

    Args:
        cell: a cell, or one for each layer.
        input_size: X of the first layer; each further layer reads the outputs of the one before.
        hidden_size: H, or one for each layer.
        num_layers: L; by default as many as there are cells or hidden sizes.
        batch_first: input and output are `[B, T, ...]` instead of `[T, B, ...]`; states are not affected.
        dropout: probability with which, in training, the outputs of every layer but the last are dropped.
        bidirectional: a second scan of each layer runs from each sequence's end to its beginning.
        widths: sizes of the cell's further widths, for instance `{"P": 16}` of a projection.
        zoneout: see `gatewise.LSTM`, as all that follow.
        recurrent_dropout: share of units of the cell's `candidate` that are dropped.
        variational_dropout: share of units of input and output that matrices do not see.
        weight_dropout: share of the elements of recurrent matrices that are dropped.
        clip_gradient: bound of the gradient of net inputs.
        learned_state: states start at trained values.
        forget_bias: initial bias of what makes the cell keep its state (its `memory()`).
        expected_lag: initialise these biases for lags up to this many time steps.
        checkpoint_every: see `gatewise.LSTM`.
        backend: a backend's name, or "auto".
        device: of the parameters.
        dtype: of the parameters.

    Raises:
        ConfigurationError: an argument is not usable, or the chosen backend cannot run a call.
        CellError: the cell's equations do not fit.

    >>> from gatewise.cells import JANET, PhasedLSTM
    >>> output, states = Recurrent(JANET(), 3, 5, num_layers=2)(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> output.shape, states[1]["h"].shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
    >>> time = torch.linspace(0, 3, 7).view(7, 1, 1).expand(7, 2, 1)
    >>> Recurrent(PhasedLSTM(), 3, 5)(torch.randn(7, 2, 3), time=time)[0].shape
    torch.Size([7, 2, 5])
    """

    def __init__(
        self,
        cell: Cell | Sequence[Cell],
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int | None = None,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        widths: Mapping[str, int] | None = None,
        zoneout: float | Mapping[str, float] = 0.0,
        recurrent_dropout: float = 0.0,
        variational_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        clip_gradient: float | None = None,
        learned_state: bool = False,
        forget_bias: float | None = None,
        expected_lag: int | None = None,
        checkpoint_every: Every | None = None,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if num_layers is not None:
            check_size("num_layers", num_layers, least=1)
        if isinstance(cell, str):
            raise ConfigurationError(f"expected a cell, got {cell!r}; write gatewise.cells.get({cell!r})()")
        many = [len(given) for given in (cell, hidden_size) if isinstance(given, Sequence)]
        layers = num_layers if num_layers is not None else many[0] if many else 1
        if any(count != layers for count in many) or layers == 0:
            raise ConfigurationError(
                f"expected one cell and one hidden size, or one for each of the {layers} layers, "
                f"got {' and '.join(map(str, many))}"
            )
        cells = list(cell) if isinstance(cell, Sequence) else [cell] * layers
        for each in cells:
            if not isinstance(each, Cell):
                hint = f"; write {each.__name__}()" if isinstance(each, type) else ""
                raise ConfigurationError(f"expected a cell, got {each!r}{hint}")
        taken = {name for name in signature(Recurrent.forward).parameters if name not in ("self", "inputs")}
        for each in cells:
            clash = sorted(taken & each.trace().inputs.keys())
            if clash:
                raise ConfigurationError(
                    f'{type(each).__name__} has an input "{clash[0]}", which is an argument of a call of the layer: '
                    "rename it"
                )
        hidden = list(hidden_size) if isinstance(hidden_size, Sequence) else [hidden_size] * layers
        super().__init__(
            cells,
            input_size,
            hidden,
            widths=widths,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            learned_state=learned_state,
            zoneout=zoneout,
            recurrent_dropout=recurrent_dropout,
            variational_dropout=variational_dropout,
            weight_dropout=weight_dropout,
            clip_gradient=clip_gradient,
            forget_bias=forget_bias,
            expected_lag=expected_lag,
            checkpoint_every=checkpoint_every,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.hidden_size = hidden_size if isinstance(hidden_size, int) else tuple(hidden_size)

    def forward(
        self,
        input: Tensor | PackedSequence,
        states: States | None = None,
        *,
        lengths: Lengths | None = None,
        resets: Resets | None = None,
        return_states: Literal["last", "all"] = "last",
        mask_seed: int | Tensor | None = None,
        sequence_ids: Tensor | None = None,
        first_step: int = 0,
        **inputs: Tensor,
    ) -> tuple[Tensor | PackedSequence, States]:
        """Run the layers over a batch of sequences.

        Args:
            input: x: `[T, B, X]`; `[B, T, X]` with `batch_first`; one sequence `[T, X]`; or a `PackedSequence`.
            states: before the first step: for each layer a mapping from each state's name to `[D, B, w]` (without B for
                one sequence); by default what the cells declare.
            lengths: see `gatewise.LSTM`, as all that follow up to `first_step`.
            resets: booleans `[T, B]`: states start anew before the step.
            return_states: "last" or "all".
            mask_seed: from which all dropout masks of a call in training follow.
            sequence_ids: a number for each sequence `[B]`, to which its masks belong.
            first_step: how many steps of the sequences came before.
            inputs: the cell's further inputs by name, in the form of `input`: `[T, B, w]`, or `[T, B, 1]` for one
                number a step; every layer whose cell declares it reads it. What does not change over time may be
                `[B, w]`.

        Returns:
            The last layer's outputs `[T, B, D*w]` in the form the input came in, exactly 0 beyond a sequence's end; and
            the final states as `states` has them, or with "all" those after every step: `[T, D, B, w]`, 0 beyond a
            sequence's end.

        Raises:
            DataError: the input, states, lengths or resets do not fit the layer or one another.
            ConfigurationError: the backend asked for cannot run this call.
        """
        plain = lengths is None and resets is None and states is None and not inputs and return_states == "last"
        if plain and type(input) is Tensor and not torch.compiler.is_compiling():
            short = self._short(input)
            if short is not None:
                return short
        if return_states not in ("last", "all"):
            raise ConfigurationError(f'return_states={return_states!r} must be "last" or "all"')
        everything = return_states == "all"
        sequences = self._arrange(input, lengths)
        marks = self._marks(resets, sequences)
        output, finals, alls = self._run(
            sequences,
            self._scans(states, sequences),
            resets=marks,
            everything=everything,
            draw=self._draw(sequences, mask_seed, sequence_ids, first_step),
            inputs=self._further(inputs, sequences),
            backend=self._backend(sequences, self._extras(marks, everything)),
        )
        return sequences.restore(output), self._handed(alls if everything else finals, sequences, everything)

    def _short(self, input: Tensor) -> tuple[Tensor, States] | None:
        """The plainest call, in the fewest steps; None where it is not that plain."""
        plain = self._plain_call(input)
        if plain is None:
            return None
        x, finals = self._plain_run(*plain, None)
        single = input.dim() == 2
        if single:
            finals = [[state.squeeze(1) for state in states] for states in finals]
        last = [dict(zip(step.states, states, strict=True)) for step, states in zip(self._steps, finals, strict=True)]
        return x.squeeze(1) if single else x.transpose(0, 1) if self.batch_first else x, last

    def extra_repr(self) -> str:
        """Cells and sizes."""
        cells = self.cells[0] if len(set(self.cells)) == 1 else list(self.cells)
        return f"{cells!r}, {self.input_size}, {self.hidden_size}, num_layers={self.num_layers}" + (
            (", bidirectional=True" if self.bidirectional else "")
            + (f", weight_storage={self.weight_storage!r}" if self.weight_storage else "")
        )

    def _further(self, inputs: Mapping[str, Tensor], sequences: Sequences) -> dict[str, Tensor]:
        """The cells' further inputs `[T, B, w]`, checked."""
        declared = self._further_widths
        for name in inputs:
            if name not in declared:
                raise DataError(f'no cell of {self} has an input "{name}"; there is: {", ".join(declared) or "only x"}')
        found: dict[str, Tensor] = {}
        steps, batch, data = sequences.steps, sequences.batch, sequences.data
        for name, size in declared.items():
            if name not in inputs:
                raise DataError(f'the cell needs the input "{name}" [T, B, {size}]: give {name}=')
            value = inputs[name]
            if not isinstance(value, Tensor):
                raise DataError(f'expected the input "{name}" to be a Tensor, got {type(value).__name__}')
            if sequences.packed is None and sequences.unbatched and value.dim() == 2 and value.shape[0] == steps:
                whole = value.unsqueeze(1)
            elif value.dim() == 2 and list(value.shape) == [batch, size]:
                whole = value.expand(steps, batch, size)
            else:
                whole = value.transpose(0, 1) if sequences.batch_first and value.dim() == 3 else value
            if list(whole.shape) != [steps, batch, size]:
                raise DataError(
                    f'expected the input "{name}" to be [T, B, w] = {[steps, batch, size]} (or [B, w] where it does '
                    f"not change over time), got {list(value.shape)}"
                )
            found[name] = whole.to(data.device)
        return found

    def _scans(self, states: States | None, sequences: Sequences) -> Scans | None:
        """Checked states of each layer and direction, or None."""
        if states is None:
            return None
        if not isinstance(states, (list, tuple)) or len(states) != self.num_layers:
            came = f"{type(states).__name__}{f' of {len(states)}' if isinstance(states, (list, tuple)) else ''}"
            raise DataError(f"expected states to be a list of {self.num_layers} mappings, one a layer, got {came}")
        data, found = sequences.data, []
        for layer, (given, step, sizes) in enumerate(zip(states, self._steps, self._sizes, strict=True)):
            if not isinstance(given, Mapping) or set(given) != set(step.states):
                came = ", ".join(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
                raise DataError(
                    f"expected the states of layer {layer} to be a mapping of {', '.join(step.states)}, "
                    f"got {came or 'an empty one'}"
                )
            for name, leaf in step.states.items():
                size = sizes[str(leaf.width)]
                batch = [] if sequences.unbatched else [sequences.batch]
                expected = [self.directions, *batch, size]
                if not isinstance(given[name], Tensor):
                    raise DataError(f"expected the state {name} of layer {layer} to be a Tensor, got {given[name]!r}")
                value = given[name]
                if list(value.shape) != expected or value.device != data.device or not self._fits(value, data):
                    raise DataError(
                        f"expected the state {name} of layer {layer} to be [D, B, w] = {expected} of {data.dtype} on "
                        f"{data.device}, got {list(value.shape)} of {value.dtype} on {value.device}"
                    )
            for direction in range(self.directions):
                parts = {name: given[name][direction] for name in step.states}
                found.append({name: part.unsqueeze(0) if sequences.unbatched else part for name, part in parts.items()})
        return found

    def _taken(self, states: Any, x: Tensor) -> Scans:
        found = self._scans(states, Sequences(x, None, None, x.shape[0], x.shape[1]))
        if found is None:
            raise DataError(f"expected states of {self}, got None; reset() begins anew")
        return found

    def _handed_on(self, states: Scans) -> States:
        return [{name: value.unsqueeze(0) for name, value in layer.items()} for layer in states]

    def _handed(self, layers: States, sequences: Sequences, everything: bool) -> States:
        """States as they are given out: layer by layer, without B for one sequence."""
        if not sequences.unbatched:
            return layers
        place = 2 if everything else 1
        return [{name: value.squeeze(place) for name, value in states.items()} for states in layers]
