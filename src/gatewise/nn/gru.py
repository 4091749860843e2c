"""The GRU layer, in the place of `torch.nn.GRU`.

Legend: T steps, B batch, X inputs, H hidden units, D directions (1 or 2), L layers.
"""

from collections.abc import Callable, Mapping
from typing import Literal, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gatewise.cells import GRU as AfterReset
from gatewise.cells import GRUCho as BeforeReset
from gatewise.equations import Step
from gatewise.nn.layout import Layout, torchs
from gatewise.nn.segments import Every
from gatewise.nn.sequences import Lengths, Resets
from gatewise.nn.torch_form import TorchForm
from gatewise.nn.widths import check_size

GATES = ("r", "u", "n")  # torch's order of the rows of its matrices (its documentation calls u "z")


class GRU(TorchForm):
    """Gated recurrent unit (Cho et al. 2014), in the place of `torch.nn.GRU`.

    Arguments, call, returns, parameter names and shapes, and the random numbers drawn at initialisation are those of
    `torch.nn.GRU`; what comes on top of it is that of `gatewise.LSTM`, which see.

    Args:
        input_size: X.
        hidden_size: H.
        num_layers: L.
        bias: whether the gates and the candidate have biases.
        batch_first: input and output are `[B, T, ...]`.
        dropout: probability with which, in training, the outputs of every layer but the last are dropped.
        bidirectional: a second scan of each layer runs from each sequence's end to its beginning.
        device: of the parameters.
        dtype: of the parameters.
        reset_after: torch's form, in which the reset gate acts after the recurrent matrix; False for the paper's, in
            which it acts before (its `bias_hh` acts as a second bias of the candidate; torch has no such layer).
        zoneout: see `gatewise.LSTM`.
        recurrent_dropout: share of units of the candidate n that are dropped before they enter the state.
        variational_dropout: see `gatewise.LSTM`.
        weight_dropout: see `gatewise.LSTM`.
        clip_gradient: see `gatewise.LSTM`.
        learned_state: see `gatewise.LSTM`.
        forget_bias: the update gates' bias at initialisation, by which the state is kept.
        expected_lag: initialise the update gates for lags up to this many time steps (Tallec & Ollivier 2018).
        checkpoint_every: see `gatewise.LSTM`.
        backend: see `gatewise.LSTM`.

    Raises:
        ConfigurationError: an argument is not usable, or the chosen backend cannot run a call.

    >>> output, h = GRU(3, 5, bidirectional=True)(torch.randn(7, 2, 3), lengths=[7, 4])
    >>> output.shape, h.shape
    (torch.Size([7, 2, 10]), torch.Size([2, 2, 5]))
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
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset_after: bool = True,
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
        check_size("num_layers", num_layers, least=1)
        cell = AfterReset(bias=bool(bias)) if reset_after else BeforeReset(bias=bool(bias))
        super().__init__(
            [cell] * num_layers,
            input_size,
            [hidden_size] * num_layers,
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
        self.reset_after = bool(reset_after)
        self.cell = cell
        self.flatten_parameters()

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | None = None,
        *,
        lengths: Lengths | None = None,
        resets: Resets | None = None,
        return_states: Literal["last", "all"] = "last",
        mask_seed: int | Tensor | None = None,
        sequence_ids: Tensor | None = None,
        first_step: int = 0,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Run the layer over a batch of sequences; arguments, returns and errors as of `gatewise.LSTM`.

        The state is a single tensor: `hx` `[L*D, B, H]` (without B for one sequence).
        """
        return self._forward(input, hx, lengths, resets, return_states, mask_seed, sequence_ids, first_step)

    def flatten_parameters(self) -> None:
        """Lay the parameters out as one block for cuDNN, as torch does; does nothing on other devices."""
        if self.reset_after:
            self._flatten(3)  # cuDNN's number of the GRU (CUDNN_GRU)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        return self._arguments({}, {"reset_after": (self.reset_after, True)})

    def _layout(self, step: Step, sizes: Mapping[str, int]) -> Layout:
        return torchs(step, sizes, GATES)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.flatten_parameters()
        return self
