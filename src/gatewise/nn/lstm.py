"""The LSTM layer, in the place of `torch.nn.LSTM`.

Legend: T steps, B batch, X inputs, H hidden units, P projected width, O outputs of one direction (P where projected,
otherwise H), D directions (1 or 2), L layers.
"""

from collections.abc import Callable, Mapping
from typing import Literal, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gatewise.cells import LSTM as Plain
from gatewise.cells import LSTMP as Projected
from gatewise.equations import Step
from gatewise.errors import ConfigurationError
from gatewise.nn.layout import Layout, torchs
from gatewise.nn.segments import Every
from gatewise.nn.sequences import Lengths, Resets
from gatewise.nn.torch_form import TorchForm
from gatewise.nn.widths import check_size

State = tuple[Tensor, Tensor]
GATES = ("i", "f", "z", "o")  # torch's order of the rows of its matrices (its documentation calls z "g")


class LSTM(TorchForm):
    """Long short-term memory with forget gate (Gers, Schmidhuber & Cummins 2000), in the place of `torch.nn.LSTM`.

    Arguments, call, returns, parameter names and shapes, and the random numbers drawn at initialisation are those of
    `torch.nn.LSTM`, so that `load_state_dict` works in both directions. On top of it: sequences of different lengths
    without packing (`lengths`), states that start anew inside a sequence (`resets`), every published LSTM a switch
    away, regularisation inside the recurrence, a choice of backend (`backend`, `explain`), and a look at the gates
    (`observe`).

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
        peephole: gates see the cell state (Gers, Schraudolph & Schmidhuber 2002).
        coupled: one gate for input and forgetting, f = 1 - i (Greff et al. 2017).
        forget_gate: False for the cell of 1997, which forgets nothing.
        layer_norm: net inputs and the cell's output are normalised (Ba, Kiros & Hinton 2016).
        cells_per_block: S cells that share their gates (Hochreiter & Schmidhuber 1997); H is a multiple of it.
        gate_recurrence: every gate also reads all gates of the step before (Greff et al. 2017, FGR); the gates are then
            states, and `hx` holds them after h and c.
        zoneout: share of units that keep the old value of a state, for all states or as a mapping, for instance
            `{"c": 0.5, "h": 0.05}` (Krueger et al. 2017); in evaluation the expected mixture.
        recurrent_dropout: share of units of z that are dropped before they enter the cell (Semeniuta et al. 2016).
        variational_dropout: share of units of input and h that matrices do not see, the same at all steps of a sequence
            (Gal & Ghahramani 2016).
        weight_dropout: share of the elements of U that are dropped, for a whole call (Merity, Keskar & Socher 2018).
        clip_gradient: bound of the gradient of net inputs (Graves 2013).
        learned_state: states start at trained values instead of 0.
        forget_bias: the forget gates' bias at initialisation: `bias_ih` takes this number and `bias_hh` 0. None leaves
            torch's, a random number near 0, with which a new cell forgets half of its state in every step; so
            nothing is learned across more than a few steps until the gate has learned to open. With 1 it keeps 73 % of
            it, which is often better: Gers et al. (2000) start with positive forget biases, and Jozefowicz, Zaremba &
            Sutskever (2015, An Empirical Exploration of Recurrent Network Architectures, ICML) found that a bias of 1
            closes the gap between the LSTM and the GRU.
        expected_lag: initialise the biases of forget and input gates for lags up to this many time steps (chrono
            initialisation, Tallec & Ollivier 2018), in place of `forget_bias`; for long lags much the better choice.
        checkpoint_every: for long sequences in little memory: with K, only the states before every K-th step are saved
            in training, and what lies between is computed once more in the backward; "sqrt" takes the square root of
            the sequence's length, with which memory grows by the square root, for the time of one more forward.
            Outputs are the same bits; see `gatewise.nn.segments`. In graphs of torch.compile and under torch.func
            everything is saved.
        backend: "cpu" (the compiled core), "torch" (torch's fused call), "reference" (torch operations; any device,
            differentiable any number of times), or "auto": the fastest that can run the call.

    Raises:
        ConfigurationError: an argument is not usable, or the chosen backend cannot run a call.
        CellError: switches that mean nothing together.

    The attribute `cell` is the cell whose equations every layer runs.

    >>> layer = LSTM(3, 5, forget_bias=1.0)
    >>> output, (h, c) = layer(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> output.shape, h.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
    >>> bool((output[4:, 1] == 0).all() and (output[3, 1] == h[0, 1]).all())
    True
    >>> sorted(name for name, _ in LSTM(3, 5, bias=False, peephole=True).named_parameters())
    ['p_f_l0', 'p_i_l0', 'p_o_l0', 'weight_hh_l0', 'weight_ih_l0']
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
        peephole: bool = False,
        coupled: bool = False,
        forget_gate: bool = True,
        layer_norm: bool = False,
        cells_per_block: int = 1,
        gate_recurrence: bool = False,
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
    ) -> None:
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            check_size(name, value, least=1)
        check_size("proj_size", proj_size, least=0)
        if proj_size >= hidden_size:
            raise ConfigurationError(
                f"proj_size={proj_size} must be smaller than hidden_size={hidden_size} (0 for no projection)"
            )
        kind = Projected if proj_size else Plain
        cell = kind(
            bias=bool(bias),
            peephole=peephole,
            coupled=coupled,
            forget_gate=forget_gate,
            layer_norm=layer_norm,
            cells_per_block=cells_per_block,
            gate_recurrence=gate_recurrence,
        )
        super().__init__(
            [cell] * num_layers,
            input_size,
            [hidden_size] * num_layers,
            widths={"P": proj_size} if proj_size else None,
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
        self.hidden_size = hidden_size
        self.bias = bool(bias)
        self.proj_size = proj_size
        self.cell = cell
        self.flatten_parameters()

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: State | None = None,
        *,
        lengths: Lengths | None = None,
        resets: Resets | None = None,
        return_states: Literal["last", "all"] = "last",
        mask_seed: int | Tensor | None = None,
        sequence_ids: Tensor | None = None,
        first_step: int = 0,
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run the layer over a batch of sequences.

        Args:
            input: `[T, B, X]`; `[B, T, X]` with `batch_first`; one sequence `[T, X]`; or a `PackedSequence`.
            hx: h `[L*D, B, O]` and c `[L*D, B, H]` before the first step (without B for one sequence); by default 0,
                or what was learned. With `gate_recurrence` the gates follow, each `[L*D, B, H / cells_per_block]`.
            lengths: how many of the T steps each of the B sequences has, in any order, from 0 to T, as a list or a
                tensor on any device; by default T for all. What the input holds beyond (NaN included) is not read:
                states stop at each sequence's end, where the backward direction starts.
            resets: booleans `[T, B]` (`[B, T]` with `batch_first`, `[T]` for one sequence): states start anew before
                the step, as if a sequence began there; the backward direction's before the step it reads next.
            return_states: "last" for the final states, "all" for the states after every step.
            mask_seed: from which all dropout masks of a call in training follow, whatever the backend; by default drawn
                from torch's generator.
            sequence_ids: a number for each sequence `[B]`, to which its masks belong; by default its place in the
                batch.
            first_step: how many steps of the sequences came before, so that their masks go on where they were.

        Returns:
            The last layer's outputs `[T, B, D*O]` (or in the form the input came in), exactly 0 beyond a sequence's
            end; and the final `(h, c)` in the shapes of `hx`, for a sequence of length 0 the states given. With
            `return_states="all"` all of them, `[T, L*D, B, ...]`, 0 beyond a sequence's end.

        Raises:
            DataError: the input, states, lengths or resets do not fit the layer or one another.
            ConfigurationError: the backend asked for cannot run this call.
        """
        return self._forward(input, hx, lengths, resets, return_states, mask_seed, sequence_ids, first_step)

    def flatten_parameters(self) -> None:
        """Lay the parameters out as one block for cuDNN, as torch does; does nothing on other devices.

        Called when the layer is made or moved; kept as a method because code written for `torch.nn.LSTM` calls it.
        """
        if self.cell in (Plain(self.bias), Projected(self.bias)):
            self._flatten(2)  # cuDNN's number of the LSTM (CUDNN_LSTM)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        switches = {
            name: (getattr(self.cell, name), getattr(Plain(), name))
            for name in ("peephole", "coupled", "forget_gate", "layer_norm", "cells_per_block", "gate_recurrence")
        }
        return self._arguments({"proj_size": (self.proj_size, 0)}, switches)

    def _layout(self, step: Step, sizes: Mapping[str, int]) -> Layout:
        return torchs(step, sizes, GATES)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.flatten_parameters()
        return self
