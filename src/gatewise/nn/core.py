"""What all recurrent layers share: parameters, directions, stacking, states, masks, and the choice of a backend.

Legend: T steps, B batch, X inputs, H hidden units, w the width of a state, L layers, D directions (1 or 2).
"""

import copy
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gatewise.backends import Call, Choice, check_backend, choose
from gatewise.backends.call import FLOATING
from gatewise.backends.layer_scan import Scans, eligible, refuse_training
from gatewise.backends.scan import Prepared, prepare, run
from gatewise.cells import Cell
from gatewise.equations import Step
from gatewise.equations.transform import RESET, VALID
from gatewise.errors import ConfigurationError, DataError
from gatewise.nn import variants
from gatewise.nn.compiled import Compiled, compiled
from gatewise.nn.initial import check_initialisation, initialise, with_learned_states
from gatewise.nn.layout import Layout, own, sizes_of
from gatewise.nn.masking import BETWEEN, STREAMS, masked
from gatewise.nn.masks import Draw
from gatewise.nn.narrow import check_weights, round_matrices
from gatewise.nn.padding import directed, valid_steps, without_padding
from gatewise.nn.segments import SEED, SEQUENCES, Every, Way, check_every, in_segments, segment_length
from gatewise.nn.sequences import Lengths, Sequences, arrange, check_resets
from gatewise.nn.stream import Stack, Stream

States = list[dict[str, Tensor]]  # mappings from names to states: of each layer and direction, in torch's order, [B, w]


class RecurrentCore(nn.Module):
    """The machinery of a stack of recurrent layers; `Recurrent`, `LSTM`, `GRU` and `RNN` give it their form.

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
        if any(True for _ in self.children()):
            raise ConfigurationError(
                f"the parameters of {self} are computed from others: bake them in first, for instance with "
                "torch.nn.utils.parametrize.remove_parametrizations"
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
            ConfigurationError: the layer is bidirectional or has hooks; or an argument is not usable.

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

    def _run(
        self,
        sequences: Sequences,
        states: States | None,
        *,
        resets: Tensor | None = None,
        everything: bool = False,
        draw: Draw | None = None,
        inputs: Mapping[str, Tensor] | None = None,
        backend: str = "reference",
        layers: int | None = None,
    ) -> tuple[Tensor, States, States]:
        """The last layer's outputs `[T, B, D*w]`; of each layer the final states `[D, B, w]`, and (with `everything`)
        all states over time `[T, D, B, w]`."""
        x, lengths = sequences.padded()
        x, parameters, states = self._cast(x, states)
        marks = None if resets is None else directed(resets, x, self.directions)
        flat = [tensor for group in parameters for tensor in group.values()]
        flat += [tensor for group in (inputs or {}, *(states or ())) for tensor in group.values()]
        if self._weight_storage is not None and torch.is_grad_enabled():
            refuse_training(self._weight_storage, [x, *flat])
        direct = backend == "cpu" and x.shape[1] > 0 and eligible([x, *flat])
        valid = None if lengths is None or direct else valid_steps(lengths, x)
        length = steps = x.shape[0]
        every = self.checkpoint_every
        if every is not None and self._checkpoints() and any(tensor.requires_grad for tensor in (x, *flat)):
            length = segment_length(every, steps)
        finals: States = []
        alls: States = []
        with self._own_precision(x):
            for layer in range(self.num_layers if layers is None else layers):
                if layer > 0:
                    x = self._drop(x, layer, draw)
                if valid is not None:
                    x = without_padding(x, valid)
                here = slice(layer * self.directions, (layer + 1) * self.directions)
                before = None if states is None else states[here]
                if length < steps:
                    x, final, over_time = self._in_segments(
                        layer,
                        x,
                        parameters[here],
                        before,
                        lengths,
                        valid,
                        marks,
                        everything,
                        draw,
                        inputs or {},
                        backend,
                        length,
                    )
                elif direct:
                    x, final, over_time = self._in_core(
                        layer, x, parameters[here], before, lengths, marks, everything, draw, inputs or {}
                    )
                else:
                    x, final, over_time = self._in_torch(
                        layer, x, parameters[here], before, valid, marks, everything, draw, inputs or {}, backend
                    )
                finals.append(final)
                alls.append(over_time)
        return x, finals, alls

    def _in_torch(
        self,
        layer: int,
        x: Tensor,
        stored: Sequence[Mapping[str, Tensor]],
        states: States | None,
        valid: Tensor | None,
        marks: Sequence[Tensor] | None,
        everything: bool,
        draw: Draw | None,
        inputs: Mapping[str, Tensor],
        backend: str,
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """One layer, direction by direction, as operators that everything can look into."""
        done = [
            self._scan(
                layer * self.directions + direction,
                x,
                stored[direction],
                None if states is None else states[direction],
                valid,
                None if marks is None else marks[direction],
                everything,
                draw,
                inputs,
                backend,
            )
            for direction in range(self.directions)
        ]
        output = done[0][0] if len(done) == 1 else torch.cat([output for output, _, _ in done], dim=-1)
        names = list(self._steps[layer].states)
        final = {name: torch.stack([final[name] for _, final, _ in done]) for name in names}
        if not everything:
            return output, final, {}
        return output, final, {name: torch.stack([values[name] for _, _, values in done], dim=1) for name in names}

    def _in_core(
        self,
        layer: int,
        x: Tensor,
        stored: Sequence[Mapping[str, Tensor]],
        states: States | None,
        lengths: Tensor | None,
        marks: Sequence[Tensor] | None,
        everything: bool,
        draw: Draw | None,
        inputs: Mapping[str, Tensor],
        only: int | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """One layer in the compiled core, both directions at once or `only` one; states are those of what is run."""
        base, chosen = self._steps[layer], self._options[layer]
        emit = tuple(base.states) if everything else (base.output,)
        unpacked = draw is not None and chosen.weight_dropout > 0
        call = self._call_of(layer, draw is not None, marks is not None, emit, unpacked, only)
        ways = range(self.directions) if only is None else (only,)
        prepared, steps, batch = call.scans.prepared, x.shape[0], x.shape[1]
        given: list[Mapping[str, Tensor]] = []
        weights: list[Mapping[str, Tensor]] = []
        for direction in ways:
            mine: dict[str, Tensor] = {"x": x}
            for name, leaf in base.inputs.items():
                if name != "x":
                    value = inputs[name].to(x.dtype)
                    mine[name] = value.expand(steps, batch, value.shape[-1]) if leaf.width is None else value
            tensors: Mapping[str, Tensor] = stored[direction]
            if draw is not None:
                if unpacked:
                    tensors = {**tensors, **self._layouts[layer].unpack(tensors)}
                first = (layer * self.directions + direction) * STREAMS
                mine, parameters = masked(
                    chosen, draw, first, prepared, self._sizes[layer], mine, tensors, self._matrices[layer]
                )
                tensors = parameters
            if marks is not None:
                mine[RESET] = marks[direction]
            given.append(mine)
            weights.append(tensors)
        before: list[Mapping[str, Tensor] | None] = [None] * len(ways)
        if states is not None:
            before = [*states]
        elif "learned" in base.initial.values():
            before = [self._initial(layer * self.directions + k, stored[k], x) for k in ways]
        values = call(given, weights, before, () if lengths is None else lengths.tolist())
        final = dict(zip(base.states, values[len(values) - len(base.states) :], strict=True))
        if not everything:
            return values[0], final, {}
        places = dict(prepared.emit)
        over_time = {name: values[places[name]] for name in emit}
        split = {name: value.unflatten(2, (len(ways), -1)).transpose(1, 2) for name, value in over_time.items()}
        return over_time[base.output], final, split

    def _scan(
        self,
        number: int,
        x: Tensor,
        stored: Mapping[str, Tensor],
        states: Mapping[str, Tensor] | None,
        valid: Tensor | None,
        marks: Tensor | None,
        everything: bool,
        draw: Draw | None,
        inputs: Mapping[str, Tensor],
        backend: str,
        names: Sequence[str] | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """One layer in one direction: its output, final states, and all states (or the values named) over time."""
        layer, direction = self.scans[number]
        base = self._steps[layer]
        emit = tuple(names) if names is not None else tuple(base.states) if everything else (base.output,)
        prepared = self._prepare(layer, draw is not None, marks is not None, valid is not None, emit)
        steps, batch = x.shape[:2]
        parameters = self._layouts[layer].unpack({name: stored[name] for name in self._layouts[layer].shapes})
        given: dict[str, Tensor] = {}
        for name, leaf in base.inputs.items():
            value = x if name == "x" else inputs[name].to(x.dtype)
            if valid is not None and name != "x":
                value = without_padding(value, valid)
            given[name] = value.expand(steps, batch, value.shape[-1]) if leaf.width is None else value
        if draw is not None:
            first, chosen, sizes = number * STREAMS, self._options[layer], self._sizes[layer]
            given, parameters = masked(chosen, draw, first, prepared, sizes, given, parameters, self._matrices[layer])
        if valid is not None:
            given[VALID] = valid
        if marks is not None:
            given[RESET] = marks
        if states is None:
            states = self._initial(number, stored, x)
        if marks is not None:
            for name in base.states:
                if base.initial[name] == "learned":
                    parameters[f"initial_{name}"] = stored[f"initial_{name}"]
        over_time, final = run(prepared, given, parameters, states, reverse=direction == 1, backend=backend)
        if valid is not None:
            over_time = {name: torch.where(valid != 0, v, torch.zeros_like(v)) for name, v in over_time.items()}
        return over_time[emit[0] if names is not None else base.output], final, over_time

    def _checkpoints(self) -> bool:
        """Whether a call that is differentiated runs in segments."""
        # A graph is for every length, and what torch.func makes of a call it differentiates itself.
        return (
            self.checkpoint_every is not None
            and torch.is_grad_enabled()
            and not torch.compiler.is_compiling()
            and not torch._C._are_functorch_transforms_active()
        )

    def _in_segments(
        self,
        layer: int,
        x: Tensor,
        stored: Sequence[Mapping[str, Tensor]],
        states: States | None,
        lengths: Tensor | None,
        valid: Tensor | None,
        marks: Sequence[Tensor] | None,
        everything: bool,
        draw: Draw | None,
        inputs: Mapping[str, Tensor],
        backend: str,
        length: int,
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """One layer, direction by direction, each in segments of `length` steps."""
        step, ways = self._steps[layer], []
        for direction in range(self.directions):
            number = layer * self.directions + direction
            moving = {"x": x, **{name: value for name, value in inputs.items() if name in step.inputs}}
            if valid is not None:
                moving[VALID] = valid
            if marks is not None:
                moving[RESET] = marks[direction]
            still = dict(stored[direction])
            if draw is not None:  # copies: who gave them may go on counting in them
                still |= {SEED: draw.seed.clone(), SEQUENCES: draw.sequences.clone()}
            begin = self._initial(number, stored[direction], x) if states is None else states[direction]
            ways.append(Way(number, direction == 1, moving, still, begin))
        own = lengths if valid is None else None
        run = partial(self._stretch, own, everything, 0 if draw is None else draw.step, backend)
        return in_segments(run, ways, step.output, everything, length)

    def _stretch(
        self,
        lengths: Tensor | None,
        everything: bool,
        first_step: int,
        backend: str,
        number: int,
        moving: Mapping[str, Tensor],
        still: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        start: int,
        stop: int,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """One direction of a layer from one step to another; see `gatewise.nn.segments.Stretch`."""
        layer, direction = self.scans[number]
        inputs, stored = dict(moving), dict(still)
        x, valid, marks = inputs.pop("x"), inputs.pop(VALID, None), inputs.pop(RESET, None)
        draw = Draw(stored.pop(SEED), stored.pop(SEQUENCES), first_step + start) if SEED in stored else None
        direct = backend == "cpu" and valid is None and x.shape[1] > 0
        if direct and eligible([x, *stored.values(), *inputs.values(), *states.values()]):
            here = None if lengths is None else (lengths - start).clamp(0, stop - start)
            both, resets = [stored] * self.directions, None if marks is None else [marks] * self.directions
            output, final, over_time = self._in_core(
                layer, x, both, [dict(states)], here, resets, everything, draw, inputs, only=direction
            )
            final = {name: value[0] for name, value in final.items()}
            over_time = {name: value[:, 0] for name, value in over_time.items()}
        else:
            output, final, over_time = self._scan(
                number, x, stored, states, valid, marks, everything, draw, inputs, backend
            )
        return over_time if everything else {self._steps[layer].output: output}, final

    def __getstate__(self) -> dict[str, Any]:
        # What is known of calls belongs to this process, and is soon known again.
        return {**self.__dict__, "_compiled": {}, "_plain": {}}

    @torch.compiler.assume_constant_result
    def _prepare(self, layer: int, training: bool, resets: bool, padding: bool, emit: tuple[str, ...]) -> Prepared:
        # torch.compile calls this instead of looking into it: equations are no business of a graph of tensors.
        cell, chosen = self.cells[layer], self._options[layer]
        return prepare(variants.variant(self._steps[layer], chosen, cell.candidate, training, resets, padding), emit)

    def _call_of(
        self,
        layer: int,
        training: bool,
        resets: bool,
        emit: tuple[str, ...],
        unpacked: bool,
        only: int | None = None,
    ) -> Compiled:
        """One layer's call of the core, or `only` one direction's; made ready once."""
        key = (layer, training, resets, emit, unpacked, only)
        call = self._compiled.get(key)
        if call is None:
            call = self._compiled[key] = compiled(
                self._steps[layer],
                self._prepare(layer, training, resets, False, emit),
                lambda: self._prepare(layer, training, resets, True, emit),
                self._layouts[layer],
                self._sizes[layer],
                self.directions if only is None else 1,
                unpacked,
                self._weight_storage,
                turned=only == 1,
            )
        return call

    def _stack(self, batch: int, weights: str | None, requested: str) -> Stack:
        """What a stream of B sequences has to know of the layer as it is now."""
        example = self.stored(0)[next(iter(self._names[0]))].detach()
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

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        if self._weight_storage is not None:
            round_matrices(self, self._weight_storage)

    def _observe(
        self, sequences: Sequences, states: States | None, number: int, names: Sequence[str]
    ) -> dict[str, Tensor]:
        """Values of one layer and direction over time, without dropout."""
        layer, _ = self.scans[number]
        x, lengths = sequences.padded()
        valid = None if lengths is None else valid_steps(lengths, x)
        if layer > 0:
            x, _, _ = self._run(sequences, states, layers=layer)
        if valid is not None:
            x = without_padding(x, valid)
        given = None if states is None else states[number]
        return self._scan(number, x, self.stored(number), given, valid, None, False, None, {}, "reference", names)[2]

    def _drop(self, x: Tensor, layer: int, draw: Draw | None) -> Tensor:
        """Dropout before a layer, in training."""
        if draw is None or self.dropout == 0:
            return x
        stream = layer * self.directions * STREAMS + BETWEEN
        return x * draw.moving(stream, x.shape[0], x.shape[2], self.dropout, x, scale=True)

    def _initial(self, number: int, stored: Mapping[str, Tensor], x: Tensor) -> dict[str, Tensor]:
        """The states of one layer and direction before the first step, for an input `[T, B, X]`."""
        layer, _ = self.scans[number]
        step, sizes, batch = self._steps[layer], self._sizes[layer], x.shape[1]
        states: dict[str, Tensor] = {}
        for name, leaf in step.states.items():
            value = step.initial[name]
            if value == "learned":
                states[name] = stored[f"initial_{name}"].expand(batch, -1)
            else:
                states[name] = x.new_full((batch, sizes[str(leaf.width)]), value)
        return states

    def _own_precision(self, x: Tensor) -> AbstractContextManager[object]:
        """Autocast switched off: what it would change has been converted (see `_cast`)."""
        return torch.autocast(x.device.type, enabled=False) if self._autocast(x) else nullcontext()

    @staticmethod
    def _autocast(x: Tensor) -> bool:
        """Whether autocast has a say in what is computed from x."""
        kind = x.device.type
        return kind in ("cpu", "cuda") and torch.is_autocast_enabled(kind) and x.dtype != torch.float64

    def _computed_in(self, x: Tensor) -> torch.dtype:
        """The dtype a call computes in: the input's, or under autocast autocast's, as `torch.nn.LSTM` has it."""
        return torch.get_autocast_dtype(x.device.type) if self._autocast(x) else x.dtype

    def _cast(self, x: Tensor, states: States | None) -> tuple[Tensor, list[dict[str, Tensor]], States | None]:
        """Input, stored parameters and states in the dtype that a call computes in."""
        dtype = self._computed_in(x)
        parameters = [self.stored(number) for number in range(len(self.scans))]
        if not self._autocast(x):
            return x, parameters, states
        cast = [{name: value.to(dtype) for name, value in group.items()} for group in parameters]
        if states is not None:
            states = [{name: value.to(dtype) for name, value in group.items()} for group in states]
        return x.to(dtype), cast, states

    def _arrange(self, input: Tensor | PackedSequence, lengths: Lengths | None) -> Sequences:
        sequences = arrange(input, lengths, batch_first=self.batch_first, features=self.input_size, layer=self)
        if not torch.compiler.is_compiling():
            self._check_parameters(sequences.data)
        return sequences

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

    def _fits(self, state: Tensor, data: Tensor) -> bool:
        """Whether a state's dtype is the input's, or one that autocast converts."""
        return state.dtype == data.dtype or (self._autocast(data) and state.dtype in FLOATING)

    def _draw(self, sequences: Sequences, seed: int | Tensor | None, numbers: Tensor | None, step: int) -> Draw | None:
        """Where a call's masks come from; None where none are drawn."""
        if not self.training or not (self._own_masks or self.dropout > 0):
            return None
        if seed is None:
            seed = torch.randint(0, 2**63 - 1, ())
        elif not isinstance(seed, Tensor) and (
            isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63
        ):
            raise ConfigurationError(f"mask_seed={seed!r} must be a whole number from 0 to 2**63 - 1")
        check_size("first_step", step, least=0)
        device = sequences.data.device
        drawn = torch.as_tensor(seed, dtype=torch.int64).to(device)
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


def further_widths(steps: Sequence[Step], sizes: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Name and width of every input that the cells of a stack read besides x.

    Raises:
        ConfigurationError: two layers read an input in different widths.
    """
    found: dict[str, int] = {}
    for layer, (step, known) in enumerate(zip(steps, sizes, strict=True)):
        for name, leaf in step.inputs.items():
            width = known[leaf.width] if leaf.width is not None else 1
            if name != "x" and found.setdefault(name, width) != width:
                raise ConfigurationError(
                    f'{step.name} of layer {layer} reads the input "{name}" with {leaf.width} = {width} units, a layer '
                    f"below with {found[name]}: no input fits both; choose sizes that agree, or one layer"
                )
    return found


def check_widths(widths: object) -> None:
    """Fail unless `widths` gives sizes to widths that nothing else gives a size.

    Raises:
        ConfigurationError: it does not.
    """
    if widths is None:
        return
    if not isinstance(widths, Mapping):
        raise ConfigurationError(f"widths={widths!r} must be a mapping from symbolic widths to sizes")
    for name, size in widths.items():
        if name in ("X", "H"):
            argument = "input_size" if name == "X" else "hidden_size"
            raise ConfigurationError(f"widths: the size of {name} is {argument}; leave it out")
        check_size(f"widths[{name!r}]", size, least=1)


def check_size(name: str, value: object, least: int) -> None:
    """Fail unless `value` is a whole number of at least `least`.

    Raises:
        ConfigurationError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name}={value!r} must be a whole number of at least {least}")
