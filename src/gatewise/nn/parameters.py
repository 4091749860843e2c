"""What a stack of recurrent layers is made of: cells, sizes, options, and the parameters of each layer and direction.

Legend: T steps, B batch, X inputs, H hidden units, w the width of a state, L layers, D directions (1 or 2).
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gatewise.backends import check_backend
from gatewise.backends.call import FLOATING
from gatewise.cells import Cell
from gatewise.equations import Step
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn import variants
from gatewise.nn.compiled import Compiled
from gatewise.nn.initial import check_initialisation, initialise, with_learned_states
from gatewise.nn.layout import Layout, own, sizes_of
from gatewise.nn.narrow import round_matrices
from gatewise.nn.segments import Every, check_every
from gatewise.nn.widths import check_size, check_widths, further_widths


class LayerParameters(nn.Module):
    """The cells and parameters of a stack of recurrent layers; see `gatewise.nn.core.RecurrentCore`.

    Args:
        cells: the cell of each layer.
        input_size: X of the first layer.
        hidden_sizes: H of each layer.
        widths: sizes of further symbolic widths of the cells.
        batch_first: input and output are `[B, T, ...]`.
        dropout: probability with which, in training, the outputs of every layer but the last are dropped.
        bidirectional: a second scan of each layer runs from each sequence's end to its beginning.
        learned_state: every state's value before the first step is trained.
        zoneout: see `gatewise.nn.variants.Options`.
        recurrent_dropout: see there.
        variational_dropout: see there.
        weight_dropout: see there.
        clip_gradient: see there.
        forget_bias: the initial bias of what makes a cell keep its state; None leaves it as drawn.
        expected_lag: initialise gates for lags up to this many steps.
        checkpoint_every: K, or "sqrt": in training only the states before every K-th step are saved, and what lies
            between is computed once more in the backward (see `gatewise.nn.segments`).
        backend: "auto" or a backend's name.
        device: of the parameters.
        dtype: of the parameters.
    """

    torchs_form: ClassVar[bool] = False  # whether parameters are stored as torch stores them

    def __init__(
        self,
        cells: Sequence[Cell],
        input_size: int,
        hidden_sizes: Sequence[int],
        *,
        widths: Mapping[str, int] | None = None,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        learned_state: bool = False,
        zoneout: float | Mapping[str, float] = 0.0,
        recurrent_dropout: float = 0.0,
        variational_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        clip_gradient: float | None = None,
        forget_bias: float | None = None,
        expected_lag: int | None = None,
        checkpoint_every: Every | None = None,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_size("input_size", input_size, least=1)
        for size in hidden_sizes:
            check_size("hidden_size", size, least=1)
        if dtype is not None and dtype not in FLOATING:
            raise ConfigurationError(f"dtype={dtype} must be one of {', '.join(map(str, FLOATING))}")
        if variants.check_rate("dropout", dropout) > 0 and len(cells) == 1:
            warnings.warn(
                f"dropout={dropout} has no effect with num_layers=1: it acts between layers, not after the last",
                stacklevel=3,
            )
        self.input_size = input_size
        self.num_layers = len(cells)
        self.batch_first = bool(batch_first)
        self.dropout = float(dropout)
        self.bidirectional = bool(bidirectional)
        self.backend = check_backend(backend)
        self.cells = tuple(cells)
        self.learned_state = bool(learned_state)
        self.forget_bias = forget_bias
        self.expected_lag = expected_lag
        self.checkpoint_every: Every | None = check_every(checkpoint_every)
        self._steps: list[Step] = []
        self._sizes: list[dict[str, int]] = []
        self._layouts: list[Layout] = []
        self._options: list[variants.Options] = []
        self._matrices: list[list[str]] = []
        self._weight_storage: str | None = None
        self._compiled: dict[object, Compiled] = {}  # calls of the core that were made ready
        self._plain: dict[object, bool] = {}  # whether calls of a shape go the short way
        check_widths(widths)
        width = input_size
        for cell, hidden in zip(cells, hidden_sizes, strict=True):
            step = with_learned_states(cell.trace()) if learned_state else cell.trace()
            used = step.widths()
            follows = cell.widths(hidden)
            known = [name for name in widths or {} if name in follows]
            if known:
                raise ConfigurationError(f"widths: {known[0]} of {step.name} follows from hidden_size; leave it out")
            further = {**follows, **{name: size for name, size in (widths or {}).items() if name in used}}
            sizes = sizes_of(step, width, hidden, further)
            check_initialisation(cell, step, forget_bias, expected_lag)
            self._steps.append(step)
            self._sizes.append(sizes)
            self._layouts.append(self._layout(step, sizes))
            self._matrices.append(variants.recurrent_matrices(step))
            self._options.append(
                variants.options(
                    step,
                    cell.candidate,
                    zoneout=zoneout,
                    recurrent_dropout=recurrent_dropout,
                    variational_dropout=variational_dropout,
                    weight_dropout=weight_dropout,
                    clip_gradient=clip_gradient,
                )
            )
            width = sizes[str(step.states[step.output].width)] * self.directions
        unused = sorted(set(widths or {}) - {name for sizes in self._sizes for name in sizes})
        if unused:
            raise ConfigurationError(f"no cell has vectors of width {unused[0]}: leave it out of widths")
        self._further_widths = further_widths(self._steps, self._sizes)
        self._own_masks = any(chosen.masked() for chosen in self._options)
        self._layer_of = [layer for layer, _ in self.scans]
        self._shapes = [
            {
                **layout.shapes,
                **{
                    f"initial_{name}": (sizes[str(leaf.width)],)
                    for name, leaf in step.states.items()
                    if step.initial[name] == "learned"
                },
            }
            for step, sizes, layout in zip(self._steps, self._sizes, self._layouts, strict=True)
        ]
        self._names: list[dict[str, str]] = []
        for layer, direction in self.scans:
            suffix = f"_l{layer}" + ("_reverse" if direction else "")
            shapes = self._shapes[layer]
            self._names.append({name: name + suffix for name in shapes})
            for name, shape in shapes.items():
                self.register_parameter(name + suffix, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """D."""
        return 2 if self.bidirectional else 1

    @property
    def scans(self) -> list[tuple[int, int]]:
        """All pairs of layer and direction (1 is the backward one), in torch's order."""
        return [(layer, direction) for layer in range(self.num_layers) for direction in range(self.directions)]

    @property
    def output_size(self) -> int:
        """The width of the output of one direction of the last layer."""
        step, sizes = self._steps[-1], self._sizes[-1]
        return sizes[str(step.states[step.output].width)]

    @property
    def weight_storage(self) -> str | None:
        """How the matrices are stored where the compiled core computes: see `narrowed`; None as they are."""
        return self._weight_storage

    def reset_parameters(self) -> None:
        """Draw all parameters anew.

        Uniform within ±1/sqrt(H), as torch does; gains are 1, shifts and learned states 0; then what the cell says of
        its own parameters, the forget bias, and the gates' biases for an expected lag, if they are set.
        """
        for number, (layer, _) in enumerate(self.scans):
            initialise(
                self.cells[layer],
                self._steps[layer],
                self._layouts[layer],
                self.stored(number),
                self._sizes[layer]["H"],
                self.forget_bias,
                self.expected_lag,
            )

    def _layout(self, step: Step, sizes: Mapping[str, int]) -> Layout:
        """How one layer's parameters are stored; called before there are any."""
        return own(step, sizes)

    def stored(self, scan: int) -> dict[str, Tensor]:
        """The stored tensors of one layer and direction, by their names without the suffix."""
        # By name at every call, so that parametrisations, pruning and functional calls take part.
        return {name: getattr(self, full) for name, full in self._names[scan].items()}

    def cell_parameters(self, layer: int = 0, direction: int = 0) -> dict[str, Tensor]:
        """The parameters of one layer and direction by the names of its cell's equations."""
        return self._layouts[layer].unpack(self.stored(layer * self.directions + direction))

    @staticmethod
    def _autocast(x: Tensor) -> bool:
        """Whether autocast has a say in what is computed from x."""
        kind = x.device.type
        return kind in ("cpu", "cuda") and torch.is_autocast_enabled(kind) and x.dtype != torch.float64

    def _check_parameters(self, data: Tensor) -> None:
        """Fail unless all parameters have their shapes, one dtype, and the input's device and dtype.

        They may have been replaced since they were made: by parametrisations, functional calls, or by hand.
        """
        autocast = self._autocast(data)
        for number, (layer, _) in enumerate(self.scans):
            shapes = self._shapes[layer]
            for name, value in self.stored(number).items():
                full, expected = self._names[number][name], shapes[name]
                if tuple(value.shape) != tuple(expected):
                    raise DataError(f"the parameter {full} must be {list(expected)}, got {list(value.shape)}")
                if data.device != value.device:
                    raise DataError(
                        f"the input is on {data.device} and the layer's parameters are on {value.device} ({full}); "
                        "move one of them with .to(device)"
                    )
                # Under autocast, torch chooses the dtype of each operation.
                if data.dtype != value.dtype and not (autocast and value.dtype in FLOATING):
                    raise DataError(
                        f"the input is {data.dtype} and the layer's parameters are {value.dtype} ({full}); "
                        "convert one of them with .to(dtype)"
                    )

    def __getstate__(self) -> dict[str, Any]:
        # What is known of calls belongs to this process, and is soon known again.
        return {**self.__dict__, "_compiled": {}, "_plain": {}}

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        before = dict(self._parameters)
        super()._load_from_state_dict(*args, **kwargs)
        if self._weight_storage is not None:
            for name, value in self._parameters.items():
                if value is not None and value is not before[name]:  # assigned: whoever gave it keeps it as it is
                    self._parameters[name] = nn.Parameter(value.detach().clone(), requires_grad=False)
            round_matrices(self, self._weight_storage)
