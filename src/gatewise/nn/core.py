"""What all recurrent layers share: the forms of a call, masks, streams, and the choice of a backend.

Legend: T steps, B batch, X inputs, H hidden units, w the width of a state, L layers, D directions (1 or 2).
"""

import copy
from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gatewise.backends import Call, Choice, check_backend, choose
from gatewise.backends.call import FLOATING
from gatewise.backends.layer_scan import Scans
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn.masks import Draw
from gatewise.nn.narrow import check_weights, round_matrices
from gatewise.nn.running import RunningLayers, States
from gatewise.nn.sequences import Lengths, Resets, Sequences, arrange, check_resets
from gatewise.nn.stream import Stack, Stream
from gatewise.nn.widths import check_size


class RecurrentCore(RunningLayers):
    """The machinery of a stack of recurrent layers; `Recurrent`, `LSTM`, `GRU` and `RNN` give it their form.

    Its arguments are those of `gatewise.nn.parameters.LayerParameters`.
    """

    def narrowed(self, weights: str) -> Self:
        """A copy of the layer for inference, whose matrices are packed once, and in fewer bits if one likes.

        Its parameters hold the rounded numbers, in float32, so that every backend computes the same function; the `cpu`
        backend packs them once for as long as they stay as they are (what is written through a parameter's `.data`
        goes unnoticed), where other layers pack theirs for every call. Arithmetic, states, biases and other
        vectors stay float32. It is in evaluation mode, its parameters take no gradient, and a call that would have to
        be differentiated is refused.

        Args:
            weights: "fp32": as they are. "bf16": every element is off by at most 2^-8 of itself. "int8": whole numbers
                with a scale for each row; every element is off by at most half the scale, which is 1 / 254 of the row's
                largest.

        Raises:
            ConfigurationError: no such storage; the parameters are not float32, not finite, or not the layer's own.

        >>> from gatewise import LSTM
        >>> LSTM(3, 5).narrowed("bf16")
        LSTM(3, 5, weight_storage='bf16')
        """
        check_weights(weights)
        if self._weight_storage not in (None, weights):
            raise ConfigurationError(
                f"the weights of {self} are rounded already: begin with the layer that they came from"
            )
        if any(self._parameters.get(full) is None for names in self._names for full in names.values()):
            raise ConfigurationError(
                f"the parameters of {self} are computed from others: bake them in first, for instance with "
                "torch.nn.utils.parametrize.remove_parametrizations or torch.nn.utils.prune.remove"
            )
        # Ordinary tensors, in inference mode too: what is written to others is not counted, and would be packed anew.
        with torch.inference_mode(False):
            layer = copy.deepcopy(self)
            round_matrices(layer, weights)
            layer._weight_storage = weights
            layer._compiled, layer._plain = {}, {}
            return layer.requires_grad_(False).eval()

    def stream(self, batch: int = 1, *, weights: str | None = None, backend: str | None = None) -> Stream:
        """The layer as a stream: B sequences that are given one step, or a few, at a time; see `Stream`.

        Args:
            batch: B, from 1.
            weights: "bf16" or "int8" to store the matrices in fewer bits; see `narrowed`. (A stream packs them once in
                any case.)
            backend: "auto", "cpu" or "reference"; by default the layer's.

        Raises:
            ConfigurationError: the layer is bidirectional, has hooks or no parameters; or an argument is not usable.

        >>> from gatewise import LSTM
        >>> layer = LSTM(3, 5)
        >>> stream, x = layer.stream(), torch.randn(7, 1, 3)
        >>> steps = torch.stack([stream.step(now).clone() for now in x])
        >>> torch.allclose(steps, layer(x)[0], atol=1e-6)
        True
        """
        if self._forward_pre_hooks or self._forward_hooks:
            raise ConfigurationError(
                f"{self} has forward hooks, which a stream would not run: remove them "
                "(torch.nn.utils.prune.remove bakes a pruned weight in)"
            )
        if self.bidirectional:
            raise ConfigurationError(
                "a bidirectional layer cannot be a stream: its backward direction begins at the end of a sequence"
            )
        if weights is not None and self._weight_storage not in (None, check_weights(weights)):
            raise ConfigurationError(f"the weights of {self} are rounded already: leave weights out")
        check_size("batch", batch, least=1)
        chosen = check_backend(self.backend if backend is None else backend)
        stored = weights or self._weight_storage
        return Stream(lambda: self._stack(batch, stored, chosen))

    def explain(
        self,
        input: Tensor | PackedSequence,
        lengths: Lengths | None = None,
        *,
        resets: Resets | None = None,
        return_states: Literal["last", "all"] = "last",
    ) -> str:
        """Which backend runs this call, and for each of the others why it does not.

        Raises:
            DataError: the input, the lengths or the resets do not fit the layer.
            ConfigurationError: the backend asked for cannot run this call.

        >>> from gatewise import LSTM
        >>> print(LSTM(3, 5).explain(torch.randn(7, 2, 3)))
        LSTM of T=7, B=2, H=5, X=3, float32 on cpu
        backend: cpu (the first of "auto" that can)
          cpu: runs the call
          torch: could run the call; it comes later in the order of "auto"
          reference: could run the call; it comes later in the order of "auto"
        """
        sequences = self._arrange(input, lengths)
        extras = self._extras(self._marks(resets, sequences), return_states == "all")
        return f"{self._call(sequences, extras)}\n{self._choose(sequences, extras)}"

    def _stack(self, batch: int, weights: str | None, requested: str) -> Stack:
        """What a stream of B sequences has to know of the layer as it is now."""
        first = next((value for number in range(len(self.scans)) for value in self.stored(number).values()), None)
        if first is None:
            raise ConfigurationError(f"{self} has no parameters, whose dtype and device a stream would have")
        example = first.detach()
        self._check_parameters(example)
        call = self._signature(example.device.type, example.dtype, 1, batch, False, (), weights)
        choice = choose(requested, call, streaming=True)
        runs = self.narrowed(str(weights)) if weights != self._weight_storage and choice.backend != "cpu" else self
        scans: list[tuple[Scans, list[Tensor]]] = []
        if choice.backend == "cpu":
            for layer, step in enumerate(self._steps):
                call = self._call_of(layer, False, False, (step.output,), False)
                stored = self.stored(layer)
                scans.append((call.scans, [stored[name] for name in call.stored]))

        def run(x: Tensor, states: States, further: Mapping[str, Tensor]) -> tuple[Tensor, States]:
            sequences = Sequences(x, None, None, x.shape[0], x.shape[1])
            output, finals, _ = runs._run(sequences, states, inputs=further)
            return output, [{name: value[0] for name, value in final.items()} for final in finals]

        return Stack(
            title=repr(self),
            batch=batch,
            weights=weights,
            choice=choice,
            example=example,
            features=self.input_size,
            outputs=self.output_size,
            batch_first=self.batch_first,
            inputs=self._further_widths,
            scans=scans,
            watched=[
                (table, name, tensor)
                for module in self.modules()
                for table in (module._parameters, module._buffers)
                for name, tensor in table.items()
                if tensor is not None
            ],
            initial=[
                {name: value.detach().clone() for name, value in states.items()}
                for states in (
                    self._initial(layer, self.stored(layer), example.new_empty(1, batch, 0))
                    for layer in range(self.num_layers)
                )
            ],
            run=run,
            take=self._taken,
            hand=self._handed_on,
        )

    def _taken(self, states: Any, x: Tensor) -> States:
        """States of all layers `[B, w]`, checked, from the layer's own form; for an input `[T, B, X]`."""
        raise NotImplementedError

    def _handed_on(self, states: States) -> Any:
        """The layer's own form of states from those of all layers `[B, w]`."""
        raise NotImplementedError

    def _arrange(self, input: Tensor | PackedSequence, lengths: Lengths | None) -> Sequences:
        sequences = arrange(input, lengths, batch_first=self.batch_first, features=self.input_size, layer=self)
        if not torch.compiler.is_compiling():
            self._check_parameters(sequences.data)
        return sequences

    def _fits(self, state: Tensor, data: Tensor) -> bool:
        """Whether a state's dtype is the input's, or one that autocast converts."""
        return state.dtype == data.dtype or (self._autocast(data) and state.dtype in FLOATING)

    def _draw(self, sequences: Sequences, seed: int | Tensor | None, numbers: Tensor | None, step: int) -> Draw | None:
        """Where a call's masks come from; None where none are drawn."""
        if not self.training or not (self._own_masks or self.dropout > 0):
            return None
        if seed is None:
            seed = torch.randint(0, 2**63 - 1, (), device="cpu")
        elif not isinstance(seed, Tensor) and (
            isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63
        ):
            raise ConfigurationError(f"mask_seed={seed!r} must be a whole number from 0 to 2**63 - 1")
        check_size("first_step", step, least=0)
        device = sequences.data.device
        drawn = torch.as_tensor(seed, dtype=torch.int64, device=device)
        if numbers is None:
            numbers = torch.arange(sequences.batch, device=device)
        elif (
            not isinstance(numbers, Tensor)
            or numbers.shape != (sequences.batch,)
            or numbers.dtype.is_floating_point
            or numbers.dtype == torch.bool
        ):
            came = f"{numbers.dtype} of shape {list(numbers.shape)}" if isinstance(numbers, Tensor) else repr(numbers)
            raise DataError(
                f"expected sequence_ids to be a tensor of {sequences.batch} whole numbers, one for each sequence of "
                f"the batch, got {came}"
            )
        return Draw(drawn, numbers.to(device, torch.int64), step)

    def _marks(self, resets: Any, sequences: Sequences) -> Tensor | None:
        """Checked resets `[T, B]`, or None."""
        if resets is None:
            return None
        return check_resets(resets, sequences, layer=self)

    def _extras(self, resets: Tensor | None, everything: bool) -> tuple[str, ...]:
        """What a call asks for besides the cell, lengths, stacking and dropout between layers, in words."""
        named = dict.fromkeys(name for chosen in self._options for name in chosen.named())
        if not self.training:
            named = {name: None for name in named if name == "zoneout"}
        extras = [*named, *(["resets"] if resets is not None else [])]
        if everything:
            extras.append('return_states="all"')
        if self._checkpoints():
            extras.append("checkpoint_every")
        if torch.compiler.is_compiling():
            extras.append("torch.compile or torch.export")
        elif torch._C._are_functorch_transforms_active():
            extras.append("torch.func")
        return tuple(extras)

    def _call(self, sequences: Sequences, extras: tuple[str, ...] = ()) -> Call:
        data = sequences.data
        dtype, ragged = self._computed_in(data), sequences.ragged
        return self._signature(data.device.type, dtype, sequences.steps, sequences.batch, ragged, extras)

    def _signature(
        self,
        device: str,
        dtype: torch.dtype,
        steps: int,
        batch: int,
        ragged: bool,
        extras: tuple[str, ...],
        weights: str | None = None,
    ) -> Call:
        if len(set(self.cells)) > 1:
            extras = (*extras, "layers of different cells")
        sizes = tuple(sorted(self._sizes[0].items()))
        stored = weights or self._weight_storage
        return Call(self.cells[0], device, dtype, steps, batch, sizes, ragged, extras, self.torchs_form, stored)

    def _choose(self, sequences: Sequences, extras: tuple[str, ...] = ()) -> Choice:
        return choose(self.backend, self._call(sequences, extras))

    def _backend(self, sequences: Sequences, extras: tuple[str, ...]) -> str:
        """The name of the backend that runs a call."""
        if torch.compiler.is_compiling():
            data = sequences.data
            return self._backend_of_graph(data.device.type, self._computed_in(data), sequences.ragged, extras)
        return self._choose(sequences, extras).backend

    @torch.compiler.assume_constant_result
    def _backend_of_graph(self, device: str, dtype: torch.dtype, ragged: bool, extras: tuple[str, ...]) -> str:
        # A graph serves every length and batch: the choice must not depend on the sizes at hand.
        return choose(self.backend, self._signature(device, dtype, 1, 1, ragged, extras)).backend
