"""How a stack of recurrent layers runs: in the compiled core or as operators of torch, whole or in segments.

Legend: T steps, B batch, X inputs, H hidden units, w the width of a state, L layers, D directions (1 or 2).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor

from gatewise.backends.layer_scan import eligible, refuse_training
from gatewise.backends.scan import Prepared, prepare, run
from gatewise.equations.transform import RESET, VALID
from gatewise.nn import variants
from gatewise.nn.compiled import Compiled, compiled
from gatewise.nn.masking import BETWEEN, STREAMS, masked
from gatewise.nn.masks import Draw
from gatewise.nn.padding import directed, valid_steps, without_padding
from gatewise.nn.parameters import LayerParameters
from gatewise.nn.segments import SEED, SEQUENCES, Way, in_segments, segment_length
from gatewise.nn.sequences import Sequences

States = list[dict[str, Tensor]]  # mappings from names to states: of each layer and direction, in torch's order, [B, w]


class RunningLayers(LayerParameters):
    """A stack of recurrent layers that can be run, by a backend that was chosen."""

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
