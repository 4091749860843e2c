"""The LSTM layer, in the place of `torch.nn.LSTM`.

Legend: T steps, B batch, X inputs, H hidden units, P projected width, O outputs of one direction (P where projected,
otherwise H), D directions (1 or 2), L layers.
"""

import math
import warnings
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gatewise.backends import Call, Choice, check_backend, choose, torch_fused
from gatewise.backends.call import FLOATING
from gatewise.cells import LSTM as Plain
from gatewise.cells import LSTMP as Projected
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn.parameters import Shapes
from gatewise.nn.sequences import Lengths, Sequences, arrange
from gatewise.nn.stack import run_scan, run_stack

State = tuple[Tensor, Tensor]


class LSTM(nn.Module):
    """Long short-term memory with forget gate (Gers, Schmidhuber & Cummins 2000), in the place of `torch.nn.LSTM`.

    Arguments, call, returns, parameter names and shapes, and the random numbers drawn at initialisation are those of
    `torch.nn.LSTM`, so that `load_state_dict` works in both directions. On top of it: sequences of different lengths
    without packing (`lengths`), the forget gate's initial bias (`forget_bias`), a choice of backend (`backend`,
    `explain`), and a look at the gates (`observe`).

    Args:
        input_size: X.
        hidden_size: H.
        num_layers: L; each further layer reads the outputs of the one before.
        bias: whether the gates and the block input have biases (torch's two, which act as their sum).
        batch_first: input and output are `[B, T, ...]` instead of `[T, B, ...]`; states are not affected.
        dropout: probability with which, in training, the outputs of every layer but the last are dropped.
        bidirectional: a second scan of each layer runs from each sequence's end to its beginning.
        proj_size: P, the width of the recurrent projection (LSTMP: Sak, Senior & Beaufays 2014); 0 for none.
        device: of the parameters.
        dtype: of the parameters.
        forget_bias: the forget gates' bias at initialisation: `bias_ih` takes this number and `bias_hh` 0. None leaves
            torch's, a random number near 0, with which a new cell forgets half of its state in every step; so
            nothing is learned across more than a few steps until the gate has learned to open. With 1 it keeps 73 % of
            it, which is often better: Gers et al. (2000) start with positive forget biases, and Jozefowicz, Zaremba &
            Sutskever (2015, An Empirical Exploration of Recurrent Network Architectures, ICML) found that a bias of 1
            closes the gap between the LSTM and the GRU.
        backend: "reference" (torch operations; any device, differentiable any number of times), "torch" (torch's fused
            call), or "auto": the fastest that can run the call.

    Raises:
        ConfigurationError: an argument is not usable, or the chosen backend cannot run a call.

    The attribute `cell` is the cell whose equations every layer runs.

    >>> layer = LSTM(3, 5, forget_bias=1.0)
    >>> output, (h, c) = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> output.shape, h.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
    >>> bool((output[4:, 1] == 0).all() and (output[3, 1] == h[0, 1]).all())
    True
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        forget_bias: float | None = None,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            _check_size(name, value, least=1)
        _check_size("proj_size", proj_size, least=0)
        if proj_size >= hidden_size:
            raise ConfigurationError(
                f"proj_size={proj_size} must be smaller than hidden_size={hidden_size} (0 for no projection)"
            )
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
            raise ConfigurationError(f"dropout={dropout!r} must be a probability from 0 to 1")
        if dtype is not None and dtype not in FLOATING:
            raise ConfigurationError(f"dtype={dtype} must be one of {', '.join(map(str, FLOATING))}")
        if forget_bias is not None and not bias:
            raise ConfigurationError(f"forget_bias={forget_bias!r} needs biases: leave it out or use bias=True")
        if forget_bias is not None and not math.isfinite(forget_bias):
            raise ConfigurationError(f"forget_bias={forget_bias!r} must be a finite number or None")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"dropout={dropout} has no effect with num_layers=1: it acts between layers, not after the last",
                stacklevel=2,
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bool(bias)
        self.batch_first = bool(batch_first)
        self.dropout = float(dropout)
        self.bidirectional = bool(bidirectional)
        self.proj_size = proj_size
        self.forget_bias = forget_bias
        self.backend = check_backend(backend)
        self.cell = Projected(self.bias) if proj_size else Plain(self.bias)
        self._shapes = Shapes(input_size, hidden_size, proj_size, num_layers, self.bias, self.bidirectional)
        self._sizes = (("H", hidden_size), *([("P", proj_size)] if proj_size else []), ("X", input_size))
        self._names = [list(self._shapes.parameters(*scan)) for scan in self._shapes.scans()]
        for scan in self._shapes.scans():
            for name, shape in self._shapes.parameters(*scan).items():
                self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()
        self.flatten_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew: uniform within ±1/sqrt(H), as torch does; then the forget bias, if one is set."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            nn.init.uniform_(weight, -bound, bound)
        if self.forget_bias is None:
            return
        rows = slice(self.hidden_size, 2 * self.hidden_size)  # of the forget gate, the second of i, f, z, o
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if name.startswith("bias_ih"):
                    weight[rows] = self.forget_bias
                elif name.startswith("bias_hh"):
                    weight[rows] = 0

    def forward(
        self, input: Tensor | PackedSequence, hx: State | None = None, *, lengths: Lengths | None = None
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run the layer over a batch of sequences.

        Args:
            input: `[T, B, X]`; `[B, T, X]` with `batch_first`; one sequence `[T, X]`; or a `PackedSequence`.
            hx: h `[L*D, B, O]` and c `[L*D, B, H]` before the first step (without B for one sequence); by default 0.
            lengths: how many of the T steps each of the B sequences has, in any order, from 0 to T, as a list or a
                tensor on any device; by default T for all. What the input holds beyond (NaN included) is not read:
                states stop at each sequence's end, where the backward direction starts.

        Returns:
            The last layer's outputs `[T, B, D*O]` (or in the form the input came in), exactly 0 beyond a sequence's
            end; and the final `(h, c)` in the shapes of `hx`, for a sequence of length 0 the states given.

        Raises:
            DataError: the input, the states or the lengths do not fit the layer or one another.
            ConfigurationError: the backend asked for cannot run this call.
        """
        sequences = self._arrange(input, lengths)
        state = self._initial_state(hx, sequences)
        weights = self._weights()
        backend = self._choose(sequences).backend
        dropout = self.dropout if self.training else 0.0
        output: Tensor | PackedSequence
        if backend == "torch":
            stack = torch_fused.Stack(self.num_layers, self.bias, self.bidirectional, dropout, self.training)
            if sequences.packed is not None:
                output, final = torch_fused.run_packed(stack, sequences.packed, state, weights)
            else:
                dense, final = torch_fused.run(
                    stack, sequences.data, state, weights, sequences.lengths, from_zero=hx is None
                )
                output = sequences.restore(dense)
        else:
            values, valid = sequences.padded()
            dense, final = run_stack(self.cell, self._shapes, values, state, weights, valid, dropout=dropout)
            output = sequences.restore(dense)
        if sequences.unbatched:
            final = (final[0].squeeze(1), final[1].squeeze(1))
        return output, final

    def explain(self, input: Tensor | PackedSequence, lengths: Lengths | None = None) -> str:
        """Which backend runs this call, and for each of the others why it does not.

        Raises:
            DataError: the input or the lengths do not fit the layer.
            ConfigurationError: the backend asked for cannot run this call.

        >>> print(LSTM(3, 5).explain(torch.randn(7, 2, 3)))
        LSTM of T=7, B=2, H=5, X=3, float32 on cpu
        backend: torch (the first of "auto" that can)
          torch: runs the call
          reference: could run the call; it comes later in the order of "auto"
        """
        sequences = self._arrange(input, lengths)
        return f"{self._call(sequences)}\n{self._choose(sequences)}"

    @torch.no_grad()
    def observe(
        self,
        input: Tensor | PackedSequence,
        hx: State | None = None,
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
            Input gate `i`, forget gate `f`, block input `z`, output gate `o` and cell state `c`, each `[T, B, H]`, and
            the output `h` `[T, B, O]`: always time-major, B = 1 for one sequence, 0 beyond a sequence's end, in the
            input's order of time.

        Raises:
            DataError: the input, the states or the lengths do not fit the layer or one another.
            ConfigurationError: there is no such layer or direction.

        >>> gates = LSTM(3, 5).observe(torch.randn(7, 2, 3))
        >>> {name: list(value.shape) for name, value in gates.items()}["f"]
        [7, 2, 5]
        """
        if isinstance(layer, bool) or not isinstance(layer, int) or not 0 <= layer < self.num_layers:
            raise ConfigurationError(f"layer={layer!r} must be a whole number from 0 to {self.num_layers - 1}")
        if reverse and not self.bidirectional:
            raise ConfigurationError("reverse=True needs a layer with a backward direction: bidirectional=True")
        sequences = self._arrange(input, lengths)
        state = self._initial_state(hx, sequences)
        weights = self._weights()
        values, valid = sequences.padded()
        if layer > 0:
            values, _ = run_stack(self.cell, self._shapes, values, state, weights, valid, layers=layer)
        scan = layer * self._shapes.directions + int(reverse)
        names = ["i", "f", "z", "o", "c", "h"]
        return run_scan(self.cell, self._shapes, scan, values, state, weights, valid, names)[0]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, in torch's order."""
        return [[getattr(self, name) for name in names] for names in self._names]

    def flatten_parameters(self) -> None:
        """Lay the parameters out as one block for cuDNN, as torch does; does nothing on other devices.

        Called when the layer is made or moved; kept as a method because code written for `torch.nn.LSTM` calls it.
        """
        weights = self._weights()
        if not all(weight.is_cuda and torch.backends.cudnn.is_acceptable(weight) for weight in weights):
            return
        if len({weight.data_ptr() for weight in weights}) < len(weights):
            return  # parameters that share memory cannot be laid out anew
        with torch.cuda.device_of(weights[0]), torch.no_grad():
            torch.ops.aten._cudnn_rnn_flatten_weight(
                weights,
                len(self._shapes.parameters(0, 0)),
                self.input_size,
                2,  # cuDNN's number of the LSTM (CUDNN_LSTM)
                self.hidden_size,
                self.proj_size,
                self.num_layers,
                self.batch_first,
                self.bidirectional,
            )

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        shown = {
            "num_layers": (self.num_layers, 1),
            "bias": (self.bias, True),
            "batch_first": (self.batch_first, False),
            "dropout": (self.dropout, 0.0),
            "bidirectional": (self.bidirectional, False),
            "proj_size": (self.proj_size, 0),
            "forget_bias": (self.forget_bias, None),
            "backend": (self.backend, "auto"),
        }
        further = [f"{name}={value!r}" for name, (value, default) in shown.items() if value != default]
        return ", ".join([str(self.input_size), str(self.hidden_size), *further])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.flatten_parameters()
        return self

    def _weights(self) -> list[Tensor]:
        # By name at every call, so that parametrisations, pruning and functional calls take part.
        return [getattr(self, name) for names in self._names for name in names]

    def _arrange(self, input: Tensor | PackedSequence, lengths: Lengths | None) -> Sequences:
        sequences = arrange(input, lengths, batch_first=self.batch_first, features=self.input_size, layer=self)
        weight, data = self._weights()[0], sequences.data
        if data.device != weight.device:
            raise DataError(
                f"the input is on {data.device} and the layer's parameters are on {weight.device}; "
                "move one of them with .to(device)"
            )
        # Under autocast, torch chooses the dtype of each operation.
        if data.dtype != weight.dtype and not torch.is_autocast_enabled(data.device.type):
            raise DataError(
                f"the input is {data.dtype} and the layer's parameters are {weight.dtype}; "
                "convert one of them with .to(dtype)"
            )
        return sequences

    def _initial_state(self, hx: State | None, sequences: Sequences) -> State:
        shapes, data = self._shapes, sequences.data
        count = self.num_layers * shapes.directions
        sizes = {"h": shapes.output_size, "c": self.hidden_size}
        if hx is None:
            h, c = (data.new_zeros(count, sequences.batch, size) for size in sizes.values())
            return h, c
        if not isinstance(hx, (tuple, list)) or len(hx) != 2 or not all(isinstance(part, Tensor) for part in hx):
            raise DataError(f"expected hx to be a pair of tensors (h, c), got {type(hx).__name__}")
        for (name, size), part in zip(sizes.items(), hx, strict=True):
            expected = [count, size] if sequences.unbatched else [count, sequences.batch, size]
            if list(part.shape) != expected:
                form = "[L*D, width]" if sequences.unbatched else "[L*D, B, width]"
                raise DataError(f"expected the state {name} of hx to be {form} = {expected}, got {list(part.shape)}")
            if part.device != data.device or part.dtype != data.dtype:
                raise DataError(
                    f"the state {name} of hx is {part.dtype} on {part.device}, but the input is {data.dtype} on "
                    f"{data.device}; convert it with .to(input)"
                )
        h, c = hx
        return (h.unsqueeze(1), c.unsqueeze(1)) if sequences.unbatched else (h, c)

    def _call(self, sequences: Sequences) -> Call:
        data = sequences.data
        return Call(
            cell=self.cell,
            device=data.device.type,
            dtype=data.dtype,
            steps=sequences.steps,
            batch=sequences.batch,
            sizes=self._sizes,
            ragged=sequences.ragged,
        )

    def _choose(self, sequences: Sequences) -> Choice:
        return choose(self.backend, self._call(sequences))


def _check_size(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name}={value!r} must be a whole number of at least {least}")
